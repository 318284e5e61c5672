"""Waits for deliveries, or delivers in the caller's thread: flush, inline calls, deadlines (rules W1, W2); knows no counters and no log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DeliveryFailed
from .outcomes import delivery_failed, why_held

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plugins import Buffer, Clock
    from ..settings import Settings
    from .circuit import Circuit
    from .consumer import Consumer
    from .deadlines import Deadlines
    from .outcomes import Outcomes
    from .waiting import SettlementSignal
    from .workers import Workers

# Seconds between two looks at the buffer while a caller waits: other processes may settle messages of a shared spool.
_LOOK_EVERY = 0.25
# Seconds that the requests of one claim may take in a flush whose time limit is 0.
_POLL_TIMEOUT = 1.0
# The longest sleep of an inline call, in seconds.
_LONGEST_SLEEP = 1.0


class Flushing:
    """
    Brings messages to their end while a caller waits; safe to use from several threads at once.

    Args:
        settings: The client's.
        is_volatile: Whether messages that are not delivered are lost.
        buffer: Holds the messages.
        clock: The time.
        circuit: Says whether waiting makes sense.
        consumer: Delivers in the caller's thread.
        outcomes: Holds the end of the message that an inline call waits for.
        workers: Deliver in the background.
        settled: Wakes up when a claim is settled.
        deadlines: Bound what the threads that deliver wait for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        is_volatile: bool,
        buffer: Buffer,
        clock: Clock,
        circuit: Circuit,
        consumer: Consumer,
        outcomes: Outcomes,
        workers: Workers,
        settled: SettlementSignal,
        deadlines: Deadlines,
    ) -> None:
        self._settings = settings
        self._is_background = settings.delivery == "background"
        self._is_volatile = is_volatile
        self._buffer = buffer
        self._clock = clock
        self._circuit = circuit
        self._consumer = consumer
        self._outcomes = outcomes
        self._workers = workers
        self._settled = settled
        self._deadline = deadlines.flush
        self._deadlines = deadlines

    def flush(self, timeout: float | None, *, closing: bool) -> None:
        """
        Deliver what is buffered now, for at most *timeout* seconds; None waits as long as it makes sense.

        When *closing*, messages of calls that are still running are delivered too, because nobody else will deliver them. Called in a
        hook, the calling thread delivers, because a worker cannot wait for itself. Called in a hook of that delivery, it does nothing,
        because the outer flush continues anyway.
        """
        if not self._settings.enabled or self._consumer.nesting.level > 1 or self._deadlines.is_stopped:
            return
        # Before the look at the buffer: it waits a moment when another program has the spool locked.
        now = self._clock.now()
        deadline = None if timeout is None else now + timeout
        # A flush without any time still delivers one claim, so that a host may call it again and again.
        requests_until = now + _POLL_TIMEOUT if timeout == 0 and not closing else deadline
        # In a hook, the flush that called it has a deadline too, and goes on after this one.
        was_over, self._deadline.is_over = self._deadline.is_over, False
        try:
            self._flush_until(deadline, requests_until, closing=closing)
        finally:
            self._deadline.is_over = was_over

    def _flush_until(self, deadline: float | None, requests_until: float | None, *, closing: bool) -> None:
        mark = self._buffer.mark()
        probe = self._circuit.probe_now()
        if self._is_background:
            self._workers.wake()
        includes_later = closing and self._is_volatile
        while self._buffer.has_pending(self._buffer.mark() if includes_later else mark):
            seconds = self._deliver(requests_until)
            left = None if deadline is None else deadline - self._clock.now()
            is_over = self._deadline.is_over or (left is not None and left <= 0)
            if is_over or self._is_waiting_useless(probe, deadline, closing):
                return
            if seconds > 0:
                self.wait_for_settlement(seconds if left is None else min(seconds, left))
        if not self._consumer.nesting.level:
            # A settled claim is counted and reported to the hooks a moment later.
            self._wait_while(self._consumer.unreported, deadline)

    def wait_for_settlement(self, seconds: float) -> None:
        """Wait until a claim is settled, for at most *seconds* and at most a quarter of a second."""
        seconds = min(seconds, _LOOK_EVERY)
        if self._is_background:
            self._settled.wait(seconds)
        else:
            self._clock.sleep(seconds)

    def wait_for_claims(self) -> None:
        """Wait until every claim that is being delivered now is settled, for at most as long as a request may last."""
        self._wait_while(self._consumer.in_hand, None)

    def deliver_inline(self, message_id: str) -> None:
        """
        Deliver until the message has ended.

        Raises:
            DeliveryFailed: The message became a dead letter, or the credentials are refused.
        """
        awaited = self._outcomes.awaited
        awaited[message_id] = None
        mark = self._buffer.mark()
        try:
            while (end := awaited[message_id]) is None:
                seconds = self._consumer.work()
                if self._circuit.state == "held":
                    raise DeliveryFailed(
                        f"{why_held(self._circuit.reason, self._settings.api_version)}; the message is held",
                        reason="held",
                    )
                if awaited[message_id] is not None:
                    continue
                if seconds is None:
                    # Another thread, or another process that shares the spool, is delivering it.
                    if not self._buffer.has_pending(mark):
                        break
                    self._settled.wait(_LOOK_EVERY)
                elif seconds:
                    self._clock.sleep(min(seconds, _LONGEST_SLEEP))
        finally:
            end = awaited.pop(message_id)
        if end is not None and end.outcome == "dead":
            raise delivery_failed("the message was not delivered", end.reason, end.answer)

    def _wait_while(self, claims: Callable[[], frozenset[int]], deadline: float | None) -> None:
        """Wait until *claims* returns none of the numbers that it returns now, until *deadline* or as long as a request may last."""
        waiting = claims()
        until = self._clock.now() + self._settings.connect_timeout + self._settings.read_timeout
        if deadline is not None:
            until = min(until, deadline)
        while waiting & claims() and (left := until - self._clock.now()) > 0:
            self._settled.wait(min(left, _LOOK_EVERY))

    def _is_waiting_useless(self, probe: int, deadline: float | None, closing: bool) -> bool:
        circuit = self._circuit
        if circuit.state != "passing" and self._consumer.nesting.level:
            return True  # the probe itself may have called this hook, and it cannot continue before the hook returns
        if circuit.state == "held":
            # A person may just have corrected the credentials; one probe shows whether that is so.
            return circuit.has_probed(probe)
        if closing and circuit.state == "tripped" and self._settings.spool is not None:
            return True
        return closing and deadline is not None and self._is_nothing_sent_by(deadline)

    def _is_nothing_sent_by(self, deadline: float) -> bool:
        """Return whether no request is on its way and none can begin before *deadline*, so that a close need not wait for it."""
        working = self._consumer.working()
        pausing = self._deadlines.count_pauses_beyond(deadline)
        if len(working) > pausing:
            return False
        if pausing:
            return True  # a worker pauses only for the rate limit, which stops all other requests too
        if self._circuit.blocked_until() > deadline:
            return True
        due_at = self._buffer.next_due_at(now=self._clock.now())
        return due_at is not None and due_at > deadline

    def _deliver(self, deadline: float | None) -> float:
        """Deliver a claim, or leave that to the workers; return the seconds to wait before looking again."""
        if self._is_background and not self._consumer.nesting.level:
            if not self._workers.is_started:
                self._workers.start()
            if self._workers.is_started:
                return _LOOK_EVERY
        outer = self._deadline.until
        self._deadline.until = _earlier(outer, deadline)
        try:
            seconds = self._consumer.work()
        finally:
            self._deadline.until = outer
        return _LOOK_EVERY if seconds is None else seconds


def _earlier(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
