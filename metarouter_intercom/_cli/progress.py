"""How far a file was read, kept beside its spool, so that ``send`` goes on after Ctrl-C or a crash without doubling."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path

import attrs

from .exit_codes import ExitCode, Failed
from .message_files import Found

# The record is written over itself in one piece of this size, so that a crash leaves the old one or the new one.
_SIZE = 512


@attrs.define(kw_only=True)
class Progress:
    """
    What of a file has been read into its spool.

    Attributes:
        read: Messages read, rejected ones included.
        rejected: Those among them that were rejected.
        rejects_bytes: Length of the rejects file.
        digest: Of everything that was read, so that another file is not taken for this one.
        sent_bytes: Length of the file when all of it had been read and delivered; None before.
    """

    read: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    digest: str = ""
    sent_bytes: int | None = None


def digest_of(before: str, found: Found) -> str:
    """
    Return the digest of a file up to *found*, given that of everything before.

    It depends on content and position alone: the same file gives the same digests each time it is read.
    """
    content = found.text if found.message is None else json.dumps(found.message)
    return blake2b(f"{before}\n{content}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class Record:
    """
    The file that keeps a progress, locked while it is open.

    Args:
        path: Of the record.

    Raises:
        Failed: Another process has it, it cannot be read, or the system has no locks.
    """

    def __init__(self, path: Path) -> None:
        try:
            import fcntl
        except ImportError:
            raise Failed(
                "send: this system has no file locks, which its spool needs; hand the messages to Client.send() instead",
                ExitCode.USAGE,
            ) from None
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.progress = self._load()
        except BlockingIOError:
            os.close(self._file)
            raise Failed(
                f"{path}: another process is sending this file; wait for it, or end it", ExitCode.FILE
            ) from None
        except BaseException:
            os.close(self._file)
            raise

    def save(self) -> None:
        """Write the progress down."""
        os.pwrite(self._file, json.dumps(attrs.asdict(self.progress)).ljust(_SIZE).encode(), 0)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)

    def _load(self) -> Progress:
        content = os.pread(self._file, 2 * _SIZE, 0)
        if not content.strip():
            return Progress()
        try:
            return Progress(**json.loads(content))
        except (ValueError, TypeError):
            raise Failed(
                f"{self.path}: no record of a progress; delete it to send the file from its beginning",
                ExitCode.FILE,
            ) from None
