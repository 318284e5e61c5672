"""JSON values out of a text that is read piece by piece; knows nothing of messages."""

from __future__ import annotations

import json
from typing import TextIO

from .._types import JsonValue

_PIECE = 1 << 16
# One value may be as long; what does not end by then is broken.
_LONGEST_VALUE = 64 * 1024 * 1024
# An error this near to the end of what was read may come from the end alone: the longest word of JSON as Python reads it.
_LONGEST_WORD = len("-Infinity")
_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder()


class Pieces:
    """
    A position in a text of which only a part is in memory.

    Attributes:
        line: The line of the position, from 1.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._ahead = ""
        self._at = 0
        self._column = 0
        self.line = 1

    def next_character(self, *, is_inside: bool) -> str:
        """Move to the next value or bracket and return its first character; empty at the end of the text."""
        skipped = _BLANK + "," if is_inside else _BLANK
        while True:
            end = self._at
            while end < len(self._ahead) and self._ahead[end] in skipped:
                end += 1
            self._move(end)
            if end < len(self._ahead):
                return self._ahead[end]
            if not self._read():
                return ""

    def skip(self, number: int) -> None:
        """Move on by *number* characters."""
        self._move(self._at + number)

    def decode(self) -> tuple[JsonValue, str | None]:
        """Return the value at the position and move behind it; or its fault, and stay."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._ahead, self._at)
            except RecursionError:
                return None, "nested too deeply to be read"
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._read():
                    continue
                return None, f"not JSON: {error.msg}"
            except ValueError:
                return None, "a number too long to be read"
            # A number at the very end may go on in the next piece.
            if end == len(self._ahead) and not isinstance(value, dict | list | str) and self._read():
                continue
            return self._checked(value, end)

    def _checked(self, value: JsonValue, end: int) -> tuple[JsonValue, str | None]:
        try:
            self._ahead[self._at : end].encode()
        except UnicodeEncodeError:
            return None, "not UTF-8"
        self._move(end)
        return value, None

    def skip_member(self) -> str:
        """Move behind a broken value, to a line that begins as the line of this value does; return what was skipped."""
        column = self._column
        skipped = [self._take_line()]
        while self._has_line():
            end = self._ahead.find("\n", self._at)
            line = self._ahead[self._at : end if end >= 0 else None]
            indent = len(line) - len(line.lstrip(_BLANK))
            if line[indent : indent + 1] in ("{", "[", "]") and indent <= column:
                break
            skipped.append(self._take_line())
            if len(skipped) > 100:
                del skipped[50:-1]
        return "".join(skipped).rstrip("\r\n")

    def _take_line(self) -> str:
        self._has_line()
        end = self._ahead.find("\n", self._at) + 1 or len(self._ahead)
        line = self._ahead[self._at : end]
        self._move(end)
        return line

    def _has_line(self) -> bool:
        """Read on until a whole line is ahead, or as much of it as can be kept; False at the end of the text."""
        while self._ahead.find("\n", self._at) < 0 and len(self._ahead) - self._at < _LONGEST_VALUE:
            if not self._read():
                break
        return self._at < len(self._ahead)

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        if len(self._ahead) - self._at >= _LONGEST_VALUE:
            return False
        return error.msg.startswith("Unterminated") or error.pos >= len(self._ahead) - _LONGEST_WORD

    def _read(self) -> bool:
        """Read on by as much as is ahead, so that a long value is not tried over and over; False at the end of the text."""
        piece = self._text.read(max(_PIECE, len(self._ahead) - self._at))
        self._ahead, self._at = self._ahead[self._at :] + piece, 0
        return bool(piece)

    def _move(self, end: int) -> None:
        newlines = self._ahead.count("\n", self._at, end)
        if newlines:
            self.line += newlines
            self._column = end - self._ahead.rindex("\n", self._at, end) - 1
        else:
            self._column += end - self._at
        self._at = end
