"""What becomes of the messages of one claim while its steps run (rules O1, O2, M2); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..operations import AttachCompany, DetachCompany, MergeContact, SubmitEvent
from ..plugins import Delivery, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._intercom.responses import FlowResult
    from .._types import Note
    from ..operations import Operation, Translation
    from ..operations._coalesce import Step
    from ..plugins import Entry

State = Literal["open", "release", "wait", "retry", "dead"]
_GRAVITY: tuple[State, ...] = ("open", "release", "wait", "retry", "dead")


class Attempt:
    """
    The story of one message in one attempt; mutable.

    Attributes:
        state: ``open`` (nothing against its delivery so far), ``again``, ``wait``, ``dead`` or ``release``.
        outcome: The answer behind a state other than ``open``.
        failed: Its own 5xx, while others passed.
        merged: One of its writes was folded into a later message's.
    """

    __slots__ = (
        "_is_changed",
        "entry",
        "failed",
        "merged",
        "notes",
        "operations",
        "outcome",
        "skipped",
        "state",
    )

    def __init__(self, entry: Entry, translation: Translation) -> None:
        self.entry = entry
        self.operations: Sequence[Operation] = () if translation.skipped else translation.operations
        self.skipped = translation.skipped
        self.notes: list[Note] = list(translation.notes)
        self.state: State = "open"
        self.outcome: FlowResult | None = None
        self.failed = False
        self.merged = False
        self._is_changed = False

    def deliver(self, outcome: FlowResult, *, merged: bool) -> None:
        """Note that one of its steps took effect."""
        self._is_changed = self._is_changed or not outcome.unchanged
        self.merged = self.merged or (merged and not outcome.unchanged)

    def end(self, state: State, outcome: FlowResult | None = None) -> None:
        """Note that one of its steps did not take effect; the graver state wins."""
        if _GRAVITY.index(state) > _GRAVITY.index(self.state):
            self.state = state
            self.outcome = outcome

    def settlement(
        self, *, now: float, due_at: float, retry_for: float, wait_for: float, inline: bool
    ) -> Settlement:
        """
        Return how the buffer shall settle it.

        Args:
            now: The present.
            due_at: When a further attempt is due.
            retry_for: Seconds after acceptance in which it is retried (T2).
            wait_for: Seconds in which it waits for its contact (M2).
            inline: The caller waits for the end, so a missing contact is told at once.
        """
        entry, state, outcome = self.entry, self.state, self.outcome
        # What waits behind another message has no answer of its own.
        reason = "contact_missing" if state == "wait" else None if outcome is None else outcome.reason
        if state == "retry" and now - entry.accepted_at >= retry_for:
            state, reason = "dead", "retry_expired"
        since = now if entry.waiting_since is None else entry.waiting_since
        if state == "wait" and outcome is not None and (inline or now - since >= wait_for):
            state, reason = "dead", "contact_missing"
        self.state = state
        if state == "open":
            return Settlement(entry.seq, "ack")
        if state == "release":
            return Settlement(entry.seq, "release")
        if state == "dead":
            return Settlement(
                entry.seq, "bury", reason=reason, answer=None if outcome is None else outcome.answer()
            )
        return Settlement(entry.seq, state, due_at, reason, failed=self.failed)

    def delivery(self, reason: str | None) -> Delivery | None:
        """Return what after-hooks are told, or None when the message has not ended."""
        if self.state in ("retry", "wait", "release"):
            return None
        if self.state == "dead":
            kind: Literal["dead", "skipped", "delivered"] = "dead"
        else:
            kind = "skipped" if self.skipped else "delivered"
        return Delivery(
            message=self.entry.message,
            outcome=kind,
            reason=self.skipped or reason,
            notes=tuple(self.notes),
            merged=self.merged,
            unchanged=kind == "delivered" and bool(self.operations) and not self._is_changed,
            attempts=self.entry.attempts + 1,
            answer=self.outcome.answer() if kind == "dead" and self.outcome is not None else None,
        )


class Run:
    """
    Which of a claim's steps may still run.

    A message that has to be retried holds back all that follow it; one that waits for a missing contact holds back only what needs
    that contact, and no upsert, which may bring it.

    Attributes:
        held: The answer that refused the credentials, if one did.
    """

    def __init__(self, attempts: list[Attempt]) -> None:
        self._attempts = attempts
        self._retry_from = len(attempts)
        self._waits: dict[str, tuple[int, FlowResult]] = {}
        self._folding: dict[str | None, int] = {}
        self.held: FlowResult | None = None

    def attempts_of(self, step: Step) -> list[Attempt]:
        """Return the fates of the messages that *step* serves."""
        return [self._attempts[number] for number in step.messages]

    def postpones(self, step: Step) -> bool:
        """Tell whether *step* must not run now, and mark its messages accordingly."""
        attempts = self.attempts_of(step)
        if all(attempt.state == "dead" for attempt in attempts):
            return True
        if max(step.messages) >= self._retry_from:
            self._retry_from = min(self._retry_from, min(step.messages))
            for attempt in attempts:
                attempt.end("release")
            return True
        if max(step.messages) >= self._folding.get(_lead_of(step.operation), len(self._attempts)):
            for attempt in attempts:
                attempt.end("wait")
            return True
        needed = _needed(step.operation)
        waiting = None if needed is None else self._waits.get(needed)
        if waiting is not None and max(step.messages) >= waiting[0]:
            # A detach needs no contact: when the attach before it is given up, it is done.
            outcome = None if isinstance(step.operation, DetachCompany) else waiting[1]
            for attempt in attempts:
                attempt.end("wait", outcome)
            return True
        return False

    def record(self, step: Step, outcome: FlowResult) -> None:
        """Note what came of *step*."""
        for position, attempt in enumerate(self.attempts_of(step), start=1):
            attempt.notes.extend(outcome.notes)
            if outcome.kind == "delivered":
                attempt.deliver(outcome, merged=position < len(step.messages))
            elif outcome.kind == "retry":
                attempt.end("retry", outcome)
            elif outcome.kind == "wait":
                attempt.end("wait", outcome)
            elif outcome.kind == "dead":
                attempt.end("dead", outcome)
            else:
                attempt.end("release")
        if outcome.kind == "retry":
            self._retry_from = min(self._retry_from, min(step.messages))
        elif outcome.kind == "wait":
            if isinstance(step.operation, MergeContact):
                self._folding.setdefault(step.operation.lead.key, min(step.messages))
            for needed in _held_back_by(step.operation):
                first, _ = self._waits.get(needed, (len(self._attempts), outcome))
                self._waits[needed] = (min(first, min(step.messages)), outcome)
        elif outcome.kind == "held":
            self.held = outcome

    def release(self, steps: Iterable[Step]) -> None:
        """
        Give back every message that *steps* would have served, and all that follow one that goes back.

        An upsert that was merged from several messages may have taken effect while an event of the first of them failed. That message
        writes its own, older values when it is retried, so the later ones must come after it once more.
        """
        for step in steps:
            for attempt in self.attempts_of(step):
                attempt.end("release")
        goes_back = False
        for attempt in self._attempts:
            if goes_back:
                attempt.end("release")
            goes_back = goes_back or attempt.state in ("retry", "release")


def _needed(operation: Operation) -> str | None:
    """Return what must not be waiting when *operation* runs; None when nothing of the kind concerns it."""
    if isinstance(operation, AttachCompany | SubmitEvent):
        return operation.who.key
    # A detach is a success without its contact, but it must not pass an attach.
    return f"links of {operation.who.key}" if isinstance(operation, DetachCompany) else None


def _lead_of(operation: Operation) -> str | None:
    """
    Return whose merge must not be waiting when *operation* runs.

    An event that was sent to a lead, and may have arrived, is no repeat for the user whom the lead became. So it comes after the merge;
    and where that one is given up, to the lead.
    """
    return operation.who.key if isinstance(operation, SubmitEvent) else None


def _held_back_by(operation: Operation) -> list[str]:
    """Return what waits when *operation* waits for its contact."""
    if isinstance(operation, AttachCompany):
        return [operation.who.key, f"links of {operation.who.key}"]
    return [operation.who.key] if isinstance(operation, SubmitEvent) else []
