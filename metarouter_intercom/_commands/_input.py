"""Messages from a file: JSON lines, a JSON array, Segment batches, gzip too; read piece by piece, a broken line stops nothing."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, NamedTuple, cast

from .._types import JsonObject, JsonValue

_PIECE = 1 << 16
# One JSON object written over many lines has to be read as a whole, up to this many bytes.
_LARGEST_DOCUMENT = 64 * 1024 * 1024
_SHARED = ("context", "integrations", "sentAt", "receivedAt")
_BLANK = " \t\r\n"


class Found(NamedTuple):
    """
    One message of a file, or one place where there is none.

    Attributes:
        line: Line in the file, from 1; in a JSON array the number of its member.
        message: The message; None when nothing readable stands there.
        fault: Why there is none.
        text: What stands there, for the rejects file.
    """

    line: int
    message: JsonObject | None
    fault: str | None = None
    text: str = ""


def read_messages(stream: IO[bytes]) -> Iterator[Found]:
    """
    Yield the messages of *stream* in their order.

    Args:
        stream: JSON lines (a message, a Segment batch or an array in each), one JSON array, or one JSON object; plain or gzip.
    """
    source = _unzipped(stream)
    first = _first_character(source)
    if first == b"[":
        return _members(io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace"))
    return _lines(source)


def _unzipped(stream: IO[bytes]) -> io.BufferedReader:
    source = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    if source.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=source)))
    return source


def _first_character(source: io.BufferedReader) -> bytes:
    ahead = source.peek(_PIECE)
    return ahead.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(source: io.BufferedReader) -> Iterator[Found]:
    rows: Iterable[bytes] = source
    start = source.readline().removeprefix(b"\xef\xbb\xbf")
    if start.lstrip().startswith(b"{") and _parsed(start)[1] is not None:
        rest = source.read(_LARGEST_DOCUMENT)
        value, fault = _parsed(start + rest)
        if fault is None:
            yield from _expanded(1, value)
            return
        rows = chain(io.BytesIO(rest), source)
    for number, row in enumerate(chain([start], rows), start=1):
        if not row.strip():
            continue
        value, fault = _parsed(row)
        if fault is not None:
            yield Found(number, None, fault, row.decode("utf-8", "replace").rstrip("\r\n"))
        else:
            yield from _expanded(number, value)


def _parsed(row: bytes) -> tuple[JsonValue, str | None]:
    try:
        return json.loads(row), None
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return None, f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return None, "nested too deeply to be read"


def _expanded(line: int, value: JsonValue) -> Iterator[Found]:
    """Yield the messages in *value*: itself, the members of an array, or those of a Segment batch."""
    if isinstance(value, list):
        for member in value:
            yield from _expanded(line, member)
    elif isinstance(value, dict) and isinstance(batch := value.get("batch"), list) and "type" not in value:
        shared = {name: value[name] for name in _SHARED if value.get(name) is not None}
        for member in batch:
            whole = {**shared, **member} if isinstance(member, dict) else member
            yield from _expanded(line, whole)
    elif isinstance(value, dict):
        yield Found(line, value)
    else:
        yield Found(line, None, "no object; a message is a JSON object", json.dumps(value)[:_PIECE])


# --- one array ----------------------------------------------------------------------------------------------------


def _members(text: io.TextIOWrapper) -> Iterator[Found]:
    """Yield the members of one array without reading it as a whole; what is broken ends it, for nothing says where it goes on."""
    decoder = json.JSONDecoder()
    ahead, at, number = "", 0, 0
    while True:
        while at < len(ahead) and (ahead[at] in _BLANK or ahead[at] in "[,"):
            at += 1
        if at < len(ahead) and ahead[at] == "]":
            return
        piece = ""
        try:
            value, end = decoder.raw_decode(ahead, at)
            # A number or word at the very end may go on in the next piece.
            is_whole = end < len(ahead) or isinstance(value, dict | list)
        except RecursionError:
            yield Found(number + 1, None, "nested too deeply to be read; the rest was not read")
            return
        except ValueError:
            is_whole = False
        if is_whole:
            number += 1
            yield from _expanded(number, value)
            at = end
            continue
        piece = text.read(max(_PIECE, len(ahead) - at))
        if not piece:
            yield Found(number + 1, None, "not JSON from here; the rest was not read", ahead[at : at + 1000])
            return
        ahead, at = ahead[at:] + piece, 0
