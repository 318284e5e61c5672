"""What a buffer can do beyond a queue: keep values, dead letters, a history and the seconds of events; knows the protocols and no built-in buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from ...plugins import DeadLetterStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..._intercom.event_seconds import SecondsStore
    from ..._types import JsonObject
    from ...plugins import Buffer, DeadLetter, HistoryEntry, HistoryStore, Store


class _EarlierBuffer(Protocol):
    """A buffer that was written when ``store`` was called ``shelf``."""

    def shelf(self) -> Store | None: ...


def store_of(buffer: Buffer) -> Store | None:
    """Return where *buffer* keeps the values of the workspace cache, or None; asks a buffer of version 0.1 by the earlier name."""
    if hasattr(buffer, "store"):
        return buffer.store()
    return cast("_EarlierBuffer", buffer).shelf()


def dead_letter_store_of(buffer: Buffer) -> DeadLetterStore:
    """Return *buffer* if it keeps dead letters, else a store that keeps none."""
    return buffer if isinstance(buffer, DeadLetterStore) else NoDeadLetters()


def seconds_store_of(buffer: Buffer) -> SecondsStore | None:
    """Return where *buffer* keeps the seconds of events (rule E10); None for memory and for a buffer that users wrote."""
    event_seconds: Callable[[], SecondsStore] | None = getattr(buffer, "event_seconds", None)
    return None if event_seconds is None else event_seconds()


def history_store_of(buffer: Buffer) -> HistoryStore:
    """Return where *buffer* keeps the last ends of messages (rule X2), or an empty store."""
    history: Callable[[], HistoryStore] | None = getattr(buffer, "history", None)
    return NoHistory() if history is None else history()


class NoHistory:
    """Implements ``plugins.HistoryStore`` for a buffer that keeps none: it is always empty."""

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return an empty list."""
        return []

    def forget(self, numbers: Sequence[int]) -> None:
        """Keep nothing."""


class NoDeadLetters:
    """
    Implements ``plugins.DeadLetterStore`` for a buffer that keeps no dead letters: it is always empty.

    A dead letter is lost here, but not unseen: the delivery has counted and logged it and passed it to the hooks.
    """

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep nothing."""

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return an empty list."""
        return []

    def count_dead(self) -> dict[str, int]:
        """Return no counts."""
        return {}

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Return an empty list."""
        return []
