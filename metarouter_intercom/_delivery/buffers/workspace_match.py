"""Finds the workspaces of one spool file in another one (rules Q7, Q8): their numbers may differ, the names of their credentials do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .workspaces import BETWEEN, make_tables, scoped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


class WorkspaceMatch:
    """
    The workspaces of an earlier file in the one that took its place; used inside a transaction of the caller.

    Args:
        earlier: The earlier file.
        run: Runs a statement in the new file.

    Attributes:
        numbers: Number in the earlier file -> number in the new one.
    """

    def __init__(self, earlier: sqlite3.Connection, run: Callable[..., sqlite3.Cursor]) -> None:
        self._earlier = earlier
        self._run = run
        self.numbers: dict[int, int] = {}

    def find(self) -> None:
        """Match every workspace of the earlier file; one that the new file lacks is added to it."""
        is_new = self._run("SELECT NOT EXISTS (SELECT 1 FROM credentials)").fetchone()[0]
        # What was to move comes last, when the number of its new workspace is known.
        rows = self._earlier.execute(
            "SELECT number, id, used, moved_to FROM workspaces ORDER BY moved_to IS NOT NULL, number"
        ).fetchall()
        for number, workspace, used, moved_to in rows:
            if moved_to in self.numbers:
                self.numbers[number] = self.numbers[moved_to]
                continue
            owners = self._earlier.execute(
                "SELECT fingerprint, is_refused FROM credentials WHERE workspace = ?", (number,)
            ).fetchall()
            own = 0 if is_new and number == 0 else self._known(workspace, [name for name, _ in owners])
            if own is None:
                self._run("INSERT INTO workspaces (id, used) VALUES (?, ?)", (workspace, used))
                own = int(self._run("SELECT MAX(number) FROM workspaces").fetchone()[0])
            elif workspace is not None:
                self._run("UPDATE workspaces SET id = COALESCE(id, ?) WHERE number = ?", (workspace, own))
            self.numbers[number] = own
            self._add_owners(number, own, owners)

    def _known(self, workspace: str | None, owners: list[str]) -> int | None:
        row = self._run("SELECT number FROM workspaces WHERE id = ?", (workspace,)).fetchone()
        if row is not None:
            return int(row[0])
        for fingerprint in owners:
            row = self._run(
                "SELECT c.workspace FROM credentials AS c JOIN workspaces AS w ON w.number = c.workspace"
                " WHERE c.fingerprint = ? AND (w.id IS NULL OR ? IS NULL)",
                (fingerprint, workspace),
            ).fetchone()
            if row is not None:
                return int(row[0])
        # A file whose first workspace nobody has used has a place for one without credentials.
        return None if owners or workspace is not None else 0

    def _add_owners(self, number: int, own: int, owners: list[tuple[str, int]]) -> None:
        for fingerprint, is_refused in owners:
            self._run("INSERT OR IGNORE INTO credentials VALUES (?, ?, ?)", (fingerprint, own, is_refused))
        for name, value in self._earlier.execute(
            "SELECT name, value FROM mapping_settings WHERE workspace = ?", (number,)
        ):
            self._run("INSERT OR IGNORE INTO mapping_settings VALUES (?, ?, ?)", (own, name, value))
        if own:
            make_tables(self._run, own)

    def plain(self, text: str) -> str:
        """Return a text of the earlier file without its workspace."""
        return text.partition(BETWEEN)[2] if self._number_in(text) else text

    def moved(self, text: str) -> str:
        """Return a text of the earlier file with the number of its workspace in the new one."""
        return scoped(self.numbers[self._number_in(text)], self.plain(text))

    def _number_in(self, text: str) -> int:
        number, between, _ = text.partition(BETWEEN)
        return int(number) if between and number.isdecimal() and int(number) in self.numbers else 0

    def tables(self, name: str) -> list[tuple[str, str]]:
        """Return the names of the tables that each workspace has for itself, in the earlier file and in the new one."""
        there = {
            row[0] for row in self._earlier.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        pairs = [(_table(name, number), _table(name, own)) for number, own in self.numbers.items()]
        return [pair for pair in pairs if pair[0] in there]


def _table(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name
