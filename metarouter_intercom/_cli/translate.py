"""``translate``: a dry run that shows the requests, notes and skips of each message in a file; sends nothing."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

import attrs
import click

from .._client.stamping import Stamper
from .._intercom.dry_run import Preview, preview
from .._types import JsonObject
from ..errors import Problem, RejectedMessage
from ..messages._codec import read_stamped
from ..messages._title import title_of
from ..settings import Settings
from .exit_codes import ExitCode
from .file_entries import FileEntry
from .formatting import echo, number_of
from .message_files import read_messages
from .options import json_option

# How many different requests, notes or faults a summary counts one by one.
_MAX_KINDS = 1_000
# How many pieces that are no message are shown, so that a file of another kind does not flood the terminal.
_MAX_UNREADABLE = 20


@click.command(short_help="Dry run: show the requests, notes and skips for a file.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--summary", is_flag=True, help="Only count requests, notes, skips and rejections, by reason.")
@click.option(
    "--setting",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting to use, for example page_events='Viewed {name} Page'.",
)
@json_option
def translate(*, file: str, summary: bool, assignments: tuple[str, ...], as_json: bool) -> int:
    """
    Show which requests would send the messages in FILE (- for standard input) to Intercom. Sends nothing.

    FILE contains JSON lines, a JSON array or Segment batches, plain or gzipped, in UTF-8, UTF-16 or UTF-32.
    """
    settings = _settings(assignments)
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("requests", "notes", "skipped", "rejected")
    }
    number = unreadable = 0
    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
        name = "<stdin>" if file == "-" else file
        for number, entry, result in _results(stream, settings):  # noqa: B007  # after the loop, the number of messages
            _count(counts, result)
            unreadable += entry.message is None
            if as_json and not summary:
                click.echo(json.dumps(_object(name, entry, result)))
            elif not summary and (entry.message is not None or unreadable <= _MAX_UNREADABLE):
                echo(_text(name, entry, result))
    if unreadable > _MAX_UNREADABLE and not summary and not as_json:
        hidden = number_of(unreadable - _MAX_UNREADABLE, "more unreadable line")
        echo(f"{hidden} not shown; --summary counts the faults", err=True)
    if summary:
        echo(_summary(number, counts, as_json=as_json))
    elif not number and not as_json:
        echo(f"{name}: 0 messages read")
    return ExitCode.INCOMPLETE if counts["rejected"] else ExitCode.DONE


def _settings(assignments: Sequence[str]) -> Settings:
    options: dict[str, Any] = {"api_key": "not-needed", **dict(map(_setting, assignments))}
    unknown = options.keys() - {field.name for field in attrs.fields(Settings)}
    if unknown:
        raise click.UsageError(f"--setting {', '.join(sorted(unknown))}: no such setting")
    return Settings(**options)


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--setting {text}: write NAME=VALUE")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _results(
    stream: IO[bytes], settings: Settings
) -> Iterator[tuple[int, FileEntry, Preview | Sequence[Problem]]]:
    stamper = Stamper(settings, ())
    for number, entry in enumerate(read_messages(stream), start=1):
        if entry.message is None:
            yield number, entry, [entry.problem]
            continue
        try:
            stamped = stamper.stamp(entry.message, time.time())
            yield number, entry, preview(read_stamped(stamped.message), settings)
        except RejectedMessage as error:
            yield number, entry, error.problems


def _count(counts: dict[str, Counter[str]], result: Preview | Sequence[Problem]) -> None:
    if not isinstance(result, Preview):
        for problem in result:
            _add(counts["rejected"], f"{problem.path or 'message'}: {problem.fault}", "other faults")
        return
    for request in result.requests:
        _add(counts["requests"], f"{request.method} {_shape(request.path)}", "others")
    for note in result.notes:
        _add(counts["notes"], f"{note.rule}: {note.path}: {note.reason}", f"{note.rule}: {note.reason}")
    if result.skipped is not None:
        counts["skipped"][result.skipped] += 1


def _add(count: Counter[str], kind: str, rest: str) -> None:
    """Count *kind*, or *rest* once there are too many kinds: kinds contain names from the data, which have no limit."""
    count[kind if kind in count or len(count) < _MAX_KINDS else rest] += 1


def _shape(path: str) -> str:
    return path.partition("?")[0].replace("%3C", "<").replace("%3E", ">").replace("%20", " ")


def _object(file: str, entry: FileEntry, result: Preview | Sequence[Problem]) -> JsonObject:
    message = entry.message or {}
    common: JsonObject = {
        "file": file,
        "line": entry.line,
        "place": entry.place,
        "message_id": message.get("messageId", message.get("message_id")),
    }
    if not isinstance(result, Preview):
        return {**common, "rejected": [one._asdict() for one in result]}
    return {
        **common,
        "skipped": result.skipped,
        "requests": [{"method": one.method, "path": one.path, "body": one.body} for one in result.requests],
        "notes": [note._asdict() for note in result.notes],
    }


def _text(file: str, entry: FileEntry, result: Preview | Sequence[Problem]) -> str:
    lines = [f"{entry.where(file)}: {title_of(entry.message or {}) or 'unreadable'}"]
    if not isinstance(result, Preview):
        for one in result:
            fault = f"{one.path}: {one.fault}" if one.path else one.fault
            lines.append(f"  rejected: {fault}; {one.remedy}")
        return "\n".join(lines)
    if result.skipped is not None:
        lines.append(f"  skipped: {result.skipped}")
    for request in result.requests:
        body = "" if request.body is None else f" {json.dumps(request.body, ensure_ascii=False)}"
        lines.append(f"  {request.method} {_shape(request.path)}{body}")
    lines += [f"  note {note.rule}: {note.path}: {note.reason}" for note in result.notes]
    return "\n".join(lines)


def _summary(number: int, counts: dict[str, Counter[str]], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"messages": number, **{name: dict(count) for name, count in counts.items()}})
    lines = [number_of(number, "message")]
    for name, count in counts.items():
        lines.append(f"{name}: {count.total():,}")
        lines += [f"  {times:,} x {kind}" for kind, times in count.most_common()]
    return "\n".join(lines)
