"""What users make and call: builds the parts of a client, and answers from them; knows neither how messages are stamped nor how they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# A module that names this class costs little: what a client is made of is imported when the first one is made.
from .calls import Calls
from .time_limits import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import requests

    from .._delivery.engine import Engine
    from .._delivery.report import Health, Report, Stats
    from .._intercom.account import Account
    from .._types import JsonObject
    from ..operations import Who
    from ..plugins import After, Before, Buffer, Clock, DeadLetter, OnDrop, OnError, Translator, Transport
    from ..settings import Settings
    from .dead_letters import DeadLetters
    from .history import History

_DEPENDENCIES = (
    "transport",
    "session",
    "buffer",
    "translator",
    "clock",
    "before",
    "after",
    "on_error",
    "on_drop",
)


class Client(Calls):
    """
    Takes Segment-spec calls and delivers them to Intercom.

    All calls are safe to use from any thread and return the message id. They do no network I/O, except with ``delivery="inline"``.

    Args:
        settings: A ready ``Settings``. Or pass any of its fields by name (``api_key=...``, ``app_id=...``, ``spool=...``).
        transport: Replaces HTTP.
        session: Your own ``requests.Session``. The built-in transport uses it and never closes it.
        buffer: Replaces memory and spool.
        translator: Replaces the mapping.
        clock: Replaces the machine's time.
        before: Hooks that see each message when it is accepted and may change or drop it (P1).
        after: Hooks that are called at the end of each message (P2).
        on_error: ``(error, messages)``: the credentials or the API version were refused, or a message became a dead letter. Called
            from any thread.
        on_drop: ``(message, reason)`` for each message lost on purpose. Called from any thread.

    Hooks may call any method of the client. They run where the message is accepted or delivered, so a slow hook slows that down. An
    error of a hook is logged and changes nothing; only the error of a before-hook makes its message a dead letter (P1).

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
        from .accepting import Acceptor
        from .dropping import Dropper
        from .lifetime import Lifetime
        from .parts import dependencies_of

        self.settings = _settings(settings, options)
        self._dependencies, owned = dependencies_of(
            self.settings,
            transport=transport,
            session=session,
            buffer=buffer,
            translator=translator,
            clock=clock,
            after=after,
            on_error=on_error,
        )
        self._dropper = Dropper(on_drop, self.settings.name)
        self._lifetime = Lifetime(self._dependencies, self._dropper, owned=owned)
        self._acceptor = Acceptor(
            self._dependencies, lifetime=self._lifetime, dropper=self._dropper, before=before
        )
        self._lifetime.resume()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Client:
        """
        Build a client from ``INTERCOM_API_KEY`` and the other ``INTERCOM_*`` variables.

        Args:
            environ: Read instead of the environment.
            options: As for the constructor; they win over the variables.

        Raises:
            ConfigurationError: The key is missing, or a value is wrong.
        """
        from ..settings import Settings

        dependencies = {name: options.pop(name) for name in _DEPENDENCIES if name in options}
        return cls(Settings.from_env(environ, **options), **dependencies)

    @property
    def _engine(self) -> Engine:
        return self._lifetime.engine

    # --- delivering -----------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None) -> Report:
        """
        Wait until everything accepted before is delivered, dead or held, or *timeout* seconds are over.

        Never raises for a slow or absent network: what is left is in ``Report.pending``. With ``delivery="manual"`` the caller itself
        delivers, and *timeout* bounds the request in hand as well. A request that it cuts is retried by a later flush, like every
        request without an answer.

        Args:
            timeout: Seconds. With 0 or less, a caller that delivers sends only what is due for one contact, for at most a second. None and ``math.inf`` wait as long as messages are retried
                or wait for their contact; for held messages only until Intercom has refused the credentials once more.

        Raises:
            ConfigurationError: *timeout* is not a number of seconds.
        """
        self._lifetime.flush(seconds_of(timeout))
        return self.report()

    def close(self, timeout: float | None = None) -> Report:
        """
        Stop accepting, flush, end threads and connections.

        Closing twice changes nothing. If several threads close, the later ones wait for the first. If a signal handler that interrupted
        a call of this client closes it, the client stops accepting at once and does the rest at the interpreter's exit: let the handler
        call ``sys.exit``.

        Args:
            timeout: Seconds for the flush; 0 or less begins no request. None means the setting ``exit_timeout`` (5 seconds).
                ``math.inf`` waits as long as messages are retried or wait for their contact; with a spool, as long as Intercom answers.
                If nothing that is left can be sent before the time is over, the flush ends at once. In the background, a request that
                has begun gets one second more.

        Returns:
            The last report. With a spool, ``pending`` messages stay in it. In memory, messages that could not be delivered are dropped
            (reason ``closed``), counted, reported and logged; ``pending`` then counts the messages of a thread that hangs.

        Raises:
            ConfigurationError: *timeout* is not a number of seconds. The client stays open.
        """
        self._lifetime.close(seconds_of(timeout, self.settings.exit_timeout))
        return self.report()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- asking Intercom ------------------------------------------------------------------------------

    def check(self) -> Account:
        """
        Ask Intercom who we are: does the token work, in this region, for this workspace?

        If it does, messages that were held because of the credentials go out at once. With ``enabled=False`` no request is sent, and the
        account contains only what the settings say.

        Raises:
            ConfigurationError: The token, the region, ``app_id`` or ``api_version`` is wrong, or messages in the spool wait for another
                workspace (rule Q7); names the remedy.
            TransportError: Intercom did not answer.
            DeliveryFailed: Intercom's answer contains no account.
            ClientClosed: The client was closed.
        """
        from .._intercom.account import ME, Account, read_account

        self._lifetime.check_open()
        if not self.settings.enabled:
            return Account(app_id=self.settings.app_id or "", region=self.settings.region.value)
        response = self._dependencies.transport.send(ME)
        account = read_account(response, self.settings)
        engine = self._engine
        engine.release()
        if engine.workspace is not None:
            engine.workspace.learn(account.app_id)
            self._dependencies.buffer.pending()  # moves what was accepted to where it can be counted
            error = engine.workspace.error()
            if error is not None:
                raise error
        return account

    def delete(
        self, user_id: str | None = None, *, email: str | None = None, archive: bool = False
    ) -> Report:
        """
        Delete the contact for good, or only archive it with *archive*; returns when Intercom has answered.

        Buffered messages of that contact are dropped first (reason ``deleted``), and at last the history forgets the person. Messages that are being sent are waited for, because
        they would bring the contact back. If there is no such contact, that is a success. With ``enabled=False`` no request is sent.

        Raises:
            ConfigurationError: Neither or both of *user_id* and *email* are given, or Intercom refuses ``api_version``.
            DeliveryFailed: Intercom refused, did not answer, or knows several users with that e-mail address.
            ClientClosed: The client was closed.
        """
        from .._delivery.outcomes import delivery_failed
        from .._intercom.account import refused_version
        from .._intercom.responses import VERSION_REFUSED
        from ..operations import DeleteContact

        self._lifetime.check_open()
        who = _who(user_id, email)
        self._drop_messages_of(who)
        if not self.settings.enabled:
            self.history.forget([who.key])
            return self.report()
        self._engine.wait_for_claims()
        self._drop_messages_of(who)
        outcome = self._engine.run(DeleteContact(who=who, archive=archive))
        if outcome.reason == VERSION_REFUSED:
            raise refused_version(self.settings.api_version, outcome.message)
        if outcome.kind != "delivered":
            raise delivery_failed("the contact was not deleted", outcome.reason, outcome.answer())
        self.history.forget([who.key])
        return self.report()

    def _drop_messages_of(self, who: Who) -> None:
        for message in self._dependencies.buffer.drop([who.key]):
            self._dropper.drop(self._engine, message, "deleted")

    # --- what became of messages ----------------------------------------------------------------------

    @property
    def dead_letters(self) -> DeadLetters:
        """The messages that were given up: list, retry, discard, export."""
        from .._delivery.buffers.capabilities import dead_letter_store_of
        from .dead_letters import DeadLetters

        return DeadLetters(
            dead_letter_store_of(self._dependencies.buffer),
            self._acceptor.accept_again,
            skip_reason=self._skip_reason,
            check_workspace=self._check_workspace,
            report_skipped=self._dropper.report_skipped,
        )

    @property
    def history(self) -> History:
        """How the last messages ended, newest first (X2): what was sent for each, and what Intercom answered."""
        from .._delivery.buffers.capabilities import history_store_of
        from .history import History

        names = frozenset(name.lower() for name in self.settings.integration_names)
        return History(history_store_of(self._dependencies.buffer), names)

    # --- observing ------------------------------------------------------------------------------------

    def report(self) -> Report:
        """Return what became of the messages so far."""
        from .._delivery.interrupts import is_interruption
        from .._delivery.report import Report

        engine = self._engine
        return Report(**(engine.counted() if is_interruption() else engine.numbers()))

    def stats(self) -> Stats:
        """Return the report, and the state at this moment."""
        from .._delivery.report import Stats

        engine = self._engine
        numbers = engine.numbers()
        oldest = engine.oldest_accepted_at()
        return Stats(
            **numbers,
            name=self.settings.name,
            buffered=numbers["pending"],
            oldest_age=None if oldest is None else max(0.0, self._dependencies.clock.now() - oldest),
            rate=engine.rate(),
            spool=engine.spool(),
        )

    def health(self) -> Health:
        """Return whether deliveries work."""
        from .._delivery.report import Health

        return Health("closed") if self._lifetime.is_closed else self._engine.health()

    def _skip_reason(self, message: JsonObject) -> str | None:
        """Return why the mapping would skip a dead letter now; an error of the translator is left to the delivery, which reports it."""
        from ..messages import _codec

        try:
            return self._dependencies.translator(_codec.read_stamped(message)).skipped
        except Exception:
            return None

    def _check_workspace(self, letter: DeadLetter) -> None:
        """Refuse a dead letter of another workspace; asks Intercom only if the spool cannot tell."""
        self._lifetime.check_open()
        engine = self._engine
        workspace = engine.workspace
        if workspace is None or not self.settings.enabled:
            return
        if workspace.refusal_of(letter.id) is not None:
            engine.identify()
        error = workspace.refusal_of(letter.id)
        if error is not None:
            raise error

    def __repr__(self) -> str:
        return f"Client(name={self.settings.name!r}, address={self.settings.address!r})"

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Client cannot be pickled, because it has threads and connections; "
            "make one in each process, for example with Client.from_env()"
        )


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    if settings is None:
        from ..settings import Settings

        return Settings(**options)
    if options:
        names = ", ".join(sorted(options))
        raise TypeError(f"pass a Settings or single settings, not both; put these into the Settings: {names}")
    return settings


def _who(user_id: str | None, email: str | None) -> Who:
    from .._types import ExternalId
    from ..errors import ConfigurationError
    from ..operations import Who

    if (user_id is None) == (email is None):
        raise ConfigurationError("delete: pass either user_id or email, and not both")
    return Who(email=email) if user_id is None else Who(external_id=ExternalId(str(user_id)))
