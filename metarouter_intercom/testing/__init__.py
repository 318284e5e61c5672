"""For the tests of your own application: a recording client, Intercom in process, a scripted transport, a clock that only moves when told."""

from ._clock import FakeClock
from ._in_process import IntercomTestMixin, Session, connect, intercom, undelivered
from ._recording import RecordingClient
from ._scripted import ScriptedTransport, UnexpectedRequest

__all__ = [
    "FakeClock",
    "IntercomTestMixin",
    "RecordingClient",
    "ScriptedTransport",
    "Session",
    "UnexpectedRequest",
    "connect",
    "intercom",
    "undelivered",
]
