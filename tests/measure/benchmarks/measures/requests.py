"""How many requests the messages of a day need, next to a search and a write per message and to the fewest possible."""

from __future__ import annotations

from metarouter_intercom import Settings

from ..day import messages_of_a_day
from ..figures import Figure
from ..replay import Replay, last_seen_apart, least_requests, replay_by_client, replay_one_by_one
from .setup import Setup

_MAX_RATIO = 1 / 3
_ONE_BY_ONE = "one-by-one search + write"
_FEWEST = "the fewest possible"


def measure(setup: Setup) -> list[Figure]:
    """Replay a day both ways into workspaces in this process, on a simulated clock: the result does not depend on the machine."""
    messages = messages_of_a_day()
    # Message by message, two events of one second become one; the client must do the same, or the workspaces differ.
    settings = Settings(api_key="benchmark", delivery="manual", spread_events=False)
    ours, single = replay_by_client(messages, settings), replay_one_by_one(messages, settings)
    check_alike(ours, single, settings.last_seen_resolution)
    count = len(messages)
    least = least_requests(messages)
    fewest = sum(least.values())
    figures = [
        _figure(
            "requests a message",
            ours.requests / count,
            single.requests / count,
            limit=_MAX_RATIO,
        ),
        _figure("requests a message", ours.requests / count, fewest / count, peer=_FEWEST),
    ]
    for kind, name in (("contact", "contacts"), ("company", "companies"), ("link", "links of both")):
        figures.append(_figure(f"writes of {name}", ours.counts[kind], single.counts[kind]))
        figures.append(_figure(f"writes of {name}", ours.counts[kind], least[kind], peer=_FEWEST))
    return [*figures, _sparse_day(settings)]


def _sparse_day(settings: Settings) -> Figure:
    """Replay a day with fewer people and short visits."""
    messages = messages_of_a_day(400, 40, pages=5.0)
    ours, single = replay_by_client(messages, settings), replay_one_by_one(messages, settings)
    check_alike(ours, single, settings.last_seen_resolution)
    count = len(messages)
    return _figure("requests a message, sparse day", ours.requests / count, single.requests / count)


def check_alike(ours: Replay, single: Replay, resolution: float) -> None:
    """
    Raise an error unless both replays ended with the same workspace.

    Args:
        ours: The replay with a client.
        single: The replay message by message.
        resolution: How far ``last_seen_at`` may differ, in seconds: the setting ``last_seen_resolution`` (rule O3).
    """
    without = {"last_seen_at"}
    if ours.workspace.snapshot(without=without) != single.workspace.snapshot(without=without):
        raise AssertionError("the two deliveries ended with different workspaces")
    if last_seen_apart(ours.workspace, single.workspace) >= resolution:
        raise AssertionError("last_seen_at differs by more than last_seen_resolution")


def _figure(
    what: str, ours: float, theirs: float, *, peer: str = _ONE_BY_ONE, limit: float | None = None
) -> Figure:
    ratio = ours / theirs
    bound, holds = ("", None) if limit is None else ("at most 1/3", ratio <= limit)
    return Figure("requests", what, ours, peer, theirs, "", ratio, bound, holds)
