"""Reads JSON values from a text chunk by chunk; knows nothing of messages."""

from __future__ import annotations

import json
from typing import TextIO

from .._types import JsonValue

# Characters per read.
_CHUNK = 1 << 16
# A value that does not end within so many characters is invalid.
_MAX_VALUE = 64 * 1024 * 1024
# Closer than this to the end of the text that was read, an error may only mean that a word is cut there: the longest word of JSON.
_LONGEST_WORD = len("-Infinity")
_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder()


class JsonStream:
    """
    A position in a text of which only a window is in memory.

    Attributes:
        line: Line of the position, from 1.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._window = ""
        self._position = 0
        self._column = 0
        self.line = 1

    def next_character(self, *, in_array: bool) -> str:
        """Move to the next value or bracket and return its first character; an empty text at the end."""
        skipped = _BLANK + "," if in_array else _BLANK
        while True:
            end = self._position
            while end < len(self._window) and self._window[end] in skipped:
                end += 1
            self._move(end)
            if end < len(self._window):
                return self._window[end]
            if not self._read():
                return ""

    def skip(self, number: int) -> None:
        """Move forward by *number* characters."""
        self._move(self._position + number)

    def decode(self) -> tuple[JsonValue, str | None]:
        """Return the value at the position and move behind it, or return its fault and do not move."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._window, self._position)
            except RecursionError:
                return None, "nested too deeply to be read"
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._read():
                    continue
                return None, f"not JSON: {error.msg}"
            except ValueError:
                return None, "a number too long to be read"
            # A number at the end of the window may continue in the next chunk.
            if end == len(self._window) and not isinstance(value, dict | list | str) and self._read():
                continue
            return self._checked(value, end)

    def _checked(self, value: JsonValue, end: int) -> tuple[JsonValue, str | None]:
        try:
            self._window[self._position : end].encode()
        except UnicodeEncodeError:
            return None, "not UTF-8"
        self._move(end)
        return value, None

    def skip_member(self) -> str:
        """Move behind an invalid value, to the next line that starts at the same indent as this value; return the skipped text."""
        column = self._column
        skipped = [self._next_line()]
        while self._has_line():
            end = self._window.find("\n", self._position)
            line = self._window[self._position : end if end >= 0 else None]
            indent = len(line) - len(line.lstrip(_BLANK))
            if line[indent : indent + 1] in ("{", "[", "]") and indent <= column:
                break
            skipped.append(self._next_line())
            if len(skipped) > 100:
                del skipped[50:-1]
        return "".join(skipped).rstrip("\r\n")

    def _next_line(self) -> str:
        self._has_line()
        end = self._window.find("\n", self._position) + 1 or len(self._window)
        line = self._window[self._position : end]
        self._move(end)
        return line

    def _has_line(self) -> bool:
        """Read until the window holds a whole line, or as much of one as it may hold; False at the end of the text."""
        while self._window.find("\n", self._position) < 0 and len(self._window) - self._position < _MAX_VALUE:
            if not self._read():
                break
        return self._position < len(self._window)

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        if len(self._window) - self._position >= _MAX_VALUE:
            return False
        return error.msg.startswith("Unterminated") or error.pos >= len(self._window) - _LONGEST_WORD

    def _read(self) -> bool:
        """
        Read as much again as the window holds; False at the end of the text.

        The window doubles, so that a long value is not parsed once for every chunk.
        """
        chunk = self._stream.read(max(_CHUNK, len(self._window) - self._position))
        self._window, self._position = self._window[self._position :] + chunk, 0
        return bool(chunk)

    def _move(self, end: int) -> None:
        newlines = self._window.count("\n", self._position, end)
        if newlines:
            self.line += newlines
            self._column = end - self._window.rindex("\n", self._position, end) - 1
        else:
            self._column += end - self._position
        self._position = end
