"""From a call to the buffer (rules Q1 to Q5, P1): what becomes of the message, and who is informed; does not know how messages are sent."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from typing import TYPE_CHECKING

from .._delivery.buffers.capabilities import accept_own_of, dead_letter_store_of
from .._delivery.feedback import is_feedback
from .._delivery.log import redacted
from .._delivery.safely import safe_log
from ..errors import BufferFull, ConfigurationError, DeliveryFailed, RejectedMessage
from ..plugins import Delivery
from .stamping import Dropped, HookRaised, Stamper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._delivery.buffers.capabilities import AcceptOwn
    from .._delivery.engine import Dependencies
    from .._types import JsonObject
    from ..plugins import Acceptance, Before
    from .dropping import Dropper
    from .fast_stamping import Stamped
    from .lifetime import Lifetime

_log = safe_log
# A full buffer is logged at most once in so many seconds (rule Q4).
_FULL_LOG_EVERY = 60.0
# A log line names so many paths of a rejected message; ``extra`` has all of them.
_PATHS_SHOWN = 5


class Acceptor:
    """
    Stamps messages and puts them into the buffer; safe to use from any thread.

    Args:
        dependencies: Of the client.
        lifetime: Of the client: its engine in this process, and whether it is closed.
        dropper: Reports messages that are lost on purpose.
        before: Hooks (P1).
    """

    def __init__(
        self, dependencies: Dependencies, *, lifetime: Lifetime, dropper: Dropper, before: Sequence[Before]
    ) -> None:
        self._settings = dependencies.settings
        self._clock = dependencies.clock
        self._wall = dependencies.wall
        self._buffer = dependencies.buffer
        self._accept_own = accept_own_of(dependencies.buffer)
        self._lifetime = lifetime
        self._dropper = dropper
        self._stamper = Stamper(dependencies.settings, before)
        self._fast_stamper = self._stamper.fast
        self._full_logged_at: float | None = None
        self._feedback = itertools.count()

    def accept(self, call: Mapping[str, object]) -> str:
        """Check, stamp and buffer *call*, which is in Segment's wire form; return its message id."""
        self._lifetime.check_open()
        if self._lifetime.engine.listeners.is_suspect() and is_feedback():
            return self._drop_feedback()
        now = self._clock.now()
        try:
            stamped = self._stamper.stamp(call, self._wall())
        except RejectedMessage as error:
            return self._reject(error)
        except Dropped as dropped:
            engine = self._lifetime.engine
            engine.counters.add_accepted()
            self._dropper.drop(engine, dropped.stamped.message, dropped.reason)
            return dropped.stamped.message_id
        except HookRaised as raised:
            return self._bury(raised, now)
        return self._put(stamped, now)

    # Positional parameters, because names would make each call slower.
    def accept_fast(
        self, kind: str, user_id: object, event: object, facts: object, context: object
    ) -> str | None:
        """Do for an identify or track with no other arguments what ``accept`` does; None leaves the call to ``accept``."""
        lifetime, stamper = self._lifetime, self._fast_stamper
        engine = lifetime.engine
        if os.getpid() != engine.pid or threading.Lock is not engine.threading:
            lifetime.check_process()
        if stamper is None or lifetime.is_closed or engine.listeners.is_suspect():
            return None
        stamped = stamper.stamp(kind, user_id, event, facts, context, self._wall())
        return None if stamped is None else self._put(stamped, self._clock.now(), self._accept_own)

    def accept_again(self, message: JsonObject) -> None:
        """
        Accept a dead letter once more.

        Raises:
            BufferFull: There is no room.
            ConfigurationError: The client is not enabled.
            ClientClosed: The client was closed.
        """
        self._lifetime.check_open()
        if not self._settings.enabled:
            raise ConfigurationError(
                "enabled: False sends nothing, so nothing can be retried; set it to True"
            )
        if self._buffer.pending() >= self._settings.messages_kept:
            raise BufferFull(
                f"max_buffered: {self._settings.messages_kept} messages wait for delivery; retry later"
            )
        # An inline delivery that fails makes the message a dead letter again, and that is counted and reported as always.
        with contextlib.suppress(DeliveryFailed):
            self._put(self._stamper.restamp(message), self._clock.now())

    def _put(self, stamped: Stamped, now: float, accept: AcceptOwn | None = None) -> str:
        message, keys, upserts = stamped
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        lifetime = self._lifetime
        engine = lifetime.engine
        if not self._settings.enabled:
            engine.counters.add_accepted()
            engine.finish(Delivery(message=message, outcome="skipped", reason="disabled", attempts=0))
            return message_id
        if accept is None:
            answer = self._buffer.accept(message, keys=keys, upserts=upserts, now=now)
        else:
            answer = accept(message, keys, upserts, now)
        if answer == "full":
            answer = self._answer_when_full(stamped)
        if answer == "accepted":
            number = engine.counters.add_accepted()
            if not lifetime.has_work:
                lifetime.start()
            engine.start_delivery(message_id, number)
        elif answer == "duplicate":
            engine.counters.add("duplicates")
        return message_id

    def _drop_feedback(self) -> str:
        """Count a call that a logging handler makes because this package logs something; no hook is called, because it may log too."""
        counters = self._lifetime.engine.counters
        counters.add_accepted()
        counters.add_reason("dropped", "log_feedback")
        if next(self._feedback) == 0:
            _log.warning(
                "connection %s: a logging handler calls the client for what this library logs; such calls are dropped",
                self._settings.name,
                extra={"connection": self._settings.name},
            )
        return ""

    def _reject(self, error: RejectedMessage) -> str:
        self._lifetime.engine.counters.add_reason("rejected", error.reason)
        if self._settings.on_invalid == "raise":
            raise error
        connection = self._settings.name
        paths = [problem.path for problem in error.problems]
        _log.warning(
            "connection %s: a message was rejected: %s at %s",
            connection,
            error.reason,
            ", ".join(paths[:_PATHS_SHOWN]),
            extra={"connection": connection, "reason": error.reason, "paths": paths},
        )
        return ""

    def _bury(self, raised: HookRaised, now: float) -> str:
        """Make the message a dead letter, as it was before the hooks."""
        stamped = raised.stamped
        connection = self._settings.name
        _log.error(
            "connection %s: a before-hook raised: the message becomes a dead letter",
            connection,
            exc_info=redacted(raised.__cause__ or raised),
            extra={"connection": connection},
        )
        engine = self._lifetime.engine
        engine.counters.add_accepted()
        dead_letter_store_of(self._buffer).bury(stamped.message, reason="plugin_failed", now=now)
        engine.finish_dead(stamped.message, "plugin_failed")
        return stamped.message_id

    def _answer_when_full(self, stamped: Stamped) -> Acceptance:
        """Do what the setting ``when_full`` says (rule Q4); return the buffer's last answer."""
        choice = self._settings.full_answer
        if choice == "block":
            answer = self._wait_for_room(stamped)
            if answer != "full":
                return answer
        if choice != "drop_new":
            raise BufferFull(
                f"max_buffered: {self._settings.messages_kept} messages wait for delivery; "
                "send less, or raise max_buffered"
            )
        engine = self._lifetime.engine
        engine.counters.add_accepted()
        self._dropper.drop(engine, stamped.message, "buffer_full")
        self._log_full()
        return "full"

    def _log_full(self) -> None:
        now, logged_at = self._clock.now(), self._full_logged_at
        if logged_at is not None and abs(now - logged_at) < _FULL_LOG_EVERY:
            return
        self._full_logged_at = now
        connection = self._settings.name
        _log.error(
            "connection %s: the buffer is full (max_buffered %d): new messages are dropped",
            connection,
            self._settings.messages_kept,
            extra={"connection": connection},
        )

    def _wait_for_room(self, stamped: Stamped) -> Acceptance:
        deadline = self._clock.now() + self._settings.block_timeout
        while (left := deadline - self._clock.now()) > 0:
            self._lifetime.engine.wait_for_settlement(left)
            answer = self._buffer.accept(
                stamped.message, keys=stamped.keys, upserts=stamped.upserts, now=self._clock.now()
            )
            if answer != "full":
                return answer
        return "full"
