"""The spool (rules Q3 to Q5, O1, W4, X1): messages in a SQLite file that several processes share; knows nothing of Intercom."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from ..errors import SpoolFailed
from ..plugins import Claim, Entry, Tallies
from . import _intake
from ._graves import Graves
from ._intake import Intake
from ._schema import PATIENCE, connect, failed
from ._sorting import Sorter
from ._spool_shelf import SpoolShelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._types import JsonObject
    from ..plugins import Acceptance, DeadLetter, Settlement, Shelf

_log = logging.getLogger("metarouter_intercom")
# Lines in our journal after which the caller sorts them in itself: the workers are behind, or there are none.
_LONGEST_INTAKE = 2_000
# Lines sorted in one transaction: some 30 ms, in which no other process can write.
_BATCH = 2_000
# How long the caller's own sorting waits for another process; it can be done later.
_SHORT_PATIENCE = 0.02
# Between two looks at what other processes left, in seconds.
_LOOK_EVERY = 1.0
# Delivered message ids that are remembered (rule Q5).
_DELIVERED = 100_000


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
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._folder = f"{self._path}-intake"
        self._limit = limit
        self._dead_limit = dead_letters
        self._sync = sync
        self._lease = lease
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._accept_lock = threading.Lock()
        self._connection = connect(self._path, sync=self._sync)
        try:
            self._intake = Intake(self._folder, sync=self._sync == "full")
        except BaseException:
            self._connection.close()
            raise
        self._sorter = Sorter(self._connection, self._folder)
        self._graves = Graves(self._connection, self._dead_limit)
        self._shelf = SpoolShelf(self._connection, self._transaction, self._told, self._lock)
        self._pending = 0
        self._moved = 0
        self._looked_at: float | None = None
        self._is_closed = False
        with self._transaction():
            self._read_numbers()

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._path

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Write *message* to the journal; see ``plugins.Buffer``."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        if self._estimate() >= self._limit and self.pending() >= self._limit:
            return "full"
        with self._accept_lock:
            if self._is_closed:
                raise SpoolFailed(f"spool: {self._path} was closed; make a new client")
            self._intake.append(message, keys=keys, upserts=upserts, message_id=message_id, now=now)
            is_long = self._intake.appended - self._moved >= _LONGEST_INTAKE
        if is_long and self._intake.appended % (_LONGEST_INTAKE // 4) == 0:
            self._relieve()
        return "accepted"

    def _estimate(self) -> int:
        return self._pending + self._intake.appended - self._moved

    def _relieve(self) -> None:
        """Sort our journal in when nobody else does; a locked database can wait."""
        # Who holds the lock has the database in hand, and sorts in before it claims the next time.
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {int(_SHORT_PATIENCE * 1000)}")
            with contextlib.suppress(SpoolFailed):
                self._sort_in()
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
            self._lock.release()

    # --- sorting in -----------------------------------------------------------------------------------

    def _sort_in(self) -> None:
        """Move what stands in the journals into the database, in as many transactions as it takes."""
        is_more = True
        while is_more:
            with self._transaction():
                is_more = self._sorter.sort(_BATCH)
                self._read_numbers()
            self._restart_intake()

    def _restart_intake(self) -> None:
        with self._accept_lock:
            own = self._intake
            if self._sorter.positions.get(own.name) == own.size and (gone := own.restart()) is not None:
                self._moved = 0
                self._sorter.forget(gone)

    def _look_around(self, now: float) -> None:
        """Take over what dead processes left, and leases that ran out."""
        self._looked_at = now
        dead = _intake.adopt(self._folder, self._intake.owner)
        try:
            if dead:
                self._sort_in()
            with self._transaction():
                self._free_claims(dead, now)
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

    def _free_claims(self, dead: dict[str, int], now: float) -> None:
        run = self._connection.execute
        for claim, lane, owner, until in run("SELECT claim, lane, owner, until FROM claims").fetchall():
            if until <= now or owner in dead:
                run("DELETE FROM claims WHERE claim = ?", (claim,))
                run("UPDATE lanes SET leased = leased - 1 WHERE lane = ?", (lane,))

    def _has_news(self) -> bool:
        positions = self._sorter.positions
        return any(size != positions.get(name, 0) for name, size in _intake.journals(self._folder).items())

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        with self._lock:
            if self._looked_at is None or abs(now - self._looked_at) >= _LOOK_EVERY:
                self._look_around(now)
            if self._has_news():
                self._sort_in()
            due_at = self._due_at()
            if due_at is None or due_at > now:
                return None
            with self._transaction():
                return self._lease_lane(now, limit)

    def _lease_lane(self, now: float, limit: int) -> Claim | None:
        run = self._connection.execute
        found = run(
            "SELECT lane, waiting_since FROM lanes WHERE leased = 0 AND due_at <= ? ORDER BY due_at LIMIT 1",
            (now,),
        ).fetchone()
        if found is None:
            return None
        lane, waits_since = found
        entries = [_entry(row, waits_since) for row in self._rows(lane, limit)]
        number = run("UPDATE numbers SET claim = claim + 1 RETURNING claim").fetchone()[0]
        run("UPDATE lanes SET leased = leased + 1 WHERE lane = ?", (lane,))
        seqs = json.dumps([entry.seq for entry in entries])
        run(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?)",
            (number, lane, self._intake.owner, now + self._lease, seqs),
        )
        return Claim(number, tuple(entries))

    def _rows(self, lane: int, limit: int) -> list[tuple[Any, ...]]:
        """Return the first *limit* messages; the upserts behind a longer row of waiting ones come along (rule M2)."""
        run = self._connection.execute
        columns = "seq, body, accepted_at, attempts, failures, waiting_since, waiting"
        rows = run(
            f"SELECT {columns} FROM messages WHERE lane = ? ORDER BY seq LIMIT ?", (lane, limit)
        ).fetchall()
        if len(rows) == limit and all(row[6] for row in rows):
            rows += run(
                f"SELECT {columns} FROM messages INDEXED BY messages_upserts"
                " WHERE lane = ? AND upserts = 1 AND waiting = 0 AND seq > ? ORDER BY seq LIMIT ?",
                (lane, rows[-1][0], limit),
            ).fetchall()
        return rows

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        with self._lock, self._transaction():
            run = self._connection.execute
            found = run("DELETE FROM claims WHERE claim = ? RETURNING lane", (claim.lane,)).fetchone()
            ids = {entry.seq: str(entry.message["messageId"]) for entry in claim.entries}
            self._forget([one for one in settlements if one.kind == "done"], ids)
            if found is None:
                # The lease was lost: what else became of its messages is now for their new holder to say.
                return
            lane = found[0]
            for one in settlements:
                if one.kind == "bury":
                    self._graves.bury_buffered(one, now)
            self._remove([one.seq for one in settlements if one.kind == "bury"])
            self._put_back(settlements, now)
            self._free(lane, settlements, now)
            self._read_numbers()

    def _forget(self, done: Sequence[Settlement], ids: dict[int, str]) -> None:
        if not done:
            return
        self._remove([one.seq for one in done])
        self._connection.executemany(
            "INSERT OR IGNORE INTO delivered (message_id) VALUES (?)", [(ids[one.seq],) for one in done]
        )
        self._connection.execute(
            "DELETE FROM delivered WHERE number <= (SELECT MAX(number) FROM delivered) - ?", (_DELIVERED,)
        )

    def _remove(self, seqs: Sequence[int]) -> None:
        run = self._connection.execute
        lanes: dict[int, int] = {}
        for seq in seqs:
            for (lane,) in run("DELETE FROM messages WHERE seq = ? RETURNING lane", (seq,)).fetchall():
                lanes[lane] = lanes.get(lane, 0) + 1
        for lane, number in lanes.items():
            run("UPDATE lanes SET size = size - ? WHERE lane = ?", (number, lane))
            run("UPDATE numbers SET pending = pending - ?", (number,))

    def _put_back(self, settlements: Sequence[Settlement], now: float) -> None:
        self._connection.executemany(
            "UPDATE messages SET attempts = attempts + 1, failures = failures + ?, waiting = ?,"
            " waiting_since = CASE WHEN ? THEN COALESCE(waiting_since, ?) ELSE waiting_since END WHERE seq = ?",
            [
                (one.failed, one.kind == "wait", one.kind == "wait", now, one.seq)
                for one in settlements
                if one.kind in ("again", "wait")
            ],
        )

    def _free(self, lane: int, settlements: Sequence[Settlement], now: float) -> None:
        """End the lease of a lane: say when it is due again, or forget it when it is empty."""
        run = self._connection.execute
        run("UPDATE lanes SET leased = leased - 1 WHERE lane = ?", (lane,))
        if run("DELETE FROM lanes WHERE lane = ? AND size = 0 AND leased = 0", (lane,)).rowcount:
            run("DELETE FROM lane_keys WHERE lane = ?", (lane,))
            return
        kinds = {one.kind for one in settlements}
        due_at = max([one.due_at for one in settlements if one.kind in ("again", "wait")], default=now)
        is_blocked = "again" in kinds
        if "wait" in kinds and not is_blocked and self._brings_contact(lane):
            due_at = now
        run(
            "UPDATE lanes SET due_at = ?, blocked = ?,"
            " waiting_since = CASE WHEN ? THEN COALESCE(waiting_since, ?) END WHERE lane = ?",
            (due_at, is_blocked, "wait" in kinds, now, lane),
        )

    def _brings_contact(self, lane: int) -> bool:
        query = (
            "SELECT 1 FROM messages INDEXED BY messages_upserts"
            " WHERE lane = ? AND upserts = 1 AND waiting = 0 LIMIT 1"
        )
        return self._connection.execute(query, (lane,)).fetchone() is not None

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; False when it was lost."""
        with self._lock, self._transaction():
            query = "UPDATE claims SET until = ? WHERE claim = ?"
            return self._connection.execute(query, (now + self._lease, claim.lane)).rowcount == 1

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        with self._lock:
            return now if self._has_news() else self._due_at()

    def _due_at(self) -> float | None:
        found: float | None = self._ask("SELECT MIN(due_at) FROM lanes WHERE leased = 0")[0]
        return found

    def mark(self) -> int:
        """Return the seq of the newest message accepted so far."""
        with self._lock:
            if self._has_news():
                self._sort_in()
            seq: int = self._ask("SELECT seq FROM numbers")[0]
            return seq

    def pending(self) -> int:
        """Count the messages not settled yet, of all processes."""
        with self._lock:
            if self._has_news():
                self._sort_in()
            self._read_numbers()
            return self._pending

    def has_pending(self, up_to: int) -> bool:
        """Tell whether a message with ``seq <= up_to`` is not settled yet."""
        with self._lock:
            found: int | None = self._ask("SELECT MIN(seq) FROM messages")[0]
            return found is not None and found <= up_to

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted."""
        with self._lock:
            query = "SELECT (SELECT accepted_at FROM messages ORDER BY seq LIMIT 1)"
            found: float | None = self._ask(query)[0]
            return found

    def tallies(self) -> Tallies:
        """Return the duplicates found while sorting in, and how many dead letters had to leave."""
        return Tallies(late_duplicates=self._sorter.duplicates, evicted=self._graves.evicted)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._lock, self._transaction():
            self._connection.execute("UPDATE lanes SET due_at = ? WHERE due_at > ?", (now, now))

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys*."""
        wanted = frozenset(keys)
        marks = ", ".join("?" * len(keys))
        with self._lock:
            if self._has_news():
                self._sort_in()
            with self._transaction():
                run = self._connection.execute
                lanes = [
                    row[0]
                    for row in run(f"SELECT DISTINCT lane FROM lane_keys WHERE key IN ({marks})", tuple(keys))
                ]
                leased = {
                    seq for row in run("SELECT seqs FROM claims").fetchall() for seq in json.loads(row[0])
                }
                going = [
                    (seq, body)
                    for lane in lanes
                    for seq, own, body in run("SELECT seq, keys, body FROM messages WHERE lane = ?", (lane,))
                    if seq not in leased and wanted.intersection(json.loads(own))
                ]
                self._remove([seq for seq, _ in going])
                for lane in lanes:
                    if run("DELETE FROM lanes WHERE lane = ? AND size = 0 AND leased = 0", (lane,)).rowcount:
                        run("DELETE FROM lane_keys WHERE lane = ?", (lane,))
                self._read_numbers()
                return [json.loads(body) for _, body in sorted(going)]

    # --- dead letters ---------------------------------------------------------------------------------

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._lock, self._transaction():
            self._graves.bury(json.dumps(message), reason, now)

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with self._lock, self._told():
            return self._graves.page(reason, after, limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        with self._lock, self._told():
            return self._graves.count()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        with self._lock, self._transaction():
            return self._graves.take(ids, reason)

    # --- the rest -------------------------------------------------------------------------------------

    def shelf(self) -> Shelf | None:
        """Return the table that the processes share."""
        return self._shelf

    def after_fork(self) -> None:
        """Begin anew: own lock, own journal, own connection; the parent's are left alone (rule W3)."""
        if not self._is_closed:
            _leave_open(self._connection)
            self._intake.leave()
            self._begin()

    def close(self) -> None:
        """Sort in what stands in the journal, give leases back and release the files."""
        with self._lock:
            if self._is_closed:
                return
            with self._accept_lock:
                self._is_closed = True
            is_empty = False
            try:
                self._sort_in()
                is_empty = self._sorter.positions.get(self._intake.name, 0) == self._intake.size
                with self._transaction():
                    self._free_claims({self._intake.owner: 0}, float("-inf"))
            except SpoolFailed:
                _log.exception("the spool could not be closed in order; another process takes over")
            gone = self._intake.close(is_empty=is_empty)
            if gone is not None:
                with contextlib.suppress(SpoolFailed), self._transaction():
                    self._connection.execute("DELETE FROM journals WHERE name = ?", (gone,))
            self._connection.close()

    # --- helpers --------------------------------------------------------------------------------------

    def _ask(self, query: str) -> tuple[Any, ...]:
        with self._told():
            row: tuple[Any, ...] = self._connection.execute(query).fetchone()
            return row

    def _read_numbers(self) -> None:
        self._pending = self._ask("SELECT pending FROM numbers")[0]
        self._moved = self._sorter.lines.get(self._intake.name, 0)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self._path, error) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Make everything inside happen in one step, or not at all; the caller holds the lock."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _leave_open(connection: sqlite3.Connection) -> None:
    """
    See that a parent's connection is never closed in its child, not even at the interpreter's end.

    Source: SQLite's page "How To Corrupt An SQLite Database File", on connections carried across a fork.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _entry(row: tuple[Any, ...], lane_waits_since: float | None) -> Entry:
    seq, body, accepted_at, attempts, failures, waiting_since, _ = row
    if waiting_since is None and lane_waits_since is not None:
        # It waits behind others for the same contact: its time runs since they began to wait, or it came.
        waiting_since = max(lane_waits_since, accepted_at)
    return Entry(seq, json.loads(body), accepted_at, attempts, failures, waiting_since)
