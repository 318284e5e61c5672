"""
What a spool does on a volume without room (rule Q8): it goes on delivering, because what is delivered makes room.

SQLite needs some room to delete a message: a reserve file gives it back, and less is ingested at once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ..safely import safe_log

if TYPE_CHECKING:
    from .database import Database
    from .notices import Notices
    from .spool_files import SpoolFiles

_log = safe_log
# Bytes that the write-ahead file may have in usual times; SQLite's own default.
_WRITE_AHEAD = 4 * 2**20
# The part of a small volume that it may have.
_SHARE = 16
_LEAST = 64 * 1024
_PAGE = 4096
# Where the size of a file is limited, a spool takes as much as so many files of that size.
_FILES = 4
# How many times the write-ahead file's size the reserve has: to write that file into the database, and to begin a new one.
_RESERVES = 2
# The part of the write-ahead file that one transaction fills, in usual times and while there is hardly any room.
_PART = 2
_SMALL_PART = 16
# Bytes of a journal, and the part of the write-ahead file that it has while there is hardly any room.
_LONGEST_JOURNAL = 256 * 1024
_PIECE = 4
# So many free bytes leave room for a history.
_PLENTY = 16 * _WRITE_AHEAD
# Rows that are forgotten at once, and the most of one table.
_FORGOTTEN = 50
_MOST_FORGOTTEN = 5_000


class Room:
    """
    The room on the volume of one spool.

    Args:
        database: Of the spool.
        files: Of the spool.
        notices: Takes what people should know.

    Attributes:
        is_tight: There was no room at the last attempt that needed some.
        bytes_at_once: How many bytes should be ingested in one transaction.
        longest_journal: A longer journal is replaced by a new one as soon as it was ingested to its end.
    """

    def __init__(self, database: Database, files: SpoolFiles, notices: Notices) -> None:
        self.is_tight = False
        self._write_ahead = _WRITE_AHEAD
        self.bytes_at_once = _WRITE_AHEAD // _PART
        self.longest_journal = _LONGEST_JOURNAL
        self._database = database
        self._files = files
        self._notices = notices
        self._reserve = os.path.join(files.folder, "reserve")
        self._is_told = False

    def prepare(self) -> None:
        """Keep a reserve, and bound the write-ahead file by the size of the volume; before the first use of the database."""
        total = self._volume()[0]
        if total:
            self._write_ahead = max(_LEAST, min(_WRITE_AHEAD, total // _SHARE))
        self.bytes_at_once = self._write_ahead // _PART
        self._database.wal_pages = self._write_ahead // _PAGE
        if (longest := _longest_file()) is not None:
            # What the database could not take from the write-ahead file would stay there for ever.
            self._database.most_pages = longest // _PAGE
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
        self.bytes_at_once = self._write_ahead // _SMALL_PART
        self._database.set_wal_pages(self._write_ahead // _PAGE // _PIECE)
        self.longest_journal = min(_LONGEST_JOURNAL, self._write_ahead // _PIECE)
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

    def forget(self) -> None:
        """Forget the history, and half of the seconds of events and of the ids of what was delivered; the oldest first."""
        with self._database.translated_errors():
            tables = self._database.run(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                " AND (name IN ('delivered', 'history') OR name GLOB 'event_seconds*') ORDER BY name = 'history' DESC"
            ).fetchall()
            for (table,) in tables:
                count = self._database.run(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
                left = min(count if table == "history" else count // 2, _MOST_FORGOTTEN)
                while left > 0:
                    # Forgetting needs some room too, which the checkpoint gives back.
                    self._database.run(
                        f"DELETE FROM {table} WHERE number IN (SELECT number FROM {table} ORDER BY number LIMIT ?)",
                        (min(left, _FORGOTTEN),),
                    )
                    self._database.checkpoint()
                    left -= _FORGOTTEN

    def recover(self) -> None:
        """Work as usual again when there is room for it; called about once a second. The caller holds the database's lock."""
        if not self.is_tight:
            return
        if not self._keep_reserve() or self._is_short():
            with contextlib.suppress(OSError):
                os.unlink(self._reserve)
            # The database keeps the room of what was delivered, and the journals need it. What does not shrink now may do so later.
            with contextlib.suppress(SpoolFailed):
                self._database.shrink(_WRITE_AHEAD)
            return
        self.is_tight = False
        self.bytes_at_once = self._write_ahead // _PART
        self.longest_journal = _LONGEST_JOURNAL
        self._database.set_wal_pages(self._write_ahead // _PAGE)

    def check_accepting(self) -> None:
        """
        Leave the last room to the deliveries.

        Raises:
            SpoolFailed: A new message would need it.
        """
        total, free = self._volume()
        if total and free < self._write_ahead * (_RESERVES + 1):
            raise SpoolFailed(
                f"spool: {self._files.database}: its disk is full; free space there", is_full=True
            )

    def piece(self) -> int:
        """Return how many bytes of a journal should go into a file of their own: each copy needs room, and the end of each file wastes some."""
        return max(self.longest_journal, min(_LONGEST_JOURNAL, self._volume()[1] // 2))

    def is_plenty(self) -> bool:
        """Return whether there is room for what is only remembered for people: the history must not take the messages' room."""
        total, free = self._volume()
        return not self.is_tight and (not total or min(free, _longest_file() or free) >= _PLENTY)

    def _is_short(self) -> bool:
        total, free = self._volume()
        return bool(total) and free < self._write_ahead

    def _keep_reserve(self) -> bool:
        """Return whether the reserve is there; makes it if there is room."""
        size = self._write_ahead * _RESERVES
        try:
            handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            if os.fstat(handle).st_size < size:
                _fill(handle, size)
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
        total, free = volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
        longest = _longest_file()
        return (total, free) if longest is None else (min(total, longest * _FILES), free)


def _longest_file() -> int | None:
    """Return how many bytes the system lets a file of this process have; None for no limit."""
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _fill(handle: int, size: int) -> None:
    """Give the file so many bytes on the disk."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    left = size
    while left > 0:
        left -= os.write(handle, bytes(min(left, 65536)))
