"""The spool's key-value store, where the directory keeps what it knows of the workspace (rule O4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database

# Values of each kind; those not written for longest leave first.
_CAPACITY = 200_000
# Between two looks at the bound, in values put.
_PRUNE_EVERY = 1_000


class SpoolStore:
    """
    Implements ``plugins.Shelf``.

    Args:
        database: The spool's.
        capacity: Values of each kind.
    """

    def __init__(self, database: Database, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._run = database.run
        self._capacity = capacity
        self._puts = 0

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        with self._database.lock, self._database.told():
            return self._read(kind, key)

    def put(self, kind: str, key: str, value: str) -> None:
        """Store the value."""
        with self._database.lock, self._database.transaction():
            self._write(kind, key, value)

    def forget(self, kind: str, key: str) -> None:
        """Remove the value."""
        with self._database.lock, self._database.transaction():
            self._run("DELETE FROM shelf WHERE kind = ? AND key = ?", (kind, key))

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace the value by ``change(value)`` in one step; None removes it."""
        with self._database.lock, self._database.transaction():
            value = change(self._read(kind, key))
            if value is None:
                self._run("DELETE FROM shelf WHERE kind = ? AND key = ?", (kind, key))
            else:
                self._write(kind, key, value)

    def _read(self, kind: str, key: str) -> str | None:
        row = self._run("SELECT value FROM shelf WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else str(row[0])

    def _write(self, kind: str, key: str, value: str) -> None:
        self._run("INSERT OR REPLACE INTO shelf (kind, key, value) VALUES (?, ?, ?)", (kind, key, value))
        self._puts += 1
        if self._puts % _PRUNE_EVERY == 0:
            self._run(
                "DELETE FROM shelf WHERE kind = ? AND number <= (SELECT number FROM shelf WHERE kind = ?"
                " ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (kind, kind, self._capacity),
            )
