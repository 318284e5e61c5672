"""The face: takes calls, answers questions, and leaves the rest to the parts behind it."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from .._delivery.buffers.capabilities import dead_letter_store_of
from .._delivery.engine import Dependencies, build_engine
from .._delivery.http.transport import HttpTransport
from .._delivery.interrupts import is_interruption
from .._delivery.lifecycle import pin, register, unpin
from .._delivery.outcomes import delivery_failed
from .._delivery.report import Health, Report, Stats
from .._intercom import account as _account
from .._intercom.account import Account
from .._types import ExternalId
from ..errors import ClientClosed, ConfigurationError
from ..operations import DeleteContact, Who
from ..operations._translator import DefaultTranslator
from ..settings import Settings
from .accepting import Admission
from .clock import SystemClock
from .dead_letters import DeadLetters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import requests

    from .._types import JsonValue
    from ..plugins import After, Before, Buffer, Clock, OnDrop, OnError, Translator, Transport

_log = logging.getLogger("metarouter_intercom")
_log.addHandler(logging.NullHandler())

_PARTS = ("transport", "session", "buffer", "translator", "clock", "before", "after", "on_error", "on_drop")


class Client(Admission):
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

    Hooks may call any method of the client. They run where the message is delivered or taken, so a slow one slows that down; one that
    raises is logged and changes nothing, but for a before-hook (P1).

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
        chosen = _settings(settings, options)
        self._parts = Dependencies(
            settings=chosen,
            transport=HttpTransport(chosen, session=session) if transport is None else transport,
            translator=DefaultTranslator(chosen) if translator is None else translator,
            clock=SystemClock() if clock is None else clock,
            buffer=_buffer(chosen, self._tell_error) if buffer is None else buffer,
            after=tuple(after),
            on_error=on_error,
            is_volatile=buffer is None and chosen.spool is None,
        )
        super().__init__(self._parts, build_engine(self._parts), before=before, on_drop=on_drop)
        self._is_builtin_buffer = buffer is None
        self._is_released = False
        self._exit_timeout: float | None = self.settings.exit_timeout
        self._births: dict[int, threading.Lock] = {}
        self.dead_letters = DeadLetters(dead_letter_store_of(self._buffer), self._resend)
        """The messages that were given up: list, retry, discard, export."""
        register(self, self.settings.name)
        if self.settings.spool is not None and self._buffer.pending():
            self._go_live()
            self._engine.resume()

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

        Never raises for a slow or absent network: what is left is in ``Report.pending``. Where the caller itself delivers
        (``delivery="manual"``), one request in hand may last *read_timeout* beyond *timeout*.
        """
        self._check_process()
        if not self._is_closed and not is_interruption():
            self._engine.flush(timeout, closing=False)
        return self.report()

    def close(self, timeout: float | None = None) -> Report:
        """
        Stop accepting, flush, release threads and connections.

        Closing twice changes nothing; from several threads, the later ones wait for the first. In a signal's handler that interrupted a
        call of this client it stops accepting at once, and the rest is done at the interpreter's exit: let the handler ``sys.exit``.

        Args:
            timeout: Seconds for the flush; None waits as long as messages are retried, with a spool as long as Intercom answers. A
                request in hand gets a second more.

        Returns:
            The last report. With a spool ``pending`` messages stay in it. In memory what could not be delivered is dropped (reason
            ``closed``), counted, told and logged; ``pending`` then counts what a thread that hangs has in hand.
        """
        self._check_process()
        connection = self._engine
        if is_interruption():
            self._is_closed = True
            self._exit_timeout = timeout
            return self.report()
        if self._is_closed and connection.is_delivering():
            return self.report()  # from a hook, in the midst of closing
        if connection.ending.acquire(timeout=-1 if timeout is None else timeout):
            try:
                self._end(timeout)
            finally:
                connection.ending.release()
        return self.report()

    def _end(self, timeout: float | None) -> None:
        if self._is_released:
            return
        self._is_closed = True
        connection = self._engine
        connection.flush(timeout, closing=True)
        connection.stop()
        self._is_released = True
        self._is_live = False
        if self._parts.is_volatile:
            self._give_up()
        connection.freeze()
        unpin(self)
        self._parts.transport.close()
        self._buffer.close()

    def _give_up(self) -> None:
        """Drop what is left in memory: counted, told, and logged as a number."""
        left = self._buffer.pending()
        if left:
            facts = {"connection": self.settings.name, "pending": left}
            _log.error("closed with undelivered messages in memory: they are lost", extra=facts)
            for message in self._engine.abandon():
                self._drop(message, "closed")

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
            ClientClosed: The client was closed.
        """
        self._check_open()
        response = self._parts.transport.send(_account.ME)
        account = _account.read_account(response, self.settings)
        self._engine.release()
        return account

    def delete(
        self, user_id: str | None = None, *, email: str | None = None, archive: bool = False
    ) -> Report:
        """
        Delete the contact for good, or only put it away when *archive*; returns when Intercom has answered.

        What is buffered of that contact is dropped first (reason ``deleted``), and what is on its way is waited for: it would bring the
        contact back. A contact that is not there is a success. With ``enabled=False`` nothing is asked of Intercom.

        Raises:
            ConfigurationError: Neither or both of *user_id* and *email* are given.
            DeliveryFailed: Intercom refused, did not answer, or knows several users with that e-mail address.
            ClientClosed: The client was closed.
        """
        self._check_open()
        who = _who(user_id, email)
        self._drop_all_of(who)
        if not self.settings.enabled:
            return self.report()
        self._engine.wait_for_claims()
        self._drop_all_of(who)
        outcome = self._engine.run(DeleteContact(who=who, archive=archive))
        if outcome.kind != "delivered":
            raise delivery_failed("the contact was not deleted", outcome.reason, outcome.answer())
        return self.report()

    def _drop_all_of(self, who: Who) -> None:
        for message in self._buffer.drop([who.key]):
            self._drop(message, "deleted")

    # --- observing ------------------------------------------------------------------------------------

    def report(self) -> Report:
        """Return what became of the messages so far."""
        connection = self._engine
        return Report(**(connection.counted() if is_interruption() else connection.numbers()))

    def stats(self) -> Stats:
        """Return the report with the state of this moment."""
        numbers = self._engine.numbers()
        oldest = self._engine.oldest_accepted_at()
        return Stats(
            **numbers,
            name=self.settings.name,
            buffered=numbers["pending"],
            oldest_age=None if oldest is None else max(0.0, self._clock.now() - oldest),
            rate=self._engine.rate(),
        )

    def health(self) -> Health:
        """Return whether deliveries work."""
        return Health("closed") if self._is_closed else self._engine.health()

    def __repr__(self) -> str:
        return f"Client(name={self.settings.name!r}, address={self.settings.address!r})"

    # --- forks and the end of the process -------------------------------------------------------------

    def after_fork(self) -> None:
        """Begin anew in a forked child: empty memory, own threads, locks and connections (rule W3)."""
        # Several threads of a child may come here at once; a lock of the parent's could be shut for ever, so each process has its own.
        with self._births.setdefault(os.getpid(), threading.Lock()):
            if os.getpid() != self._engine.pid:
                self._is_live = False
                unpin(self)
                self._buffer.after_fork()
                self._engine = build_engine(self._parts)

    def at_exit(self) -> None:
        """Flush for at most ``exit_timeout`` seconds and log the number of what is left (rule W2)."""
        if self._is_live and os.getpid() == self._engine.pid:
            self.close(self._exit_timeout)

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Client cannot be pickled: it holds threads and connections; make one in each process, for instance by Client.from_env()"
        )

    def _tell_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        self._engine.tell_error(error, messages)

    def _check_process(self) -> None:
        # The hook of os.register_at_fork does not run under uWSGI, so every call looks (rule W3).
        if os.getpid() != self._engine.pid:
            self.after_fork()

    def _check_open(self) -> None:
        self._check_process()
        if self._is_closed:
            raise ClientClosed("the client is closed; make a new one, or close it later")

    def _go_live(self) -> None:
        """Stay, although nobody else may hold the client, until it is closed; tell a call that the end has overtaken."""
        if self._is_released:
            raise ClientClosed(
                "the client was closed during this call, its message may be lost; close it later"
            )
        self._is_live = True
        if self._is_builtin_buffer:
            pin(self)


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    if settings is None:
        return Settings(**{"api_key": None} | options)
    if options:
        raise TypeError(f"pass either settings or single options, not both: {', '.join(sorted(options))}")
    return settings


def _buffer(settings: Settings, on_error: OnError) -> Buffer:
    if settings.spool is None:
        from .._delivery.buffers.memory import MemoryBuffer

        return MemoryBuffer(limit=settings.messages_kept, dead_letters=settings.dead_letters_kept)
    from .._delivery.buffers.fallback import FallbackBuffer
    from .._delivery.buffers.spool import SpoolBuffer

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
