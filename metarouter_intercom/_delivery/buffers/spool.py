"""The spool (rules Q3 to Q5, O1, W4, X1): messages in a SQLite file that several processes share; knows nothing of Intercom."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Tallies
from . import journal as _intake
from .database import Database
from .dead_letters import Graves
from .ingest import Sorter
from .journal import Intake
from .lanes import Lanes
from .schema import PATIENCE
from .store import SpoolStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._types import JsonObject
    from ...plugins import Acceptance, Claim, DeadLetter, Settlement, Store

_log = logging.getLogger("metarouter_intercom")
# Lines in our journal after which the caller sorts them in itself: the workers are behind, or there are none.
_LONGEST_INTAKE = 2_000
# Lines sorted in one transaction: some 30 ms, in which no other process can write.
_BATCH = 2_000
# Between two looks at what other processes left, in seconds.
_LOOK_EVERY = 1.0
# The clock of a machine that is set back further than this makes everything due: instants noted before mean nothing now.
_SET_BACK = 60.0
# No message is put off for longer; a later instant was noted before the clock was set back.
_LONGEST_DELAY = 3600.0


class SpoolBuffer:
    """
    Implements ``plugins.Buffer`` in a file; see there for what each method does.

    ``accept`` writes a line to this process's journal beside the file, and whoever claims next sorts the journals of all processes
    into the database, each line exactly once, in the order of acceptance. A journal and the leases of a process that died are taken
    over as soon as another one looks: the kernel tells by the lock that the process held.

    Args:
        path: Of the database; its folder must be there. The journals are in ``<path>-intake``.
        limit: Messages of all processes together.
        dead_letters: How many are kept; the oldest leave first.
        sync: ``normal`` survives the process, ``full`` also the machine.
        lease: Seconds after which a claim of a process that hangs is given to another one.
        patience: Seconds that a statement waits for another process.

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
        patience: float = PATIENCE,
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._folder = f"{self._path}-intake"
        self._limit = limit
        self._dead_limit = dead_letters
        self._sync = sync
        self._lease = lease
        self._flush_deadline = patience
        self._pending = 0
        self._is_closed = False
        self._intake: Intake | None = None
        self._begin()

    def _begin(self) -> None:
        self._accept_lock = threading.Lock()
        self._database = Database(self._path, sync=self._sync, patience=self._flush_deadline)
        self._sorter = Sorter(self._database.run, self._folder)
        self._graves = Graves(self._database.run, self._dead_limit)
        self._lanes = Lanes(self._database, self._lease)
        self._store = SpoolStore(self._database)
        self._moved = 0
        self._looked_at: float | None = None
        self._latest = 0.0
        self._is_delivering = False
        try:
            self._intake = Intake(self._folder, sync=self._sync == "full")
            self.pending()
        except BaseException:
            self._database.close()
            if self._intake is not None:
                self._intake.leave()
                self._intake = None
            raise

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._path

    @property
    def _own(self) -> Intake:
        """This process's journal, begun once more where that failed after a fork."""
        if self._intake is None:
            self._begin()
            assert self._intake is not None
        return self._intake

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Write *message* to the journal; see ``plugins.Buffer``."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        intake = self._intake or self._own
        if self._pending + intake.appended - self._moved >= self._limit and self.pending() >= self._limit:
            return "full"
        with self._accept_lock:
            if self._is_closed:
                raise self._closed()
            intake.append(message, keys=keys, upserts=upserts, message_id=message_id, now=now)
            is_long = intake.appended - self._moved >= _LONGEST_INTAKE
        if is_long and intake.appended % (_LONGEST_INTAKE // 4) == 0:
            self._relieve()
        return "accepted"

    def _closed(self) -> SpoolFailed:
        return SpoolFailed(f"spool: {self._path} was closed; make a new client")

    def _relieve(self) -> None:
        """Sort our journal in when nobody else does; a locked database can wait."""
        # Who holds the lock has the database in hand, and sorts in before it claims the next time.
        database = self._database
        if database.lock.acquire(blocking=False):
            try:
                with database.in_a_hurry():
                    self._sort_in()
            finally:
                database.lock.release()

    # --- sorting in -----------------------------------------------------------------------------------

    def _sort_in(self) -> None:
        """Move what stands in the journals into the database, in as many transactions as it takes."""
        is_more = True
        while is_more:
            try:
                with self._database.transaction():
                    is_more = self._sorter.sort(_BATCH)
                    self._read_numbers()
            except BaseException:
                self._sorter.undo()
                raise
            self._restart_intake()

    def _restart_intake(self) -> None:
        with self._accept_lock:
            own = self._intake
            if own is None or self._sorter.positions.get(own.name) != own.size:
                return
            if (gone := own.restart()) is not None:
                self._moved = 0
                self._sorter.forget(gone)

    def _look_around(self, now: float) -> None:
        """Take over what dead processes left, and leases that ran out."""
        self._looked_at = now
        dead = _intake.adopt(self._folder, self._own.owner)
        try:
            if dead:
                self._sort_in()
            with self._database.transaction():
                self._lanes.free_claims(dead, now)
                self._lanes.make_due(now, beyond=now + _LONGEST_DELAY)
        except BaseException:
            for lock in dead.values():
                os.close(lock)
            raise
        for owner, lock in dead.items():
            ends = {
                name: self._sorter.positions.get(name, 0)
                for name in _intake.journals(self._folder)
                if _intake.owner_of(name) == owner
            }
            _intake.bury(self._folder, owner, lock, ends)
            self._sorter.forget(*ends)

    def _follow_clock(self, now: float) -> None:
        if now < self._latest - _SET_BACK:
            with self._database.transaction():
                self._lanes.make_all_due(now)
            self._latest = now
        self._latest = max(self._latest, now)

    def _catch_up(self) -> None:
        if self._sorter.has_news():
            self._sort_in()

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        owner = self._own.owner
        with self._database.lock:
            self._is_delivering = True
            self._follow_clock(now)
            if self._looked_at is None or abs(now - self._looked_at) >= _LOOK_EVERY:
                self._look_around(now)
            self._catch_up()
            due_at = self._due_at()
            if due_at is None or due_at > now:
                return None
            with self._database.transaction():
                return self._lanes.claim(owner, now, limit)

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        with self._database.lock, self._database.transaction():
            lane = self._lanes.end_lease(claim.lane)
            ids = {entry.seq: str(entry.message["messageId"]) for entry in claim.entries}
            self._lanes.finish([one for one in settlements if one.kind == "ack"], ids)
            # When the lease was lost, what else became of its messages is for their new holder to say.
            if lane is not None:
                buried = [one for one in settlements if one.kind == "bury"]
                for one in buried:
                    self._graves.bury_buffered(one, now)
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
            return now if self._sorter.has_news() else self._due_at()

    def _due_at(self) -> float | None:
        found: float | None = self._database.ask("SELECT MIN(due_at) FROM lanes WHERE leased = 0")[0]
        return found

    def mark(self) -> int:
        """Return the seq of the newest message accepted so far."""
        with self._database.lock:
            self._catch_up()
            seq: int = self._database.ask("SELECT seq FROM numbers")[0]
            return seq

    def pending(self) -> int:
        """Count the messages not settled yet, of all processes; once it is closed, as of then."""
        with self._database.lock:
            if not self._is_closed:
                self._catch_up()
                self._read_numbers()
                if not self._is_delivering:
                    # Servers that fork outside Python run no hook: one that only loads the application carries no connection then.
                    self._database.rest()
            return self._pending

    def has_pending(self, up_to: int) -> bool:
        """Tell whether a message with ``seq <= up_to`` is not settled yet."""
        with self._database.lock:
            found: int | None = self._database.ask("SELECT MIN(seq) FROM messages")[0]
            return found is not None and found <= up_to

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted; None when there is none, or the spool is closed."""
        with self._database.lock:
            if self._is_closed:
                return None
            query = "SELECT (SELECT accepted_at FROM messages ORDER BY seq LIMIT 1)"
            found: float | None = self._database.ask(query)[0]
            return found

    def tallies(self) -> Tallies:
        """Return the duplicates found while sorting in, and how many dead letters had to leave."""
        return Tallies(late_duplicates=self._sorter.duplicates, evicted=self._graves.evicted)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._database.lock, self._database.transaction():
            self._lanes.make_all_due(now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys*."""
        with self._database.lock:
            self._catch_up()
            with self._database.transaction():
                bodies = self._lanes.drop(keys)
                self._read_numbers()
            return [json.loads(body) for body in bodies]

    # --- dead letters ---------------------------------------------------------------------------------

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._database.lock, self._database.transaction():
            self._graves.bury(json.dumps(message), reason, now)

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with self._database.lock, self._database.told():
            return self._graves.page(reason, after, limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        with self._database.lock, self._database.told():
            return self._graves.count()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        with self._database.lock, self._database.transaction():
            return self._graves.take(ids, reason)

    # --- the rest -------------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return the table that the processes share."""
        return self._store

    def after_fork(self) -> None:
        """Begin anew: own lock, own journal, own connection; the parent's are left alone (rule W3)."""
        if self._is_closed:
            return
        self._database.after_fork_in_child()
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.leave()
        self._begin()

    def close(self) -> None:
        """Sort in what stands in the journal, give leases back and release the files."""
        with self._database.lock:
            if self._is_closed:
                return
            with self._accept_lock:
                self._is_closed = True
            if self._intake is not None:
                self._leave(self._intake)
            self._database.close()

    def _leave(self, intake: Intake) -> None:
        is_empty = False
        try:
            self._sort_in()
            is_empty = self._sorter.positions.get(intake.name, 0) == intake.size
            with self._database.transaction():
                self._lanes.free_claims({intake.owner}, float("-inf"))
        except SpoolFailed:
            _log.exception("the spool could not be closed in order; another process takes over")
        # What is left of a journal without a file goes with the next sorting.
        intake.close(is_empty=is_empty)

    def _read_numbers(self) -> None:
        self._pending = self._database.ask("SELECT pending FROM numbers")[0]
        if self._intake is not None:
            self._moved = self._sorter.lines.get(self._intake.name, 0)
