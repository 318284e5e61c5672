"""The spool's dead letters (rule X1); every method runs inside a transaction of its owner's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...plugins import DeadLetter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from ...plugins import Settlement

_COLUMNS = "id, body, reason, answer, attempts, accepted_at, died_at"
# Dead letters that one call removes.
_MOST_AT_ONCE = 1_000


class Graves:
    """
    Keeps dead letters.

    Args:
        run: Runs a statement in the spool's file.
        limit: How many are kept; the oldest leave first.
    """

    def __init__(self, run: Callable[..., sqlite3.Cursor], limit: int) -> None:
        self._run = run
        self._limit = limit
        self.evicted = 0
        """Dead letters that had to leave."""

    def bury_buffered(self, settlement: Settlement, now: float) -> None:
        """Copy a buffered message here; its owner removes it there."""
        self._add(
            "SELECT ?, body, ?, attempts + 1, accepted_at, ? FROM messages WHERE seq = ?",
            (
                settlement.reason or "unknown",
                None if settlement.answer is None else json.dumps(settlement.answer),
                now,
                settlement.seq,
            ),
        )

    def bury(self, body: str, reason: str, now: float) -> None:
        """Keep a message that was never buffered."""
        self._add("VALUES (?, ?, NULL, 0, ?, ?)", (reason, body, now, now))

    def _add(self, values: str, facts: tuple[Any, ...]) -> None:
        run = self._run
        added = run(
            f"INSERT INTO dead (reason, body, answer, attempts, accepted_at, died_at) {values}", facts
        ).rowcount
        kept = run("UPDATE numbers SET dead = dead + ? RETURNING dead", (added,)).fetchone()[0]
        if kept > self._limit:
            gone = run(
                "DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY id LIMIT ?)",
                (kept - self._limit,),
            ).rowcount
            run("UPDATE numbers SET dead = dead - ?", (gone,))
            self.evicted += gone

    def page(self, reason: str | None, after: int, limit: int) -> list[DeadLetter]:
        """Return at most *limit* with an id above *after*, oldest first."""
        if reason is None:
            rows = self._run(f"SELECT {_COLUMNS} FROM dead WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        else:
            query = f"SELECT {_COLUMNS} FROM dead WHERE reason = ? AND id > ? ORDER BY id LIMIT ?"
            rows = self._run(query, (reason, after, limit))
        return [_letter(row) for row in rows]

    def count(self) -> dict[str, int]:
        """Return reason -> number."""
        return dict(self._run("SELECT reason, COUNT(*) FROM dead GROUP BY reason").fetchall())

    def take(self, ids: Sequence[int] | None, reason: str | None) -> list[DeadLetter]:
        """Remove and return those asked for, at most 1,000."""
        if ids is None:
            letters = self.page(reason, 0, _MOST_AT_ONCE)
        else:
            found = [
                self._run(f"SELECT {_COLUMNS} FROM dead WHERE id = ?", (number,)).fetchone()
                for number in ids[:_MOST_AT_ONCE]
            ]
            letters = [_letter(row) for row in found if row is not None and reason in (None, row[2])]
        for letter in letters:
            self._run("DELETE FROM dead WHERE id = ?", (letter.id,))
        self._run("UPDATE numbers SET dead = dead - ?", (len(letters),))
        return letters


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
