"""How a journal is written and read (rule Q8): frames around lines, so that a reader knows a complete line from garbage; appends nothing."""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from ...errors import SpoolFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

JOURNAL = ".journal"
SALVAGED = f".salvaged{JOURNAL}"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
# Before each line: its length and its checksum, so that a reader recognises an incomplete last line.
FRAME = struct.Struct("<II")
# No message is so long: a larger length was not written by a journal.
_MAX_LINE = 64 * 2**20
# Behind a damaged line, the next complete line is looked for among so many bytes at once.
_SEARCHED_AT_ONCE = 4 * 2**20
_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def _make_encode() -> Callable[[object], str]:
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _encoder.encode
    # What ``JSONEncoder.encode`` makes for each text; once is enough, and the caller of the client waits for it.
    parts = make(
        None, _encoder.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
    )
    return lambda value: "".join(parts(value, 0))


encode = _make_encode()
quote = json.encoder.encode_basestring_ascii


class Line(NamedTuple):
    """
    One accepted message in a journal.

    Attributes:
        accepted_at: Unix seconds.
        upserts: It writes its contact.
        message_id: Of the message.
        keys: Its contact keys.
        body: The message as JSON text.
        end: The byte of the journal at which the line ends.
        skipped: Bytes before the line that are no line: something else wrote into the file.
    """

    accepted_at: float
    upserts: bool
    message_id: str
    keys: list[str]
    body: str
    end: int
    skipped: int = 0


def credentials_of(name: str) -> str:
    """Return the fingerprint in a journal's name; an empty text when there is none."""
    parts = name.removesuffix(JOURNAL).removesuffix(".salvaged").split(".")
    return parts[2] if len(parts) == 3 else ""


def journal_sizes(folder: str) -> dict[str, int]:
    """
    Return name -> bytes of every journal in *folder*; what is no plain file is no journal.

    Raises:
        SpoolFailed: The folder cannot be read.
    """
    sizes: dict[str, int] = {}
    try:
        with os.scandir(folder) as files:
            for file in files:
                if file.name.endswith(JOURNAL):
                    try:
                        status = file.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(status.st_mode):
                        sizes[file.name] = status.st_size
    except OSError as error:
        raise folder_failed(folder, error) from error
    return sizes


def read_lines(folder: str, name: str, *, start: int, end: int) -> Iterator[Line]:
    """
    Yield the complete lines of a journal between the bytes *start* and *end*; nothing when the journal was removed.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        file = open(os.path.join(folder, name), "rb")  # noqa: SIM115  # closed below, after the last line was read
    except FileNotFoundError:
        return
    with file:
        yield from _lines_in(file, start, end)


def count_lines(file: int, start: int, end: int) -> int:
    """Return how many complete lines an open file has between the bytes *start* and *end*."""
    with open(file, "rb", closefd=False) as reader:
        return sum(1 for _ in _lines_in(reader, start, end))


def pieces(file: int, start: int, end: int, size: int) -> list[tuple[int, int]]:
    """Return where the lines of an open file between two bytes can be parted into pieces of about *size* bytes, and the lines of each."""
    begins: list[tuple[int, int]] = []
    begin, before, lines = start, start, 0
    with open(file, "rb", closefd=False) as reader:
        for line in _lines_in(reader, start, end):
            if lines and line.end - begin > size:
                begins.append((begin, lines))
                begin, lines = before, 0
            before, lines = line.end, lines + 1
    return [*begins, (begin, lines)] if lines else begins


def _lines_in(file: BinaryIO, start: int, end: int) -> Iterator[Line]:
    position = start
    while position < end:
        line = _line_at(file, position, end)
        if line is None:
            following = _next_line(file, position, end)
            if following is None:
                return
            line = following._replace(skipped=following.skipped - position)
        position = line.end
        yield line


def _line_at(file: BinaryIO, position: int, end: int) -> Line | None:
    """Return the line that begins at *position*; None when there is no complete one."""
    file.seek(position)
    head = file.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    length, checksum = FRAME.unpack(head)
    if not 0 < length <= min(_MAX_LINE, end - position - FRAME.size):
        return None
    text = file.read(length)
    if len(text) < length or zlib.crc32(text) != checksum:
        return None
    return _parse(text, position + FRAME.size + length)


def _next_line(file: BinaryIO, position: int, end: int) -> Line | None:
    """Return the first complete line behind *position*, with the byte at which it begins as ``skipped``."""
    # Each line begins with its accepted_at in a JSON list, so only bytes before a bracket are looked at.
    while position < end:
        file.seek(position)
        part = file.read(min(_SEARCHED_AT_ONCE, end - position))
        at = part.find(b"[", FRAME.size + 1)
        while at >= 0:
            begin = position + at - FRAME.size
            line = _line_at(file, begin, end)
            if line is not None:
                return line._replace(skipped=begin)
            at = part.find(b"[", at + 1)
        if len(part) <= FRAME.size + 1:
            return None
        position += len(part) - FRAME.size
    return None


def complete_lines(file: int, start: int) -> tuple[int, int]:
    """Return at which byte the complete lines behind the byte *start* of an open file end, and how many they are."""
    lines, end = 0, os.fstat(file).st_size
    with open(file, "rb", closefd=False) as reader:
        position = start
        while (line := _line_at(reader, position, end)) is not None:
            position, lines = line.end, lines + 1
    return position, lines


def _parse(text: bytes, end: int) -> Line | None:
    try:
        head, _, body = text.decode().partition("\n")
        accepted_at, upserts, message_id, keys = json.loads(head)
    except ValueError:
        return None  # with the right checksum, but not written by this package
    return Line(accepted_at, upserts, message_id, keys, body, end)


def folder_failed(folder: str, error: OSError) -> SpoolFailed:
    """Return the error that names the folder, the fault and the remedy."""
    return SpoolFailed(
        f"spool: cannot write to {folder} ({error.strerror}); free space there, or grant this process the right to write",
        is_full=error.errno in _NO_ROOM,
    )
