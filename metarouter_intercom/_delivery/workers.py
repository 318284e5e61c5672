"""Threads that deliver in the background, and the small locks they share with callers (rules W1, W2); knows no message."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING

from .circuit import Paused
from .hosts import why_no_threads
from .log import redacted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_log = logging.getLogger("metarouter_intercom")
# Seconds that a worker rests after an unexpected error, so that a bug cannot keep a processor busy.
_REST_AFTER_ERROR = 1.0


class Workers:
    """
    Worker threads around one function; the first ``start`` starts them.

    One idle worker at a time wakes up by itself; the others sleep until they are woken. So an idle client looks at the buffer once
    each *interval*, however many workers it has.

    Args:
        work: Delivers one claim; receives a function to call once it has something to do. Returns 0.0 when it delivered something,
            else the seconds until it makes sense to ask again, or None.
        count: How many threads.
        interval: The longest rest of the worker that wakes up by itself, in seconds.
        name: The connection's name; part of the threads' names.
        stop: Set by ``stop``.
    """

    def __init__(
        self,
        work: Callable[[Callable[[], None]], float | None],
        *,
        count: int,
        interval: float,
        name: str,
        stop: StopLatch,
    ) -> None:
        self._work = work
        self._count = count
        self._interval = interval
        self._name = name
        self._stop = stop
        # An RLock, because a signal handler cannot interrupt its ``with`` between taking the lock and entering the block. The
        # condition's own ``with`` is Python code, so a handler can.
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        self._is_watched = False
        self._is_shortage_logged = False
        self._threads: list[threading.Thread] = []
        # A signal handler raised while these threads were started, so they may be running.
        self._interrupted: list[threading.Thread] = []

    @property
    def is_started(self) -> bool:
        """Whether there are threads."""
        return bool(self._threads)

    def start(self) -> None:
        """
        Start the threads unless they run.

        If the host allows no threads, none runs. If the system gives no more threads, fewer run, or none. Whoever waits for a
        delivery then delivers in its own thread, and a later call tries again.
        """
        if why_no_threads() is not None:
            return
        with self._lock:
            while len(self._threads) < self._count and not self._stop.is_set:
                number = len(self._threads) + 1
                thread = threading.Thread(
                    target=self._run, name=f"metarouter-intercom-{self._name}-{number}", daemon=True
                )
                try:
                    is_started = _start(thread)
                except BaseException:
                    self._interrupted.append(thread)
                    raise
                if not is_started:
                    self._log_shortage()
                    return
                self._threads.append(thread)

    def _log_shortage(self) -> None:
        if not self._is_shortage_logged:
            self._is_shortage_logged = True
            _log.warning(
                "connection %s: the system gives no more threads; %d of %d workers run",
                self._name,
                len(self._threads),
                self._count,
                extra={"connection": self._name, "threads": len(self._threads)},
            )

    def wake(self) -> None:
        """Let the resting workers look at the buffer now."""
        with self._lock:
            self._condition.notify_all()

    def stop(self, timeout: float) -> None:
        """Let the threads end after the request in hand; wait for them for at most *timeout* seconds, all together."""
        with self._lock:
            self._stop.set()
            self._condition.notify_all()
        share = timeout / max(1, len(self._threads))
        for thread in (*self._threads, *self._interrupted):
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join(share)

    def leave(self) -> None:
        """In a forked child: end the threads that came along, which only greenlets do."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set:
            try:
                seconds = self._work(self._wake_another)
            except Exception as error:
                _log.error(
                    "connection %s: a worker met an unexpected error and continues",
                    self._name,
                    exc_info=redacted(error),
                    extra={"connection": self._name},
                )
                seconds = _REST_AFTER_ERROR
            if seconds != 0.0:
                self._rest(seconds)

    def _wake_another(self) -> None:
        with self._lock:
            self._condition.notify()

    def _rest(self, seconds: float | None) -> None:
        with self._lock:
            if self._stop.is_set:
                return
            if self._is_watched:
                self._condition.wait()
                return
            self._is_watched = True
            try:
                self._condition.wait(self._interval if seconds is None else min(seconds, self._interval))
            finally:
                self._is_watched = False


def _start(thread: threading.Thread) -> bool:
    """
    Start *thread*; return False if the system gives no thread.

    ``Thread.start`` waits until the thread runs. If a signal handler raises during that wait, the wait may find its own lock already
    released, and the RuntimeError of releasing it again replaces what the handler raised. Without this check an exit would look like a
    shortage of threads.
    """
    handled = sys.exc_info()[1]
    try:
        thread.start()
    except RuntimeError as error:
        replaced = error.__context__
    else:
        return True
    if replaced is None or replaced is handled:
        return False
    raise replaced


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
