"""The spool's table of dead letters (rule X1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...plugins import DeadLetter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from ..._types import JsonObject
    from ...plugins import Settlement
    from .database import Database
    from .history_table import HistoryTable
    from .workspaces import SpoolWorkspaces

_COLUMNS = "id, body, reason, answer, attempts, accepted_at, died_at"
# Dead letters that one call removes.
_MAX_TAKEN = 1_000


class DeadLetterTable:
    """
    Keeps dead letters; every method runs inside a transaction of its caller.

    Args:
        run: Runs a statement in the spool's file.
        limit: How many are kept; the oldest are removed first.
    """

    def __init__(self, run: Callable[..., sqlite3.Cursor], limit: int) -> None:
        self._run = run
        self._limit = limit
        self.evicted = 0
        """How many were removed because there were too many."""

    def bury_buffered(self, settlement: Settlement, now: float) -> None:
        """Copy a buffered message into the table; the caller removes it from the buffered ones."""
        self._add(
            "SELECT ?, body, ?, attempts + 1, accepted_at, ?, (SELECT workspace FROM lanes WHERE lane = messages.lane)"
            " FROM messages WHERE seq = ?",
            (
                settlement.reason or "unknown",
                None if settlement.answer is None else json.dumps(settlement.answer),
                now,
                settlement.seq,
            ),
        )

    def bury(self, body: str, reason: str, now: float, workspace: int = 0) -> None:
        """Keep a message that was never buffered."""
        self._add("VALUES (?, ?, NULL, 0, ?, ?, ?)", (reason, body, now, now, workspace))

    def _add(self, values: str, parameters: tuple[Any, ...]) -> None:
        run = self._run
        added = run(
            f"INSERT INTO dead (reason, body, answer, attempts, accepted_at, died_at, workspace) {values}",
            parameters,
        ).rowcount
        kept = run("UPDATE numbers SET dead = dead + ? RETURNING dead", (added,)).fetchone()[0]
        if kept > self._limit:
            removed = run(
                "DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY id LIMIT ?)",
                (kept - self._limit,),
            ).rowcount
            run("UPDATE numbers SET dead = dead - ?", (removed,))
            self.evicted += removed

    def page(self, reason: str | None, after: int, limit: int) -> list[DeadLetter]:
        """Return at most *limit* with an id above *after*, oldest first; None as *reason* means every reason."""
        if reason is None:
            query = f"SELECT {_COLUMNS} FROM dead WHERE id > ? ORDER BY id LIMIT ?"
            rows = self._run(query, (after, limit))
        else:
            query = f"SELECT {_COLUMNS} FROM dead WHERE reason = ? AND id > ? ORDER BY id LIMIT ?"
            rows = self._run(query, (reason, after, limit))
        return [_letter(row) for row in rows]

    def count(self) -> dict[str, int]:
        """Return reason -> number."""
        return dict(self._run("SELECT reason, COUNT(*) FROM dead GROUP BY reason").fetchall())

    def take(self, ids: Sequence[int] | None, reason: str | None) -> list[DeadLetter]:
        """Remove and return those with *ids* and *reason* (None: all), at most 1,000."""
        if ids is None:
            letters = self.page(reason, 0, _MAX_TAKEN)
        else:
            rows = [
                self._run(f"SELECT {_COLUMNS} FROM dead WHERE id = ?", (number,)).fetchone()
                for number in ids[:_MAX_TAKEN]
            ]
            letters = [_letter(row) for row in rows if row is not None and reason in (None, row[2])]
        for letter in letters:
            self._run("DELETE FROM dead WHERE id = ?", (letter.id,))
        self._run("UPDATE numbers SET dead = dead - ?", (len(letters),))
        return letters


class SpoolDeadLetters:
    """Implements ``plugins.DeadLetterStore`` for the spool: each method is a transaction of its own."""

    _database: Database
    _workspaces: SpoolWorkspaces
    _dead: DeadLetterTable
    _history: HistoryTable

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._database.lock, self._database.transaction():
            body = json.dumps(message)
            self._dead.bury(body, reason, now, self._workspaces.own())
            self._history.add_dead(body, reason, now)

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


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    number, body, reason, answer, attempts, accepted_at, died_at = row
    return DeadLetter(
        id=number,
        message=json.loads(body),
        reason=reason,
        answer=None if answer is None else json.loads(answer),
        attempts=attempts,
        accepted_at=accepted_at,
        died_at=died_at,
    )
