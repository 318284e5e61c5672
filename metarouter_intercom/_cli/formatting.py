"""How messages, numbers and reports are shown to a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import attrs
import click

from .._delivery.report import Report
from .._types import JsonObject

_PLAIN = ("delivered", "merged", "unchanged", "retried", "held", "pending", "duplicates")
_REASONED = ("skipped", "dropped", "rejected", "dead", "notes")
_TITLE = ("type", "event", "groupId", "userId", "anonymousId")


def echo(text: str = "", *, err: bool = False) -> None:
    """Print *text*, which may hold other people's words: what could steer a terminal, or cannot be written on it, is replaced."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
    click.echo(shown.encode(encoding, "replace").decode(encoding), err=err)


def title_of(message: Mapping[str, Any]) -> str:
    """Return what a message is about: its type, event and ids."""
    return " ".join(str(message[name]) for name in _TITLE if message.get(name) not in (None, ""))


def number_of(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 message`` or ``2,000 messages``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


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
