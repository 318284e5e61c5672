"""Takes claims from the buffer to their end: deliver, settle, count, tell; knows nothing of threads."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING

from ..errors import DeliveryFailed
from ..plugins import Delivery, Settlement
from .log import redacted
from .workers import Nesting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._intercom.responses import FlowResult
    from .._types import JsonObject, JsonValue
    from ..plugins import After, Buffer, Claim, Clock, OnError
    from .circuit import Circuit
    from .executor import Delivered, Executor
    from .report import Counters

_log = logging.getLogger("metarouter_intercom")
# Messages of one lane in one claim: enough to merge a burst, few enough that a killed process repeats little.
_CLAIM = 100
_PROBE_CLAIM = 10
# A claim is renewed this often; buffers lease for 60 s.
_RENEW_EVERY = 15.0
# Unforeseen errors in a row of one message, after which it is given up: it must not stop its lane for ever.
_BUGS = 5
_FAULT = "internal_error"


class Consumer:
    """
    Claims, delivers and settles; safe to use from several threads at once.

    Args:
        buffer: Where messages come from.
        courier: Delivers them.
        gate: Says when to claim.
        counters: Told every end.
        clock: The time.
        after: Hooks, told every end of a message (P2).
        on_error: Told of held credentials and dead letters.
        on_settled: Called after each settled claim.
        connection: The connection's name, for the log.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        executor: Executor,
        circuit: Circuit,
        counters: Counters,
        clock: Clock,
        after: Sequence[After],
        on_error: OnError | None,
        on_settled: Callable[[], None],
        connection: str,
    ) -> None:
        self._buffer = buffer
        self._executor = executor
        self._circuit = circuit
        self._counters = counters
        self._clock = clock
        self._after = after
        self._on_error = on_error
        self._on_settled = on_settled
        self._engine = connection
        self.awaited: dict[str, Delivery | None] = {}
        """Message ids whose end somebody waits for (inline delivery)."""
        self.depth = Nesting()
        """What deliveries the calling thread is in."""
        self._numbers = count()
        self._in_hand: set[int] = set()
        self._untold: set[int] = set()

    def work(self, on_claim: Callable[[], None] | None = None) -> float | None:
        """
        Deliver one claim.

        Args:
            on_claim: Called when there was something to claim, before it is delivered.

        Returns:
            0.0 when something was delivered; else the seconds until it makes sense to ask again, None when nothing is buffered.
        """
        now = self._clock.now()
        seconds, probe = self._circuit.wait_before_claim(now)
        if seconds > 0:
            return seconds
        try:
            claim = self._buffer.claim(now=now, limit=_PROBE_CLAIM if probe else _CLAIM)
            if claim is None:
                due_at = self._buffer.next_due_at(now=now)
                return None if due_at is None else max(0.01, due_at - now)
            if on_claim is not None:
                on_claim()
            self.depth.number += 1
            try:
                self._deliver(claim, probe)
            finally:
                self.depth.number -= 1
            return 0.0
        finally:
            if probe:
                self._circuit.end_probe()

    def in_hand(self) -> frozenset[int]:
        """Return the numbers of the claims that are being delivered now."""
        return frozenset(self._in_hand)

    def redacted(self) -> frozenset[int]:
        """Return the numbers of the claims that are settled, and not yet counted and told."""
        return frozenset(self._untold - self._in_hand)

    def finish(self, delivery: Delivery) -> None:
        """Count the end of a message and tell it to the after-hooks."""
        counters = self._counters
        if delivery.outcome == "delivered":
            counters.add("delivered")
            if delivery.unchanged:
                counters.add("unchanged")
            elif delivery.merged:
                counters.add("merged")
        else:
            counters.add_reason(delivery.outcome, delivery.reason or "unknown")
        if delivery.notes:
            counters.add_notes(delivery.notes)
        message_id = str(delivery.message["messageId"])
        if message_id in self.awaited:
            self.awaited[message_id] = delivery
        for hook in self._after:
            try:
                hook(delivery)
            except Exception as error:
                counters.add_reason("notes", "P2: after-hook raised")
                facts = {"connection": self._engine}
                _log.error("an after-hook raised", exc_info=redacted(error), extra=facts)

    def tell_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Tell the ``on_error`` hook; its own errors are logged and change nothing."""
        if self._on_error is None:
            return
        try:
            self._on_error(error, messages)
        except Exception as raised:
            facts = {"connection": self._engine}
            _log.error("the on_error hook raised", exc_info=redacted(raised), extra=facts)

    def _deliver(self, claim: Claim, probe: bool) -> None:
        number = next(self._numbers)
        self._in_hand.add(number)
        self._untold.add(number)
        try:
            self._bring_to_end(claim, probe, number)
        except Exception:
            raise
        except BaseException:
            # Ctrl-C, or a signal's handler that exits: what is not settled goes back untouched, for whoever delivers next.
            if number in self._in_hand:
                released = [Settlement(entry.seq, "release") for entry in claim.entries]
                self._buffer.settle(claim, released, now=self._clock.now())
            raise
        finally:
            self._in_hand.discard(number)
            self._untold.discard(number)
        self._on_settled()

    def _bring_to_end(self, claim: Claim, probe: bool, number: int) -> None:
        settlements: list[Settlement] = []
        deliveries: list[Delivered] = []
        renew = self._renewal(claim)
        for part in _parts(claim):
            if any(one.kind in ("retry", "release") for one in settlements):
                settlements += [Settlement(entry.seq, "release") for entry in part.entries]
                continue
            try:
                done = self._executor.deliver(part, probe=probe, renew=renew)
            except Exception as error:
                facts = {"connection": self._engine}
                _log.error("a delivery failed unforeseen", exc_info=redacted(error), extra=facts)
                settlements += self._faults(part)
            else:
                settlements += done.settlements
                deliveries.append(done)
        self._buffer.settle(claim, settlements, now=self._clock.now())
        self._in_hand.discard(number)
        for done in deliveries:
            if done.held is not None:
                self._hold(done.held, claim)
            self._tell(done)
        self._tell_faults(claim, settlements)

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

    def _faults(self, part: Claim) -> list[Settlement]:
        """Keep the messages that met an unforeseen error; give one up that meets it again and again."""
        due_at = self._clock.now() + 5.0
        return [
            Settlement(entry.seq, "bury", reason=_FAULT)
            if entry.failures + 1 >= _BUGS
            else Settlement(entry.seq, "retry", due_at, _FAULT, failed=True)
            for entry in part.entries
        ]

    def _tell_faults(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        entries = {entry.seq: entry for entry in claim.entries}
        for one in settlements:
            if one.reason != _FAULT:
                continue
            if one.kind == "bury":
                entry = entries[one.seq]
                self.finish_dead(entry.message, _FAULT, attempts=entry.attempts + 1)
            else:
                self._counters.add("retried")

    def finish_dead(self, message: JsonObject, reason: str, *, attempts: int) -> None:
        """Count and tell the end of a message that no answer of Intercom's made a dead letter."""
        self.finish(Delivery(message=message, outcome="dead", reason=reason, attempts=attempts))
        facts = {"connection": self._engine, "reason": reason, "status": None, "request_id": None}
        _log.warning("a message became a dead letter", extra=facts)
        self.tell_error(failure_of("a message became a dead letter", reason, None), [message])

    def _hold(self, outcome: FlowResult, claim: Claim) -> None:
        reason = outcome.reason or "held"
        if not self._circuit.hold(reason, self._clock.now()):
            return
        facts = {"connection": self._engine, "status": outcome.status, "request_id": outcome.request_id}
        _log.error("credentials refused: everything is held until they are mended", extra=facts)
        self.tell_error(failure_of("credentials refused", "held", outcome.answer()), _messages(claim))

    def _tell(self, done: Delivered) -> None:
        for attempt, settlement in zip(done.attempts, done.settlements, strict=True):
            if settlement.kind in ("retry", "wait"):
                self._counters.add("retried")
            delivery = attempt.delivery(settlement.reason)
            if delivery is None:
                continue
            self.finish(delivery)
            if delivery.outcome == "dead":
                _log.warning("a message became a dead letter", extra=self._facts(settlement))
                failure = failure_of("a message became a dead letter", settlement.reason, settlement.answer)
                self.tell_error(failure, [attempt.entry.message])

    def _facts(self, settlement: Settlement) -> dict[str, object]:
        answer = settlement.answer or {}
        return {
            "connection": self._engine,
            "reason": settlement.reason,
            "status": answer.get("status"),
            "request_id": answer.get("request_id"),
        }


def failure_of(text: str, reason: str | None, answer: JsonObject | None) -> DeliveryFailed:
    """Return the error that tells *answer*, Intercom's last one as a dead letter keeps it."""
    facts = answer or {}
    status, code, request_id = facts.get("status"), facts.get("code"), facts.get("request_id")
    told = f": {facts['message']}" if facts.get("message") else ""
    return DeliveryFailed(
        f"{text} ({reason}){told}",
        reason=reason or "unknown",
        status=status if isinstance(status, int) else None,
        code=code if isinstance(code, str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _parts(claim: Claim) -> Sequence[Claim]:
    """Return the claim as it is, or message by message where one that fails again and again would take the others along."""
    if all(entry.failures + 1 < _BUGS for entry in claim.entries):
        return (claim,)
    return [claim._replace(entries=(entry,)) for entry in claim.entries]


def _messages(claim: Claim) -> list[Mapping[str, JsonValue]]:
    return [entry.message for entry in claim.entries]
