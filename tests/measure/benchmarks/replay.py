"""A day replayed into two workspaces on a clock of its own: by a client, and as the usual destinations do it."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from metarouter_intercom import Client, Report, Settings
from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.sandbox.transport import WorkspaceTransport
from metarouter_intercom.sandbox.workspace import Workspace

from .day import MIDNIGHT, attributes
from .usual import UsualDestination


class ModelClock:
    """A clock that goes where it is told to."""

    def __init__(self, now: float) -> None:
        self.at = now

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.at += seconds


class CountingTransport:
    """
    Hands requests to a workspace in this process and counts them.

    Attributes:
        counts: ``contact``, ``company``, ``link``, ``event``, ``other`` -> requests.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.counts: Counter[str] = Counter()
        self._transport = WorkspaceTransport(workspace)

    def send(self, request: Request) -> Response:
        """Count the request and hand it on."""
        self.counts[_kind(request)] += 1
        return self._transport.send(request)

    def close(self) -> None:
        """Nothing is held."""


class Replay(NamedTuple):
    """
    What a replay left and took.

    Attributes:
        workspace: As it is at the end of the day.
        counts: Kind -> requests.
        report: Of the client; None for the usual destination.
    """

    workspace: Workspace
    counts: Counter[str]
    report: Report | None

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(self.counts.values())


def replay_by_client(messages: list[dict[str, Any]], settings: Settings) -> Replay:
    """
    Replay through a client that delivers once a second, as the default ``flush_interval`` has it.

    Args:
        messages: Of a day; the clock follows their instants.
        settings: With ``delivery="manual"``: workers follow the machine's clock, not a day's.
    """
    clock = ModelClock(MIDNIGHT)
    workspace = _workspace(clock)
    transport = CountingTransport(workspace)
    client = Client(settings, transport=transport, clock=clock)
    due_at = 0.0
    for message in messages:
        at: float = message["timestamp"]
        if at >= due_at:
            client.flush()
            due_at = at + settings.flush_interval
        clock.at = max(clock.at, at)
        client.send(message)
    client.flush()
    return Replay(workspace, transport.counts, client.close())


def replay_one_by_one(messages: list[dict[str, Any]], settings: Settings) -> Replay:
    """Replay with a search and a write for each message."""
    clock = ModelClock(MIDNIGHT)
    workspace = _workspace(clock)
    transport = CountingTransport(workspace)
    destination = UsualDestination(settings, transport)
    for message in messages:
        clock.at = max(clock.at, message["timestamp"])
        destination.deliver(message)
    return Replay(workspace, transport.counts, None)


def least_requests(messages: list[dict[str, Any]]) -> Counter[str]:
    """Return the fewest requests that leave the same workspace: one for each contact, company, link and event."""
    return Counter(
        contact=len({message["userId"] for message in messages}),
        company=len({message["groupId"] for message in messages if "groupId" in message}),
        link=len({(message["userId"], message["groupId"]) for message in messages if "groupId" in message}),
        event=sum(message["type"] == "track" for message in messages),
    )


def last_seen_apart(one: Workspace, other: Workspace) -> float:
    """Return the longest time, in seconds, by which ``last_seen_at`` of a contact differs; it is refreshed now and then only (O3)."""
    seen: dict[Any, Any] = {contact["external_id"]: contact["last_seen_at"] for contact in one.contacts()}
    return max(abs(seen[contact["external_id"]] - contact["last_seen_at"]) for contact in other.contacts())  # type: ignore[operator, type-var, return-value]  # numbers, as every contact has been seen


def _workspace(clock: ModelClock) -> Workspace:
    # The rate is a measure of its own; here nobody is to wait.
    return Workspace(
        now=clock.now, attributes=attributes(), app_limit=1_000_000, workspace_limit=1_000_000, log_limit=1
    )


def _kind(request: Request) -> str:
    path = request.path
    if path == "/events":
        return "event"
    if path == "/companies":
        return "company"
    if path.endswith("/companies"):
        return "link"
    if path.startswith("/contacts") and request.method in ("POST", "PUT") and path != "/contacts/search":
        return "contact"
    return "other"
