"""Lock files that say which process owns which journals, and whether it lives; knows nothing of what is in a journal."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def owner_of(name: str) -> str:
    """Return the owner of a journal or lock file."""
    return name.split(".", 1)[0]


def lock_new_owner(folder: str) -> tuple[str, int]:
    """
    Make a new owner for this process, and lock its file: returns its name and the open lock file.

    The kernel ends the lock when this process dies, however it dies.

    Raises:
        ConfigurationError: The system has no file locks.
        OSError: The folder cannot be written to.
    """
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
            # Before the lock was taken, another process could take the file for that of a dead process, and remove it.
            if os.path.exists(path):
                return owner, lock
        except BlockingIOError:
            # Another process holds the lock and removes the file: try again under a new name.
            pass
        os.close(lock)


def lock_dead_owners(folder: str, own: str) -> dict[str, int]:
    """
    Lock the files of the processes that died: owner -> open lock file, to be passed to ``remove_owner`` or closed.

    Args:
        folder: Of the journals.
        own: The owner of this process, which is left out.
    """
    import fcntl

    dead: dict[str, int] = {}
    with os.scandir(folder) as files:
        names = [file.name for file in files if file.name.endswith(".lock")]
    for name in names:
        owner = owner_of(name)
        if owner == own:
            continue
        try:
            lock = os.open(os.path.join(folder, name), os.O_RDWR)
        except OSError:
            # Another process has just removed it, or it is no file.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Its process lives.
            os.close(lock)
            continue
        dead[owner] = lock
    return dead


def strays(folder: str) -> list[str]:
    """Return what has the name of a journal or lock and is no plain file."""
    with os.scandir(folder) as files:
        return [
            file.name
            for file in files
            if file.name.endswith((".journal", ".lock")) and not file.is_file(follow_symlinks=False)
        ]


def lock_file(path: str) -> int | None:
    """Make and lock a file, to be removed before it is closed; None while another process has it locked."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The process that had it locked removed it: another one may have made a new one.
        is_removed = not os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        is_removed = True
    if is_removed:
        os.close(handle)
        return None
    return handle


def is_dead(folder: str, owner: str) -> bool:
    """Return whether the process of this name is known to have ended: its lock is there, and free."""
    import fcntl

    try:
        lock = os.open(os.path.join(folder, f"{owner}.lock"), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def remove_owner(folder: str, owner: str, *, lock: int, ends: Mapping[str, int]) -> dict[str, int]:
    """
    Remove the files of a dead process, after all complete lines of its journals were ingested.

    A process that died while it wrote leaves an incomplete line. That call never returned, so no message was accepted. The journal is
    kept under another name, ``.torn``, in case somebody wants to look at it.

    Args:
        folder: Of the journals.
        owner: The dead process.
        lock: Its file, from ``lock_dead_owners``; is closed.
        ends: Journal -> byte at which its last complete line ends.

    Returns:
        Those of *ends* that were kept as ``.torn``.
    """
    torn = {}
    # Files of another user may be in a folder in which only their owner may remove them: they stay.
    with contextlib.suppress(OSError):
        for name, end in ends.items():
            path = os.path.join(folder, name)
            if os.path.getsize(path) > end:
                os.replace(path, f"{path}.torn")
                torn[name] = end
            else:
                remove_file(folder, name)
        remove_file(folder, f"{owner}.lock")
    os.close(lock)
    return torn


def remove_file(folder: str, name: str) -> None:
    """Remove a file; nothing happens when it is not there."""
    try:
        os.unlink(os.path.join(folder, name))
    except FileNotFoundError:
        return
