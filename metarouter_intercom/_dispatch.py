"""Takes claims from the buffer to their end: deliver, settle, count, tell; knows nothing of threads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .errors import DeliveryFailed
from .plugins import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._answers import Outcome
    from ._delivery import Courier, Delivered
    from ._gate import Gate
    from ._report import Counters
    from ._types import JsonObject, JsonValue
    from .plugins import After, Buffer, Claim, Clock, Delivery, OnError

_log = logging.getLogger("metarouter_intercom")
# Messages of one lane in one claim: enough to merge a burst, few enough that a killed process repeats little.
_CLAIM = 100
_PROBE_CLAIM = 10
# A claim is renewed this often; buffers lease for 60 s.
_RENEW_EVERY = 15.0
# Unforeseen errors in a row of one message, after which it is given up: it must not stop its lane for ever.
_BUGS = 5


class Dispatcher:
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
        courier: Courier,
        gate: Gate,
        counters: Counters,
        clock: Clock,
        after: Sequence[After],
        on_error: OnError | None,
        on_settled: Callable[[], None],
        connection: str,
    ) -> None:
        self._buffer = buffer
        self._courier = courier
        self._gate = gate
        self._counters = counters
        self._clock = clock
        self._after = after
        self._on_error = on_error
        self._on_settled = on_settled
        self._connection = connection
        self.awaited: dict[str, Delivery | None] = {}
        """Message ids whose end somebody waits for (inline delivery)."""

    def work(self, on_claim: Callable[[], None] | None = None) -> float | None:
        """
        Deliver one claim.

        Args:
            on_claim: Called when there was something to claim, before it is delivered.

        Returns:
            0.0 when something was delivered; else the seconds until it makes sense to ask again, None when nothing is buffered.
        """
        now = self._clock.now()
        seconds, probe = self._gate.wait_before_claim(now)
        if seconds > 0:
            return seconds
        try:
            claim = self._buffer.claim(now=now, limit=_PROBE_CLAIM if probe else _CLAIM)
            if claim is None:
                due_at = self._buffer.next_due_at(now=now)
                return None if due_at is None else max(0.01, due_at - now)
            if on_claim is not None:
                on_claim()
            self._deliver(claim, probe)
            return 0.0
        finally:
            if probe:
                self._gate.end_probe()

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
            except Exception:
                counters.add_reason("notes", "P2: after-hook raised")
                _log.exception("an after-hook raised", extra={"connection": self._connection})

    def tell_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Tell the ``on_error`` hook; its own errors are logged and change nothing."""
        if self._on_error is None:
            return
        try:
            self._on_error(error, messages)
        except Exception:
            _log.exception("the on_error hook raised", extra={"connection": self._connection})

    def _deliver(self, claim: Claim, probe: bool) -> None:
        try:
            done = self._courier.deliver(claim, probe=probe, renew=self._renewal(claim))
        except Exception:
            _log.exception("a delivery failed unforeseen", extra={"connection": self._connection})
            self._put_off(claim)
            return
        self._buffer.settle(claim, done.settlements, now=self._clock.now())
        if done.held is not None:
            self._hold(done.held, claim)
        self._tell(done)
        self._on_settled()

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

    def _put_off(self, claim: Claim) -> None:
        """Keep the messages of a claim that met an unforeseen error; give one up that meets it again and again."""
        now = self._clock.now()
        self._buffer.settle(
            claim,
            [
                Settlement(entry.seq, "bury", reason="internal_error")
                if entry.failures + 1 >= _BUGS
                else Settlement(entry.seq, "again", now + 5.0, "internal_error", failed=True)
                for entry in claim.entries
            ],
            now=now,
        )
        for entry in claim.entries:
            if entry.failures + 1 >= _BUGS:
                self._counters.add_reason("dead", "internal_error")
            else:
                self._counters.add("retried")
        self._on_settled()

    def _hold(self, outcome: Outcome, claim: Claim) -> None:
        reason = outcome.reason or "held"
        if not self._gate.hold(reason, self._clock.now()):
            return
        facts = {"connection": self._connection, "status": outcome.status, "request_id": outcome.request_id}
        _log.error("credentials refused: everything is held until they are mended", extra=facts)
        self.tell_error(failure_of("credentials refused", "held", outcome.answer()), _messages(claim))

    def _tell(self, done: Delivered) -> None:
        for fate, settlement in zip(done.fates, done.settlements, strict=True):
            if settlement.kind in ("again", "wait"):
                self._counters.add("retried")
            delivery = fate.delivery(settlement.reason)
            if delivery is None:
                continue
            self.finish(delivery)
            if delivery.outcome == "dead":
                _log.warning("a message became a dead letter", extra=self._facts(settlement))
                failure = failure_of("a message became a dead letter", settlement.reason, settlement.answer)
                self.tell_error(failure, [fate.entry.message])

    def _facts(self, settlement: Settlement) -> dict[str, object]:
        answer = settlement.answer or {}
        return {
            "connection": self._connection,
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


def _messages(claim: Claim) -> list[Mapping[str, JsonValue]]:
    return [entry.message for entry in claim.entries]
