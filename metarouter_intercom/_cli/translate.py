"""``translate``: a dry run that shows the requests, notes and skips of each message in a file; sends nothing."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any
from urllib.parse import unquote

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
from .file_options import file_options, files_argument, sources_of
from .formatting import echo, number_of
from .message_files import read_messages
from .options import json_option
from .sources import Source

# How many different requests, notes or faults a summary counts one by one.
_MAX_KINDS = 1_000
# How many pieces that are no message are shown, so that a file of another kind does not flood the terminal.
_MAX_UNREADABLE = 20
# `preview` makes up ids such as `<contact id>`, which are encoded in the path.
_PLACEHOLDER = re.compile(r"%3C.*?%3E")


@click.command(short_help="Dry run: show the requests, notes and skips for a file.")
@files_argument
@file_options
@click.option("--summary", is_flag=True, help="Only count requests, notes, skips and rejections, by reason.")
@click.option(
    "--setting",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting to use, for example page_events='Viewed {name} Page'.",
)
@json_option
def translate(
    *,
    files: tuple[str, ...],
    summary: bool,
    assignments: tuple[str, ...],
    as_json: bool,
    **file_settings: Any,
) -> int:
    """
    Show which requests would send the messages in FILES (- for standard input) to Intercom. Sends nothing.

    A file contains JSON lines, a JSON array, Segment batches, or CSV, plain or gzipped, in UTF-8, UTF-16 or UTF-32.

    The requests are those that a workspace would get that knows nobody yet, one message after the other. `send` merges messages of one
    contact that wait together, so it sends at most as many.

    \b
    Examples:
      metarouter-intercom translate events.jsonl --summary
      metarouter-intercom translate people.csv --type identify --columns id=userId,plan=traits.plan
    """
    settings = _settings(assignments)
    sources = sources_of(files, **file_settings)
    totals = _Totals()
    for source in sources:
        read = 0
        with source.open() as stream:
            for entry, result in _results(stream, source, settings):
                read += 1
                totals.add(entry, result)
                if as_json and not summary:
                    click.echo(json.dumps(_object(source.name, entry, result)))
                elif not summary and (entry.message is not None or totals.unreadable <= _MAX_UNREADABLE):
                    echo(_text(source.name, entry, result))
        if not read and not summary and not as_json:
            echo(f"{source.name}: 0 messages read")
    if totals.unreadable > _MAX_UNREADABLE and not summary and not as_json:
        hidden = number_of(totals.unreadable - _MAX_UNREADABLE, "more unreadable line")
        echo(f"{hidden} not shown; --summary counts the faults", err=True)
    if summary:
        echo(json.dumps(totals.as_object()) if as_json else totals.as_text())
    return ExitCode.INCOMPLETE if totals.rejected else ExitCode.DONE


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
    stream: IO[bytes], source: Source, settings: Settings
) -> Iterator[tuple[FileEntry, Preview | Sequence[Problem]]]:
    stamper = Stamper(settings, ())
    for entry in read_messages(stream, source.form):
        if entry.message is None:
            yield entry, [entry.problem]
            continue
        try:
            stamped = stamper.stamp(entry.message, time.time())
            yield entry, preview(read_stamped(stamped.message), settings)
        except RejectedMessage as error:
            yield entry, error.problems


class _Totals:
    """
    What a summary counts, under the names that ``client.stats()`` and ``send --json`` have for the same numbers.

    Attributes:
        unreadable: Pieces of the files that are no message.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        self._read = 0
        self._requests: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._notes_by_path: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    @property
    def rejected(self) -> int:
        """Messages that ``send`` would not accept."""
        return self._rejected.total()

    def add(self, entry: FileEntry, result: Preview | Sequence[Problem]) -> None:
        """Count one message."""
        self._read += 1
        if not isinstance(result, Preview):
            self.unreadable += entry.message is None
            self._rejected["unreadable" if entry.message is None else "invalid"] += 1
            for problem in result:
                _add(self._faults, f"{problem.path or 'message'}: {problem.fault}", "other faults")
            return
        for request in result.requests:
            _add(self._requests, f"{request.method} {_shape(request.path)}", "others")
        for note in result.notes:
            self._notes[f"{note.rule}: {note.reason}"] += 1
            _add(
                self._notes_by_path, f"{note.rule}: {note.path}: {note.reason}", f"{note.rule}: {note.reason}"
            )
        if result.skipped is not None:
            self._skipped[result.skipped] += 1

    def as_object(self) -> JsonObject:
        """Return the counts as a JSON object."""
        return {
            "read": self._read,
            "requests_at_most": dict(self._requests),
            "notes": dict(self._notes),
            "notes_by_path": dict(self._notes_by_path),
            "skipped": dict(self._skipped),
            "rejected": dict(self._rejected),
            "faults": dict(self._faults),
        }

    def as_text(self) -> str:
        """Return the counts as lines."""
        counts = {
            "requests": self._requests,
            "notes": self._notes_by_path,
            "skipped": self._skipped,
            "rejected": self._faults,
        }
        lines = [number_of(self._read, "message")]
        for name, count in counts.items():
            # Messages of one contact that wait together become one request.
            at_most = "at most " if name == "requests" and count.total() > 1 else ""
            lines.append(f"{name}: {at_most}{count.total():,}")
            lines += [f"  {times:,} x {kind}" for kind, times in count.most_common()]
        return "\n".join(lines)


def _add(count: Counter[str], kind: str, rest: str) -> None:
    """Count *kind*, or *rest* once there are too many kinds: kinds contain names from the data, which have no limit."""
    count[kind if kind in count or len(count) < _MAX_KINDS else rest] += 1


def _shape(path: str) -> str:
    return _readable(path.partition("?")[0])


def _readable(path: str) -> str:
    """Return *path* with its placeholders as they are meant: ``<contact id>`` instead of ``%3Ccontact%20id%3E``."""
    return _PLACEHOLDER.sub(lambda found: unquote(found[0]), path)


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
        "requests": [
            {"method": one.method, "path": _readable(one.path), "body": one.body} for one in result.requests
        ],
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
