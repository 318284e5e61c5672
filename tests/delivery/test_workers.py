"""Worker threads, waking and stopping (rules W1, W2); every wait here ends by an event, with a deadline only for failures."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom._delivery.circuit import Paused
from metarouter_intercom._delivery.workers import Signal, Workers

_DEADLINE = 20.0


def _workers(work, count=2, interval=0.01):
    return Workers(work, count=count, interval=interval, name="test")


def test_work_is_done_in_the_background_until_it_is_stopped():
    """W1: after ``start`` the threads call the work function again and again."""
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
    """W1: a worker that has something to do lets a resting one look too, so that several deliver at once."""
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


def test_an_unforeseen_error_does_not_end_a_worker(caplog):
    """A fault of ours is logged, and the worker goes on."""
    done = threading.Event()
    calls = []

    def work(on_claim):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("unforeseen")
        done.set()
        return

    workers = _workers(work, count=1)
    workers.start()
    workers.wake()

    assert done.wait(_DEADLINE)
    workers.stop(_DEADLINE)
    assert "unforeseen error" in caplog.text


def test_a_pause_ends_when_the_workers_stop():
    """W2: closing does not wait for a rate limit's reset."""
    resting = threading.Event()
    ended = threading.Event()

    def work(on_claim):
        resting.set()
        try:
            workers.pause(3600)
        except Paused:
            ended.set()
        return

    workers = _workers(work, count=1)
    workers.start()
    assert resting.wait(_DEADLINE)
    workers.stop(_DEADLINE)

    assert ended.is_set()


def test_a_stopped_crew_does_not_start_again():
    """After ``stop`` there is no new thread."""
    workers = _workers(lambda on_claim: None)
    workers.stop(0.0)
    workers.start()

    assert workers.is_started is False
    with pytest.raises(Paused):
        workers.pause(0.0)


def test_a_signal_wakes_who_waits():
    """Whoever waits for a settlement is woken by it."""
    signal = Signal()
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
