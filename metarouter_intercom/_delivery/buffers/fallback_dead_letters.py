"""The dead letters of a spool with memory behind it (rule X1): in memory while the file fails, and in the file as soon as it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SpoolFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._types import JsonObject
    from ...plugins import DeadLetter
    from .memory import MemoryBuffer
    from .spool import SpoolBuffer

_AT_ONCE = 10_000


class FallbackDeadLetters:
    """Implements ``plugins.DeadLetterStore`` over both places of a ``FallbackBuffer``."""

    _spool: SpoolBuffer
    _memory: MemoryBuffer

    def _report(self, error: SpoolFailed, now: float, messages: Sequence[JsonObject] = ()) -> None:
        raise NotImplementedError

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        try:
            self._spool.bury(message, reason=reason, now=now)
        except SpoolFailed as error:
            self._memory.bury(message, reason=reason, now=now)
            self._report(error, now, [message])

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        self._spool_dead_letters()
        return self._spool.dead_letters(reason=reason, after=after, limit=limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        self._spool_dead_letters()
        return self._spool.count_dead()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        self._spool_dead_letters()
        return self._spool.take_dead(ids=ids, reason=reason)

    def _spool_dead_letters(self) -> None:
        """Move the dead letters in memory into the file."""
        for letter in self._memory.dead_letters(limit=_AT_ONCE):
            self._spool.bury(letter.message, reason=letter.reason, now=letter.died_at)
            self._memory.take_dead(ids=[letter.id])
