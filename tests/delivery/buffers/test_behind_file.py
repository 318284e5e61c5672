"""What memory and the file hold of the same contact keeps its order (rules O1, Q8)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

from .filling import drain, names, put, settle, take
from .moody import Moody


@pytest.fixture
def moody(tmp_path):
    """A spool that fails on demand."""
    spool = SpoolBuffer(tmp_path / "spool.db", limit=100, dead_letters=10)
    yield Moody(spool)
    spool.close()


@pytest.fixture
def buffer(moody):
    """The buffer under test."""
    return FallbackBuffer(moody, on_error=lambda error, messages: None)


def _fill(buffer, moody):
    """Accept a message of *a* into the file, which is full then."""
    put(buffer, "a1", keys=["user:a"])
    moody.is_full = True
    moody.failing = frozenset({"accept"})


def test_memory_waits_for_earlier_messages_of_the_contact(buffer, moody):
    """O1: while the file's message waits for a retry, a later one in memory waits too, and nobody else's does."""
    _fill(buffer, moody)
    settle(buffer, take(buffer), "retry", due_at=10.0)
    put(buffer, "a2", keys=["user:a", "email:a"], now=2.0)
    put(buffer, "b1", keys=["user:b"], now=2.0)
    put(buffer, "nobody", keys=[], now=2.0)

    assert sorted(drain(buffer, now=2.0)) == ["b1", "nobody"]
    assert names(take(buffer, now=11.0)) == ["a1"]


def test_memory_waits_for_what_is_being_delivered_from_the_file(buffer, moody):
    """O1: a message in memory is not delivered beside an earlier one of its contact, but right after it."""
    _fill(buffer, moody)
    claim = take(buffer)
    put(buffer, "a2", keys=["user:a"], now=2.0)

    assert take(buffer, now=2.0) is None
    settle(buffer, claim)
    assert drain(buffer, now=3.0) == ["a2"]


def test_what_waits_for_its_contact_holds_back_no_upsert(buffer, moody):
    """M2: the identify that brings the contact is delivered from memory."""
    _fill(buffer, moody)
    settle(buffer, take(buffer), "wait", due_at=10.0)
    put(buffer, "identify", keys=["user:a"], upserts=True, now=2.0)

    assert drain(buffer, now=2.0) == ["identify"]


def test_a_file_that_cannot_be_read_holds_nothing_back(buffer, moody):
    """Q3: nobody knows when its messages will be delivered."""
    _fill(buffer, moody)
    settle(buffer, take(buffer), "retry", due_at=10.0)
    moody.is_full = False
    moody.failing = frozenset({"accept", "claim", "look"})
    put(buffer, "a2", keys=["user:a"], now=2.0)

    assert drain(buffer, now=2.0) == ["a2"]


def test_what_is_taken_out_of_a_full_file_keeps_its_order(buffer, moody):
    """Q8, O1: where nothing can be claimed, the journal's messages are delivered from memory, before later ones, and counted once."""
    for number in range(3):
        put(buffer, f"a{number}", keys=["user:a"], now=1.0 + number / 10)
    moody.is_full = True
    moody.failing = frozenset({"accept", "claim"})
    put(buffer, "a3", keys=["user:a"], now=1.5)

    assert drain(buffer, now=2.0) == ["a0", "a1", "a2", "a3"]
    assert buffer.tallies().unspooled == 4


def test_an_empty_full_file_is_looked_at_until_it_works(buffer, moody):
    """Q8: after the last delivery, a look is due once a second; the first one that succeeds ends the fault."""
    _fill(buffer, moody)
    put(buffer, "b", keys=["user:b"])
    assert sorted(drain(buffer)) == ["a1", "b"]
    moody.failing = frozenset()

    assert buffer.state().is_failing
    assert buffer.next_due_at(now=2.0) is not None
    assert take(buffer, now=4.0) is None
    assert not buffer.state().is_failing
    assert buffer.next_due_at(now=4.0) is None


def test_a_message_moved_back_and_forth_is_counted_once(buffer, moody):
    """A message that was moved into the file, and taken out of it again, is one that the file could not take."""
    moody.is_full = True
    moody.failing = frozenset({"accept"})
    put(buffer, "b")
    moody.failing = frozenset({"claim"})
    assert buffer._behind.move(2.0) is None

    assert drain(buffer, now=3.0) == ["b"]
    assert buffer.tallies().unspooled == 1


def test_a_locked_file_is_not_asked_after_a_full_one(buffer, moody, monkeypatch):
    """Q8: whether the file can be read is known from its last fault, so no claim from memory waits for another program's lock."""
    _fill(buffer, moody)
    settle(buffer, take(buffer), "retry", due_at=10.0)
    put(buffer, "a2", keys=["user:a"], now=2.0)
    moody.failing = frozenset({"claim"})
    assert take(buffer, now=2.0) is None
    moody.is_full, moody.is_passing, moody.failing = False, True, frozenset({"look"})
    assert buffer.next_due_at(now=3.5) is not None
    asked = []
    monkeypatch.setattr(moody.spool, "earliest", lambda keys: asked.append(keys) or {})

    assert drain(buffer, now=3.6) == ["a2"]
    assert asked == []
