"""
The journals of a spool: files to which each process appends what it accepts, and from which messages are ingested into the database.

A line costs the caller one write, and then the message is safe. Knows files, nothing of lanes or SQL.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from ...errors import SpoolFailed
from .journal_owners import lock_new_owner, remove_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._types import JsonObject

# Before each line: its length and its checksum, so that a reader recognises an incomplete last line.
_FRAME = struct.Struct("<II")
# No message is so long: a larger length was not written by ``append``.
_MAX_LINE = 64 * 2**20
# A longer journal is replaced by a new one as soon as it was ingested to its end.
_MAX_JOURNAL = 256 * 1024
# The cheaper call does not exist on every system.
_sync_file = getattr(os, "fdatasync", os.fsync)
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Line(NamedTuple):
    """
    One accepted message in a journal.

    Attributes:
        accepted_at: Unix seconds.
        upserts: It writes its contact.
        message_id: Of the message.
        keys: Its contact keys.
        body: The message as JSON text.
        end: The byte of the journal at which the line ends.
    """

    accepted_at: float
    upserts: bool
    message_id: str
    keys: list[str]
    body: str
    end: int


class Journal:
    """
    The journal of this process; calls of ``append`` and ``restart`` must not overlap.

    Args:
        folder: Shared by the processes of one spool; made when it is not there.
        sync: Write each line through to the disk.
        credentials: The fingerprint of the client's, which is a part of the journal's name (rule Q7).

    Raises:
        SpoolFailed: The folder cannot be written to.
        ConfigurationError: The system has no file locks.
    """

    def __init__(self, folder: str, *, sync: bool, credentials: str = "") -> None:
        self._folder = folder
        self._ending = f".{credentials}.journal" if credentials else ".journal"
        self._sync = sync
        self._number = 0
        self._is_torn = False
        self.appended = 0
        """Lines written to the current journal."""
        self.size = 0
        """Bytes of the current journal."""
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if sync:
                _sync_folder(os.path.dirname(folder))
            self.owner, self._lock = lock_new_owner(folder)
        except OSError as error:
            raise _failed(folder, error) from error
        try:
            self.name, self._file = self._new_journal()
        except OSError as error:
            os.close(self._lock)
            raise _failed(folder, error) from error

    def append(
        self, message: JsonObject, *, keys: Sequence[str], upserts: bool, message_id: str, now: float
    ) -> None:
        """
        Write one message to the end.

        Raises:
            SpoolFailed: It was not written; the journal is as it was.
        """
        text = f"{_encode([now, upserts, message_id, keys])}\n{_encode(message)}".encode()
        line = _FRAME.pack(len(text), zlib.crc32(text)) + text
        try:
            if self._is_torn:
                self._leave_torn()
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(28, "no space left for a whole line")
            if self._sync:
                _sync_file(self._file)
        except OSError as error:
            self._cut_back()
            raise _failed(self._folder, error) from error
        self.size += written
        self.appended += 1

    def restart(self) -> str | None:
        """Replace a long journal, which must be ingested to its end, by a new one; returns the name of the removed one, or None."""
        if self.size < _MAX_JOURNAL:
            return None
        old_name, old_file = self.name, self._file
        try:
            self.name, self._file = self._new_journal()
        except OSError:
            # There is no room for a new one: the old one grows until there is.
            return None
        self.appended = self.size = 0
        os.close(old_file)
        remove_file(self._folder, old_name)
        return old_name

    def leave(self) -> None:
        """In a forked child: close the parent's files, without an effect on the parent's lock."""
        os.close(self._file)
        os.close(self._lock)

    def close(self, *, is_ingested: bool) -> None:
        """Release the lock, and remove the files if every line was ingested."""
        os.close(self._file)
        if is_ingested:
            remove_file(self._folder, self.name)
            remove_file(self._folder, f"{self.owner}.lock")
        os.close(self._lock)

    def _new_journal(self) -> tuple[str, int]:
        self._number += 1
        name = f"{self.owner}.{self._number}{self._ending}"
        file = os.open(
            os.path.join(self._folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600
        )
        if self._sync:
            _sync_folder(self._folder)
        return name, file

    def _cut_back(self) -> None:
        """Remove an incomplete line. If even that fails, readers stop at it, and the next line goes to a new journal."""
        try:
            os.ftruncate(self._file, self.size)
        except OSError:
            self._is_torn = True

    def _leave_torn(self) -> None:
        torn = self._file
        self.name, self._file = self._new_journal()
        self.appended = self.size = 0
        self._is_torn = False
        os.close(torn)


def credentials_of(name: str) -> str:
    """Return the fingerprint in a journal's name; an empty text when there is none."""
    parts = name.split(".")
    return parts[2] if len(parts) == 4 else ""


def journal_sizes(folder: str) -> dict[str, int]:
    """Return name -> bytes of every journal in *folder*."""
    sizes: dict[str, int] = {}
    try:
        with os.scandir(folder) as files:
            for file in files:
                if file.name.endswith(".journal"):
                    try:
                        sizes[file.name] = file.stat().st_size
                    except FileNotFoundError:
                        continue
    except OSError as error:
        raise _failed(folder, error) from error
    return sizes


def read_lines(folder: str, name: str, *, start: int, end: int) -> Iterator[Line]:
    """Yield the complete lines of a journal between the bytes *start* and *end*; nothing when the journal was removed."""
    try:
        file = open(os.path.join(folder, name), "rb")  # noqa: SIM115  # closed below, after the last line was read
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failed(folder, error) from error
    with file:
        file.seek(start)
        position = start
        while position + _FRAME.size <= end:
            head = file.read(_FRAME.size)
            if len(head) < _FRAME.size:
                return
            length, checksum = _FRAME.unpack(head)
            if not 0 < length <= _MAX_LINE:
                return
            text = file.read(length)
            if len(text) < length or zlib.crc32(text) != checksum:
                return
            position += _FRAME.size + length
            yield _parse(text, position)


def _parse(text: bytes, end: int) -> Line:
    head, _, body = text.decode().partition("\n")
    accepted_at, upserts, message_id, keys = json.loads(head)
    return Line(accepted_at, upserts, message_id, keys, body, end)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(folder: str, error: OSError) -> SpoolFailed:
    return SpoolFailed(
        f"spool: cannot write to {folder} ({error.strerror}); free space there, or grant this process the right to write"
    )
