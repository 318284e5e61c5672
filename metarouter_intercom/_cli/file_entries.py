"""One message of a file, or a piece of the file that is no message; reads no file."""

from __future__ import annotations

from typing import NamedTuple

from .._types import JsonObject
from ..errors import Problem


class FileEntry(NamedTuple):
    """
    One message of a file, or a piece of the file that is not a message.

    Attributes:
        line: Line in the file, from 1.
        place: Path to the message inside the value that begins in that line: ``batch[2]``, ``[7]``; empty for the value itself.
        message: The message; None if there is none.
        fault: Why there is none.
        text: The piece of the file that is not a message, for the rejects file.
        remedy: What to do about the fault.
        row: The cells of a row of a CSV file; None in other files.
        path: Path in the message of what is wrong; empty if it is the whole piece.
    """

    line: int
    place: str
    message: JsonObject | None
    fault: str | None = None
    text: str = ""
    remedy: str = "send one JSON object per line"
    row: tuple[str, ...] | None = None
    path: str = ""

    @property
    def problem(self) -> Problem:
        """The fault of an entry without a message, as acceptance reports faults."""
        return Problem(self.path, self.fault or "unreadable", self.remedy)

    def where(self, file: str, path: str = "") -> str:
        """Return ``file:line: path``, where *path* is that of a value in the message."""
        value = ".".join(part for part in (self.place, path) if part)
        return f"{file}:{self.line}: {value}" if value else f"{file}:{self.line}"
