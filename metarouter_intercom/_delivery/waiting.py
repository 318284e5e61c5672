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


class Nesting:
    """
    How many deliveries the calling thread is in.

    It is no subclass of ``threading.local``, because gevent and eventlet may replace that class after this module was imported.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def level(self) -> int:
        """0 outside a delivery, 1 in a hook that a delivery calls, more if that hook delivers too."""
        return getattr(self._local, "level", 0)

    @level.setter
    def level(self, level: int) -> None:
        self._local.level = level


class FlushDeadline:
    """The deadline of the flush that delivers in the calling thread; no subclass of ``threading.local``, as ``Nesting`` is none."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def until(self) -> float | None:
        """Unix seconds; None without a flush or without a timeout."""
        return getattr(self._local, "until", None)

    @until.setter
    def until(self, until: float | None) -> None:
        self._local.until = until

    @property
    def is_over(self) -> bool:
        """Whether a pause before the next request would pass the deadline."""
        return getattr(self._local, "is_over", False)

    @is_over.setter
    def is_over(self, is_over: bool) -> None:
        self._local.is_over = is_over


class StripedLocks:
    """A bounded number of locks, found by name; two names may share a lock, which only costs a wait."""

    def __init__(self, number: int = 64) -> None:
        # Reentrant, because one flow may hold two names at once, and they may share a lock.
        self._locks = [threading.RLock() for _ in range(number)]

    def of(self, name: str) -> AbstractContextManager[object]:
        """Return the lock of *name*."""
        return self._locks[hash(name) % len(self._locks)]
