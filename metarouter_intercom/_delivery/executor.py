"""Drives plan and flows over a transport for one claim (rules O1, O2, M, T); decides nothing about accepting or threads."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .._intercom.context import World
from .._intercom.field_repair import REFUSED_VALUE
from .._intercom.flows import flow_of
from .._intercom.responses import FlowResult
from ..errors import ConnectFailed, ReadFailed, TransportError
from ..messages import _codec
from ..operations import Translation, UpsertCompany, UpsertContact
from ..operations._coalesce import Step, coalesce
from .attempts import Attempt, Run
from .backoff import backoff
from .circuit import Paused
from .log import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from .._intercom.workspace_cache import WorkspaceCache
    from .._types import JsonValue
    from ..operations import Operation
    from ..plugins import Claim, Clock, Entry, Request, Response, Settlement, Translator, Transport
    from ..settings import Settings
    from .circuit import Circuit

_log = logging.getLogger("metarouter_intercom")
# Repeats of a request that a 429 refused, before its messages go back to the buffer.
_RATE_REPEATS = 5
# One item that brings a 5xx this often while others pass is poison (rule T2).
_POISON = 10


class Delivered(NamedTuple):
    """What came of a claim: how to settle each entry, and the story of each message for counters and hooks."""

    settlements: list[Settlement]
    attempts: list[Attempt]
    held: FlowResult | None


class Executor:
    """
    Delivers claims; safe to use from several threads at once.

    Args:
        settings: Of the client.
        translator: Message -> operations.
        directory: What is known of the workspace.
        transport: Request -> response.
        gate: Says when a request may go out.
        clock: The time.
        pause: Lets seconds pass; raises ``Paused`` when the client is closing.
        draw: A random number in [0, 1) for back-off.
        turn: Returns what to hold while writing what several contacts share.
        remembered: Failing messages of which is remembered whether others passed since; the oldest leave first.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        translator: Translator,
        cache: WorkspaceCache,
        transport: Transport,
        circuit: Circuit,
        clock: Clock,
        pause: Callable[[float], None],
        jitter: Callable[[], float],
        turn: Callable[[str], AbstractContextManager[object]],
        remembered: int = 10_000,
    ) -> None:
        self._settings = settings
        self._translator = translator
        self._cache = cache
        self._transport = transport
        self._circuit = circuit
        self._clock = clock
        self._pause = pause
        self._jitter = jitter
        self._turn = turn
        self._remembered = remembered
        self._seen_failing: dict[str, int] = {}

    def deliver(
        self, claim: Claim, *, probe: bool = False, renew: Callable[[], bool] | None = None
    ) -> Delivered:
        """
        Deliver the messages of *claim* in order; never raises for Intercom, the network or a customer's data.

        Args:
            claim: One lane's due messages.
            probe: Send although the gate is not open.
            renew: Called before each step; False means that the lease is lost and the rest belongs to somebody else.
        """
        attempts = [self._translate(entry) for entry in claim.entries]
        run = Run(attempts)
        numbered = [
            (number, operation) for number, attempt in enumerate(attempts) for operation in attempt.operations
        ]
        steps = deque(coalesce(numbered, merge_across_events=self._settings.merge_across_events))
        while steps and run.held is None:
            step = steps[0]
            if not run.postpones(step):
                if renew is not None and not renew():
                    break
                outcome = self._attempt(step.operation, probe, _parts(step, attempts))
                if outcome is None:
                    break
                if probe and _was_accepted(outcome):
                    self._circuit.release()
                outcome = self._without_poison(run, step, outcome)
                alone = _one_by_one(step, attempts) if len(step.messages) > 1 else []
                if alone and (outcome.kind == "dead" or _hid_a_value(outcome, alone)):
                    steps.popleft()
                    steps.extendleft(reversed(alone))
                    continue
                run.record(step, outcome)
            steps.popleft()
        run.release(steps)
        return Delivered([self._settle(attempt) for attempt in attempts], attempts, run.held)

    def run(self, operation: Operation) -> FlowResult:
        """
        Run one operation now, for synchronous calls.

        Raises:
            Paused: Credentials are held, or Intercom is not answering.
        """
        outcome = self._attempt(operation, probe=False)
        if outcome is None:
            raise Paused
        return outcome

    def exchange(self, request: Request, *, probe: bool = False) -> Response:
        """
        Send one request when the gate allows it, and again while a rate limit refuses it.

        Raises:
            Paused: The gate is shut.
            TransportError: There is no answer.
        """
        repeats = 0
        while True:
            while (seconds := self._circuit.wait_before_send(self._clock.now(), probe=probe)) > 0:
                self._pause(seconds)
            try:
                response = _readable(self._transport.send(request))
            except TransportError as error:
                self._circuit.unanswered(_reason(error), self._clock.now())
                raise
            except BaseException:
                # Of a transport that is no HTTP, or from outside (Ctrl-C): it tells nothing of Intercom.
                self._circuit.ended(self._clock.now())
                raise
            self._circuit.answered(response, self._clock.now())
            if response.status != 429 or repeats >= _RATE_REPEATS:
                return response
            repeats += 1

    def _translate(self, entry: Entry) -> Attempt:
        try:
            # A spool may hold what another version wrote: a message that cannot be read costs no other one.
            return Attempt(entry, self._translator(_codec.read_stamped(entry.message)))
        except Exception as error:
            facts = {"connection": self._settings.name}
            _log.error("the translator raised", exc_info=redacted(error), extra=facts)
            attempt = Attempt(entry, Translation())
            attempt.end("dead", FlowResult("dead", "translator_failed"))
            return attempt

    def _attempt(
        self, operation: Operation, probe: bool, parts: Iterable[tuple[int, Operation]] = ()
    ) -> FlowResult | None:
        """Run the flow of *operation*; None when the gate was shut before its end."""
        flow = flow_of(
            operation, World(self._cache, self._settings, self._clock.now(), tuple(parts), self._turn)
        )
        try:
            request = next(flow)
            while True:
                try:
                    response = self.exchange(request, probe=probe)
                except TransportError as error:
                    failure = FlowResult("retry", _reason(error))
                    try:
                        request = flow.throw(error)
                    except TransportError:
                        return failure
                else:
                    request = flow.send(response)
        except StopIteration as end:
            outcome: FlowResult = end.value
            return outcome
        except Paused:
            return None
        finally:
            flow.close()

    def _without_poison(self, run: Run, step: Step, outcome: FlowResult) -> FlowResult:
        """Turn a retry into an end for the item that keeps failing while others pass (rule T2)."""
        if outcome.kind != "retry" or outcome.status is None or outcome.status < 500:
            return outcome
        poisoned = True
        for attempt in run.attempts_of(step):
            # A merged step is run once more message by message: that is the same attempt.
            attempt.failed = attempt.failed or self._failed_alone(attempt)
            poisoned = poisoned and attempt.entry.failures + attempt.failed >= _POISON
        return outcome._replace(kind="dead", reason="poison") if poisoned else outcome

    def _failed_alone(self, attempt: Attempt) -> bool:
        """Tell whether other requests succeeded since this message's last failure, and remember this one."""
        message_id = str(attempt.entry.message["messageId"])
        successes = self._circuit.successes
        before = self._seen_failing.pop(message_id, 0)
        self._seen_failing[message_id] = successes
        if len(self._seen_failing) > self._remembered:
            self._seen_failing.pop(next(iter(self._seen_failing)), None)
        return successes > before

    def _settle(self, attempt: Attempt) -> Settlement:
        now = self._clock.now()
        failures = attempt.entry.attempts + 1
        delay = backoff(
            failures,
            self._jitter(),
            base=self._settings.backoff_base,
            longest=self._settings.backoff_max,
        )
        return attempt.settlement(
            now=now,
            due_at=now + delay,
            retry_for=self._settings.retried_for,
            wait_for=self._settings.missing_contact_wait,
            inline=self._settings.delivery == "inline",
        )


def _readable(response: Response) -> Response:
    """
    Return *response*, unless something else than Intercom must have made it.

    Raises:
        ReadFailed: A success that is no JSON: a proxy's page, or an answer that breaks off.
    """
    if 200 <= response.status < 300 and isinstance(response.body, str) and response.body.strip():
        raise ReadFailed("the answer is a success, but no JSON")
    return response


def _was_accepted(outcome: FlowResult) -> bool:
    """Tell whether Intercom took our credentials; what needed no request does not say."""
    if outcome.kind == "delivered":
        return not outcome.unchanged
    return outcome.kind in ("dead", "wait") and outcome.status is not None


def _hid_a_value(outcome: FlowResult, alone: Sequence[Step]) -> bool:
    """
    Tell whether a merged write left out a field that its messages do not agree on (rule M3).

    One by one the earlier value stays when the later one is refused; merged it would be lost.
    """
    refused = [note.path for note in outcome.notes if note.reason == REFUSED_VALUE]
    return any(_values_of(path, alone) > 1 for path in refused)


def _values_of(path: str, alone: Sequence[Step]) -> int:
    """Count the different values that the upserts of *alone* have for the field at *path*."""
    values: list[JsonValue] = []
    for given in [_fields(one) for one, _ in alone if isinstance(one, UpsertContact | UpsertCompany)]:
        if path in given and given[path] not in values:
            values.append(given[path])
    return len(values)


def _fields(operation: UpsertContact | UpsertCompany) -> dict[str, JsonValue]:
    attributes = {f"custom_attributes.{name}": value for name, value in operation.attributes.items()}
    return {**operation.fields, **attributes}


def _reason(error: TransportError) -> str:
    return "connect_failed" if isinstance(error, ConnectFailed) else "read_failed"


def _one_by_one(step: Step, attempts: list[Attempt]) -> list[Step]:
    """Return the merged *step* as one step a message, so that one bad value costs no other message its delivery."""
    wanted = step.operation
    return [
        Step(operation, (number,))
        for number in step.messages
        for operation in attempts[number].operations
        if type(operation) is type(wanted) and _target(operation) == _target(wanted)
    ]


def _parts(step: Step, attempts: list[Attempt]) -> list[tuple[int, Operation]]:
    """Return the operations of the messages that *step* serves, with their seqs; none where the buffer has no one order."""
    return [
        (attempts[number].entry.seq, operation)
        for number in step.messages
        for operation in attempts[number].operations
        if attempts[number].entry.seq > 0
    ]


def _target(operation: Operation) -> tuple[str | None, str | None]:
    who = getattr(operation, "who", None)
    return (None if who is None else who.key, getattr(operation, "company_id", None))
