"""The machine's clocks; nothing else in this folder reads the time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SystemClock:
    """Implements ``plugins.Clock`` with the machine's own time."""

    __slots__ = ()

    now = staticmethod(time.time)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Let *seconds* pass."""
        # Looked up at each call, because gevent and eventlet may replace it after this module was imported.
        time.sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds that pass evenly whatever happens to the wall clock."""
        return _monotonic()


def _find_monotonic() -> Callable[[], float]:
    """
    Return the machine's monotonic clock, the same for all of its processes.

    Test tools that make time stand still replace the functions of ``time`` wherever a module has them. What a closure has they do not
    find, and while the messages' time stands still, waits must come to their end.
    """
    if hasattr(time, "clock_gettime") and hasattr(time, "CLOCK_MONOTONIC"):
        read, which = time.clock_gettime, time.CLOCK_MONOTONIC
        return lambda: read(which)
    plain = time.monotonic
    return lambda: plain()


_monotonic = _find_monotonic()
