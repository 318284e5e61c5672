"""How much of a file was read, in a file beside its spool, so that ``send`` continues after Ctrl-C or a crash and doubles nothing."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path

import attrs

from .exit_codes import ExitCode, Failed
from .message_files import FileEntry

# One write of this size replaces the whole file, so that a crash leaves either the old content or the new one.
_SIZE = 512


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
        workspace: Id of the workspace to which it was sent; empty in a file of an earlier version.
    """

    read: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    digest: str = ""
    sent_bytes: int | None = None
    workspace: str = ""


def digest_of(before: str, entry: FileEntry) -> str:
    """
    Return the digest of a file up to *entry*, given the digest of everything before it.

    It depends on content and order alone: reading the same file again gives the same digests.
    """
    content = entry.text if entry.message is None else json.dumps(entry.message)
    return blake2b(f"{before}\n{content}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class ProgressFile:
    """
    The file that stores a progress; locked while it is open.

    Args:
        path: Path of the file.

    Raises:
        Failed: Another process has locked it, it cannot be read, or the system has no file locks.
    """

    def __init__(self, path: Path) -> None:
        try:
            import fcntl
        except ImportError:
            raise Failed(
                "send: its spool needs file locks, which this system does not have; call Client.send() from Python instead",
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
                f"{path}: another process is sending this file; wait for it, or stop it", ExitCode.FILE
            ) from None
        except BaseException:
            os.close(self._file)
            raise

    def save(self) -> None:
        """Write the progress to the file."""
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
                f"{self.path}: not a progress file; delete it to send the file from the beginning",
                ExitCode.FILE,
            ) from None


def progress_file(spool: Path, workspace: str) -> ProgressFile:
    """
    Open the progress of a file in *workspace*: what was sent to another workspace says nothing about this one (rule Q7).

    Raises:
        Failed: As for ``ProgressFile``.
    """
    stored = ProgressFile(spool.with_name(f"{spool.name}.progress.json"))
    if stored.progress.workspace not in ("", workspace):
        stored.close()
        stored = ProgressFile(spool.with_name(f"{spool.name}.{workspace}.progress.json"))
    stored.progress.workspace = workspace
    return stored
