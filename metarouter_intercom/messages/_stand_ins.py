"""Finds what a value of any other type stands for in JSON (rule Q6): a text, a number, a list or an object; knows no message."""

from __future__ import annotations

from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeAlias

from ._coercion import with_article

# No JSON reader keeps a larger whole number.
LARGEST_INT = 2**64
# A caller's own class may go on for ever. No message that Intercom takes has so many values.
_MOST_MEMBERS = 100_000
# How many stand-ins a value may be wrapped in where a single text or number is expected: an enum of a lazy text is two.
_MOST_WRAPPERS = 8
# Type names are made by programs, and a program can make a long one.
_LONGEST_NAME = 60
_PLAIN = frozenset({str, int, float, bool, type(None), list, dict})
# Classes of texts that are translated when they are shown: Django's, Babel's, Flask's.
_LAZY_TEXTS = frozenset({"Promise", "LazyProxy", "LazyString", "_LazyString"})

_NAME_OF = type.__dict__["__name__"].__get__

Read: TypeAlias = "tuple[Any, Any]"


class NoMeaning(Exception):
    """A value stands for nothing that JSON has; the text says what it is."""


def plain_of(value: Any) -> Any:
    """Return what *value* stands for, as a JSON value whose members may be of any type; *value* itself when that is nothing."""
    plain = value
    try:
        for _ in range(_MOST_WRAPPERS):
            if type(plain) in _PLAIN:
                return plain
            plain = meaning_of(plain)
    except Exception:
        # The caller's own classes run here, and they may raise anything.
        return value
    return value


def meaning_of(value: Any) -> Any:
    """
    Return what *value*, which is of no type that JSON has, stands for; that may need to be asked again.

    Libraries are recognised by what their classes look like, so that none of them is imported.

    Raises:
        NoMeaning: It stands for nothing.
        Exception: Whatever the value's own class raises.
    """
    # An object that stands in for another one, such as Django's SimpleLazyObject, says that it is of the other one's class.
    kind = value.__class__
    if kind is _Unreadable:
        raise NoMeaning(value.fault)
    if isinstance(value, type):
        raise NoMeaning("a class")
    for types, read in _BY_TYPE:
        if isinstance(value, types):
            return read(value)
    for names, read in _BY_SHAPE:
        if all(hasattr(kind, name) for name in names):
            return read(value)
    if _behaves_as_text(value) or _is_known_text(kind):
        return str(value)
    raise NoMeaning(name_of(value))


def name_of(value: Any) -> str:
    """Return the type of *value* with its article, for a note."""
    return with_article(type_name(value))


def type_name(value: Any) -> str:
    """Return the name of the type of *value*, which a metaclass cannot make raise."""
    name: str = _NAME_OF(type(value))
    return name[:_LONGEST_NAME]


class _Unreadable:
    """Stands for one member of an object that raised when it was read, so that the others are kept."""

    def __init__(self, error: Exception) -> None:
        self.fault = f"a value: reading it raised {type_name(error)}"


def _object(names: Iterable[Any], read: Callable[[Any], Any]) -> dict[Any, Any]:
    """Return name -> value, where *read* gives the value of a name."""
    members: dict[Any, Any] = {}
    for name in names:
        try:
            members[name] = read(name)
        except Exception as error:
            # The caller's own properties run here, and they may raise anything.
            members[name] = _Unreadable(error)
    return members


# --- by type ----------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return str.__str__(value) if issubclass(type(value), str) else str(value)


def _integer(value: Any) -> int:
    return int.__int__(value) if issubclass(type(value), int) else int(value)


def _float(value: Any) -> float:
    return float.__float__(value) if issubclass(type(value), float) else float(value)


def _decoded(value: Any) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise NoMeaning("bytes that are not UTF-8") from None


def _instant(value: datetime) -> str:
    if value != value:
        raise NoMeaning("a date that is none")  # Pandas has such a date for "no date".
    return (value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)).isoformat()


def _seconds(value: timedelta) -> float:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _members(mapping: Any) -> dict[Any, Any]:
    if issubclass(type(mapping), dict):
        return dict(_bounded(mapping.items()))
    return _row(mapping)


def _items(values: Any) -> list[Any]:
    return list(_bounded(values))


def _sorted_items(values: Any) -> list[Any]:
    items = _items(values)
    try:
        return sorted(items, key=repr)
    except Exception:
        # A member's own class may have no repr; the order of a set means nothing.
        return items


def _sequence(value: Any) -> Any:
    """Return a list; an object where the members have names, as in a named tuple and a row of a database; a text for ``UserString``."""
    kind = value.__class__
    if hasattr(kind, "_asdict"):
        return value._asdict()
    if hasattr(kind, "keys"):
        return _row(value)
    return str(value) if _behaves_as_text(value) else _items(value)


def _bounded(values: Iterable[Any]) -> Iterator[Any]:
    iterator = iter(values)
    yield from islice(iterator, _MOST_MEMBERS)
    for _ in iterator:
        raise NoMeaning(f"more than {_MOST_MEMBERS:,} values in {name_of(values)}")


def _real(value: Any) -> float:
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < LARGEST_INT and value == number else number


_BY_TYPE: tuple[Read, ...] = (
    (Enum, lambda value: value.value),
    (str, _text),
    (bool, bool),
    (int, _integer),
    (float, _float),
    (type(None), lambda value: None),
    ((bytes, bytearray, memoryview), _decoded),
    (datetime, _instant),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _seconds),
    (Mapping, _members),
    ((KeysView, ItemsView, ValuesView, deque), _items),
    (Set, _sorted_items),
    (Sequence, _sequence),
    (SimpleNamespace, vars),
)


# --- by shape ---------------------------------------------------------------------------------------------


def _decimal(value: Any) -> float:
    if not value.is_finite():
        return float("nan")
    if value == value.to_integral_value() and abs(value) < LARGEST_INT:
        return int(value)
    return float(value)


def _fields(names: str) -> Any:
    """Return a reader of objects whose class lists the names of its values under *names*."""

    def read(value: Any) -> dict[str, Any]:
        listed = getattr(value.__class__, names)
        return _object((getattr(field, "name", field) for field in listed), partial(getattr, value))

    return read


def _dataclass(value: Any) -> dict[str, Any]:
    import dataclasses

    return _object((field.name for field in dataclasses.fields(value)), partial(getattr, value))


def _row(value: Any) -> dict[Any, Any]:
    return _object(_bounded(value.keys()), lambda name: value[name])


def _array(value: Any) -> Any:
    """Return the numbers, texts or dates of an array, or the one of a scalar, of NumPy's kind."""
    size = getattr(value, "size", 0)
    if isinstance(size, int) and size > _MOST_MEMBERS:
        raise NoMeaning(f"more than {_MOST_MEMBERS:,} values in {name_of(value)}")
    kind = getattr(value.dtype, "kind", "")
    if kind in ("M", "m"):
        # NumPy gives dates in nanoseconds as bare numbers, and those in microseconds as dates.
        value = value.astype("datetime64[us]" if kind == "M" else "timedelta64[us]")
    return value.tolist()


# Names that a class has -> how to read its objects; the first that fits is used.
_BY_SHAPE: tuple[Read, ...] = (
    (("model_dump", "model_fields"), lambda value: value.model_dump()),
    (("dict", "__fields__", "validate"), lambda value: value.dict()),
    (("__dataclass_fields__",), _dataclass),
    (("__attrs_attrs__",), _fields("__attrs_attrs__")),
    (("__struct_fields__",), _fields("__struct_fields__")),
    (("__fspath__",), lambda value: value.__fspath__()),
    (("_asdict",), lambda value: value._asdict()),
    (("is_finite", "to_integral_value"), _decimal),
    (("hex", "bytes_le"), str),
    (("dtype", "tolist"), _array),
    (("keys", "__getitem__"), _row),
    (("append", "__iter__"), _items),
    (("isoformat",), lambda value: value.isoformat()),
    (("__index__",), lambda value: value.__index__()),
    (("numerator", "denominator", "__float__"), _real),
    (("is_integer", "__float__"), float),
)


def _behaves_as_text(value: Any) -> bool:
    """Tell whether *value* has a text's methods, and they give what those of its text give."""
    fold, encode = getattr(value, "casefold", None), getattr(value, "encode", None)
    return callable(fold) and callable(encode) and bool(fold() == str(value).casefold())


def _is_known_text(kind: type) -> bool:
    """Tell whether *kind* is an address of ``ipaddress``, or a lazy text that has no other method of a text than ``__str__``."""
    bases = kind.__mro__[:-1]
    return any("__str__" in base.__dict__ for base in bases) and any(
        base.__module__ == "ipaddress" or base.__name__ in _LAZY_TEXTS for base in bases
    )
