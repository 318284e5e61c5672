"""A clock for tests: time passes when somebody sleeps or says so, and never by itself."""

from __future__ import annotations


class FakeClock:
    """
    Implements ``plugins.Clock`` without waiting.

    Made for ``delivery="manual"`` and ``"inline"``: background workers rest in real time, whatever this clock says.

    Args:
        now: Unix seconds at which it begins; 2026-01-01 00:00:00 UTC when it is not given.
    """

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self._now = float(now)
        self.sleeps: list[float] = []
        """Every ``sleep`` so far, in seconds."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once, and remember them."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """
        Let *seconds* pass.

        Raises:
            ValueError: They are negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds: {seconds} is negative; time does not go back")
        self._now += seconds

    def __repr__(self) -> str:
        return f"FakeClock(now={self._now!r})"
