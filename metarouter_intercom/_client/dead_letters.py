"""What users do with dead letters (rule X1): list, retry, discard, export; the buffer keeps them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .._types import JsonObject
    from ..plugins import DeadLetter, DeadLetterStore

_PAGE = 1_000


class Retried(int):
    """
    How many dead letters were accepted again: a number.

    Attributes:
        skipped: Reason -> how many stay dead letters, because the settings of this client would skip them.
    """

    skipped: Mapping[str, int]

    def __new__(cls, number: int, skipped: Mapping[str, int]) -> Retried:
        """Return *number* with the numbers of those that stay."""
        retried = super().__new__(cls, number)
        retried.skipped = skipped
        return retried


class DeadLetters:
    """
    The messages that were given up, kept with their reasons: in the spool, or the last 1,000 in memory.

    Safe to use from any thread. Iterating reads them page by page, so even a hundred thousand of them need little memory. An id that is
    not there is ignored, because another process may have retried or discarded it: compare the returned number.

    Args:
        buffer: Keeps them.
        resend: Accepts a message again.
        skip_reason: Returns why the client would skip a message now; None if it would not.
        check_workspace: Raises if a dead letter is for another workspace (rule Q7).
        report_skipped: Receives reason -> number of the letters of a retry that would be skipped.
    """

    def __init__(
        self,
        buffer: DeadLetterStore,
        resend: Callable[[JsonObject], object],
        *,
        skip_reason: Callable[[JsonObject], str | None] = lambda message: None,
        check_workspace: Callable[[DeadLetter], None] = lambda letter: None,
        report_skipped: Callable[[Mapping[str, int]], None] = lambda skipped: None,
    ) -> None:
        self._buffer = buffer
        self._resend = resend
        self._skip_reason = skip_reason
        self._check_workspace = check_workspace
        self._report_skipped = report_skipped

    def __iter__(self) -> Iterator[DeadLetter]:
        return self._pages(None)

    def __len__(self) -> int:
        return sum(self.count().values())

    def count(self) -> dict[str, int]:
        """Return how many there are now: reason -> number."""
        return self._buffer.count_dead()

    def list(self, reason: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return at most *limit* of them, oldest first; with *reason*, only those that have it."""
        return self._buffer.dead_letters(reason=reason, limit=limit)

    def retry(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> Retried:
        """
        Accept them once more as they were, with the same message id and instant.

        A message that cannot be accepted stays a dead letter, and so does one that this client would skip: that is logged once.

        Args:
            ids: Only these; None means all. Unknown ones are ignored.
            reason: Only those with this reason.

        Returns:
            How many were accepted; its ``skipped`` says how many stay, by reason.

        Raises:
            BufferFull: There is no room for the next one; those before it were accepted.
            ConfigurationError: The client is not enabled, or one of them is for another workspace: then none is accepted.
            DeliveryFailed: Intercom does not say whether they are for this workspace.
            ClientClosed: The client was closed.
        """
        for letter in self._select(ids, reason):
            self._check_workspace(letter)
        number, skipped = 0, Counter[str]()
        for letter in self._select(ids, reason):
            skip_reason = self._skip_reason(letter.message)
            if skip_reason is not None:
                skipped[skip_reason] += 1
                continue
            # Accept first, then remove: a crash in between leaves the message in both places, and never in none.
            self._resend(letter.message)
            self._buffer.take_dead(ids=[letter.id])
            number += 1
        if skipped:
            self._report_skipped(skipped)
        return Retried(number, dict(skipped))

    def discard(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> int:
        """Remove them (all, by id, by reason) and return how many were there. You decided this, so it is not counted as a loss."""
        return sum(len(self._buffer.take_dead(ids=[letter.id])) for letter in self._select(ids, reason))

    def export(self, file: TextIO, *, reason: str | None = None) -> int:
        """
        Write them to *file* as JSON lines and return how many; they stay.

        Each line: ``{"id", "reason", "answer", "attempts", "accepted_at", "died_at", "message"}``, as the attributes of a
        ``DeadLetter``, instants in Unix seconds. The command ``send`` takes such a file.
        """
        number = 0
        for number, letter in enumerate(self._pages(reason), start=1):  # noqa: B007  # the count is the result
            file.write(json.dumps(line_of(letter)) + "\n")
        return number

    def _pages(self, reason: str | None) -> Iterator[DeadLetter]:
        after = 0
        while page := self._buffer.dead_letters(reason=reason, after=after, limit=_PAGE):
            yield from page
            after = page[-1].id

    def _select(self, ids: Sequence[int] | None, reason: str | None) -> Iterator[DeadLetter]:
        """Yield those that are there now: a message that becomes a dead letter again during a retry does not come a second time."""
        newest = max((letter.id for letter in self._pages(reason)), default=0)
        wanted = None if ids is None else frozenset(ids)
        for letter in self._pages(reason):
            if letter.id > newest:
                return
            if wanted is None or letter.id in wanted:
                yield letter


def line_of(letter: DeadLetter) -> JsonObject:
    """Return *letter* as the JSON object that an export writes."""
    return {
        "id": letter.id,
        "reason": letter.reason,
        "answer": letter.answer,
        "attempts": letter.attempts,
        "accepted_at": letter.accepted_at,
        "died_at": letter.died_at,
        "message": letter.message,
    }
