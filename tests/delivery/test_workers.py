"""Worker threads: starting, waking and stopping (rules W1, W2); every wait ends with an event, and only a failing test meets a deadline."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom._delivery.circuit import Paused
from metarouter_intercom._delivery.workers import SettlementSignal, StopLatch, Workers

_DEADLINE = 20.0


def _workers(work, count=2, interval=0.01, stop=None):
    return Workers(work, count=count, interval=interval, name="test", stop=stop or StopLatch())


def test_work_is_done_in_the_background_until_it_is_stopped():
    """W1: after ``start`` the threads call the work function again and again, until ``stop``."""
    done = threading.Event()
    calls = []

    def work(on_claim):
        calls.append(threading.current_thread().name)
        if len(calls) >= 5:
            done.set()
        return 0.001

    workers = _workers(work)
    assert workers.is_started is False
    workers.start()
    workers.start()

    assert done.wait(_DEADLINE)
    workers.stop(_DEADLINE)
    assert {name.rpartition("-")[0] for name in calls} == {"metarouter-intercom-test"}
    assert not any(thread.name.startswith("metarouter-intercom-test") for thread in threading.enumerate())


def test_a_claim_wakes_another_worker():
    """W1: a worker that has something to do wakes a resting one, so that several deliver at the same time."""
    met = threading.Barrier(3, timeout=_DEADLINE)
    tickets = iter([True, True])
    lock = threading.Lock()

    def work(on_claim):
        with lock:
            ticket = next(tickets, None)
        if ticket is None:
            return None
        on_claim()
        met.wait()
        return 0.0

    workers = _workers(work)
    workers.start()
    met.wait()
    workers.stop(_DEADLINE)

    assert met.broken is False


def test_an_unexpected_error_does_not_end_a_worker(caplog):
    """A bug of this library is logged, with the connection's name, and the worker continues."""
    done = threading.Event()
    calls = []

    def work(on_claim):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("odd")
        done.set()
        return

    workers = _workers(work, count=1)
    workers.start()
    workers.wake()

    assert done.wait(_DEADLINE)
    workers.stop(_DEADLINE)
    assert "connection test: a worker met an unexpected error" in caplog.text


def test_a_pause_ends_when_the_workers_stop():
    """W2: closing does not wait for a rate limit's reset."""
    resting = threading.Event()
    ended = threading.Event()

    def work(on_claim):
        resting.set()
        try:
            stop.pause(3600)
        except Paused:
            ended.set()
        return

    stop = StopLatch()
    workers = _workers(work, count=1, stop=stop)
    workers.start()
    assert resting.wait(_DEADLINE)
    workers.stop(_DEADLINE)

    assert ended.is_set()


def test_stopped_workers_do_not_start_again():
    """After ``stop``, also a second one, there is no new thread and no pause."""
    stop = StopLatch()
    workers = _workers(lambda on_claim: None, stop=stop)
    workers.stop(0.0)
    workers.stop(0.0)
    workers.start()

    assert workers.is_started is False
    with pytest.raises(Paused):
        stop.pause(0.0)


def test_a_settlement_wakes_the_threads_that_wait():
    """A thread that waits for a settlement is woken by it."""
    signal = SettlementSignal()
    woken = threading.Event()

    def wait():
        signal.wait(_DEADLINE)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not woken.is_set():
        signal.notify()
    thread.join(_DEADLINE)

    assert woken.is_set()
