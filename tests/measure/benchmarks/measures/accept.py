"""What ``track()`` costs the caller, in memory and with the spool, next to the calls of the peers."""

from __future__ import annotations

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
_MEMORY, _SPOOL = "track() in memory", "track() with the spool"
# Name of the benchmark, what is measured, our runner, the peer, the bound in words, the largest ratio.
_ROWS: tuple[tuple[str, str, str, str, str, float | None], ...] = (
    ("accept", _MEMORY, "ours", "segment", "at most 1/4", 0.25),
    ("accept", _MEMORY, "ours", "sentry", "below it", 1.0),
    ("accept", _MEMORY, "ours", "rudder", "", None),
    ("accept", _MEMORY, "ours", "posthog", "", None),
    ("durable", _SPOOL, "spool", "segment", "at most 1", 1.0),
)


def measure(setup: Setup) -> list[Figure]:
    """Compare calls of ``track()`` with six properties and a context of three keys, while everything is really sent."""
    with sink() as address:
        interpreters = {"ours": setup.python, "spool": setup.python, **dict.fromkeys(_PEERS, setup.peers)}
        commands = {
            name: runner_command(python, "accept", name, address) for name, python in interpreters.items()
        }
        results = run_interleaved(commands, rounds=setup.rounds, size=_CALLS, warm_up=2)
    calls = {name: [one["call"] for one in rounds] for name, rounds in results.items()}
    figures = []
    for name, what, own, peer, bound, limit in _ROWS:
        ours, theirs = calls[own], calls[peer]
        measured = ratio(ours, theirs)
        holds = None if limit is None else measured <= limit
        best = min(ours) / min(theirs)
        figures.append(
            Figure(name, what, median(ours), _PEERS[peer], median(theirs), "µs", measured, bound, holds, best)
        )
    return figures
