"""How long a request, and a wait before it, may last (rules T3, W2): bounded by the flush of the calling thread and by the client's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .circuit import Paused

if TYPE_CHECKING:
    from ..plugins import Clock
    from .waiting import FlushDeadline, StopLatch


class Deadlines:
    """
    Bounds the waits and requests of the threads that deliver; safe to use from several threads.

    Args:
        flush: The deadline of the flush that delivers in the calling thread.
        clock: The time.
        stop: Set when the client ends.
        is_background: Whether workers deliver.
        request_timeout: How long a request may last without a deadline, in seconds.

    Attributes:
        flush: As passed.
    """

    def __init__(
        self,
        flush: FlushDeadline,
        *,
        clock: Clock,
        stop: StopLatch,
        is_background: bool,
        request_timeout: float,
    ) -> None:
        self.flush = flush
        self._clock = clock
        self._stop = stop
        self._is_background = is_background
        self._request_timeout = request_timeout
        # Until when each pausing thread pauses, in Unix seconds.
        self._pauses: list[float] = []

    @property
    def is_stopped(self) -> bool:
        """Whether the client ends, so that nothing is sent any more."""
        return self._stop.is_set

    def pause(self, seconds: float) -> None:
        """
        Let *seconds* pass before a request, in a worker or in a caller that delivers.

        Raises:
            Paused: The client ends, or the flush that delivers in this thread ends before that.
        """
        ends_at = self._clock.now() + seconds
        until = self.flush.until
        if until is not None and ends_at > until:
            self.flush.is_over = True
            raise Paused("timeout")
        self._pauses.append(ends_at)
        try:
            if self._is_background:
                self._stop.pause(seconds)
            else:
                self._clock.sleep(seconds)
        finally:
            self._pauses.remove(ends_at)

    def request_limit(self) -> float | None:
        """
        Return the seconds that a request of this thread may last; None if nothing but the settings bounds it.

        Raises:
            Paused: The client ends, or the flush that delivers in this thread is over: no request may begin.
        """
        if self._stop.is_set:
            raise Paused("closing")
        until = self.flush.until
        if until is None:
            return None
        left = until - self._clock.now()
        if left <= 0:
            self.flush.is_over = True
            raise Paused("timeout")
        return left if left < self._request_timeout else None

    def count_pauses_beyond(self, instant: float) -> int:
        """Return how many threads pause before a request until after *instant*, in Unix seconds."""
        return sum(ends_at > instant for ends_at in list(self._pauses))
