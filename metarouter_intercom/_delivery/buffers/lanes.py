"""The spool's lanes: leases their messages and settles them (rules O1, M2, Q5); every method runs inside a transaction of its caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...plugins import Claim, Entry, Settlement
from .workspaces import scoped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .database import Database

# How many ids of delivered messages are remembered, to recognise duplicates (rule Q5).
_REMEMBERED = 100_000
_COLUMNS = "seq, body, accepted_at, attempts, failures, waiting_since, waiting"


class Lanes:
    """
    Leases and settles messages lane by lane.

    Args:
        database: The spool's.
        lease: Seconds after which a claim of a process that hangs is open to other processes.
    """

    def __init__(self, database: Database, lease: float) -> None:
        self._run = database.run
        self._run_many = database.run_many
        self._lease = lease

    # --- leases ---------------------------------------------------------------------------------------

    def claim(self, owner: str, now: float, limit: int, workspaces: Sequence[int]) -> Claim | None:
        """Lease the first messages of the lane that is due longest, of the first of *workspaces* that has one."""
        due = next(filter(None, (self._due_lane(number, now) for number in workspaces)), None)
        if due is None:
            return None
        lane, waits_since = due
        entries = [_entry(row, waits_since) for row in self._rows(lane, limit)]
        number = self._run("UPDATE numbers SET claim = claim + 1 RETURNING claim").fetchone()[0]
        self._run("UPDATE lanes SET leased = leased + 1 WHERE lane = ?", (lane,))
        seqs = json.dumps([entry.seq for entry in entries])
        self._run("INSERT INTO claims VALUES (?, ?, ?, ?, ?)", (number, lane, owner, now + self._lease, seqs))
        return Claim(number, tuple(entries))

    def _due_lane(self, workspace: int, now: float) -> tuple[int, float | None] | None:
        query = (
            "SELECT lane, waiting_since FROM lanes WHERE workspace = ? AND leased = 0 AND due_at <= ?"
            " ORDER BY due_at LIMIT 1"
        )
        row: tuple[int, float | None] | None = self._run(query, (workspace, now)).fetchone()
        return row

    def _rows(self, lane: int, limit: int) -> list[tuple[Any, ...]]:
        """Return the first *limit* messages; if they all wait for their contact, upserts from behind them come along (rule M2)."""
        rows = self._run(
            f"SELECT {_COLUMNS} FROM messages WHERE lane = ? ORDER BY seq LIMIT ?", (lane, limit)
        ).fetchall()
        if len(rows) == limit and all(row[6] for row in rows):
            rows += self._upserts_behind(lane, rows[-1][0], limit)
        return rows

    def _upserts_behind(self, lane: int, seq: int, limit: int) -> list[tuple[Any, ...]]:
        """Return the next upserts that do not wait, with the waiting ones before them: no upsert passes another one (rule O1)."""
        fresh = self._run(
            f"SELECT {_COLUMNS} FROM messages INDEXED BY messages_upserts"
            " WHERE lane = ? AND upserts = 1 AND waiting = 0 AND seq > ? ORDER BY seq LIMIT ?",
            (lane, seq, limit),
        ).fetchall()
        if not fresh:
            return []
        waiting = self._run(
            f"SELECT {_COLUMNS} FROM messages"
            " WHERE lane = ? AND seq > ? AND seq < ? AND upserts = 1 AND waiting = 1",
            (lane, seq, fresh[-1][0]),
        ).fetchall()
        return sorted(fresh + waiting)

    def due_at(self, workspaces: Sequence[int]) -> float | None:
        """Return when the next lane of *workspaces* is due."""
        query = "SELECT MIN(due_at) FROM lanes WHERE workspace = ? AND leased = 0"
        dues = [self._run(query, (number,)).fetchone()[0] for number in workspaces]
        return min((due_at for due_at in dues if due_at is not None), default=None)

    def has_messages(self, up_to: int, workspaces: Collection[int]) -> bool:
        """Return whether a message with ``seq <= up_to`` is there for one of *workspaces*."""
        return any(
            self._run(
                "SELECT 1 FROM lanes AS l JOIN messages AS m ON m.lane = l.lane WHERE l.workspace = ? AND m.seq <= ? LIMIT 1",
                (workspace, up_to),
            ).fetchone()
            for workspace in workspaces
        )

    def held_keys(self, keys: Collection[str], workspace: int) -> set[str]:
        """Return those of *keys* whose lane is being delivered, or has a message that does not wait for its contact."""
        query = (
            "SELECT 1 FROM lane_keys AS k JOIN lanes AS l ON l.lane = k.lane WHERE k.key = ?"
            " AND (l.leased > 0 OR EXISTS (SELECT 1 FROM messages AS m WHERE m.lane = l.lane AND m.waiting = 0))"
        )
        return {key for key in keys if self._run(query, (scoped(workspace, key),)).fetchone()}

    def renew(self, number: int, now: float) -> bool:
        """Lengthen a lease; False when it ended or was lost to another process."""
        query = "UPDATE claims SET until = ? WHERE claim = ?"
        return self._run(query, (now + self._lease, number)).rowcount == 1

    def end_lease(self, number: int) -> int | None:
        """Forget a claim and return its lane, or None when the lease was lost to another process."""
        row = self._run("DELETE FROM claims WHERE claim = ? RETURNING lane", (number,)).fetchone()
        return None if row is None else int(row[0])

    def end_claims(self, owners: Collection[str], now: float) -> None:
        """End the claims of *owners*, and those that were not renewed in time, so that others can claim their messages."""
        for claim, lane, owner, until in self._run("SELECT claim, lane, owner, until FROM claims").fetchall():
            if until <= now or owner in owners:
                self._run("DELETE FROM claims WHERE claim = ?", (claim,))
                self._run("UPDATE lanes SET leased = leased - 1 WHERE lane = ?", (lane,))

    # --- when lanes are due -----------------------------------------------------------------------------

    def make_due(self, now: float, *, beyond: float) -> None:
        """Make those lanes due now that are due after *beyond*."""
        self._run("UPDATE lanes SET due_at = ? WHERE leased = 0 AND due_at > ?", (now, beyond))

    def make_all_due(self, now: float) -> None:
        """Make every lane due now, and let no lease last longer than one that begins now."""
        self._run("UPDATE lanes SET due_at = ? WHERE due_at > ?", (now, now))
        self._run("UPDATE claims SET until = MIN(until, ?)", (now + self._lease,))

    # --- the end of messages ----------------------------------------------------------------------------

    def acknowledge(
        self, acks: Sequence[Settlement], message_ids: dict[int, str], workspace: int = 0
    ) -> None:
        """Forget delivered messages, except their ids, which are remembered for their workspace."""
        if not acks:
            return
        self.remove([ack.seq for ack in acks])
        self._run_many(
            "INSERT OR IGNORE INTO delivered (message_id) VALUES (?)",
            [(scoped(workspace, message_ids[ack.seq]),) for ack in acks],
        )
        self._run(
            "DELETE FROM delivered WHERE number <= (SELECT MAX(number) FROM delivered) - ?", (_REMEMBERED,)
        )

    def acknowledge_noted(self, noted: Sequence[str], workspace: int) -> None:
        """Forget messages that a process delivered whose claims ended."""
        found = {}
        for message_id in noted:
            query = "SELECT seq FROM messages WHERE message_id = ?"
            row = self._run(query, (scoped(workspace, message_id),)).fetchone()
            if row is not None:
                found[int(row[0])] = message_id
        self.acknowledge([Settlement(seq, "ack") for seq in found], found, workspace)

    def remove(self, seqs: Sequence[int]) -> None:
        """Forget messages, and lanes that are empty then and have no lease."""
        lanes: dict[int, int] = {}
        for seq in seqs:
            for (lane,) in self._run("DELETE FROM messages WHERE seq = ? RETURNING lane", (seq,)).fetchall():
                lanes[lane] = lanes.get(lane, 0) + 1
        for lane, number in lanes.items():
            self._run("UPDATE lanes SET size = size - ? WHERE lane = ?", (number, lane))
            self._run("UPDATE numbers SET pending = pending - ?", (number,))
            self._forget_if_empty(lane)

    def put_back(self, lane: int, settlements: Sequence[Settlement], now: float) -> None:
        """End the lease of *lane*: note the attempts of its messages, and when it is due; an empty lane is forgotten."""
        self._run_many(
            "UPDATE messages SET attempts = attempts + 1, failures = failures + ?, waiting = ?,"
            " waiting_since = CASE WHEN ? THEN COALESCE(waiting_since, ?) ELSE waiting_since END WHERE seq = ?",
            [
                (one.failed, one.kind == "wait", one.kind == "wait", now, one.seq)
                for one in settlements
                if one.kind in ("retry", "wait")
            ],
        )
        self._run("UPDATE lanes SET leased = leased - 1 WHERE lane = ?", (lane,))
        if not self._forget_if_empty(lane):
            self._set_due(lane, settlements, now)

    def _set_due(self, lane: int, settlements: Sequence[Settlement], now: float) -> None:
        kinds = {one.kind for one in settlements}
        due_at = max([one.due_at for one in settlements if one.kind in ("retry", "wait")], default=now)
        is_blocked = "retry" in kinds
        if "wait" in kinds and not is_blocked and self._brings_contact(lane):
            due_at = now
        self._run(
            "UPDATE lanes SET due_at = ?, blocked = ?,"
            " waiting_since = CASE WHEN ? THEN COALESCE(waiting_since, ?) END WHERE lane = ?",
            (due_at, is_blocked, "wait" in kinds, now, lane),
        )

    def _brings_contact(self, lane: int) -> bool:
        query = (
            "SELECT 1 FROM messages INDEXED BY messages_upserts"
            " WHERE lane = ? AND upserts = 1 AND waiting = 0 LIMIT 1"
        )
        return self._run(query, (lane,)).fetchone() is not None

    def _forget_if_empty(self, lane: int) -> bool:
        query = "DELETE FROM lanes WHERE lane = ? AND size = 0 AND leased = 0"
        if not self._run(query, (lane,)).rowcount:
            return False
        self._run("DELETE FROM lane_keys WHERE lane = ?", (lane,))
        return True

    def drop(self, keys: Sequence[str], workspace: int = 0) -> list[str]:
        """Forget the messages of one workspace that carry one of *keys* and are not leased; returns their bodies, in order."""
        wanted = frozenset(keys)
        marks = ", ".join("?" * len(keys))
        lanes = self._run(
            f"SELECT DISTINCT lane FROM lane_keys WHERE key IN ({marks})",
            [scoped(workspace, key) for key in keys],
        ).fetchall()
        leased = {
            seq for (seqs,) in self._run("SELECT seqs FROM claims").fetchall() for seq in json.loads(seqs)
        }
        going = [
            (seq, body)
            for (lane,) in lanes
            for seq, message_keys, body in self._run(
                "SELECT seq, keys, body FROM messages WHERE lane = ?", (lane,)
            )
            if seq not in leased and wanted.intersection(json.loads(message_keys))
        ]
        self.remove([seq for seq, _ in going])
        return [body for _, body in sorted(going)]


def _entry(row: tuple[Any, ...], lane_waits_since: float | None) -> Entry:
    seq, body, accepted_at, attempts, failures, waiting_since, _ = row
    if waiting_since is None and lane_waits_since is not None:
        # It waits behind others for the same contact: since they began to wait, or since it was accepted, whichever is later.
        waiting_since = max(lane_waits_since, accepted_at)
    return Entry(seq, json.loads(body), accepted_at, attempts, failures, waiting_since)
