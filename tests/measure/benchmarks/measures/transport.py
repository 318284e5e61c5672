"""Requests per second on one connection, next to a bare pool, a session and the official client."""

from __future__ import annotations

from statistics import median

from ..figures import Figure
from ..interleaving import ratio, run_interleaved, runner_command, sink
from .setup import Setup

# Many short rounds, so that other work on the machine affects all libraries alike.
_REQUESTS = 100
_ROUNDS_FACTOR = 4
_PEERS = {
    "urllib3": "bare urllib3 PoolManager",
    "session": "requests.Session.post",
    "contacts": "python-intercom, contacts",
    "events": "python-intercom, events",
}
_MIN_RATIO = 0.8


def measure(setup: Setup) -> list[Figure]:
    """Compare loops that send one request after the other to a local server in another process."""
    with sink() as address:
        commands = {
            "ours": runner_command(setup.python, "transport", "ours", address),
            "urllib3": runner_command(setup.python, "transport", "urllib3", address),
            "session": runner_command(setup.python, "transport", "session", address),
            "contacts": runner_command(setup.peers, "transport", "contacts", address),
            "events": runner_command(setup.peers, "transport", "events", address),
        }
        results = run_interleaved(commands, rounds=setup.rounds * _ROUNDS_FACTOR, size=_REQUESTS)
    figures = []
    for who, name in _PEERS.items():
        measured = ratio(results["ours"], results[who])
        is_bound = who == "urllib3"
        figures.append(
            Figure(
                "transport",
                "requests on one connection",
                median(results["ours"]),
                name,
                median(results[who]),
                "/s",
                measured,
                "at least 0.8" if is_bound else "",
                measured >= _MIN_RATIO if is_bound else None,
                max(results["ours"]) / max(results[who]),
            )
        )
    return figures
