"""
Reads messages from a file: JSON lines, JSON arrays, Segment batches or CSV, plain or gzipped, in UTF-8, UTF-16 or UTF-32.

A file of any size is read in chunks, and an invalid line does not stop the reading. Does not know what a valid message is.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import IO, NamedTuple, cast

from .._types import JsonObject, JsonValue
from ..messages._batches import members_of, merged
from .csv_files import CsvOptions, CsvTable
from .exported_letters import exported_message, is_exported
from .file_entries import FileEntry
from .json_stream import JsonStream
from .text_encodings import BrokenEncoding, as_utf8

# A whole batch may be one line; a longer line is reported as invalid.
_MAX_LINE = 64 * 1024 * 1024
# So much of an invalid line is kept for the rejects file.
_MAX_TEXT = 1 << 16
_COMPLETE = "get a complete copy of the file"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileForm(NamedTuple):
    """
    How a file is read.

    Attributes:
        is_csv: Rows of CSV; else JSON.
        encoding: Name of the encoding; None for UTF-8, UTF-16 or UTF-32, whichever it is.
        options: How CSV is read.
        name: The file's name in errors.
        header: The column names of a CSV file that was looked at; empty for a stream.
    """

    is_csv: bool = False
    encoding: str | None = None
    options: CsvOptions = CsvOptions()
    name: str = "<stdin>"
    header: tuple[str, ...] = ()


def read_messages(stream: IO[bytes], form: FileForm = FileForm()) -> Iterator[FileEntry]:  # noqa: B008  # frozen
    """
    Yield the entries of *stream* in their order.

    Args:
        stream: JSON lines (each one a message, a Segment batch or an array), JSON arrays or objects that span lines, or CSV; plain or
            gzip.
        form: How to read it.

    Raises:
        Failed: The columns of a CSV file cannot be mapped.
    """
    line = 1
    try:
        for entry in _entries(stream, form):
            line = entry.line
            yield entry
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        fault = f"the gzip data is broken after this line ({error}); the rest was not read"
        yield FileEntry(line, "", None, fault, remedy=_COMPLETE)
    except BrokenEncoding as error:
        fault = f"{error} after this line; the rest was not read"
        yield FileEntry(line, "", None, fault, remedy=_COMPLETE)


def _entries(stream: IO[bytes], form: FileForm) -> Iterator[FileEntry]:
    source = as_utf8(_unzipped(stream), form.encoding)
    if form.is_csv:
        yield from _rows(source, form)
        return
    start = source.peek(1).removeprefix(_BYTE_ORDER_MARK).lstrip()
    if start[:1] != b"[" and not (start[:1] == b"{" and _spans_lines(start)):
        yield from _line_entries(source)
        return
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape")
    try:
        yield from _value_entries(JsonStream(text))
    finally:
        # Without this the wrapper would close the caller's stream.
        text.detach()


def table_of(stream: IO[bytes], form: FileForm) -> CsvTable:
    """
    Read the first row of a CSV file.

    Raises:
        Failed: The columns cannot be mapped.
    """
    return CsvTable(as_utf8(_unzipped(stream), form.encoding), form.options, form.name)


def _rows(source: io.BufferedReader, form: FileForm) -> Iterator[FileEntry]:
    with closing(CsvTable(source, form.options, form.name)) as table:
        yield from table.entries()


def _unzipped(stream: IO[bytes]) -> io.BufferedReader:
    source = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    if source.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=source)))
    return source


def _spans_lines(start: bytes) -> bool:
    """Tell whether the object at the start of the file spans several lines: its first line ends before the object does."""
    first, newline, _ = start.partition(b"\n")
    return bool(newline) and first.rstrip()[-1:] in b"{[,"


# --- JSON lines ---------------------------------------------------------------------------------------------------


def _line_entries(source: io.BufferedReader) -> Iterator[FileEntry]:
    number = 0
    while row := source.readline(_MAX_LINE):
        number += 1
        if number == 1:
            row = row.removeprefix(_BYTE_ORDER_MARK)
        if len(row) == _MAX_LINE:
            while (rest := source.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                continue
            yield FileEntry(number, "", None, "longer than 64 MiB", _text(row))
        elif row.strip():
            value, fault = _parsed(row)
            if fault is not None:
                yield FileEntry(number, "", None, fault, _text(row))
            else:
                yield from _expanded(number, "", value)


def _parsed(row: bytes) -> tuple[JsonValue, str | None]:
    try:
        # A file that was joined from others may have a byte order mark at the start of any line.
        return json.loads(row.rstrip().decode("utf-8-sig")), None
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return None, f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return None, "nested too deeply to be read"
    except ValueError:
        return None, "a number too long to be read"


def _text(row: bytes) -> str:
    return row[:_MAX_TEXT].decode("utf-8", "replace").rstrip("\r\n")


def _expanded(line: int, place: str, value: JsonValue) -> Iterator[FileEntry]:
    """Yield the messages in *value*: the value itself, the members of an array, or the members of a Segment batch."""
    if isinstance(value, dict) and is_exported(value):
        yield _exported(line, place, value)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _expanded(line, f"{place}[{index}]", member)
    elif isinstance(value, dict) and (batch := members_of(value)) is not None:
        for index, member in enumerate(batch):
            whole = merged(value, member) if isinstance(member, dict) else member
            yield from _expanded(line, f"{place}.batch[{index}]".lstrip("."), whole)
    elif isinstance(value, dict):
        yield FileEntry(line, place, _message_in(value))
    else:
        fault = "not an object; a message is a JSON object"
        yield FileEntry(line, place, None, fault, json.dumps(value)[:_MAX_TEXT])


def _exported(line: int, place: str, letter: JsonObject) -> FileEntry:
    """Return the message of a dead letter that ``dead-letters export`` wrote."""
    message = exported_message(letter)
    if message is None:
        fault = "a dead letter from a sender that is not trusted"
        remedy = "retry it with dead-letters retry, which keeps what its sender may write"
        return FileEntry(line, place, None, fault, json.dumps(letter)[:_MAX_TEXT], remedy)
    return FileEntry(line, place, message)


def _message_in(value: JsonObject) -> JsonObject:
    """Return the message in a line of a rejects file; any other value is the message itself."""
    message = value.get("message")
    is_wrapped = isinstance(message, dict) and "type" not in value and "faults" in value
    return cast("JsonObject", message) if is_wrapped else value


# --- arrays, and objects that span lines --------------------------------------------------------------------------


def _value_entries(stream: JsonStream) -> Iterator[FileEntry]:
    """Yield the members of arrays without reading a whole array; after an invalid member, continue where the next one seems to begin."""
    in_array, index, line = False, 0, 1
    while character := stream.next_character(in_array=in_array):
        line = stream.line
        if character == "[" and not in_array:
            in_array, index = True, 0
            stream.skip(1)
            continue
        if character == "]" and in_array:
            in_array = False
            stream.skip(1)
            continue
        place = f"[{index}]" if in_array else ""
        index += 1
        value, fault = stream.decode()
        if fault is None:
            yield from _expanded(line, place, value)
        else:
            yield FileEntry(line, place, None, fault, stream.skip_member()[:_MAX_TEXT])
    if in_array:
        yield FileEntry(line, "", None, "the file ends inside its array; was it cut off?", remedy=_COMPLETE)
