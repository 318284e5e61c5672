"""The file of broken messages: what could not be sent, where it stood, and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .message_files import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject
    from ..errors import Problem


class Rejects:
    """
    Written line by line, made when the first broken message is met.

    Args:
        path: Of the file.
        keep: How many bytes of it were written before by the run that is resumed; what is behind them is written once more.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        self.path = path
        self._keep = keep
        self._file: int | None = None

    def write(self, found: Found, problems: Sequence[Problem]) -> int:
        """Write one broken message with its faults; return the length of the file."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.ftruncate(self._file, self._keep)
            os.lseek(self._file, self._keep, os.SEEK_SET)
        faults: list[JsonObject] = [
            {"path": one.path, "fault": one.fault, "remedy": one.remedy} for one in problems
        ]
        line: JsonObject = {"line": found.line, "place": found.place, "faults": [*faults]}
        line |= {"text": found.text} if found.message is None else {"message": found.message}
        content = (json.dumps(line) + "\n").encode()
        while content:
            content = content[os.write(self._file, content) :]
        return os.lseek(self._file, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
