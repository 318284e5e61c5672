"""``translate``: a dry run over a file: requests, notes and skips of each message; nothing is sent."""

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
from ..settings import Settings
from .exit_codes import ExitCode
from .formatting import echo, number_of, title_of
from .message_files import Found, read_messages
from .options import json_option

# Different requests, notes and faults that a summary tells apart.
_MOST_KINDS = 1_000


@click.command(short_help="Dry run: show the requests, notes and skips of a file's messages.")
@click.argument("file", type=click.Path(allow_dash=True))
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
def translate(file: str, summary: bool, given: tuple[str, ...], as_json: bool) -> int:
    """
    Show what the messages of FILE (or of standard input: -) would ask of Intercom. Nothing is sent.

    FILE holds JSON lines, a JSON array or Segment batches, gzip too.
    """
    settings = _settings(given)
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("requests", "notes", "skipped", "rejected")
    }
    number = 0
    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
        name = "<stdin>" if file == "-" else file
        for number, found, result in _results(stream, settings):  # noqa: B007  # the last one is how many
            _count(counts, result)
            if as_json and not summary:
                click.echo(json.dumps(_object(name, found, result)))
            elif not summary:
                echo(_text(name, found, result))
    if summary:
        echo(_summary(number, counts, as_json=as_json))
    return ExitCode.INCOMPLETE if counts["rejected"] else ExitCode.DONE


def _settings(given: Sequence[str]) -> Settings:
    options: dict[str, Any] = {"api_key": "not-needed", **dict(map(_setting, given))}
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
) -> Iterator[tuple[int, Found, Preview | Sequence[Problem]]]:
    acceptance = Stamper(settings, ())
    for number, found in enumerate(read_messages(stream), start=1):
        if found.message is None:
            yield number, found, [Problem("", found.fault or "unreadable", "send one JSON object a line")]
            continue
        try:
            stamped = acceptance.stamp(found.message, time.time())
            yield number, found, preview(read_stamped(stamped.message), settings)
        except RejectedMessage as error:
            yield number, found, error.problems


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


def _add(count: Counter[str], what: str, otherwise: str) -> None:
    """Count *what*; names that come from the data may be without number, so beyond a bound they are counted together."""
    count[what if what in count or len(count) < _MOST_KINDS else otherwise] += 1


def _shape(path: str) -> str:
    return path.partition("?")[0].replace("%3C", "<").replace("%3E", ">").replace("%20", " ")


def _object(file: str, found: Found, result: Preview | Sequence[Problem]) -> JsonObject:
    shown: JsonObject = {
        "file": file,
        "line": found.line,
        "place": found.place,
        "message_id": (found.message or {}).get("messageId"),
    }
    if not isinstance(result, Preview):
        return {**shown, "rejected": [one._asdict() for one in result]}
    return {
        **shown,
        "skipped": result.skipped,
        "requests": [{"method": one.method, "path": one.path, "body": one.body} for one in result.requests],
        "notes": [note._asdict() for note in result.notes],
    }


def _text(file: str, found: Found, result: Preview | Sequence[Problem]) -> str:
    lines = [f"{found.where(file)}: {title_of(found.message or {}) or 'unreadable'}"]
    if not isinstance(result, Preview):
        told = [f"{one.path}: {one.fault}" if one.path else one.fault for one in result]
        return "\n".join(
            lines + [f"  rejected: {text}; {one.remedy}" for text, one in zip(told, result, strict=True)]
        )
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
        lines += [f"  {times:,} x {what}" for what, times in count.most_common()]
    return "\n".join(lines)
