"""The spool's connection to its SQLite file: one lock, transactions, translated errors, no connection across a fork; knows no table."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from ...errors import SpoolFailed
from ..forks import rest_at_forks
from .schema import BUSY_TIMEOUT, connect, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Seconds that the ingest in a caller's thread waits for another process; a worker can do it later.
_SHORT_BUSY_TIMEOUT = 0.02


class Database:
    """
    One connection that threads share; the caller holds ``lock`` while it uses it.

    SQLite keeps the locks of a process in that process's memory, so a connection must not be open across a fork: it is closed before
    the fork, and opened again when it is next used.

    Source: SQLite's page "How To Corrupt An SQLite Database File", section 2.6, on connections carried across a fork.

    Args:
        path: Of the file.
        sync: ``normal`` or ``full``.
        busy_timeout: Seconds that a statement waits while another process has the file locked.

    Raises:
        SpoolFailed: The file cannot be opened.
    """

    def __init__(self, path: str, *, sync: str, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._sync = sync
        self._busy_timeout = busy_timeout
        self._is_closed = False
        self._connection: sqlite3.Connection | None = connect(path, sync=sync, busy_timeout=busy_timeout)
        rest_at_forks(self)

    def run(self, query: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement; raises SQLite's errors, which ``translated_errors`` and ``transaction`` translate."""
        return (self._connection or self._open()).execute(query, parameters)

    def run_many(self, query: str, parameters: Iterable[Sequence[object]]) -> None:
        """Run one statement for each of *parameters*."""
        (self._connection or self._open()).executemany(query, parameters)

    def fetch_one(self, query: str) -> tuple[Any, ...]:
        """Return the first row."""
        with self.translated_errors():
            row: tuple[Any, ...] = self.run(query).fetchone()
            return row

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise SQLite's errors as ``SpoolFailed``."""
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self.path, error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen in one step, or not at all."""
        with self.translated_errors():
            try:
                self.run("BEGIN IMMEDIATE")
                yield
                self.run("COMMIT")
            except BaseException:
                connection = self._connection
                if connection is not None and connection.in_transaction:
                    # An error of the rollback must not replace the first one, which says more and may be an exit.
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def short_busy_timeout(self) -> Iterator[None]:
        """Hardly wait for other processes inside; a failure of the file is ignored, because a later attempt reports it."""
        with contextlib.suppress(SpoolFailed), self.translated_errors():
            self._set_busy_timeout(_SHORT_BUSY_TIMEOUT)
            try:
                yield
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self._set_busy_timeout(self._busy_timeout)

    def _set_busy_timeout(self, seconds: float) -> None:
        self.run(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def disconnect(self) -> None:
        """Close the connection until it is next used; nothing happens during a transaction."""
        connection = self._connection
        if connection is not None and not connection.in_transaction:
            connection.close()
            self._connection = None

    def close(self) -> None:
        """Release the file."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._is_closed:
            raise SpoolFailed(f"spool: {self.path} was closed; make a new client")
        self._connection = connect(self.path, sync=self._sync, busy_timeout=self._busy_timeout)
        return self._connection

    # --- forks ----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait until no other thread uses the connection, and close it."""
        self.lock.acquire()
        self.disconnect()

    def after_fork_in_parent(self) -> None:
        """Let other threads continue."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Stop using what belongs to the parent; also called where the fork ran no hook."""
        self.lock = threading.RLock()
        self._is_closed = True
        if self._connection is not None:
            _leave_open(self._connection)
            self._connection = None


def _leave_open(connection: sqlite3.Connection) -> None:
    """Keep a parent's connection from being closed in its child, even at the interpreter's end: closing it would end the parent's locks."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
