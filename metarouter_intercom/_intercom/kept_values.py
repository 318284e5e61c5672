"""Keeps texts by kind and key: bounded in memory, and in a store that outlives the process where there is one; knows no meaning of them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..plugins import Store

CAPACITY = 50_000


class KeptValues:
    """
    Texts by kind and key. Safe to use from several threads.

    Args:
        store: Shared by the processes of one spool; None keeps everything in memory.
        lock: Guards memory.
        capacity: Values of each kind in memory; the least recently used leave first.
    """

    __slots__ = ("_capacity", "_lock", "_memory", "_store")

    def __init__(
        self, store: Store | None, *, lock: AbstractContextManager[object], capacity: int = CAPACITY
    ) -> None:
        self._store = store
        self._lock = lock
        self._capacity = capacity
        self._memory: dict[str, OrderedDict[str, str]] = {}

    def get(self, kind: str, key: str) -> str | None:
        """Return a value from memory, else from the store."""
        value = self.recall(kind, key)
        if value is None and self._store is not None:
            value = self._store.get(kind, key)
            if value is not None:
                self.keep(kind, key, value)
        return value

    def put(self, kind: str, key: str, value: str) -> None:
        """Keep a value, also in the store."""
        if self.recall(kind, key) == value:
            return
        self.keep(kind, key, value)
        if self._store is not None:
            self._store.put(kind, key, value)

    def forget(self, kind: str, key: str) -> None:
        """Forget a value, also in the store."""
        self.remove_from_memory(kind, key)
        if self._store is not None:
            self._store.forget(kind, key)

    def change(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace a value by what *change* makes of it, as one step; None removes it."""
        if self._store is not None:
            self._store.update(kind, key, change)
            return
        with self._lock:
            values = self._memory.setdefault(kind, OrderedDict())
            value = change(values.pop(key, None))
            if value is not None:
                self._insert(values, key, value)

    def recall(self, kind: str, key: str) -> str | None:
        """Return a value from memory alone."""
        with self._lock:
            values = self._memory.get(kind)
            value = None if values is None else values.get(key)
            if value is not None and values is not None:
                values.move_to_end(key)
            return value

    def keep(self, kind: str, key: str, value: str) -> None:
        """Keep a value in memory alone."""
        with self._lock:
            self._insert(self._memory.setdefault(kind, OrderedDict()), key, value)

    def _insert(self, values: OrderedDict[str, str], key: str, value: str) -> None:
        """Store *value* as the most recently used one; the caller holds the lock."""
        values[key] = value
        values.move_to_end(key)
        if len(values) > self._capacity:
            values.popitem(last=False)

    def remove_from_memory(self, kind: str, key: str) -> None:
        """Forget a value in memory alone; the store keeps it."""
        with self._lock:
            self._memory.get(kind, OrderedDict()).pop(key, None)
