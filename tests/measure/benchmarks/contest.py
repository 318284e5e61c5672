"""The parent's side of a contest: processes that take turns, so that what else the machine does meets all of them alike."""

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


class Player:
    """
    One process that does rounds when it is told to.

    Args:
        command: Interpreter and arguments; runs in the project's top folder.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._command = command
        self._read()

    def play(self, number: int) -> Any:
        """Let the process do one round of size *number* and return what it found."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
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
            raise RuntimeError(f"a contestant ended: {' '.join(self._command)}")
        return json.loads(line)


def compete(
    commands: Mapping[str, Sequence[str]], *, rounds: int, number: int, warm_up: int = 1
) -> dict[str, list[Any]]:
    """
    Let the contestants take turns and return what each found, round by round.

    Args:
        commands: Name -> command of a process that takes turns.
        rounds: That count.
        number: Size of one round.
        warm_up: Rounds before those that count.
    """
    found: dict[str, list[Any]] = {name: [] for name in commands}
    with ExitStack() as stack:
        players: dict[str, Player] = {}
        for name, command in commands.items():
            players[name] = Player(command)
            stack.callback(players[name].stop)
        for at in range(warm_up + rounds):
            for name, player in players.items():
                result = player.play(number)
                if at >= warm_up:
                    found[name].append(result)
    return found


@contextmanager
def sink() -> Iterator[str]:
    """Run the local server in a process of its own; gives its address."""
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


def module(interpreter: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs a contestant's module."""
    return [interpreter, "-m", f"tests.measure.benchmarks.contestants.{name}", *arguments]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios: what slows a round down slows both down."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
