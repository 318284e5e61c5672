"""How messages, numbers and reports are written for a person; knows no command."""

from __future__ import annotations

import sys

import attrs
import click

from .._delivery.report import Report
from .._types import JsonObject

_NUMBERS = ("delivered", "merged", "unchanged", "held", "pending", "duplicates")
_BY_REASON = ("skipped", "dropped", "rejected", "dead", "notes")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print *text*; replace control characters, which may come from messages, and what the terminal's encoding lacks."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
    click.echo(shown.encode(encoding, "replace").decode(encoding), err=err)


def number_of(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 message`` or ``2,000 messages``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Return ``8 s``, ``3 min``, ``5 h 20 min`` or ``2 days 4 h``: exact enough to decide what to do."""
    minutes = round(seconds) // 60
    if not minutes:
        return f"{round(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours_left = divmod(hours, 24)
    return f"{number_of(days, 'day')} {hours_left} h" if days else f"{hours} h {minutes} min"


def report_lines(report: Report) -> list[str]:
    """Return *report* as lines: the numbers except zeros, then the reasons, the most frequent first."""
    values = attrs.asdict(report)
    numbers = [f"{values[name]:,} {name}" for name in _NUMBERS if values[name]]
    lines = [f"{report.accepted:,} accepted: " + (", ".join(numbers) or "nothing delivered")]
    if report.retried:
        # Attempts, not messages, so they do not belong to the numbers above.
        lines.append(f"  retries: {report.retried:,}")
    for name in _BY_REASON:
        reasons = sorted(values[name].items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {name}: {count:,} x {reason}" for reason, count in reasons]
    return lines


def report_object(report: Report) -> JsonObject:
    """Return *report* as a JSON object whose keys are the names of its attributes."""
    values: JsonObject = attrs.asdict(report)
    return values


def is_complete(report: Report) -> bool:
    """Tell whether every message is in Intercom or was skipped."""
    return not (
        report.pending
        or sum(report.dead.values())
        or sum(report.rejected.values())
        or sum(report.dropped.values())
    )
