"""Reads a file in UTF-16 or UTF-32 as UTF-8; knows nothing of messages."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_CHUNK = 1 << 16
# How a file in each encoding begins: with its byte order mark, or with an ASCII character, as every JSON text does (RFC 4627, section 3).
# The longer marks come first, because that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Which of the first bytes are zero -> the encoding; the longer patterns come first.
_ZEROS = (
    ((False, True, True, True), "utf-32-le"),
    ((True, True, True, False), "utf-32-be"),
    ((False, True), "utf-16-le"),
    ((True, False), "utf-16-be"),
)


class BrokenEncoding(Exception):
    """A file is not in the encoding that it begins in."""


def as_utf8(source: io.BufferedReader, encoding: str | None = None) -> io.BufferedReader:
    """
    Return *source* if it is in UTF-8, else a stream of the same text in UTF-8.

    Args:
        source: The file.
        encoding: Its encoding; None to recognise UTF-8, UTF-16 and UTF-32 by its first bytes.

    Reading from that stream raises ``BrokenEncoding`` where the file is not in the encoding that it begins in.
    """
    encoding = encoding or _encoding_of(source.peek(4)[:4])
    return source if encoding is None else io.BufferedReader(_Recoded(source, encoding))


def _encoding_of(start: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    zeros = tuple(byte == 0 for byte in start)
    for pattern, encoding in _ZEROS:
        if zeros[: len(pattern)] == pattern:
            return encoding
    return None


class _Recoded(io.RawIOBase):
    """
    The text of a stream, as UTF-8.

    A half of a surrogate pair, which UTF-8 cannot write, becomes its escape in JSON: it is text inside a string of JSON.
    """

    def __init__(self, source: io.BufferedReader, encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        errors = "surrogatepass" if encoding.startswith("utf") else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = self._source.read1(_CHUNK)
            try:
                text = self._decoder.decode(chunk, not chunk)
            except UnicodeDecodeError as error:
                name = self._encoding.removesuffix("-le").removesuffix("-be").upper()
                raise BrokenEncoding(f"not {name}: {error.reason}") from None
            self._left = text.encode("utf-8", "backslashreplace")
            if not chunk:
                break
        part = self._left[: len(buffer)]
        buffer[: len(part)] = part
        self._left = self._left[len(part) :]
        return len(part)
