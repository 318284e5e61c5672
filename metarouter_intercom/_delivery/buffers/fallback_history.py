"""The history of a spool with memory behind it: what ended while the file failed, and then what the file has (rule X2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...plugins import HistoryEntry, HistoryStore

# Added to the numbers of the entries in memory: above every number of the file.
_IN_MEMORY = 2**60


class FallbackHistory:
    """
    Implements ``plugins.HistoryStore`` over two others.

    Entries in memory come first. If the file works again, entries that it got since are newer than those.

    Args:
        file: The spool's.
        memory: That of the memory behind it.
    """

    def __init__(self, file: HistoryStore, memory: HistoryStore) -> None:
        self._file = file
        self._memory = memory

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return entries, those in memory first."""
        if before is None or before > _IN_MEMORY:
            below = None if before is None else before - _IN_MEMORY
            rows = self._memory.page(below, limit)
            if rows:
                return [(number + _IN_MEMORY, entry) for number, entry in rows]
            before = None
        return self._file.page(before, limit)

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove entries from both."""
        self._memory.forget([number - _IN_MEMORY for number in numbers if number > _IN_MEMORY])
        self._file.forget([number for number in numbers if number <= _IN_MEMORY])
