"""The benchmark of requests with a small day; it only counts, so its result does not depend on the machine."""

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

SETTINGS = Settings(api_key="test", delivery="manual", spread_events=False)


def test_a_day_needs_a_third_of_the_requests_for_the_same_workspace() -> None:
    """The client needs at most a third of the requests of a search and a write per message, with the same result."""
    messages = messages_of_a_day(40, 4)

    ours, single = replay_by_client(messages, SETTINGS), replay_one_by_one(messages, SETTINGS)

    without = {"last_seen_at"}
    assert ours.workspace.snapshot(without=without) == single.workspace.snapshot(without=without)
    assert last_seen_apart(ours.workspace, single.workspace) < SETTINGS.last_seen_resolution
    assert ours.workspace.violations == []
    assert ours.report is not None
    assert ours.report.delivered == len(messages)
    assert sum(least_requests(messages).values()) <= ours.requests <= single.requests / 3


def test_a_day_has_the_documented_mix() -> None:
    """Of a hundred messages of a day, 40 are identifies, 45 tracks and 15 groups, and the same seed gives the same messages."""
    messages = messages_of_a_day(200, 20)

    counts = Counter(message["type"] for message in messages)
    shares = {kind: round(100 * count / len(messages)) for kind, count in counts.items()}
    assert shares == {"identify": 40, "track": 45, "group": 15}
    assert messages == messages_of_a_day(200, 20)


def test_the_samples_have_the_documented_mix() -> None:
    """Half of the samples are tracks, a third identifies, the rest groups."""
    counts = Counter(message["type"] for message in mixed(600))

    assert counts == {"track": 300, "identify": 200, "group": 100}
