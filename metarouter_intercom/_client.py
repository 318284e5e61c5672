"""The face: takes calls, answers questions, and leaves the rest to the parts behind it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from . import _account
from ._acceptance import Acceptance, Dropped, HookRaised
from ._calls import Calls
from ._clock import SystemClock
from ._connection import Connection, Parts
from ._dead_letters import DeadLetters
from ._dispatch import failure_of
from ._report import Account, Health, Report, Stats
from ._translator import Translator as DefaultTranslator
from ._transport import HttpTransport
from ._types import ExternalId
from ._worker import bind_to_process
from .errors import BufferFull, ClientClosed, ConfigurationError, RejectedMessage
from .operations import DeleteContact, Who
from .plugins import Delivery
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import requests

    from ._acceptance import Stamped
    from ._types import JsonObject, JsonValue
    from .plugins import Acceptance as Answer
    from .plugins import After, Before, Buffer, Clock, OnDrop, OnError, Translator, Transport

_log = logging.getLogger("metarouter_intercom")
_log.addHandler(logging.NullHandler())

# A full buffer is logged at most this often (rule Q4).
_FULL_LOG_EVERY = 60.0
_PARTS = ("transport", "session", "buffer", "translator", "clock", "before", "after", "on_error", "on_drop")


class Client(Calls):
    """
    Takes Segment-spec calls and sees that they reach Intercom.

    All calls are safe from any thread, do no network I/O (but for ``delivery="inline"``) and return the message id.

    Args:
        settings: A ready ``Settings``; or pass any of its fields by name (``api_key=...``, ``app_id=...``, ``spool=...``).
        transport: Replaces HTTP.
        session: Your own ``requests.Session``, used by the built-in transport and never closed by it.
        buffer: Replaces memory and spool.
        translator: Replaces the mapping.
        clock: Replaces the machine's time.
        before: Hooks that see each message at acceptance and may change or drop it (P1).
        after: Hooks that are told the end of each message (P2).
        on_error: ``(error, messages)``: credentials held, or a message became a dead letter; called from any thread.
        on_drop: ``(message, reason)`` for each message lost on purpose; called from any thread.

    Raises:
        ConfigurationError: A setting is missing or wrong.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        transport: Transport | None = None,
        session: requests.Session | None = None,
        buffer: Buffer | None = None,
        translator: Translator | None = None,
        clock: Clock | None = None,
        before: Sequence[Before] = (),
        after: Sequence[After] = (),
        on_error: OnError | None = None,
        on_drop: OnDrop | None = None,
        **options: Any,
    ) -> None:
        self.settings = _settings(settings, options)
        self._parts = Parts(
            settings=self.settings,
            transport=HttpTransport(self.settings, session=session) if transport is None else transport,
            translator=DefaultTranslator(self.settings) if translator is None else translator,
            clock=SystemClock() if clock is None else clock,
            buffer=_buffer(self.settings, self._tell_error) if buffer is None else buffer,
            after=tuple(after),
            on_error=on_error,
        )
        self._clock = self._parts.clock
        self._buffer = self._parts.buffer
        self._acceptance = Acceptance(self.settings, before)
        self._on_drop = on_drop
        self._is_closed = False
        self._full_logged_at = 0.0
        self._connection = Connection(self._parts)
        self.dead_letters = DeadLetters(self._buffer, self._resend)
        """The messages that were given up: list, retry, discard, export."""
        bind_to_process(self)
        if self.settings.spool is not None and self._buffer.pending():
            self._connection.resume()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Client:
        """
        Build a client from ``INTERCOM_API_KEY`` and its kin; *options* are the constructor's and win.

        Raises:
            ConfigurationError: The key is missing, or a value is wrong.
        """
        parts = {name: options.pop(name) for name in _PARTS if name in options}
        return cls(Settings.from_env(environ, **options), **parts)

    # --- delivering -----------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None) -> Report:
        """
        Wait until everything accepted before is delivered, dead or held, or *timeout* seconds are over.

        Never raises for a slow or absent network: what is left is in ``Report.pending``.
        """
        self._check_process()
        self._connection.flush(timeout, closing=False)
        return self.report()

    def close(self, timeout: float | None = None) -> Report:
        """
        Stop accepting, flush, release threads and connections.

        Args:
            timeout: Seconds for the flush; None waits as long as messages are retried, with a spool as long as Intercom answers.

        Returns:
            The last report. ``pending`` messages stay in the spool; in memory they are lost, counted and logged.
        """
        self._check_process()
        if self._is_closed:
            return self.report()
        self._is_closed = True
        self._connection.flush(timeout, closing=True)
        self._connection.stop()
        left = self._buffer.pending()
        if left and self.settings.spool is None:
            facts = {"connection": self.settings.name, "pending": left}
            _log.error("closed with undelivered messages in memory: they are lost", extra=facts)
            self._connection.counters.add_reason("dropped", "closed", left)
        report = self.report()
        self._parts.transport.close()
        self._buffer.close()
        return report

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def check(self) -> Account:
        """
        Ask Intercom who we are: does the token work, in this region, for this workspace?

        Messages that were held for the credentials go out at once when it does.

        Raises:
            ConfigurationError: The token, the region or ``app_id`` is wrong; names the remedy.
            TransportError: There is no answer.
            DeliveryFailed: There is an answer, but no account in it.
        """
        self._check_process()
        response = self._parts.transport.send(_account.ME)
        account = _account.read_account(response, self.settings)
        self._connection.release()
        return account

    def delete(
        self, user_id: str | None = None, *, email: str | None = None, archive: bool = False
    ) -> Report:
        """
        Delete the contact for good, or only put it away when *archive*; returns when Intercom has answered.

        What is buffered of that contact is dropped first (reason ``deleted``). A contact that is not there is a success.

        Raises:
            ConfigurationError: Neither or both of *user_id* and *email* are given.
            DeliveryFailed: Intercom refused, did not answer, or knows several users with that e-mail address.
        """
        self._check_process()
        who = _who(user_id, email)
        for message in self._buffer.drop([who.key]):
            self._drop(message, "deleted")
        outcome = self._connection.run(DeleteContact(who=who, archive=archive))
        if outcome.kind != "delivered":
            raise failure_of("the contact was not deleted", outcome.reason, outcome.answer())
        return self.report()

    # --- observing ------------------------------------------------------------------------------------

    def report(self) -> Report:
        """Return what became of the messages so far."""
        return Report(**self._connection.numbers())

    def stats(self) -> Stats:
        """Return the report with the state of this moment."""
        numbers = self._connection.numbers()
        oldest = self._buffer.oldest_accepted_at()
        return Stats(
            **numbers,
            name=self.settings.name,
            buffered=numbers["pending"],
            oldest_age=None if oldest is None else max(0.0, self._clock.now() - oldest),
            rate=self._connection.rate(),
        )

    def health(self) -> Health:
        """Return whether deliveries work."""
        return Health("closed") if self._is_closed else self._connection.health()

    def __repr__(self) -> str:
        return f"Client(name={self.settings.name!r}, address={self.settings.address!r})"

    # --- forks and the end of the process -------------------------------------------------------------

    def after_fork(self) -> None:
        """Begin anew in a forked child: empty memory, own threads, locks and connections (rule W3)."""
        if os.getpid() != self._connection.pid:
            self._buffer.after_fork()
            self._connection = Connection(self._parts)

    def at_exit(self) -> None:
        """Flush for at most ``exit_timeout`` seconds and log the number of what is left (rule W2)."""
        is_used = self._connection.counters.accepted > 0
        if is_used and not self._is_closed and os.getpid() == self._connection.pid:
            self.close(self.settings.exit_timeout)

    def _tell_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        self._connection.tell_error(error, messages)

    def _check_process(self) -> None:
        # The hook of os.register_at_fork does not run under uWSGI, so every call looks (rule W3).
        if os.getpid() != self._connection.pid:
            self.after_fork()

    # --- accepting ------------------------------------------------------------------------------------

    def _accept(self, call: Mapping[str, object]) -> str:
        self._check_process()
        if self._is_closed:
            raise ClientClosed("the client is closed; make a new one, or close it later")
        now = self._clock.now()
        try:
            stamped = self._acceptance.stamp(call, now)
        except RejectedMessage as error:
            return self._reject(error)
        except Dropped as drop:
            self._connection.counters.add_accepted()
            self._drop(drop.stamped.message, drop.reason)
            return drop.stamped.message_id
        except HookRaised as raised:
            return self._bury_unhooked(raised.stamped, now)
        return self._put(stamped, now)

    def _put(self, stamped: Stamped, now: float) -> str:
        message, keys, upserts = stamped
        message_id = stamped.message_id
        counters = self._connection.counters
        if not self.settings.enabled:
            counters.add_accepted()
            counters.add_reason("skipped", "disabled")
            return message_id
        answer = self._buffer.accept(message, keys=keys, upserts=upserts, now=now)
        if answer == "full":
            answer = self._meet_full_buffer(stamped)
        if answer == "duplicate":
            counters.add("duplicates")
        elif answer == "accepted":
            counters.add_accepted()
            self._connection.see_to_delivery(message_id)
        return message_id

    def _reject(self, error: RejectedMessage) -> str:
        self._connection.counters.add_reason("rejected", error.reason)
        if self.settings.on_invalid == "raise":
            raise error
        paths = [problem.path for problem in error.problems]
        facts = {"connection": self.settings.name, "reason": error.reason, "paths": paths}
        _log.warning("a message was rejected", extra=facts)
        return ""

    def _drop(self, message: JsonObject, reason: str) -> None:
        self._connection.finish(Delivery(message=message, outcome="dropped", reason=reason, attempts=0))
        if self._on_drop is None:
            return
        try:
            self._on_drop(message, reason)
        except Exception:
            _log.exception("the on_drop hook raised", extra={"connection": self.settings.name})

    def _bury_unhooked(self, stamped: Stamped, now: float) -> str:
        _log.exception("a before-hook raised", extra={"connection": self.settings.name})
        self._connection.counters.add_accepted()
        self._buffer.bury(stamped.message, reason="plugin_failed", now=now)
        self._connection.finish(
            Delivery(message=stamped.message, outcome="dead", reason="plugin_failed", attempts=0)
        )
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
        self._drop(stamped.message, "buffer_full")
        now = self._clock.now()
        if now - self._full_logged_at >= _FULL_LOG_EVERY:
            self._full_logged_at = now
            _log.error(
                "the buffer is full: new messages are dropped", extra={"connection": self.settings.name}
            )
        return "full"

    def _wait_for_room(self, stamped: Stamped) -> Answer:
        deadline = self._clock.now() + self.settings.block_timeout
        while (left := deadline - self._clock.now()) > 0:
            self._connection.wait_for_settlement(left)
            answer = self._buffer.accept(
                stamped.message, keys=stamped.keys, upserts=stamped.upserts, now=self._clock.now()
            )
            if answer != "full":
                return answer
        return "full"

    def _resend(self, message: JsonObject) -> None:
        self._put(self._acceptance.restamp(message), self._clock.now())


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    if settings is None:
        return Settings(**{"api_key": None} | options)
    if options:
        raise TypeError(f"pass either settings or single options, not both: {', '.join(sorted(options))}")
    return settings


def _buffer(settings: Settings, on_error: OnError) -> Buffer:
    if settings.spool is None:
        from ._buffers._memory import MemoryBuffer

        return MemoryBuffer(limit=settings.messages_kept, dead_letters=settings.dead_letters_kept)
    from ._buffers._fallback import FallbackBuffer
    from ._buffers._sqlite import SpoolBuffer

    spool = SpoolBuffer(
        settings.spool,
        limit=settings.messages_kept,
        dead_letters=settings.dead_letters_kept,
        sync=settings.spool_sync,
    )
    return FallbackBuffer(spool, on_error=on_error)


def _who(user_id: str | None, email: str | None) -> Who:
    if (user_id is None) == (email is None):
        raise ConfigurationError("delete: give either user_id or email")
    return Who(email=email) if user_id is None else Who(external_id=ExternalId(str(user_id)))
