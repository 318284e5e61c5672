"""``translate``: a dry run over a file: requests, notes and skips of each message; nothing is sent."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from .._codec import read_message
from .._preview import Preview, preview
from .._types import JsonObject
from ..errors import RejectedMessage
from ..settings import Settings
from ._errors import ExitCode
from ._input import Found, read_messages
from ._options import json_option


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--summary", is_flag=True, help="Only count what would be sent, changed, skipped and rejected, and why."
)
@click.option(
    "--setting",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the mapping, such as page_events='Viewed {name} Page'.",
)
@json_option
def translate(file: BinaryIO, summary: bool, given: tuple[str, ...], as_json: bool) -> int:
    """
    Show what the messages of FILE (or of standard input: -) would ask of Intercom. Nothing is sent.

    FILE holds JSON lines, a JSON array or Segment batches, gzip too.
    """
    options: dict[str, Any] = {"api_key": "not-needed", **dict(map(_setting, given))}
    settings = Settings(**options)
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("requests", "notes", "skipped", "rejected")
    }
    number = 0
    for number, found, result in _results(file, settings):  # noqa: B007  # the last one is how many
        _count(counts, result)
        if not summary:
            click.echo(json.dumps(_object(found, result)) if as_json else _text(found, result))
    if summary:
        click.echo(_summary(number, counts, as_json=as_json))
    return ExitCode.INCOMPLETE if counts["rejected"] else ExitCode.DONE


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--setting {text}: write NAME=VALUE")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _results(file: BinaryIO, settings: Settings) -> Iterator[tuple[int, Found, Preview | list[str]]]:
    for number, found in enumerate(read_messages(file), start=1):
        if found.message is None:
            yield number, found, [f"message: {found.fault}"]
            continue
        try:
            yield number, found, preview(read_message(found.message, now=time.time()), settings)
        except RejectedMessage as error:
            yield number, found, [str(problem) for problem in error.problems]


def _count(counts: dict[str, Counter[str]], result: Preview | list[str]) -> None:
    if not isinstance(result, Preview):
        counts["rejected"].update(text.partition(";")[0] for text in result)
        return
    counts["requests"].update(f"{one.method} {_shape(one.path)}" for one in result.requests)
    counts["notes"].update(f"{note.rule}: {note.path}: {note.reason}" for note in result.notes)
    if result.skipped is not None:
        counts["skipped"][result.skipped] += 1


def _shape(path: str) -> str:
    return path.partition("?")[0].replace("%3C", "<").replace("%3E", ">").replace("%20", " ")


def _object(found: Found, result: Preview | list[str]) -> JsonObject:
    shown: JsonObject = {"line": found.line, "message_id": (found.message or {}).get("messageId")}
    if not isinstance(result, Preview):
        return {**shown, "rejected": list(result)}
    return {
        **shown,
        "skipped": result.skipped,
        "requests": [{"method": one.method, "path": one.path, "body": one.body} for one in result.requests],
        "notes": [note._asdict() for note in result.notes],
    }


def _text(found: Found, result: Preview | list[str]) -> str:
    message = found.message or {}
    words = [str(message.get(name)) for name in ("type", "event", "userId", "groupId") if message.get(name)]
    lines = [f"line {found.line}: {' '.join(words) or 'unreadable'}"]
    if not isinstance(result, Preview):
        return "\n".join(lines + [f"  rejected: {text}" for text in result])
    if result.skipped is not None:
        lines.append(f"  skipped: {result.skipped}")
    for request in result.requests:
        body = "" if request.body is None else f" {json.dumps(request.body, ensure_ascii=not _speaks_utf8())}"
        lines.append(f"  {request.method} {_shape(request.path)}{body}")
    lines += [f"  note {note.rule}: {note.path}: {note.reason}" for note in result.notes]
    return "\n".join(lines)


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _summary(number: int, counts: dict[str, Counter[str]], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"messages": number, **{name: dict(count) for name, count in counts.items()}})
    lines = [f"{number:,} messages"]
    for name, count in counts.items():
        lines.append(f"{name}: {count.total() if name != 'notes' else len(count):,}")
        lines += [f"  {times:,} x {what}" for what, times in count.most_common()]
    return "\n".join(lines)
