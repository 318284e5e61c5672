"""
The journal of this process: a file beside the spool to which it appends what it accepts.

A line costs the caller one write, and then the message is safe. Positions come from the file and are noted in one step, so that a signal
handler that raises between any two steps loses and hides nothing (rule Q8). Knows nothing of lanes or SQL.
"""

from __future__ import annotations

import errno
import os
import sys
import zlib
from typing import TYPE_CHECKING

from .journal_lines import (
    FRAME,
    JOURNAL,
    SALVAGED,
    complete_lines,
    count_lines,
    encode,
    folder_failed,
    pieces,
    quote,
    read_lines,
)
from .journal_owners import lock_new_owner, remove_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..._types import JsonObject
    from .journal_lines import Line

_COPIED_AT_ONCE = 2**20
# Seconds between two looks whether the file is still there: a look takes as long as writing a line.
_LOOK_EVERY = 0.01
# The cheaper call does not exist on every system.
_sync_file = getattr(os, "fdatasync", os.fsync)


class Journal:
    """
    The journal of this process; calls of ``append``, ``restart`` and ``replace`` must not overlap.

    Args:
        folder: Shared by the processes of one spool; made when it is not there.
        sync: Write each line through to the disk.
        credentials: The fingerprint of the client's, which is a part of the journal's name (rule Q7).

    Attributes:
        end: Bytes and lines of the current journal, as far as they are known to be complete.
        owner: The name under which other processes know this one.
        owners: All names that this journal has had.
        salvaged: Copies of journals, or of parts, that were replaced -> their lines; to be removed when they are ingested.

    Raises:
        SpoolFailed: The folder cannot be written to.
        ConfigurationError: The system has no file locks.
    """

    def __init__(self, folder: str, *, sync: bool, credentials: str = "") -> None:
        self._folder = folder
        self._credentials = f".{credentials}" if credentials else ""
        self._sync = sync
        self._number = 0
        # Set while a line is written: what stands behind ``end`` is looked at before the next one.
        self._is_unsure = False
        # When the last look at the file was.
        self._looked_at = 0.0
        self.end = (0, 0)
        try:
            self.owner, self._lock = self._new_owner()
        except OSError as error:
            raise folder_failed(folder, error) from error
        self.owners = {self.owner}
        self.salvaged: dict[str, int] = {}
        try:
            self.name, self._file = self._new_journal()
        except OSError as error:
            os.close(self._lock)
            raise folder_failed(folder, error) from error

    def _new_owner(self) -> tuple[str, int]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        if self._sync:
            _sync_folder(os.path.dirname(self._folder))
        return lock_new_owner(self._folder)

    @property
    def size(self) -> int:
        """Bytes of the current journal."""
        return self.end[0]

    @property
    def appended(self) -> int:
        """Lines of the current journal."""
        return self.end[1]

    @property
    def written(self) -> int:
        """Lines of the current journal, with one that is being written or was interrupted."""
        return self.end[1] + self._is_unsure

    def append(
        self, message: JsonObject, *, keys: Sequence[str], upserts: bool, message_id: str, now: float
    ) -> bool:
        """
        Write one message to the end; False when somebody removed or changed the file, so that ``replace`` must follow.

        Raises:
            SpoolFailed: It was not written; the journal is as it was.
        """
        head = f"[{now!r},{'true' if upserts else 'false'},{quote(message_id)},{encode(keys)}]"
        text = f"{head}\n{encode(message)}".encode()
        line = FRAME.pack(len(text), zlib.crc32(text)) + text
        try:
            if self._is_unsure:
                self._find_end()
            size, appended = self.end
            self._is_unsure = True
            file = self._file
            written = os.write(file, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, "no space left for a whole line")
            if self._sync:
                _sync_file(file)
            if not 0 <= now - self._looked_at < _LOOK_EVERY:
                if not self._is_whole(size + written):
                    return False
                self._looked_at = now
        except OSError as error:
            self._cut_back()
            raise folder_failed(self._folder, error) from error
        self.end, self._is_unsure = (size + written, appended + 1), False
        return True

    def _is_whole(self, size: int) -> bool:
        status = os.fstat(self._file)
        return status.st_nlink > 0 and status.st_size == size

    def _cut_back(self) -> None:
        """Remove an incomplete line; if even that fails, the next line goes to a new journal."""
        try:
            os.ftruncate(self._file, self.end[0])
        except OSError:
            return
        self._is_unsure = False

    def _find_end(self) -> None:
        """Count complete lines that an interrupted call wrote, and remove an incomplete one."""
        size, appended = self.end
        end, lines = complete_lines(self._file, size)
        try:
            os.ftruncate(self._file, end)
        except OSError:
            # Readers stop at the incomplete line.
            torn = self._file
            name, file = self._new_journal()
            self.name, self._file, self.end, self._is_unsure = name, file, (0, 0), False
            os.close(torn)
            return
        self.end, self._is_unsure = (end, appended + lines), False

    def settle_end(self) -> None:
        """Look at the file again if a call was interrupted while it wrote."""
        if self._is_unsure:
            try:
                self._find_end()
            except OSError as error:
                raise folder_failed(self._folder, error) from error

    def is_in_place(self) -> bool:
        """Return whether the current journal and the lock are still found under their names, and nobody else changed the journal."""
        is_whole = self._is_unsure or self._is_whole(self.end[0])
        return (
            is_whole
            and _is_at(self._path(self.name), self._file)
            and _is_at(self._path(f"{self.owner}.lock"), self._lock)
        )

    def replace(self, start: int) -> int:
        """
        Begin a new journal because files of this one were removed, moved or changed; return how many lines were saved.

        The lines behind the byte *start*, which the open file still has, are copied into a journal of their own. If the file was cut,
        the copy has all that is left of it.

        Raises:
            SpoolFailed: The new files cannot be written; this journal is as it was.
        """
        owner, lock = self.owner, self._lock
        try:
            if not _is_at(self._path(f"{owner}.lock"), lock):
                owner, lock = self._new_owner()
                self.owners.add(owner)
            name, file = self._new_journal(owner)
            end = os.fstat(self._file).st_size
            start = 0 if end < self.end[0] else start
            lines = count_lines(self._file, start, end)
            if lines:
                copy = f"{owner}.{self._number}{self._credentials}{SALVAGED}"
                self._copy(copy, start, end)
                self.salvaged[copy] = lines
        except OSError as error:
            raise folder_failed(self._folder, error) from error
        old, old_lock, old_name = self._file, self._lock, self.name
        self.name, self._file, self.end, self._is_unsure = name, file, (0, 0), False
        self.owner, self._lock = owner, lock
        if _is_at(self._path(old_name), old):
            # Only the lock was removed, or the file was changed: its lines were copied.
            remove_file(self._folder, old_name)
        os.close(old)
        if old_lock != lock:
            os.close(old_lock)
        return lines

    def _copy(self, name: str, start: int, end: int) -> None:
        """Copy bytes of the open journal into a new file, which gets its name when it is complete."""
        part = self._path(f"{name}.part")
        copy = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            while start < end:
                piece = os.pread(self._file, min(_COPIED_AT_ONCE, end - start), start)
                start += len(piece)
                while piece:
                    piece = piece[os.write(copy, piece) :]
            if self._sync:
                _sync_file(copy)
        finally:
            os.close(copy)
        os.rename(part, self._path(name))
        if self._sync:
            _sync_folder(self._folder)

    def set_aside(self, start: int, size: int) -> None:
        """
        Move the lines behind the byte *start* into files of their own, so that each gives back its room as soon as it is ingested.

        The last lines go first, and what there is no room for stays. No other process may ingest meanwhile. If this is interrupted,
        lines may be in both files: they are ingested once.

        Args:
            start: Where to begin.
            size: Bytes of each file; a longer line has one for itself.
        """
        for begin, lines in reversed(pieces(self._file, start, self.end[0], size)):
            self._number += 1
            name = f"{self.owner}.{self._number}{self._credentials}{SALVAGED}"
            try:
                self._copy(name, begin, self.end[0])
                self.salvaged[name] = lines
                os.ftruncate(self._file, begin)
            except OSError:
                remove_file(self._folder, f"{name}.part")
                return
            self.end = (begin, self.end[1] - lines)

    def take(self, start: int, size: int, positions: Mapping[str, int]) -> list[Line]:
        """
        Remove the lines of one part, and return them: there is no other way to get room. No other process may ingest meanwhile.

        Args:
            start: Where the lines begin that are not ingested.
            size: Bytes of the part, if it is one of the journal itself; its last one is taken.
            positions: File -> bytes of it that were ingested.
        """
        # The part with the oldest lines was set aside last.
        for name in reversed(self.salvaged):
            lines = list(read_lines(self._folder, name, start=positions.get(name, 0), end=sys.maxsize))
            self.remove_salvaged(name)
            return lines
        parts = pieces(self._file, start, self.end[0], size)
        if not parts:
            return []
        begin, number = parts[-1]
        lines = list(read_lines(self._folder, self.name, start=begin, end=self.end[0]))
        os.ftruncate(self._file, begin)
        self.end = (begin, self.end[1] - number)
        return lines

    def restart(self, least: int = 256 * 1024) -> str | None:
        """
        Replace a journal of at least so many bytes, which must be ingested to its end, by a new one.

        Returns:
            The name of the removed one, or None.
        """
        if self.end[0] < least or self._is_unsure:
            return None
        old_name, old_file = self.name, self._file
        try:
            name, file = self._new_journal()
        except OSError:
            # There is no room for a new one: the old one grows until there is.
            return None
        self.name, self._file, self.end = name, file, (0, 0)
        os.close(old_file)
        remove_file(self._folder, old_name)
        return old_name

    def remove_salvaged(self, name: str) -> None:
        """Remove a copy that was ingested to its end."""
        remove_file(self._folder, name)
        self.salvaged.pop(name, None)

    def leave(self) -> None:
        """In a forked child: close the parent's files, without an effect on the parent's lock."""
        os.close(self._file)
        os.close(self._lock)

    def close(self, *, is_ingested: bool) -> None:
        """Release the lock, and remove the files if every line was ingested."""
        os.close(self._file)
        try:
            if is_ingested:
                remove_file(self._folder, self.name)
                remove_file(self._folder, f"{self.owner}.lock")
        finally:
            os.close(self._lock)

    def _new_journal(self, owner: str | None = None) -> tuple[str, int]:
        self._number += 1
        name = f"{owner or self.owner}.{self._number}{self._credentials}{JOURNAL}"
        file = os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._sync:
            _sync_folder(self._folder)
        return name, file

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def _is_at(path: str, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
