"""Moves the events of a claim to seconds of their own before they are sent (rule E10); does not know how seconds are kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

import attrs

from .._intercom.event_seconds import FARTHEST
from .._intercom.event_wishes import Places, digested, digested_links, wish_of
from .._types import Note
from ..errors import SpoolFailed
from ..operations import MergeContact, SubmitEvent, UpsertContact
from .safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._intercom.event_seconds import Links, MemorySeconds, SecondsStore, Slot
    from .._intercom.workspace_cache import WorkspaceCache
    from .attempts import Attempt

_log = safe_log
_MOVED = Note("E10", "timestamp", "another event has this second: moved to the next free one")
_NOT_MOVED = Note("E10", "timestamp", "another event has this second, and none of the next 300 is free")
_REPEATED = Note("E10", "timestamp", "an event with this messageId was sent with another time")
# SQLite holds no larger number. No event happens then, so such an event is sent as it is.
_LAST_SECOND = 2**62
# Seconds assigned while the spool failed that wait to be written to it.
_UNSAVED = 50_000


_Asking: TypeAlias = "tuple[Attempt, SubmitEvent, Slot]"


class Spreader:
    """
    Gives each event the second that it has for good; safe to use from several threads at once.

    Args:
        cache: Intercom's ids of contacts.
        memory: The seconds that this process knows.
        store: The spool's; None keeps seconds in memory alone.
        connection: The connection's name, for the log.
    """

    def __init__(
        self,
        cache: WorkspaceCache,
        memory: MemorySeconds,
        *,
        store: SecondsStore | None,
        connection: str,
    ) -> None:
        self._cache = cache
        self._memory = memory
        self._store = store
        self._connection = connection
        self._unsaved: deque[Slot] = deque(maxlen=_UNSAVED)
        self._has_failed = False

    def spread(self, attempts: Sequence[Attempt]) -> None:
        """Replace the seconds in the events of *attempts*, which are the messages of one claim in their order, and note what moved."""
        store = self._store
        places = Places(self._cache)
        asking: list[_Asking] = []
        make = wish_of if store is None else digested
        for attempt in attempts:
            number = 0
            for operation in attempt.operations:
                kind = type(operation)
                if kind is SubmitEvent:
                    event: SubmitEvent = operation  # type: ignore[assignment]  # as its type says
                    if abs(event.created_at) < _LAST_SECOND:
                        asking.append((attempt, event, make(event, attempt.entry.message, places, number)))
                    number += 1
                elif kind is UpsertContact or kind is MergeContact:
                    places.learn(operation)
        links = places.links
        if store is None:
            self._assign_in_memory(asking, links)
            return
        if links:
            links = self._memory.news_of(digested_links(links))
        if asking or links:
            self._assign(asking, links, store)

    def _assign_in_memory(self, asking: Sequence[_Asking], links: Links) -> None:
        if links:
            self._memory.link(links)
        take = self._memory.take
        for attempt, event, wish in asking:
            slot = take(wish)
            if slot is not wish:
                _move(attempt, event, slot)

    def _assign(self, asking: Sequence[_Asking], links: Links, store: SecondsStore) -> None:
        slots = self._stored([wish for _, _, wish in asking], links, store)
        for attempt, event, wish in asking:
            slot = slots[wish.owner]
            if slot is not wish:
                _move(attempt, event, slot)

    def _stored(self, wishes: Sequence[Slot], links: Links, store: SecondsStore) -> Mapping[int, Slot]:
        """Return owner -> its second; *store* is asked for what this process does not know."""
        memory = self._memory
        # A new link may take a second away from an event that has not been sent.
        known = {} if links else memory.known(wishes)
        unknown = [wish for wish in wishes if wish.owner not in known] if known else wishes
        if not unknown and not links:
            return known
        unsaved = self._take_unsaved() if self._unsaved else ()
        try:
            assigned = store.assign(unknown, links, unsaved)
        except SpoolFailed as error:
            # The messages are delivered all the same: what this process has sent, it still knows.
            self._report(error)
            assigned = memory.assign(unknown, links)
            self._unsaved.extend((*unsaved, *assigned.values()))
        else:
            memory.remember(assigned, links)
        return {**known, **assigned} if known else assigned

    def _take_unsaved(self) -> Sequence[Slot]:
        unsaved: list[Slot] = []
        while self._unsaved:
            unsaved.append(self._unsaved.popleft())
        return unsaved

    def _report(self, error: SpoolFailed) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        _log.warning(
            "connection %s: the seconds of events cannot be kept in the spool, only in memory: %s",
            self._connection,
            error,
            extra={"connection": self._connection, "fault": str(error)},
        )


def _move(attempt: Attempt, event: SubmitEvent, slot: Slot) -> None:
    if slot.place is not None and slot.second == event.created_at:
        return
    moved = attrs.evolve(event, created_at=slot.second)
    attempt.operations = tuple(moved if one is event else one for one in attempt.operations)
    if slot.place is None:
        attempt.notes.append(_NOT_MOVED)
    elif 0 < slot.second - event.created_at <= FARTHEST:
        attempt.notes.append(_MOVED)
    else:
        attempt.notes.append(_REPEATED)
