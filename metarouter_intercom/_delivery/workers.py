"""Threads that deliver in the background, and what fork and exit mean for them (rules W1 to W3)."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING

from .circuit import Paused
from .log import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("metarouter_intercom")
# After an unforeseen error a worker rests this long, so that a fault of ours cannot spin.
_REST = 1.0


class Workers:
    """
    Worker threads around one function; started by the first ``start``.

    One idle worker at a time watches the clock (the others sleep until they are woken), so an idle client costs one look at the
    buffer each *interval*, however many workers it has.

    Args:
        work: Delivers one claim; is handed a function to call once it has something to do. Returns 0.0 when it did something, else
            the seconds until it makes sense to ask again, or None.
        count: Threads.
        interval: Longest wait of the watching worker, in seconds.
        name: Of the connection; part of the threads' names.
    """

    def __init__(
        self,
        work: Callable[[Callable[[], None]], float | None],
        *,
        count: int,
        interval: float,
        name: str,
    ) -> None:
        self._work = work
        self._count = count
        self._interval = interval
        self._name = name
        # The lock's own ``with`` cannot be struck by a signal between taking it and holding it; the condition's is Python code.
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        # Held until the workers are told to stop.
        self._running = threading.Lock()
        self._running.acquire()
        self._is_watched = False
        self._is_stopping = False
        self._is_short = False
        self._threads: list[threading.Thread] = []
        # A signal's handler raised while they were started: they may run all the same.
        self._struck: list[threading.Thread] = []

    @property
    def is_started(self) -> bool:
        """Whether there are threads."""
        return bool(self._threads)

    def start(self) -> None:
        """
        Start the threads unless they run.

        Fewer may run when the system gives no more, or none: at the interpreter's end, or at a limit. Whoever waits for a delivery
        then delivers itself, and a later call tries again.
        """
        with self._lock:
            while len(self._threads) < self._count and not self._is_stopping:
                number = len(self._threads) + 1
                thread = threading.Thread(
                    target=self._run, name=f"metarouter-intercom-{self._name}-{number}", daemon=True
                )
                try:
                    is_given = _start(thread)
                except BaseException:
                    self._struck.append(thread)
                    raise
                if not is_given:
                    self._tell_shortage()
                    return
                self._threads.append(thread)

    def _tell_shortage(self) -> None:
        if not self._is_short:
            self._is_short = True
            facts = {"connection": self._name, "threads": len(self._threads)}
            _log.warning("no thread could be started", extra=facts)

    def wake(self) -> None:
        """Let a resting worker look at the buffer now."""
        with self._lock:
            self._condition.notify_all()

    def pause(self, seconds: float) -> None:
        """
        Let *seconds* pass, unless the workers are told to stop.

        Raises:
            Paused: They are.
        """
        # No condition, for the caller may be the main thread: see ``Signal``.
        if self._running.acquire(timeout=seconds):
            self._running.release()
            raise Paused("closing")

    def stop(self, timeout: float) -> None:
        """Let the threads end after the request in hand; wait for them *timeout* seconds at most, all together."""
        with self._lock:
            if not self._is_stopping:
                self._is_stopping = True
                self._running.release()
            self._condition.notify_all()
        share = timeout / max(1, len(self._threads))
        for thread in (*self._threads, *self._struck):
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join(share)

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                seconds = self._work(self._wake_another)
            except Exception as error:
                facts = {"connection": self._name}
                _log.error("a worker met an unforeseen error", exc_info=redacted(error), extra=facts)
                seconds = _REST
            if seconds != 0.0:
                self._rest(seconds)

    def _wake_another(self) -> None:
        with self._lock:
            self._condition.notify()

    def _rest(self, seconds: float | None) -> None:
        with self._lock:
            if self._is_stopping:
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
    Start *thread*; False when the system gives none.

    ``Thread.start`` waits until the thread runs. When a signal's handler raises in that wait, the wait's own lock may be free already,
    and the error of releasing it once more takes the place of what the handler raised: an exit would pass for a shortage of threads.
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


class Signal:
    """
    Tells threads that wait for deliveries that one was settled.

    Each waiting thread holds a lock of its own and no condition: a condition's wait, struck by a signal, may raise an error of its
    lock in the place of what the handler raised.
    """

    def __init__(self) -> None:
        self._waiting: list[threading.Lock] = []

    def notify(self) -> None:
        """Wake whoever waits; costs next to nothing when nobody does."""
        for _ in range(len(self._waiting)):
            try:
                waiting = self._waiting.pop()
            except IndexError:
                return
            waiting.release()

    def wait(self, seconds: float) -> None:
        """Wait for the next ``notify``, at most *seconds*."""
        waiting = threading.Lock()
        waiting.acquire()
        self._waiting.append(waiting)
        try:
            waiting.acquire(timeout=seconds)
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)


class Nesting(threading.local):
    """How many deliveries the calling thread is in: one in a hook that is told of it, more where a hook delivers by itself."""

    number: int = 0


class FlushDeadline(threading.local):
    """Until when the flush that delivers in this thread may last, and whether that is too short for the next request."""

    until: float | None = None
    is_over: bool = False


class StripedLocks:
    """Locks by name, a bounded number of them: two names may share one, which costs a wait and nothing else."""

    def __init__(self, number: int = 64) -> None:
        self._locks = [threading.Lock() for _ in range(number)]

    def of(self, name: str) -> threading.Lock:
        """Return the lock of *name*."""
        return self._locks[hash(name) % len(self._locks)]
