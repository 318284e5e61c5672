"""A spool that keeps messages in memory while its file fails, and moves them into the file when it works again (rule Q3)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Tallies
from ..safely import safe_log
from .behind_file import BehindFile, negative
from .fail_open_store import FailOpenStore
from .fallback_dead_letters import FallbackDeadLetters
from .fallback_history import FallbackHistory
from .file_faults import FileFaults, extra_of
from .late_settlements import LateSettlements
from .memory import MemoryBuffer
from .spool import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._intercom.event_seconds import SecondsStore
    from ..._types import JsonObject
    from ...plugins import Acceptance, Claim, HistoryStore, OnError, Settlement, Store
    from ..report import SpoolState
    from .spool import SpoolBuffer
    from .workspaces import SpoolWorkspaces

_log = safe_log
_IN_MEMORY = 10_000
# Seconds without an attempt after the file failed.
_PAUSE = 1.0


class FallbackBuffer(FallbackDeadLetters):
    """
    Implements ``plugins.Buffer`` and ``plugins.DeadLetterStore`` over a spool, with memory behind it.

    While the file fails, accepted messages are kept in memory, counted and delivered from there. When it works again they are moved
    into it before any later message, so that each contact keeps its order. While another process keeps the file locked, the journal
    still takes messages, and they are delivered when the lock ends.

    Args:
        spool: The durable buffer.
        on_error: Called with each message that the file could not take, and once a minute when the file fails otherwise.
        limit: Messages in memory.
        dead_letters: How many dead letters are kept in memory.
        history: How many messages that ended while the file failed are remembered in memory.

    Attributes:
        lease: Seconds of a lease in the file.
    """

    def __init__(
        self,
        spool: SpoolBuffer,
        *,
        on_error: OnError,
        limit: int = _IN_MEMORY,
        dead_letters: int = 1_000,
        history: int = 0,
    ) -> None:
        self._spool = spool
        self.lease = spool.lease
        self._path = spool.path
        self._memory = MemoryBuffer(limit=limit, dead_letters=dead_letters, history=history)
        self._on_error = on_error
        self._faults = FileFaults(self._path, on_error)
        self._begin()
        if spool.opening_failure is not None:
            # The hook is called by the first claim: the client is not ready yet.
            self._faults.current = str(spool.opening_failure)
            self._behind.is_used = not spool.opening_failure.is_passing

    def _begin(self) -> None:
        self._behind = BehindFile(self._spool, self._memory)
        self._unsettled = LateSettlements(self._spool, self._path)
        self._paused_until = 0.0
        # The last failure was that there was no room: the file can be read.
        self._is_full = False
        self._is_exact = True

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Put *message* into the file, or into memory when the file cannot take it."""
        if not self._behind.is_used:
            try:
                return self._spool.accept(message, keys=keys, upserts=upserts, now=now)
            except SpoolFailed as error:
                acceptance = self._behind.accept(message, keys=keys, upserts=upserts, now=now)
                self._report(error, now, [message])
                return acceptance
        return self._behind.accept(message, keys=keys, upserts=upserts, now=now)

    def _report(self, error: SpoolFailed, now: float, messages: Sequence[JsonObject] = ()) -> None:
        self._faults.report(error, now, unspooled=self._behind.unspooled, messages=messages)

    def _move_back(self, now: float) -> None:
        """Move the messages in memory into the file, when none of them is being delivered."""
        error = self._behind.move(now)
        if not self._behind.is_move_waiting:
            self._faults.current = None if error is None else str(error)
        if error is not None:
            self._report(error, now)

    def _tell(self) -> None:
        """Call the hook with what the spool found out about its files."""
        untold = self._spool.notices.untold
        while untold:
            self._on_error(untold.popleft(), [])

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease from the file; from memory when the file has nothing due, or fails."""
        claim = None
        works = not self._is_paused(now)
        if works:
            try:
                self._unsettled.settle(now)
                claim = self._spool.claim(now=now, limit=limit)
                self._faults.end_lock()
                if not self._behind.is_used:
                    self._faults.current = None
                if claim is None and self._behind.is_due(now):
                    self._move_back(now)
                    claim = self._spool.claim(now=now, limit=limit)
            except SpoolFailed as error:
                works = False
                if error.is_full:
                    claim = self._claim_from_full(error, now, limit)
                if claim is None:
                    self._pause(error, now)
            self._tell()
        behind = self._behind
        if claim is not None or not behind.is_used or (works and behind.is_move_waiting):
            return claim
        return behind.claim(now=now, limit=limit, is_readable=works or self._is_full)

    def _claim_from_full(self, error: SpoolFailed, now: float, limit: int) -> Claim | None:
        return self._behind.claim_from_full(now=now, limit=limit, take=lambda: self._take_part(error, now))

    def _take_part(self, error: SpoolFailed, now: float) -> bool:
        """Take some messages out of the full file into memory, to deliver them from there; False when that is not possible."""
        try:
            messages = self._behind.take_part()
        except SpoolFailed:
            return False
        if messages:
            self._report(error, now, messages)
        return bool(messages)

    def _is_paused(self, now: float) -> bool:
        # The upper bound is for a clock that was set back.
        return now < self._paused_until <= now + _PAUSE

    def _pause(self, error: SpoolFailed, now: float) -> None:
        """Leave the file alone for a moment after *error*."""
        self._paused_until = now + _PAUSE
        self._is_full = error.is_full
        self._behind.is_move_waiting = False
        if error.is_passing:
            if self._faults.is_short_lock(now):
                return
        elif not error.is_full:
            # The journal may still take messages, but they could not be delivered from it.
            self._behind.use()
        self._report(error, now)

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; what the file cannot settle now is settled before the next claim."""
        if claim.lane < 0:
            settlements = [one._replace(seq=-one.seq) for one in settlements]
            return self._memory.settle(negative(claim), settlements, now=now)
        try:
            self._spool.settle(claim, settlements, now=now)
        except SpoolFailed as error:
            self._unsettled.add(claim, settlements)
            self._pause(error, now)

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; True while the file fails, because the lease may still be ours."""
        if claim.lane < 0:
            return self._memory.renew(negative(claim), now=now)
        try:
            return self._spool.renew(claim, now=now)
        except SpoolFailed as error:
            self._report(error, now)
            return True

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        in_memory = self._memory.next_due_at(now=now)
        if in_memory is not None and self._behind.is_move_waiting:
            in_memory = max(in_memory, self._behind.move_at)
        if self._is_paused(now):
            return self._paused_until if in_memory is None else min(in_memory, self._paused_until)
        try:
            in_file = self._spool.next_due_at(now=now)
        except SpoolFailed as error:
            self._pause(error, now)
            return _earlier(in_memory, self._paused_until)
        # A look at the file is due as well: it may work again, although nothing is left to deliver.
        is_failing = self._behind.is_used or self._faults.current is not None
        return _earlier(in_memory, in_file, max(now, self._behind.move_at) if is_failing else None)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        self._memory.make_due(now=now)
        try:
            self._spool.make_due(now=now)
        except SpoolFailed as error:
            self._report(error, now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased."""
        return self._spool.drop(keys) + self._memory.drop(keys)

    # --- counting -------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return the seq of the newest message in the file; everything while messages in memory wait to be moved there."""
        if self._behind.pending():
            return EVERYTHING
        with contextlib.suppress(SpoolFailed):
            return self._spool.mark()
        return 0

    def has_pending(self, up_to: int) -> bool:
        """Return whether something accepted before is not settled."""
        if self._behind.pending():
            return True
        try:
            return self._spool.has_pending(up_to)
        except SpoolFailed as error:
            # Nothing can be delivered from the file now, so nobody should wait for it, except for the end of a short lock.
            return error.is_full or (error.is_passing and not self._faults.is_locked_long())

    def pending(self) -> int:
        """Count the messages not settled yet, in both places; while the file cannot be read, the last known number of those in it."""
        in_memory = self._behind.pending()
        try:
            in_file = self._spool.pending()
            self._is_exact = True
        except SpoolFailed as error:
            in_file = self._spool.known_pending
            self._is_exact = False
            _log.warning(
                "spool %s: the file's messages cannot be counted, so the last known number is reported (%d): %s",
                self._path,
                in_file,
                error,
                extra=extra_of(error) | {"pending": in_file},
            )
        return in_memory + in_file

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message that is not settled was accepted; only of those in memory while the file cannot be read."""
        in_memory = self._memory.oldest_accepted_at()
        try:
            in_file = self._spool.oldest_accepted_at()
        except SpoolFailed as error:
            self._is_exact = False
            _log.warning("spool %s: the file cannot be read: %s", self._path, error, extra=extra_of(error))
            in_file = None
        return _earlier(in_memory, in_file)

    def state(self) -> SpoolState:
        """Return what is known about the files."""
        state, fault = self._spool.state(), self._faults.current
        return state._replace(
            is_exact=self._is_exact,
            fault=fault or state.fault,
            is_failing=self._behind.is_used or fault is not None,
        )

    def tallies(self) -> Tallies:
        """Return what both places count, and how many messages the file could not take."""
        tallies = self._spool.tallies()
        evicted = tallies.evicted + self._memory.tallies().evicted
        return tallies._replace(evicted=evicted, unspooled=self._behind.unspooled)

    # --- the process ----------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return the file's, which forgets instead of failing."""
        store = self._spool.store()
        return None if store is None else FailOpenStore(store, self._path)

    def workspaces(self) -> SpoolWorkspaces:
        """What the file knows of the workspaces whose messages it holds; those in memory are the client's."""
        return self._spool.workspaces()

    def steady_offset(self, *, monotonic: float, wall: float) -> float:
        """Return the offset of the file's time, in which messages in memory reckon as well."""
        return self._spool.steady_offset(monotonic=monotonic, wall=wall)

    def history(self) -> HistoryStore:
        """Return what ended in both places."""
        return FallbackHistory(self._spool.history(), self._memory.history())

    def event_seconds(self) -> SecondsStore:
        """Return the file's table of the seconds of events."""
        return self._spool.event_seconds()

    def after_fork(self) -> None:
        """Start empty in a forked child; if the file fails, the next message tries it again."""
        self._memory.after_fork()
        self._begin()
        try:
            self._spool.after_fork()
        except SpoolFailed as error:
            _log.error("spool %s: the file failed after a fork: %s", self._path, error, extra=extra_of(error))

    def reopen(self) -> None:
        """Open the file again after ``close``; if it fails, messages are kept in memory."""
        try:
            self._spool.reopen()
        except SpoolFailed as error:
            _log.error("spool %s: the file failed at the exit: %s", self._path, error, extra=extra_of(error))

    def close(self) -> None:
        """Release the file, after a last attempt to settle and move what it has not taken yet; logs what is lost."""
        self._spool.hurry()
        try:
            self._unsettled.settle(0.0)
        except SpoolFailed as error:
            self._unsettled.leave(error)
        failure = self._behind.move_all()
        self._tell()
        if failure is not None:
            pending = self._memory.pending()
            _log.error(
                "spool %s: %d messages in memory are lost because the file failed: %s",
                self._path,
                pending,
                failure,
                extra=extra_of(failure) | {"pending": pending},
            )
        self._spool.close()


def _earlier(*instants: float | None) -> float | None:
    return min((at for at in instants if at is not None), default=None)
