"""How numbers and reports are shown to a person."""

from __future__ import annotations

import attrs

from .._report import Report
from .._types import JsonObject

_PLAIN = ("delivered", "merged", "unchanged", "retried", "held", "pending", "duplicates")
_REASONED = ("skipped", "dropped", "rejected", "dead", "notes")


def report_lines(report: Report) -> list[str]:
    """Return *report* as lines: the numbers that are not 0, then the reasons, the commonest first."""
    facts = attrs.asdict(report)
    numbers = [f"{facts[name]:,} {name}" for name in _PLAIN if facts[name]]
    lines = [f"{report.accepted:,} accepted: " + (", ".join(numbers) or "nothing delivered")]
    for name in _REASONED:
        reasons = sorted(facts[name].items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {name}: {count:,} x {reason}" for reason, count in reasons]
    return lines


def report_object(report: Report) -> JsonObject:
    """Return *report* as a JSON object, by the names of its attributes."""
    shown: JsonObject = attrs.asdict(report)
    return shown


def is_complete(report: Report) -> bool:
    """Tell whether everything that was accepted is in Intercom, or had nothing to do there."""
    return not (
        report.pending
        or sum(report.dead.values())
        or sum(report.rejected.values())
        or sum(report.dropped.values())
    )
