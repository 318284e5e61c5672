"""The caller's cost of ``track()`` in memory, and of a durable one, beside the peers' calls."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ..contest import compete, module, ratio, sink
from ..figures import Figure
from .setup import Setup

_CALLS = 500
_NAMES = {
    "segment": "segment-analytics-python",
    "sentry": "sentry-sdk logs",
    "rudder": "rudder-sdk-python",
    "posthog": "posthog",
}
_QUARTER = "at most 1/4"


def measure(setup: Setup) -> list[Figure]:
    """Compare ``track()`` with six properties and a context of three keys while everything is really sent."""
    with sink() as address:
        ours = {who: module(setup.python, "accept", who, address) for who in ("ours", "spool")}
        theirs = {who: module(setup.peers, "accept", who, address) for who in _NAMES}
        found = compete(ours | theirs, rounds=setup.rounds, number=_CALLS, warm_up=2)
    calls = {who: [one["call"] for one in rounds] for who, rounds in found.items()}
    figures = []
    for who, bound, most in (
        ("segment", _QUARTER, 0.25),
        ("sentry", "below it", 1.0),
        ("rudder", "", None),
        ("posthog", "", None),
    ):
        figures.append(_figure("accept", "track() in memory", calls["ours"], calls[who], who, bound, most))
    figures.append(
        _figure(
            "durable",
            "track() with the spool",
            calls["spool"],
            calls["segment"],
            "segment",
            "at most 1",
            1.0,
        )
    )
    return figures


def _figure(
    name: str,
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    who: str,
    bound: str,
    most: float | None,
) -> Figure:
    times = ratio(ours, theirs)
    holds = None if most is None else times <= most
    best = min(ours) / min(theirs)
    return Figure(name, what, median(ours), _NAMES[who], median(theirs), "µs", times, bound, holds, best)
