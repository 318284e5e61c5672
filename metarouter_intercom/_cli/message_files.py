"""Messages from a file: JSON lines, JSON arrays, Segment batches, gzip too; read piece by piece, a broken line stops nothing."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from .._types import JsonObject, JsonValue
from .json_stream import Pieces

# A line of a batch file may be long; beyond this it is none.
_LONGEST_LINE = 64 * 1024 * 1024
_LONGEST_TEXT = 1 << 16
_SHARED = ("context", "integrations", "sentAt", "receivedAt")
_MARK = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """
    One message of a file, or one place where there is none.

    Attributes:
        line: Line in the file, from 1.
        place: Path to the message within what begins in that line: ``batch[2]``, ``[7]``; empty for the whole of it.
        message: The message; None when nothing readable stands there.
        fault: Why there is none.
        text: What stands there, for the rejects file.
    """

    line: int
    place: str
    message: JsonObject | None
    fault: str | None = None
    text: str = ""

    def where(self, file: str, path: str = "") -> str:
        """Return ``file:line: path``, the path being that of a value in the file."""
        value = ".".join(part for part in (self.place, path) if part)
        return f"{file}:{self.line}: {value}" if value else f"{file}:{self.line}"


def read_messages(stream: IO[bytes]) -> Iterator[Found]:
    """
    Yield the messages of *stream* in their order.

    Args:
        stream: JSON lines (a message, a Segment batch or an array in each), or JSON arrays or objects written over many lines;
            plain or gzip.
    """
    line = 1
    try:
        for found in _messages(stream):
            line = found.line
            yield found
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Found(
            line, "", None, f"the gzip data is broken after this line ({error}); the rest was not read"
        )


def _messages(stream: IO[bytes]) -> Iterator[Found]:
    source = _unzipped(stream)
    ahead = source.peek(1).removeprefix(_MARK).lstrip()
    if ahead[:1] != b"[" and not (ahead[:1] == b"{" and _goes_on(ahead)):
        yield from _lines(source)
        return
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape")
    try:
        yield from _members(Pieces(text))
    finally:
        # Or else the wrapper would close the caller's stream.
        text.detach()


def _unzipped(stream: IO[bytes]) -> io.BufferedReader:
    source = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    if source.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=source)))
    return source


def _goes_on(ahead: bytes) -> bool:
    """Tell whether the object at the beginning is written over many lines: its first line ends before it does."""
    first, newline, _ = ahead.partition(b"\n")
    return bool(newline) and first.rstrip()[-1:] in b"{[,"


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(source: io.BufferedReader) -> Iterator[Found]:
    number = 0
    while row := source.readline(_LONGEST_LINE):
        number += 1
        if number == 1:
            row = row.removeprefix(_MARK)
        if len(row) == _LONGEST_LINE:
            while (rest := source.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                continue
            yield Found(number, "", None, "longer than 64 MiB", _text(row))
        elif row.strip():
            value, fault = _parsed(row)
            if fault is not None:
                yield Found(number, "", None, fault, _text(row))
            else:
                yield from _expanded(number, "", value)


def _parsed(row: bytes) -> tuple[JsonValue, str | None]:
    try:
        return json.loads(row.rstrip()), None
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return None, f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return None, "nested too deeply to be read"
    except ValueError:
        return None, "a number too long to be read"


def _text(row: bytes) -> str:
    return row[:_LONGEST_TEXT].decode("utf-8", "replace").rstrip("\r\n")


def _expanded(line: int, place: str, value: JsonValue) -> Iterator[Found]:
    """Yield the messages in *value*: itself, the members of an array, or those of a Segment batch."""
    if isinstance(value, list):
        for at, member in enumerate(value):
            yield from _expanded(line, f"{place}[{at}]", member)
    elif isinstance(value, dict) and isinstance(batch := value.get("batch"), list) and "type" not in value:
        shared = {name: value[name] for name in _SHARED if value.get(name) is not None}
        for at, member in enumerate(batch):
            whole = {**shared, **member} if isinstance(member, dict) else member
            yield from _expanded(line, f"{place}.batch[{at}]".lstrip("."), whole)
    elif isinstance(value, dict):
        yield Found(line, place, value)
    else:
        fault = "no object; a message is a JSON object"
        yield Found(line, place, None, fault, json.dumps(value)[:_LONGEST_TEXT])


# --- arrays, and objects over many lines --------------------------------------------------------------------------


def _members(pieces: Pieces) -> Iterator[Found]:
    """Yield the members of arrays without reading them as a whole; after a broken one it goes on where the next one seems to begin."""
    is_inside, number, line = False, 0, 1
    while character := pieces.next_character(is_inside=is_inside):
        line = pieces.line
        if character == "[" and not is_inside:
            is_inside, number = True, 0
            pieces.skip(1)
            continue
        if character == "]" and is_inside:
            is_inside = False
            pieces.skip(1)
            continue
        place = f"[{number}]" if is_inside else ""
        number += 1
        value, fault = pieces.decode()
        if fault is None:
            yield from _expanded(line, place, value)
        else:
            yield Found(line, place, None, fault, pieces.skip_member()[:_LONGEST_TEXT])
    if is_inside:
        yield Found(line, "", None, "the file ends within its array; was it cut off?")
