"""What becomes of the messages of one claim while its steps run (rules O1, O2, M2); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .operations import UpsertCompany, UpsertContact
from .plugins import Delivery, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._answers import Outcome
    from ._plan import Step
    from .operations import Operation, Translation
    from .plugins import Entry, Note

State = Literal["open", "release", "wait", "again", "dead"]
_GRAVITY: tuple[State, ...] = ("open", "release", "wait", "again", "dead")
_UPSERTS = (UpsertContact, UpsertCompany)


class Fate:
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
        self.outcome: Outcome | None = None
        self.failed = False
        self.merged = False
        self._is_changed = False

    def deliver(self, outcome: Outcome, *, merged: bool) -> None:
        """Note that one of its steps took effect."""
        self._is_changed = self._is_changed or not outcome.unchanged
        self.merged = self.merged or (merged and not outcome.unchanged)

    def end(self, state: State, outcome: Outcome | None = None) -> None:
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
        reason = None if outcome is None else outcome.reason
        if state == "again" and now - entry.accepted_at >= retry_for:
            state, reason = "dead", "retry_expired"
        since = now if entry.waiting_since is None else entry.waiting_since
        if state == "wait" and (inline or now - since >= wait_for):
            state, reason = "dead", "contact_missing"
        self.state = state
        if state == "open":
            return Settlement(entry.seq, "done")
        if state == "release":
            return Settlement(entry.seq, "release")
        if state == "dead":
            return Settlement(
                entry.seq, "bury", reason=reason, answer=None if outcome is None else outcome.answer()
            )
        return Settlement(entry.seq, state, due_at, reason, failed=self.failed)

    def delivery(self, reason: str | None) -> Delivery | None:
        """Return what after-hooks are told, or None when the message has not ended."""
        if self.state in ("again", "wait", "release"):
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

    A message that has to be retried holds back the later messages of its contact; one that waits for a missing contact holds back
    all but upserts, which may bring that contact.

    Attributes:
        held: The answer that refused the credentials, if one did.
    """

    def __init__(self, fates: list[Fate]) -> None:
        self._fates = fates
        self._retry_from = len(fates)
        self._wait_from = len(fates)
        self._wait_outcome: Outcome | None = None
        self.held: Outcome | None = None

    def fates_of(self, step: Step) -> list[Fate]:
        """Return the fates of the messages that *step* serves."""
        return [self._fates[number] for number in step.messages]

    def postpones(self, step: Step) -> bool:
        """Tell whether *step* must not run now, and mark its messages accordingly."""
        fates = self.fates_of(step)
        if all(fate.state == "dead" for fate in fates):
            return True
        if max(step.messages) >= self._retry_from:
            self._retry_from = min(self._retry_from, min(step.messages))
            for fate in fates:
                fate.end("release")
            return True
        if max(step.messages) >= self._wait_from and not isinstance(step.operation, _UPSERTS):
            for fate in fates:
                fate.end("wait", self._wait_outcome)
            return True
        return False

    def record(self, step: Step, outcome: Outcome) -> None:
        """Note what came of *step*."""
        for position, fate in enumerate(self.fates_of(step), start=1):
            fate.notes.extend(outcome.notes)
            if outcome.kind == "delivered":
                fate.deliver(outcome, merged=position < len(step.messages))
            elif outcome.kind == "retry":
                fate.end("again", outcome)
            elif outcome.kind == "wait":
                fate.end("wait", outcome)
            elif outcome.kind == "dead":
                fate.end("dead", outcome)
            else:
                fate.end("release")
        if outcome.kind == "retry":
            self._retry_from = min(self._retry_from, min(step.messages))
        elif outcome.kind == "wait":
            self._wait_from = min(self._wait_from, min(step.messages))
            self._wait_outcome = outcome
        elif outcome.kind == "held":
            self.held = outcome

    def release(self, steps: Iterable[Step]) -> None:
        """
        Give back every message that *steps* would have served, and all that follow one that goes back.

        An upsert that was merged from several messages may have taken effect while an event of the first of them failed. That message
        writes its own, older values when it is retried, so the later ones must come after it once more.
        """
        for step in steps:
            for fate in self.fates_of(step):
                fate.end("release")
        goes_back = False
        for fate in self._fates:
            if goes_back:
                fate.end("release")
            goes_back = goes_back or fate.state in ("again", "release")
