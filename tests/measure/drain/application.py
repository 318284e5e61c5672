"""
The host of a drain: makes a client, accepts a backlog, and handles requests of one millisecond while it is delivered.

Prints one line of JSON with its figures.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from itertools import cycle

from metarouter_intercom import Client

# Seconds between two handled requests, and of each.
_APART, _WORK = 0.004, 0.001
_PROBED_EVERY = 5


def main(plan):
    """Run; see the module."""
    records = []
    logging.getLogger().addHandler(_Recording(records))
    rounds = _rounds_of(_WORK)
    alone = [_handle(rounds) for _ in _paced(plan["alone"])]
    settings = {name: plan[name] for name in ("spool", "workers") if plan.get(name) is not None}
    client = Client(api_key="key", base_url=plan["address"], **settings)
    before, of_host = os.times(), time.thread_time()
    for number in range(plan["messages"]):
        client.track(f"u-{number % plan['contacts']}", "Drained", {"number": number})
    started = time.time()
    calls, beside, threads, people = [], [], [], cycle(range(plan["contacts"]))
    for step in _paced(plan["seconds"]):
        beside.append(_handle(rounds))
        if step % _PROBED_EVERY == 0:
            calls.append(_timed(client.track, f"u-{next(people)}", "Probed", {"step": step}))
            threads.append((time.time() - started, _threads()))
    used = os.times()
    report = client.report()
    figures = {
        "started": started,
        "delivered": report.delivered,
        # Without what the host itself did in this thread.
        "processor": used.user + used.system - before.user - before.system - (time.thread_time() - of_host),
        "alone": alone,
        "beside": beside,
        "calls": calls,
        "threads": threads,
        "logs": records,
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None,
    }
    print(json.dumps(figures), flush=True)
    client.close(0)


class _Recording(logging.Handler):
    def __init__(self, records):
        super().__init__(logging.WARNING)
        self._records = records

    def emit(self, record):
        self._records.append(f"{record.name}: {record.msg}")


def _paced(seconds):
    """Yield the number of each step, one every few milliseconds, for *seconds*."""
    pause = threading.Event()
    end, step = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        pause.wait(_APART)
        yield step
        step += 1


def _rounds_of(seconds):
    """Return how many rounds of work take *seconds*."""
    rounds = 1000
    return max(1, int(rounds * seconds / min(_handle(rounds) for _ in range(50))))


def _handle(rounds):
    """Do the work of one request and return its seconds."""
    started = time.perf_counter()
    total = 0
    for number in range(rounds):
        total += number & 7
    return time.perf_counter() - started


def _timed(call, *arguments):
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def _threads():
    return sum(thread.name.startswith("metarouter-intercom-") for thread in threading.enumerate())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
