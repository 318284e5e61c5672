"""The spool's connection to its file: one lock, transactions, errors in our words, and rest around forks; knows no table."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from ...errors import SpoolFailed
from ..forks import rest_at_forks
from .schema import PATIENCE, connect, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# How long the caller's own sorting waits for another process; it can be done later.
_SHORT_PATIENCE = 0.02


class Database:
    """
    One connection that threads share; the caller holds ``lock`` while it uses it.

    SQLite keeps what a process has locked in that process's memory, so a connection must not be open across a fork: it is closed before
    and opened again when it is next used.

    Source: SQLite's page "How To Corrupt An SQLite Database File", section 2.6, on connections carried across a fork.

    Args:
        path: Of the file.
        sync: ``normal`` or ``full``.
        patience: Seconds that a statement waits for another process.

    Raises:
        SpoolFailed: The file cannot be opened.
    """

    def __init__(self, path: str, *, sync: str, patience: float = PATIENCE) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._sync = sync
        self._flush_deadline = patience
        self._is_closed = False
        self._connection: sqlite3.Connection | None = connect(path, sync=sync, patience=patience)
        rest_at_forks(self)

    def run(self, query: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement; raises SQLite's errors, which ``told`` and ``transaction`` translate."""
        return (self._connection or self._open()).execute(query, parameters)

    def run_many(self, query: str, parameters: Iterable[Sequence[object]]) -> None:
        """Run one statement for each of *parameters*."""
        (self._connection or self._open()).executemany(query, parameters)

    def ask(self, query: str) -> tuple[Any, ...]:
        """Return the first row."""
        with self.told():
            row: tuple[Any, ...] = self.run(query).fetchone()
            return row

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self.path, error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen in one step, or not at all."""
        with self.told():
            try:
                self.run("BEGIN IMMEDIATE")
                yield
                self.run("COMMIT")
            except BaseException:
                connection = self._connection
                if connection is not None and connection.in_transaction:
                    # What is raised already says more, and may be an exit that must be heard.
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def in_a_hurry(self) -> Iterator[None]:
        """Hardly wait for other processes inside; what fails for it is passed over."""
        with contextlib.suppress(SpoolFailed), self.told():
            self.run(f"PRAGMA busy_timeout = {int(_SHORT_PATIENCE * 1000)}")
            try:
                yield
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self.run(f"PRAGMA busy_timeout = {int(self._flush_deadline * 1000)}")

    def rest(self) -> None:
        """Close the connection until it is next used; a transaction in hand goes on."""
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
        self._connection = connect(self.path, sync=self._sync, patience=self._flush_deadline)
        return self._connection

    # --- forks ----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait for the statement in hand and close the connection."""
        self.lock.acquire()
        self.rest()

    def after_fork_in_parent(self) -> None:
        """Let the others go on."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Never use what is the parent's; also called where no hook of the fork's ran."""
        self.lock = threading.RLock()
        self._is_closed = True
        if self._connection is not None:
            _leave_open(self._connection)
            self._connection = None


def _leave_open(connection: sqlite3.Connection) -> None:
    """See that a parent's connection is never closed in its child, not even at the interpreter's end."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
