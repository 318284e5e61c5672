"""A spool that goes on in memory while its file cannot be written: loud, counted, and back to the file as soon as it can be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import SpoolFailed
from ..plugins import Claim, Tallies
from ._memory import MemoryBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._types import JsonObject, JsonValue
    from ..plugins import Acceptance, Buffer, DeadLetter, Settlement, Shelf

_log = logging.getLogger("metarouter_intercom")
_LOG_EVERY = 60.0
_IN_MEMORY = 10_000


class FallbackBuffer:
    """
    Implements ``plugins.Buffer`` over a spool, with memory behind it.

    While the file fails, accepted messages are kept in memory (``tallies`` counts them) and delivered from there; each goes back to
    being durable with the first message that the file takes again. What is in memory is claimed when the file has nothing due, so the
    order of one contact is kept within each of the two.

    Args:
        spool: The durable buffer.
        on_error: Told of each failure with the message concerned.
        limit: Messages in memory.
    """

    def __init__(
        self,
        spool: Buffer,
        *,
        on_error: Callable[[Exception, Sequence[Mapping[str, JsonValue]]], None],
        limit: int = _IN_MEMORY,
        dead_letters: int = 1_000,
    ) -> None:
        self._spool = spool
        self._memory = MemoryBuffer(limit=limit, dead_letters=dead_letters)
        self._on_error = on_error
        self._unsettled: list[tuple[Claim, Sequence[Settlement]]] = []
        self._logged_at: float | None = None
        self._unspooled = 0

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Put *message* into the file, or into memory when the file cannot take it."""
        if self._memory.pending():
            # One contact's messages must not be split between memory and file while memory has some.
            return self._into_memory(message, keys, upserts, now)
        try:
            return self._spool.accept(message, keys=keys, upserts=upserts, now=now)
        except SpoolFailed as error:
            answer = self._into_memory(message, keys, upserts, now)
            self._tell(error, now, [message])
            return answer

    def _into_memory(self, message: JsonObject, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        answer = self._memory.accept(message, keys=keys, upserts=upserts, now=now)
        if answer == "accepted":
            self._unspooled += 1
        return answer

    def _tell(self, error: SpoolFailed, now: float, messages: Sequence[JsonObject] = ()) -> None:
        self._on_error(error, messages)
        if self._logged_at is None or abs(now - self._logged_at) >= _LOG_EVERY:
            self._logged_at = now
            _log.error(
                "the spool failed: going on in memory",
                extra={"fault": str(error), "unspooled": self._unspooled},
            )

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease from the file; from memory when the file has nothing due, or fails."""
        try:
            self._settle_late(now)
            claim = self._spool.claim(now=now, limit=limit)
        except SpoolFailed as error:
            self._tell(error, now)
            claim = None
        if claim is not None:
            return claim
        claim = self._memory.claim(now=now, limit=limit)
        return None if claim is None else _negative(claim)

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; what the file cannot note now it is told before the next claim."""
        if claim.lane < 0:
            back = [one._replace(seq=-one.seq) for one in settlements]
            self._memory.settle(_negative(claim), back, now=now)
            return
        try:
            self._spool.settle(claim, settlements, now=now)
        except SpoolFailed as error:
            self._unsettled.append((claim, settlements))
            self._tell(error, now)

    def _settle_late(self, now: float) -> None:
        while self._unsettled:
            claim, settlements = self._unsettled[0]
            self._spool.settle(claim, settlements, now=now)
            self._unsettled.pop(0)

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; True while the file cannot say otherwise."""
        if claim.lane < 0:
            return self._memory.renew(_negative(claim), now=now)
        try:
            return self._spool.renew(claim, now=now)
        except SpoolFailed as error:
            self._tell(error, now)
            return True

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        in_memory = self._memory.next_due_at(now=now)
        try:
            in_file = self._spool.next_due_at(now=now)
        except SpoolFailed:
            # Asked again when the workers look the next time; the failed claim before was told.
            in_file = None
        return min((at for at in (in_memory, in_file) if at is not None), default=None)

    def mark(self) -> int:
        """Return the seq of the newest message in the file; memory is always waited for."""
        try:
            return self._spool.mark()
        except SpoolFailed:
            return 0

    def has_pending(self, up_to: int) -> bool:
        """Tell whether something accepted before is not settled."""
        if self._memory.pending():
            return True
        try:
            return self._spool.has_pending(up_to)
        except SpoolFailed:
            # Nothing can be delivered from the file now, so nobody should wait for it.
            return False

    def pending(self) -> int:
        """Count the messages not settled yet, in both places; only memory's while the file cannot be read."""
        try:
            return self._memory.pending() + self._spool.pending()
        except SpoolFailed as error:
            _log.warning("the spool cannot be counted", extra={"fault": str(error)})
            return self._memory.pending()

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted."""
        found = [self._spool.oldest_accepted_at(), self._memory.oldest_accepted_at()]
        return min((at for at in found if at is not None), default=None)

    def tallies(self) -> Tallies:
        """Return what both count, and how many messages the file could not take."""
        tallies = self._spool.tallies()
        evicted = tallies.evicted + self._memory.tallies().evicted
        return tallies._replace(evicted=evicted, unspooled=self._unspooled)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        self._memory.make_due(now=now)
        self._spool.make_due(now=now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys*."""
        return self._spool.drop(keys) + self._memory.drop(keys)

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        try:
            self._spool.bury(message, reason=reason, now=now)
        except SpoolFailed as error:
            self._memory.bury(message, reason=reason, now=now)
            self._tell(error, now, [message])

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return the file's dead letters, oldest first."""
        self._save_graves()
        return self._spool.dead_letters(reason=reason, after=after, limit=limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        self._save_graves()
        return self._spool.count_dead()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        self._save_graves()
        return self._spool.take_dead(ids=ids, reason=reason)

    def _save_graves(self) -> None:
        """Move the dead letters of memory into the file."""
        for letter in self._memory.dead_letters(limit=_IN_MEMORY):
            self._spool.bury(letter.message, reason=letter.reason, now=letter.died_at)
            self._memory.take_dead(ids=[letter.id])

    def shelf(self) -> Shelf | None:
        """Return the file's, which forgets instead of failing."""
        shelf = self._spool.shelf()
        return None if shelf is None else _ForgetfulShelf(shelf)

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        self._memory.after_fork()
        self._unsettled.clear()
        self._spool.after_fork()

    def close(self) -> None:
        """Release the file."""
        try:
            self._settle_late(0.0)
        except SpoolFailed as error:
            facts = {"fault": str(error), "claims": len(self._unsettled)}
            _log.warning("delivered messages could not be noted: they will be sent once more", extra=facts)
        self._spool.close()


class _ForgetfulShelf:
    """A shelf that answers "unknown" once a change failed: what it holds then is no longer what was last written."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._is_blind = False

    def get(self, kind: str, key: str) -> str | None:
        if self._is_blind:
            return None
        try:
            return self._shelf.get(kind, key)
        except SpoolFailed as error:
            self._go_blind(error)
            return None

    def put(self, kind: str, key: str, value: str) -> None:
        self._try(lambda: self._shelf.put(kind, key, value))

    def forget(self, kind: str, key: str) -> None:
        self._try(lambda: self._shelf.forget(kind, key))

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        self._try(lambda: self._shelf.update(kind, key, change))

    def _try(self, change: Callable[[], None]) -> None:
        if self._is_blind:
            return
        try:
            change()
        except SpoolFailed as error:
            self._go_blind(error)

    def _go_blind(self, error: SpoolFailed) -> None:
        self._is_blind = True
        _log.warning("the directory goes on without the spool", extra={"fault": str(error)})


def _negative(claim: Claim) -> Claim:
    """Turn a claim of memory's into one that cannot be taken for the file's, and back: its numbers have another order."""
    entries = tuple(entry._replace(seq=-entry.seq) for entry in claim.entries)
    return Claim(-claim.lane, entries)
