"""Starts, kills and ends the processes of a run: the far end and the applications."""

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
_TOP = _HERE.parent.parent


class FarEnd:
    """
    The server process that a run's applications talk to.

    Args:
        kind: ``intercom`` or ``receiver``.
        choices: Of the sandbox's workspace.
    """

    def __init__(self, kind, **choices):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.measure.faults.server", kind, json.dumps(choices)],
            cwd=_TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = json.loads(self._process.stdout.readline())["address"]

    def tell(self, do, **facts):
        """Send one command and return its answer."""
        self._process.stdin.write(json.dumps({"do": do, **facts}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def faults(self, **faults):
        """Put faults in place; see ``read_faults``."""
        self.tell("faults", faults=faults)

    def show(self):
        """Return what arrived."""
        return self.tell("show")

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


class Told:
    """
    What an application told on its way.

    Attributes:
        accepted: Number -> (begun, returned), both in Unix seconds, of each call that returned.
        cut_off: The same of the calls that the process died in; the end is the process's.
        logs: What the library logged.
        counted: How many messages the library itself said are lost.
        report: Its last report, or None.
        exit_code: Below 0 for a signal; None when it had to be killed because it did not end.
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
    One run of ``host.py``.

    Args:
        interpreter: Which Python runs it.
        plan: See ``host.py``.
    """

    def __init__(self, interpreter, plan):
        self.told = Told()
        self._seen = threading.Condition()
        self._words = set()
        self._process = subprocess.Popen(
            [interpreter, str(_HERE / "host.py"), json.dumps(plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            with self._seen:
                if word == "calling":
                    number, _, begun = rest.partition(" ")
                    self.told.cut_off[int(number)] = (float(begun), float("inf"))
                elif word == "accepted":
                    number, _, returned = rest.partition(" ")
                    begun, _ = self.told.cut_off.pop(int(number))
                    self.told.accepted[int(number)] = (begun, float(returned))
                elif word == "log":
                    self.told.logs.append(rest)
                elif word == "lost":
                    self.told.counted += int(rest)
                elif word == "report":
                    self.told.report = json.loads(rest)
                self._words.add(word)
                self._seen.notify_all()
        with self._seen:
            self._words.add("ended")
            self._seen.notify_all()

    def wait_for(self, word, timeout=60.0):
        """Wait until it told a line that begins with *word*, or ended."""
        with self._seen:
            self._seen.wait_for(lambda: word in self._words or "ended" in self._words, timeout)

    def wait_for_accepted(self, number, timeout=60.0):
        """Wait until *number* of its calls returned, or it ended."""
        with self._seen:
            self._seen.wait_for(lambda: len(self.told.accepted) >= number or "ended" in self._words, timeout)

    def signal(self, number):
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self, timeout=120.0):
        """Wait for its end; kill it with its children when it does not come. Returns what it told."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.told.exit_code = self._process.wait(timeout)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(10)
        self._process.stdout.close()
        ended_at = time.time()
        self.told.cut_off = {number: (times[0], ended_at) for number, times in self.told.cut_off.items()}
        return self.told


def let_pass(seconds):
    """Let *seconds* of real time pass: the runs are about real processes."""
    threading.Event().wait(seconds)


def now():
    """Return the Unix time."""
    return time.time()
