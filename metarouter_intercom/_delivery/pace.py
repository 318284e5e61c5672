"""Estimates how many requests must be on their way at the same time to use the rate limit (rule W1); pure except for its own state."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    Budget: TypeAlias = "tuple[int | None, int | None, float | None]"

# Until two resets were seen, a window is taken to last as long as Intercom's (contract, section 2).
_USUAL_WINDOW = 10.0
# Two resets that lie closer together are the same one: headers have whole seconds.
_SAME_RESET = 0.5
# Weight of the newest request in the average duration. A short one weighs more: what makes requests long for a moment, a busy processor
# for example, does not get better with more threads.
_SHORTER, _LONGER = 0.3, 0.02
# An average of more than so many times the shortest request comes from a busy processor and not from Intercom. The shortest is that
# of the last one or two blocks of so many requests.
_SPREAD, _BLOCK = 2.0, 24
# The first requests also load packages and connect. Until so many ended, the shortest one counts.
_FIRST = 8
# Threads beyond what the average needs: a thread also claims and settles, and requests do not all take the same time.
_MORE, _ONE = 1.1, 1
# So many times the threads that are needed are too many.
_TOO_MANY = 1.5
# Until the duration is known, how many threads may wait for answers.
_UNKNOWN = 4
# All threads wait for answers, if so large a part of them does: the others are about to send, or settle what was answered.
_WAITING = 0.7


class Pace:
    """
    How long requests take, and whether one more at a time would help; not thread-safe, the owner holds a lock.

    Args:
        share: The part of the rate limit that this client may use.
    """

    def __init__(self, *, share: float) -> None:
        self._share = share
        # When each request on its way was sent, oldest first. Which one an answer belongs to does not change the average.
        self._sent_at: deque[float] = deque()
        self._ended = 0
        self._duration = math.inf
        # The shortest of this block and of the one before it.
        self._shortest = self._shortest_before = math.inf
        self._window: float | None = None
        self._reset: float | None = None

    def sent(self, now: float) -> None:
        """Note that a request goes out."""
        self._sent_at.append(now)

    def ended(self, now: float) -> None:
        """Note that a request ended."""
        if not self._sent_at:
            return
        duration = max(0.0, now - self._sent_at.popleft())
        if self._ended % _BLOCK == 0:
            self._shortest_before, self._shortest = self._shortest, math.inf
        self._shortest = min(self._shortest, duration)
        self._ended += 1
        if self._ended <= _FIRST:
            self._duration = min(self._duration, duration)
        else:
            weight = _SHORTER if duration < self._duration else _LONGER
            self._duration += weight * (duration - self._duration)

    def wants_more(self, busy: int, budget: Budget) -> bool:
        """
        Return whether one more thread beside *busy* ones would deliver more.

        Args:
            busy: Threads that have something to deliver, or look for it.
            budget: Limit, remaining and reset, as the rate limit knows them.
        """
        self._learn_window(budget[2])
        if len(self._sent_at) + 1 < busy * _WAITING:
            return False  # the others wait for the processor, for the rate limit or for a lock
        if self._ended < _FIRST:
            return busy < _UNKNOWN
        return busy < self._needed(budget)

    def wants_fewer(self, busy: int, budget: Budget) -> bool:
        """Return whether so many fewer threads than *busy* ones use the rate limit that one of them had better rest."""
        return busy > _TOO_MANY * self._needed(budget) + _ONE

    def _needed(self, budget: Budget) -> float:
        """Return how many threads use the whole rate limit."""
        limit = budget[0]
        if limit is None or not self._ended:
            return math.inf
        per_second = limit * self._share / (self._window or _USUAL_WINDOW)
        duration = min(self._duration, _SPREAD * min(self._shortest, self._shortest_before))
        return per_second * duration * _MORE + _ONE

    def _learn_window(self, reset: float | None) -> None:
        if reset is None:
            return
        if self._reset is not None and reset - self._reset > _SAME_RESET:
            # A client that rests misses resets, so the shortest difference is the window.
            seconds = reset - self._reset
            self._window = seconds if self._window is None else min(self._window, seconds)
        self._reset = reset
