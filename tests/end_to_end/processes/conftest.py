"""One sandbox for all tests of the folder, a person of its own for each test, and scripts in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from itertools import count

import pytest

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Faults, Sandbox

# Only a failing test ever waits so long.
DEADLINE = 60.0
_PRELUDE = """
import atexit, os, signal, sys, threading, time
from metarouter_intercom import Client

ADDRESS, PERSON = sys.argv[1:3]
# A shell ignores SIGINT for its background jobs, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def make(**choices):
    defaults = {"api_key": "sandbox-token", "base_url": ADDRESS, "flush_interval": 0.01, "backoff_base": 0.01}
    return Client(**defaults | choices)


def track(client, *numbers):
    for number in numbers:
        client.track(PERSON, "Happened", {"number": number}, timestamp=1_700_000_000 + number)


def wait_for(children):
    failed = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert not any(failed), failed


"""


@pytest.fixture(scope="package")
def sandbox():
    """One server for all scripts."""
    with Sandbox() as server:
        yield server


class Stage:
    """
    One person of the workspace, and scripts that track events of that person.

    Attributes:
        person: The external id.
    """

    def __init__(self, sandbox: Sandbox, person: str) -> None:
        self._sandbox = sandbox
        self.person = person
        self._repeated = sandbox.workspace.repeated_events
        sandbox.workspace.handle(Request("POST", "/contacts", {"role": "user", "external_id": person}))

    def command(self, script: str) -> list[str]:
        """Return the command line that runs *script*, after the lines that all scripts share."""
        return [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",  # about forking with threads, which many of these tests do on purpose
            "-c",
            _PRELUDE + textwrap.dedent(script),
            self._sandbox.url,
            self.person,
        ]

    def run(
        self, script: str, *, expect: int = 0, timeout: float = DEADLINE
    ) -> subprocess.CompletedProcess[str]:
        """Run *script* to its end and check its exit status."""
        done = subprocess.run(self.command(script), capture_output=True, text=True, timeout=timeout)
        assert done.returncode == expect, done.stderr
        return done

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start *script* and return it once it has printed a line."""
        process = subprocess.Popen(
            self.command(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that arrived, in the order in which they did."""
        return [event.metadata["number"] for event in self._sandbox.workspace.events(self.person)]

    @property
    def repeated(self) -> int:
        """How many events were sent more than once since this test began."""
        return self._sandbox.workspace.repeated_events - self._repeated


_names = count(1)


@pytest.fixture
def stage(sandbox):
    """A person that no other test uses, in a workspace without faults."""
    sandbox.faults = Faults()
    return Stage(sandbox, f"person-{next(_names)}")
