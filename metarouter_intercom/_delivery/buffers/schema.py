"""The spool's tables, how the file is opened, and how an older file is brought up to date; knows SQL, nothing of messages."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ..hosts import PerProcessLock
from .boots_schema import STEP as BOOTS
from .history_schema import STEP as HISTORY
from .workspace_tables import TABLES as _WORKSPACES

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds that a statement waits while another process has the file locked.
BUSY_TIMEOUT = 10.0

# Held while a file is made: nobody in this process may have opened the file when ``create_file`` closes it.
_creating = PerProcessLock()

# One script for each version, applied in order; the file's user_version counts them. A released script is never changed, nor is the
# name of a table: ``shelf`` is the store, ``dead`` the dead letters.
STEPS = (
    """
    CREATE TABLE numbers (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL,
        lane INTEGER NOT NULL,
        claim INTEGER NOT NULL,
        pending INTEGER NOT NULL,
        dead INTEGER NOT NULL
    );
    INSERT INTO numbers VALUES (1, 0, 0, 0, 0, 0);
    CREATE TABLE journals (
        name TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        lines INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY,
        lane INTEGER NOT NULL,
        message_id TEXT NOT NULL UNIQUE,
        keys TEXT NOT NULL,
        upserts INTEGER NOT NULL,
        body TEXT NOT NULL,
        accepted_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        waiting INTEGER NOT NULL DEFAULT 0,
        waiting_since REAL
    );
    CREATE INDEX messages_lane ON messages (lane, seq);
    CREATE INDEX messages_upserts ON messages (lane, seq) WHERE upserts = 1 AND waiting = 0;
    CREATE TABLE lanes (
        lane INTEGER PRIMARY KEY,
        size INTEGER NOT NULL,
        leased INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        due_at REAL NOT NULL,
        waiting_since REAL
    );
    CREATE INDEX lanes_due ON lanes (due_at) WHERE leased = 0;
    CREATE TABLE lane_keys (
        key TEXT PRIMARY KEY,
        lane INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX lane_keys_lane ON lane_keys (lane);
    CREATE TABLE claims (
        claim INTEGER PRIMARY KEY,
        lane INTEGER NOT NULL,
        owner TEXT NOT NULL,
        until REAL NOT NULL,
        seqs TEXT NOT NULL
    );
    CREATE TABLE delivered (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id TEXT NOT NULL UNIQUE
    );
    CREATE TABLE dead (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        reason TEXT NOT NULL,
        body TEXT NOT NULL,
        answer TEXT,
        attempts INTEGER NOT NULL,
        accepted_at REAL NOT NULL,
        died_at REAL NOT NULL
    );
    CREATE INDEX dead_reason ON dead (reason, id);
    CREATE TABLE shelf (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        UNIQUE (kind, key)
    );
    """,
    """
    CREATE TABLE event_seconds (
        number INTEGER PRIMARY KEY,
        owner INTEGER NOT NULL UNIQUE,
        place INTEGER,
        name INTEGER NOT NULL,
        second INTEGER NOT NULL,
        UNIQUE (place, name, second)
    );
    CREATE TABLE event_places (
        number INTEGER PRIMARY KEY,
        key INTEGER NOT NULL UNIQUE,
        place INTEGER NOT NULL
    );
    """,
    _WORKSPACES,
    HISTORY,
    BOOTS,
)


def connect(
    path: str, *, sync: str, busy_timeout: float = BUSY_TIMEOUT, steps: Sequence[str] = STEPS
) -> sqlite3.Connection:
    """
    Open the file and bring its tables up to date. A file that is not there is made, readable by its owner only.

    Args:
        path: Of the file; its folder must be there.
        sync: ``normal`` or ``full``, as SQLite calls it.
        busy_timeout: Seconds that a statement waits while another process has the file locked.
        steps: The script of each version.

    Raises:
        SpoolFailed: The file cannot be opened, is no database, is locked, or was made by a newer version.
    """
    create_file(path)
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if sync == 'full' else 'NORMAL'}")
        _migrate(connection, path, steps)
    except sqlite3.Error as error:
        connection.close()
        raise failed(path, error) from error
    except SpoolFailed:
        connection.close()
        raise
    return connection


def copy_database(source: sqlite3.Connection, path: str, *, is_checked: bool) -> None:
    """
    Write all that *source* can read into a new file.

    Args:
        source: An open connection.
        path: Of the new file.
        is_checked: Look whether the copy is whole, which takes a while.

    Raises:
        SpoolFailed: It cannot be read any more, or not written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        copy = sqlite3.connect(path)
        try:
            source.backup(copy)
            if is_checked and copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("database disk image is malformed")
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
    except sqlite3.Error as error:
        raise failed(path, error) from error
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error


def create_file(path: str) -> None:
    """
    Make the file when it is not there.

    A file that is there must not be opened here: closing it would end every lock that SQLite holds on it in this process.

    Source: SQLite's page "How To Corrupt An SQLite Database File", section 2.2, on locks cancelled by a close.
    """
    try:
        with _creating.get():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        if os.path.isfile(path) and os.access(path, os.R_OK | os.W_OK):
            return
        fault = "this process may not read and write it" if os.path.isfile(path) else "no plain file"
        raise _unusable(path, fault) from error
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error


def _unusable(path: str, fault: str) -> SpoolFailed:
    return SpoolFailed(
        f"spool: cannot open {path} ({fault}); choose a file in a folder that this process may write to"
    )


def failed(path: str, error: sqlite3.Error) -> SpoolFailed:
    """Return the error that names the file, the fault and the remedy."""
    text = str(error)
    is_passing = is_full = False
    if "locked" in text or "busy" in text:
        remedy = "another process keeps it locked; end that process"
        is_passing = True
    elif "full" in text or "disk I/O error" in text:
        # SQLite calls it an I/O error when a limit of the file's size is reached.
        remedy = "free space on its disk"
        is_full = True
    elif "readonly" in text or "read-only" in text:
        remedy = "grant this process the right to write to the file and its folder"
    else:
        remedy = "move the file away (it keeps what can still be read) and start again"
    return SpoolFailed(f"spool: {path}: {text}; {remedy}", is_passing=is_passing, is_full=is_full)


def _migrate(connection: sqlite3.Connection, path: str, steps: Sequence[str]) -> None:
    if _version(connection) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(steps):
            raise SpoolFailed(f"spool: {path} was made by a newer version; upgrade metarouter-intercom")
        for number in range(version, len(steps)):
            for statement in steps[number].split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
