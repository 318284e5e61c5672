"""The face of the dead letters (rule X1): list, retry, discard, export; the buffer keeps them."""

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

    Safe to use from any thread; iterating reads page by page, so a hundred thousand of them never stand in memory.
    """

    def __init__(self, buffer: DeadLetterStore, resend: Callable[[JsonObject], object]) -> None:
        self._buffer = buffer
        self._resend = resend

    def __iter__(self) -> Iterator[DeadLetter]:
        return self._pages(None)

    def __len__(self) -> int:
        return sum(self.count().values())

    def count(self) -> dict[str, int]:
        """Return reason -> number of those kept now."""
        return self._buffer.count_dead()

    def list(self, reason: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return at most *limit* of them, oldest first; only those with *reason* when it is given."""
        return self._buffer.dead_letters(reason=reason, limit=limit)

    def retry(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> int:
        """
        Accept them once more, as they were: the same message id and the same instant. What cannot be accepted stays.

        Args:
            ids: Only these; None means all.
            reason: Only those with this reason.

        Returns:
            How many.

        Raises:
            BufferFull: There is no room; those before it are on their way.
            ConfigurationError: The client is not enabled.
            ClientClosed: It was closed.
        """
        number = 0
        for letter in self._wanted(ids, reason):
            # Accepted first, forgotten second: a crash in between leaves it twice, never not at all.
            self._resend(letter.message)
            self._buffer.take_dead(ids=[letter.id])
            number += 1
        return number

    def discard(self, ids: Sequence[int] | None = None, *, reason: str | None = None) -> int:
        """Forget them (all, by id, by reason) and return how many; the caller's own decision, so not counted as a loss."""
        return sum(len(self._buffer.take_dead(ids=[letter.id])) for letter in self._wanted(ids, reason))

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

    def _wanted(self, ids: Sequence[int] | None, reason: str | None) -> Iterator[DeadLetter]:
        """Yield what is there now: one that is retried and dies again at once is not met twice."""
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
