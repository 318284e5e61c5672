"""Ctrl-C and SIGTERM as a flag that a command reads between two messages, so that no message is cut off in the middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class StopFlag:
    """
    Whether an interrupt asked the command to stop.

    Attributes:
        is_set: An interrupt came.
        raises: An interrupt raises ``KeyboardInterrupt`` at once. Set it only where that loses nothing, around a wait that may take long.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.raises = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal: the first one sets the flag, the second one raises at once."""
        if self.is_set or self.raises:
            self.is_set = True
            raise KeyboardInterrupt
        self.is_set = True


@contextmanager
def stop_signals() -> Iterator[StopFlag]:
    """Let interrupts set a ``StopFlag`` instead of raising ``KeyboardInterrupt`` anywhere."""
    stop = StopFlag()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Run the body, then wait for an interrupt."""
    with stop_signals() as stop, suppress(KeyboardInterrupt):
        stop.raises = True
        yield
        threading.Event().wait()
