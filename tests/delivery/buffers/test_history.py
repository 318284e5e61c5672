"""What every buffer remembers of messages that ended (rule X2): one suite for memory and the spool."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.capabilities import history_store_of
from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.buffers.memory_history import MemoryHistory
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import SpoolFailed
from metarouter_intercom.plugins import Ending, HistoryEntry, Note, SentRequest, Settlement

from .filling import put, settle, take

_SENT = SentRequest("POST", "/events", 202, None, "r-1", 0.25, {"type": "event"})
_REFUSED = SentRequest(
    "POST", "/events", 422, "invalid", "r-2", 0.5, {"message": "no", "field": "event_name"}
)
_DELIVERED = Ending("delivered", None, (Note("A3", "traits.a", "cut"),), (_SENT,))
_SKIPPED = Ending("skipped", "page_off")
_DEAD = Ending("dead", "http_422", (), (_SENT, _REFUSED))


def _end(buffer, name, ending, now=2.0, **fields):
    """Accept the message *name* of a person of its own and settle it with *ending*."""
    put(buffer, name, keys=[f"user:{name}"], **fields)
    kind = "bury" if ending is not None and ending.outcome == "dead" else "ack"
    settle(buffer, take(buffer), kind, now=now, ending=ending, reason=ending and ending.reason)


def _history(buffer, before=None, limit=100):
    return [entry for _, entry in history_store_of(buffer).page(before, limit)]


def _names(buffer):
    return [entry.message["messageId"] for entry in _history(buffer)]


@pytest.mark.parametrize("ending", [_DELIVERED, _SKIPPED, _DEAD], ids=lambda ending: ending.outcome)
def test_an_end_comes_out_as_it_went_in(buffer, ending):
    """X2: an entry has the message, the outcome, the notes, the requests and the times."""
    _end(buffer, "m1", ending, properties={"a": [1, None, "\u00e9"]})

    assert _history(buffer) == [
        HistoryEntry(
            {"type": "track", "messageId": "m1", "timestamp": 1.0, "properties": {"a": [1, None, "\u00e9"]}},
            ending.outcome,
            ending.reason,
            ending.notes,
            ending.requests,
            1.0,
            2.0,
        )
    ]


@pytest.mark.parametrize("kind", ["retry", "wait", "release"])
def test_what_has_not_ended_is_not_in_the_history(buffer, kind):
    """X2: the history has ends; a message that is attempted again is still buffered."""
    put(buffer, "m1")
    settle(buffer, take(buffer), kind, due_at=9.0)

    assert _history(buffer) == []


def test_what_is_acknowledged_without_an_ending_stays_out(buffer):
    """X2: a message that a closing client takes out of the buffer did not end."""
    _end(buffer, "m1", None)

    assert _history(buffer) == []


def test_a_dead_letter_has_an_end_without_being_told(buffer):
    """X2: also what was buried for an error of ours, or before it was buffered, is in the history."""
    put(buffer, "m1")
    settle(buffer, take(buffer), "bury", reason="internal_error")
    buffer.bury({"type": "track", "messageId": "m2", "timestamp": 1.0}, reason="plugin_failed", now=3.0)

    assert [(entry.message["messageId"], entry.outcome, entry.reason) for entry in _history(buffer)] == [
        ("m2", "dead", "plugin_failed"),
        ("m1", "dead", "internal_error"),
    ]


def test_pages_go_from_the_newest_to_the_oldest(buffer):
    """X2: each page goes on below the last number of the one before, and each entry comes once."""
    for number in range(7):
        _end(buffer, f"m{number}", _DELIVERED)
    store, before, names = history_store_of(buffer), None, []
    while rows := store.page(before, 3):
        names += [entry.message["messageId"] for _, entry in rows]
        before = rows[-1][0]

    assert names == ["m6", "m5", "m4", "m3", "m2", "m1", "m0"]


def test_deliveries_leave_first_and_dead_letters_last(make_buffer):
    """X2: at the limit the oldest delivered messages leave, then the oldest skipped ones, then the oldest dead letters."""
    buffer = make_buffer(history=4)
    for name, ending in [("d1", _DEAD), ("o1", _DELIVERED), ("s1", _SKIPPED), ("o2", _DELIVERED)]:
        _end(buffer, name, ending)

    steps = []
    for name, ending in [("o3", _DELIVERED), ("d2", _DEAD), ("d3", _DEAD), ("d4", _DEAD), ("d5", _DEAD)]:
        _end(buffer, name, ending)
        steps.append(_names(buffer))

    assert steps == [
        ["o3", "o2", "s1", "d1"],
        ["d2", "o3", "s1", "d1"],
        ["d3", "d2", "s1", "d1"],
        ["d4", "d3", "d2", "d1"],
        ["d5", "d4", "d3", "d2"],
    ]


def test_the_history_is_bounded_while_nobody_reads(make_buffer):
    """X2, W4: however many messages end, little more than the limit is kept."""
    buffer = make_buffer(history=3)
    for number in range(200):
        _end(buffer, f"m{number}", _DELIVERED)

    assert _names(buffer) == ["m199", "m198", "m197"]
    if isinstance(buffer, SpoolBuffer):
        for number in range(200):
            _end(buffer, f"n{number}", _DELIVERED)
        kept = buffer._database.fetch_one("SELECT COUNT(*) FROM history")[0]
        assert kept <= 3 + 64 + 32


def test_without_room_nothing_is_kept(make_buffer):
    """X2: the setting 0 switches the history off."""
    buffer = make_buffer(history=0)
    _end(buffer, "m1", _DELIVERED)
    _end(buffer, "m2", _DEAD)
    buffer.bury({"type": "track", "messageId": "m3", "timestamp": 1.0}, reason="plugin_failed", now=3.0)

    assert _history(buffer) == []


def test_entries_are_forgotten_by_number(buffer):
    """X2: what is forgotten is gone, the others stay; unknown numbers are left alone."""
    for name in ("m1", "m2", "m3"):
        _end(buffer, name, _DELIVERED)
    store = history_store_of(buffer)
    store.forget([store.page(None, 3)[1][0], 999])

    assert _names(buffer) == ["m3", "m1"]


def test_a_message_that_was_settled_twice_has_one_entry(buffer):
    """X2: a claim that was settled already is left alone."""
    put(buffer, "m1")
    claim = take(buffer)
    settle(buffer, claim, ending=_DELIVERED)
    settle(buffer, claim, ending=_DELIVERED)

    assert _names(buffer) == ["m1"]


# --- memory ---------------------------------------------------------------------------------------------------


def test_long_messages_are_bounded_in_bytes():
    """W4: a thousand messages of 32 KiB do not fill the memory: the oldest leave by size as well."""
    history = MemoryHistory(1000, most_bytes=1000)
    for number in range(50):
        history.add(b"N" + b"x" * 299, Ending("delivered"), accepted_at=number, ended_at=number)

    assert sum(len(one.body) for kept in history._kept.values() for one in kept) <= 1000
    history.forget(range(1, 100))
    assert history.page(None, 10) == []


# --- the spool ------------------------------------------------------------------------------------------------


def test_the_history_survives_and_is_shared(tmp_path):
    """X2: another process of the spool, now or later, sees what ended; the file keeps the limit of whoever writes."""
    path = tmp_path / "a.spool"
    first = SpoolBuffer(path, limit=10, dead_letters=10, history=5)
    other = SpoolBuffer(path, limit=10, dead_letters=10, history=5)
    _end(first, "m1", _DEAD)
    assert take(first, now=9.0) is None
    assert _names(other) == ["m1"]
    first.close()
    other.close()

    again = SpoolBuffer(path, limit=10, dead_letters=10)
    assert _history(again)[0].requests == (_SENT, _REFUSED)
    again.close()


def test_a_lost_lease_records_only_what_was_delivered(tmp_path):
    """X2: what became of the other messages is for the process that has the lease now to record."""
    buffer = SpoolBuffer(tmp_path / "a.spool", limit=10, dead_letters=10, history=5, lease=1.0)
    put(buffer, "m1")
    put(buffer, "m2")
    lost = take(buffer)
    assert [entry.message["messageId"] for entry in take(buffer, now=10.0).entries] == ["m1", "m2"]
    kinds = [Settlement(lost.entries[0].seq, "ack", ending=_DELIVERED)]
    kinds.append(Settlement(lost.entries[1].seq, "bury", reason="http_422", ending=_DEAD))
    buffer.settle(lost, kinds, now=11.0)

    assert _names(buffer) == ["m1"]
    buffer.close()


class _Failing(SpoolBuffer):
    """A spool whose file can be made to fail."""

    fails = False

    def accept(self, message, **rest):
        if self.fails:
            raise SpoolFailed("disk full")
        return super().accept(message, **rest)


def test_what_ended_in_memory_while_the_file_failed_is_there_too(tmp_path):
    """Q3, X2: the history of the fallback has the entries of both places, and forgets in both."""
    spool = _Failing(tmp_path / "a.spool", limit=10, dead_letters=10, history=5)
    buffer = FallbackBuffer(spool, on_error=lambda error, messages: None, history=5)
    _end(buffer, "m1", _DELIVERED)
    spool.fails = True
    _end(buffer, "m2", _DEAD)

    store, before, rows = history_store_of(buffer), None, []
    while page := store.page(before, 1):
        rows += page
        before = page[-1][0]
    assert [entry.message["messageId"] for _, entry in rows] == ["m2", "m1"]
    store.forget([number for number, _ in rows])
    assert store.page(None, 10) == []
    spool.fails = False
    buffer.close()


def test_a_buffer_without_a_history_has_an_empty_one():
    """X2: a buffer that users wrote need not keep one."""

    class Plain:
        """Has no history."""

    store = history_store_of(Plain())
    store.forget([1])

    assert store.page(None, 10) == []
    assert history_store_of(MemoryBuffer(limit=1, dead_letters=1)).page(None, 1) == []
