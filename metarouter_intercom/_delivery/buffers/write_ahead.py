"""Keeps the spool's write-ahead file short, and tells who keeps it long (rule Q8)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ..safely import safe_log

if TYPE_CHECKING:
    from .database import Database
    from .notices import Notices

_log = safe_log
# Bytes: SQLite itself keeps it at some 4 MB, unless somebody reads for a long time.
_LONG = 16 * 2**20


class WriteAhead:
    """
    Looks after the write-ahead file of one spool.

    Args:
        database: Of the spool.
        notices: Takes what people should know.
        limit: Bytes from which on the file is long.

    Attributes:
        size: Bytes, as of the last look.
        most: The most bytes that were ever seen.
    """

    def __init__(self, database: Database, notices: Notices, limit: int = _LONG) -> None:
        self.size = self.most = 0
        self._database = database
        self._notices = notices
        self._limit = limit
        self._is_told = False

    def check(self) -> None:
        """Shorten the file if it is long, and tell once when that is not possible; the caller holds the database's lock."""
        self.size = self._look()
        if self.size > self._limit:
            self._database.checkpoint()
            self.size = self._look()
        self.most = max(self.most, self.size)
        if self.size <= self._limit:
            self._is_told = False
        elif not self._is_told:
            self._is_told = True
            self._tell(self._database.path, self.size)

    def _look(self) -> int:
        try:
            return os.stat(f"{self._database.path}-wal").st_size
        except OSError:
            return 0

    def _tell(self, path: str, size: int) -> None:
        self._notices.add(
            SpoolFailed(
                f"spool: {path}-wal has grown to {size} bytes because another program reads the file for a long time; end that program"
            ),
            lambda: _log.warning(
                "spool %s: its write-ahead file has %d bytes, because another program reads the spool for a long time",
                path,
                size,
                extra={"bytes": size},
            ),
        )
