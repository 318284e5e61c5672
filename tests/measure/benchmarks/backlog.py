"""
What a backlog costs: accepting, claiming and acknowledging with a million messages in the spool, beside ten thousand.

``python -m tests.measure.benchmarks.backlog [--large N] [--small N] [--json FILE]``. Each kind of backlog is built anew in a process of its own,
measured, and thrown away:

- *even*: ten messages a contact;
- *one large*: one contact holds a tenth of all;
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
_MOST_TIMES = 1.3
_MOST_MEMORY = 60 * 2**20
_MOST_START = 1.0
_PER_CONTACT = 10
# The two sizes are measured in turns.
_TURNS = 60
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
        _let_wait(buffer, size // _PER_CONTACT // 2)
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


def _let_wait(buffer: SpoolBuffer, lanes: int) -> None:
    now = time.time()
    claims = []
    while len(claims) < lanes and (claim := buffer.claim(now=now, limit=100)) is not None:
        claims.append(claim)
        again = [Settlement(entry.seq, "retry", now + _DAY) for entry in claim.entries]
        buffer.settle(claim, again, now=now)


def measure(path: Path, size: int) -> None:
    """
    Measure a spool that ``build`` filled; meant for a new process.

    Tells start and memory first and then, for every line on its standard input, the costs of one turn.
    """
    idle = _memory_of_idle_client(path.parent / "idle.db")
    begun = time.perf_counter()
    client = Client(
        api_key="benchmark", spool=path, transport=_Silent(), delivery="manual", max_buffered=10 * size
    )
    client.track("person-1", "Order Completed", {"order": 0})
    start = time.perf_counter() - begun
    # A buffer of our own on the same file: its steps are measured without the client's.
    buffer = SpoolBuffer(path, limit=10 * size, dead_letters=100)
    _turn(buffer, 2 * size)
    _tell({"start": start, "memory": _resident() - idle})
    for turn, _ in enumerate(sys.stdin):
        _tell(_turn(buffer, 2 * size + (turn + 1) * _CALLS))
    _tell({"memory": _resident() - idle})
    buffer.close()
    client.close(0.0)


def _tell(facts: dict[str, float]) -> None:
    print(json.dumps(facts), flush=True)


def _turn(buffer: SpoolBuffer, first: int) -> dict[str, float]:
    accepting = _timed(lambda: _accept(buffer, first)) / _CALLS
    claiming, acknowledging = [], []
    for _ in range(_CLAIMS):
        found = []
        claiming.append(_timed(lambda found=found: found.append(_claim(buffer))))
        acknowledging.append(_timed(lambda found=found: _acknowledge(buffer, found[0])))
    return {"accept": accepting, "claim": min(claiming), "acknowledge": min(acknowledging)}


def _accept(buffer: SpoolBuffer, first: int) -> None:
    for number in range(first, first + _CALLS):
        _put(buffer, number, number)
    buffer.mark()


def _claim(buffer: SpoolBuffer):  # type: ignore[no-untyped-def]  # a claim or a failure of this script
    claim = buffer.claim(now=time.time(), limit=100)
    if claim is None:
        raise RuntimeError("the backlog is empty; nothing was measured")
    return claim


def _acknowledge(buffer: SpoolBuffer, claim) -> None:  # type: ignore[no-untyped-def]  # as _claim returns it
    buffer.settle(claim, [Settlement(entry.seq, "ack") for entry in claim.entries], now=time.time())


def _timed(step) -> float:  # type: ignore[no-untyped-def]  # any function without arguments
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


class _Silent:
    """A transport that is never used: everything here is about the spool."""

    def send(self, request: object) -> Response:
        raise AssertionError("nothing is sent")

    def close(self) -> None:
        """Nothing is held."""


def _memory_of_idle_client(path: Path) -> int:
    with Client(api_key="benchmark", spool=path, transport=_Silent(), delivery="manual"):
        return _resident()


def _resident() -> int:
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Subject:
    """A backlog with the process that measures it."""

    def __init__(self, folder: Path, kind: str, size: int) -> None:
        folder.mkdir()
        path = folder / "spool.db"
        subprocess.run(_command("build", path, kind, size), check=True)
        self._process = subprocess.Popen(
            _command("measure", path, kind, size), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.first = self._read()

    def turn(self) -> dict[str, float]:
        """Let it measure one turn."""
        self._process.stdin.write("turn\n")  # type: ignore[union-attr]  # a pipe
        self._process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        return self._read()

    def end(self) -> dict[str, float]:
        """End it; returns its last figures."""
        self._process.stdin.close()  # type: ignore[union-attr]  # a pipe
        last = self._read()
        self._process.stdout.close()  # type: ignore[union-attr]  # a pipe
        self._process.wait()
        return last

    def _read(self) -> dict[str, float]:
        found: dict[str, float] = json.loads(self._process.stdout.readline())  # type: ignore[union-attr]  # a pipe
        return found


def _command(step: str, path: Path, kind: str, size: int) -> list[str]:
    return [sys.executable, "-m", "tests.measure.benchmarks.backlog", f"--{step}", str(path), kind, str(size)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and tell by the exit code whether every bound held."""
    parser = argparse.ArgumentParser(prog="python -m tests.measure.benchmarks.backlog", description=__doc__)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
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
        few, many = (Subject(Path(folder) / str(size), kind, size) for size in (small, large))
        turns = [(few.turn(), many.turn()) for _ in range(_TURNS)]
        memory = max(many.first["memory"], many.end()["memory"])
        few.end()
    # Turn by turn, so that what else the machine does meets both.
    times = {step: median(b[step] / a[step] for a, b in turns) for step in STEPS}
    costs = {step: median(b[step] for _, b in turns) for step in STEPS}
    start = many.first["start"]
    holds = max(times.values()) <= _MOST_TIMES and memory <= _MOST_MEMORY and start <= _MOST_START
    shown = ", ".join(f"{step} {costs[step] * 1e6:.0f} us ({times[step]:.2f} times)" for step in STEPS)
    print(
        f"{kind}: {large:,} beside {small:,}: {shown}; start {start * 1e3:.0f} ms,"
        f" memory {memory / 2**20:+.1f} MB: {'holds' if holds else 'FALLS SHORT'}",
        flush=True,
    )
    return {"kind": kind, "costs": costs, "times": times, "start": start, "memory": memory, "holds": holds}


if __name__ == "__main__":
    sys.exit(main())
