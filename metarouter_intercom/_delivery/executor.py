"""Delivers one claim: coalesces its operations and runs their flows over a transport (rules O1, O2, M, T); knows no buffer and no threads."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from attrs import evolve

from .._intercom.attribute_budget import count_of
from .._intercom.context import Part, World
from .._intercom.field_repair import REFUSED_VALUE
from .._intercom.flows import flow_of
from .._intercom.foreign_answers import is_foreign
from .._intercom.responses import FlowResult, version_refusal
from ..errors import ConnectFailed, ReadFailed, TransportError
from ..messages import _codec
from ..operations import Translation, UpsertCompany, UpsertContact
from ..operations._coalesce import Step, coalesce
from .attempts import Attempt, ClaimState, is_part_of
from .backoff import backoff
from .circuit import Paused
from .log import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from .._intercom.attribute_budget import AttributeCount
    from .._intercom.workspace_cache import WorkspaceCache
    from .._types import JsonValue
    from ..operations import Operation
    from ..plugins import Claim, Clock, Entry, Request, Response, Settlement, Translator, Transport
    from ..settings import Settings
    from .circuit import Circuit
    from .spreading import Spreader

_log = logging.getLogger("metarouter_intercom")
# How often a request that got a 429 is sent again before its messages go back to the buffer.
_RATE_REPEATS = 5
# A message that gets this many 5xx answers while other requests succeed is poison (rule T2).
_POISON = 10
_FOREIGN = "foreign_answer"


class _ForeignAnswer(ReadFailed):
    """Somebody else answered, for example a proxy. Intercom may have applied the request before that (rule T6)."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        super().__init__("the answer is not Intercom's")


class Delivered(NamedTuple):
    """How the messages of a claim ended: a settlement and an attempt for each, and the result that held the credentials, if any."""

    settlements: list[Settlement]
    attempts: list[Attempt]
    held: FlowResult | None


class Executor:
    """
    Delivers claims; safe to use from several threads at once.

    Args:
        settings: The client's.
        translator: Turns a message into operations.
        cache: What is known of the workspace.
        transport: Turns a request into a response.
        circuit: Decides when a request may go out.
        clock: The time.
        pause: Lets seconds pass before a request; raises ``Paused`` when the client closes.
        jitter: Returns a random number in [0, 1) for the back-off.
        request_limit: Returns the seconds that a request may last, or None; raises ``Paused`` when none may begin.
        lock_of: Returns the lock to hold while writing what several contacts share.
        on_foreign: Receives each answer that is not Intercom's.
        on_attributes: Receives the number of the workspace's custom attributes when it may have changed.
        spreader: Gives each event a second of its own; None leaves the seconds as they are (setting ``spread_events``).
        remembered: For how many failing messages the number of other successes is remembered; the oldest are forgotten first.
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
        lock_of: Callable[[str], AbstractContextManager[object]],
        on_foreign: Callable[[Response], None],
        on_attributes: Callable[[AttributeCount], None] = lambda count: None,
        spreader: Spreader | None = None,
        request_limit: Callable[[], float | None] = lambda: None,
        remembered: int = 10_000,
    ) -> None:
        self._settings = settings
        self._translator = translator
        self._cache = cache
        self._transport = transport
        self._circuit = circuit
        self._clock = clock
        self._pause = pause
        self._request_limit = request_limit
        self._jitter = jitter
        self._lock_of = lock_of
        self._on_foreign = on_foreign
        self._on_attributes = on_attributes
        self._changes = 0
        self._spreader = spreader
        self._remembered = remembered
        # Message id -> how many requests had succeeded when that message last failed.
        self._successes_at_failure: dict[str, int] = {}

    def deliver(
        self, claim: Claim, *, probe: bool = False, renew: Callable[[], bool] | None = None
    ) -> Delivered:
        """
        Deliver the messages of *claim* in order; never raises because of Intercom, the network or a message.

        Args:
            claim: The due messages of one lane.
            probe: Send although the circuit is tripped or held.
            renew: Called before each step; False means that the lease is lost and another worker delivers the rest.
        """
        attempts = [self._translate(entry) for entry in claim.entries]
        if self._spreader is not None:
            self._spreader.spread(attempts)
        state = ClaimState(attempts)
        numbered = [
            (number, operation) for number, attempt in enumerate(attempts) for operation in attempt.operations
        ]
        steps = deque(coalesce(numbered, merge_across_events=self._settings.merge_across_events))
        while steps and state.held is None:
            step = steps[0]
            if not state.postpones(step):
                if renew is not None and not renew():
                    break
                result = self._run(step.operation, probe, _operations_behind(step, attempts))
                if result is None:
                    break
                if probe and _shows_good_credentials(result):
                    self._circuit.release()
                result = self._without_poison(state, step, result)
                single_steps = _one_by_one(step, attempts) if len(step.messages) > 1 else []
                if single_steps and (result.kind == "dead" or _left_out_a_value(result, single_steps)):
                    steps.popleft()
                    steps.extendleft(reversed(single_steps))
                    continue
                state.record(step, result)
            steps.popleft()
        state.release(steps)
        return Delivered([self._settle(attempt) for attempt in attempts], attempts, state.held)

    def run(self, operation: Operation) -> FlowResult:
        """
        Run one operation now, for synchronous calls.

        Raises:
            Paused: The credentials are held, or Intercom does not answer.
        """
        result = self._run(operation, probe=False)
        if result is None:
            raise Paused
        return result

    def exchange(self, request: Request, *, probe: bool = False) -> Response:
        """
        Send one request when the circuit allows it, and again while the rate limit refuses it.

        Raises:
            Paused: The circuit is tripped or held, or there is no time left for a request.
            TransportError: There is no answer of Intercom's.
        """
        repeats = 0
        while True:
            limit = self._wait_for_turn(probe)
            ends_at = None if limit is None else self._clock.now() + limit
            try:
                response = self._transport.send(request if limit is None else evolve(request, timeout=limit))
                if is_foreign(request, response):
                    self._on_foreign(response)
                    raise _ForeignAnswer(response)
            except TransportError as error:
                now = self._clock.now()
                if ends_at is not None and now >= ends_at:
                    # Our own time limit cut the request, which says nothing about Intercom.
                    self._circuit.ended(now)
                else:
                    self._circuit.unanswered(_reason(error), now, _headers(error))
                raise
            except BaseException:
                # Raised by a replaced transport, or from outside (Ctrl-C): it says nothing about Intercom.
                self._circuit.ended(self._clock.now())
                raise
            self._circuit.answered(response, self._clock.now())
            if response.status != 429 or repeats >= _RATE_REPEATS:
                return response
            repeats += 1

    def _wait_for_turn(self, probe: bool) -> float | None:
        """Wait until a request may begin; return the seconds that it may last, or None."""
        while True:
            # Before the circuit is asked, because its answer 0 reserves a part of the rate budget.
            limit = self._request_limit()
            seconds = self._circuit.wait_before_send(self._clock.now(), probe=probe)
            if seconds <= 0:
                return limit
            self._pause(seconds)

    def _translate(self, entry: Entry) -> Attempt:
        try:
            # Another version may have written the spool, so a message may be unreadable: that must not stop the other messages.
            return Attempt(entry, self._translator(_codec.read_stamped(entry.message)))
        except Exception as error:
            _log.error(
                "connection %s: the translator raised an error; its message becomes a dead letter (translator_failed)",
                self._settings.name,
                exc_info=redacted(error),
                extra={"connection": self._settings.name},
            )
            attempt = Attempt(entry, Translation())
            attempt.end("dead", FlowResult("dead", "translator_failed"))
            return attempt

    def _run(self, operation: Operation, probe: bool, behind: Iterable[Part] = ()) -> FlowResult | None:
        """Run the flow of *operation*; None if the circuit or the end of the client stopped it."""
        flow = flow_of(
            operation, World(self._cache, self._settings, self._clock.now(), tuple(behind), self._lock_of)
        )
        try:
            request = next(flow)
            while True:
                try:
                    response = self.exchange(request, probe=probe)
                except TransportError as error:
                    failure = FlowResult("retry", _reason(error), _status(error))
                    try:
                        request = flow.throw(error)
                    except TransportError:
                        return failure
                else:
                    refusal = version_refusal(response)
                    if refusal is not None:
                        return refusal
                    request = flow.send(response)
        except StopIteration as end:
            result: FlowResult = end.value
            return result
        except Paused:
            return None
        finally:
            flow.close()
            self._report_attributes()

    def attribute_count(self) -> AttributeCount | None:
        """Return how many custom attributes the workspace has; None as long as nobody asked Intercom."""
        return count_of(self._cache, self._settings, self._clock.now())

    def _report_attributes(self) -> None:
        """Report the number of the workspace's attributes if it may have changed and this client creates any."""
        if self._cache.changes == self._changes or self._settings.unknown_attributes != "create":
            return
        self._changes = self._cache.changes
        count = self.attribute_count()
        if count is not None:
            self._on_attributes(count)

    def _without_poison(self, state: ClaimState, step: Step, result: FlowResult) -> FlowResult:
        """Turn a retry into a dead letter for a message that keeps failing while other requests succeed (rule T2)."""
        is_of_intercom = result.reason != _FOREIGN
        if result.kind != "retry" or not is_of_intercom or result.status is None or result.status < 500:
            return result
        is_poison = True
        for attempt in state.attempts_of(step):
            # A merged step is run once more message by message; that still counts as the same attempt.
            attempt.failed = attempt.failed or self._failed_alone(attempt)
            is_poison = is_poison and attempt.entry.failures + attempt.failed >= _POISON
        return result._replace(kind="dead", reason="poison") if is_poison else result

    def _failed_alone(self, attempt: Attempt) -> bool:
        """Return whether other requests succeeded since this message last failed, and remember this failure."""
        message_id = str(attempt.entry.message["messageId"])
        successes = self._circuit.successes
        before = self._successes_at_failure.pop(message_id, 0)
        self._successes_at_failure[message_id] = successes
        if len(self._successes_at_failure) > self._remembered:
            self._successes_at_failure.pop(next(iter(self._successes_at_failure)), None)
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


def _shows_good_credentials(result: FlowResult) -> bool:
    """Return whether Intercom accepted the credentials; an operation that needed no request does not show that."""
    if result.kind == "delivered":
        return not result.unchanged
    return result.kind in ("dead", "wait") and result.status is not None


def _left_out_a_value(result: FlowResult, single_steps: Sequence[Step]) -> bool:
    """
    Return whether a merged write left out a field for which its messages have different values (rule M3).

    Written one by one, the earlier value stays when Intercom refuses the later one; in the merged write it would be lost.
    """
    refused = [note.path for note in result.notes if note.reason == REFUSED_VALUE]
    return any(_count_values(path, single_steps) > 1 for path in refused)


def _count_values(path: str, single_steps: Sequence[Step]) -> int:
    """Return how many different values the upserts of *single_steps* have for the field at *path*."""
    values: list[JsonValue] = []
    for operation, _ in single_steps:
        if isinstance(operation, UpsertContact | UpsertCompany):
            fields = _fields(operation)
            if path in fields and fields[path] not in values:
                values.append(fields[path])
    return len(values)


def _fields(operation: UpsertContact | UpsertCompany) -> dict[str, JsonValue]:
    attributes = {f"custom_attributes.{name}": value for name, value in operation.attributes.items()}
    return {**operation.fields, **attributes}


def _reason(error: TransportError) -> str:
    if isinstance(error, _ForeignAnswer):
        return _FOREIGN
    return "connect_failed" if isinstance(error, ConnectFailed) else "read_failed"


def _headers(error: TransportError) -> Mapping[str, str] | None:
    return error.headers if isinstance(error, _ForeignAnswer) else None


def _status(error: TransportError) -> int | None:
    return error.status if isinstance(error, _ForeignAnswer) else None


def _one_by_one(step: Step, attempts: list[Attempt]) -> list[Step]:
    """Return the merged *step* as one step for each message, so that one bad value does not cost the other messages their delivery."""
    merged = step.operation
    return [
        Step(operation, (number,))
        for number in step.messages
        for operation in attempts[number].operations
        if is_part_of(operation, merged)
    ]


def _operations_behind(step: Step, attempts: list[Attempt]) -> list[Part]:
    """Return the operations of the messages that *step* serves."""
    return [
        Part(attempts[number].entry.seq, operation, str(attempts[number].entry.message["messageId"]))
        for number in step.messages
        for operation in attempts[number].operations
    ]
