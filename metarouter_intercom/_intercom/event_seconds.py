"""
Which second each event has, so that no two different events of a contact and name share one (rule E10); asks no clock.

Intercom takes two events of one contact, name and second for one. The first event that asks for a second owns it for good, and a
different one moves to the next free second. Who owns a second must be known for every later attempt, so it is kept apart from the
workspace cache, whose values may be lost at any time.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

# An event moves by so many seconds at most: it stays within the minutes in which it happened.
FARTHEST = 300
# Events in memory, of all contacts together, some 300 bytes each: five times what the buffer in memory holds by default.
_CAPACITY = 50_000
# From an e-mail address or a visitor to a contact, and from there to a user: no chain of links is longer.
_MAX_LINKS = 2


Name: TypeAlias = "str | int"
Place: TypeAlias = "str | tuple[str] | int"


class Slot(NamedTuple):
    """
    An event and its second.

    In memory, names and places are texts. A spool gets digests of 64 bits instead: its file then has no ids and addresses here, and its
    rows are short.

    Attributes:
        owner: What makes it this event: its message id or its content, with the caller's key of its contact and its name.
        place: Its contact: a text or an odd number for a user, whose place never changes, and a tuple or an even number for every other
            key. None when the second belongs to another event, because no second was free.
        name: Its name, as Intercom compares names.
        second: Unix seconds: the one that it asks for, or the one that it has.
    """

    owner: int
    place: Place | None
    name: Name
    second: int


Links: TypeAlias = "Mapping[Place, Place]"
"""Key of a contact -> key of the same contact under which its events are compared from now on."""


class SecondsStore(Protocol):
    """Remembers the second of each event, and shares that with other processes; thread-safe."""

    def assign(self, wishes: Sequence[Slot], links: Links, unsaved: Sequence[Slot] = ()) -> dict[int, Slot]:
        """
        Return owner -> the second that each of *wishes* has for good; all in one step, and kept when the method returns.

        Args:
            wishes: The events with the seconds that they ask for, in their order.
            links: What is new about the keys of contacts.
            unsaved: Seconds that were assigned elsewhere while the store failed.

        Raises:
            SpoolFailed: The store cannot be read or written.
        """
        ...


def digest(content: str | bytes) -> int:
    """Return 64 bits that only *content* has, as a number that SQLite can store."""
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


def digest_of_place(place: Place) -> int:
    """Return the digest of a text or tuple that stands for a contact: an odd number for a user, an even one for every other key."""
    return digest(place) | 1 if isinstance(place, str) else digest(str(place)) & ~1


def is_final(place: Place) -> bool:
    """Return whether *place* is a user's, so that no link leads away from it."""
    return bool(place & 1) if isinstance(place, int) else isinstance(place, str)


def resolved(place: Place, links: Links) -> Place:
    """Return where *links* lead from *place*."""
    for _ in range(_MAX_LINKS):
        if place not in links:
            break
        place = links[place]
    return place


def folded_name(name: str) -> str:
    """
    Return *name* as Intercom compares the names of events.

    Source: Intercom's pages of API 1.x: names are compared without regard to case, and ``.`` and ``$`` become ``-``.
    """
    return name.strip().lower().casefold().replace(".", "-").replace("$", "-")


def first_free(second: int, taken: Container[int]) -> int | None:
    """Return the first second from *second* on that is not *taken*; None when it would be farther away than allowed."""
    for free in range(second, second + FARTHEST + 1):
        if free not in taken:
            return free
    return None


class MemorySeconds:
    """
    Remembers the seconds of events in memory; safe to use from several threads.

    Args:
        lock: Guards everything.
        capacity: Events; the least recently used ones leave first.
    """

    def __init__(self, *, lock: AbstractContextManager[object], capacity: int = _CAPACITY) -> None:
        self._lock = lock
        self._capacity = capacity
        # Owner -> its second; the least recently used one is the first.
        self._slots: dict[int, Slot] = {}
        self._taken: set[tuple[Place | None, Name, int]] = set()
        self._links: OrderedDict[Place, Place] = OrderedDict()
        # Place that a link may lead away from -> the owners there.
        self._movable: dict[Place, dict[int, None]] = {}

    def news_of(self, links: Links) -> dict[Place, Place]:
        """Return those of *links* that are not remembered."""
        return {key: place for key, place in links.items() if self._links.get(key) != place}

    def known(self, wishes: Iterable[Slot]) -> dict[int, Slot]:
        """Return owner -> its second, for those of *wishes* that are remembered."""
        slots = self._slots
        known: dict[int, Slot] = {}
        with self._lock:
            for wish in wishes:
                slot = slots.pop(wish.owner, None)
                if slot is not None:
                    slots[wish.owner] = known[wish.owner] = slot
        return known

    def take(self, wish: Slot) -> Slot:
        """Return *wish* itself if its event has that second for good, else the other one that it has."""
        slots, taken, spot = self._slots, self._taken, wish[1:]
        with self._lock:
            slot = slots.get(wish.owner)
            if slot is not None:
                return wish if slot == wish else slot
            if spot in taken or type(wish.place) is not str:
                wish = self._new(wish)
            else:
                slots[wish.owner] = wish
                taken.add(spot)
            if len(slots) > self._capacity:
                self._forget_oldest()
        return wish

    def link(self, links: Links) -> None:
        """Let the events of each key count as those of the contact that it leads to."""
        with self._lock:
            self._link(links)

    def assign(self, wishes: Sequence[Slot], links: Links) -> dict[int, Slot]:
        """Return owner -> the second that each of *wishes* has for good; see ``SecondsStore``."""
        assigned: dict[int, Slot] = {}
        with self._lock:
            self._link(links)
            for wish in wishes:
                assigned[wish.owner] = self._slots.get(wish.owner) or self._new(wish)
            self._forget_oldest()
        return assigned

    def remember(self, assigned: Mapping[int, Slot], links: Links) -> None:
        """Remember what a store has assigned, and forget what new *links* may have changed there."""
        with self._lock:
            if links:
                for key in links:
                    for owner in [*self._movable.get(key, ())]:
                        self._forget(owner)
                self._link(links)
            for owner, slot in assigned.items():
                if owner not in self._slots:
                    self._keep(slot)
            if len(self._slots) > self._capacity:
                self._forget_oldest()

    def _new(self, wish: Slot) -> Slot:
        owner, place, name, second = wish
        if place is not None and not is_final(place):
            place = resolved(place, self._links)
            wish = Slot(owner, place, name, second)
        if (place, name, second) in self._taken:
            free = first_free(second, _Window(self._taken, place, name))
            wish = Slot(owner, place, name, free) if free is not None else Slot(owner, None, name, second)
        self._keep(wish)
        return wish

    def _keep(self, slot: Slot) -> None:
        self._slots[slot.owner] = slot
        place = slot.place
        if place is not None:
            self._taken.add(slot[1:])
            if not is_final(place):
                self._movable.setdefault(place, {})[slot.owner] = None

    def _forget(self, owner: int) -> None:
        slot = self._slots.pop(owner)
        self._taken.discard(slot[1:])
        owners = None if slot.place is None else self._movable.get(slot.place)
        if owners is not None and slot.place is not None:
            owners.pop(owner, None)
            if not owners:
                del self._movable[slot.place]

    def _forget_oldest(self) -> None:
        while len(self._slots) > self._capacity:
            self._forget(next(iter(self._slots)))

    def _link(self, links: Links) -> None:
        for key, place in links.items():
            if self._links.get(key) == place:
                continue
            self._links[key] = place
            self._links.move_to_end(key)
            if len(self._links) > self._capacity:
                self._links.popitem(last=False)
            self._move(key, resolved(place, self._links))

    def _move(self, key: Place, place: Place) -> None:
        """
        Let the events under *key* count as those of *place*. One whose second is taken there loses it, and asks again.

        Two events that wait for their contact may have got one second before it was known that it is one contact.
        """
        for owner in [*self._movable.get(key, ())]:
            slot = self._slots[owner]
            self._forget(owner)
            if (place, slot.name, slot.second) not in self._taken:
                self._keep(slot._replace(place=place))


class _Window:
    """The taken seconds of one contact and name."""

    def __init__(
        self, taken: Container[tuple[Place | None, Name, int]], place: Place | None, name: Name
    ) -> None:
        self._taken = taken
        self._place = place
        self._name = name

    def __contains__(self, second: object) -> bool:
        return (self._place, self._name, second) in self._taken
