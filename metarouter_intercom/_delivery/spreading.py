"""Moves the events of a claim to seconds of their own before they are sent (rule E10); does not know how seconds are kept."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import attrs

from .._intercom.event_seconds import FARTHEST
from .._intercom.event_wishes import Wishes
from .._types import Note
from ..errors import SpoolFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._intercom.event_seconds import MemorySeconds, SecondsStore, Slot
    from .._intercom.event_wishes import Asking
    from .._intercom.workspace_cache import WorkspaceCache
    from ..operations import SubmitEvent
    from .attempts import Attempt

_log = logging.getLogger("metarouter_intercom")
_MOVED = Note("E10", "timestamp", "another event has this second: moved to the next free one")
_NOT_MOVED = Note("E10", "timestamp", "another event has this second, and none of the next 300 is free")
_REPEATED = Note("E10", "timestamp", "an event with this messageId was sent with another time")
# Seconds assigned while the spool failed that wait to be written to it.
_UNSAVED = 50_000


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
        wishes = Wishes(self._cache)
        for number, attempt in enumerate(attempts):
            if attempt.operations:
                wishes.add(number, attempt.entry.message, attempt.operations)
        is_linked = self._memory.is_linked
        links = {key: place for key, place in wishes.links.items() if not is_linked(key, place)}
        if not wishes.asking and not links:
            return
        slots = self._slots([asking.wish for asking in wishes.asking], links)
        for asking in wishes.asking:
            slot = slots[asking.wish.owner]
            if slot.second != asking.wish.second or slot.place is None:
                _move(attempts[asking.message], asking, slot)

    def _slots(self, wishes: Sequence[Slot], links: Mapping[int, int]) -> Mapping[int, Slot]:
        """Return owner -> its second; the store is asked for what this process does not know."""
        memory, store = self._memory, self._store
        if store is None:
            return memory.assign(wishes, links)
        known = memory.known(wishes)
        unknown = [wish for wish in wishes if wish.owner not in known] if known else wishes
        if not unknown and not links:
            return known
        unsaved = self._take_unsaved()
        try:
            assigned = store.assign(unknown, links, unsaved)
        except SpoolFailed as error:
            # The messages are delivered all the same: what this process has sent, it still knows.
            self._report(error)
            assigned = memory.assign(unknown, links)
            self._unsaved.extend((*unsaved, *assigned.values()))
        else:
            memory.remember(assigned.values(), links)
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


def _move(attempt: Attempt, asking: Asking, slot: Slot) -> None:
    operations = [*attempt.operations]
    event: SubmitEvent = operations[asking.position]  # type: ignore[assignment]  # an event, because it asked for a second
    operations[asking.position] = attrs.evolve(event, created_at=slot.second)
    attempt.operations = tuple(operations)
    if slot.place is None:
        attempt.notes.append(_NOT_MOVED)
    elif 0 < slot.second - asking.wish.second <= FARTHEST:
        attempt.notes.append(_MOVED)
    else:
        attempt.notes.append(_REPEATED)
