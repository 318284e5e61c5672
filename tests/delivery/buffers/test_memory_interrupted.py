"""Ctrl-C, or a signal handler that exits, may interrupt the buffer in memory at any line: nothing is lost or stuck (W2, W3)."""

from __future__ import annotations

import contextlib
import linecache
import sys

import pytest

from metarouter_intercom._delivery.buffers import memory, memory_dead_letters, memory_lanes
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.plugins import Settlement

_FILES = frozenset(module.__file__ for module in (memory, memory_lanes, memory_dead_letters))
_NOW = 1_000.0
_PEOPLE = (["user:a"], ["user:b"], ["user:a", "email:a@example.com"], [], ["email:a@example.com"], ["user:c"])


class _Interruption:
    """Raises at the n-th line that runs in the buffer's modules."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, argument):
        file = frame.f_code.co_filename
        if file not in _FILES:
            return None
        # A trace function can raise before a lock is released, where Python runs no signal handler.
        line = linecache.getline(file, frame.f_lineno).strip()
        if event == "line" and not line.startswith("with "):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *_):
        sys.settrace(self._before)


def _filled():
    buffer = MemoryBuffer(limit=100, dead_letters=100)
    for number in range(12):
        keys = _PEOPLE[number % len(_PEOPLE)]
        message = {"messageId": f"m{number}", "type": "track", "timestamp": 1.0}
        buffer.accept(message, keys=keys, upserts=number % 4 == 0, now=_NOW)
    return buffer


def _settlements(claim):
    kinds = ("ack", "retry", "bury", "wait", "release")
    return [
        Settlement(entry.seq, kinds[number % 5], _NOW, "reason") for number, entry in enumerate(claim.entries)
    ]


def _drain(buffer):
    """Acknowledge all that is left, and return the ids in the order in which they were claimed."""
    ids = []
    while (claim := buffer.claim(now=_NOW + 10, limit=5)) is not None:
        ids += [entry.message["messageId"] for entry in claim.entries]
        buffer.settle(claim, [Settlement(entry.seq, "ack") for entry in claim.entries], now=_NOW + 10)
    return ids


def _claim(buffer):
    buffer.claim(now=_NOW + 1, limit=5)


def _settle(buffer):
    claim = buffer.claim(now=_NOW + 1, limit=5)
    try:
        buffer.settle(claim, _settlements(claim), now=_NOW + 1)
    except KeyboardInterrupt:
        # As the consumer does: it cannot know how much the buffer had done.
        buffer.settle(claim, [Settlement(entry.seq, "release") for entry in claim.entries], now=_NOW + 1)


def _look(buffer):
    buffer.next_due_at(now=_NOW)


def _drop(buffer):
    buffer.drop(["user:b"])


_EVERYTHING = {f"m{number}" for number in range(12)}
# Messages that may be acknowledged or dropped before the interruption.
_MAY_GO = {_settle: {"m0"}, _drop: {"m1", "m7"}}


@pytest.mark.parametrize("work", [_claim, _settle, _look, _drop])
def test_after_any_interruption_accepted_messages_can_be_claimed(work):
    """Each message is claimed once more, in order, or was settled; none stays pending for ever."""
    at, was_interrupted = 1, True
    while was_interrupted:
        buffer = _filled()
        was_interrupted = False
        interruption = _Interruption(at)
        with contextlib.suppress(KeyboardInterrupt), interruption:
            work(buffer)
        was_interrupted = interruption.left <= 0
        if was_interrupted:
            left = set(buffer._unsettled)
            ids = _drain(buffer)

            assert set(ids) == left, at
            assert len(ids) == len(left), at
            assert buffer.pending() == 0
            gone = _EVERYTHING - left - {letter.message["messageId"] for letter in buffer.dead_letters()}
            assert gone <= _MAY_GO.get(work, set()), at
        at += 1

    assert at > 20


def test_a_claim_of_another_thread_is_not_affected():
    """An interruption of one thread ends no lease of another."""
    buffer = _filled()
    other = buffer.claim(now=_NOW + 1, limit=2)
    buffer.accept(
        {"messageId": "late", "type": "track", "timestamp": 1.0}, keys=["user:z"], upserts=False, now=_NOW
    )
    with contextlib.suppress(KeyboardInterrupt), _Interruption(12):
        buffer.claim(now=_NOW + 1, limit=5)

    leased = {entry.message["messageId"] for entry in other.entries}
    ids = _drain(buffer)
    assert leased.isdisjoint(ids)
    buffer.settle(other, [Settlement(entry.seq, "ack") for entry in other.entries], now=_NOW + 2)
    assert sorted([*ids, *_drain(buffer), *leased]) == sorted(
        [*(f"m{number}" for number in range(12)), "late"]
    )
    assert buffer.pending() == 0
