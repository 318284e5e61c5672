"""Runs a drain: the server and the host in processes of their own, and what they showed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


class Load(NamedTuple):
    """
    What is drained, and how.

    Attributes:
        messages: Tracks in the buffer at the beginning.
        contacts: Their contacts.
        delay: Seconds before each answer.
        limit: Requests a window.
        window: Seconds of a window.
        seconds: How long to measure.
        counted_from: From this second on, the speed counts.
        alone: How long to measure the host without the client, in seconds.
        workers: A fixed number of threads; None for the client's default.
    """

    messages: int = 10_000
    contacts: int = 2_000
    delay: float = 0.25
    limit: int = 1_666
    window: int = 10
    seconds: float = 36.0
    counted_from: float = 5.0
    alone: float = 5.0
    workers: int | None = None


class Drain(NamedTuple):
    """
    What one run showed; see ``describe``.

    Attributes:
        share: Part of the rate limit that was used once the speed counts.
        refused: Answers 429.
        threads: The most threads of ours at one time.
        settled_threads: Their median once the speed counts.
        call: Median of ``track()`` in microseconds.
        call_p99: The 99th percentile of ``track()`` above its median, in microseconds.
        handler: The host's 99th percentile beside the client relative to without it.
        processor: Processor time per delivered message in microseconds, with the host's own.
        delivered: Messages.
        logs: Different log lines of the client and of urllib3.
    """

    share: float
    refused: int
    threads: int
    settled_threads: float
    call: float
    call_p99: float
    handler: float
    processor: float
    delivered: int
    logs: list


def run(load, *, is_spooled):
    """Run one drain and return what it showed."""
    limits = {"delay": load.delay, "limit": load.limit, "window": load.window}
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, str(_HERE / "server.py"), json.dumps(limits)], stdout=subprocess.PIPE, text=True
        )
        try:
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"
            plan = {
                "address": address,
                "messages": load.messages,
                "contacts": load.contacts,
                "seconds": load.seconds,
                "alone": load.alone,
                "workers": load.workers,
                "spool": f"{folder}/drain.spool" if is_spooled else None,
            }
            done = subprocess.run(
                [sys.executable, "-m", "tests.measure.drain.application", json.dumps(plan)],
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            with urllib.request.urlopen(f"{address}/state") as answer:
                state = json.load(answer)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
    return _drain(json.loads(done.stdout), state, load)


def _drain(figures, state, load):
    first = int(figures["started"] + load.counted_from) + 1
    seconds = range(first, int(figures["started"] + load.seconds))
    admitted = sum(state["admitted"].get(str(second), 0) for second in seconds)
    late = [number for at, number in figures["threads"] if at >= load.counted_from]
    return Drain(
        share=admitted / (len(seconds) * load.limit / load.window),
        refused=state["refused"],
        threads=max(number for _, number in figures["threads"]),
        settled_threads=median(late),
        call=median(figures["calls"]) * 1e6,
        call_p99=(_p99(figures["calls"]) - median(figures["calls"])) * 1e6,
        handler=_p99(figures["beside"]) / _p99(figures["alone"]),
        processor=figures["processor"] / max(1, figures["delivered"]) * 1e6,
        delivered=figures["delivered"],
        logs=sorted(set(figures["logs"])),
    )


def _p99(values):
    return quantiles(values, n=100)[98]


def describe(drain):
    """Return the figures of a run as one line."""
    return (
        f"{drain.share:.1%} of the limit, {drain.refused} answers 429, at most {drain.threads} threads"
        f" (median {drain.settled_threads:g}); track() {drain.call:.1f} us, p99 {drain.call_p99:.1f} us above its median;"
        f" the host's p99 {drain.handler:.2f} times; {drain.processor:.0f} us of processor time a message"
        f" ({drain.delivered} delivered); logs {drain.logs}"
    )
