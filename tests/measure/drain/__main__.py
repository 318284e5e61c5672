"""The command line of the drain: ``python -m tests.measure.drain --help``."""

from __future__ import annotations

import argparse
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
# From this second on, the speed counts.
_FROM = 5


class Drain(NamedTuple):
    """
    What one run showed; see ``describe``.

    Attributes:
        share: Part of the rate limit that was used from second 5 on.
        refused: Answers 429.
        threads: The most threads of ours at one time.
        settled_threads: Their median from second 5 on.
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


def run(options, *, is_spooled):
    """Run one drain and return what it showed."""
    limits = {"delay": options.delay, "limit": options.limit, "window": options.window}
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, str(_HERE / "server.py"), json.dumps(limits)], stdout=subprocess.PIPE, text=True
        )
        try:
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"
            plan = {
                "address": address,
                "messages": options.messages,
                "contacts": options.contacts,
                "seconds": options.seconds,
                "alone": options.alone,
                "workers": options.workers,
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
    return _drain(json.loads(done.stdout), state, options)


def _drain(figures, state, options):
    first = int(figures["started"]) + 1 + _FROM
    # Whole windows: a client may use up a window before its end.
    seconds = range(first, int(figures["started"] + options.seconds))
    admitted = sum(state["admitted"].get(str(second), 0) for second in seconds)
    late = [number for at, number in figures["threads"] if at >= _FROM]
    return Drain(
        share=admitted / (len(seconds) * options.limit / options.window),
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
        f"{drain.share:.1%} of the limit from second {_FROM} on, {drain.refused} answers 429, at most {drain.threads} threads"
        f" (median {drain.settled_threads:g}); track() {drain.call:.1f} us, p99 {drain.call_p99:.1f} us above its median;"
        f" the host's p99 {drain.handler:.2f} times; {drain.processor:.0f} us of processor time a message"
        f" ({drain.delivered} delivered); logs {drain.logs}"
    )


def main(arguments=None) -> int:
    """Run in memory and with the spool; the exit code is 1 if less than 90 % of the limit was used."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.drain",
        description="Deliver a backlog with default settings to a server that answers late and has a rate limit.",
    )
    add = parser.add_argument
    add("--messages", type=int, default=10_000)
    add("--contacts", type=int, default=2_000)
    add("--delay", type=float, default=0.25, help="seconds before each answer")
    add("--limit", type=int, default=1_666, help="requests a window")
    add("--window", type=int, default=10, help="seconds of a window")
    add("--seconds", type=float, default=36.0, help="seconds to measure")
    add("--alone", type=float, default=5.0, help="seconds to measure the host without the client")
    add("--workers", type=int, default=None, help="a fixed number of threads; the default is the client's")
    add("--only", choices=("memory", "spool"))
    options = parser.parse_args(arguments)
    worst = 1.0
    for kind in ("memory", "spool"):
        if options.only in (None, kind):
            drain = run(options, is_spooled=kind == "spool")
            worst = min(worst, drain.share)
            print(f"{kind}: {describe(drain)}", flush=True)
    return 0 if worst >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
