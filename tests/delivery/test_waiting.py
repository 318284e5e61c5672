"""The small locks by which threads wait for each other (rule W2); every wait ends with an event, and only a failing test meets a deadline."""

from __future__ import annotations

import threading

from metarouter_intercom._delivery.waiting import SettlementSignal

_DEADLINE = 20.0


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
