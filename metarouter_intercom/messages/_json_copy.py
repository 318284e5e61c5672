"""Copies a caller's data into JSON values that share nothing with it (rules Q1, Q2); knows no message type and no trait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from .._types import Note
from ..errors import Problem
from ._coercion import with_article
from ._edges import trimmed
from ._memo import Memo

if TYPE_CHECKING:
    from .._types import JsonObject, JsonValue

# No real message is deeper, and both json.dumps and this module's recursion stay far from their limits on every supported Python.
_DEEPEST = 100
# No JSON reader keeps a larger whole number, and Python refuses to write a very large one as text.
_LARGEST_INT = 2**64
_NUL = "\x00"
_FLAT = frozenset({str, int, float, bool, type(None)})
# JSON writes a character as at most six bytes (\u0001), and a number as at most 25.
_WIDEST_CHARACTER = 6
_WIDEST_SCALAR = 32
# How many sets of keys to remember: an application sends the same few again and again.
_MOST_KEY_SETS = 5_000
_FAST_LEVELS = 3
# Enough to fix the sender by; nobody reads ten thousand of them.
_MOST_PROBLEMS = 100
_LONGEST_PATH = 200


def is_clean(text: str) -> bool:
    """Tell whether *text* can be kept as it is: it holds no NUL (R10), and no lone surrogate, which UTF-8 cannot write."""
    if _NUL in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size_of_keys(keys: tuple[Any, ...]) -> int:
    if not all(
        type(key) is str and is_clean(key) and (trimmed(key) == key or not trimmed(key)) for key in keys
    ):
        return -1
    return 2 + sum(len(key) * _WIDEST_CHARACTER + _WIDEST_SCALAR for key in keys)


_key_sizes = Memo(_size_of_keys, _MOST_KEY_SETS)


def _name_of(key: str) -> str:
    """Return *key* without what nobody sees at its ends (R10); a name of blanks only has a rule of its own, so it is kept (A2)."""
    return trimmed(key) or key


# Key -> its name; None when a note is due.
_names: Memo[str, str | None] = Memo(lambda key: _name_of(key) if is_clean(key) else None)


def key_size(keys: tuple[Any, ...]) -> int:
    """Return an upper bound of the bytes of *keys* and of their scalar values, texts aside, as JSON; -1 when a key is not a plain text."""
    return _key_sizes[keys]


def count_characters(values: tuple[Any, ...]) -> int:
    """Return how many characters the texts in *values* have; -1 when a value is not a plain text, number, boolean or None."""
    characters = 0
    for value in values:
        kind = type(value)
        if kind is str:
            if not (value.isascii() and _NUL not in value) and not is_clean(value):
                return -1
            characters += len(value)
        elif kind is int:
            if not -_LARGEST_INT < value < _LARGEST_INT:
                return -1
        elif kind not in _FLAT:
            return -1
    return characters


def fast_copy(values: dict[Any, Any], level: int = 0) -> tuple[JsonObject, int] | None:
    """
    Return a copy of *values* with an upper bound of its bytes as JSON; None leaves them to the full path, which is ``Copier``.

    The fast path takes a plain dict of texts, numbers, booleans, None and such dicts, to a few levels. ``Copier`` makes the same copy
    of it. For any other value only ``Copier`` can say what is wrong.
    """
    # Copied before it is checked, because another thread may write to the original meanwhile.
    copy = values.copy()
    size = _key_sizes[tuple(copy)]
    if size < 0:
        return None
    characters = 0
    is_nested = False
    for value in copy.values():
        kind = type(value)
        if kind is str:
            if not (value.isascii() and _NUL not in value) and not is_clean(value):
                return None
            characters += len(value)
        elif kind is int:
            if not -_LARGEST_INT < value < _LARGEST_INT:
                return None
        elif kind is dict:
            is_nested = True
        elif kind not in _FLAT:
            return None
    if is_nested:
        for key, value in copy.items():
            if type(value) is dict:
                inner = fast_copy(value, level + 1) if level < _FAST_LEVELS else None
                if inner is None:
                    return None
                copy[key] = inner[0]
                size += inner[1]
    return copy, size + characters * _WIDEST_CHARACTER


class _LeftOut:
    """Stands for a value that JSON has no form for."""


_LEFT_OUT = _LeftOut()


class Copier:
    """
    Copies the values of one message; the full path.

    Attributes:
        problems: One for each value that JSON has no form for and that is left out, at most 100. Any of them rejects a message that is
            being accepted.
        notes: One for each value that was changed.
    """

    __slots__ = ("_ancestors", "notes", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[Note] = []
        self._ancestors: set[int] = set()

    def copy_object(self, values: Mapping[Any, Any], path: str) -> JsonObject:
        """Return *values* as JSON values: dates and times become ISO text, a ``Decimal`` a number. *path* is theirs in the message."""
        copied = self._copy(values, path, 0)
        return copied if isinstance(copied, dict) else {}

    def text(self, text: str, path: str) -> str:
        """Return *text* without NUL (R10), and with a replacement character for each half of a surrogate pair, which UTF-8 cannot write."""
        if is_clean(text):
            return text
        if _NUL in text:
            self.notes.append(Note("R10", path, "NUL characters were taken out"))
            return self.text(text.replace(_NUL, ""), path)
        self.notes.append(Note("Q2", path, "characters that are no text were replaced"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _copy(self, value: Any, path: str, depth: int) -> JsonValue | _LeftOut:
        kind = type(value)
        if kind is str:
            return self.text(value, path)
        if kind is bool or value is None or kind is float:
            return value  # type: ignore[no-any-return]  # kind proves that it is JSON
        if kind is int:
            return self._integer(value, path)
        try:
            if isinstance(value, Mapping):
                return self._nested(value, path, depth, copy=self._object)
            if isinstance(value, list | tuple | set | frozenset):
                return self._nested(value, path, depth, copy=self._list)
            return self._other(value, path, depth)
        except Exception as error:
            # The caller's own classes run here, and they may raise anything.
            return self._refuse(
                path,
                f"reading it raised {type(error).__name__}",
                "send plain objects, lists, texts and numbers",
            )

    def _integer(self, number: int, path: str) -> int | _LeftOut:
        if -_LARGEST_INT < number < _LARGEST_INT:
            return number
        return self._refuse(path, "an integer of more than 64 bits", "send it as text")

    def _nested(self, value: Any, path: str, depth: int, *, copy: Any) -> JsonValue | _LeftOut:
        if id(value) in self._ancestors:
            return self._refuse(path, "contains itself", "send a tree")
        if depth >= _DEEPEST:
            return self._refuse(path, f"nested deeper than {_DEEPEST} levels", "flatten it")
        self._ancestors.add(id(value))
        try:
            copied: JsonValue = copy(value, path, depth + 1)
        finally:
            self._ancestors.discard(id(value))
        return copied

    def _object(self, values: Mapping[Any, Any], path: str, depth: int) -> JsonObject:
        copied: JsonObject = {}
        for key, value in values.items():
            name = self._key(key, path)
            if name is None:
                continue
            if name in copied or (name != key and isinstance(key, str) and name in values):
                # A name that is spelled exactly wins over one that has to be cleaned, whichever comes first.
                self.notes.append(Note("Q2", f"{path}.{name}", "another value has this name"))
                continue
            inner = self._copy(value, f"{path}.{name}", depth)
            if not isinstance(inner, _LeftOut):
                copied[name] = inner
        return copied

    def _list(self, items: Any, path: str, depth: int) -> JsonValue:
        ordered = sorted(items, key=repr) if isinstance(items, set | frozenset) else items
        copied = [self._copy(item, f"{path}.{at}", depth) for at, item in enumerate(ordered)]
        return [item for item in copied if not isinstance(item, _LeftOut)]

    def _key(self, key: Any, path: str) -> str | None:
        if isinstance(key, str):
            name = str.__str__(key)
            return _names[name] or _name_of(self.text(name, path))
        if key is None or isinstance(key, bool):
            return {None: "null", True: "true", False: "false"}[key]
        if isinstance(key, int):
            return str(int(key))
        if isinstance(key, float):
            return repr(float(key))
        fault = f"a key that is {with_article(type(key).__name__)}, not a text"
        self._refuse(path, fault, "name every value by a text")
        return None

    def _other(self, value: Any, path: str, depth: int) -> JsonValue | _LeftOut:
        """Copy a value that is not a plain JSON value but has one natural JSON form."""
        if isinstance(value, Enum):
            return self._copy(value.value, path, depth)
        if isinstance(value, datetime):
            return (value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)).isoformat()
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, str):
            return self.text(str.__str__(value), path)
        if isinstance(value, int):
            return self._integer(int(value), path)
        if isinstance(value, float):
            return float(value)
        return self._special(value, path)

    def _special(self, value: Any, path: str) -> JsonValue | _LeftOut:
        from decimal import Decimal
        from uuid import UUID

        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, Decimal):
            if not value.is_finite():
                return float("nan")
            if value == value.to_integral_value() and abs(value) < _LARGEST_INT:
                return int(value)
            return float(value)
        return self._refuse(
            path,
            f"{with_article(type(value).__name__)}, which is no JSON value",
            "send text, numbers, booleans, lists or objects",
        )

    def _refuse(self, path: str, fault: str, remedy: str) -> _LeftOut:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(path[:_LONGEST_PATH], fault, remedy))
        return _LEFT_OUT


def json_size(message: JsonObject) -> int:
    """Return the bytes of *message* as compact JSON in UTF-8."""
    return len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
