"""The spool's table of the seconds of events, which the processes of one file share (rule E10); knows nothing of events themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._intercom.event_seconds import FARTHEST, Place, Slot, first_free, is_final, resolved
from ...errors import SpoolFailed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from ..._intercom.event_seconds import Links, Name
    from .database import Database
    from .room import Room
    from .workspaces import SpoolWorkspaces

# Events whose seconds are kept, some 80 bytes each; the oldest are removed first.
_CAPACITY = 500_000
# The bound is enforced once in so many events.
_PRUNE_EVERY = 1_000
# Rows of one statement: SQLite allows 999 values in versions before 3.32, and a row has four.
_ROWS = 200
_INSERT = "INSERT OR IGNORE INTO event_seconds{0} (owner, place, name, second) VALUES "


class _NotAllNew(Exception):
    """Some events of a claim have a second already, or ask for one that is taken."""


class SpoolSeconds:
    """
    Implements ``SecondsStore`` in the tables ``event_seconds`` and ``event_places``; each further workspace has two of its own (rule Q7).

    Args:
        database: The spool's.
        workspaces: Says which workspace the events are for.
        room: On the file's volume; None for one that is never full.
        capacity: How many events it remembers.
    """

    def __init__(
        self,
        database: Database,
        workspaces: SpoolWorkspaces,
        room: Room | None = None,
        *,
        capacity: int = _CAPACITY,
    ) -> None:
        self._database = database
        self._workspaces = workspaces
        self._room = room
        self._capacity = capacity
        self._unpruned = 0

    def _run(self, query: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run *query* with the ending of the workspace's tables in place of ``{0}``."""
        number = self._workspaces.number
        return self._database.run(query.replace("{0}", f"_{number}" if number else ""), parameters)

    def assign(self, wishes: Sequence[Slot], links: Links, unsaved: Sequence[Slot] = ()) -> dict[int, Slot]:
        """Return owner -> its second, after one transaction; see ``SecondsStore``."""
        if self._room is not None and self._room.is_tight:
            raise SpoolFailed("spool: there is only room for messages; free space on its disk", is_full=True)
        with self._database.lock:
            if len(wishes) == 1 and not links and not unsaved and self._insert_one(wishes[0]):
                return {wishes[0].owner: wishes[0]}
            try:
                with self._database.transaction():
                    slots = self._prepare(wishes, links, unsaved)
                    if self._insert(slots) < len(slots):
                        raise _NotAllNew
                    self._prune(len(slots))
            except _NotAllNew:
                with self._database.transaction():
                    slots = self._assign_each(self._prepare(wishes, links, unsaved))
                    self._prune(len(slots))
        return {slot.owner: slot for slot in slots}

    def _insert_one(self, wish: Slot) -> bool:
        """Insert a user's event in a statement that is a transaction of its own, as most claims need it; False if it is not new."""
        if wish.place is None or not is_final(wish.place) or self._unpruned >= _PRUNE_EVERY:
            return False
        with self._database.translated_errors():
            is_new = self._run(f"{_INSERT}(?, ?, ?, ?)", wish).rowcount == 1
        self._unpruned += is_new
        return is_new

    def _prepare(self, wishes: Sequence[Slot], links: Links, unsaved: Sequence[Slot]) -> Sequence[Slot]:
        """Store the links and what the file has not taken so far; return *wishes* with the places where their contacts are compared."""
        for key, place in links.items():
            self._link(key, place)
        if unsaved:
            self._insert(unsaved)
        if all(wish.place is None or is_final(wish.place) for wish in wishes):
            return wishes
        stored = _StoredLinks(self)
        return [
            wish if wish.place is None else wish._replace(place=resolved(wish.place, stored))
            for wish in wishes
        ]

    def _link(self, key: Place, place: Place) -> None:
        if self.link(key) == place:
            return
        self._run("INSERT OR REPLACE INTO event_places{0} (key, place) VALUES (?, ?)", (key, place))
        end = resolved(place, _StoredLinks(self))
        self._run("UPDATE OR IGNORE event_seconds{0} SET place = ? WHERE place = ?", (end, key))
        # Two events that wait for their contact may have got one second before it was known that it is one contact.
        self._run("DELETE FROM event_seconds{0} WHERE place = ?", (key,))

    def link(self, key: Place) -> int | None:
        """Return where *key* leads to, or None."""
        row = self._run("SELECT place FROM event_places{0} WHERE key = ?", (key,)).fetchone()
        return None if row is None else int(row[0])

    def _insert(self, slots: Sequence[Slot]) -> int:
        """Insert those of *slots* whose owner is new and whose second is free; return their number."""
        inserted = 0
        for start in range(0, len(slots), _ROWS):
            part = slots[start : start + _ROWS]
            rows = ", ".join(["(?, ?, ?, ?)"] * len(part))
            inserted += self._run(_INSERT + rows, [value for slot in part for value in slot]).rowcount
        return inserted

    def _assign_each(self, wishes: Sequence[Slot]) -> Sequence[Slot]:
        known = self._known(wishes)
        taken = _Taken(self)
        new: list[Slot] = []
        for wish in wishes:
            if wish.owner in known:
                continue
            seconds = taken.around(wish)
            free = first_free(wish.second, seconds)
            slot = wish._replace(place=None) if free is None else wish._replace(second=free)
            if free is not None:
                seconds.add(free)
            known[wish.owner] = slot
            new.append(slot)
        self._insert(new)
        return [known[wish.owner] for wish in wishes]

    def _known(self, wishes: Sequence[Slot]) -> dict[int, Slot]:
        known: dict[int, Slot] = {}
        for start in range(0, len(wishes), _ROWS):
            owners = [wish.owner for wish in wishes[start : start + _ROWS]]
            marks = ", ".join("?" * len(owners))
            query = f"SELECT owner, place, name, second FROM event_seconds{{0}} WHERE owner IN ({marks})"
            known.update((row[0], Slot(*row)) for row in self._run(query, owners))
        return known

    def seconds_from(self, slot: Slot) -> Iterator[int]:
        """Return the taken seconds that an event could have that asks for the second of *slot*."""
        rows = self._run(
            "SELECT second FROM event_seconds{0} WHERE place = ? AND name = ? AND second BETWEEN ? AND ?",
            (slot.place, slot.name, slot.second, slot.second + FARTHEST),
        )
        return (row[0] for row in rows)

    def _prune(self, added: int) -> None:
        self._unpruned += added
        if self._unpruned < _PRUNE_EVERY:
            return
        self._unpruned = 0
        for table in ("event_seconds{0}", "event_places{0}"):
            self._run(
                f"DELETE FROM {table} WHERE number <= (SELECT MAX(number) FROM {table}) - ?",
                (self._capacity,),
            )


class _StoredLinks(dict[Place, Place]):
    """The links of a file, read when they are looked up."""

    def __init__(self, seconds: SpoolSeconds) -> None:
        super().__init__()
        self._seconds = seconds

    def __contains__(self, key: object) -> bool:
        if super().__contains__(key):
            return True
        place = self._seconds.link(key) if isinstance(key, int) and not is_final(key) else None
        if place is None or not isinstance(key, int):
            return False
        self[key] = place
        return True


class _Taken:
    """The taken seconds of each contact and name, read once around each second that a claim asks for."""

    def __init__(self, seconds: SpoolSeconds) -> None:
        self._seconds = seconds
        self._by_event: dict[tuple[Place | None, Name], set[int]] = {}
        self._read: set[tuple[Place | None, Name, int]] = set()

    def around(self, wish: Slot) -> set[int]:
        """Return the taken seconds of the contact and name of *wish*, complete as far as *wish* may move."""
        seconds = self._by_event.setdefault((wish.place, wish.name), set())
        if wish[1:] not in self._read:
            self._read.add(wish[1:])
            seconds.update(self._seconds.seconds_from(wish))
        return seconds
