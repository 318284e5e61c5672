"""Has a signal's handler struck while this thread was inside one of the package's locks? (rule W3); looks at the stack, knows no lock."""

from __future__ import annotations

import sys
import threading

_PACKAGE = __name__.partition(".")[0]
# Modules, or packages with all below them, whose code holds a lock while it runs and calls nothing of the host's but hooks, which run
# in other threads. A test checks that each one exists, and that no other module holds a lock without a reason.
LOCKING = tuple(
    f"{_PACKAGE}.{name}"
    for name in (
        "_delivery.buffers",
        "_delivery.executor",
        "_intercom.workspace_cache",
        "_delivery.circuit",
        "_delivery.rate_limit",
        "_delivery.report",
        "_delivery.workers",
    )
)
_LOCKING = tuple(f"{name}." for name in LOCKING)
# At the interpreter's end clients are closed from there, with no lock held.
_FREE = ("_at_exit", "at_exit")


def is_interruption() -> bool:
    """
    Tell whether the caller runs in a signal's handler that interrupted a call of this package at a moment when it may hold a lock.

    Python runs handlers in the main thread, between any two steps of whatever that thread does. What needs the lock would wait for
    the interrupted call, and that for the handler: for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    frame = sys._getframe(1).f_back
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if f"{name}.".startswith(_LOCKING) and frame.f_code.co_name not in _FREE:
            return True
        frame = frame.f_back
    return False
