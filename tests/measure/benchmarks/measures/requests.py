"""How many requests a day's messages take, beside one search and one write a message, and beside the fewest possible."""

from __future__ import annotations

from metarouter_intercom import Settings

from ..day import messages_of_a_day
from ..figures import Figure
from ..replay import Replay, last_seen_apart, least_requests, replay_by_client, replay_one_by_one
from .setup import Setup

_MOST = 1 / 3
_USUAL = "one-by-one search + write"


def measure(setup: Setup) -> list[Figure]:
    """Replay a day both ways into workspaces in this process; the clock is the day's own, so nothing here depends on the machine."""
    messages = messages_of_a_day()
    settings = Settings(api_key="benchmark", delivery="manual")
    ours, usual = replay_by_client(messages, settings), replay_one_by_one(messages, settings)
    check_alike(ours, usual, settings.last_seen_resolution)
    count = len(messages)
    least = least_requests(messages)
    fewest = sum(least.values())
    figures = [
        _figure("requests a message", ours.requests / count, _USUAL, usual.requests / count, most=_MOST),
        _figure("requests a message", ours.requests / count, "the fewest possible", fewest / count),
    ]
    for kind, told in (("contact", "contacts"), ("company", "companies"), ("link", "links of both")):
        figures.append(_figure(f"writes of {told}", ours.counts[kind], _USUAL, usual.counts[kind]))
        figures.append(_figure(f"writes of {told}", ours.counts[kind], "the fewest possible", least[kind]))
    return [*figures, _sparse_day(settings)]


def _sparse_day(settings: Settings) -> Figure:
    """Replay a day of fewer people and short visits."""
    messages = messages_of_a_day(400, 40, pages=5.0)
    ours, usual = replay_by_client(messages, settings), replay_one_by_one(messages, settings)
    check_alike(ours, usual, settings.last_seen_resolution)
    count = len(messages)
    return _figure("requests a message, sparse day", ours.requests / count, _USUAL, usual.requests / count)


def check_alike(ours: Replay, usual: Replay, resolution: float) -> None:
    """
    Raise unless both left the same workspace.

    Args:
        ours: By a client.
        usual: One by one.
        resolution: Seconds by which ``last_seen_at`` may differ, as the settings say (O3).
    """
    without = {"last_seen_at"}
    if ours.workspace.snapshot(without=without) != usual.workspace.snapshot(without=without):
        raise AssertionError("the two deliveries left different workspaces")
    if last_seen_apart(ours.workspace, usual.workspace) >= resolution:
        raise AssertionError("last_seen_at is further apart than last_seen_resolution allows")


def _figure(what: str, ours: float, peer: str, theirs: float, most: float | None = None) -> Figure:
    times = ours / theirs
    bound, holds = ("", None) if most is None else ("at most 1/3", times <= most)
    return Figure("requests", what, ours, peer, theirs, "", times, bound, holds)
