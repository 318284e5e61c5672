"""A spool whose file fails (rule Q3): memory goes on, loudly, and everything goes back to the file as soon as that works."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import SpoolFailed
from metarouter_intercom.plugins import Settlement

from .filling import drain, names, put, settle, take

_EVERYTHING = frozenset({"accept", "claim", "settle", "renew", "bury", "shelf", "look"})


class Moody:
    """A spool that fails in the named ways while *failing* holds them; everything else is the real one."""

    def __init__(self, spool):
        self.spool = spool
        self.failing = frozenset()
        self.is_passing = False

    def _check(self, step):
        if step in self.failing:
            raise SpoolFailed(f"spool: {step} failed", is_passing=self.is_passing)

    def accept(self, message, **facts):
        self._check("accept")
        return self.spool.accept(message, **facts)

    def claim(self, **facts):
        self._check("claim")
        return self.spool.claim(**facts)

    def settle(self, claim, settlements, **facts):
        self._check("settle")
        self.spool.settle(claim, settlements, **facts)

    def renew(self, claim, **facts):
        self._check("renew")
        return self.spool.renew(claim, **facts)

    def bury(self, message, **facts):
        self._check("bury")
        self.spool.bury(message, **facts)

    def after_fork(self):
        self._check("after_fork")
        self.spool.after_fork()

    def store(self):
        return None if "no shelf" in self.failing else _MoodyShelf(self)

    def __getattr__(self, name):
        if name in ("mark", "has_pending", "pending", "oldest_accepted_at", "next_due_at", "make_due"):
            self._check("look")
        return getattr(self.spool, name)


class _MoodyShelf:
    def __init__(self, owner):
        self._owner = owner

    def __getattr__(self, name):
        self._owner._check("shelf")
        return getattr(self._owner.spool.store(), name)


@pytest.fixture
def told():
    """What the hook was told: the text and the message ids concerned."""
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
def buffer(moody, told):
    """The buffer under test."""
    return FallbackBuffer(
        moody,
        on_error=lambda error, messages: told.append((str(error), [one["messageId"] for one in messages])),
        limit=10,
    )


def test_a_file_that_works_is_all_there_is(buffer, moody):
    """Nothing is kept in memory without need."""
    put(buffer, "m")

    assert moody.spool.pending() == 1
    assert drain(buffer) == ["m"]
    assert buffer.tallies().unspooled == 0


def test_messages_go_on_in_memory(buffer, moody, told, caplog):
    """Q3: while the file fails, messages are delivered from memory; each is told and counted, the log speaks once a minute."""
    moody.failing = _EVERYTHING
    for number in range(3):
        put(buffer, f"m{number}", now=float(number))

    assert buffer.pending() == 3
    assert buffer.oldest_accepted_at() == 0.0
    assert buffer.has_pending(buffer.mark())
    assert drain(buffer) == ["m0", "m1", "m2"]
    assert not buffer.has_pending(buffer.mark())
    assert buffer.tallies().unspooled == 3
    assert told[0][1] == ["m0"]
    assert [record.message for record in caplog.records].count("the spool failed: going on in memory") == 1


def test_messages_return_to_the_file_in_order(buffer, moody, path):
    """Q3, O1: when the file works again, what is in memory is moved there before anything that is accepted later."""
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


def test_what_is_being_delivered_from_memory_ends_first(buffer, moody):
    """O1: while a message from memory is under way none is moved past it, and no other one is begun."""
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


def test_a_move_that_fails_is_tried_again(buffer, moody, told):
    """Q3: what the file cannot take stays in memory and is delivered from there."""
    moody.failing = _EVERYTHING
    put(buffer, "m", now=1.0)
    moody.failing = frozenset({"accept"})

    assert names(take(buffer, now=2.0)) == ["m"]
    assert told[-1][1] == ["m"]


def test_a_full_file_takes_what_it_has_room_for(buffer, moody):
    """Q4: the rest stays in memory until there is room."""
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


def test_a_locked_file_is_not_left(buffer, moody):
    """Q3: what another process locks for a while still takes messages, in order, and delivers them later."""
    moody.failing = frozenset({"claim"})
    moody.is_passing = True
    assert take(buffer, now=1.0) is None
    put(buffer, "m", now=1.1)

    assert buffer.tallies().unspooled == 0
    moody.failing = frozenset()
    assert take(buffer, now=1.2) is None
    assert names(take(buffer, now=2.5)) == ["m"]


def test_a_file_that_cannot_be_claimed_from_is_left(buffer, moody, told):
    """Q3: messages in a journal that nobody can read again would not be delivered, so memory takes them."""
    moody.failing = frozenset({"claim"})
    assert take(buffer, now=1.0) is None
    put(buffer, "m", now=1.1)

    assert names(take(buffer, now=1.2)) == ["m"]
    assert [text for text, _ in told] == ["spool: claim failed"]


def test_a_failing_file_is_asked_once_a_second(buffer, moody):
    """A fault must not keep a worker busy."""
    moody.failing = frozenset({"claim", "look"})
    take(buffer, now=1.0)

    assert buffer.next_due_at(now=1.0) == 2.0
    assert buffer.next_due_at(now=2.5) == 3.5
    put(buffer, "m", now=2.6)
    assert buffer.next_due_at(now=2.7) == 2.6


def test_ends_are_noted_when_the_file_works_again(buffer, moody):
    """Q5: what was delivered while the file failed is not delivered again afterwards."""
    put(buffer, "m")
    claim = take(buffer)
    moody.failing = _EVERYTHING
    assert buffer.renew(claim, now=2.0) is True
    settle(buffer, claim, now=2.0)
    assert take(buffer, now=3.5) is None
    moody.failing = frozenset()

    assert take(buffer, now=5.0) is None
    assert moody.spool.pending() == 0


def test_leases_are_renewed_where_they_are(buffer, moody):
    """Memory and file each know their own claims."""
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


def test_numbers_of_a_file_that_cannot_be_read(buffer, moody, caplog):
    """Observing never raises for the file's sake."""
    put(buffer, "m")
    moody.failing = frozenset({"look"})

    assert buffer.pending() == 0
    assert buffer.oldest_accepted_at() is None
    assert buffer.mark() == 0
    assert not buffer.has_pending(5)
    buffer.make_due(now=2.0)
    assert "the spool cannot be counted" in caplog.text
    assert "the spool cannot be read" in caplog.text


def test_dead_letters_reach_the_file(buffer, moody):
    """X1: those that the file could not take are moved there before they are listed, counted or taken."""
    moody.failing = _EVERYTHING
    buffer.bury({"messageId": "d1"}, reason="plugin_failed", now=1.0)
    moody.failing = frozenset()
    buffer.bury({"messageId": "d2"}, reason="plugin_failed", now=2.0)

    assert [letter.message["messageId"] for letter in buffer.dead_letters()] == ["d2", "d1"]
    assert moody.spool.count_dead() == buffer.count_dead() == {"plugin_failed": 2}
    assert len(buffer.take_dead()) == 2


def test_both_are_dropped_from(buffer, moody):
    """D1: a contact's messages go from the file and from memory."""
    put(buffer, "m1")
    moody.failing = frozenset({"accept"})
    put(buffer, "m2")
    dropped = buffer.drop(["user:a"])

    assert [message["messageId"] for message in dropped] == ["m1", "m2"]


def test_a_shelf_that_failed_forgets(buffer, moody, caplog):
    """O4: what the shelf holds after a failed change is no longer what was last written, so it answers nothing."""
    store = buffer.store()
    store.put("kind", "a", "1")
    store.update("kind", "b", lambda old: "2")
    store.forget("kind", "a")
    assert (store.get("kind", "a"), store.get("kind", "b")) == (None, "2")
    moody.failing = frozenset({"shelf"})
    store.put("kind", "b", "3")
    moody.failing = frozenset()

    assert store.get("kind", "b") is None
    store.put("kind", "b", "4")
    assert moody.spool.store().get("kind", "b") == "2"
    assert "the directory goes on without the spool" in caplog.text


def test_a_shelf_that_cannot_be_read_forgets(buffer, moody):
    """O4: the directory asks Intercom instead."""
    store = buffer.store()
    store.put("kind", "a", "1")
    moody.failing = frozenset({"shelf"})

    assert store.get("kind", "a") is None


def test_a_buffer_without_a_shelf_has_none(buffer, moody):
    """The directory then lives in memory."""
    moody.failing = frozenset({"no shelf"})

    assert buffer.store() is None


def test_closing_saves_what_the_file_takes(buffer, moody, path, caplog):
    """Q3: a last attempt to make durable what is in memory; ends not noted are tried once more."""
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


def test_closing_tells_what_is_lost(buffer, moody, caplog):
    """W2: what no file takes is a number in the log."""
    put(buffer, "old")
    claim = take(buffer)
    moody.failing = _EVERYTHING
    settle(buffer, claim)
    put(buffer, "new")
    buffer.close()

    lost = [record for record in caplog.records if record.message.endswith("messages in memory are lost")]
    assert [record.pending for record in lost] == [1]
    assert "delivered messages could not be noted" in caplog.text


def test_a_child_begins_empty(buffer, moody, caplog):
    """W3: memory and unsettled claims are the parent's; a file that fails then is tried again with the next message."""
    moody.failing = _EVERYTHING
    put(buffer, "m")
    moody.failing = frozenset({"after_fork"})
    buffer.after_fork()

    assert buffer.pending() == 0
    assert "the spool failed after a fork" in caplog.text


def test_mixed_ends_from_memory(buffer, moody):
    """Settlements of memory's claims keep their kinds."""
    moody.failing = _EVERYTHING
    put(buffer, "a", now=1.0)
    put(buffer, "b", now=1.0)
    claim = take(buffer, now=1.0)
    first, second = (entry.seq for entry in claim.entries)
    buffer.settle(claim, [Settlement(first, "ack"), Settlement(second, "retry", 5.0)], now=1.0)

    assert take(buffer, now=2.5) is None
    assert names(take(buffer, now=5.0)) == ["b"]
