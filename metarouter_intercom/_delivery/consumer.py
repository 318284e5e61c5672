"""Claims messages from the buffer, has them delivered, settles them and reports their end; knows nothing of threads."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING

from ..plugins import Settlement
from .log import redacted
from .workers import Nesting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..plugins import Buffer, Claim, Clock
    from .circuit import Circuit
    from .executor import Delivered, Executor
    from .outcomes import Outcomes

_log = logging.getLogger("metarouter_intercom")
# Messages of one lane in one claim: enough to merge a burst, few enough that a killed process repeats little.
_CLAIM = 100
_PROBE_CLAIM = 10
# Seconds between two renewals of a claim's lease; buffers lease for 60 s.
_RENEW_EVERY = 15.0
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
        clock: Clock,
        on_settled: Callable[[], None],
        connection: str,
    ) -> None:
        self._buffer = buffer
        self._executor = executor
        self._circuit = circuit
        self._outcomes = outcomes
        self._clock = clock
        self._on_settled = on_settled
        self._connection = connection
        self.nesting = Nesting()
        self._numbers = count()
        self._rounds = count()
        self._working: set[int] = set()
        self._in_hand: set[int] = set()
        self._unreported: set[int] = set()

    def work(self, on_claim: Callable[[], None] | None = None) -> float | None:
        """
        Deliver one claim.

        Args:
            on_claim: Called when there is something to deliver, before it is delivered.

        Returns:
            0.0 when a claim was delivered; else the seconds until it makes sense to ask again; None when nothing is buffered.
        """
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
            if on_claim is not None:
                on_claim()
            self.nesting.level += 1
            try:
                self._deliver(claim, probe)
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

    def _deliver(self, claim: Claim, probe: bool) -> None:
        number = next(self._numbers)
        self._in_hand.add(number)
        try:
            self._deliver_and_report(claim, probe, number)
        except Exception:
            raise
        except BaseException:
            # Ctrl-C, or a signal handler that exits: what is not settled goes back untouched, for the next delivery.
            if number in self._in_hand:
                released = [Settlement(entry.seq, "release") for entry in claim.entries]
                self._buffer.settle(claim, released, now=self._clock.now())
            raise
        finally:
            self._in_hand.discard(number)
            self._unreported.discard(number)
        self._on_settled()

    def _deliver_and_report(self, claim: Claim, probe: bool, number: int) -> None:
        settlements: list[Settlement] = []
        deliveries: list[Delivered] = []
        renew = self._renewal(claim)
        for part in _parts(claim):
            if any(settlement.kind in ("retry", "release") for settlement in settlements):
                settlements += [Settlement(entry.seq, "release") for entry in part.entries]
                continue
            try:
                delivered = self._executor.deliver(part, probe=probe, renew=renew)
            except Exception as error:
                _log.error(
                    "connection %s: a delivery met an unexpected error; its messages are kept and retried",
                    self._connection,
                    exc_info=redacted(error),
                    extra={"connection": self._connection},
                )
                settlements += self._after_unexpected_error(part)
            else:
                settlements += delivered.settlements
                deliveries.append(delivered)
        # Before the settlement, not after it: a flush that finds nothing pending must find the claim here.
        self._unreported.add(number)
        self._buffer.settle(claim, settlements, now=self._clock.now())
        self._in_hand.discard(number)
        for delivered in deliveries:
            if delivered.held is not None:
                reason = delivered.held.reason or "held"
                if self._circuit.hold(reason, self._clock.now()):
                    self._outcomes.report_held(delivered.held, [entry.message for entry in claim.entries])
            self._outcomes.report(delivered)
        self._report_unexpected_errors(claim, settlements)

    def _renewal(self, claim: Claim) -> Callable[[], bool]:
        renewed_at = self._clock.now()

        def renew() -> bool:
            nonlocal renewed_at
            now = self._clock.now()
            if now - renewed_at < _RENEW_EVERY:
                return True
            renewed_at = now
            return self._buffer.renew(claim, now=now)

        return renew

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


def _parts(claim: Claim) -> Sequence[Claim]:
    """
    Return the claim as one part, or as one part for each message if one of them has failed again and again.

    Delivered together, all of them would become dead letters with the one that fails.
    """
    if all(entry.failures + 1 < _UNEXPECTED_ERRORS for entry in claim.entries):
        return (claim,)
    return [claim._replace(entries=(entry,)) for entry in claim.entries]
