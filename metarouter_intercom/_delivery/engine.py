"""Holds the parts of one client that belong to one process, and answers from them; made in ``wiring``."""

from __future__ import annotations

import itertools
import math
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DeliveryFailed
from ..plugins import Settlement
from .buffers.capabilities import spool_state_of
from .circuit import Paused
from .feedback import Listeners
from .hosts import explanation, why_no_threads
from .interrupts import is_interruption
from .outcomes import delivery_failed, why_held
from .report import Health, RateBudget, SpoolState, WorkersHealth
from .safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._intercom.responses import FlowResult
    from .._types import JsonObject, JsonValue
    from ..operations import Operation
    from ..plugins import After, Buffer, Clock, Delivery, OnError, Translator, Transport
    from ..settings import Settings
    from .circuit import Circuit
    from .consumer import Consumer
    from .executor import Executor
    from .flushing import Flushing
    from .outcomes import Outcomes
    from .rate_limit import RateLimit
    from .report import Counters
    from .workers import Workers
    from .workspace import WorkspaceCheck

_log = safe_log
# After so many accepted messages a resting worker is woken, or when a smaller buffer has a quarter of what it holds.
_WAKE_EVERY = 1_024
_SHARE = 4
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
    """The time of everything that waits, is due or has an age: it passes evenly (rule W7)."""
    wall: Callable[[], float]
    """The wall clock, which dates messages, in Unix seconds."""
    buffer: Buffer
    after: Sequence[After]
    on_error: OnError | None
    is_volatile: bool
    """Only this client has the messages, so what it does not deliver is lost."""


class Engine:
    """
    Delivers the messages of one client in one process; made by ``wiring.build_engine``.

    Attributes:
        pid: The process.
        threading: The kind of lock under which the parts were made: gevent and eventlet replace it.
        listeners: Recognises calls of logging handlers.
        ending: Held by the thread that closes the client; reentrant, because a hook may close the client too.
        counters: The numbers of this process.
        circuit: Decides when a request may go out.
        workspace: Knows which workspace the messages of a spool may go to; None in memory.
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
        workspace: WorkspaceCheck | None,
    ) -> None:
        self.pid = os.getpid()
        self.threading: object = threading.Lock
        self.listeners = Listeners()
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
        self.workspace = workspace
        self._last_numbers: dict[str, Any] | None = None
        self._wake_every = max(1, min(_WAKE_EVERY, dependencies.settings.messages_kept // _SHARE))
        self._threadless = itertools.count()

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

    def start_delivery(self, message_id: str, number: int) -> None:
        """
        Start what the setting ``delivery`` asks for after a message was accepted; it is the *number*-th one.

        Raises:
            DeliveryFailed: With ``inline``, the message was not delivered.
        """
        if self._settings.delivery == "background":
            workers = self._workers
            if not workers.is_started:
                self._start_workers()
            elif number % self._wake_every == 0:
                workers.wake()
            elif workers.look_by < math.inf and (now := self._clock.now()) >= workers.look_by:
                workers.look(now)
        elif self._settings.delivery == "inline":
            self._flushing.deliver_inline(message_id)

    def _start_workers(self) -> None:
        self._workers.start()
        if self._workers.is_started or (reason := why_no_threads()) is None:
            return
        self._log_no_threads(reason)
        if reason == "subinterpreter":
            self.flush(self._settings.exit_timeout, closing=False)

    def _log_no_threads(self, reason: str) -> None:
        if next(self._threadless) == 0 and reason != "exit":
            _log.warning(
                "connection %s: threads cannot deliver here, so calls do (%s)",
                self._settings.name,
                explanation(reason),
                extra={"connection": self._settings.name, "reason": reason},
            )

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

    def leave(self) -> None:
        """In a forked child: end the greenlets of the parent's workers, which live on in the child."""
        self._workers.leave()

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
        others = 0 if self.workspace is None else self.workspace.waiting()
        numbers["held"] = pending if self.circuit.state == "held" else others
        return numbers

    def identify(self) -> None:
        """
        Ask Intercom which workspace the credentials open, if that is not known yet.

        Raises:
            DeliveryFailed: Intercom did not say it.
        """
        try:
            stopped = self._executor.identify()
        except Paused:
            raise self._nothing_is_sent() from None
        if stopped is not None:
            raise delivery_failed("the workspace is not known", stopped.reason, stopped.answer())

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
        number, fault, at = self._outcomes.faults.last
        workers = WorkersHealth(self._workers.number, number, fault, at)
        spool = spool_state_of(self._buffer)
        health = self._status()._replace(attributes=count, workers=workers)
        if spool is None:
            return health
        if health.is_ok and spool.is_failing:
            health = health._replace(status="failing", reason="spool")
        return health._replace(spool=spool.fault)

    def spool(self) -> SpoolState | None:
        """Return what is known about the spool's files; None without a spool."""
        return spool_state_of(self._buffer)

    def _status(self) -> Health:
        circuit = self.circuit
        if circuit.state == "passing":
            return Health("ok") if self.workspace is None else self.workspace.health()
        return Health("failing" if circuit.state == "tripped" else "held", circuit.reason, circuit.since)
