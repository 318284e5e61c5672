"""Clients and transports for the tests of the shell: none of them sleeps, and each wait ends by an event."""

from __future__ import annotations

import threading
from collections.abc import Callable

from metarouter_intercom import Client, ReadFailed
from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock, ScriptedTransport

# Only a failing test ever waits so long.
DEADLINE = 20.0


def answering(status: int = 202, body=None) -> ScriptedTransport:
    """Return a transport that gives every request the same answer."""
    return ScriptedTransport(lambda request: Response(status, body))


def manual_client(transport=None, **choices) -> Client:
    """Return a client that delivers in ``flush`` and ``close`` only, with a clock of its own."""
    given = {"api_key": "secret-key", "delivery": "manual", "clock": FakeClock(), "name": "testing"} | choices
    return Client(transport=answering() if transport is None else transport, **given)


def background_client(transport, **choices) -> Client:
    """Return a client with threads, quick to look and to repeat."""
    given = {"api_key": "secret-key", "flush_interval": 0.01, "backoff_base": 0.001, "backoff_max": 0.01}
    return Client(transport=transport, **given | choices)


def workspace_client(**choices) -> tuple[Client, Workspace]:
    """Return a manual client and the workspace in process that it writes to."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now)
    return manual_client(WorkspaceTransport(workspace), clock=clock, **choices), workspace


class Gated:
    """
    A transport whose requests wait until they are let through.

    Attributes:
        entered: Set once a request waits.
        requests: Those that were let through or refused.
    """

    def __init__(self, answer: Callable[[Request], Response] = lambda request: Response(202)) -> None:
        self.entered = threading.Event()
        self.requests: list[Request] = []
        self._answer = answer
        self._open = threading.Event()
        self._is_broken = False

    def let_through(self) -> None:
        """Let the waiting requests and all later ones pass."""
        self._open.set()

    def refuse(self) -> None:
        """End the waiting requests and all later ones without an answer."""
        self._is_broken = True
        self._open.set()

    def send(self, request: Request) -> Response:
        self.entered.set()
        if not self._open.wait(DEADLINE) or self._is_broken:
            raise ReadFailed("refused")
        self.requests.append(request)
        return self._answer(request)

    def close(self) -> None:
        """Nothing is held."""


def in_thread(work: Callable[[], object]) -> threading.Thread:
    """Start *work* in a thread and return that."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
