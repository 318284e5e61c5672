"""What ``track()`` costs the caller, in memory and with the spool, next to the calls of the peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from ..figures import Figure
from ..interleaving import ratio, run_interleaved, runner_command, sink
from .setup import Setup

_CALLS = 500
_PEERS = {
    "segment": "segment-analytics-python",
    "sentry": "sentry-sdk logs",
    "rudder": "rudder-sdk-python",
    "posthog": "posthog",
}


def measure(setup: Setup) -> list[Figure]:
    """Compare calls of ``track()`` with six properties and a context of three keys, while everything is really sent."""
    with sink() as address:
        ours = {name: runner_command(setup.python, "accept", name, address) for name in ("ours", "spool")}
        theirs = {name: runner_command(setup.peers, "accept", name, address) for name in _PEERS}
        results = run_interleaved(ours | theirs, rounds=setup.rounds, size=_CALLS, warm_up=2)
    calls = {name: [one["call"] for one in rounds] for name, rounds in results.items()}
    memory, spool = "track() in memory", "track() with the spool"
    return [
        _figure("accept", memory, "segment", calls["ours"], calls, bound="at most 1/4", limit=0.25),
        _figure("accept", memory, "sentry", calls["ours"], calls, bound="below it", limit=1.0),
        _figure("accept", memory, "rudder", calls["ours"], calls),
        _figure("accept", memory, "posthog", calls["ours"], calls),
        _figure("durable", spool, "segment", calls["spool"], calls, bound="at most 1", limit=1.0),
    ]


def _figure(
    name: str,
    what: str,
    peer: str,
    ours: Sequence[float],
    calls: Mapping[str, Sequence[float]],
    *,
    bound: str = "",
    limit: float | None = None,
) -> Figure:
    theirs = calls[peer]
    measured = ratio(ours, theirs)
    holds = None if limit is None else measured <= limit
    best = min(ours) / min(theirs)
    return Figure(name, what, median(ours), _PEERS[peer], median(theirs), "µs", measured, bound, holds, best)
