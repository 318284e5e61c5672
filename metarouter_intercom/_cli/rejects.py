"""The rejects file: messages that were not sent, where they are in the file, and why. It can be corrected and sent like any other file."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .csv_columns import REJECTED_BECAUSE
from .file_entries import FileEntry

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..errors import Problem

_CANNOT_BE_WRITTEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Rejects:
    """
    Writes the rejects file line by line; the first rejected message creates it.

    Args:
        path: Path of the file.
        keep: Bytes that the resumed run had written; what follows them is written again.
        other_folder: Returns the folder to use instead if that of *path* cannot be written; None if there is none.
    """

    def __init__(self, path: Path, *, keep: int, other_folder: Callable[[], Path] | None = None) -> None:
        self.path = path
        self._keep = keep
        self._other_folder = other_folder
        self._file: int | None = None

    def write(self, entry: FileEntry, problems: Sequence[Problem]) -> int:
        """Write one rejected message with its faults; return the length of the file in bytes."""
        faults: list[JsonObject] = [
            {"path": one.path, "fault": one.fault, "remedy": one.remedy} for one in problems
        ]
        line: JsonObject = {"line": entry.line, "place": entry.place, "faults": [*faults]}
        line |= {"text": entry.text} if entry.message is None else {"message": entry.message}
        return self._write((json.dumps(line) + "\n").encode())

    def close(self) -> None:
        """Close the file if it is open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, content: bytes) -> int:
        file = self._opened()
        while content:
            content = content[os.write(file, content) :]
        return os.lseek(file, 0, os.SEEK_CUR)

    def _opened(self) -> int:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT
            try:
                self._file = os.open(self.path, flags, 0o600)
            except OSError as error:
                if error.errno not in _CANNOT_BE_WRITTEN or self._other_folder is None:
                    raise
                self.path = self._other_folder() / self.path.name
                self._file = os.open(self.path, flags, 0o600)
            os.ftruncate(self._file, self._keep)
            os.lseek(self._file, self._keep, os.SEEK_SET)
        return self._file


class CsvRejects(Rejects):
    """
    Writes rejected rows of a CSV file as CSV, under the same column names and behind a column that says why.

    Args:
        path: Path of the file.
        keep: See ``Rejects``.
        other_folder: See ``Rejects``.
        table: Returns the file's column names and its delimiter.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: int,
        other_folder: Callable[[], Path] | None = None,
        table: Callable[[], tuple[Sequence[str], str]],
    ) -> None:
        super().__init__(path, keep=keep, other_folder=other_folder)
        self._table = table
        self._is_empty = not keep

    def write(self, entry: FileEntry, problems: Sequence[Problem]) -> int:
        """Write one rejected row with its faults; return the length of the file in bytes."""
        if entry.row is None:
            # The rest of a broken file: there is no row to correct.
            return self._write(b"")
        header, delimiter = self._table()
        because = "; ".join(f"{one.path}: {one.fault}" if one.path else one.fault for one in problems)
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        skip = 1 if header[:1] == [REJECTED_BECAUSE] else 0
        if self._is_empty:
            writer.writerow([REJECTED_BECAUSE, *header[skip:]])
            self._is_empty = False
        writer.writerow([f"line {entry.line}: {because}", *entry.row[skip:]])
        return self._write(text.getvalue().encode("utf-8", "surrogateescape"))
