"""
Where ``send`` keeps what it needs to continue: a record for each file and a spool for each run, in the user's state folder.

Records and spools belong to one workspace: a file that one workspace has is new to another one. Nothing is written beside the files.
Earlier versions kept their spool and progress there; those are found and continued.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import platformdirs

from .exit_codes import ExitCode, Failed
from .progress import Locked, Progress, ProgressFile, lock
from .sources import Source

# Streams of one folder that are sent at the same time.
_MAX_STREAMS = 100


def state_folder() -> Path:
    """Return ``$XDG_STATE_HOME/metarouter-intercom``, or the usual folder of this system: ``~/.local/state/metarouter-intercom`` on Linux."""
    root = os.environ.get("XDG_STATE_HOME")
    if root:
        return Path(root) / "metarouter-intercom"
    return platformdirs.user_state_path("metarouter-intercom", appauthor=False)


class SendState:
    """
    The records and spools of one workspace.

    Args:
        workspace: What tells the workspace from others: its id, and the address if it is not Intercom's own.
        spool: The spool that the command line names; None for one in the state folder.

    Raises:
        Failed: The state folder cannot be written.
    """

    def __init__(self, workspace: str, spool: str | None) -> None:
        self._named_spool = None if spool is None else Path(spool).absolute()
        self.folder = state_folder() / "send" / _key(workspace)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.folder / f"{os.urandom(6).hex()}.probe"
            os.close(os.open(probe, os.O_RDWR | os.O_CREAT, 0o600))
            probe.unlink()
        except OSError as error:
            raise Failed(
                f"{self.folder}: {error.strerror}; send keeps its state there: set XDG_STATE_HOME to a folder that you may write to",
                ExitCode.FILE,
            ) from None

    def open_record(self, source: Source, *, restart: bool) -> ProgressFile:
        """
        Return the record of *source*, locked.

        Args:
            source: The file.
            restart: Forget how far it was read. What was read and is not delivered is kept.

        Raises:
            Failed: Another process is sending the file, or its spool is missing.
        """
        record = self._open_stream(source) if source.is_stream else ProgressFile(self._path(source))
        try:
            _adopt(record, source, self._named_spool)
            if restart:
                record.progress = Progress()
            elif source.is_stream:
                # Message ids are made from the digest. It starts at random, so that no two streams share message ids.
                record.progress = Progress(digest=os.urandom(12).hex())
            elif record.progress.read and record.progress.sent_bytes is None and not is_spool(record.spool):
                raise Failed(
                    f"{record.spool or source.name}: the spool is missing, and with it the messages that were read and not delivered; "
                    f"add --restart to send {source.name} from the beginning",
                    ExitCode.FILE,
                )
        except BaseException:
            record.close()
            raise
        return record

    def new_spool(self) -> Path:
        """Return the path for the spool of this run."""
        return self._named_spool or self.folder / f"{os.urandom(6).hex()}.spool"

    def remove_spool(self, spool: Path) -> None:
        """Remove *spool*, unless the command line named it."""
        if spool != self._named_spool:
            remove_spool(spool)

    def rejects_folder(self) -> Path:
        """Return a folder for rejects files that cannot be written beside their files."""
        folder = self.folder / "rejects"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _path(self, source: Source, number: int = 0) -> Path:
        named = "" if self._named_spool is None else str(self._named_spool)
        return self.folder / f"{_key(source.identity, named, str(number))}.json"

    def _open_stream(self, source: Source) -> ProgressFile:
        for number in range(_MAX_STREAMS):
            with suppress(Locked):
                return ProgressFile(self._path(source, number))
        raise Failed(f"{source.name}: {_MAX_STREAMS} other processes are sending streams here", ExitCode.FILE)


def _adopt(record: ProgressFile, source: Source, named_spool: Path | None) -> None:
    """Continue with the state that an earlier version left beside the file, or beside the spool that the command line names."""
    if record.progress.read or record.spool:
        return
    spool = named_spool or Path(f"{source.old_name}.spool").absolute()
    beside = old_progress(spool)
    if source.is_stream:
        record.spool = str(spool) if is_spool(str(spool)) else ""
        return
    if not beside.exists():
        return
    old = ProgressFile(beside)
    try:
        record.progress = old.progress
        record.spool = str(spool) if is_spool(str(spool)) else ""
        record.save_all(source.name)
    finally:
        old.close()


def old_progress(spool: Path) -> Path:
    """Return where earlier versions kept the progress."""
    return spool.with_name(f"{spool.name}.progress.json")


def is_spool(path: str) -> bool:
    """Tell whether there is a spool at *path*."""
    return bool(path) and os.path.exists(path)


def lock_spool(spool: Path) -> int:
    """
    Keep other runs of ``send`` from using *spool*; return a descriptor to close.

    Raises:
        Failed: Another run uses it.
    """
    try:
        return lock(_lock_of(spool))
    except Locked:
        raise Locked(
            f"{spool}: another process is sending what an earlier run left there; wait for it, or stop it",
            ExitCode.FILE,
        ) from None


def remove_spool(spool: Path) -> None:
    """Remove a spool with all its files."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        spool.with_name(spool.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(spool.with_name(f"{spool.name}-intake"), ignore_errors=True)
    old_progress(spool).unlink(missing_ok=True)
    _lock_of(spool).unlink(missing_ok=True)


def _lock_of(spool: Path) -> Path:
    """Return the lock file of *spool*: in the state folder, because a spool may lie where nothing else shall be written."""
    return state_folder() / "send" / f"{_key(os.path.realpath(spool))}.lock"


def _key(*parts: str) -> str:
    return blake2b("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
