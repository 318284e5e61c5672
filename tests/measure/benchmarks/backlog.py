"""
What a backlog costs: accepting, claiming and acknowledging with a million messages in the spool, next to ten thousand.

``python -m tests.measure.benchmarks.backlog --help``. A process builds each kind of backlog, another one measures it, and then it is
deleted:

- *even*: ten messages per contact;
- *one large*: one contact has a tenth of all messages;
- *half waits*: half of the contacts wait for a retry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from metarouter_intercom import Client
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.plugins import Response, Settlement

KINDS = ("even", "one large", "half waits")
STEPS = ("accept", "claim", "acknowledge")
_MAX_RATIO = 1.3
_MAX_MEMORY = 60 * 2**20
_MAX_START = 1.0
_PER_CONTACT = 10
# The two sizes are measured in alternating rounds.
_ROUNDS = 60
_CALLS = 50
_CLAIMS = 5
_DAY = 86_400.0


def build(path: Path, kind: str, size: int) -> None:
    """Fill a spool with *size* messages."""
    buffer = SpoolBuffer(path, limit=10 * size, dead_letters=100)
    large = size // 10 if kind == "one large" else 0
    for number in range(size):
        person = 0 if number < large else 1 + (number - large) // _PER_CONTACT
        _put(buffer, number, person)
    buffer.pending()
    if kind == "half waits":
        _retry_later(buffer, size // _PER_CONTACT // 2)
    buffer.close()


def _put(buffer: SpoolBuffer, number: int, person: int) -> None:
    message = {
        "type": "track",
        "messageId": f"m-{number:09}",
        "timestamp": 1_750_000_000.0 + number,
        "userId": f"person-{person}",
        "event": "Order Completed",
        "properties": {"order": number, "revenue": 19.99, "currency": "EUR", "plan": "team", "coupon": None},
        "context": {"ip": "203.0.113.7", "locale": "de-DE", "library": {"name": "shop", "version": "1"}},
    }
    buffer.accept(message, keys=[f"user:person-{person}"], upserts=False, now=1_750_000_000.0 + number / 1e3)


def _retry_later(buffer: SpoolBuffer, lanes: int) -> None:
    now = time.time()
    claims = []
    while len(claims) < lanes and (claim := buffer.claim(now=now, limit=100)) is not None:
        claims.append(claim)
        retries = [Settlement(entry.seq, "retry", now + _DAY) for entry in claim.entries]
        buffer.settle(claim, retries, now=now)


def measure(path: Path, size: int) -> None:
    """
    Measure a spool that ``build`` filled, in a new process.

    Writes the start time and memory first, then the costs of one round for each line on standard input.
    """
    idle = _memory_of_idle_client(path.parent / "idle.db")
    started = time.perf_counter()
    client = Client(
        api_key="benchmark",
        spool=path,
        transport=_UnusedTransport(),
        delivery="manual",
        max_buffered=10 * size,
    )
    client.track("person-1", "Order Completed", {"order": 0})
    start = time.perf_counter() - started
    # A second buffer on the same file, so that its steps are measured without the client.
    buffer = SpoolBuffer(path, limit=10 * size, dead_letters=100)
    _round(buffer, 2 * size)
    _write({"start": start, "memory": _resident() - idle})
    for number, _ in enumerate(sys.stdin, start=1):
        _write(_round(buffer, 2 * size + number * _CALLS))
    _write({"memory": _resident() - idle})
    buffer.close()
    client.close(0.0)


def _write(figures: dict[str, float]) -> None:
    print(json.dumps(figures), flush=True)


def _round(buffer: SpoolBuffer, first: int) -> dict[str, float]:
    accepting = _timed(lambda: _accept(buffer, first)) / _CALLS
    claiming, acknowledging = [], []
    for _ in range(_CLAIMS):
        claims = []
        claiming.append(_timed(lambda claims=claims: claims.append(_claim(buffer))))
        acknowledging.append(_timed(lambda claims=claims: _acknowledge(buffer, claims[0])))
    return {"accept": accepting, "claim": min(claiming), "acknowledge": min(acknowledging)}


def _accept(buffer: SpoolBuffer, first: int) -> None:
    for number in range(first, first + _CALLS):
        _put(buffer, number, number)
    buffer.mark()


def _claim(buffer: SpoolBuffer):  # type: ignore[no-untyped-def]  # returns a claim
    claim = buffer.claim(now=time.time(), limit=100)
    if claim is None:
        raise RuntimeError("the backlog is empty; nothing was measured")
    return claim


def _acknowledge(buffer: SpoolBuffer, claim) -> None:  # type: ignore[no-untyped-def]  # as _claim returns it
    buffer.settle(claim, [Settlement(entry.seq, "ack") for entry in claim.entries], now=time.time())


def _timed(step) -> float:  # type: ignore[no-untyped-def]  # any function without arguments
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


class _UnusedTransport:
    """A transport that is never used, because nothing is sent."""

    def send(self, request: object) -> Response:
        raise AssertionError("nothing is sent")

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _memory_of_idle_client(path: Path) -> int:
    with Client(api_key="benchmark", spool=path, transport=_UnusedTransport(), delivery="manual"):
        return _resident()


def _resident() -> int:
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Backlog:
    """A backlog and the process that measures it."""

    def __init__(self, folder: Path, kind: str, size: int) -> None:
        folder.mkdir()
        path = folder / "spool.db"
        subprocess.run(_command("build", path, kind=kind, size=size), check=True)
        self._process = subprocess.Popen(
            _command("measure", path, kind=kind, size=size),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self._read()

    def run_round(self) -> dict[str, float]:
        """Measure one round; return its figures."""
        self._process.stdin.write("round\n")  # type: ignore[union-attr]  # a pipe
        self._process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        return self._read()

    def end(self) -> dict[str, float]:
        """End the process; return its last figures."""
        self._process.stdin.close()  # type: ignore[union-attr]  # a pipe
        last = self._read()
        self._process.stdout.close()  # type: ignore[union-attr]  # a pipe
        self._process.wait()
        return last

    def _read(self) -> dict[str, float]:
        figures: dict[str, float] = json.loads(self._process.stdout.readline())  # type: ignore[union-attr]  # a pipe
        return figures


def _command(step: str, path: Path, *, kind: str, size: int) -> list[str]:
    return [sys.executable, "-m", "tests.measure.benchmarks.backlog", f"--{step}", str(path), kind, str(size)]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print one line per kind; the exit code is 0 if every bound holds, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.benchmarks.backlog",
        description="Measure the spool with a large backlog, next to a small one.",
    )
    parser.add_argument(
        "--large", type=int, metavar="NUMBER", default=1_000_000, help="messages (default 1000000)"
    )
    parser.add_argument(
        "--small", type=int, metavar="NUMBER", default=10_000, help="messages (default 10000)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--build", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.build:
        build(Path(options.build[0]), options.build[1], int(options.build[2]))
        return 0
    if options.measure:
        measure(Path(options.measure[0]), int(options.measure[2]))
        return 0
    rows = [_compare(kind, options.small, options.large) for kind in KINDS]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["holds"] for row in rows) else 1


def _compare(kind: str, small: int, large: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Backlog(Path(folder) / str(size), kind, size) for size in (small, large))
        rounds = [(few.run_round(), many.run_round()) for _ in range(_ROUNDS)]
        memory = max(many.first["memory"], many.end()["memory"])
        few.end()
    # Ratios round by round, because other work on the machine affects both sides of a round.
    ratios = {step: median(b[step] / a[step] for a, b in rounds) for step in STEPS}
    costs = {step: median(b[step] for _, b in rounds) for step in STEPS}
    start = many.first["start"]
    holds = max(ratios.values()) <= _MAX_RATIO and memory <= _MAX_MEMORY and start <= _MAX_START
    shown = ", ".join(f"{step} {costs[step] * 1e6:.0f} us ({ratios[step]:.2f} times)" for step in STEPS)
    print(
        f"{kind}: {large:,} messages next to {small:,}: {shown}; start {start * 1e3:.0f} ms,"
        f" memory {memory / 2**20:+.1f} MB: {'holds' if holds else 'DOES NOT HOLD'}",
        flush=True,
    )
    return {"kind": kind, "costs": costs, "times": ratios, "start": start, "memory": memory, "holds": holds}


if __name__ == "__main__":
    sys.exit(main())
