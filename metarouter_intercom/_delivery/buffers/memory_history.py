"""The history of the buffer in memory (rule X2): the last ends of messages, still packed; knows no lanes."""

from __future__ import annotations

import marshal
import threading
from collections import deque
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ...plugins import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...plugins import Ending

# Bytes of packed messages; a thousand of the longest ones would need twice as much.
_MOST_BYTES = 16 * 2**20
_BY_RANK = ("delivered", "skipped", "dead")


class _Kept(NamedTuple):
    number: int
    body: bytes
    ending: Ending
    accepted_at: float
    ended_at: float

    def entry(self) -> HistoryEntry:
        return HistoryEntry(marshal.loads(self.body), *self.ending, self.accepted_at, self.ended_at)


class MemoryHistory:
    """
    Implements ``plugins.HistoryStore`` in memory.

    Args:
        limit: How many entries are kept; the oldest delivered ones leave first, then skipped ones, then dead letters.
        most_bytes: How many bytes all packed messages may have together.
    """

    def __init__(self, limit: int, *, most_bytes: int = _MOST_BYTES) -> None:
        self._limit = limit
        self._most_bytes = most_bytes
        # Reentrant, because a signal handler may read the history while this thread holds the lock.
        self._lock = threading.RLock()
        self._last = 0
        self._bytes = 0
        self._kept: dict[str, deque[_Kept]] = {outcome: deque() for outcome in _BY_RANK}

    def add(self, body: bytes, ending: Ending, *, accepted_at: float, ended_at: float) -> None:
        """Keep one more end; *body* is the packed message."""
        if self._limit == 0:
            return
        with self._lock:
            self._last += 1
            self._bytes += len(body)
            self._kept[ending.outcome].append(_Kept(self._last, body, ending, accepted_at, ended_at))
            while sum(map(len, self._kept.values())) > self._limit or self._bytes > self._most_bytes:
                oldest = next(kept for kept in self._kept.values() if kept)
                self._bytes -= len(oldest.popleft().body)

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return entries, newest first."""
        with self._lock:
            older = (one for one in self._newest_first() if before is None or one.number < before)
            return [(one.number, one.entry()) for one in islice(older, limit)]

    def _newest_first(self) -> Iterator[_Kept]:
        return merge(*(reversed(kept) for kept in self._kept.values()), key=_number, reverse=True)

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove entries."""
        going = frozenset(numbers)
        with self._lock:
            self._kept = {
                outcome: deque(one for one in kept if one.number not in going)
                for outcome, kept in self._kept.items()
            }
            self._bytes = sum(len(one.body) for kept in self._kept.values() for one in kept)


def _number(kept: _Kept) -> int:
    return kept.number
