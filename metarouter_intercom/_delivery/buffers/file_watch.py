"""Whether the files that a connection has open still have their names (rule Q8); opens and changes nothing."""

from __future__ import annotations

import os
from typing import Literal

Fault = Literal["removed", "replaced", "emptied", "write-ahead"]
# Of a file that SQLite keeps beside the database: the log of writes, and its index in memory that all processes share.
BESIDE = ("-wal", "-shm")
# No SQLite file is smaller, as soon as it has a table.
_SMALLEST = 512


class FileWatch:
    """
    Remembers which files were opened.

    A descriptor goes on working when its file is removed, moved or replaced: what is written to it then is lost with the process.
    Comparing three files takes a few microseconds.

    Args:
        path: Of the database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: os.stat_result | None = None
        self._beside: dict[str, os.stat_result | None] = {}

    def note(self) -> None:
        """Remember the files that have the names now, just after the connection was opened."""
        self._opened = _status(self._path)
        self._beside = {ending: _status(self._path + ending) for ending in BESIDE}

    def fault(self) -> Fault | None:
        """Return what happened to the files since then; None when nothing did, or when nothing was opened."""
        opened = self._opened
        if opened is None:
            return None
        now = _status(self._path)
        if now is None:
            return "removed"
        if not os.path.samestat(now, opened):
            return "replaced"
        if now.st_size < _SMALLEST <= opened.st_size:
            return "emptied"
        for ending, before in self._beside.items():
            if before is not None:
                beside = _status(self._path + ending)
                if beside is None or not os.path.samestat(beside, before):
                    return "write-ahead"
        return None

    def remove_stale(self) -> None:
        """Remove what the earlier file left beside the path: SQLite would apply it to the file that has the name now."""
        for ending, before in self._beside.items():
            beside = _status(self._path + ending)
            if beside is not None and before is not None and os.path.samestat(beside, before):
                os.unlink(self._path + ending)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
