"""A spool that goes on in memory while its file cannot be written: loud, counted, and back to the file as soon as it can be."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Claim, Tallies
from .fail_open_store import FailOpenStore
from .memory import MemoryBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..._types import JsonObject, JsonValue
    from ...plugins import Acceptance, Buffer, DeadLetter, Settlement, Store

_log = logging.getLogger("metarouter_intercom")
_LOG_EVERY = 60.0
_IN_MEMORY = 10_000
# After a failure the file is left alone for this long; when it works again, messages in memory are moved there this often at most.
_REST = 1.0
# While requests from memory are under way the move is tried again so soon.
_SOON = 0.1


class FallbackBuffer:
    """
    Implements ``plugins.Buffer`` over a spool, with memory behind it.

    While the file fails, accepted messages are kept in memory (``tallies`` counts them) and delivered from there. Once it works again
    they are moved into it, before any later message is, so that each contact keeps its order. A file that another process merely keeps
    locked is no reason to leave it: its journal takes messages all the same, and they are delivered when the lock ends.

    Args:
        spool: The durable buffer.
        on_error: Told of each message that the file could not take, and once a minute of a file that fails otherwise.
        limit: Messages in memory.
        dead_letters: How many are kept in memory.
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
        self._logged_at: float | None = None
        self._unspooled = 0
        self._begin()

    def _begin(self) -> None:
        # Held while messages go into memory or out of it to the file, so that none passes another.
        self._switch = threading.Lock()
        self._in_memory = False
        self._is_emptying = False
        self._unsettled: list[tuple[Claim, Sequence[Settlement]]] = []
        self._rest_until = 0.0
        self._move_at = 0.0

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Put *message* into the file, or into memory when the file cannot take it."""
        if not self._in_memory:
            try:
                return self._spool.accept(message, keys=keys, upserts=upserts, now=now)
            except SpoolFailed as error:
                answer = self._into_memory(message, keys, upserts, now)
                self._tell(error, now, [message])
                return answer
        return self._into_memory(message, keys, upserts, now)

    def _into_memory(self, message: JsonObject, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        with self._switch:
            self._in_memory = True
            answer = self._memory.accept(message, keys=keys, upserts=upserts, now=now)
            self._unspooled += answer == "accepted"
            return answer

    def _tell(self, error: SpoolFailed, now: float, messages: Sequence[JsonObject] = ()) -> None:
        is_news = self._logged_at is None or abs(now - self._logged_at) >= _LOG_EVERY
        if is_news:
            self._logged_at = now
            facts = {"fault": str(error), "unspooled": self._unspooled}
            _log.error("the spool failed: going on in memory", extra=facts)
        if is_news or messages:
            self._on_error(error, messages)

    def _move_back(self, now: float) -> None:
        """Move the messages of memory into the file, when none of them is being delivered."""
        with self._switch:
            self._is_emptying = self._memory.has_claims()
            if self._is_emptying:
                self._move_at = now + _SOON
                return
            self._move_at = now + _REST
            error = self._spool_all()
            self._in_memory = error is not None
        if error is not None:
            self._tell(error, now)

    def _spool_all(self) -> SpoolFailed | None:
        failure: SpoolFailed | None = None
        for message, keys, upserts, accepted_at in self._memory.withdraw():
            answer: Acceptance = "full"
            if failure is None:
                try:
                    answer = self._spool.accept(message, keys=keys, upserts=upserts, now=accepted_at)
                except SpoolFailed as error:
                    failure = error
            if answer == "full":
                self._memory.accept(message, keys=keys, upserts=upserts, now=accepted_at)
                failure = failure or SpoolFailed("spool: full; messages stay in memory until it has room")
        return failure

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease from the file; from memory when the file has nothing due, or fails."""
        claim = None
        works = not now < self._rest_until <= now + _REST
        if works:
            try:
                self._settle_late(now)
                claim = self._spool.claim(now=now, limit=limit)
                if claim is None and self._in_memory and not now < self._move_at <= now + _REST:
                    self._move_back(now)
                    claim = self._spool.claim(now=now, limit=limit)
            except SpoolFailed as error:
                works = False
                self._give_up_for_now(error, now)
        if claim is not None or not self._in_memory or (works and self._is_emptying):
            return claim
        with self._switch:
            claim = self._memory.claim(now=now, limit=limit)
        return None if claim is None else _negative(claim)

    def _give_up_for_now(self, error: SpoolFailed, now: float) -> None:
        self._rest_until = now + _REST
        self._is_emptying = False
        if not error.is_passing:
            # What the journal takes now could not be delivered.
            with self._switch:
                self._in_memory = True
        self._tell(error, now)

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
            self._give_up_for_now(error, now)

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
        if in_memory is not None and self._is_emptying:
            in_memory = max(in_memory, self._move_at)
        if now < self._rest_until <= now + _REST:
            return self._rest_until if in_memory is None else min(in_memory, self._rest_until)
        try:
            in_file = self._spool.next_due_at(now=now)
        except SpoolFailed as error:
            self._give_up_for_now(error, now)
            in_file = self._rest_until
        return min((at for at in (in_memory, in_file) if at is not None), default=None)

    # --- observing ------------------------------------------------------------------------------------

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
        """Return when the oldest unsettled message was accepted; only memory's while the file cannot be read."""
        in_memory = self._memory.oldest_accepted_at()
        try:
            in_file = self._spool.oldest_accepted_at()
        except SpoolFailed as error:
            _log.warning("the spool cannot be read", extra={"fault": str(error)})
            in_file = None
        return min((at for at in (in_memory, in_file) if at is not None), default=None)

    def tallies(self) -> Tallies:
        """Return what both count, and how many messages the file could not take."""
        tallies = self._spool.tallies()
        evicted = tallies.evicted + self._memory.tallies().evicted
        return tallies._replace(evicted=evicted, unspooled=self._unspooled)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        self._memory.make_due(now=now)
        try:
            self._spool.make_due(now=now)
        except SpoolFailed as error:
            self._tell(error, now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys*."""
        return self._spool.drop(keys) + self._memory.drop(keys)

    # --- dead letters ---------------------------------------------------------------------------------

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

    # --- the rest -------------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return the file's, which forgets instead of failing."""
        store = self._spool.store()
        return None if store is None else FailOpenStore(store)

    def after_fork(self) -> None:
        """Begin anew in a forked child; a file that fails then is tried again with the next message."""
        self._memory.after_fork()
        self._begin()
        try:
            self._spool.after_fork()
        except SpoolFailed as error:
            _log.error("the spool failed after a fork", extra={"fault": str(error)})

    def close(self) -> None:
        """Release the file, after a last attempt to give it what it has not noted yet; tells what is lost."""
        try:
            self._settle_late(0.0)
        except SpoolFailed as error:
            facts = {"fault": str(error), "claims": len(self._unsettled)}
            _log.warning("delivered messages could not be noted: they will be sent once more", extra=facts)
        with self._switch:
            failure = self._spool_all()
        if failure is not None:
            facts = {"fault": str(failure), "pending": self._memory.pending()}
            _log.error("the spool failed: messages in memory are lost", extra=facts)
        self._spool.close()


def _negative(claim: Claim) -> Claim:
    """Turn a claim of memory's into one that cannot be taken for the file's, and back: its numbers have another order."""
    entries = tuple(entry._replace(seq=-entry.seq) for entry in claim.entries)
    return Claim(-claim.lane, entries)
