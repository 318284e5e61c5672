"""Coerces single values to what a rule asks for: ids (R2), e-mail addresses (I2), numbers (R9), texts; knows no trait."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._types import JsonValue

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,19})(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
# Most readers of JSON keep 64 bits of a whole number, and nobody counts further.
_LARGEST_WHOLE = 2**63
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
    """Return *value* as an id (R2): a text as it is, a whole number as text; None for a blank text and for other types."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    check_json(value)
    return None


def with_article(noun: str) -> str:
    """Return *noun* with its article: ``a set``, ``an object``."""
    return f"an {noun}" if noun[:1] in "aeiouAEIOU" else f"a {noun}"


def is_address(text: str) -> bool:
    """Tell whether *text* looks like an e-mail address of at most 254 characters."""
    return "@" in text and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def address(value: JsonValue) -> str | None:
    """Return *value* as a trimmed e-mail address; None when it does not look like one (I2)."""
    if not isinstance(value, str):
        check_json(value)
        return None
    text = value.strip()
    return text if is_address(text) else None


def whole_number(value: JsonValue) -> int | None:
    """Return *value* as a whole number of at most 64 bits (R9): ``50``, ``50.0``, ``"50"``; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
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
        text = value.strip()
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
    """Return *value* as a trimmed text, a number in digits; None for a blank text and for other types."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        # Spreadsheets turn a telephone number into a float, and nobody wants to read the ".0".
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_WHOLE else repr(value)
    check_json(value)
    return None
