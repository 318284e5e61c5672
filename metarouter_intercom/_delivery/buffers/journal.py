"""
The intake of a spool: append-only journals, one a process, in which a message is safe before it is sorted into the database.

A journal line costs the caller one write. Knows files and locks, nothing of lanes or SQL.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ConfigurationError, SpoolFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..._types import JsonObject

_log = logging.getLogger("metarouter_intercom")
# Before each line: its length and its checksum, so that a half-written last one is seen.
_FRAME = struct.Struct("<II")
# A longer length than any message can have is no length.
_LONGEST_LINE = 64 * 2**20
# A journal that was sorted in to its end is replaced by a new one when it is longer than this.
_LONGEST_JOURNAL = 256 * 1024
# Not every system has the cheaper one.
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
        end: Where in the journal the line ends.
    """

    accepted_at: float
    upserts: bool
    message_id: str
    keys: list[str]
    body: str
    end: int


class Intake:
    """
    The journal of this process; its owner serialises ``append`` and ``restart``.

    While the process lives it holds a lock file, which the kernel releases however the process dies.

    Args:
        folder: Shared by the processes of one spool; made when it is not there.
        sync: Write each line through to the disk.

    Raises:
        SpoolFailed: The folder cannot be written to.
        ConfigurationError: The system has no file locks.
    """

    def __init__(self, folder: str, *, sync: bool) -> None:
        self._folder = folder
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
            self.owner, self._lock = _own(folder)
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
        """Begin a new journal when this one is long, and remove it: it was sorted in to its end. Returns its name."""
        if self.size < _LONGEST_JOURNAL:
            return None
        old_name, old_file = self.name, self._file
        try:
            self.name, self._file = self._new_journal()
        except OSError:
            # No room for a new one: the old one goes on growing until there is.
            return None
        self.appended = self.size = 0
        os.close(old_file)
        _remove(self._folder, old_name)
        return old_name

    def leave(self) -> None:
        """In a forked child: let go of the parent's files without touching its lock."""
        os.close(self._file)
        os.close(self._lock)

    def close(self, *, is_empty: bool) -> str | None:
        """Release the lock; remove the files when everything was sorted in. Returns the removed journal's name."""
        os.close(self._file)
        if is_empty:
            _remove(self._folder, self.name)
            _remove(self._folder, f"{self.owner}.lock")
        os.close(self._lock)
        return self.name if is_empty else None

    def _new_journal(self) -> tuple[str, int]:
        self._number += 1
        name = f"{self.owner}.{self._number}.journal"
        file = os.open(
            os.path.join(self._folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600
        )
        if self._sync:
            _sync_folder(self._folder)
        return name, file

    def _cut_back(self) -> None:
        """Remove half a line; where even that fails, readers stop at it and later lines go to a new journal."""
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


def journals(folder: str) -> dict[str, int]:
    """Return name -> bytes of every journal in *folder*."""
    sizes: dict[str, int] = {}
    try:
        with os.scandir(folder) as found:
            for file in found:
                if file.name.endswith(".journal"):
                    try:
                        sizes[file.name] = file.stat().st_size
                    except FileNotFoundError:
                        continue
    except OSError as error:
        raise _failed(folder, error) from error
    return sizes


def owner_of(name: str) -> str:
    """Return the owner of a journal."""
    return name.split(".", 1)[0]


def read(folder: str, name: str, start: int, end: int) -> Iterator[Line]:
    """Yield the whole lines of a journal that begin from *start* on and before *end*; nothing when it was removed."""
    try:
        file = open(os.path.join(folder, name), "rb")  # noqa: SIM115  # closed below, after the last line was taken
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
            if not 0 < length <= _LONGEST_LINE:
                return
            text = file.read(length)
            if len(text) < length or zlib.crc32(text) != checksum:
                return
            position += _FRAME.size + length
            yield _line(text, position)


def adopt(folder: str, known: str) -> dict[str, int]:
    """
    Take the locks of the processes that died: owner -> lock file, held open until ``bury``.

    Args:
        folder: The intake.
        known: This process's owner name.
    """
    import fcntl

    dead: dict[str, int] = {}
    with os.scandir(folder) as found:
        names = [file.name for file in found if file.name.endswith(".lock")]
    for name in names:
        owner = owner_of(name)
        if owner == known:
            continue
        try:
            lock = os.open(os.path.join(folder, name), os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        dead[owner] = lock
    return dead


def bury(folder: str, owner: str, lock: int, ends: Mapping[str, int]) -> None:
    """
    Let go of a dead process's lock and remove its files, whose whole lines were all sorted in.

    A process that died while it wrote left half a line: that call never returned, so nothing was accepted. The file is kept under
    another name all the same, for whoever wants to look.

    Args:
        folder: The intake.
        owner: Who died.
        lock: From ``adopt``.
        ends: Journal -> where its last whole line ends.
    """
    for name, end in ends.items():
        path = os.path.join(folder, name)
        if os.path.getsize(path) > end:
            _log.warning("a journal ends in half a line", extra={"journal": name, "position": end})
            os.replace(path, f"{path}.torn")
        else:
            _remove(folder, name)
    _remove(folder, f"{owner}.lock")
    os.close(lock)


def _own(folder: str) -> tuple[str, int]:
    """Make and lock a file of our own."""
    try:
        import fcntl
    except ImportError:
        raise ConfigurationError(
            "spool: this system has no file locks; leave spool out and keep messages in memory"
        ) from None
    while True:
        owner = f"{os.getpid()}-{os.urandom(6).hex()}"
        path = os.path.join(folder, f"{owner}.lock")
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between making and locking it another process may have taken the file for a dead one's.
            if os.path.exists(path):
                return owner, lock
        except BlockingIOError:
            pass
        os.close(lock)


def _line(text: bytes, end: int) -> Line:
    head, _, body = text.decode().partition("\n")
    accepted_at, upserts, message_id, keys = json.loads(head)
    return Line(accepted_at, upserts, message_id, keys, body, end)


def _remove(folder: str, name: str) -> None:
    try:
        os.unlink(os.path.join(folder, name))
    except FileNotFoundError:
        return


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
