"""The small locks by which threads of a client wait for each other and for the time (rule W2); knows no message and no worker."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from .circuit import Paused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class StopLatch:
    """
    Set once, when the workers must stop; ends every pause at once.

    A lock and no condition, because the thread that pauses may be the main thread: see ``SettlementSignal``.

    Attributes:
        is_set: Whether the workers must stop.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._running = threading.Lock()
        self._running.acquire()

    def set(self) -> None:
        """End all pauses, now and later; the caller makes sure that no other thread does the same."""
        if not self.is_set:
            self.is_set = True
            self._running.release()

    def pause(self, seconds: float) -> None:
        """
        Let *seconds* pass.

        Raises:
            Paused: The latch is set, or was set meanwhile.
        """
        if self._running.acquire(timeout=seconds):
            self._running.release()
            raise Paused("closing")


class SettlementSignal:
    """
    Wakes threads that wait for deliveries when a claim is settled.

    Each waiting thread holds a lock of its own and no condition: if a signal handler interrupts the wait of a condition, an error of
    the condition's lock may replace what the handler raised.
    """

    def __init__(self) -> None:
        self._waiting: list[threading.Lock] = []

    def notify(self) -> None:
        """Wake every waiting thread; costs next to nothing when none waits."""
        for _ in range(len(self._waiting)):
            try:
                waiting = self._waiting.pop()
            except IndexError:
                return
            waiting.release()

    def wait(self, seconds: float) -> None:
        """Wait for the next ``notify``, for at most *seconds*."""
        waiting = threading.Lock()
        waiting.acquire()
        self._waiting.append(waiting)
        try:
            waiting.acquire(timeout=seconds)
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)


class Nesting(threading.local):
    """
    How many deliveries the calling thread is in.

    Attributes:
        level: 0 outside a delivery, 1 in a hook that a delivery calls, more if that hook delivers too.
    """

    level: int = 0


class FlushDeadline(threading.local):
    """
    The deadline of the flush that delivers in the calling thread.

    Attributes:
        until: Unix seconds; None without a flush or without a timeout.
        is_over: Whether a pause before the next request would pass the deadline.
    """

    until: float | None = None
    is_over: bool = False


class StripedLocks:
    """A bounded number of locks, found by name; two names may share a lock, which only costs a wait."""

    def __init__(self, number: int = 64) -> None:
        # Reentrant, because one flow may hold two names at once, and they may share a lock.
        self._locks = [threading.RLock() for _ in range(number)]

    def of(self, name: str) -> AbstractContextManager[object]:
        """Return the lock of *name*."""
        return self._locks[hash(name) % len(self._locks)]
