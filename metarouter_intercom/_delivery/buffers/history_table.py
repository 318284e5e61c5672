"""The spool's table of the last ends of messages (rule X2), which its processes share; knows nothing of Intercom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..._types import Note
from ...plugins import Ending, HistoryEntry, SentRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...plugins import Settlement
    from .database import Database

# What leaves first when there are too many has the lowest rank.
_RANKS = {"delivered": 0, "skipped": 1, "dead": 2}
_OUTCOMES = ("delivered", "skipped", "dead")
_COLUMNS = "number, rank, body, reason, notes, requests, accepted_at, ended_at"
_INSERT = "INSERT INTO history (rank, body, reason, notes, requests, accepted_at, ended_at)"
# Too many are removed once in so many new ones, and whenever somebody reads.
_PRUNE_EVERY = 64
_WRITTEN_AT_ONCE = 32


class HistoryTable:
    """
    Implements ``plugins.HistoryStore`` in the table ``history``.

    Args:
        database: The spool's.
        limit: How many entries are kept; 0 keeps none.
        has_room: Whether the volume has room for what is only remembered.
    """

    def __init__(self, database: Database, limit: int, has_room: Callable[[], bool]) -> None:
        self._database = database
        self._limit = limit
        self._has_room = has_room
        self._added = 0
        # By seq, so that a settlement that is repeated after a failure counts once: ends that are not in the file yet.
        self._unwritten: dict[int, tuple[object, ...]] = {}

    def add_buffered(self, settlements: Sequence[Settlement], now: float, *, is_lease_ours: bool) -> None:
        """
        Keep the ends of buffered messages; the caller holds a transaction, and removes the messages after this.

        They are written in groups: a row of its own in each transaction would cost a tenth of a delivery.

        Args:
            settlements: Of one claim.
            now: Unix seconds.
            is_lease_ours: Without the lease only what was delivered has ended; the others are for the new holder to settle.
        """
        if self._limit == 0:
            return
        run, unwritten = self._database.run, self._unwritten
        last: tuple[SentRequest, ...] = ()
        text: str | None = None
        for one in settlements:
            ending = one.ending
            if one.kind == "bury":
                ending = (ending or Ending("dead", one.reason)) if is_lease_ours else None
            if ending is None:
                continue
            if ending.requests != last:
                last, text = ending.requests, _packed(ending.requests)
            row = run("SELECT body, accepted_at FROM messages WHERE seq = ?", (one.seq,)).fetchone()
            if row is not None:
                rank, notes = _RANKS[ending.outcome], _packed(ending.notes)
                unwritten[one.seq] = (rank, row[0], ending.reason, notes, text, row[1], now)
        if len(unwritten) >= _WRITTEN_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what is not in the file yet, and forget it if the volume has no room; the caller holds a transaction."""
        rows = list(self._unwritten.values())
        if not rows:
            return
        self._unwritten.clear()
        if self._has_room():
            self._database.run_many(f"{_INSERT} VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._count(len(rows))

    def add_dead(self, body: str, reason: str, now: float) -> None:
        """Keep the end of a message that was given up before it was buffered; the caller holds a transaction."""
        if self._limit == 0 or not self._has_room():
            return
        self.write()
        self._database.run(
            f"{_INSERT} VALUES (?, ?, ?, NULL, NULL, ?, ?)",
            (_RANKS["dead"], body, reason, now, now),
        )
        self._count(1)

    def _count(self, number: int) -> None:
        self._added += number
        if self._added >= _PRUNE_EVERY:
            self._added = 0
            self._prune()

    def _prune(self) -> None:
        kept: int = self._database.run("SELECT COUNT(*) FROM history").fetchone()[0]
        if kept > self._limit:
            self._database.run(
                "DELETE FROM history WHERE number IN (SELECT number FROM history ORDER BY rank, number LIMIT ?)",
                (kept - self._limit,),
            )

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return entries, newest first."""
        with self._database.lock:
            if before is None and self._limit > 0:
                with self._database.transaction():
                    self.write()
                    self._prune()
            with self._database.translated_errors():
                rows = self._database.run(
                    f"SELECT {_COLUMNS} FROM history WHERE ? IS NULL OR number < ? ORDER BY number DESC LIMIT ?",
                    (before, before, limit),
                ).fetchall()
        return [(row[0], _entry(row)) for row in rows]

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove entries."""
        with self._database.lock, self._database.transaction():
            self._database.run_many("DELETE FROM history WHERE number = ?", [(number,) for number in numbers])


def _packed(values: tuple[object, ...]) -> str | None:
    return json.dumps(values) if values else None


def _entry(row: tuple[Any, ...]) -> HistoryEntry:
    _, rank, body, reason, notes, requests, accepted_at, ended_at = row
    return HistoryEntry(
        message=json.loads(body),
        outcome=_OUTCOMES[rank],  # type: ignore[arg-type]  # the names of the ranks
        reason=reason,
        notes=() if notes is None else tuple(Note(*one) for one in json.loads(notes)),
        requests=() if requests is None else tuple(SentRequest(*one) for one in json.loads(requests)),
        accepted_at=accepted_at,
        ended_at=ended_at,
    )
