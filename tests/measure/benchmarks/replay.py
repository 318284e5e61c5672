"""Replays a day on a simulated clock into two workspaces: with a client, and message by message as most destinations do."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from metarouter_intercom import Client, Report, Settings
from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.sandbox.transport import WorkspaceTransport
from metarouter_intercom.sandbox.workspace import Workspace

from .day import MIDNIGHT, attributes
from .one_by_one import OneByOneDestination


class ModelClock:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.at = now

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move the clock by *seconds* without waiting."""
        self.at += seconds


class CountingTransport:
    """
    Sends requests to a workspace in this process and counts them.

    Attributes:
        counts: ``contact``, ``company``, ``link``, ``event``, ``other`` -> requests.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.counts: Counter[str] = Counter()
        self._transport = WorkspaceTransport(workspace)

    def send(self, request: Request) -> Response:
        """Count the request and send it."""
        self.counts[_kind(request)] += 1
        return self._transport.send(request)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class Replay(NamedTuple):
    """
    The result of a replay.

    Attributes:
        workspace: The workspace at the end of the day.
        counts: Kind -> number of requests.
        report: The client's report; None for message by message.
    """

    workspace: Workspace
    counts: Counter[str]
    report: Report | None

    @property
    def requests(self) -> int:
        """Number of all requests."""
        return sum(self.counts.values())


def replay_by_client(messages: list[dict[str, Any]], settings: Settings) -> Replay:
    """
    Replay with a client that delivers once a second, the default ``flush_interval``.

    Args:
        messages: The messages of a day; the clock follows their timestamps.
        settings: With ``delivery="manual"``, because background threads follow the clock of the machine.
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
    destination = OneByOneDestination(settings, transport)
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
    """Return the largest difference of ``last_seen_at`` of a contact, in seconds; the client does not write every change of it (rule O3)."""
    seen: dict[Any, Any] = {contact["external_id"]: contact["last_seen_at"] for contact in one.contacts()}
    return max(abs(seen[contact["external_id"]] - contact["last_seen_at"]) for contact in other.contacts())  # type: ignore[operator, type-var, return-value]  # numbers, because every contact has been seen


def _workspace(clock: ModelClock) -> Workspace:
    # Without a rate limit, which would only make the replay wait, and without a lag: one by one relies on each search.
    return Workspace(
        now=clock.now,
        attributes=attributes(),
        app_limit=1_000_000,
        workspace_limit=1_000_000,
        log_limit=1,
        search_lag=0.0,
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
