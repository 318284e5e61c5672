"""The rejects file: messages that were not sent, where they are in the file, and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .message_files import FileEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject
    from ..errors import Problem


class Rejects:
    """
    Writes the rejects file line by line; the first rejected message creates it.

    Args:
        path: Path of the file.
        keep: Bytes that the resumed run had written; what follows them is written again.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        self.path = path
        self._keep = keep
        self._file: int | None = None

    def write(self, entry: FileEntry, problems: Sequence[Problem]) -> int:
        """Write one rejected message with its faults; return the length of the file in bytes."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.ftruncate(self._file, self._keep)
            os.lseek(self._file, self._keep, os.SEEK_SET)
        faults: list[JsonObject] = [
            {"path": one.path, "fault": one.fault, "remedy": one.remedy} for one in problems
        ]
        line: JsonObject = {"line": entry.line, "place": entry.place, "faults": [*faults]}
        line |= {"text": entry.text} if entry.message is None else {"message": entry.message}
        content = (json.dumps(line) + "\n").encode()
        while content:
            content = content[os.write(self._file, content) :]
        return os.lseek(self._file, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Close the file if it is open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
