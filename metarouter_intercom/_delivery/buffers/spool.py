"""The spool (rules Q3 to Q5, O1, W4, X1): messages in a SQLite file that several processes share; knows nothing of Intercom."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Tallies
from .database import Database
from .dead_letters import DeadLetterTable
from .event_seconds import SpoolSeconds
from .ingest import Ingester
from .journal import Journal, journal_sizes
from .journal_owners import lock_dead_owners, owner_of, remove_owner
from .lanes import Lanes
from .schema import BUSY_TIMEOUT
from .store import SpoolStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._intercom.event_seconds import SecondsStore
    from ..._types import JsonObject
    from ...plugins import Acceptance, Claim, DeadLetter, Settlement, Store

_log = logging.getLogger("metarouter_intercom")
# With so many lines in our journal, the caller ingests them itself: the workers are late, or there are none.
_MAX_JOURNAL_LINES = 2_000
# Lines ingested in one transaction: it takes some 30 ms, in which no other process can write.
_LINES_AT_ONCE = 2_000
# Seconds between two looks for processes that died.
_TAKE_OVER_EVERY = 1.0
# A clock that goes back by more seconds than this makes everything due: due times noted before mean nothing now.
_SET_BACK = 60.0
# No message is put off for more seconds than this; a later due time was noted before the clock was set back.
_MAX_DELAY = 3600.0


class SpoolBuffer:
    """
    Implements ``plugins.Buffer`` and ``plugins.DeadLetterStore`` in a file; see there for what each method does.

    ``accept`` appends a line to this process's journal beside the file. The process that claims next ingests the journals of all
    processes into the database, each line exactly once, in the order of acceptance. When a process dies, the next look of another
    one takes over its journal and its leases: the kernel ends the lock that the dead process held.

    Args:
        path: Of the database; its folder must be there. The journals are in ``<path>-intake``.
        limit: How many messages it holds, those of all processes together.
        dead_letters: How many dead letters it keeps; the oldest are removed first.
        sync: With ``normal`` a message survives the end of the process, with ``full`` also that of the machine.
        lease: Seconds after which the claim of a process that hangs is open to other processes.
        busy_timeout: Seconds that a statement waits while another process has the file locked.

    Raises:
        SpoolFailed: The file cannot be opened; the text names the remedy.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limit: int,
        dead_letters: int,
        sync: str = "normal",
        lease: float = 60.0,
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        # The name is part of the file format: a spool of an earlier version has its journals there.
        self._folder = f"{self._path}-intake"
        self._limit = limit
        self._dead_limit = dead_letters
        self._sync = sync
        self._lease = lease
        self._busy_timeout = busy_timeout
        self._pending = 0
        self._journal: Journal | None = None
        self._begin()

    def _begin(self) -> None:
        self._is_closed = False
        self._accept_lock = threading.Lock()
        self._database = Database(self._path, sync=self._sync, busy_timeout=self._busy_timeout)
        self._ingester = Ingester(self._database.run, self._folder)
        self._dead = DeadLetterTable(self._database.run, self._dead_limit)
        self._lanes = Lanes(self._database, self._lease)
        self._store = SpoolStore(self._database)
        self._event_seconds = SpoolSeconds(self._database)
        # Lines of our journal that were ingested.
        self._ingested = 0
        self._taken_over_at: float | None = None
        self._latest_now = 0.0
        self._is_delivering = False
        try:
            self._journal = Journal(self._folder, sync=self._sync == "full")
            self.pending()
        except BaseException:
            self._database.close()
            if self._journal is not None:
                self._journal.leave()
                self._journal = None
            raise

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._path

    @property
    def _own_journal(self) -> Journal:
        """This process's journal; makes it if that failed after a fork."""
        if self._journal is None:
            self._begin()
            assert self._journal is not None
        return self._journal

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Write *message* to the journal; see ``plugins.Buffer``."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        journal = self._journal or self._own_journal
        if self._pending + journal.appended - self._ingested >= self._limit and self.pending() >= self._limit:
            return "full"
        with self._accept_lock:
            if self._is_closed:
                raise self._closed()
            journal.append(message, keys=keys, upserts=upserts, message_id=message_id, now=now)
            is_long = journal.appended - self._ingested >= _MAX_JOURNAL_LINES
        if is_long and journal.appended % (_MAX_JOURNAL_LINES // 4) == 0:
            self._ingest_as_caller()
        return "accepted"

    def _closed(self) -> SpoolFailed:
        return SpoolFailed(f"spool: {self._path} was closed; make a new client")

    def _ingest_as_caller(self) -> None:
        """Ingest when no worker does it; a locked database can wait."""
        # The thread that holds the lock uses the database, and ingests before its next claim.
        database = self._database
        if database.lock.acquire(blocking=False):
            try:
                with database.short_busy_timeout():
                    self._ingest()
            finally:
                database.lock.release()

    # --- journals -------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        if self._ingester.has_news():
            self._ingest()

    def _ingest(self) -> None:
        """Move the lines of all journals into the database, in as many transactions as it takes."""
        is_more = True
        while is_more:
            try:
                with self._database.transaction():
                    is_more = self._ingester.ingest(_LINES_AT_ONCE)
                    self._read_numbers()
            except BaseException:
                self._ingester.undo()
                raise
            self._restart_journal()

    def _read_numbers(self) -> None:
        self._pending = self._database.fetch_one("SELECT pending FROM numbers")[0]
        if self._journal is not None:
            self._ingested = self._ingester.lines.get(self._journal.name, 0)

    def _restart_journal(self) -> None:
        with self._accept_lock:
            journal = self._journal
            if journal is None or self._ingester.positions.get(journal.name) != journal.size:
                return
            if (removed := journal.restart()) is not None:
                self._ingested = 0
                self._ingester.forget(removed)

    def _take_over(self, now: float) -> None:
        """Take over what dead processes left, and leases that were not renewed in time."""
        self._taken_over_at = now
        dead = lock_dead_owners(self._folder, self._own_journal.owner)
        try:
            if dead:
                self._ingest()
            with self._database.transaction():
                self._lanes.end_claims(dead, now)
                self._lanes.make_due(now, beyond=now + _MAX_DELAY)
        except BaseException:
            for lock in dead.values():
                os.close(lock)
            raise
        for owner, lock in dead.items():
            self._remove_owner(owner, lock)

    def _remove_owner(self, owner: str, lock: int) -> None:
        """Remove the files of a dead process, whose journals were ingested."""
        ends = {
            name: self._ingester.positions.get(name, 0)
            for name in journal_sizes(self._folder)
            if owner_of(name) == owner
        }
        for name, position in remove_owner(self._folder, owner, lock=lock, ends=ends).items():
            _log.warning(
                "spool %s: journal %s ends in an incomplete line at byte %s",
                self._path,
                name,
                position,
                extra={"journal": name, "position": position},
            )
        self._ingester.forget(*ends)

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        owner = self._own_journal.owner
        with self._database.lock:
            self._is_delivering = True
            self._follow_clock(now)
            if self._taken_over_at is None or abs(now - self._taken_over_at) >= _TAKE_OVER_EVERY:
                self._take_over(now)
            self._catch_up()
            due_at = self._due_at()
            if due_at is None or due_at > now:
                return None
            with self._database.transaction():
                return self._lanes.claim(owner, now, limit)

    def _follow_clock(self, now: float) -> None:
        if now < self._latest_now - _SET_BACK:
            with self._database.transaction():
                self._lanes.make_all_due(now)
            self._latest_now = now
        self._latest_now = max(self._latest_now, now)

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        with self._database.lock, self._database.transaction():
            lane = self._lanes.end_lease(claim.lane)
            message_ids = {entry.seq: str(entry.message["messageId"]) for entry in claim.entries}
            self._lanes.acknowledge([one for one in settlements if one.kind == "ack"], message_ids)
            # When the lease was lost, the process that has it now settles the other messages.
            if lane is not None:
                buried = [one for one in settlements if one.kind == "bury"]
                for one in buried:
                    self._dead.bury_buffered(one, now)
                self._lanes.remove([one.seq for one in buried])
                self._lanes.put_back(lane, settlements, now)
            self._read_numbers()

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; False when it was lost."""
        with self._database.lock, self._database.transaction():
            return self._lanes.renew(claim.lane, now)

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        with self._database.lock:
            return now if self._ingester.has_news() else self._due_at()

    def _due_at(self) -> float | None:
        due_at: float | None = self._database.fetch_one("SELECT MIN(due_at) FROM lanes WHERE leased = 0")[0]
        return due_at

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._database.lock, self._database.transaction():
            self._lanes.make_all_due(now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased."""
        with self._database.lock:
            self._catch_up()
            with self._database.transaction():
                bodies = self._lanes.drop(keys)
                self._read_numbers()
            return [json.loads(body) for body in bodies]

    # --- counting -------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return the seq of the newest message accepted so far."""
        with self._database.lock:
            self._catch_up()
            seq: int = self._database.fetch_one("SELECT seq FROM numbers")[0]
            return seq

    def pending(self) -> int:
        """Count the messages of all processes that are not settled; after ``close``, the number at that time."""
        with self._database.lock:
            if not self._is_closed:
                self._catch_up()
                self._read_numbers()
                if not self._is_delivering:
                    # A server that forks outside Python runs no hook before it: one that has only loaded the app has no connection open.
                    self._database.disconnect()
            return self._pending

    def has_pending(self, up_to: int) -> bool:
        """Return whether a message with ``seq <= up_to`` is not settled yet."""
        with self._database.lock:
            seq: int | None = self._database.fetch_one("SELECT MIN(seq) FROM messages")[0]
            return seq is not None and seq <= up_to

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message that is not settled was accepted; None when there is none, or the spool is closed."""
        with self._database.lock:
            if self._is_closed:
                return None
            query = "SELECT (SELECT accepted_at FROM messages ORDER BY seq LIMIT 1)"
            accepted_at: float | None = self._database.fetch_one(query)[0]
            return accepted_at

    def tallies(self) -> Tallies:
        """Return the duplicates found by the ingest, and how many dead letters were removed."""
        return Tallies(late_duplicates=self._ingester.duplicates, evicted=self._dead.evicted)

    # --- dead letters ---------------------------------------------------------------------------------

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._database.lock, self._database.transaction():
            self._dead.bury(json.dumps(message), reason, now)

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with self._database.lock, self._database.translated_errors():
            return self._dead.page(reason, after, limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        with self._database.lock, self._database.translated_errors():
            return self._dead.count()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        with self._database.lock, self._database.transaction():
            return self._dead.take(ids, reason)

    # --- the process ----------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return the table that the processes share."""
        return self._store

    def event_seconds(self) -> SecondsStore:
        """Return the table of the seconds of events, which the processes share."""
        return self._event_seconds

    def after_fork(self) -> None:
        """Make a lock, a journal and a connection of our own; those of the parent are left alone (rule W3)."""
        if self._is_closed:
            return
        self._database.after_fork_in_child()
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.leave()
        self._begin()

    def reopen(self) -> None:
        """Open the file again after ``close``, for the messages of late exit handlers."""
        self._begin()

    def close(self) -> None:
        """Ingest the journal, end our leases and release the files."""
        with self._database.lock:
            if self._is_closed:
                return
            with self._accept_lock:
                self._is_closed = True
            if self._journal is not None:
                self._close_journal(self._journal)
            self._database.close()

    def _close_journal(self, journal: Journal) -> None:
        is_ingested = False
        try:
            self._ingest()
            is_ingested = self._ingester.positions.get(journal.name, 0) == journal.size
            with self._database.transaction():
                self._lanes.end_claims({journal.owner}, float("-inf"))
        except SpoolFailed as error:
            _log.exception(
                "spool %s: closing failed, the next process that opens the file completes it: %s",
                self._path,
                error,
                extra={"fault": str(error)},
            )
        # If the journal was removed and its row is still in the database, the next ingest removes the row.
        journal.close(is_ingested=is_ingested)
