"""Copies a caller's data into JSON values that share nothing with it (rules Q1, Q2, Q6); knows no message type and no trait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .._types import Note
from ._edges import trimmed
from ._memo import Memo
from ._stand_ins import LARGEST_INT, NoMeaning, meaning_of, name_of, plain_of, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue

# No real message is deeper, and both json.dumps and this module's recursion stay far from their limits on every supported Python.
_DEEPEST = 100
# In bits. A larger whole number is kept as a text, because no JSON reader keeps it, and beyond this one it is no number of anything.
_LONGEST_INT = 256
_NUL = "\x00"
_FLAT = frozenset({str, int, float, bool, type(None)})
# JSON writes a character as at most six bytes (\u0001), and a number as at most 25.
_WIDEST_CHARACTER = 6
_WIDEST_SCALAR = 32
# How many sets of keys to remember: an application sends the same few again and again.
_MOST_KEY_SETS = 5_000
_FAST_LEVELS = 3
# Enough to fix the sender by; nobody reads ten thousand of them.
_MOST_NOTES = 100
# Lists that hold one another again and again can stand for more values than there are atoms. No message of this many fits any limit.
_MOST_VALUES = 1_000_000
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
            if not -LARGEST_INT < value < LARGEST_INT:
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
            if not -LARGEST_INT < value < LARGEST_INT:
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
        notes: One for each value that was changed or left out, at most 100 and one more that says so.
    """

    __slots__ = ("_ancestors", "_copied", "notes")

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._ancestors: set[int] = set()
        self._copied = 0

    def copy_object(self, values: Mapping[Any, Any], path: str) -> JsonObject:
        """
        Return *values* as JSON values that share nothing with them; *path* is theirs in the message.

        A value of a type that JSON does not have becomes what it stands for (Q6). One that stands for nothing is left out with a note.
        """
        copied = self._copy(values, path, 0)
        return copied if isinstance(copied, dict) else {}

    def text(self, text: str, path: str) -> str:
        """Return *text* without NUL (R10), and with a replacement character for each half of a surrogate pair, which UTF-8 cannot write."""
        if is_clean(text):
            return text
        if _NUL in text:
            self._note(Note("R10", path, "NUL characters were taken out"))
            return self.text(text.replace(_NUL, ""), path)
        self._note(Note("Q2", path, "characters that are no text were replaced"))
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
            return self._nested(value, path, depth)
        except NoMeaning as error:
            return self._leave_out(path, str(error))
        except Exception as error:
            # The caller's own classes run here, and they may raise anything.
            return self._leave_out(path, f"{name_of(value)}: reading it raised {type_name(error)}")

    def _integer(self, number: int, path: str) -> JsonValue | _LeftOut:
        if -LARGEST_INT < number < LARGEST_INT:
            return number
        if number.bit_length() > _LONGEST_INT:
            return self._leave_out(path, f"a whole number of more than {_LONGEST_INT} bits")
        self._note(Note("Q6", path, "a whole number of more than 64 bits became a text"))
        return str(number)

    def _nested(self, value: Any, path: str, depth: int) -> JsonValue | _LeftOut:
        """Copy a list, an object, or a value that stands for something else."""
        if id(value) in self._ancestors:
            raise NoMeaning(f"{name_of(value)} that contains itself")
        if depth >= _DEEPEST or len(self._ancestors) >= 2 * _DEEPEST:
            raise NoMeaning(f"{name_of(value)} nested deeper than {_DEEPEST} levels")
        if self._copied >= _MOST_VALUES:
            raise NoMeaning(f"{name_of(value)} after {_MOST_VALUES:,} other values")
        kind = type(value)
        self._ancestors.add(id(value))
        try:
            if kind is dict:
                return self._object(value, path, depth + 1)
            if kind is list or kind is tuple:
                return self._list(value, path, depth + 1)
            return self._copy(meaning_of(value), path, depth)
        finally:
            self._ancestors.discard(id(value))

    def _object(self, values: dict[Any, Any], path: str, depth: int) -> JsonObject:
        copied: JsonObject = {}
        # A copy, because another thread may write to the original meanwhile.
        for key, value in values.copy().items():
            name = self._key(key, path)
            if name is None:
                continue
            if name in copied or (name != key and isinstance(key, str) and name in values):
                # A name that is spelled exactly wins over one that has to be cleaned, whichever comes first.
                self._note(Note("Q2", f"{path}.{name}", "another value has this name"))
                continue
            inner = self._copy(value, f"{path}.{name}", depth)
            if not isinstance(inner, _LeftOut):
                copied[name] = inner
        self._copied += 1 + len(copied)
        return copied

    def _list(self, items: list[Any] | tuple[Any, ...], path: str, depth: int) -> JsonValue:
        copied = [self._copy(item, f"{path}.{at}", depth) for at, item in enumerate(items)]
        self._copied += 1 + len(copied)
        return [item for item in copied if not isinstance(item, _LeftOut)]

    def _key(self, key: Any, path: str) -> str | None:
        """Return *key* as JSON writes it, without invisible characters at its ends; None for one that is no text and stands for none."""
        if type(key) is not str:
            plain = plain_of(key)
            if plain is None or isinstance(plain, bool):
                return {None: "null", True: "true", False: "false"}[plain]
            is_key = isinstance(plain, str | float) or (
                isinstance(plain, int) and plain.bit_length() <= _LONGEST_INT
            )
            if not is_key:
                self._leave_out(path, f"a key that is {name_of(key)}")
                return None
            key = str(plain)
        return _names[key] or _name_of(self.text(key, path))

    def _leave_out(self, path: str, fault: str) -> _LeftOut:
        self._note(Note("Q6", path, f"left out: {fault}"))
        return _LEFT_OUT

    def _note(self, note: Note) -> None:
        path = note.path[:_LONGEST_PATH]
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(note.rule, path, note.reason))
        elif len(self.notes) == _MOST_NOTES:
            self.notes.append(Note("Q6", path, "this value and others were changed or left out"))


def json_size(message: JsonObject) -> int:
    """Return the bytes of *message* as compact JSON in UTF-8."""
    return len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
