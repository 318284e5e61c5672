"""What users do with dead letters (rule X1): list, retry, discard, export; the buffer keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._types import JsonObject
    from ..plugins import DeadLetter, DeadLetterStore

_PAGE = 1_000


class DeadLetters:
    """
    The messages that were given up, kept with their reasons: in the spool, or the last 1,000 in memory.

    Safe to use from any thread. Iterating reads them page by page, so even a hundred thousand of them need little memory.
    """

    def __init__(self, buffer: DeadLetterStore, resend: Callable[[JsonObject], object]) -> None:
        self._buffer = buffer
        self._resend = resend

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

    def retry(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> int:
        """
        Accept them once more as they were, with the same message id and instant. A message that cannot be accepted stays a dead letter.

        Args:
            ids: Only these; None means all.
            reason: Only those with this reason.

        Returns:
            How many were accepted.

        Raises:
            BufferFull: There is no room for the next one; those before it were accepted.
            ConfigurationError: The client is not enabled.
            ClientClosed: The client was closed.
        """
        number = 0
        for letter in self._select(ids, reason):
            # Accept first, then remove: a crash in between leaves the message in both places, and never in none.
            self._resend(letter.message)
            self._buffer.take_dead(ids=[letter.id])
            number += 1
        return number

    def discard(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> int:
        """Remove them (all, by id, by reason) and return how many. You decided this, so it is not counted as a loss."""
        return sum(len(self._buffer.take_dead(ids=[letter.id])) for letter in self._select(ids, reason))

    def export(self, file: TextIO, *, reason: str | None = None) -> int:
        """
        Write them to *file* as JSON lines and return how many; they stay.

        Each line: ``{"id", "reason", "answer", "attempts", "accepted_at", "died_at", "message"}``, instants in Unix seconds.
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
