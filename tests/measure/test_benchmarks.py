"""The benchmark of requests, on a small day: it counts and compares, so nothing in it depends on the machine."""

from __future__ import annotations

from collections import Counter

from metarouter_intercom import Settings
from tests.measure.benchmarks.day import messages_of_a_day
from tests.measure.benchmarks.replay import (
    last_seen_apart,
    least_requests,
    replay_by_client,
    replay_one_by_one,
)
from tests.measure.benchmarks.samples import mixed

SETTINGS = Settings(api_key="test", delivery="manual")


def test_a_day_takes_a_third_of_the_requests_and_leaves_the_same_workspace() -> None:
    """Merging and unchanged writes save two thirds of one search and one write a message, and change nothing else."""
    messages = messages_of_a_day(40, 4)

    ours, usual = replay_by_client(messages, SETTINGS), replay_one_by_one(messages, SETTINGS)

    without = {"last_seen_at"}
    assert ours.workspace.snapshot(without=without) == usual.workspace.snapshot(without=without)
    assert last_seen_apart(ours.workspace, usual.workspace) < SETTINGS.last_seen_resolution
    assert ours.workspace.violations == []
    assert ours.report is not None
    assert ours.report.delivered == len(messages)
    assert sum(least_requests(messages).values()) <= ours.requests <= usual.requests / 3


def test_a_day_is_mixed_as_told() -> None:
    """Of a day's messages 40 of a hundred identify, 45 track, 15 name a company, and the seed decides them all."""
    messages = messages_of_a_day(200, 20)

    counts = Counter(message["type"] for message in messages)
    shares = {kind: round(100 * count / len(messages)) for kind, count in counts.items()}
    assert shares == {"identify": 40, "track": 45, "group": 15}
    assert messages == messages_of_a_day(200, 20)


def test_the_mixed_workload_is_mixed_as_told() -> None:
    """Half of it tracks, a third identifies, the rest are groups."""
    counts = Counter(message["type"] for message in mixed(600))

    assert counts == {"track": 300, "identify": 200, "group": 100}
