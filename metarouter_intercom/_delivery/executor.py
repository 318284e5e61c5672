"""Delivers one claim: coalesces its operations and runs their flows over a transport (rules O1, O2, M, T); knows no buffer and no threads."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .._intercom.account import ME
from .._intercom.attribute_budget import count_of
from .._intercom.context import Part, World
from .._intercom.flows import flow_of
from .._intercom.foreign_answers import is_foreign_to_identity
from .._intercom.responses import FlowResult, answered_by, version_refusal
from ..errors import TransportError
from ..messages import _codec
from ..operations import Translation
from ..operations._coalesce import Step, coalesce
from .attempts import Attempt, ClaimState
from .backoff import backoff
from .circuit import Paused
from .exchanger import FOREIGN, Exchanger, reason_of, status_of
from .log import redacted
from .merged_steps import left_out_a_value, one_by_one, operations_behind
from .recording import Recorder
from .safely import reaches_caller, safe_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from .._intercom.attribute_budget import AttributeCount
    from .._intercom.workspace_cache import WorkspaceCache
    from ..operations import Operation
    from ..plugins import (
        Claim,
        Clock,
        Entry,
        Response,
        SentRequest,
        Settlement,
        Translator,
        Transport,
    )
    from ..settings import Settings
    from .circuit import Circuit
    from .spreading import Spreader
    from .workspace import WorkspaceCheck

_log = safe_log
# A message that gets this many 5xx answers while other requests succeed is poison (rule T2).
_POISON = 10
_PAUSED = FlowResult("retry")
# How Intercom says that a contact is not there.
_MISSING = (404, 410)


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
        workspace: Finds out which workspace a spool's messages may go to; None for messages that only this process has (rule Q7).
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
        workspace: WorkspaceCheck | None = None,
        request_limit: Callable[[], float | None] = lambda: None,
        remembered: int = 10_000,
    ) -> None:
        self._settings = settings
        self._translator = translator
        self._cache = cache
        self._circuit = circuit
        self._clock = clock
        self._exchange = Exchanger(
            transport, circuit, clock, pause=pause, request_limit=request_limit, on_foreign=on_foreign
        ).exchange
        self._jitter = jitter
        self._lock_of = lock_of
        self._on_attributes = on_attributes
        self._changes = 0
        self._spreader = spreader
        self._workspace = workspace
        self._remembered = remembered
        self._recorder = Recorder() if settings.history_kept else None
        # Message id -> how many requests had succeeded when that message last failed.
        self._successes_at_failure: dict[str, int] = {}

    def deliver(
        self, claim: Claim, *, probe: bool = False, is_ours: Callable[[], bool] | None = None
    ) -> Delivered:
        """
        Deliver the messages of *claim* in order; never raises because of Intercom, the network or a message.

        Args:
            claim: The due messages of one lane.
            probe: Send although the circuit is tripped or held.
            is_ours: Called before each request; False means that the lease is lost and another process delivers the rest.
        """
        attempts = [self._translate(entry) for entry in claim.entries]
        stopped = self._before_first(claim, attempts, probe)
        if stopped is not None:
            return stopped
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
                sent: list[SentRequest] | None = None if self._recorder is None else []
                behind = operations_behind(step, attempts)
                result = self._run(step.operation, probe, behind, sent=sent, is_ours=is_ours)
                if sent:
                    for attempt in state.attempts_of(step):
                        attempt.requests += tuple(sent)
                if result is None:
                    break
                if probe and _shows_good_credentials(result):
                    self._circuit.release()
                result = self._without_poison(state, step, result)
                single_steps = one_by_one(step, attempts) if len(step.messages) > 1 else []
                if single_steps and (result.kind == "dead" or left_out_a_value(result, single_steps)):
                    steps.popleft()
                    steps.extendleft(reversed(single_steps))
                    continue
                state.record(step, result)
            steps.popleft()
        state.release(steps)
        return Delivered([self._settle(attempt) for attempt in attempts], attempts, state.held)

    def _before_first(self, claim: Claim, attempts: list[Attempt], probe: bool) -> Delivered | None:
        """Find out the workspace; return how *claim* ends if it must not be delivered now, or not by this client (rule Q7)."""
        workspace = self._workspace
        if workspace is None or workspace.is_known:
            return None
        is_ours = workspace.owns(claim)
        if is_ours and not any(attempt.operations for attempt in attempts):
            return None
        try:
            stopped = self.identify(probe=probe)
        except Paused:
            stopped = _PAUSED
        if stopped is None and workspace.owns(claim):
            return None
        is_retried = is_ours and stopped is not None and stopped.kind == "retry" and stopped is not _PAUSED
        for attempt in attempts:
            attempt.end("retry" if is_retried else "release", stopped if is_retried else None)
        held = stopped if stopped is not None and stopped.kind == "held" else None
        return Delivered([self._settle(attempt) for attempt in attempts], attempts, held)

    def identify(self, *, probe: bool = False) -> FlowResult | None:
        """
        Find out the workspace if that is needed; return why nothing may be delivered, None if it may.

        Raises:
            Paused: The circuit is tripped or held.
        """
        workspace = self._workspace
        if workspace is None or workspace.is_known:
            return None
        try:
            stopped = workspace.ask(
                lambda: self._exchange(ME, probe=probe, is_foreign=is_foreign_to_identity)
            )
        except TransportError as error:
            return FlowResult("retry", reason_of(error), status_of(error))
        if probe and stopped is None:
            self._circuit.release()
        return stopped

    def run(self, operation: Operation) -> FlowResult:
        """
        Run one operation now, for synchronous calls.

        Raises:
            Paused: The credentials are held, or Intercom does not answer.
        """
        stopped = self.identify()
        if stopped is not None:
            return stopped
        result = self._run(operation, probe=False)
        if result is None:
            raise Paused
        return result

    def _translate(self, entry: Entry) -> Attempt:
        try:
            # Another version may have written the spool, so a message may be unreadable: that must not stop the other messages.
            return Attempt(entry, self._translator(_codec.read_stamped(entry.message)))
        except BaseException as error:
            if reaches_caller(error):
                raise
            _log.error(
                "connection %s: the translator raised an error; its message becomes a dead letter (translator_failed)",
                self._settings.name,
                exc_info=redacted(error),
                extra={"connection": self._settings.name},
            )
            attempt = Attempt(entry, Translation())
            attempt.end("dead", FlowResult("dead", "translator_failed"))
            return attempt

    def _run(
        self,
        operation: Operation,
        probe: bool,
        behind: Iterable[Part] = (),
        *,
        is_ours: Callable[[], bool] | None = None,
        sent: list[SentRequest] | None = None,
    ) -> FlowResult | None:
        """Run the flow of *operation* and note each request in *sent*; None if the circuit, a lost lease or the end stopped it."""
        world = World(self._cache, self._settings, self._clock.now(), tuple(behind), self._lock_of)
        flow = flow_of(operation, world)
        missing: Response | None = None
        try:
            request = next(flow)
            while True:
                try:
                    response = self._exchange(request, probe=probe, is_ours=is_ours, sent=sent)
                except TransportError as error:
                    failure = FlowResult("retry", reason_of(error), status_of(error))
                    try:
                        request = flow.throw(error)
                    except TransportError:
                        return failure
                else:
                    refusal = version_refusal(response)
                    if refusal is not None:
                        return refusal
                    if missing is None or response.status in _MISSING or missing.status not in _MISSING:
                        missing = response
                    request = flow.send(response)
        except StopIteration as end:
            result: FlowResult = end.value
            if missing is None or result.reason != "contact_missing":
                return result
            return answered_by(result, missing)
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
        is_of_intercom = result.reason != FOREIGN
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
        message_id = attempt.message_id
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
        settlement = attempt.settlement(
            now=now,
            due_at=now + delay,
            retry_for=self._settings.retried_for,
            wait_for=self._settings.missing_contact_wait,
            inline=self._settings.delivery == "inline",
        )
        return settlement if self._recorder is None else self._recorder.complete(attempt, settlement)


def _shows_good_credentials(result: FlowResult) -> bool:
    """Return whether Intercom accepted the credentials; an operation that needed no request does not show that."""
    if result.kind == "delivered":
        return not result.unchanged
    return result.kind in ("dead", "wait") and result.status is not None
