"""Worker threads: starting, growing, waking, ending and stopping (rules W1, W2, W9); every wait ends with an event."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom._delivery.circuit import Paused
from metarouter_intercom._delivery.waiting import StopLatch
from metarouter_intercom._delivery.workers import PoolSize, Workers

# Only a failing test waits so long.
_DEADLINE = 20.0
_LONG = 3600.0


class Demand:
    """Says what the test says; counts the lanes that are due."""

    def __init__(self, due=0, enough=1000):
        self.due = due
        self.enough = enough
        self.later = None

    def wants_more(self, busy):
        return busy < self.enough

    def wants_fewer(self, busy):
        return busy > self.enough

    def due_in(self):
        return 0.0 if self.due else self.later

    def now(self):
        return 0.0


class Lanes:
    """Work whose claims last until the test ends them; each claim takes one of the lanes that are due."""

    def __init__(self, due=0, enough=1000):
        self.demand = Demand(due, enough)
        self.claims = threading.Semaphore(0)
        self.looks = 0
        self.empty_looks = threading.Semaphore(0)
        self.names = set()
        self._lock = threading.Lock()
        self._end = threading.Semaphore(0)

    def add(self, number=1):
        with self._lock:
            self.demand.due += number

    def work(self, on_request):
        with self._lock:
            self.looks += 1
            is_due = self.demand.due > 0
            self.demand.due -= is_due
        if not is_due:
            self.empty_looks.release()
            return None
        self.names.add(threading.current_thread().name)
        on_request()
        self.claims.release()
        assert self._end.acquire(timeout=_DEADLINE)
        return 0.0

    def wait_for_claims(self, number):
        for _ in range(number):
            assert self.claims.acquire(timeout=_DEADLINE)

    def end_claims(self, number):
        self._end.release(number)


@pytest.fixture
def make_workers():
    """Return a function that makes workers around a function; all of them are stopped at the end."""
    made = []

    def make(work, first=1, most=1, demand=None, interval=_LONG, idle=_LONG, stop=None, **options):
        faults, faulted = [], threading.Event()

        def on_fault(place, error):
            faults.append((place, type(error)))
            faulted.set()

        workers = Workers(
            work,
            size=PoolSize(first, most),
            demand=demand or Demand(),
            interval=interval,
            idle=idle,
            name="test",
            stop=stop or StopLatch(),
            on_fault=on_fault,
            **options,
        )
        workers.faults, workers.faulted = faults, faulted
        made.append(workers)
        return workers

    yield make
    for workers in made:
        workers.stop(_DEADLINE)


def test_work_is_done_in_the_background_until_it_is_stopped(make_workers):
    """W1: after ``start`` the threads call the work function again and again, until ``stop``."""
    done = threading.Event()
    calls = []

    def work(on_request):
        calls.append(threading.current_thread().name)
        if len(calls) >= 5:
            done.set()
        return 0.001

    workers = make_workers(work, first=2, most=2, interval=0.01)
    assert workers.is_started is False
    workers.start()
    workers.start()

    assert done.wait(_DEADLINE)
    workers.stop(_DEADLINE)
    assert {name.rpartition("-")[0] for name in calls} == {"metarouter-intercom-test"}
    assert not any(thread.name.startswith("metarouter-intercom-test") for thread in threading.enumerate())


# --- how many -----------------------------------------------------------------------------------------------


def test_one_due_lane_needs_one_thread(make_workers):
    """W1: while one lane is delivered and nothing else is due, there is one thread."""
    lanes = Lanes(due=1)
    workers = make_workers(lanes.work, most=64, demand=lanes.demand)
    workers.start()
    lanes.wait_for_claims(1)

    assert workers.number == 1
    lanes.end_claims(1)


@pytest.mark.parametrize(("due", "enough", "threads"), [(5, 1000, 5), (100, 1000, 8), (100, 3, 3)])
def test_threads_are_added_as_long_as_that_helps(make_workers, due, enough, threads):
    """W1: there are as many threads as due lanes, as many as may be, or as many as use the rate limit, whichever is fewest."""
    lanes = Lanes(due=due, enough=enough)
    workers = make_workers(lanes.work, most=8, demand=lanes.demand)
    workers.start()
    lanes.wait_for_claims(threads)

    assert (workers.number, lanes.demand.due) == (threads, due - threads)
    lanes.demand.due = 0
    lanes.end_claims(threads)


def test_a_fixed_number_starts_at_once_and_stays(make_workers):
    """W1: a number of workers is a fixed number of threads, whatever the rate limit says and however long they are idle."""
    lanes = Lanes(enough=0)
    workers = make_workers(lanes.work, first=3, most=3, demand=lanes.demand, idle=0.001)
    workers.start()
    for _ in range(3):
        assert lanes.empty_looks.acquire(timeout=_DEADLINE)
    lanes.add(3)
    workers.wake()
    lanes.wait_for_claims(3)

    assert workers.number == 3
    lanes.end_claims(3)


def test_idle_threads_end_and_the_last_one_stays(make_workers):
    """W1: threads that have had nothing to do for a while end; one remains, and its transport is told each time."""
    fewer = []
    one_left = threading.Event()

    def on_fewer(number):
        fewer.append(number)
        if number == 1:
            one_left.set()

    lanes = Lanes(due=4)
    workers = make_workers(lanes.work, most=4, demand=lanes.demand, idle=0.001, on_fewer=on_fewer)
    workers.start()
    lanes.wait_for_claims(4)
    lanes.end_claims(4)

    assert one_left.wait(_DEADLINE)
    assert (workers.number, sorted(fewer)) == (1, [1, 2, 3])
    lanes.add(2)
    workers.wake()
    lanes.wait_for_claims(2)
    assert workers.number == 2
    lanes.end_claims(2)


def test_a_thread_rests_when_far_fewer_are_needed(make_workers):
    """W1: when requests get faster, threads that the rate limit leaves without work end, although lanes are due."""
    ended = threading.Event()
    lanes = Lanes(due=4)
    workers = make_workers(
        lanes.work, most=4, demand=lanes.demand, idle=0.001, on_fewer=lambda number: ended.set()
    )
    workers.start()
    lanes.wait_for_claims(4)
    lanes.demand.enough = 2
    lanes.add(4)
    lanes.end_claims(8)

    assert ended.wait(_DEADLINE)


def test_all_busy_threads_are_noticed_by_the_next_caller(make_workers):
    """W1: while every thread waits for an answer, the caller of an accepted message sees when somebody must look, and adds a thread."""
    lanes = Lanes(due=1)
    workers = make_workers(lanes.work, most=2, demand=lanes.demand, interval=1.0)
    workers.start()
    lanes.wait_for_claims(1)
    lanes.add(1)
    workers.look(5.0)
    lanes.wait_for_claims(1)

    assert (workers.number, workers.look_by) == (2, 6.0)
    lanes.end_claims(2)


def test_somebody_watches_for_what_is_due_soon(make_workers):
    """W1: if the only thread waits for an answer and a retry gets due meanwhile, another thread watches for it."""
    lanes = Lanes(due=1)
    lanes.demand.later = 3.0
    workers = make_workers(lanes.work, most=4, demand=lanes.demand)
    workers.start()
    lanes.wait_for_claims(1)
    assert lanes.empty_looks.acquire(timeout=_DEADLINE)

    assert workers.number == 2
    lanes.end_claims(1)


def test_a_wake_is_not_lost_between_a_look_and_the_rest(make_workers):
    """W2: a worker that found nothing and is woken before it rests looks once more."""
    looks = []
    looked_again = threading.Event()

    def work(on_request):
        looks.append(None)
        if len(looks) == 1:
            workers.wake()
        else:
            looked_again.set()

    workers = make_workers(work)
    workers.start()

    assert looked_again.wait(_DEADLINE)


def test_a_claim_is_delivered_although_asking_for_more_fails(make_workers):
    """W9: an error of the buffer that is asked for more work does not reach the delivery."""
    lanes = Lanes(due=1)

    def fail():
        raise OSError

    lanes.demand.due_in = fail
    workers = make_workers(lanes.work, most=4, demand=lanes.demand)
    workers.start()
    lanes.wait_for_claims(1)
    lanes.end_claims(1)

    assert lanes.empty_looks.acquire(timeout=_DEADLINE)
    assert workers.faults == [("a worker", OSError)]


# --- errors -------------------------------------------------------------------------------------------------

_ERRORS = [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException]


@pytest.mark.parametrize("error", _ERRORS)
def test_an_unexpected_error_does_not_end_a_worker(make_workers, caplog, error):
    """W9: whatever is raised is logged, with the connection's name, and the worker continues."""
    done = threading.Event()
    calls = []

    def work(on_request):
        calls.append(1)
        if len(calls) == 1:
            raise error("odd")
        done.set()

    workers = make_workers(work)
    workers.start()
    assert workers.faulted.wait(_DEADLINE)
    while not done.is_set():
        workers.wake()

    workers.stop(_DEADLINE)
    assert "connection test: a worker met an unexpected error" in caplog.text
    assert workers.faults == [("a worker", error)]


def test_an_error_that_comes_again_is_logged_once(make_workers, caplog):
    """W9: an error that all workers meet again and again is logged once, until one works without it; each is counted."""
    done = threading.Event()
    calls = []

    def work(on_request):
        calls.append(1)
        if len(calls) in (1, 2, 4):
            raise OSError("odd")
        if len(calls) == 5:
            done.set()

    workers = make_workers(work)
    workers.start()
    while not done.is_set():
        workers.wake()

    workers.stop(_DEADLINE)
    assert caplog.text.count("a worker met an unexpected error") == 2
    assert workers.faults == [("a worker", OSError)] * 3


class _Ending(StopLatch):
    """A latch whose next look raises, as if somebody had killed the thread or greenlet from outside."""

    error = None

    @property
    def is_set(self):
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self._is_set

    @is_set.setter
    def is_set(self, value):
        self._is_set = value


@pytest.mark.parametrize("error", _ERRORS)
def test_a_thread_that_ends_is_replaced(make_workers, error):
    """W9: a thread that is ended from outside, at whatever line, is replaced by another one."""
    stop = _Ending()
    threads = []
    replaced = threading.Event()

    def work(on_request):
        threads.append(threading.current_thread())
        if len(threads) == 1:
            stop.error = error()
            return 0.0
        replaced.set()
        return None

    workers = make_workers(work, stop=stop)
    workers.start()
    assert workers.faulted.wait(_DEADLINE)
    while not replaced.is_set():
        workers.wake()

    threads[0].join(_DEADLINE)
    assert (workers.number, threads[0].is_alive(), threads[-1] is threads[0]) == (1, False, False)
    assert workers.faults == [("a worker thread, which was replaced", error)]


# --- the end ------------------------------------------------------------------------------------------------


def test_a_pause_ends_when_the_workers_stop(make_workers):
    """W2: closing does not wait for a rate limit's reset."""
    resting = threading.Event()
    ended = threading.Event()

    def work(on_request):
        resting.set()
        try:
            stop.pause(3600)
        except Paused:
            ended.set()

    stop = StopLatch()
    workers = make_workers(work, stop=stop)
    workers.start()
    assert resting.wait(_DEADLINE)
    workers.stop(_DEADLINE)

    assert ended.is_set()


def test_stopped_workers_do_not_start_again(make_workers):
    """After ``stop``, also a second one, there is no new thread and no pause."""
    stop = StopLatch()
    workers = make_workers(lambda on_request: None, first=2, most=2, stop=stop)
    workers.stop(0.0)
    workers.stop(0.0)
    workers.start()
    workers.look(1.0)

    assert workers.is_started is False
    with pytest.raises(Paused):
        stop.pause(0.0)
