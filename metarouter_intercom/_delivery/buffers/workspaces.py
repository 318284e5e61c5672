"""
Which workspace the messages in a spool are for, and what is remembered of each (rule Q7); knows SQL, nothing of Intercom.

Credentials are known by their fingerprint. Each fingerprint has a number, under which its messages wait and ids are remembered; the
first one has 0. When Intercom has said which workspace the credentials open, the number is that workspace's, and all credentials of
that workspace share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..credentials import key_part
from .capabilities import Identified

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from .database import Database

_SECONDS_TABLES = (
    "CREATE TABLE IF NOT EXISTS event_seconds_{0} (number INTEGER PRIMARY KEY, owner INTEGER NOT NULL UNIQUE, place INTEGER,"
    " name INTEGER NOT NULL, second INTEGER NOT NULL, UNIQUE (place, name, second))",
    "CREATE TABLE IF NOT EXISTS event_places_{0} (number INTEGER PRIMARY KEY, key INTEGER NOT NULL UNIQUE,"
    " place INTEGER NOT NULL)",
)


# Between the number of a workspace and a text of it.
BETWEEN = "\x1f"


def scoped(number: int, text: str) -> str:
    """Return *text* as it is stored for the workspace with that *number*: as it is for the first one, which needs no other name."""
    return f"{number}{BETWEEN}{text}" if number else text


def make_tables(run: Callable[..., sqlite3.Cursor], number: int) -> None:
    """Make the tables that the workspace with that *number* has for itself, if they are missing."""
    for table in _SECONDS_TABLES:
        run(table.format(number))


class Move(NamedTuple):
    """Messages that change their workspace: those under the number *source* that were accepted after *after*."""

    source: int
    after: int


class SpoolWorkspaces:
    """
    Keeps apart what one spool has of several workspaces. A caller holds the database's lock; "inside a transaction" means the caller's.

    Args:
        database: The spool's.
        credentials: The client's fingerprint; empty for a program that only reads the file: it sees the first workspace.
        mapping: Name -> value of the client's mapping settings, as JSON text; None keeps what another client wrote.
    """

    def __init__(
        self, database: Database, credentials: str, mapping: Mapping[str, str] | None = None
    ) -> None:
        self._database = database
        self._run = database.run
        self._credentials = credentials
        self._mapping = mapping
        self._fixed: int | None = None if credentials else 0
        self._moves: list[Move] = []
        self._opened_after: int | None = None
        self._is_saved = False
        # What Intercom said, for a file that does not know it yet.
        self._answer: tuple[str | None, bool] | None = None
        self._is_other_file = False
        # The number that a claim has in the file, from the one that its caller knows.
        self.inner: Callable[[int], int] = int

    @property
    def number(self) -> int | None:
        """The number of the client's workspace; None as long as Intercom has not been asked for it."""
        return self._fixed

    # --- numbers --------------------------------------------------------------------------------------

    def open_after(self, seq: int) -> None:
        """Note the newest message at the time when the client opened the spool; later calls change nothing."""
        if self._opened_after is None:
            self._opened_after = seq

    def number_of(self, credentials: str) -> int:
        """Return the number of *credentials*, a new one for new credentials; inside a transaction."""
        if not credentials:
            return 0
        row = self._run("SELECT workspace FROM credentials WHERE fingerprint = ?", (credentials,)).fetchone()
        if row is not None:
            return int(row[0])
        # What an earlier version left belongs to the first credentials that open the file.
        is_first = self._run("SELECT NOT EXISTS (SELECT 1 FROM credentials)").fetchone()[0]
        number = 0 if is_first else self._add(None)
        self._run("INSERT INTO credentials (fingerprint, workspace) VALUES (?, ?)", (credentials, number))
        return number

    def own(self) -> int:
        """Return the number of the client's messages; inside a transaction."""
        number = self.number_of(self._credentials) if self._fixed is None else self._fixed
        if not self._is_saved:
            self._save_mapping(number)
            self._is_saved = True
        return number

    def own_number(self) -> int:
        """Return the number of the client's messages, without writing anything; 0 as long as the file has none for it."""
        if self._fixed is not None:
            return self._fixed
        query = "SELECT workspace FROM credentials WHERE fingerprint = ?"
        row = self._run(query, (self._credentials,)).fetchone()
        return 0 if row is None else int(row[0])

    def claimable(self) -> list[int]:
        """Return the numbers of the messages that may be delivered: as long as the workspace is not known, all, the client's own first."""
        if self._fixed is not None:
            return [self._fixed]
        row = self._run(
            "SELECT workspace FROM credentials WHERE fingerprint = ?", (self._credentials,)
        ).fetchone()
        own = None if row is None else row[0]
        return [
            number
            for (number,) in self._run(
                "SELECT number FROM workspaces ORDER BY number IS NOT ?, number", (own,)
            )
        ]

    def awaited(self) -> list[int]:
        """Return the numbers of the messages for which a flush waits: those to deliver, and those that move here."""
        return [*self.claimable(), *(move.source for move in self._moves)]

    def _add(self, workspace: str | None) -> int:
        self._run("INSERT INTO workspaces (id) VALUES (?)", (workspace,))
        return int(self._run("SELECT MAX(number) FROM workspaces").fetchone()[0])

    def _id_of(self, number: int) -> str | None:
        row = self._run("SELECT id FROM workspaces WHERE number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    # --- another file ---------------------------------------------------------------------------------

    def leave(self) -> None:
        """Note that another file took the place of this one (rule Q8): numbers mean something else there."""
        self._fixed = None if self._credentials else 0
        self._moves.clear()
        self._opened_after = None
        self._is_saved = False
        self._is_other_file = True

    def reopen(self) -> None:
        """Tell another file which workspace the credentials open, if Intercom has said it."""
        if self._is_other_file:
            if self._answer is not None:
                workspace, adopt = self._answer
                self.identify(workspace, adopt=adopt)
            self._is_other_file = False

    # --- the answer of Intercom -----------------------------------------------------------------------

    def refuse(self) -> None:
        """Note that Intercom refuses the credentials: what was accepted with them belongs to whoever corrects them."""
        with self._database.lock, self._database.transaction():
            self.own()
            self._run(
                "UPDATE credentials SET is_refused = 1 WHERE fingerprint = ?",
                (self._credentials,),
            )

    def identify(self, workspace: str | None, *, adopt: bool) -> Identified:
        """
        Note which workspace the client's credentials open.

        Args:
            workspace: Its id; None when Intercom does not say one: then the credentials are a workspace of their own.
            adopt: Take over the messages that wait for other workspaces.
        """
        with self._database.lock:
            with self._database.transaction():
                last = self._run(
                    "SELECT number, id FROM workspaces WHERE used > 0 ORDER BY used DESC LIMIT 1"
                ).fetchone()
                moves: list[Move] = []
                number = self._settle_on(self.own(), workspace, moves)
                self._run(
                    "UPDATE workspaces SET used = (SELECT MAX(used) + 1 FROM workspaces) WHERE number = ?",
                    (number,),
                )
                self._run(
                    "UPDATE credentials SET is_refused = 0, workspace = ? WHERE fingerprint = ?",
                    (number, self._credentials),
                )
                for source in self._sources(number, adopt=adopt):
                    self._run("UPDATE dead SET workspace = ? WHERE workspace = ?", (number, source))
                    moves.append(Move(source, 0))
                if number:
                    make_tables(self._run, number)
                self._save_mapping(number)
                known = self._id_of(number)
            self._moves = list(dict.fromkeys(moves))
            self._fixed = number
            self._answer = (workspace, adopt)
        return Identified(known, last[1] if last is not None and last[0] != number else None)

    def _settle_on(self, own: int, workspace: str | None, moves: list[Move]) -> int:
        """Return the number of *workspace*; adds to *moves* the client's own messages that have another one."""
        own_id = self._id_of(own)
        if workspace is None or own_id == workspace:
            return own
        row = self._run("SELECT number FROM workspaces WHERE id = ?", (workspace,)).fetchone()
        if row is None and own_id is None:
            self._run("UPDATE workspaces SET id = ? WHERE number = ?", (workspace, own))
            return own
        number = self._add(workspace) if row is None else int(row[0])
        if own_id is None:
            self._run("UPDATE dead SET workspace = ? WHERE workspace = ?", (number, own))
            # In the file too: if this process ends before it has moved them, another one of this workspace does.
            self._run("UPDATE workspaces SET moved_to = ? WHERE number = ?", (number, own))
            moves.append(Move(own, 0))
        else:
            # The same key at the same address opens another workspace: a replaced transport, or a sandbox that was set up anew.
            moves.append(Move(own, self._opened_after or 0))
        return number

    def _sources(self, number: int, *, adopt: bool) -> list[int]:
        """
        Return the numbers of messages that are this workspace's too: those accepted with the same key, or with a refused one.

        Nobody knows more of them, because Intercom was never asked, or never answered. Others belong here because their own client has
        found that out, and ended before it had moved them.
        """
        sources = []
        rows = self._run(
            "SELECT number, id, moved_to FROM workspaces WHERE number != ?", (number,)
        ).fetchall()
        for other, other_id, moved_to in rows:
            owners = self._run(
                "SELECT fingerprint, is_refused FROM credentials WHERE workspace = ?", (other,)
            ).fetchall()
            is_ours = (
                other_id is None
                and bool(owners)
                and all(
                    is_refused or key_part(fingerprint) == key_part(self._credentials)
                    for fingerprint, is_refused in owners
                )
            )
            if adopt or is_ours or moved_to == number:
                sources.append(int(other))
        return sources

    def owns(self, claim: int) -> bool:
        """Return whether the messages of a claim are the client's, as far as this client knows its workspace."""
        with self._database.lock, self._database.transaction():
            query = "SELECT workspace FROM lanes WHERE lane = (SELECT lane FROM claims WHERE claim = ?)"
            row = self._run(query, (self.inner(claim),)).fetchone()
            return row is not None and row[0] == self.own()

    # --- messages that move ----------------------------------------------------------------------------

    @property
    def moves(self) -> tuple[Move, ...]:
        """What has to move to this workspace before the next claim."""
        return tuple(self._moves)

    def end_move(self, move: Move) -> None:
        """Note that nothing of *move* is left."""
        self._moves.remove(move)

    # --- other workspaces -------------------------------------------------------------------------------

    def waiting(self) -> dict[str | None, int]:
        """Return id -> number of the messages that wait for other workspaces; None is one that nobody knows."""
        with self._database.lock, self._database.translated_errors():
            if self._fixed is None:
                return {}
            ours = {self._fixed, *(move.source for move in self._moves if not move.after)}
            counts: dict[str | None, int] = {}
            rows = self._run("SELECT number, id FROM workspaces").fetchall()
            for number, workspace in rows if len(rows) > 1 else ():
                if number not in ours and (waiting := self._count(number)):
                    counts[workspace] = counts.get(workspace, 0) + waiting
            return counts

    def _count(self, number: int) -> int:
        query = "SELECT COALESCE(SUM(size), 0) FROM lanes WHERE workspace = ?"
        return int(self._run(query, (number,)).fetchone()[0])

    def missing_contacts(self) -> tuple[int, float | None]:
        """Return how many messages wait for their contact, and since when the first one does."""
        with self._database.lock, self._database.translated_errors():
            query = "SELECT COUNT(*), MIN(waiting_since) FROM messages WHERE waiting = 1"
            number, since = self._run(query).fetchone()
            return int(number), since

    def owner_of_letter(self, letter: int) -> tuple[bool, str | None]:
        """Return whether the dead letter with that id is the client's, as far as it knows its workspace, and whose it is."""
        with self._database.lock, self._database.transaction():
            row = self._run("SELECT workspace FROM dead WHERE id = ?", (letter,)).fetchone()
            return (True, None) if row is None else (row[0] == self.own(), self._id_of(row[0]))

    def id(self) -> str | None:
        """Return the id of the client's workspace, if the spool knows it."""
        with self._database.lock, self._database.transaction():
            return self._id_of(self.own())

    # --- the settings of the mapping ---------------------------------------------------------------------

    def _save_mapping(self, number: int) -> None:
        if self._mapping is None:
            return
        stored = self._mapping_of(number)
        if stored != dict(self._mapping):
            self._run("DELETE FROM mapping_settings WHERE workspace = ?", (number,))
            for name, value in self._mapping.items():
                self._run("INSERT INTO mapping_settings VALUES (?, ?, ?)", (number, name, value))

    def _mapping_of(self, number: int) -> dict[str, str]:
        query = "SELECT name, value FROM mapping_settings WHERE workspace = ?"
        return dict(self._run(query, (number,)).fetchall())

    def mapping(self, letter: int | None) -> dict[str, str]:
        """Return the mapping settings, as JSON text, of the workspace of a dead letter; else of the one that used the spool last."""
        with self._database.lock, self._database.translated_errors():
            row = self._run("SELECT workspace FROM dead WHERE id = ?", (letter,)).fetchone()
            if row is None:
                row = self._run("SELECT number FROM workspaces ORDER BY used DESC LIMIT 1").fetchone()
            return self._mapping_of(int(row[0]))
