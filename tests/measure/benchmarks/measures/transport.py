"""Requests a second on one connection, beside a bare pool, a session and the official client."""

from __future__ import annotations

from statistics import median

from ..contest import compete, module, ratio, sink
from ..figures import Figure
from .setup import Setup

# Short turns and many of them: what else the machine does meets all alike.
_REQUESTS = 100
_TURNS = 4
_NAMES = {
    "urllib3": "bare urllib3 PoolManager",
    "session": "requests.Session.post",
    "contacts": "python-intercom, contacts",
    "events": "python-intercom, events",
}
_LEAST = 0.8


def measure(setup: Setup) -> list[Figure]:
    """Compare loops of one request after the other against a local server in another process."""
    with sink() as address:
        commands = {
            "ours": module(setup.python, "transport", "ours", address),
            "urllib3": module(setup.python, "transport", "urllib3", address),
            "session": module(setup.python, "transport", "session", address),
            "contacts": module(setup.peers, "transport", "contacts", address),
            "events": module(setup.peers, "transport", "events", address),
        }
        found = compete(commands, rounds=setup.rounds * _TURNS, number=_REQUESTS)
    figures = []
    for who, name in _NAMES.items():
        times = ratio(found["ours"], found[who])
        is_held = who == "urllib3"
        figures.append(
            Figure(
                "transport",
                "requests on one connection",
                median(found["ours"]),
                name,
                median(found[who]),
                "/s",
                times,
                "at least 0.8" if is_held else "",
                times >= _LEAST if is_held else None,
                max(found["ours"]) / max(found[who]),
            )
        )
    return figures
