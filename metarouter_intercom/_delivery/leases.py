"""Keeps the leases of open claims alive while a request lasts long (rule O1), in a thread of its own; knows no message."""

from __future__ import annotations

import contextlib
import math
import threading
from typing import TYPE_CHECKING

from .circuit import Paused
from .hosts import is_threading_replaced, park_if_replaced, why_no_threads
from .safely import mark_own_thread, safe_log
from .workers import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plugins import Buffer, Claim, Clock
    from .safely import Faults
    from .waiting import StopLatch

_log = safe_log
# Seconds of a lease, unless the buffer has an attribute ``lease``; see ``plugins.Buffer``.
_USUAL_LEASE = 60.0
# A lease is renewed when so large a part of it is over.
_RENEWED_AFTER = 0.25
# Seconds after which a thread that has begun no request hangs, so that somebody else may have its messages. Longer than any request
# with its waits for a rate limit.
_PATIENCE = 600.0
# The thread ends when no claim was open at so many looks in a row.
_IDLE_LOOKS = 2


class Lease:
    """
    The lease of one claim; used by the thread that delivers it and by the thread that renews it.

    Attributes:
        claim: The claim.
        renewed_at: When it was renewed last.
        active_at: When the delivering thread last asked ``is_ours``.
        is_lost: Another process has the messages, so nothing more may be sent for them.
    """

    __slots__ = ("_keeper", "active_at", "claim", "is_lost", "renewed_at")

    def __init__(self, keeper: LeaseKeeper, claim: Claim, now: float) -> None:
        self._keeper = keeper
        self.claim = claim
        self.renewed_at = now
        self.active_at = now
        self.is_lost = False

    def is_ours(self) -> bool:
        """
        Return whether a request for this claim may go out; asked before each one.

        A process that was stopped for a while asks here before its renewing thread could notice, so a lease that is late is renewed
        at once.
        """
        return self._keeper.is_ours(self)


class LeaseKeeper:
    """
    Renews the leases of a client's open claims; safe to use from several threads at once.

    A buffer in memory needs no renewing, so it gets no thread. Otherwise one thread starts with the first claim, and ends when there
    was none for a while.

    Args:
        buffer: Has the claims. Its attribute ``lease``, if any, says how many seconds a lease lasts; ``math.inf`` for ever.
        clock: The time.
        stop: Ends the thread.
        connection: The connection's name, for the thread and the log.
        faults: Remembers what renewing raised.
    """

    def __init__(
        self, buffer: Buffer, *, clock: Clock, stop: StopLatch, connection: str, faults: Faults
    ) -> None:
        self._buffer = buffer
        self._clock = clock
        self._stop = stop
        self._connection = connection
        self._faults = faults
        self._every = _RENEWED_AFTER * getattr(buffer, "lease", _USUAL_LEASE)
        # By identity, in the order of their beginning. Adding and removing a key needs no lock.
        self._open: dict[int, Lease] = {}
        self._thread: threading.Thread | None = None
        self._threading: object = threading.Lock
        # Reentrant, because a signal handler may flush while the main thread begins a lease.
        self._lock = threading.RLock()

    def begin(self, claim: Claim) -> Lease:
        """Keep the lease of *claim* until ``end``."""
        lease = Lease(self, claim, self._clock.now())
        if self._every == math.inf:
            return lease
        self._open[id(lease)] = lease
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start()
        return lease

    def end(self, lease: Lease) -> None:
        """Leave the lease alone from now on: its claim is settled, or its thread gave up."""
        self._open.pop(id(lease), None)

    def is_ours(self, lease: Lease) -> bool:
        """Return whether *lease* was not lost; renews it if that is late."""
        now = self._clock.now()
        lease.active_at = now
        if not lease.is_lost and now - lease.renewed_at >= self._every:
            self._renew(lease, now)
        return not lease.is_lost

    def _start(self) -> None:
        with self._lock:
            if self._stop.is_set or (self._thread is not None and self._thread.is_alive()):
                return
            # Without a thread, leases are renewed between requests only.
            if is_threading_replaced(self._threading) or why_no_threads() is not None:
                return
            thread = threading.Thread(
                target=self._run, name=f"metarouter-intercom-{self._connection}-leases", daemon=True
            )
            if start_thread(thread):
                self._thread = thread

    def _run(self) -> None:
        mark_own_thread()
        looks = 0
        with contextlib.suppress(Paused):
            while looks < _IDLE_LOOKS:
                self._stop.pause(self._every / 2)
                looks = 0 if self._open else looks + 1
                self._guard(self._renew_all)
        # A claim that began a moment ago saw this thread alive.
        self._thread = None
        if self._open:
            self._start()
        park_if_replaced(self._threading)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:
            self._faults.add("the renewal of leases", error)

    def _renew_all(self) -> None:
        now = self._clock.now()
        for lease in list(self._open.values()):
            is_due = now - lease.renewed_at >= self._every
            if is_due and not lease.is_lost and now - lease.active_at < _PATIENCE:
                self._guard(lambda lease=lease: self._renew(lease, now))  # type: ignore[misc]  # bound in the loop

    def _renew(self, lease: Lease, now: float) -> None:
        # First the time, so that the other thread does not renew too.
        before, lease.renewed_at = lease.renewed_at, now
        try:
            is_ours = self._buffer.renew(lease.claim, now=now)
        except BaseException:
            lease.renewed_at = before
            raise
        if is_ours or id(lease) not in self._open:
            return
        lease.is_lost = True
        _log.warning(
            "connection %s: another process took over a claim of %d messages; their delivery stops here",
            self._connection,
            len(lease.claim.entries),
            extra={"connection": self._connection, "messages": len(lease.claim.entries)},
        )
