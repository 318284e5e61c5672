"""The spool's connection to its SQLite file: one lock, transactions, translated errors, no connection across a fork; knows no table."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

from ...errors import SpoolFailed
from ..forks import rest_at_forks
from .file_watch import FileWatch
from .schema import BUSY_TIMEOUT, connect, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .file_watch import Fault

# Seconds that a call which only wants to know something waits for our own threads, and again for other processes.
BRIEF = 0.1
# Bytes of a page, unless somebody changed the file's.
_PAGE = 4096
# Pages of a limited number that messages may not fill, and their part.
_LEAST_LEFT = 6
_PART_LEFT = 8
# Seconds for which a worker lets another thread have the lock first, and how often.
_STEP_BACK = 0.001
_MOST_STEPS_BACK = 20


class Database:
    """
    One connection that threads share, made when it is first used; the caller holds ``lock`` while it uses it.

    SQLite keeps the locks of a process in that process's memory, so a connection must not be open across a fork: it is closed before
    the fork, and opened again when it is next used.

    Source: SQLite's page "How To Corrupt An SQLite Database File", section 2.6, on connections carried across a fork.

    Args:
        path: Of the file.
        sync: ``normal`` or ``full``.
        busy_timeout: Seconds that a statement waits while another process has the file locked.

    Attributes:
        watch: Whether the open files are still those that have their names.
        wal_pages: After so many pages SQLite writes the write-ahead file into the database, and then cuts it to so many.
        most_pages: How many pages the database may have; None for as many as there is room for.
        on_other_file: Called after the connection was opened again and found another file under the name.
    """

    def __init__(self, path: str, *, sync: str, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._sync = sync
        self._busy_timeout = self._timeout = busy_timeout
        self._waits_in_vain = 0
        # One item for each thread that waits for ``lock`` and has little time; a list, because its methods are atomic.
        self._hurried: list[None] = []
        self._is_closed = False
        self._connection: sqlite3.Connection | None = None
        self.watch = FileWatch(path)
        self.wal_pages = 1_000
        self.most_pages: int | None = None
        self.on_other_file: Callable[[Fault], None] = lambda fault: None
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
            failure = failed(self.path, error)
            if failure.is_passing and self._timeout == self._busy_timeout:
                self._waits_in_vain += 1
            raise failure from error

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
    def turn(self) -> Iterator[None]:
        """
        Hold the lock.

        Raises:
            SpoolFailed: Another thread waited in vain for the file meanwhile: with many threads, each would wait as long as that.
        """
        waits = self._waits_in_vain
        # A lock is not fair: with many workers, a thread that has little time might not get it for long.
        for _ in range(_MOST_STEPS_BACK):
            if not self._hurried:
                break
            time.sleep(_STEP_BACK)
        with self.lock:
            if waits != self._waits_in_vain:
                raise self._locked()
            yield

    def _locked(self) -> SpoolFailed:
        return SpoolFailed(
            f"spool: {self.path}: another process keeps it locked; end that process", is_passing=True
        )

    @contextlib.contextmanager
    def briefly(self, seconds: float = BRIEF, *, for_threads: float | None = None) -> Iterator[None]:
        """
        Hold the lock, and wait in each statement at most *seconds* for other processes.

        Args:
            seconds: How long.
            for_threads: How many seconds to wait for our own threads, each of which is busy for some milliseconds; three times *seconds* by
                default.

        Raises:
            SpoolFailed: Our own threads use the connection all that time; the fault is a passing one.
        """
        self._hurried.append(None)
        try:
            is_ours = self.lock.acquire(timeout=3 * seconds if for_threads is None else for_threads)
        finally:
            self._hurried.pop()
        if not is_ours:
            raise self._locked()
        try:
            before, self._timeout = self._timeout, min(seconds, self._timeout)
            self._set_busy_timeout()
            try:
                yield
            finally:
                self._timeout = min(before, self._busy_timeout)
                self._set_busy_timeout()
        finally:
            self.lock.release()

    def hurry(self) -> None:
        """From now on wait only briefly for other processes, because the client closes."""
        self._busy_timeout = min(self._busy_timeout, BRIEF)
        with contextlib.suppress(SpoolFailed), self.briefly():
            return  # leaving it sets the time

    def _set_busy_timeout(self) -> None:
        if self._connection is not None:
            # An error of the file is found and translated by the next statement.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")

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
        fault = self.watch.fault()
        self._connection = connect(self.path, sync=self._sync, busy_timeout=self._timeout)
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {self.wal_pages}")
        self._connection.execute(f"PRAGMA journal_size_limit = {self.wal_pages * _PAGE}")
        if self.most_pages is not None:
            self._connection.execute(f"PRAGMA max_page_count = {self.most_pages}")
        self.watch.note()
        if fault is not None and fault != "write-ahead":
            self.on_other_file(fault)
        return self._connection

    # --- when the file is another one -------------------------------------------------------------------

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The open connection; None when there is none."""
        return self._connection

    @contextlib.contextmanager
    def leaving_pages(self) -> Iterator[None]:
        """Leave the last of a limited number of pages alone inside: they are for forgetting what was delivered."""
        most = self.most_pages
        if most is None:
            yield
            return
        with self.translated_errors():
            self.run(f"PRAGMA max_page_count = {most - max(_LEAST_LEFT, most // _PART_LEFT)}")
        try:
            yield
        finally:
            with self.translated_errors():
                self.run(f"PRAGMA max_page_count = {most}")

    def set_wal_pages(self, number: int) -> None:
        """Let the write-ahead file have about so many pages from now on."""
        self.wal_pages = number
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA wal_autocheckpoint = {number}")

    def checkpoint(self) -> None:
        """Write what others do not read into the database, and empty the write-ahead file if that was everything; waits for nobody."""
        with self.briefly(0.0):
            self.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")

    def shrink(self, most: int) -> None:
        """Give back the pages that the database no longer uses, if most of it is unused, and at most *most* bytes are used."""
        with self.translated_errors():
            size, pages, unused = (
                self.fetch_one(f"PRAGMA {name}")[0] for name in ("page_size", "page_count", "freelist_count")
            )
            if unused * 2 < pages or (pages - unused) * size > most:
                return
            self.run("PRAGMA temp_store = MEMORY")
            self.run("VACUUM")
        self.checkpoint()

    def write_back(self) -> None:
        """Write everything from the write-ahead file into the database."""
        self.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")

    def detach(self) -> tuple[sqlite3.Connection, FileWatch]:
        """Give away the connection, and open what has the file's name now."""
        assert self._connection is not None
        earlier = self._connection, self.watch
        self._connection, self.watch = None, FileWatch(self.path)
        try:
            self._open()
        except BaseException:
            self._connection, self.watch = earlier
            raise
        return earlier

    def attach(self, connection: sqlite3.Connection, watch: FileWatch) -> None:
        """Undo ``detach``."""
        self.disconnect()
        self._connection, self.watch = connection, watch

    def replace_connection(self) -> None:
        """Leave the file that is open now, and open what has its name."""
        self.disconnect()
        self._open()

    # --- forks ----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait until no other thread uses the connection, and close it."""
        self._hurried.append(None)
        try:
            self.lock.acquire()
        finally:
            self._hurried.pop()
        self.disconnect()

    def after_fork_in_parent(self) -> None:
        """Let other threads continue."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Stop using what belongs to the parent; also called where the fork ran no hook."""
        self.lock = threading.RLock()
        self._hurried = []
        self._timeout = self._busy_timeout
        self._is_closed = True
        if self._connection is not None:
            _leave_open(self._connection)
            self._connection = None


def _leave_open(connection: sqlite3.Connection) -> None:
    """Keep a parent's connection from being closed in its child, even at the interpreter's end: closing it would end the parent's locks."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
