"""Clients and transports for tests that deliver: none of them sleeps, and an event ends each wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from metarouter_intercom import Client, ReadFailed
from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock, ScriptedTransport

# Seconds; only a failing test waits so long.
DEADLINE = 20.0


def answering(status: int | None = None, body=None) -> ScriptedTransport:
    """Return a transport that gives every request the same answer, or without a status what Intercom answers."""
    return ScriptedTransport(accept if status is None else lambda request: Response(status, body))


def account(app_id: str = "app-1") -> Response:
    """Return the answer of ``GET /me`` for the workspace *app_id*; a client with a spool asks for it before its first delivery (Q7)."""
    return Response(200, {"type": "admin", "app": {"type": "app", "id_code": app_id}})


def in_workspace(
    answer: Callable[[Request], Response], app_id: str = "app-1"
) -> Callable[[Request], Response]:
    """Return *answer* with an answer to ``GET /me`` before it."""
    return lambda request: account(app_id) if request.path == "/me" else answer(request)


def accept(request: Request) -> Response:
    """Return what Intercom answers when it takes a request: one contact and one company exist for everything that is looked up."""
    if request.path == "/me":
        return account()
    if request.path == "/events":
        return Response(202)
    if request.path == "/contacts/search":
        return Response(200, {"type": "list", "data": []})
    is_company = "companies" in request.path or request.path.startswith("/tags")
    kind = "tag" if request.path.startswith("/tags") else "company" if is_company else "contact"
    return Response(200, {"type": kind, "id": f"{kind}-1", **(request.body or {})})


def manual_client(transport=None, **settings) -> Client:
    """Return a client with its own fake clock that delivers in ``flush`` and ``close`` only."""
    options = {
        "api_key": "secret-key",
        "delivery": "manual",
        "clock": FakeClock(),
        "name": "testing",
    } | settings
    return Client(transport=answering() if transport is None else transport, **options)


def background_client(transport, **settings) -> Client:
    """Return a client with threads and short intervals."""
    options = {"api_key": "secret-key", "flush_interval": 0.01, "backoff_base": 0.001, "backoff_max": 0.01}
    return Client(transport=transport, **options | settings)


def workspace_client(*, search_lag: float = 20.0, **settings) -> tuple[Client, Workspace]:
    """Return a manual client and the workspace in this process that it delivers to; the workspace's searches lag by default."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, search_lag=search_lag)
    return manual_client(WorkspaceTransport(workspace), clock=clock, **settings), workspace


class BlockingTransport:
    """
    A transport whose requests wait until the test lets them through.

    Attributes:
        entered: Set when the first request waits.
        requests: The requests that were answered.
    """

    def __init__(self, answer: Callable[[Request], Response] = lambda request: Response(202)) -> None:
        self.entered = threading.Event()
        self.requests: list[Request] = []
        self._answer = answer
        self._released = threading.Event()
        self._is_broken = False

    def let_through(self) -> None:
        """Answer the waiting requests and all later ones."""
        self._released.set()

    def refuse(self) -> None:
        """Raise an error for the waiting requests and all later ones."""
        self._is_broken = True
        self._released.set()

    def send(self, request: Request) -> Response:
        self.entered.set()
        if not self._released.wait(DEADLINE) or self._is_broken:
            raise ReadFailed("refused")
        self.requests.append(request)
        return self._answer(request)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def in_thread(work: Callable[[], object]) -> threading.Thread:
    """Start *work* in a thread and return the thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
