"""
What to do when the spool's file was removed, moved or replaced while it was open (rule Q8): nothing that was accepted is lost or sent twice.

The open connection can still read the earlier file. If the name is free, all of it is copied there. If another file has the name (another
process was faster, or somebody put a backup back), what that file lacks is added to it.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple

from ...errors import SpoolFailed
from .ingest import Batch
from .journal_lines import Line
from .journal_owners import lock_file
from .schema import connect, copy_database
from .workspace_match import WorkspaceMatch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator, Sequence

    from .database import Database
    from .file_watch import Fault

_HISTORY = "rank, body, reason, notes, requests, accepted_at, ended_at"
_DEAD = "reason, body, answer, attempts, accepted_at, died_at, workspace"


class Own(NamedTuple):
    """
    This process among those that share the spool.

    Attributes:
        name: By which the others know it.
        names: That and its earlier names.
        until: When its leases end that begin now.
        is_alive: Whether the process of another name works on its messages.
    """

    name: str
    names: Collection[str]
    until: float
    is_alive: Callable[[str], bool]


class MovedClaim(NamedTuple):
    """
    A claim of the earlier file.

    Attributes:
        number: Of the claim in the new file.
        seqs: Seq of each message in the earlier file -> in the new file; another process has those that are missing.
    """

    number: int
    seqs: dict[int, int]


class Replaced(NamedTuple):
    """
    What was done.

    Attributes:
        fault: What had happened to the files.
        saved: Messages that were moved from the earlier file.
        lost: Messages that could not be read any more.
        claims: None if every number in the new file means the same as before. Else our claims of the earlier file, by their numbers
            there: their numbers in the new file, and those of their messages.
    """

    fault: Fault
    saved: int
    lost: int
    claims: dict[int, MovedClaim] | None


class Replacement:
    """
    Puts a file in place of one that vanished.

    Args:
        database: Its lock is held by the caller of ``replace``.
        folder: Of the journals.
    """

    def __init__(self, database: Database, folder: str) -> None:
        self._database = database
        self._path = database.path
        self._folder = folder

    def replace(self, *, pending: int, own: Own) -> Replaced | None:
        """
        Put the files right; None when nothing is wrong with them.

        Args:
            pending: How many messages the earlier file had, as far as is known.
            own: Whose claims go on in the new file.

        Raises:
            SpoolFailed: That is not possible now; the earlier file stays open.
        """
        fault = self._database.watch.fault()
        connection = self._database.connection
        if fault is None or connection is None:
            return None
        with self._alone():
            if fault == "write-ahead":
                self._database.write_back()
                self._database.replace_connection()
                return Replaced(fault, pending, 0, None)
            if fault == "emptied":
                self.move_aside()
            self._database.watch.remove_stale()
            if not os.path.exists(self._path):
                return self._copy(fault, connection, pending)
            return self._add(fault, connection, pending, own)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time work inside; the others wait for their next turn."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = os.path.join(self._folder, "replacing")
        handle = lock_file(path)
        if handle is None:
            raise SpoolFailed(f"spool: {self._path}: another process replaces the file", is_passing=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(handle)

    def move_aside(self) -> None:
        """Give a file that is no spool another name."""
        number = 1
        while os.path.exists(aside := f"{self._path}.damaged-{number}"):
            number += 1
        os.rename(self._path, aside)

    def _copy(self, fault: Fault, connection: sqlite3.Connection, pending: int) -> Replaced:
        copy = f"{self._path}.copy"
        is_readable = True
        try:
            copy_database(connection, copy, is_checked=fault == "emptied")
            os.rename(copy, self._path)
        except SpoolFailed:
            if fault != "emptied":
                raise
            is_readable = False  # what is left of the file makes no database
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy)
        self._database.replace_connection()
        return Replaced(
            fault, pending if is_readable else 0, 0 if is_readable else pending, None if is_readable else {}
        )

    def _add(self, fault: Fault, connection: sqlite3.Connection, pending: int, own: Own) -> Replaced:
        try:
            connect(self._path, sync="normal").close()
        except SpoolFailed as error:
            if error.is_passing or "not a database" not in str(error):
                raise
            self.move_aside()
            return self._copy(fault, connection, pending)
        earlier, watch = self._database.detach()
        try:
            with self._database.transaction():
                saved, claims = _Addition(earlier, self._database.run).add(own)
        except BaseException:
            self._database.attach(earlier, watch)
            raise
        earlier.close()
        return Replaced(fault, saved, 0, claims)


class _Buffered(NamedTuple):
    """A message of the earlier file: its seq there, itself, and the number of its workspace in the new file."""

    seq: int
    line: Line
    workspace: int


class _Addition:
    """Adds what another database has to a spool, inside a transaction of the caller."""

    def __init__(self, earlier: sqlite3.Connection, run: Callable[..., sqlite3.Cursor]) -> None:
        self._earlier = earlier
        self._run = run
        self._match = WorkspaceMatch(earlier, run)

    def add(self, own: Own) -> tuple[int, dict[int, MovedClaim]]:
        """Return how many messages were added, and our claims."""
        self._match.find()
        self._add_delivered()
        self._add_positions()
        self._add_dead_letters()
        self._add_shared()
        return self._add_messages(own)

    def _add_delivered(self) -> None:
        for (message_id,) in self._earlier.execute("SELECT message_id FROM delivered ORDER BY number"):
            self._run(
                "INSERT OR IGNORE INTO delivered (message_id) VALUES (?)", (self._match.moved(message_id),)
            )
        known = "SELECT seq FROM messages WHERE message_id IN (SELECT message_id FROM delivered)"
        for lane, number in self._run(
            f"SELECT lane, COUNT(*) FROM messages WHERE seq IN ({known}) GROUP BY lane"
        ).fetchall():
            self._run("UPDATE lanes SET size = size - ? WHERE lane = ?", (number, lane))
            self._run("UPDATE numbers SET pending = pending - ?", (number,))
        self._run(f"DELETE FROM messages WHERE seq IN ({known})")
        self._run(
            "DELETE FROM lane_keys WHERE lane IN (SELECT lane FROM lanes WHERE size = 0 AND leased = 0)"
        )
        self._run("DELETE FROM lanes WHERE size = 0 AND leased = 0")

    def _add_positions(self) -> None:
        for name, position, lines in self._earlier.execute("SELECT name, position, lines FROM journals"):
            self._run(
                "INSERT INTO journals VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position,"
                " lines = excluded.lines WHERE excluded.position > position",
                (name, position, lines),
            )

    def _add_dead_letters(self) -> None:
        added = 0
        for row in self._earlier.execute(f"SELECT {_DEAD} FROM dead ORDER BY id"):
            number = self._match.numbers[row[6]]
            added += self._run(
                f"INSERT INTO dead ({_DEAD}) SELECT ?, ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM dead WHERE body = ? AND died_at = ?)",
                (*row[:6], number, row[1], row[5]),
            ).rowcount
        self._run("UPDATE numbers SET dead = dead + ?", (added,))

    def _add_shared(self) -> None:
        for kind, key, value in self._earlier.execute("SELECT kind, key, value FROM shelf ORDER BY number"):
            self._run(
                "INSERT OR IGNORE INTO shelf (kind, key, value) VALUES (?, ?, ?)",
                (self._match.moved(kind), key, value),
            )
        for row in self._earlier.execute(f"SELECT {_HISTORY} FROM history ORDER BY number"):
            self._run(
                f"INSERT INTO history ({_HISTORY}) SELECT ?, ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM history WHERE body = ? AND ended_at = ?)",
                (*row, row[1], row[6]),
            )
        for columns, names in (
            ("owner, place, name, second", self._match.tables("event_seconds")),
            ("key, place", self._match.tables("event_places")),
        ):
            marks = ", ".join("?" * (columns.count(",") + 1))
            for earlier, own in names:
                for row in self._earlier.execute(f"SELECT {columns} FROM {earlier} ORDER BY number"):
                    self._run(f"INSERT OR IGNORE INTO {own} ({columns}) VALUES ({marks})", row)

    def _add_messages(self, own: Own) -> tuple[int, dict[int, MovedClaim]]:
        batch = Batch(self._run)
        claims = {}
        moved = {}
        claimed: set[int] = set()
        for number, owner, seqs in self._earlier.execute("SELECT claim, owner, seqs FROM claims").fetchall():
            if owner in own.names and self._has_claim(number, owner, seqs):
                # Another process was faster, and copied the earlier file with our claims.
                moved[number] = MovedClaim(number, {seq: seq for seq in json.loads(seqs)})
            elif owner in own.names:
                marks = ", ".join("?" * len(json.loads(seqs)))
                lines = self._lines(f"WHERE seq IN ({marks})", json.loads(seqs))
                # Their order must not depend on what has been delivered of their lane, which is that of one workspace.
                for workspace in {one.workspace for one in lines}:
                    batch.unite([key for one in lines for key in one.line.keys], workspace)
                claims[number] = {
                    one.seq: new for one in lines if (new := batch.add(one.line, one.workspace)) is not None
                }
            if owner in own.names or own.is_alive(owner):
                # A process that lives settles its messages in the new file.
                claimed.update(json.loads(seqs))
        saved = sum(
            batch.add(one.line, one.workspace) is not None
            for one in self._lines("", ())
            if one.seq not in claimed
        )
        batch.finish()
        moved.update((number, lease(self._run, seqs, own)) for number, seqs in claims.items())
        return saved + sum(len(seqs) for seqs in claims.values()), moved

    def _has_claim(self, number: int, owner: str, seqs: str) -> bool:
        query = "SELECT 1 FROM claims WHERE claim = ? AND owner = ? AND seqs = ?"
        return self._run(query, (number, owner, seqs)).fetchone() is not None

    def _lines(self, where: str, seqs: Sequence[int]) -> list[_Buffered]:
        query = (
            "SELECT seq, accepted_at, upserts, message_id, keys, body, (SELECT workspace FROM lanes WHERE lane = messages.lane)"
            f" FROM messages {where} ORDER BY seq"
        )
        return [
            _Buffered(
                seq,
                Line(accepted_at, bool(upserts), self._match.plain(message_id), json.loads(keys), body, 0),
                self._match.numbers[workspace],
            )
            for seq, accepted_at, upserts, message_id, keys, body, workspace in self._earlier.execute(
                query, tuple(seqs)
            )
        ]


def lease(run: Callable[..., sqlite3.Cursor], seqs: dict[int, int], own: Own) -> MovedClaim:
    """Claim messages of the new file that were claimed in the earlier one, inside a transaction of the caller."""
    number = run("UPDATE numbers SET claim = claim + 1 RETURNING claim").fetchone()[0]
    if seqs:
        lane = run("SELECT lane FROM messages WHERE seq = ?", (min(seqs.values()),)).fetchone()[0]
        run("UPDATE lanes SET leased = leased + 1 WHERE lane = ?", (lane,))
        run(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?)",
            (number, lane, own.name, own.until, json.dumps(sorted(seqs.values()))),
        )
    return MovedClaim(number, seqs)
