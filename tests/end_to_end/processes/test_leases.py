"""Two processes on one spool and a slow server: a long request keeps its lease, a stopped process loses it (rules O1, Q3)."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from ..._support.tiny_server import TinyServer

# Seconds of a lease: long enough for a busy machine, short enough for a test.
_LEASE = 1.0
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_WAIT = 60.0
_CLIENT = f"""
from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

spool = SpoolBuffer({{path!r}}, limit=100, dead_letters=100, lease={_LEASE})
client = Client(
    api_key="key", base_url={{address!r}}, delivery="manual", buffer=FallbackBuffer(spool, on_error=print)
)
"""
_SLOW = """
for number in range(2):
    client.track(PERSON, "Happened", {{"number": number}}, timestamp=1_700_000_000 + number)
print("accepted", flush=True)
print(client.flush(50).pending)
client.close(0)
"""
_OTHER = """
print(client.flush({seconds}).pending)
client.close(0)
"""


class _SlowServer:
    """
    Holds the first request until the test lets it go, and accepts all others at once.

    Attributes:
        numbers: Of the events, as they arrived.
        holds: Set while the first request waits.
    """

    def __init__(self):
        self.numbers = []
        self.holds = threading.Event()
        self.goes_on = threading.Event()
        self._lock = threading.Lock()

    def respond(self, asked):
        with self._lock:
            is_first = not self.numbers
            self.numbers.append(json.loads(asked.body)["metadata"]["number"])
        if is_first:
            self.holds.set()
            assert self.goes_on.wait(_WAIT)
        return _ACCEPTED


@pytest.fixture
def slow():
    """A slow server, and what it received."""
    server = _SlowServer()
    with TinyServer(server.respond) as listener:
        server.url = listener.url
        yield server
        server.goes_on.set()


def _scripts(slow, tmp_path, seconds):
    values = {"path": str(tmp_path / "a.spool"), "address": slow.url, "seconds": seconds}
    return [(_CLIENT + script).format(**values) for script in (_SLOW, _OTHER)]


def test_a_request_that_lasts_longer_than_a_lease_keeps_it(stage, slow, tmp_path):
    """O1: while one process waits for an answer, longer than a lease, no other process sends the contact's messages."""
    holding, other = _scripts(slow, tmp_path, seconds=2.5 * _LEASE)
    process = stage.start(holding)
    assert slow.holds.wait(_WAIT)

    assert stage.run(other).stdout.split() == ["2"]
    slow.goes_on.set()

    assert process.communicate(timeout=_WAIT)[0].split() == ["0"]
    assert slow.numbers == [0, 1]


def test_a_stopped_process_loses_its_lease_and_sends_nothing_more(stage, slow, tmp_path):
    """Q3, O1: another process delivers the messages in their order, and the stopped one does not go on with them when it continues."""
    stopped, other = _scripts(slow, tmp_path, seconds=50)
    process = stage.start(stopped)
    assert slow.holds.wait(_WAIT)
    process.send_signal(signal.SIGSTOP)
    try:
        assert stage.run(other).stdout.split() == ["0"]
        slow.goes_on.set()
    finally:
        process.send_signal(signal.SIGCONT)

    assert process.communicate(timeout=_WAIT)[0].split() == ["0"]
    assert slow.numbers == [0, 0, 1]
