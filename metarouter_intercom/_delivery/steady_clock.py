"""The time inside a delivery (rule W7): it passes evenly, and looks like Unix seconds; steps of the wall clock do not touch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .buffers.capabilities import steady_offset_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plugins import Buffer, Clock


class SteadyClock:
    """
    Implements ``plugins.Clock`` with a monotonic clock and an offset, which stays the same for the life of the client.

    Args:
        monotonic: Seconds that pass evenly.
        offset: What to add to get Unix seconds.
        sleep: Lets seconds pass.
    """

    __slots__ = ("now", "sleep")

    def __init__(self, monotonic: Callable[[], float], offset: float, sleep: Callable[[float], None]) -> None:
        # Attributes and no methods, because each call of the client asks for the time.
        self.now = lambda: monotonic() + offset
        self.sleep = sleep


def steady_clock(clock: Clock, buffer: Buffer) -> Clock:
    """
    Return the clock of everything that waits, is due or has an age.

    The processes that share a buffer must agree on its times, so the buffer has a say. A replaced clock that has no ``monotonic`` is
    taken as it is.
    """
    monotonic: Callable[[], float] | None = getattr(clock, "monotonic", None)
    if monotonic is None:
        return clock
    offset = steady_offset_of(buffer, monotonic=monotonic(), wall=clock.now())
    return SteadyClock(monotonic, offset, clock.sleep)
