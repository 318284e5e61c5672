"""Answers whether a signal handler interrupted this package while it may hold a lock (rule W3); reads the stack, takes no lock."""

from __future__ import annotations

import sys
import threading

_PACKAGE = __name__.partition(".")[0]
# Modules, and packages with all modules below them, that hold a lock while they run. They call no code of the host except hooks,
# and hooks may run in other threads. A test checks that each module exists, and that no other module holds a lock without a reason.
LOCKING = tuple(
    f"{_PACKAGE}.{name}"
    for name in (
        "_delivery.buffers",
        "_delivery.executor",
        "_intercom.event_seconds",
        "_intercom.kept_values",
        "_delivery.circuit",
        "_delivery.forks",
        "_delivery.http.transport",
        "_delivery.leases",
        "_delivery.rate_limit",
        "_delivery.report",
        "_delivery.waiting",
        "_delivery.workers",
        "_delivery.workspace",
    )
)
_LOCKING = tuple(f"{name}." for name in LOCKING)


def is_interruption() -> bool:
    """
    Return whether the caller runs in a signal handler that interrupted this package at a moment when it may hold a lock.

    Python runs signal handlers in the main thread, between any two steps of what that thread does. A handler that needs the same lock
    would wait for the interrupted call, and the interrupted call waits for the handler: neither would ever continue.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    frame = sys._getframe(1).f_back
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if f"{name}.".startswith(_LOCKING):
            return True
        frame = frame.f_back
    return False
