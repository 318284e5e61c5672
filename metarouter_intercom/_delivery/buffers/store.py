"""The spool's key-value store, in which the workspace cache keeps ids and fingerprints (rule O4); knows nothing of what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .workspaces import scoped

if TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database
    from .workspaces import SpoolWorkspaces

# Values of each kind; those that were not written for the longest time are removed first.
_CAPACITY = 200_000
# The bound is enforced once in so many values.
_PRUNE_EVERY = 1_000


class SpoolStore:
    """
    Implements ``plugins.Store`` in the table ``shelf``; keeps nothing before the workspace is known (rule Q7).

    Args:
        database: The spool's.
        workspaces: Says which workspace the values are about.
        capacity: How many values of each kind it keeps.
    """

    def __init__(self, database: Database, workspaces: SpoolWorkspaces, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._workspaces = workspaces
        self._run = database.run
        self._capacity = capacity
        self._puts = 0

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        number = self._workspaces.number
        if number is None:
            return None
        with self._database.lock, self._database.translated_errors():
            return self._read(scoped(number, kind), key)

    def put(self, kind: str, key: str, value: str) -> None:
        """Store the value."""
        self.update(kind, key, lambda _: value)

    def forget(self, kind: str, key: str) -> None:
        """Remove the value."""
        self.update(kind, key, lambda _: None)

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace the value by ``change(value)`` in one step; None removes it."""
        number = self._workspaces.number
        if number is None:
            return
        kind = scoped(number, kind)
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
