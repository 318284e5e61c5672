"""A counting Intercom for real host processes: one sandbox for the folder, one person for each test, and apps in fresh processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from itertools import count

import pytest

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Sandbox

# Only a failing test ever waits so long.
DEADLINE = 60.0
_PRELUDE = """
import atexit, itertools, logging, os, sys, threading, time
from metarouter_intercom import Client

ADDRESS, PERSON = os.environ["HOSTS_ADDRESS"], os.environ["HOSTS_PERSON"]
_numbers = itertools.count()


def make(**choices):
    defaults = {"api_key": "sandbox-token", "base_url": ADDRESS, "flush_interval": 0.05}
    return Client(**defaults | choices)


def track(client, times=1):
    for _ in range(times):
        number = os.getpid() * 1000 + next(_numbers)
        client.track(PERSON, "Happened", {"number": number}, timestamp=1_000_000_000 + number)


"""
_GUNICORN = """
def post_worker_init(worker):
    open(f"ready-{worker.pid}", "w").close()
"""
# A WSGI app with a client of its module: one message for each request.
WSGI_APP = """
client = make()


def application(environ, start_response):
    track(client)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
    return [b"x"]
"""


@pytest.fixture(scope="package")
def sandbox():
    """One server for all hosts."""
    with Sandbox() as server:
        yield server


class Host:
    """
    Runs apps in processes of their own, and counts what arrives from them.

    Attributes:
        folder: Where the app's module ``app`` is.
    """

    def __init__(self, sandbox, person, folder):
        self._sandbox = sandbox
        self._person = person
        self._processes = []
        self.folder = folder
        # gunicorn reads this file by itself.
        (folder / "gunicorn.conf.py").write_text(_GUNICORN, encoding="utf-8")
        self._repeated = sandbox.workspace.repeated_events
        sandbox.workspace.handle(Request("POST", "/contacts", {"role": "user", "external_id": person}))

    def write(self, app):
        """Write the module ``app``, after the lines that all apps share."""
        (self.folder / "app.py").write_text(_PRELUDE + textwrap.dedent(app), encoding="utf-8")

    def start(self, *command):
        """Start *command* in the app's folder."""
        output = (self.folder / "output").open("wb")
        environ = {
            **os.environ,
            "HOSTS_ADDRESS": self._sandbox.url,
            "HOSTS_PERSON": self._person,
            "PYTHONPATH": str(self.folder),
            "PYTHONWARNINGS": "ignore",
        }
        # A job of a shell that runs in the background ignores Ctrl-C, and so would everything that it starts.
        ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT, env=environ
            )
        finally:
            signal.signal(signal.SIGINT, ignored)
        output.close()
        self._processes.append(process)
        return process

    def run(self, app, *, expect=0):
        """Run *app* as a script to its end; return what it printed."""
        self.write(app)
        process = self.start(sys.executable, "app.py")
        status = process.wait(DEADLINE)
        assert status == expect, self.output
        return self.output

    def request(self, port, times):
        """Send *times* requests to a server on *port*, which may still be starting."""
        deadline = time.monotonic() + DEADLINE
        left = times
        while left:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=DEADLINE) as answer:
                    assert answer.status == 200
                left -= 1
            except ConnectionError:
                assert time.monotonic() < deadline, self.output
                time.sleep(0.05)  # the server does not listen yet, and has no way to tell
            except OSError as error:
                if not isinstance(getattr(error, "reason", None), ConnectionError):
                    raise
                assert time.monotonic() < deadline, self.output
                time.sleep(0.05)

    def wait_for_events(self, number):
        """Return when so many events have arrived, or it is clear that they do not arrive."""
        deadline = time.monotonic() + DEADLINE
        while len(self.numbers) < number and time.monotonic() < deadline:
            time.sleep(0.02)  # another process delivers them

    def wait_for_workers(self, number):
        """Return when so many workers of gunicorn handle signals: one that starts may miss the signal to end."""
        self.wait_for_files("ready-*", number)

    def wait_for_files(self, pattern, number):
        """Return when the processes have made so many files."""
        deadline = time.monotonic() + DEADLINE
        while len(list(self.folder.glob(pattern))) < number:
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)  # another process makes them

    def stop(self, process, signal_number):
        """Ask *process* to end and wait for that; return how many seconds it took."""
        began = time.monotonic()
        process.send_signal(signal_number)
        process.wait(DEADLINE)
        return time.monotonic() - began

    @property
    def output(self):
        """What the processes printed."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    @property
    def numbers(self):
        """The numbers of the events that arrived."""
        return [event.metadata["number"] for event in self._sandbox.workspace.events(self._person)]

    @property
    def repeated(self):
        """How many events were sent more than once since this test began."""
        return self._sandbox.workspace.repeated_events - self._repeated

    def end(self):
        """Kill what is still running."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait(DEADLINE)


_persons = count(1)


@pytest.fixture
def host(sandbox, tmp_path):
    """A host whose events nobody else sends."""
    made = Host(sandbox, f"host-{next(_persons)}", tmp_path)
    yield made
    made.end()
