"""Tracks what happens to each message of a claim while its steps run (rules O1, O2, M2); pure, and knows no buffer or transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._intercom.note_paths import own_notes
from ..operations import (
    AttachCompany,
    DetachCompany,
    MergeContact,
    SetSubscription,
    SubmitEvent,
    TagContact,
    UpsertContact,
)
from ..plugins import Delivery, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._intercom.responses import FlowResult
    from .._types import Note
    from ..operations import Operation, Translation
    from ..operations._coalesce import Step
    from ..plugins import Entry, SentRequest

# What a merge that waits may hold back. An event sent to a lead would not be recognised as a repeat once the lead is a user.
_OF_CONTACT = (AttachCompany, DetachCompany, SetSubscription, SubmitEvent, TagContact, UpsertContact)
State = Literal["ok", "release", "wait", "retry", "dead"]
# From the best state to the worst: a message of several steps ends in the worst state of any of them.
_BY_SEVERITY: tuple[State, ...] = ("ok", "release", "wait", "retry", "dead")


class Attempt:
    """
    One attempt to deliver one message; mutable.

    Attributes:
        state: ``ok`` (nothing has failed so far), ``release`` (goes back untouched), ``wait`` (its contact is missing), ``retry``
            or ``dead``.
        result: The flow's result behind a state other than ``ok``.
        failed: Intercom answered this message with a 5xx while other requests succeeded.
        merged: One of its writes became part of a later message's write.
        requests: What was sent for it in this attempt; stays empty when no history is kept.
    """

    __slots__ = (
        "_is_changed",
        "entry",
        "failed",
        "merged",
        "notes",
        "operations",
        "requests",
        "result",
        "skipped",
        "state",
    )

    def __init__(self, entry: Entry, translation: Translation) -> None:
        self.entry = entry
        self.operations: tuple[Operation, ...] = () if translation.skipped else translation.operations
        self.skipped = translation.skipped
        self.notes: list[Note] = list(translation.notes)
        self.state: State = "ok"
        self.result: FlowResult | None = None
        self.failed = False
        self.merged = False
        self.requests: tuple[SentRequest, ...] = ()
        self._is_changed = False

    @property
    def message_id(self) -> str:
        """The message's own id."""
        return str(self.entry.message["messageId"])

    @property
    def outcome(self) -> Literal["dead", "skipped", "delivered"] | None:
        """How the message ended; None if it has not."""
        if self.state == "ok":
            return "skipped" if self.skipped else "delivered"
        return "dead" if self.state == "dead" else None

    def deliver(self, result: FlowResult, *, merged: bool) -> None:
        """Record that one of its steps took effect."""
        self._is_changed = self._is_changed or not result.unchanged
        self.merged = self.merged or (merged and not result.unchanged)

    def end(self, state: State, result: FlowResult | None = None) -> None:
        """Record that one of its steps did not take effect; the worst state wins."""
        if _BY_SEVERITY.index(state) > _BY_SEVERITY.index(self.state):
            self.state = state
            self.result = result

    def settlement(
        self, *, now: float, due_at: float, retry_for: float, wait_for: float, inline: bool
    ) -> Settlement:
        """
        Return how the buffer must settle the message.

        Args:
            now: Unix seconds.
            due_at: When the next attempt is due, in Unix seconds.
            retry_for: Seconds after acceptance during which the message is retried (T2).
            wait_for: Seconds during which it waits for its contact (M2).
            inline: The caller waits for the end of the message, so a missing contact ends it at once.
        """
        entry, state, result = self.entry, self.state, self.result
        # A message that waits behind another one has no result of its own.
        reason = "contact_missing" if state == "wait" else None if result is None else result.reason
        if state == "retry" and now - entry.accepted_at >= retry_for:
            state, reason = "dead", "retry_expired"
        since = now if entry.waiting_since is None else entry.waiting_since
        if state == "wait" and result is not None and (inline or now - since >= wait_for):
            state, reason = "dead", "contact_missing"
        self.state = state
        if state == "ok":
            return Settlement(entry.seq, "ack")
        if state == "release":
            return Settlement(entry.seq, "release")
        if state == "dead":
            return Settlement(
                entry.seq, "bury", reason=reason, answer=None if result is None else result.answer()
            )
        return Settlement(entry.seq, state, due_at, reason, failed=self.failed)

    def delivery(self, reason: str | None) -> Delivery | None:
        """Return what after-hooks receive; None if the message has not ended."""
        outcome = self.outcome
        if outcome is None:
            return None
        return Delivery(
            message=self.entry.message,
            outcome=outcome,
            reason=self.skipped or reason,
            notes=tuple(self.notes),
            merged=self.merged,
            unchanged=outcome == "delivered" and bool(self.operations) and not self._is_changed,
            attempts=self.entry.attempts + 1,
            answer=self.result.answer() if outcome == "dead" and self.result is not None else None,
        )


class ClaimState:
    """
    Which steps of a claim may still run.

    A message that must be retried blocks all messages that follow it. A message that waits for a missing contact blocks only what
    needs that contact; it does not block an upsert, because the upsert may create the contact.

    A merge that waits for its user blocks whatever follows it about the lead, which may be another contact after the merge, and what
    follows about the user, except its upserts and events: a choice or a company of the lead must not overwrite it.

    Attributes:
        held: The result of the request whose credentials were refused; None if none was.
    """

    def __init__(self, attempts: list[Attempt]) -> None:
        self._attempts = attempts
        self._retry_from = len(attempts)
        # Key of a missing contact (or of its company links) -> first message that waits for it, and why.
        self._waits: dict[str, tuple[int, FlowResult]] = {}
        # Key of a lead whose merge waits -> first message that waits with it; the same for the users that the leads become.
        self._waiting_leads: dict[str, int] = {}
        self._waiting_users: dict[str, int] = {}
        self.held: FlowResult | None = None

    def attempts_of(self, step: Step) -> list[Attempt]:
        """Return the attempts of the messages that *step* serves."""
        return [self._attempts[number] for number in step.messages]

    def postpones(self, step: Step) -> bool:
        """Return whether *step* must not run now; if so, also record that in its messages."""
        attempts = self.attempts_of(step)
        last = max(step.messages)
        if all(attempt.state == "dead" for attempt in attempts):
            return True
        if last >= self._retry_from:
            self._retry_from = min(self._retry_from, min(step.messages))
            _end_all(attempts, "release")
            return True
        if self._waiting_leads and self._follows_waiting_merge(step):
            _end_all(attempts, "wait")
            return True
        key = _required_key(step.operation)
        waiting = None if key is None else self._waits.get(key)
        if waiting is not None and last >= waiting[0]:
            # A detach needs no contact: if the attach before it becomes a dead letter, the detach is done.
            _end_all(attempts, "wait", None if isinstance(step.operation, DetachCompany) else waiting[1])
            return True
        return False

    def record(self, step: Step, result: FlowResult) -> None:
        """Record the result of *step* in its messages, and what it means for later steps."""
        for position, attempt in enumerate(self.attempts_of(step), start=1):
            if result.notes:
                parts = [one for one in attempt.operations if is_part_of(one, step.operation)]
                attempt.notes.extend(own_notes(result.notes, parts))
            if result.kind == "delivered":
                attempt.deliver(result, merged=position < len(step.messages))
            elif result.kind == "held":
                attempt.end("release")
            else:
                attempt.end(result.kind, result)
        first = min(step.messages)
        if result.kind == "retry":
            self._retry_from = min(self._retry_from, first)
        elif result.kind == "wait":
            self._wait(step.operation, first, result)
        elif result.kind == "held":
            self.held = result
        if self._waiting_users and isinstance(step.operation, UpsertContact):
            key = step.operation.who.key
            if max(step.messages) >= self._waiting_users.get(key, len(self._attempts)):
                # The merge fills what is empty, and older values of the lead come after it: then this one is written once more.
                _end_all(self.attempts_of(step), "wait")

    def _follows_waiting_merge(self, step: Step) -> bool:
        """Return whether *step* comes after a merge that waits, and would change what the merge makes of its contact."""
        operation, last, never = step.operation, max(step.messages), len(self._attempts)
        if isinstance(operation, MergeContact):
            first = self._waiting_leads.get(operation.lead.key, never)
            return last >= min(first, self._waiting_users.get(operation.user.key, never))
        if not isinstance(operation, _OF_CONTACT):
            return False
        key = operation.who.key
        if last >= self._waiting_leads.get(key, never):
            return True
        # An upsert may create the user for whom the merge waits, and an event is the user's before and after it.
        is_free = isinstance(operation, UpsertContact | SubmitEvent)
        return not is_free and last >= self._waiting_users.get(key, never)

    def _wait(self, operation: Operation, first: int, result: FlowResult) -> None:
        if isinstance(operation, MergeContact):
            self._waiting_leads.setdefault(operation.lead.key, first)
            self._waiting_users.setdefault(operation.user.key, first)
        for key in _keys_blocked_by(operation):
            earliest, _ = self._waits.get(key, (len(self._attempts), result))
            self._waits[key] = (min(earliest, first), result)

    def release(self, steps: Iterable[Step]) -> None:
        """
        Give back every message that *steps* would have served, and every message that follows one that goes back.

        Cause: a merged upsert of several messages may have taken effect, while an event of the first message failed. When that message
        is retried, it writes its own, older values again. So the later messages must be written once more after it.
        """
        for step in steps:
            _end_all(self.attempts_of(step), "release")
        goes_back = False
        for attempt in self._attempts:
            if goes_back:
                attempt.end("release")
            goes_back = goes_back or attempt.state in ("retry", "release")


def _end_all(attempts: Iterable[Attempt], state: State, result: FlowResult | None = None) -> None:
    for attempt in attempts:
        attempt.end(state, result)


def _required_key(operation: Operation) -> str | None:
    """Return the key that must not be waiting when *operation* runs; None if it depends on no contact."""
    if isinstance(operation, AttachCompany | SubmitEvent | TagContact | SetSubscription):
        return operation.who.key
    if isinstance(operation, UpsertContact):
        return operation.who.key if operation.only_known else None
    # A detach succeeds without its contact, but it must not overtake an attach.
    return f"links of {operation.who.key}" if isinstance(operation, DetachCompany) else None


def _keys_blocked_by(operation: Operation) -> list[str]:
    """Return the keys that wait when *operation* waits for its contact."""
    if isinstance(operation, AttachCompany):
        return [operation.who.key, f"links of {operation.who.key}"]
    return [operation.who.key] if isinstance(operation, SubmitEvent | TagContact | SetSubscription) else []


def is_part_of(operation: Operation, merged: Operation) -> bool:
    """Return whether *operation*, of a message that *merged* serves, is what *merged* does for that message."""
    return type(operation) is type(merged) and _target(operation) == _target(merged)


def _target(operation: Operation) -> tuple[str | None, ...]:
    """Return what tells *operation* from others of its type that are not merged with it: its contact, company, tag or subscription type."""
    who = getattr(operation, "who", None)
    name = getattr(operation, "name", None)
    return (
        None if who is None else who.key,
        getattr(operation, "company_id", None),
        None if name is None else name.casefold(),
        getattr(operation, "subscription", None),
    )
