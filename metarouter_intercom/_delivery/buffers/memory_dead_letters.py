"""The dead letters of the buffer in memory (rule X1): a bounded list; knows no lanes, and its owner holds the lock."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ...plugins import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._types import JsonObject

# Dead letters that one call removes.
_MAX_TAKEN = 1_000


class MemoryDeadLetters:
    """
    Keeps the newest dead letters.

    Args:
        limit: How many are kept; the oldest are removed first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._letters: deque[DeadLetter] = deque(maxlen=limit)
        self._last_id = 0
        self._taken = 0

    @property
    def evicted(self) -> int:
        """How many were removed because there were too many."""
        return self._last_id - self._taken - len(self._letters)

    def add(
        self,
        message: JsonObject,
        *,
        reason: str,
        answer: JsonObject | None,
        attempts: int,
        accepted_at: float,
        died_at: float,
    ) -> None:
        """Keep one more."""
        self._last_id += 1
        self._letters.append(
            DeadLetter(
                id=self._last_id,
                message=message,
                reason=reason,
                answer=answer,
                attempts=attempts,
                accepted_at=accepted_at,
                died_at=died_at,
            )
        )

    def page(self, reason: str | None, after: int, limit: int) -> list[DeadLetter]:
        """Return at most *limit* with an id above *after*, oldest first; None as *reason* means every reason."""
        return [letter for letter in self._letters if letter.id > after and reason in (None, letter.reason)][
            :limit
        ]

    def count(self) -> dict[str, int]:
        """Return reason -> number."""
        counts: dict[str, int] = {}
        for letter in self._letters:
            counts[letter.reason] = counts.get(letter.reason, 0) + 1
        return counts

    def take(self, ids: Sequence[int] | None, reason: str | None) -> list[DeadLetter]:
        """Remove and return those with *ids* and *reason* (None: all), at most 1,000."""
        letters = [
            letter
            for letter in self._letters
            if (ids is None or letter.id in ids) and reason in (None, letter.reason)
        ][:_MAX_TAKEN]
        taken_ids = {letter.id for letter in letters}
        self._taken += len(letters)
        self._letters = deque(
            (letter for letter in self._letters if letter.id not in taken_ids), maxlen=self._limit
        )
        return letters
