"""Coerces single values to what a rule asks for: ids (R2), e-mail addresses (I1, I2), numbers (R9), texts; knows no trait."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ._edges import is_accident, is_plain_id, trimmed, trimmed_id

if TYPE_CHECKING:
    from .._types import JsonValue

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
# A userId is an address only if it is nothing else: ids of identity providers, paths and tenants contain one (I1). The characters that
# join those parts, such as | / \ { } ? = # %, are legal in an address, but hardly anybody's address has one.
_PLAIN_ADDRESS = re.compile(
    r"(?!\.)(?:[\w+'-]|\.(?![.@]))+@(?:[^\W_](?:[^\W_]|-(?=[\w-]*[^\W_]))*\.)+(?:[^\W\d_]{2,}|xn--[a-z0-9-]+)",
    re.IGNORECASE,
)
_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,19})(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
# Most readers of JSON keep 64 bits of a whole number, and nobody counts further.
_LARGEST_WHOLE = 2**63
# From here on a float has lost digits, so two ids may have become one.
LARGEST_EXACT_FLOAT = 2**53
_JSON_TYPES = frozenset({str, int, float, bool, list, dict, type(None)})


class NotJson(Exception):
    """A message made by hand holds a value that JSON does not know. ``translate`` turns the message into JSON and starts again."""


def check_json(value: JsonValue) -> None:
    """
    Check that *value*, which is not of the type that a rule asks for, is a JSON value at all.

    Raises:
        NotJson: It is not. Its JSON form may have the right type: that of a ``Decimal`` is a number.
    """
    if type(value) not in _JSON_TYPES:
        raise NotJson


def id_text(value: JsonValue) -> str | None:
    """
    Return *value* as an id (R2, R10): a text without invisible characters at its ends, a whole number as text.

    None for a blank text, for one that a program writes where an id is missing, and for other types.
    """
    if isinstance(value, str):
        if is_plain_id(value):
            return value
        return None if is_accident(value) else trimmed_id(value) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else None
    check_json(value)
    return None


def with_article(noun: str) -> str:
    """Return *noun* with its article: ``a set``, ``an object``."""
    return f"an {noun}" if noun[:1] in "aeiouAEIOU" else f"a {noun}"


def is_address(text: str) -> bool:
    """Tell whether *text* looks like an e-mail address of at most 254 characters."""
    return "@" in text and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def address(value: JsonValue) -> str | None:
    """Return *value* as an e-mail address without what surrounds it invisibly; None when it does not look like one (I2, R10)."""
    if not isinstance(value, str):
        check_json(value)
        return None
    text = value.strip() if value.isprintable() else trimmed(value)
    return text if is_address(text) else None


def address_in_id(user_id: str) -> str | None:
    """Return the e-mail address that *user_id* is; None when it is none, or only contains one (I1, E2)."""
    if "@" not in user_id:
        return None
    text = trimmed(user_id)
    return text if is_address(text) and _PLAIN_ADDRESS.fullmatch(text) else None


def whole_number(value: JsonValue) -> int | None:
    """Return *value* as a whole number of at most 64 bits (R9): ``50``, ``50.0``, ``"50"``; None for anything else."""
    if isinstance(value, str):
        text = trimmed(value)
        match = _WHOLE_NUMBER.fullmatch(text) if text.isascii() else None
        if match is None:
            return None
        value = int(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        check_json(value)
        return None
    if not -_LARGEST_WHOLE < value < _LARGEST_WHOLE:
        return None
    return int(value) if value == int(value) else None


def number(value: JsonValue) -> float | int | None:
    """Return *value* as a finite number, also from a text such as ``"1.5"``; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = trimmed(value)
        if not (text.isascii() and _NUMBER.fullmatch(text)):
            return None
        value = float(text)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    check_json(value)
    return None


def text_field(value: JsonValue) -> str | None:
    """Return *value* as a text without what surrounds it invisibly (R10), a number in digits; None for a blank text and for other types."""
    if isinstance(value, str):
        return trimmed(value) or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        # Spreadsheets turn a telephone number into a float, and nobody wants to read the ".0".
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_WHOLE else repr(value)
    check_json(value)
    return None
