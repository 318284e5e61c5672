"""What it costs a delivery that no two different events share a second (rule E10), in memory and with the spool."""

from __future__ import annotations

from statistics import median

from ..figures import Figure
from ..interleaving import ratio, run_interleaved, runner_command, sink
from .setup import Setup

_MESSAGES = 60
# Many short rounds, so that other work on the machine affects both sides alike.
_ROUNDS_FACTOR = 16
# The largest ratio for each buffer.
_BOUNDS = {"memory": ("at most 1.03", 1.03), "spool": ("at most 1.10", 1.10)}


def measure(setup: Setup) -> list[Figure]:
    """Compare the processor time of deliveries with the setting ``spread_events`` on and off."""
    with sink() as address:
        commands = {
            f"{buffer} {spreading}": runner_command(setup.python, "deliver", buffer, spreading, address)
            for buffer in _BOUNDS
            for spreading in ("on", "off")
        }
        results = run_interleaved(commands, rounds=setup.rounds * _ROUNDS_FACTOR, size=_MESSAGES)
    figures = []
    for buffer, (bound, limit) in _BOUNDS.items():
        spread, plain = results[f"{buffer} on"], results[f"{buffer} off"]
        measured = ratio(spread, plain)
        what = "delivering in memory" if buffer == "memory" else "delivering with the spool"
        figures.append(
            Figure(
                "spreading",
                what,
                median(spread),
                "spread_events=False",
                median(plain),
                "µs",
                measured,
                bound,
                measured <= limit,
                min(spread) / min(plain),
            )
        )
    return figures
