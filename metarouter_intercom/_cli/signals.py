"""Ctrl-C and SIGTERM as a question that is asked between two messages, so that nothing is cut in its middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stop:
    """
    Whether somebody wants an end.

    Attributes:
        is_wanted: An interrupt came.
        is_waiting: Nothing is lost by an interrupt at this moment, and without one it might last: raise ``KeyboardInterrupt`` at once.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        self.is_waiting = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Note the wish; whoever says it twice means now."""
        if self.is_wanted or self.is_waiting:
            self.is_wanted = True
            raise KeyboardInterrupt
        self.is_wanted = True


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Note interrupts in a ``Stop`` instead of raising them anywhere."""
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Run the body, and wait behind it until somebody wants an end."""
    with stop_signals() as stop, suppress(KeyboardInterrupt):
        stop.is_waiting = True
        yield
        threading.Event().wait()
