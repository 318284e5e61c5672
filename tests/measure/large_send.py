"""
A large file through ``send``, interrupted by Ctrl-C and by ``kill -9`` in the middle, and sent on.

    python -m tests.measure.large_send --messages 100000

Writes the file, starts a local Intercom, runs the command in processes of its own with a terminal for its progress bar, and prints what
was found as JSON. The exit code is 1 when something is missing, doubled or different in the workspace, when the progress was wrong, or
when the memory grew.
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
_DRAWN = re.compile(r"([\d]+)/([\d]+) \[")
# More than this between the first tenth of the requests and the last one is growth.
_MOST_GROWTH = 16 * 2**20


class Run(NamedTuple):
    """
    One process.

    Attributes:
        code: Its exit code; negative for a signal.
        out: What it wrote to standard output.
        screen: What it drew on its terminal.
        seconds: How long it ran.
        memory: Bytes in memory, at equal numbers of requests.
    """

    code: int
    out: str
    screen: str
    seconds: float
    memory: list[int]

    @property
    def drawn(self) -> list[tuple[int, int]]:
        """The numbers that the bar showed: done, and of how many."""
        return [(int(done), int(total)) for done, total in _DRAWN.findall(self.screen)]


class Watched(Workspace):
    """A workspace that does something when it was asked a number of times."""

    at_request: Callable[[int], None] | None = None

    def handle_bytes(self, method, path, headers, content):
        """Answer, and then tell."""
        answer = super().handle_bytes(method, path, headers, content)
        if self.at_request is not None:
            self.at_request(self.handled)
        return answer


def run(file: Path, sandbox: Sandbox, *, every: int, until: int | None = None, by: int = 0) -> Run:
    """Send *file*; the signal *by* comes when the sandbox was asked *until* times, memory is measured *every* so many requests."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    memory: list[int] = []
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "metarouter_intercom._cli", "send", str(file)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "INTERCOM_API_KEY": sandbox.token, "INTERCOM_BASE_URL": sandbox.url},
    )
    os.close(terminal)

    def watch(handled: int) -> None:
        if handled % every == 0:
            memory.append(_resident(process.pid))
        if handled == until:
            process.send_signal(by)

    sandbox.workspace.at_request = watch
    drawn: list[bytes] = []
    reader = threading.Thread(target=_read, args=(screen, drawn))
    reader.start()
    out, _ = process.communicate(timeout=3600)
    sandbox.workspace.at_request = None
    reader.join()
    os.close(screen)
    text = b"".join(drawn).decode("utf-8", "replace")
    return Run(process.returncode, out.decode(), text, time.monotonic() - begun, memory)


def _read(screen: int, drawn: list[bytes]) -> None:
    while True:
        try:
            piece = os.read(screen, 65_536)
        except OSError:  # Linux's way to say that nobody writes to the terminal any more
            return
        if not piece:
            return
        drawn.append(piece)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def send_interrupted(folder: Path, number: int) -> tuple[dict[str, object], list[str]]:
    """Send *number* messages in three runs; return the figures and what was wrong."""
    file = folder / "events.jsonl"
    write_messages(file, number)
    workspace = Watched(app_limit=10**9, workspace_limit=10**9)
    every = max(1, number // 50)
    with Sandbox(workspace=workspace) as sandbox:
        first = run(file, sandbox, every=every, until=number * 3 // 10, by=signal.SIGINT)
        second = run(file, sandbox, every=every, until=number * 6 // 10, by=signal.SIGKILL)
        third = run(file, sandbox, every=every)
    runs = (first, second, third)
    wrong = differences(workspace, number)
    codes = [one.code for one in runs]
    if codes != [130, -signal.SIGKILL, 0]:
        wrong.append(f"exit codes {codes}: {[one.screen[-500:] for one in runs]}")
    wrong += _wrong_progress(runs, number)
    wrong += [
        f"run {at}: memory {one.memory}" for at, one in enumerate(runs, 1) if _growth(one) > _MOST_GROWTH
    ]
    figures: dict[str, object] = {
        "messages": number,
        "file_bytes": file.stat().st_size,
        "requests": workspace.handled,
        "repeated_events": workspace.repeated_events,
        "seconds": [round(one.seconds, 1) for one in runs],
        "exit_codes": codes,
        "bar_first_and_last": [[one.drawn[0], one.drawn[-1]] if one.drawn else None for one in runs],
        "memory_mb_most": [round(max(one.memory, default=0) / 2**20, 1) for one in runs],
        "memory_mb_growth": [round(_growth(one) / 2**20, 1) for one in runs],
        "report": third.out.splitlines(),
    }
    return figures, wrong


def _wrong_progress(runs: tuple[Run, ...], number: int) -> list[str]:
    """The bar never goes back, goes on where it was, knows how many there are, and ends at all of them."""
    wrong = []
    latest = 0
    for at, one in enumerate(runs, 1):
        # Each run draws an empty bar before it has looked into the spool.
        done = [numbers[0] for numbers in one.drawn[1:]]
        if done != sorted(done) or (done and done[0] < latest):
            wrong.append(f"run {at}: the bar went back: {latest} then {done}")
        if {total for _, total in one.drawn} != {number}:
            wrong.append(f"run {at}: totals {sorted({total for _, total in one.drawn})}")
        latest = max([latest, *done])
    if latest != number:
        wrong.append(f"the bar ended at {latest}")
    return wrong


def _growth(one: Run) -> int:
    warm = one.memory[len(one.memory) // 10 :]
    return max(warm) - warm[0] if warm else 0


def main() -> int:
    """Run at the size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000, help="a multiple of ten (default 100000)")
    with tempfile.TemporaryDirectory() as folder:
        figures, wrong = send_interrupted(Path(folder), parser.parse_args().messages)
    sys.stdout.write(json.dumps({**figures, "wrong": wrong}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
