"""Threads that deliver in the background: as many as it takes, and none that is not needed (rules W1, W9); knows no message."""

from __future__ import annotations

import itertools
import math
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .hosts import is_threading_replaced, park_if_replaced, why_no_threads
from .log import redacted
from .safely import mark_own_thread, safe_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from .waiting import StopLatch

_log = safe_log
# Seconds that a worker rests after an unexpected error, so that a bug cannot keep a processor busy.
_REST_AFTER_ERROR = 1.0
# While all threads are busy, one more watches if something gets due within so many seconds: a request may take that long.
_SOON = 35.0
_ROUNDS_OF_WAITING = 8


class PoolSize(NamedTuple):
    """How many threads start at first, and how many there may be; the same number twice is a fixed number."""

    first: int
    most: int


class Demand(Protocol):
    """Says whether one more thread helps."""

    def wants_more(self, busy: int) -> bool:
        """Return whether one more beside *busy* threads would deliver more."""
        ...

    def wants_fewer(self, busy: int) -> bool:
        """Return whether far fewer than *busy* threads would deliver as much."""
        ...

    def due_in(self) -> float | None:
        """Return the seconds until something can be claimed, 0.0 or less for now; None when nothing waits."""
        ...

    def now(self) -> float:
        """Return the time."""
        ...


class _Worker:
    """One thread of the pool; ``wakeup`` is a locked lock while the thread rests."""

    __slots__ = ("is_replacement", "thread", "wakeup")

    def __init__(self, thread: threading.Thread | None = None, *, is_replacement: bool = False) -> None:
        self.thread = thread
        self.is_replacement = is_replacement
        self.wakeup = threading.Lock()


class Workers:
    """
    Worker threads around one function; the first ``start`` starts them.

    One resting worker, the watcher, wakes up by itself; the others sleep until they are woken. So an idle client looks at the buffer
    once each *interval*. A worker that is about to send wakes one more, or starts it, as long as that helps; the new one does the
    same once it has a claim. So the number grows within milliseconds, and never by more than one thread that finds nothing. The one
    that rested last is woken first, so that those that are not needed get idle and end.

    A thread that ends because of an exception is replaced (rule W9).

    Args:
        work: Delivers one claim; receives a function to call before each request. Returns 0.0 when it delivered something,
            else the seconds until it makes sense to ask again, or None.
        size: How many threads.
        demand: Whether one more thread helps.
        interval: The longest rest of the watcher, in seconds.
        name: The connection's name; part of the threads' names.
        stop: Set by ``stop``.
        on_fault: Receives where something was raised that nobody caught, and what.
        on_fewer: Receives the number of threads after one of them was idle and ended.
        idle: Seconds of rest after which a thread beyond the first ones ends.

    Attributes:
        look_by: When somebody must look at the buffer, in Unix seconds: all threads are busy, so none of them does. Infinite while one
            rests. The caller of an accepted message compares, because that costs nothing.
    """

    def __init__(
        self,
        work: Callable[[Callable[[], None]], float | None],
        *,
        size: PoolSize,
        demand: Demand,
        interval: float,
        name: str,
        stop: StopLatch,
        on_fault: Callable[[str, BaseException], None],
        on_fewer: Callable[[int], None] = lambda number: None,
        idle: float = 10.0,
    ) -> None:
        self._work = work
        self._first, self._most = size
        self._demand = demand
        self._interval = interval
        self._idle = idle
        self._name = name
        self._stop = stop
        self._on_fault = on_fault
        self._on_fewer = on_fewer
        self._threading: object = threading.Lock
        # An RLock, because a signal handler cannot interrupt its ``with`` between taking the lock and entering the block.
        self._lock = threading.RLock()
        self._workers: list[_Worker] = []
        # Those that rest, the latest last; the watcher is one of them.
        self._resting: list[_Worker] = []
        self._watcher: _Worker | None = None
        # The worker that was woken or started last and has not looked at the buffer yet.
        self._looker: _Worker | None = None
        # Counts ``wake``, so that a worker that is just going to rest looks once more instead.
        self._wakes = 0
        self._numbers = itertools.count(1)
        self._is_shortage_logged = False
        # The kinds of errors that were logged since a worker last worked without one.
        self._logged: set[type[BaseException]] = set()
        # A signal handler raised while these threads were started, so they may be running.
        self._interrupted: list[threading.Thread] = []
        self.look_by = math.inf

    @property
    def is_started(self) -> bool:
        """Whether there are threads."""
        return bool(self._workers)

    @property
    def number(self) -> int:
        """How many threads there are."""
        return len(self._workers)

    def start(self) -> None:
        """
        Start the first threads unless they run.

        If the host allows no threads, none runs. If the system gives no more threads, fewer run, or none. Whoever waits for a
        delivery then delivers in its own thread, and a later call tries again.
        """
        with self._lock:
            while len(self._workers) < self._first and self._start_one(is_replacement=False):
                pass

    def _start_one(self, *, is_replacement: bool) -> bool:
        if self._stop.is_set or self._is_replaced() or why_no_threads() is not None:
            return False
        worker = _Worker(is_replacement=is_replacement)
        thread = worker.thread = threading.Thread(
            target=self._run,
            args=(worker,),
            name=f"metarouter-intercom-{self._name}-{next(self._numbers)}",
            daemon=True,
        )
        try:
            is_started = start_thread(thread)
        except BaseException:
            self._interrupted.append(thread)
            raise
        if not is_started:
            self._log_shortage()
            return False
        # The thread waits for the lock before it does anything, so it finds itself here.
        self._workers.append(worker)
        self._looker = worker
        return True

    def _log_shortage(self) -> None:
        if not self._is_shortage_logged:
            self._is_shortage_logged = True
            _log.warning(
                "connection %s: the system gives no more threads; %d of %d workers run",
                self._name,
                len(self._workers),
                max(self._first, len(self._workers) + 1),
                extra={"connection": self._name, "threads": len(self._workers)},
            )

    def wake(self) -> None:
        """Let a resting worker look at the buffer now."""
        with self._lock:
            self._wakes += 1
            self._wake_one()

    def look(self, now: float) -> None:
        """Let somebody look at the buffer, because ``look_by`` is over: start one more thread if that helps."""
        with self._lock:
            self.look_by = now + self._interval
            if self._looker is None and self._allows_more():
                self._add_one()

    def stop(self, timeout: float) -> None:
        """Let the threads end after the request in hand; wait for them for at most *timeout* seconds, all together."""
        with self._lock:
            self._stop.set()
            while self._wake_one():
                pass
            threads = [worker.thread for worker in self._workers if worker.thread is not None]
        threads = [one for one in (*threads, *self._interrupted) if one is not threading.current_thread()]
        # Several rounds, so that one thread that hangs does not take the time of the others.
        for _ in range(_ROUNDS_OF_WAITING):
            threads = [thread for thread in threads if thread.is_alive()]
            for thread in threads:
                thread.join(timeout / _ROUNDS_OF_WAITING / len(threads))

    def leave(self) -> None:
        """In a forked child: end the threads that came along, which only greenlets do."""
        self._stop.set()

    def _is_replaced(self) -> bool:
        """Return whether gevent or eventlet has replaced ``threading`` since, so that other workers deliver."""
        return is_threading_replaced(self._threading)

    # --- in the threads -------------------------------------------------------------------------------

    def _run(self, worker: _Worker) -> None:
        mark_own_thread()
        try:
            with self._lock:
                if worker not in self._workers:
                    self._workers.append(worker)  # a signal handler raised while this thread was started
            wakes = self._wakes
            is_going_on = not worker.is_replacement or self._rest(worker, _REST_AFTER_ERROR, wakes)
            while is_going_on and not self._stop.is_set and not self._is_replaced():
                wakes = self._wakes
                seconds = self._work_once(worker)
                if seconds != 0.0:
                    is_going_on = self._rest(worker, seconds, wakes)
                elif self._is_one_too_many():
                    is_going_on = self._rest(worker, None, wakes)
        except BaseException as error:
            # Raised from outside at any line, for example into a greenlet. Nobody waits for it here; the thread is replaced below.
            self._on_fault("a worker thread, which was replaced", error)
        finally:
            self._leave(worker)
            park_if_replaced(self._threading)

    def _work_once(self, worker: _Worker) -> float | None:
        try:
            seconds = self._work(lambda: self._is_sending(worker))
            if self._logged:
                self._logged.clear()
            return seconds
        except BaseException as error:
            self._on_fault("a worker", error)
            if type(error) not in self._logged:
                self._logged.add(type(error))
                _log.error(
                    "connection %s: a worker met an unexpected error and continues",
                    self._name,
                    exc_info=redacted(error),
                    extra={"connection": self._name},
                )
            return _REST_AFTER_ERROR
        finally:
            if self._looker is worker:
                self._looker = None

    def _is_sending(self, worker: _Worker) -> None:
        """Add one more worker if that helps, now that *worker* is about to send."""
        try:
            if self._looker is worker:
                self._looker = None
            if self._looker is None and self._helps_one_more():
                with self._lock:
                    if self._looker is None:
                        self._add_one()
        except BaseException as error:
            # The claim of this worker must be delivered all the same.
            self._on_fault("a worker", error)

    def _helps_one_more(self) -> bool:
        if not (self._resting or len(self._workers) < self._most):
            return False
        if not self._allows_more():
            return False
        seconds = self._demand.due_in()
        if seconds is None:
            return False
        return seconds <= 0 or (self._watcher is None and seconds <= _SOON)

    def _allows_more(self) -> bool:
        # Of a fixed number of threads, as many work as have something to do.
        is_fixed = self._first == self._most
        return is_fixed or self._demand.wants_more(len(self._workers) - len(self._resting))

    def _is_one_too_many(self) -> bool:
        busy = len(self._workers) - len(self._resting)
        return busy > self._first < self._most and self._demand.wants_fewer(busy)

    def _add_one(self) -> None:
        if not self._wake_one() and len(self._workers) < self._most:
            self._start_one(is_replacement=False)

    def _wake_one(self) -> bool:
        """Wake the worker that rested last, the watcher only if there is no other; return whether there was one."""
        resting = self._resting
        if not resting:
            return False
        worker = resting.pop(-2 if len(resting) > 1 and resting[-1] is self._watcher else -1)
        self._looker = worker
        worker.wakeup.release()
        return True

    def _rest(self, worker: _Worker, seconds: float | None, wakes: int) -> bool:
        """Rest until there may be something to do; return False if the thread was idle for too long and must end."""
        with self._lock:
            if self._looker is worker:
                self._looker = None
            if self._stop.is_set or self._wakes != wakes:
                return True
            is_watcher = self._watcher is None
            if is_watcher:
                self._watcher = worker
                self.look_by = math.inf
                timeout = self._interval if seconds is None else min(seconds, self._interval)
            else:
                timeout = self._idle
            worker.wakeup.acquire(blocking=False)
            self._resting.append(worker)
        try:
            worker.wakeup.acquire(timeout=timeout)
        finally:
            is_idle = self._end_rest(worker, is_watcher)
        return not is_idle

    def _end_rest(self, worker: _Worker, is_watcher: bool) -> bool:
        with self._lock:
            is_woken = worker not in self._resting
            if not is_woken:
                self._resting.remove(worker)
            if self._watcher is worker:
                self._watcher = None
                self.look_by = self._demand.now() + self._interval
            if is_watcher or is_woken or len(self._workers) <= self._first:
                return False
            self._workers.remove(worker)
            return True

    def _leave(self, worker: _Worker) -> None:
        """End the thread: replace it unless it was idle or the pool stops."""
        with self._lock:
            if self._looker is worker:
                self._looker = None
            is_idle = worker not in self._workers
            if not is_idle:
                self._workers.remove(worker)
                if not self._stop.is_set:
                    self._start_one(is_replacement=True)
            number = len(self._workers)
        if is_idle:
            try:
                self._on_fewer(number)
            except BaseException as error:
                self._on_fault("the transport", error)


def start_thread(thread: threading.Thread) -> bool:
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
