"""Remembers what was worked out for a key, up to a limit; knows nothing of what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """
    ``memo[key]`` is ``make(key)``, worked out once; looking up a known key costs no call of Python code.

    Names and shapes of messages are few and repeat, so nearly every look-up is known. Safe to use from several threads, because *make*
    gives the same value for the same key.

    Args:
        make: Works out the value of a key.
        limit: The most keys to remember. Beyond them *make* is called each time.
    """

    __slots__ = ("_limit", "_make")

    def __init__(self, make: Callable[[Key], Value], limit: int = 20_000) -> None:
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: Key) -> Value:
        value = self._make(key)
        if len(self) < self._limit:
            self[key] = value
        return value
