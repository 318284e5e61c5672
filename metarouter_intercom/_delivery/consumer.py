"""Claims messages from the buffer, has them delivered, settles them and reports their end; knows nothing of threads."""

from __future__ import annotations

import os
import weakref
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from ..plugins import Settlement
from .feedback import inside
from .log import redacted
from .safely import reaches_caller, run_all, safe_log
from .waiting import Nesting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..plugins import Buffer, Claim, Clock
    from .circuit import Circuit
    from .executor import Delivered, Executor
    from .leases import Lease, LeaseKeeper
    from .outcomes import Outcomes

_log = safe_log
# Messages of one lane in one claim: enough to merge a burst, few enough that a killed process repeats little.
_CLAIM = 100
_PROBE_CLAIM = 10
# After this many unexpected errors in a row a message becomes a dead letter: it must not block its lane for ever.
_UNEXPECTED_ERRORS = 5
_RETRY_UNEXPECTED_AFTER = 5.0
_INTERNAL_ERROR = "internal_error"
# When nothing is due at once, the shortest wait before the next look at the buffer, in seconds.
_SHORTEST_WAIT = 0.01


class Consumer:
    """
    Claims, delivers and settles; safe to use from several threads at once.

    Args:
        buffer: Where messages come from.
        executor: Delivers them.
        circuit: Decides when to claim.
        outcomes: Reports the end of each message.
        leases: Keeps the leases of open claims.
        clock: The time.
        on_settled: Called after each settled claim.
        connection: The connection's name, for the log.

    Attributes:
        nesting: In how many deliveries the calling thread is.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        executor: Executor,
        circuit: Circuit,
        outcomes: Outcomes,
        leases: LeaseKeeper,
        clock: Clock,
        on_settled: Callable[[], None],
        connection: str,
    ) -> None:
        self._buffer = buffer
        self._executor = executor
        self._circuit = circuit
        self._outcomes = outcomes
        self._leases = leases
        self._clock = clock
        self._on_settled = on_settled
        self._connection = connection
        self._pid = os.getpid()
        self.nesting = Nesting()
        self._numbers = count()
        self._rounds = count()
        self._working: set[int] = set()
        self._in_hand: set[int] = set()
        self._unreported: set[int] = set()
        # What the buffer could not settle, by the claim's number.
        self._unsettled: dict[int, tuple[Claim, list[Settlement], list[Delivered]]] = {}

    def work(self, on_request: Callable[[], None] | None = None) -> float | None:
        """
        Deliver one claim.

        Args:
            on_request: Called when there is something to deliver, before each request.

        Returns:
            0.0 when a claim was delivered; else the seconds until it makes sense to ask again; None when nothing is buffered.
        """
        if self._unsettled:
            self._settle_unsettled()
        now = self._clock.now()
        seconds, probe = self._circuit.wait_before_claim(now)
        if seconds > 0:
            return seconds
        number = next(self._rounds)
        # Before the claim: a close that finds no message due must find this thread, which may just have claimed them.
        self._working.add(number)
        try:
            claim = self._buffer.claim(now=now, limit=_PROBE_CLAIM if probe else _CLAIM)
            if claim is None:
                due_at = self._buffer.next_due_at(now=now)
                return None if due_at is None else max(_SHORTEST_WAIT, due_at - now)
            self.nesting.level += 1
            try:
                with inside():
                    self._deliver(claim, probe, on_request)
            finally:
                self.nesting.level -= 1
            return 0.0
        finally:
            self._working.discard(number)
            if probe:
                self._circuit.end_probe()

    def working(self) -> frozenset[int]:
        """Return a number for each thread that claims or delivers now."""
        return frozenset(self._working)

    def in_hand(self) -> frozenset[int]:
        """Return the numbers of the claims that are being delivered now."""
        return frozenset(self._in_hand)

    def unreported(self) -> frozenset[int]:
        """Return the numbers of the claims that are being settled, or are settled and not yet counted and reported to the hooks."""
        return frozenset(self._unreported)

    def _deliver(self, claim: Claim, probe: bool, on_request: Callable[[], None] | None) -> None:
        number = next(self._numbers)
        self._in_hand.add(number)
        lease: Lease | None = None
        try:
            lease = self._leases.begin(claim)
            self._deliver_and_report(claim, probe, number, lease=lease, on_request=on_request)
        except Exception:
            raise
        except BaseException:
            # Ctrl-C, or a signal handler that exits: what is not settled goes back untouched, for the next delivery.
            if number in self._in_hand and os.getpid() == self._pid:
                released = [Settlement(entry.seq, "release") for entry in claim.entries]
                self._buffer.settle(claim, released, now=self._clock.now())
            raise
        finally:
            if lease is not None:
                self._leases.end(lease)
            self._in_hand.discard(number)
            if number not in self._unsettled:
                self._unreported.discard(number)
        self._on_settled()

    def _deliver_and_report(
        self,
        claim: Claim,
        probe: bool,
        number: int,
        *,
        lease: Lease,
        on_request: Callable[[], None] | None,
    ) -> None:
        settlements, deliveries = self._deliver_parts(claim, probe, lease, on_request)
        if os.getpid() != self._pid:
            return  # A greenlet lives on in a forked child; the claim is the parent's.
        # Before the settlement, not after it: a flush that finds nothing pending must find the claim here.
        self._unreported.add(number)
        self._leases.end(lease)
        try:
            self._buffer.settle(claim, settlements, now=self._clock.now())
        except BaseException as error:
            if not reaches_caller(error):
                # What was delivered must not be delivered again, so this settlement comes before the next claim.
                self._in_hand.discard(number)
                self._unsettled[number] = (claim, settlements, deliveries)
            raise
        self._in_hand.discard(number)
        self._report_settled(claim, settlements, deliveries)

    def _deliver_parts(
        self, claim: Claim, probe: bool, lease: Lease, on_request: Callable[[], None] | None
    ) -> tuple[list[Settlement], list[Delivered]]:
        settlements: list[Settlement] = []
        deliveries: list[Delivered] = []

        def is_ours() -> bool:
            if on_request is not None:
                on_request()
            return lease.is_ours()

        for part in _parts(claim):
            if any(settlement.kind in ("retry", "release") for settlement in settlements):
                settlements += [Settlement(entry.seq, "release") for entry in part.entries]
                continue
            delivered = self._deliver_part(part, probe, is_ours)
            if delivered is None:
                settlements += self._after_unexpected_error(part)
            else:
                settlements += delivered.settlements
                deliveries.append(delivered)
        return settlements, deliveries

    def _settle_unsettled(self) -> None:
        """Settle what the buffer could not settle at its time; raises what the buffer raises."""
        for number in list(self._unsettled):
            one = self._unsettled.pop(number, None)
            if one is None:
                continue  # another thread settles it
            try:
                self._buffer.settle(*one[:2], now=self._clock.now())
            except BaseException:
                self._unsettled[number] = one
                raise
            self._report_settled(*one)
            self._unreported.discard(number)
            self._on_settled()

    def _report_settled(
        self, claim: Claim, settlements: Sequence[Settlement], deliveries: Sequence[Delivered]
    ) -> None:
        # Whatever a hook raises, every message of the claim is counted and reported: it is settled and will not come again.
        steps: list[Callable[[], None]] = [
            partial(self._report, claim, delivered) for delivered in deliveries
        ]
        run_all([*steps, lambda: self._report_unexpected_errors(claim, settlements)], self._log_report_error)

    def _deliver_part(self, part: Claim, probe: bool, is_ours: Callable[[], bool]) -> Delivered | None:
        """Deliver *part* of a claim; None if that met an unexpected error."""
        try:
            return self._executor.deliver(part, probe=probe, is_ours=is_ours)
        except BaseException as error:
            if reaches_caller(error):
                raise
            self._outcomes.faults.add("a delivery", error)
            _log.error(
                "connection %s: a delivery met an unexpected error; its messages are kept and retried",
                self._connection,
                exc_info=redacted(error),
                extra={"connection": self._connection},
            )
            return None

    def _report(self, claim: Claim, delivered: Delivered) -> None:
        run_all(
            [lambda: self._hold(claim, delivered), lambda: self._outcomes.report(delivered)],
            self._log_report_error,
        )

    def _log_report_error(self, error: BaseException) -> None:
        self._outcomes.faults.add("a report", error)
        _log.error(
            "connection %s: a report met an unexpected error; its messages are settled",
            self._connection,
            exc_info=redacted(error),
            extra={"connection": self._connection},
        )

    def _hold(self, claim: Claim, delivered: Delivered) -> None:
        if delivered.held is not None and self._circuit.hold(
            delivered.held.reason or "held", self._clock.now()
        ):
            self._outcomes.report_held(delivered.held, [entry.message for entry in claim.entries])

    def _after_unexpected_error(self, part: Claim) -> list[Settlement]:
        """Keep the messages that met an unexpected error; a message that meets one again and again becomes a dead letter."""
        due_at = self._clock.now() + _RETRY_UNEXPECTED_AFTER
        return [
            Settlement(entry.seq, "bury", reason=_INTERNAL_ERROR)
            if entry.failures + 1 >= _UNEXPECTED_ERRORS
            else Settlement(entry.seq, "retry", due_at, _INTERNAL_ERROR, failed=True)
            for entry in part.entries
        ]

    def _report_unexpected_errors(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        entries = {entry.seq: entry for entry in claim.entries}
        for settlement in settlements:
            if settlement.reason != _INTERNAL_ERROR:
                continue
            if settlement.kind == "bury":
                entry = entries[settlement.seq]
                self._outcomes.finish_dead(entry.message, _INTERNAL_ERROR, attempts=entry.attempts + 1)
            else:
                self._outcomes.count_retry()


def weak_work(
    consumer: Consumer, on_idle: Callable[[], None]
) -> Callable[[Callable[[], None]], float | None]:
    """
    Return the work of *consumer* for threads: a thread that rests keeps neither the consumer nor its client alive.

    Args:
        consumer: Delivers.
        on_idle: Called when nothing is buffered.
    """
    reference = weakref.ref(consumer)

    def work(on_request: Callable[[], None]) -> float | None:
        alive = reference()
        if alive is None:
            return None
        seconds = alive.work(on_request)
        if seconds is None:
            on_idle()
        return seconds

    return work


def _parts(claim: Claim) -> Sequence[Claim]:
    """
    Return the claim as one part, or as one part for each message if one of them has failed again and again.

    Delivered together, all of them would become dead letters with the one that fails.
    """
    if all(entry.failures + 1 < _UNEXPECTED_ERRORS for entry in claim.entries):
        return (claim,)
    return [claim._replace(entries=(entry,)) for entry in claim.entries]
