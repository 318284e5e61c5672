"""From a call to the buffer (rules Q1 to Q5, P1): what becomes of a message on that way, and who is told; knows no delivery."""

from __future__ import annotations

import contextlib
import logging
import os
from abc import abstractmethod
from typing import TYPE_CHECKING

from .._delivery.buffers.capabilities import dead_letter_store_of
from .._delivery.log import redacted
from ..errors import BufferFull, ConfigurationError, DeliveryFailed, RejectedMessage
from ..plugins import Delivery
from .calls import Calls
from .stamping import Dropped, HookRaised, Stamper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._delivery.engine import Dependencies, Engine
    from .._types import JsonObject
    from ..plugins import Acceptance as Answer
    from ..plugins import Before, OnDrop
    from .fast_stamping import Stamped

_log = logging.getLogger("metarouter_intercom")
# A full buffer is logged at most this often (rule Q4).
_FULL_LOG_EVERY = 60.0


class Admission(Calls):
    """
    The part of a client that takes messages.

    Args:
        parts: Of the client.
        connection: Of this process; replaced in a forked child.
        before: Hooks (P1).
        on_drop: Told of each message lost on purpose.
    """

    def __init__(
        self, parts: Dependencies, connection: Engine, *, before: Sequence[Before], on_drop: OnDrop | None
    ) -> None:
        self.settings = parts.settings
        self._engine = connection
        self._clock = parts.clock
        self._buffer = parts.buffer
        self._acceptance = Stamper(parts.settings, before)
        self._on_drop = on_drop
        self._full_logged_at: float | None = None
        # Live: it took its first message and is not at its end. Closed: it takes no more.
        self._is_live = False
        self._is_closed = False

    @abstractmethod
    def after_fork(self) -> None:
        """Begin anew in a forked child."""

    @abstractmethod
    def _check_open(self) -> None:
        """Look whether this is a forked child; raise when the client is closed."""

    @abstractmethod
    def _go_live(self) -> None:
        """See to the first message, or to one that the client's end has overtaken."""

    def _accept(self, call: Mapping[str, object]) -> str:
        self._check_open()
        now = self._clock.now()
        try:
            stamped = self._acceptance.stamp(call, now)
        except RejectedMessage as error:
            return self._reject(error)
        except Dropped as drop:
            self._engine.counters.add_accepted()
            self._drop(drop.stamped.message, drop.reason)
            return drop.stamped.message_id
        except HookRaised as raised:
            return self._bury_unhooked(raised, now)
        return self._put(stamped, now)

    def _accept_usual(
        self, kind: str, user_id: object, event: object, facts: object, context: object
    ) -> str | None:
        if os.getpid() != self._engine.pid:
            self.after_fork()
        if self._is_closed:
            return None
        now = self._clock.now()
        stamped = self._acceptance.stamp_fast(kind, user_id, event, facts, context, now)
        return None if stamped is None else self._put(stamped, now)

    def _put(self, stamped: Stamped, now: float) -> str:
        message, keys, upserts = stamped
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        connection = self._engine
        if not self.settings.enabled:
            connection.counters.add_accepted()
            connection.finish(Delivery(message=message, outcome="skipped", reason="disabled", attempts=0))
            return message_id
        answer = self._buffer.accept(message, keys=keys, upserts=upserts, now=now)
        if answer == "full":
            answer = self._meet_full_buffer(stamped)
        if answer == "accepted":
            connection.counters.add_accepted()
            if not self._is_live:
                self._go_live()
            connection.see_to_delivery(message_id)
        elif answer == "duplicate":
            connection.counters.add("duplicates")
        return message_id

    def _reject(self, error: RejectedMessage) -> str:
        self._engine.counters.add_reason("rejected", error.reason)
        if self.settings.on_invalid == "raise":
            raise error
        paths = [problem.path for problem in error.problems]
        facts = {"connection": self.settings.name, "reason": error.reason, "paths": paths}
        _log.warning("a message was rejected", extra=facts)
        return ""

    def _drop(self, message: JsonObject, reason: str) -> None:
        self._engine.finish(Delivery(message=message, outcome="dropped", reason=reason, attempts=0))
        if self._on_drop is None:
            return
        try:
            self._on_drop(message, reason)
        except Exception as error:
            facts = {"connection": self.settings.name}
            _log.error("the on_drop hook raised", exc_info=redacted(error), extra=facts)

    def _bury_unhooked(self, raised: HookRaised, now: float) -> str:
        stamped = raised.stamped
        facts = {"connection": self.settings.name}
        _log.error("a before-hook raised", exc_info=redacted(raised.__cause__ or raised), extra=facts)
        self._engine.counters.add_accepted()
        dead_letter_store_of(self._buffer).bury(stamped.message, reason="plugin_failed", now=now)
        self._engine.finish_dead(stamped.message, "plugin_failed")
        return stamped.message_id

    def _meet_full_buffer(self, stamped: Stamped) -> Answer:
        """Do what ``when_full`` says (rule Q4); returns the buffer's last answer."""
        choice = self.settings.full_answer
        if choice == "block":
            answer = self._wait_for_room(stamped)
            if answer != "full":
                return answer
        if choice != "drop_new":
            raise BufferFull(
                f"max_buffered: {self.settings.messages_kept} messages wait for delivery; "
                "slow down, or make the buffer larger"
            )
        self._engine.counters.add_accepted()
        self._drop(stamped.message, "buffer_full")
        now, last = self._clock.now(), self._full_logged_at
        if last is None or abs(now - last) >= _FULL_LOG_EVERY:
            self._full_logged_at = now
            _log.error(
                "the buffer is full: new messages are dropped", extra={"connection": self.settings.name}
            )
        return "full"

    def _wait_for_room(self, stamped: Stamped) -> Answer:
        deadline = self._clock.now() + self.settings.block_timeout
        while (left := deadline - self._clock.now()) > 0:
            self._engine.wait_for_settlement(left)
            answer = self._buffer.accept(
                stamped.message, keys=stamped.keys, upserts=stamped.upserts, now=self._clock.now()
            )
            if answer != "full":
                return answer
        return "full"

    def _resend(self, message: JsonObject) -> None:
        """Accept a dead letter once more, or raise: then it stays where it is."""
        self._check_open()
        if not self.settings.enabled:
            raise ConfigurationError(
                "enabled: False sends nothing, so nothing can be retried; set it to True"
            )
        if self._buffer.pending() >= self.settings.messages_kept:
            raise BufferFull(
                f"max_buffered: {self.settings.messages_kept} messages wait for delivery; retry later"
            )
        # Its end is counted and told as of any other message; an inline delivery that fails makes it a dead letter again.
        with contextlib.suppress(DeliveryFailed):
            self._put(self._acceptance.restamp(message), self._clock.now())
