"""
Sends a large file with ``send``, interrupts it by Ctrl-C and by ``kill -9``, and lets it continue.

    python -m tests.measure.large_send --messages 100000

Writes the file, starts a local Intercom, runs the command in separate processes with a terminal for its progress bar, and prints the result
as JSON. The exit code is 1 if something is missing, doubled or wrong in the workspace, if the progress bar was wrong, or if memory grew.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from metarouter_intercom.sandbox import Sandbox, Workspace

if __package__:
    from ..cli.replaying import differences, write_messages
else:
    sys.exit("run it as a module: python -m tests.measure.large_send")

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BAR = re.compile(r"([\d]+)/([\d]+) \[")
# Bytes that the memory may grow after the first tenth of the requests.
_MAX_GROWTH = 16 * 2**20


class Run(NamedTuple):
    """
    One process that ran ``send``.

    Attributes:
        code: Exit code; negative for a signal.
        out: Its standard output.
        screen: What it drew on its terminal.
        seconds: How long it ran.
        memory: Resident memory in bytes, measured after equal numbers of requests.
    """

    code: int
    out: str
    screen: str
    seconds: float
    memory: list[int]

    @property
    def bar(self) -> list[tuple[int, int]]:
        """The numbers that the bar showed: done, and total."""
        return [(int(done), int(total)) for done, total in _BAR.findall(self.screen)]


class ObservedWorkspace(Workspace):
    """A workspace that calls a function with the number of requests so far."""

    on_request: Callable[[int], None] | None = None

    def handle_bytes(self, method, path, headers, content):
        """Answer the request, then call ``on_request``."""
        answer = super().handle_bytes(method, path, headers, content)
        if self.on_request is not None:
            self.on_request(self.handled)
        return answer


def run(
    file: Path,
    sandbox: Sandbox,
    *,
    measure_every: int,
    signal_after: int | None = None,
    number: int = 0,
    options: tuple[str, ...] = (),
) -> Run:
    """Send *file*; measure memory every *measure_every* requests, send the signal *number* after *signal_after* requests."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    memory: list[int] = []
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "metarouter_intercom._cli", "send", str(file), *options],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={
            **os.environ,
            "INTERCOM_API_KEY": sandbox.token,
            "INTERCOM_BASE_URL": sandbox.url,
            "XDG_STATE_HOME": f"{file}-state",
        },
    )
    os.close(terminal)

    def observe(handled: int) -> None:
        if handled % measure_every == 0:
            memory.append(_resident(process.pid))
        if handled == signal_after:
            process.send_signal(number)

    sandbox.workspace.on_request = observe
    chunks: list[bytes] = []
    reader = threading.Thread(target=_read, args=(screen, chunks))
    reader.start()
    out, _ = process.communicate(timeout=3600)
    sandbox.workspace.on_request = None
    reader.join()
    os.close(screen)
    text = b"".join(chunks).decode("utf-8", "replace")
    return Run(process.returncode, out.decode(), text, time.monotonic() - started, memory)


def _read(screen: int, chunks: list[bytes]) -> None:
    while True:
        try:
            chunk = os.read(screen, 65_536)
        except OSError:  # on Linux this means that no process writes to the terminal any more
            return
        if not chunk:
            return
        chunks.append(chunk)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def send_interrupted(folder: Path, number: int) -> tuple[dict[str, object], list[str]]:
    """Send *number* messages in three runs; return the figures and a list of errors."""
    file = folder / "events.jsonl"
    write_messages(file, number)
    workspace = ObservedWorkspace(app_limit=10**9, workspace_limit=10**9)
    every = max(1, number // 50)
    with Sandbox(workspace=workspace) as sandbox:
        first = run(file, sandbox, measure_every=every, signal_after=number * 3 // 10, number=signal.SIGINT)
        second = run(file, sandbox, measure_every=every, signal_after=number * 6 // 10, number=signal.SIGKILL)
        third = run(file, sandbox, measure_every=every)
    runs = (first, second, third)
    wrong = differences(workspace, number)
    codes = [one.code for one in runs]
    if codes != [130, -signal.SIGKILL, 0]:
        wrong.append(f"exit codes {codes}: {[one.screen[-500:] for one in runs]}")
    wrong += _wrong_progress(runs, number)
    wrong += [
        f"run {at}: memory {one.memory}" for at, one in enumerate(runs, 1) if _growth(one) > _MAX_GROWTH
    ]
    figures: dict[str, object] = {
        "messages": number,
        "file_bytes": file.stat().st_size,
        "requests": workspace.handled,
        "repeated_events": workspace.repeated_events,
        "seconds": [round(one.seconds, 1) for one in runs],
        "exit_codes": codes,
        "bar_first_and_last": [[one.bar[0], one.bar[-1]] if one.bar else None for one in runs],
        "memory_mb_most": [round(max(one.memory, default=0) / 2**20, 1) for one in runs],
        "memory_mb_growth": [round(_growth(one) / 2**20, 1) for one in runs],
        "report": third.out.splitlines(),
    }
    return figures, wrong


def _wrong_progress(runs: tuple[Run, ...], number: int) -> list[str]:
    """Return errors of the progress bar: it must never go back, also between runs, show the right total, and end at it."""
    wrong = []
    latest = 0
    for at, one in enumerate(runs, 1):
        # Each run first draws an empty bar, before it has read the spool.
        done = [numbers[0] for numbers in one.bar[1:]]
        if done != sorted(done) or (done and done[0] < latest):
            wrong.append(f"run {at}: the bar went back: {latest} then {done}")
        if {total for _, total in one.bar} != {number}:
            wrong.append(f"run {at}: totals {sorted({total for _, total in one.bar})}")
        latest = max([latest, *done])
    if latest != number:
        wrong.append(f"the bar ended at {latest}")
    return wrong


def _growth(one: Run) -> int:
    warm = one.memory[len(one.memory) // 10 :]
    return max(warm) - warm[0] if warm else 0


def main() -> int:
    """Run, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument(
        "--messages", type=int, default=100_000, help="number of messages, a multiple of ten (default 100000)"
    )
    with tempfile.TemporaryDirectory() as folder:
        figures, wrong = send_interrupted(Path(folder), parser.parse_args().messages)
    sys.stdout.write(json.dumps({**figures, "wrong": wrong}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
