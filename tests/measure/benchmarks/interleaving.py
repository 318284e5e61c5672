"""Runs the processes of a benchmark in alternating rounds, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[3]


class Runner:
    """
    A process that runs one round per request; ``runners`` holds their programs.

    Args:
        command: Interpreter and arguments; it runs in the top folder of the project.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._command = command
        self._read()

    def run_round(self, size: int) -> Any:
        """Let the process run one round of *size* steps, and return its result."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{size}\n")
        self._process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended before its round: {' '.join(self._command)}")
        return json.loads(line)


def run_interleaved(
    commands: Mapping[str, Sequence[str]], *, rounds: int, size: int, warm_up: int = 1
) -> dict[str, list[Any]]:
    """
    Run the processes in alternating rounds; return name -> the results of its rounds.

    Args:
        commands: Name -> command of a ``Runner``.
        rounds: Rounds whose results are returned.
        size: Steps per round.
        warm_up: Rounds before them.
    """
    results: dict[str, list[Any]] = {name: [] for name in commands}
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for name, command in commands.items():
            runners[name] = Runner(command)
            stack.callback(runners[name].stop)
        for number in range(warm_up + rounds):
            for name, runner in runners.items():
                result = runner.run_round(size)
                if number >= warm_up:
                    results[name].append(result)
    return results


@contextmanager
def sink() -> Iterator[str]:
    """Run the local server in a separate process; yield its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.measure.benchmarks.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def runner_command(interpreter: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs the program *name* of ``runners``."""
    return [interpreter, "-m", f"tests.measure.benchmarks.runners.{name}", *arguments]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios round by round: what slows a round down affects both sides of its ratio."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
