"""Starts, kills and ends the processes of a run: the server and the applications."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


class ServerProcess:
    """
    The server that the applications of a run talk to; it runs ``server.py``.

    Args:
        kind: ``intercom`` or ``receiver``.
        options: Options of the sandbox's workspace.
    """

    def __init__(self, kind, **options):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.measure.faults.server", kind, json.dumps(options)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = json.loads(self._process.stdout.readline())["address"]

    def command(self, name, **arguments):
        """Send one command and return its answer."""
        self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def set_faults(self, **faults):
        """Replace the faults of the server; without arguments there are none. See ``read_faults``."""
        self.command("faults", faults=faults)

    def state(self):
        """Return what arrived."""
        return self.command("state")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Output:
    """
    What an application wrote.

    Attributes:
        accepted: Number -> (start, return) of the machine's monotonic clock, for each call that returned.
        cut_off: The same for calls during which the process died; their return is the end of the process.
        logs: What the library logged.
        counted: How many messages the library reported as lost.
        report: Its last report, or None.
        exit_code: Negative for a signal; None if the process was killed because it did not end.
    """

    def __init__(self):
        self.accepted = {}
        self.cut_off = {}
        self.logs = []
        self.counted = 0
        self.report = None
        self.exit_code = None


class Application:
    """
    A process that runs ``application.py``.

    Args:
        interpreter: Python interpreter that runs it.
        plan: See ``application.py``.
        environment: Environment variables that it gets as well.
    """

    def __init__(self, interpreter, plan, environment=()):
        self.output = Output()
        self._changed = threading.Condition()
        self._words = set()
        self._process = subprocess.Popen(
            [interpreter, str(_HERE / "application.py"), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            env={**os.environ, **dict(environment)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            with self._changed:
                if word == "calling":
                    number, _, started = rest.partition(" ")
                    self.output.cut_off[int(number)] = (float(started), float("inf"))
                elif word == "accepted":
                    number, _, returned = rest.partition(" ")
                    started, _ = self.output.cut_off.pop(int(number))
                    self.output.accepted[int(number)] = (started, float(returned))
                elif word == "log":
                    self.output.logs.append(rest)
                elif word == "lost":
                    self.output.counted += int(rest)
                elif word == "report":
                    self.output.report = json.loads(rest)
                self._words.add(word)
                self._changed.notify_all()
        with self._changed:
            self._words.add("ended")
            self._changed.notify_all()

    @property
    def pid(self):
        """The number of the process."""
        return self._process.pid

    def tell(self, line):
        """Write *line* to its standard input."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def has_written(self, word):
        """Return whether it wrote a line that begins with *word*."""
        with self._changed:
            return word in self._words

    def wait_for(self, word, timeout=60.0):
        """Wait until it wrote a line that begins with *word*, or ended."""
        with self._changed:
            self._changed.wait_for(lambda: word in self._words or "ended" in self._words, timeout)

    def wait_for_accepted(self, number, timeout=60.0):
        """Wait until *number* of its calls have returned, or it ended."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self.output.accepted) >= number or "ended" in self._words, timeout
            )

    def signal(self, number):
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self, timeout=120.0):
        """Wait for its end, and kill it with its children after *timeout*; return its output."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.output.exit_code = self._process.wait(timeout)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(10)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        ended_at = time.monotonic()
        self.output.cut_off = {number: (times[0], ended_at) for number, times in self.output.cut_off.items()}
        return self.output


def wait(seconds):
    """Wait *seconds* of real time, because the runs use real processes."""
    threading.Event().wait(seconds)


def now():
    """Return the seconds of the machine's monotonic clock."""
    return time.monotonic()
