"""Holds the parts of one client that belong to one process, and wires them together; a forked child builds a new engine."""

from __future__ import annotations

import os
import random
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from .._intercom.event_seconds import MemorySeconds
from .._intercom.workspace_cache import WorkspaceCache
from ..errors import DeliveryFailed
from ..messages._message_ids import own_message_ids
from ..plugins import Settlement
from .buffers.capabilities import seconds_store_of, store_of
from .circuit import Circuit, Paused
from .consumer import Consumer
from .deadlines import Deadlines
from .executor import Executor
from .flushing import Flushing
from .interrupts import is_interruption
from .outcomes import Outcomes, why_held
from .rate_limit import RateLimit
from .report import Counters, Health, RateBudget
from .spreading import Spreader
from .workers import FlushDeadline, SettlementSignal, StopLatch, StripedLocks, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._intercom.responses import FlowResult
    from .._types import JsonObject, JsonValue
    from ..operations import Operation
    from ..plugins import After, Buffer, Clock, Delivery, OnError, Translator, Transport
    from ..settings import Settings

# After this many accepted messages a resting worker is woken: long before the default buffer is full.
_WAKE_EVERY = 256
# How many messages at a time are taken out of the buffer when a client gives up.
_ABANDON_AT_ONCE = 100
# How often a synchronous operation is tried when Intercom does not answer.
_SYNCHRONOUS_ATTEMPTS = 4
# Seconds that a request in hand may still take when the threads stop.
_STOP_TIMEOUT = 1.0


class Dependencies(NamedTuple):
    """What the engine of every process of a client is built from; a fork does not change it."""

    settings: Settings
    transport: Transport
    translator: Translator
    clock: Clock
    buffer: Buffer
    after: Sequence[After]
    on_error: OnError | None
    is_volatile: bool
    """Only this client has the messages, so what it does not deliver is lost."""


class Engine:
    """
    Delivers the messages of one client in one process; made by ``build_engine``.

    Attributes:
        pid: The process.
        ending: Held by the thread that closes the client; reentrant, because a hook may close the client too.
        counters: The numbers of this process.
        circuit: Decides when a request may go out.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        *,
        counters: Counters,
        rate: RateLimit,
        circuit: Circuit,
        executor: Executor,
        outcomes: Outcomes,
        consumer: Consumer,
        workers: Workers,
        flushing: Flushing,
    ) -> None:
        self.pid = os.getpid()
        self.ending = threading.RLock()
        self.counters = counters
        self.circuit = circuit
        self._settings = dependencies.settings
        self._buffer = dependencies.buffer
        self._clock = dependencies.clock
        self._rate = rate
        self._executor = executor
        self._outcomes = outcomes
        self._consumer = consumer
        self._workers = workers
        self._flushing = flushing
        self._last_numbers: dict[str, Any] | None = None

    # --- messages that end without a worker -----------------------------------------------------------

    def finish(self, delivery: Delivery) -> None:
        """Count and report the end of a message that never reached a worker."""
        self._outcomes.finish(delivery)

    def finish_dead(self, message: JsonObject, reason: str) -> None:
        """Count and report a message that became a dead letter before it reached a worker."""
        self._outcomes.finish_dead(message, reason, attempts=0)

    def report_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Call the ``on_error`` hook."""
        self._outcomes.report_error(error, messages)

    # --- delivering -----------------------------------------------------------------------------------

    def start_delivery(self, message_id: str) -> None:
        """
        Start what the setting ``delivery`` asks for after a message was accepted.

        Raises:
            DeliveryFailed: With ``inline``, the message was not delivered.
        """
        if self._settings.delivery == "background":
            if not self._workers.is_started:
                self._workers.start()
            elif self.counters.accepted % _WAKE_EVERY == 0:
                self._workers.wake()
        elif self._settings.delivery == "inline":
            self._flushing.deliver_inline(message_id)

    def resume(self) -> None:
        """Deliver what an earlier process left, without waiting for a first call."""
        if self._settings.delivery == "background" and self._settings.enabled:
            self._workers.start()

    def flush(self, timeout: float | None, *, closing: bool) -> None:
        """Deliver what is buffered now; see ``Flushing.flush``."""
        self._flushing.flush(timeout, closing=closing)

    def wait_for_settlement(self, seconds: float) -> None:
        """Wait until a claim is settled; see ``Flushing.wait_for_settlement``."""
        self._flushing.wait_for_settlement(seconds)

    def wait_for_claims(self) -> None:
        """Wait until every claim that is being delivered now is settled; see ``Flushing.wait_for_claims``."""
        self._flushing.wait_for_claims()

    def is_delivering(self) -> bool:
        """Return whether the calling thread is inside a delivery, that is, in a hook that a delivery calls."""
        return self._consumer.nesting.level > 0

    def run(self, operation: Operation) -> FlowResult:
        """
        Run one operation in the caller's thread, with a few attempts.

        Raises:
            DeliveryFailed: Nothing may be sent now.
        """
        attempt = 1
        while True:
            try:
                result = self._executor.run(operation)
            except Paused:
                raise self._nothing_is_sent() from None
            if result.kind != "retry" or attempt == _SYNCHRONOUS_ATTEMPTS:
                return result
            self._clock.sleep(
                min(self._settings.backoff_max, self._settings.backoff_base * 2.0 ** (attempt - 1))
            )
            attempt += 1

    def _nothing_is_sent(self) -> DeliveryFailed:
        status, reason = self._status()[:2]
        if status == "held":
            return DeliveryFailed(
                f"nothing is sent while {why_held(reason, self._settings.api_version)}", reason="held"
            )
        return DeliveryFailed(
            f"nothing is sent while Intercom does not answer ({reason})", reason=reason or "timeout"
        )

    def release(self) -> None:
        """Deliver again at once, because Intercom accepted the credentials."""
        self.circuit.release()
        self._buffer.make_due(now=self._clock.now())
        self._workers.wake()

    # --- the end --------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the threads; a request in hand may take one more second."""
        self._workers.stop(_STOP_TIMEOUT)

    def abandon(self) -> Iterator[JsonObject]:
        """Take every message out of the buffer that no thread is delivering, and yield it."""
        while (claim := self._buffer.claim(now=float("inf"), limit=_ABANDON_AT_ONCE)) is not None:
            settlements = [Settlement(entry.seq, "ack") for entry in claim.entries]
            self._buffer.settle(claim, settlements, now=self._clock.now())
            yield from (entry.message for entry in claim.entries)

    def freeze(self) -> None:
        """Keep the numbers as they are now, because the buffer is about to be closed."""
        self._last_numbers = self.numbers()

    # --- numbers --------------------------------------------------------------------------------------

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted, in Unix seconds; None if there is none, or after ``freeze``."""
        return None if self._last_numbers is not None else self._buffer.oldest_accepted_at()

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of a report."""
        if self._last_numbers is not None:
            return self._last_numbers
        # Counting what is pending may find duplicates, so it comes first.
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
        """Return the numbers of a report without asking the buffer: ``pending`` is what was accepted and has not ended."""
        pending = self.counters.pending()
        held = pending if self.circuit.state == "held" else 0
        return self.counters.numbers() | {"pending": pending, "held": held}

    def rate(self) -> RateBudget:
        """Return Intercom's rate limit as its last answers said."""
        return RateBudget(*self._rate.budget())

    def health(self) -> Health:
        """Return whether deliveries work, and how many attributes the workspace has."""
        # A signal handler must not wait for the cache's lock, which the interrupted call may hold.
        count = None if is_interruption() else self._executor.attribute_count()
        return self._status()._replace(attributes=count)

    def _status(self) -> Health:
        circuit = self.circuit
        if circuit.state == "passing":
            return Health("ok")
        return Health("failing" if circuit.state == "tripped" else "held", circuit.reason, circuit.since)


def build_engine(dependencies: Dependencies) -> Engine:
    """Make and wire the parts of one process; called once for a client, and once more in each forked child."""
    settings, clock = dependencies.settings, dependencies.clock
    own_message_ids(os.getpid())
    counters = Counters(threading.RLock())  # reentrant, because a signal handler may ask for the numbers
    rate = RateLimit(share=settings.rate_limit_share)
    jitter = random.Random().random  # only spreads requests over time, so it need not be hard to guess
    circuit = _build_circuit(settings, rate, jitter)
    stop, deadline, settled = StopLatch(), FlushDeadline(), SettlementSignal()
    deadlines = _build_deadlines(dependencies, deadline, stop)
    outcomes = _build_outcomes(dependencies, counters)
    executor = _build_executor(dependencies, circuit, deadlines, jitter=jitter, outcomes=outcomes)
    consumer = _build_consumer(dependencies, executor, circuit=circuit, outcomes=outcomes, settled=settled)
    workers = _build_workers(settings, consumer, stop)
    flushing = Flushing(
        settings,
        is_volatile=dependencies.is_volatile,
        buffer=dependencies.buffer,
        clock=clock,
        circuit=circuit,
        consumer=consumer,
        outcomes=outcomes,
        workers=workers,
        settled=settled,
        deadline=deadline,
        deadlines=deadlines,
    )
    return Engine(
        dependencies,
        counters=counters,
        rate=rate,
        circuit=circuit,
        executor=executor,
        outcomes=outcomes,
        consumer=consumer,
        workers=workers,
        flushing=flushing,
    )


def _build_deadlines(dependencies: Dependencies, deadline: FlushDeadline, stop: StopLatch) -> Deadlines:
    settings = dependencies.settings
    return Deadlines(
        deadline,
        clock=dependencies.clock,
        stop=stop,
        is_background=settings.delivery == "background",
        request_timeout=settings.connect_timeout + settings.read_timeout,
    )


def _build_circuit(settings: Settings, rate: RateLimit, jitter: Callable[[], float]) -> Circuit:
    return Circuit(
        rate,
        lock=threading.Lock(),
        jitter=jitter,
        probe_every=settings.auth_probe,
        base=settings.backoff_base,
        longest=settings.backoff_max,
    )


def _build_executor(
    dependencies: Dependencies,
    circuit: Circuit,
    deadlines: Deadlines,
    *,
    jitter: Callable[[], float],
    outcomes: Outcomes,
) -> Executor:
    cache = WorkspaceCache(store_of(dependencies.buffer), lock=threading.Lock())
    return Executor(
        dependencies.settings,
        translator=dependencies.translator,
        cache=cache,
        transport=dependencies.transport,
        circuit=circuit,
        clock=dependencies.clock,
        pause=deadlines.pause,
        request_limit=deadlines.request_limit,
        jitter=jitter,
        lock_of=StripedLocks().of,
        on_foreign=outcomes.report_foreign,
        on_attributes=lambda count: outcomes.report_attributes(count, dependencies.settings.attribute_budget),
        spreader=_build_spreader(dependencies, cache) if dependencies.settings.spread_events else None,
    )


def _build_spreader(dependencies: Dependencies, cache: WorkspaceCache) -> Spreader:
    return Spreader(
        cache,
        MemorySeconds(lock=threading.Lock()),
        store=seconds_store_of(dependencies.buffer),
        connection=dependencies.settings.name,
    )


def _build_outcomes(dependencies: Dependencies, counters: Counters) -> Outcomes:
    return Outcomes(
        counters=counters,
        after=dependencies.after,
        on_error=dependencies.on_error,
        connection=dependencies.settings.name,
        api_version=dependencies.settings.api_version,
    )


def _build_consumer(
    dependencies: Dependencies,
    executor: Executor,
    *,
    circuit: Circuit,
    outcomes: Outcomes,
    settled: SettlementSignal,
) -> Consumer:
    return Consumer(
        buffer=dependencies.buffer,
        executor=executor,
        circuit=circuit,
        outcomes=outcomes,
        clock=dependencies.clock,
        on_settled=settled.notify,
        connection=dependencies.settings.name,
    )


def _build_workers(settings: Settings, consumer: Consumer, stop: StopLatch) -> Workers:
    return Workers(
        consumer.work,
        count=settings.workers,
        interval=settings.flush_interval,
        name=settings.name,
        stop=stop,
    )
