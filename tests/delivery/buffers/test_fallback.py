"""A spool whose file fails (rule Q3): messages go to memory, that is reported, and they return to the file when it works again."""

from __future__ import annotations

import shutil

import pytest

from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.plugins import Settlement

from .filling import drain, names, put, settle, take
from .moody import Moody

_EVERYTHING = frozenset({"accept", "claim", "settle", "renew", "bury", "store", "look"})


@pytest.fixture
def reported():
    """What the hook was called with: the text and the message ids."""
    return []


@pytest.fixture
def path(tmp_path):
    """Where the file is."""
    return tmp_path / "spool.db"


@pytest.fixture
def moody(path):
    """A spool that fails on demand."""
    spool = SpoolBuffer(path, limit=6, dead_letters=100)
    yield Moody(spool)
    spool.close()


@pytest.fixture
def buffer(moody, reported):
    """The buffer under test."""
    return FallbackBuffer(
        moody,
        on_error=lambda error, messages: reported.append(
            (str(error), [one["messageId"] for one in messages])
        ),
        limit=10,
    )


def test_a_file_that_works_is_used_alone(buffer, moody):
    """Nothing is kept in memory while the file works."""
    put(buffer, "m")

    assert moody.spool.pending() == 1
    assert drain(buffer) == ["m"]
    assert buffer.tallies().unspooled == 0


def test_messages_go_to_memory_while_the_file_fails(buffer, moody, reported, path, caplog):
    """Q3: while the file fails, messages are delivered from memory; each is reported and counted, and logged once a minute."""
    moody.failing = _EVERYTHING
    for number in range(3):
        put(buffer, f"m{number}", now=float(number))

    assert buffer.pending() == 3
    assert buffer.oldest_accepted_at() == 0.0
    assert buffer.has_pending(buffer.mark())
    assert drain(buffer) == ["m0", "m1", "m2"]
    assert not buffer.has_pending(buffer.mark())
    assert buffer.tallies().unspooled == 3
    assert reported[0][1] == ["m0"]
    logged = [record for record in caplog.records if "new messages are kept in memory" in record.msg]
    assert [(record.levelname, record.args[0], record.unspooled) for record in logged] == [
        ("ERROR", str(path), 1)
    ]
    assert str(path) in logged[0].getMessage()


def test_messages_return_to_the_file_in_order(buffer, moody, path):
    """Q3, O1: when the file works again, messages in memory are moved there before any later message."""
    moody.failing = _EVERYTHING
    put(buffer, "m1", now=1.0)
    put(buffer, "about nobody", keys=[], now=1.1)
    moody.failing = frozenset()
    put(buffer, "m2", now=1.2)
    claim = take(buffer, now=2.0)
    put(buffer, "m3", now=2.1)

    assert moody.spool.pending() == 4
    settle(buffer, claim, now=2.2)
    assert drain(buffer, now=9.0) == ["about nobody", "m3"]
    assert names(claim) == ["m1", "m2"]


def test_a_delivery_from_memory_ends_before_the_move(buffer, moody):
    """O1: while a message from memory is being delivered, none is moved past it and no other one is claimed."""
    moody.failing = _EVERYTHING
    put(buffer, "m1", now=1.0)
    out = take(buffer, now=1.0)
    put(buffer, "m2", keys=["user:b"], now=1.5)
    moody.failing = frozenset()

    assert take(buffer, now=3.0) is None
    assert 3.0 < buffer.next_due_at(now=3.0) < 3.2
    assert take(buffer, now=3.05) is None
    settle(buffer, out, now=3.1)
    assert names(take(buffer, now=3.2)) == ["m2"]
    assert moody.spool.pending() == 1


def test_a_move_that_fails_is_tried_again(buffer, moody, reported):
    """Q3: messages that the file still cannot take stay in memory and are delivered from there."""
    moody.failing = _EVERYTHING
    put(buffer, "m", now=1.0)
    moody.failing = frozenset({"accept"})

    assert names(take(buffer, now=2.0)) == ["m"]
    assert reported[-1][1] == ["m"]


def test_a_full_file_takes_as_much_as_it_has_room_for(buffer, moody):
    """Q4: messages that a full file does not take stay in memory until there is room."""
    for number in range(4):
        put(buffer, f"old{number}", keys=[f"user:{number}"])
    moody.failing = frozenset({"accept"})
    for number in range(4):
        put(buffer, f"new{number}", keys=[f"user:{number}"], now=1.5)
    moody.failing = frozenset()
    claim = take(buffer, now=2.0)
    settle(buffer, claim, now=2.0)

    assert sorted(drain(buffer, now=2.1) + names(claim)) == sorted(
        [f"old{number}" for number in range(4)] + [f"new{number}" for number in range(4)]
    )


def test_a_locked_file_is_still_used(buffer, moody):
    """Q3: a file that another process locks for a while still takes messages in order, and they are delivered later."""
    moody.failing = frozenset({"claim"})
    moody.is_passing = True
    assert take(buffer, now=1.0) is None
    put(buffer, "m", now=1.1)

    assert buffer.tallies().unspooled == 0
    moody.failing = frozenset()
    assert take(buffer, now=1.2) is None
    assert names(take(buffer, now=2.5)) == ["m"]


def test_a_file_that_cannot_be_claimed_from_is_not_used(buffer, moody, reported):
    """Q3: messages in a file that cannot be read would not be delivered, so memory takes them."""
    moody.failing = frozenset({"claim"})
    assert take(buffer, now=1.0) is None
    put(buffer, "m", now=1.1)

    assert names(take(buffer, now=1.2)) == ["m"]
    assert [text for text, _ in reported] == ["spool: claim failed"]


def test_a_failing_file_is_tried_once_a_second(buffer, moody):
    """A file that fails does not keep a worker busy."""
    moody.failing = frozenset({"claim", "look"})
    take(buffer, now=1.0)

    assert buffer.next_due_at(now=1.0) == 2.0
    assert buffer.next_due_at(now=2.5) == 3.5
    put(buffer, "m", now=2.6)
    assert buffer.next_due_at(now=2.7) == 2.6


def test_claims_are_settled_when_the_file_works_again(buffer, moody):
    """Q5: a message that was delivered while the file failed is not delivered again afterwards."""
    put(buffer, "m")
    claim = take(buffer)
    moody.failing = _EVERYTHING
    assert buffer.renew(claim, now=2.0) is True
    settle(buffer, claim, now=2.0)
    assert take(buffer, now=3.5) is None
    moody.failing = frozenset()

    assert take(buffer, now=5.0) is None
    assert moody.spool.pending() == 0


def test_leases_are_renewed_where_they_were_made(buffer, moody):
    """Memory renews its own claims, and the file renews its own."""
    put(buffer, "in the file", keys=["user:a"])
    in_file = take(buffer)
    moody.failing = frozenset({"accept"})
    put(buffer, "in memory", keys=["user:b"])
    in_memory = take(buffer)

    assert names(in_memory) == ["in memory"]
    assert in_memory.entries[0].seq < 0
    assert buffer.renew(in_memory, now=3.0)
    moody.failing = frozenset()
    assert buffer.renew(in_file, now=3.0)


def test_counting_does_not_raise_when_the_file_cannot_be_read(buffer, moody, path, caplog):
    """If the file cannot be read, the last known number is reported and the log says so: 0 would not mean "unknown"."""
    put(buffer, "m")
    moody.failing = frozenset({"look"})

    assert buffer.pending() == 1
    assert buffer.state().is_exact is False
    assert buffer.oldest_accepted_at() is None
    assert buffer.mark() == 0
    assert not buffer.has_pending(5)
    buffer.make_due(now=2.0)
    assert any(
        "the last known number is reported (1): spool: look failed" in text for text in caplog.messages
    )
    assert f"spool {path}: the file cannot be read: spool: look failed" in caplog.messages


def test_dead_letters_reach_the_file(buffer, moody):
    """X1: dead letters that the file could not take are moved there before any are listed, counted or taken."""
    moody.failing = _EVERYTHING
    buffer.bury({"messageId": "d1"}, reason="plugin_failed", now=1.0)
    moody.failing = frozenset()
    buffer.bury({"messageId": "d2"}, reason="plugin_failed", now=2.0)

    assert [letter.message["messageId"] for letter in buffer.dead_letters()] == ["d2", "d1"]
    assert moody.spool.count_dead() == buffer.count_dead() == {"plugin_failed": 2}
    assert len(buffer.take_dead()) == 2


def test_messages_are_dropped_from_both_places(buffer, moody):
    """D1: a contact's messages are removed from the file and from memory."""
    put(buffer, "m1")
    moody.failing = frozenset({"accept"})
    put(buffer, "m2")
    dropped = buffer.drop(["user:a"])

    assert [message["messageId"] for message in dropped] == ["m1", "m2"]


def test_a_store_that_failed_is_empty(buffer, moody, path, caplog):
    """O4: after a failed change the store may not have what was written last, so it answers nothing."""
    store = buffer.store()
    store.put("kind", "a", "1")
    store.update("kind", "b", lambda old: "2")
    store.forget("kind", "a")
    assert (store.get("kind", "a"), store.get("kind", "b")) == (None, "2")
    moody.failing = frozenset({"store"})
    store.put("kind", "b", "3")
    moody.failing = frozenset()

    assert store.get("kind", "b") is None
    store.put("kind", "b", "4")
    assert moody.spool.store().get("kind", "b") == "2"
    fault = "spool: store failed"
    assert f"spool {path}: the workspace cache does not use the file any more: {fault}" in caplog.messages


def test_a_store_that_cannot_be_read_is_empty(buffer, moody):
    """O4: a store that cannot be read answers nothing, so the workspace cache asks Intercom instead."""
    store = buffer.store()
    store.put("kind", "a", "1")
    moody.failing = frozenset({"store"})

    assert store.get("kind", "a") is None


def test_a_spool_without_a_store_gives_none(buffer, moody):
    """If the spool has no store, the workspace cache works in memory."""
    moody.failing = frozenset({"no store"})

    assert buffer.store() is None


def test_closing_saves_what_the_file_takes(buffer, moody, path, caplog):
    """Q3: closing tries once more to settle claims and to move messages in memory into the file."""
    put(buffer, "old")
    claim = take(buffer)
    moody.failing = _EVERYTHING
    settle(buffer, claim)
    put(buffer, "new", keys=["user:b"])
    moody.failing = frozenset()
    buffer.close()
    again = SpoolBuffer(path, limit=10, dead_letters=10)

    assert drain(again, now=1e9) == ["new"]
    again.close()
    assert "lost" not in caplog.text


def test_closing_logs_what_is_lost(buffer, moody, path, caplog):
    """W2: the number of messages that the file did not take is logged, and that what was delivered could not be noted."""
    put(buffer, "old")
    claim = take(buffer)
    moody.failing = _EVERYTHING
    settle(buffer, claim)
    put(buffer, "new")
    shutil.rmtree(f"{path}-intake")
    buffer.close()

    lost = [record for record in caplog.records if "messages in memory are lost" in record.msg]
    assert [record.pending for record in lost] == [1]
    assert [record.args[:2] for record in lost] == [(str(path), 1)]
    assert f"spool {path}: delivered messages could not be settled" in caplog.text


def test_a_child_starts_empty(buffer, moody, path, caplog):
    """W3: messages in memory and unsettled claims are the parent's; a file that fails then is tried again with the next message."""
    moody.failing = _EVERYTHING
    put(buffer, "m")
    moody.failing = frozenset({"after_fork"})
    buffer.after_fork()

    assert buffer.pending() == 0
    assert f"spool {path}: the file failed after a fork: spool: after_fork failed" in caplog.messages


def test_a_claim_from_memory_is_settled_as_any_other(buffer, moody):
    """Messages of a claim from memory may be settled in different ways."""
    moody.failing = _EVERYTHING
    put(buffer, "a", now=1.0)
    put(buffer, "b", now=1.0)
    claim = take(buffer, now=1.0)
    first, second = (entry.seq for entry in claim.entries)
    buffer.settle(claim, [Settlement(first, "ack"), Settlement(second, "retry", 5.0)], now=1.0)

    assert take(buffer, now=2.5) is None
    assert names(take(buffer, now=5.0)) == ["b"]
