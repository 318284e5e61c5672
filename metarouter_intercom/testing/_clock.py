"""A clock for tests: time passes only when code sleeps or a test advances the clock."""

from __future__ import annotations


class FakeClock:
    """
    A ``plugins.Clock`` that never waits.

    Use it with ``delivery="manual"`` or ``"inline"``: background threads wait in real time and do not follow this clock.

    Args:
        now: Unix time in seconds at which the clock starts; by default 2026-01-01 00:00:00 UTC.
    """

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self._now = float(now)
        self.sleeps: list[float] = []
        """The argument of each ``sleep`` so far, in seconds."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock by *seconds* without waiting, and record them in ``sleeps``."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """
        Advance the clock by *seconds*.

        Raises:
            ValueError: *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds: {seconds} is negative; time does not go back")
        self._now += seconds

    def __repr__(self) -> str:
        return f"FakeClock(now={self._now!r})"
