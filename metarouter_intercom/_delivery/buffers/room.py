"""
What a spool does on a volume without room (rule Q8): it goes on delivering, because what is delivered makes room.

SQLite needs some room to delete a message: a reserve file gives it back, and less is ingested at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from ...errors import SpoolFailed

if TYPE_CHECKING:
    from .database import Database
    from .notices import Notices
    from .spool_files import SpoolFiles

_log = logging.getLogger("metarouter_intercom")
# Lines ingested in one transaction: it takes some 30 ms, in which no other process can write.
_LINES_AT_ONCE = 2_000
# The same while there is hardly any room.
_FEW_LINES = 20
# Bytes: enough for the transactions that deliver a few messages.
_RESERVE = 512 * 1024
# The part of a small volume that the reserve may take, and the write-ahead file too.
_SHARE = 16
# Pages of the write-ahead file after which SQLite writes them into the database; its own default.
_PAGES = 1_000
_FEWEST_PAGES = 16
_PAGE = 4096


class Room:
    """
    The room on the volume of one spool.

    Args:
        database: Of the spool.
        files: Of the spool.
        notices: Takes what people should know.

    Attributes:
        is_tight: There was no room at the last attempt that needed some.
        lines_at_once: How many lines should be ingested in one transaction.
    """

    def __init__(self, database: Database, files: SpoolFiles, notices: Notices) -> None:
        self.is_tight = False
        self.lines_at_once = _LINES_AT_ONCE
        self._database = database
        self._files = files
        self._notices = notices
        self._reserve = os.path.join(files.folder, "reserve")
        self._is_told = False
        self._is_prepared = False

    def prepare(self) -> None:
        """Keep a reserve, and bound the write-ahead file by the size of the volume; before the first use of the database."""
        if self._is_prepared:
            return
        self._is_prepared = True
        if total := self._volume()[0]:
            self._database.wal_pages = max(_FEWEST_PAGES, min(_PAGES, total // _SHARE // _PAGE))
        self._keep_reserve()

    def leave(self) -> None:
        """Remove the reserve if no other process uses the spool."""
        with contextlib.suppress(OSError):
            if not any(name.endswith(".lock") for name in os.listdir(self._files.folder)):
                os.unlink(self._reserve)

    def is_made(self, error: SpoolFailed) -> bool:
        """Make room after *error* if there was none; False when that was not the fault. The caller holds the database's lock."""
        if not error.is_full:
            return False
        self.is_tight = True
        self.lines_at_once = _FEW_LINES
        with contextlib.suppress(OSError):
            os.unlink(self._reserve)
        with contextlib.suppress(SpoolFailed):
            self._database.checkpoint()
        if not self._is_told:
            self._is_told = True
            path = self._files.database
            self._notices.add(
                error,
                lambda: _log.warning(
                    "spool %s: there is no room: it goes on delivering, and new messages may be kept in memory: %s",
                    path,
                    error,
                    extra={"fault": str(error)},
                ),
            )
        return True

    def recover(self) -> None:
        """Work as usual again when there is room for it; called about once a second."""
        if not self.is_tight or not self._keep_reserve():
            return
        total, free = self._volume()
        if total and free < min(_RESERVE, total // _SHARE):
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            return
        self.is_tight = False
        self.lines_at_once = _LINES_AT_ONCE

    def check_accepting(self) -> None:
        """
        Leave the last room to the deliveries.

        Raises:
            SpoolFailed: A new message would need it.
        """
        total, free = self._volume()
        if total and free < min(_RESERVE, total // _SHARE):
            raise SpoolFailed(
                f"spool: {self._files.database}: its disk is full; free space there", is_full=True
            )

    def _keep_reserve(self) -> bool:
        """Return whether the reserve is there; makes it if there is room."""
        total, _ = self._volume()
        size = min(_RESERVE, total // _SHARE) if total else _RESERVE
        try:
            handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            if os.fstat(handle).st_size < size:
                os.truncate(handle, 0)
                left = size
                while left > 0:
                    left -= os.write(handle, bytes(min(left, 65536)))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            return False
        finally:
            os.close(handle)
        return True

    def _volume(self) -> tuple[int, int]:
        """Return the bytes of the volume, and those that are free; zeros where the system does not say."""
        try:
            volume = os.statvfs(self._files.folder)
        except (OSError, AttributeError):
            return 0, 0
        return volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
