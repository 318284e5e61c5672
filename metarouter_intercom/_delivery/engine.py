"""The parts of one client that belong to one process, tied together: made anew in a forked child."""

from __future__ import annotations

import os
import random
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from .._intercom.workspace_cache import WorkspaceCache
from ..errors import DeliveryFailed
from ..messages._message_ids import own_message_ids
from ..plugins import Settlement
from .buffers.capabilities import store_of
from .circuit import Circuit, Paused
from .consumer import Consumer, failure_of
from .executor import Executor
from .rate_limit import RateLimit
from .report import Counters, Health, RateBudget
from .workers import FlushDeadline, Signal, StripedLocks, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._intercom.responses import FlowResult
    from .._types import JsonObject, JsonValue
    from ..operations import Operation
    from ..plugins import After, Buffer, Clock, Delivery, OnError, Translator, Transport
    from ..settings import Settings

# Accepted messages between two wake-ups of a resting worker: long before the default buffer is full.
_WAKE_EVERY = 256
# While somebody waits, the buffer is looked at this often: other processes may settle messages of a shared spool.
_LOOK_EVERY = 0.25
# Messages at a time that are taken out of the buffer in the end.
_ABANDONED = 100
# Attempts of a synchronous operation when Intercom does not answer.
_ATTEMPTS = 4


class Dependencies(NamedTuple):
    """What a connection is made of; outlives a fork."""

    settings: Settings
    transport: Transport
    translator: Translator
    clock: Clock
    buffer: Buffer
    after: Sequence[After]
    on_error: OnError | None
    is_volatile: bool
    """Nobody but this client has its messages: what it does not deliver is lost."""


class Engine:
    """Counters, gate, workers and dispatcher of one process."""

    def __init__(self, parts: Dependencies) -> None:
        settings = parts.settings
        self.pid = os.getpid()
        self.ending = threading.RLock()
        """Held by whoever closes the client; reentrant, for a hook may close it too."""
        own_message_ids(self.pid)
        self.counters = Counters(threading.RLock())  # reentrant, for a signal's handler may ask for numbers
        self._settings = settings
        self._buffer = parts.buffer
        self._is_volatile = parts.is_volatile
        self._clock = parts.clock
        self._settled = Signal()
        self._flush_deadline = FlushDeadline()
        self._last_numbers: dict[str, Any] | None = None
        self._rate = RateLimit(share=settings.rate_limit_share)
        jitter = random.Random().random  # jitter, no secret
        self.circuit = Circuit(
            self._rate,
            lock=threading.Lock(),
            jitter=jitter,
            probe_every=settings.auth_probe,
            base=settings.backoff_base,
            longest=settings.backoff_max,
        )
        self._workers = Workers(
            lambda on_claim: self._consumer.work(on_claim),
            count=settings.workers,
            interval=settings.flush_interval,
            name=settings.name,
        )
        self._executor = Executor(
            settings,
            translator=parts.translator,
            cache=WorkspaceCache(store_of(parts.buffer), lock=threading.Lock()),
            transport=parts.transport,
            circuit=self.circuit,
            clock=parts.clock,
            pause=self._pause,
            jitter=jitter,
            turn=StripedLocks().of,
        )
        self._consumer = Consumer(
            buffer=parts.buffer,
            executor=self._executor,
            circuit=self.circuit,
            counters=self.counters,
            clock=parts.clock,
            after=parts.after,
            on_error=parts.on_error,
            on_settled=self._settled.notify,
            connection=settings.name,
        )

    def finish(self, delivery: Delivery) -> None:
        """Count and tell the end of a message that never reached a worker."""
        self._consumer.finish(delivery)

    def finish_dead(self, message: JsonObject, reason: str) -> None:
        """Count and tell that a message became a dead letter before it reached a worker."""
        self._consumer.finish_dead(message, reason, attempts=0)

    def depth(self) -> int:
        """Return how many deliveries the calling thread is in: above 0 in a hook that is told of one."""
        return self._consumer.depth.number

    def tell_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Tell the ``on_error`` hook."""
        self._consumer.tell_error(error, messages)

    def see_to_delivery(self, message_id: str) -> None:
        """
        Do for a message just accepted what ``delivery`` says.

        Raises:
            DeliveryFailed: With ``inline``, it was not delivered.
        """
        if self._settings.delivery == "background":
            if not self._workers.is_started:
                self._workers.start()
            elif self.counters.accepted % _WAKE_EVERY == 0:
                self._workers.wake()
        elif self._settings.delivery == "inline":
            self._deliver_inline(message_id)

    def resume(self) -> None:
        """Deliver what an earlier process left, without waiting for a first call."""
        if self._settings.delivery == "background" and self._settings.enabled:
            self._workers.start()

    def flush(self, timeout: float | None, *, closing: bool) -> None:
        """
        Deliver what is buffered now, for at most *timeout* seconds; None waits as long as it makes sense.

        When *closing*, what calls still bring that were under way is delivered too, for nobody else will. In a hook the calling thread
        delivers, for a worker cannot wait for itself; in a hook within that one nothing happens, for the outer flush goes on anyway.
        """
        if not self._settings.enabled or self.depth() > 1:
            return
        mark = self._buffer.mark()
        deadline = None if timeout is None else self._clock.now() + timeout
        probe = self.circuit.probe_now()
        if self._settings.delivery == "background":
            self._workers.wake()
        self._flush_deadline.is_over = False
        follow = closing and self._is_volatile
        while self._buffer.has_pending(self._buffer.mark() if follow else mark):
            seconds = self._work(deadline)
            left = None if deadline is None else deadline - self._clock.now()
            if (
                self._flush_deadline.is_over
                or (left is not None and left <= 0)
                or self._waits_in_vain(probe, closing)
            ):
                return
            if seconds > 0:
                self.wait_for_settlement(seconds if left is None else min(seconds, left))
        if not self.depth():
            # What is settled is counted and told a moment later.
            self._wait_for(self._consumer.redacted, deadline)

    def wait_for_settlement(self, seconds: float) -> None:
        """Wait until a claim is settled, at most *seconds* and a bounded time."""
        seconds = min(seconds, _LOOK_EVERY)
        if self._settings.delivery == "background":
            self._settled.wait(seconds)
        else:
            self._clock.sleep(seconds)

    def run(self, operation: Operation) -> FlowResult:
        """
        Run one operation in the caller's thread, with a few attempts.

        Raises:
            DeliveryFailed: Nothing may be sent now.
        """
        attempt = 1
        while True:
            try:
                outcome = self._executor.run(operation)
            except Paused:
                raise self._not_now() from None
            if outcome.kind != "retry" or attempt == _ATTEMPTS:
                return outcome
            self._clock.sleep(
                min(self._settings.backoff_max, self._settings.backoff_base * 2.0 ** (attempt - 1))
            )
            attempt += 1

    def _not_now(self) -> DeliveryFailed:
        status, reason, _ = self.health()
        if status == "held":
            return DeliveryFailed(
                f"nothing is sent while the credentials are refused ({reason})", reason="held"
            )
        return DeliveryFailed(
            f"nothing is sent while Intercom does not answer ({reason})", reason=reason or "timeout"
        )

    def release(self) -> None:
        """Go on at once: the credentials were found good."""
        self.circuit.release()
        self._buffer.make_due(now=self._clock.now())
        self._workers.wake()

    def stop(self) -> None:
        """End the threads; a request in hand gets a second."""
        self._workers.stop(1.0)

    def abandon(self) -> Iterator[JsonObject]:
        """Take every message out of the buffer that nobody has in hand."""
        while (claim := self._buffer.claim(now=float("inf"), limit=_ABANDONED)) is not None:
            gone = [Settlement(entry.seq, "ack") for entry in claim.entries]
            self._buffer.settle(claim, gone, now=self._clock.now())
            yield from (entry.message for entry in claim.entries)

    def freeze(self) -> None:
        """Keep the numbers as they are: the buffer is about to be closed."""
        self._last_numbers = self.numbers()

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted; None when there is none, or it is at its end."""
        return None if self._last_numbers is not None else self._buffer.oldest_accepted_at()

    def wait_for_claims(self) -> None:
        """Wait until every claim that is in hand now is settled, as long as a request may last."""
        self._wait_for(self._consumer.in_hand, None)

    def _wait_for(self, claims: Callable[[], frozenset[int]], deadline: float | None) -> None:
        """Wait until none of what *claims* tells now is among them, to *deadline* or as long as a request may last."""
        waiting = claims()
        until = self._clock.now() + self._settings.connect_timeout + self._settings.read_timeout
        if deadline is not None:
            until = min(until, deadline)
        while waiting & claims() and (left := until - self._clock.now()) > 0:
            self._settled.wait(min(left, _LOOK_EVERY))

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of a report."""
        if self._last_numbers is not None:
            return self._last_numbers
        # Counting what is pending may find late duplicates, so it comes first.
        pending = self._buffer.pending()
        numbers: dict[str, Any] = self.counters.numbers()
        tallies = self._buffer.tallies()
        numbers["duplicates"] += tallies.late_duplicates
        numbers["accepted"] -= tallies.late_duplicates
        numbers["evicted"] = tallies.evicted
        numbers["unspooled"] = tallies.unspooled
        numbers["pending"] = pending
        numbers["held"] = pending if self.circuit.state == "held" else 0
        return numbers

    def counted(self) -> dict[str, Any]:
        """Return the numbers of a report without a look at the buffer: ``pending`` is what was accepted and has not ended."""
        pending = self.counters.pending()
        held = pending if self.circuit.state == "held" else 0
        return self.counters.numbers() | {"pending": pending, "held": held}

    def rate(self) -> RateBudget:
        """Return Intercom's rate limit as last told."""
        return RateBudget(*self._rate.budget())

    def health(self) -> Health:
        """Return whether deliveries work."""
        circuit = self.circuit
        if circuit.state == "passing":
            return Health("ok")
        return Health("failing" if circuit.state == "tripped" else "held", circuit.reason, circuit.since)

    def _waits_in_vain(self, probe: int, closing: bool) -> bool:
        if self.circuit.state != "passing" and self.depth():
            return True  # this hook may be told of the probe itself
        if self.circuit.state == "held":
            # Somebody may just have mended the credentials: one probe finds out.
            return self.circuit.has_probed(probe)
        return closing and self.circuit.state == "tripped" and self._settings.spool is not None

    def _work(self, deadline: float | None) -> float:
        """Deliver a claim, or leave it to the workers; returns the seconds to wait before looking again."""
        if self._settings.delivery == "background" and not self.depth():
            if not self._workers.is_started:
                self._workers.start()
            if self._workers.is_started:
                return _LOOK_EVERY
        self._flush_deadline.until = deadline
        try:
            seconds = self._consumer.work()
        finally:
            self._flush_deadline.until = None
        return _LOOK_EVERY if seconds is None else seconds

    def _pause(self, seconds: float) -> None:
        """
        Let *seconds* pass before a request, in a worker or in a caller who delivers.

        Raises:
            Paused: The client is closing, or the flush that delivers here has not so much time.
        """
        until = self._flush_deadline.until
        if until is not None and self._clock.now() + seconds > until:
            self._flush_deadline.is_over = True
            raise Paused("timeout")
        if self._settings.delivery == "background":
            self._workers.pause(seconds)
        else:
            self._clock.sleep(seconds)

    def _deliver_inline(self, message_id: str) -> None:
        awaited = self._consumer.awaited
        awaited[message_id] = None
        mark = self._buffer.mark()
        try:
            while (end := awaited[message_id]) is None:
                seconds = self._consumer.work()
                if self.circuit.state == "held":
                    raise DeliveryFailed(
                        f"the credentials are refused ({self.circuit.reason}); the message is held",
                        reason="held",
                    )
                if awaited[message_id] is not None:
                    continue
                if seconds is None:
                    # Another thread, or another process of the spool, has it in hand.
                    if not self._buffer.has_pending(mark):
                        break
                    self._settled.wait(_LOOK_EVERY)
                elif seconds:
                    self._clock.sleep(min(seconds, 1.0))
        finally:
            end = awaited.pop(message_id)
        if end is not None and end.outcome == "dead":
            raise failure_of("the message was not delivered", end.reason, end.answer)


def build_engine(dependencies: Dependencies) -> Engine:
    """Tie the parts of one process together; called once a client, and once more in each forked child."""
    return Engine(dependencies)
