"""How much of a file was read, in a record that is locked while it is open, so that ``send`` continues after Ctrl-C or a crash and doubles nothing."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path

import attrs

from .exit_codes import ExitCode, Failed
from .file_entries import FileEntry

# One write of this size replaces the whole progress, so that a crash leaves either the old content or the new one.
_SIZE = 512
# What follows the progress: paths may be long.
_MAX_ABOUT = 1 << 16


@attrs.define(kw_only=True)
class Progress:
    """
    How much of a file was read into its spool.

    Attributes:
        read: Messages that were read, rejected ones included.
        rejected: How many of them were rejected.
        rejects_bytes: Length of the rejects file.
        digest: Digest of everything that was read; it tells another file from this one.
        sent_bytes: Length of the file when all of it was read and delivered; None before.
    """

    read: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    digest: str = ""
    sent_bytes: int | None = None


def digest_of(before: str, entry: FileEntry) -> str:
    """
    Return the digest of a file up to *entry*, given the digest of everything before it.

    It depends on content and order alone: reading the same file again gives the same digests, also with other ``--columns``.
    """
    if entry.row is not None:
        content = json.dumps(entry.row)
    else:
        content = entry.text if entry.message is None else json.dumps(entry.message)
    return blake2b(f"{before}\n{content}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class ProgressFile:
    """
    The file that stores a progress; locked while it is open.

    Args:
        path: Path of the file.

    Attributes:
        progress: How far the file was read.
        spool: Path of the spool with what was read and is not delivered; empty if there is none.

    Raises:
        Failed: Another process has locked it, it cannot be read, or the system has no file locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = lock(path)
        try:
            self.progress, self.spool = self._load()
        except BaseException:
            os.close(self._file)
            raise

    def save(self) -> None:
        """Write the progress to the file."""
        os.pwrite(self._file, json.dumps(attrs.asdict(self.progress)).ljust(_SIZE).encode(), 0)

    def save_all(self, file: str) -> None:
        """
        Write progress and spool to the file.

        Args:
            file: Which file it is about, for a person who looks into the record.
        """
        self.save()
        about = json.dumps({"file": file, "spool": self.spool}).encode()
        os.ftruncate(self._file, _SIZE)
        os.pwrite(self._file, about, _SIZE)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)

    def _load(self) -> tuple[Progress, str]:
        content = os.pread(self._file, _SIZE + _MAX_ABOUT, 0)
        start, about = content[:_SIZE], content[_SIZE:]
        if not start.strip():
            return Progress(), ""
        try:
            return Progress(**json.loads(start)), str(json.loads(about)["spool"]) if about.strip() else ""
        except (ValueError, TypeError, KeyError):
            raise Failed(
                f"{self.path}: not a progress file; delete it to send the file from the beginning",
                ExitCode.FILE,
            ) from None


def lock(path: Path) -> int:
    """
    Open *path* and lock it until its descriptor, which is returned, is closed.

    Raises:
        Failed: Another process has locked it, or the system has no file locks.
    """
    try:
        import fcntl
    except ImportError:
        raise Failed(
            "send: its spool needs file locks, which this system does not have; call Client.send() from Python instead",
            ExitCode.USAGE,
        ) from None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Locked(
            f"{path}: another process is sending this file; wait for it, or stop it", ExitCode.FILE
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Locked(Failed):
    """Another process has locked a file."""
