"""Coerces single values to what a rule wants: ids (R2), addresses (I2), numbers (R9), texts; pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._types import JsonValue


_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")


_DIGITS = re.compile(r"([+-]?\d{1,19})(?:\.0*)?")


# No count of anything; beyond 64 bits no reader of JSON keeps it.
_LARGEST_WHOLE = 2**63


_JSON_KINDS = frozenset({str, int, float, bool, list, dict, type(None)})


class NotJson(Exception):
    """A value that JSON does not know, in a message that was made by hand; the translator copies the message and begins anew."""


def check_json(value: JsonValue) -> None:
    """
    See that *value*, which is not what is wanted, is JSON at least.

    Raises:
        NotJson: It is not, so that it may become what is wanted.
    """
    if type(value) not in _JSON_KINDS:
        raise NotJson


def id_text(value: JsonValue) -> str | None:
    """Return an id as text (R2): texts trimmed of check_json, whole numbers as text; None for blank ones and other types."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    check_json(value)
    return None


def with_article(kind: str) -> str:
    """Return the name of a *kind* of value as a sentence has it: ``a set``, ``an object``."""
    return f"an {kind}" if kind[:1] in "aeiouAEIOU" else f"a {kind}"


def is_address(text: str) -> bool:
    """Tell whether *text* looks like an e-mail address."""
    return "@" in text and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def address(value: JsonValue) -> str | None:
    """Return *value* as a trimmed e-mail address; None when it does not look like one (I2)."""
    if not isinstance(value, str):
        check_json(value)
        return None
    text = value.strip()
    return text if is_address(text) else None


def whole_number(value: JsonValue) -> int | None:
    """Return *value* where a whole number is wanted (R9): ``50``, ``50.0``, ``"50"``; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        digits = _DIGITS.fullmatch(text) if text.isascii() else None
        if digits is None:
            return None
        value = int(digits[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        check_json(value)
        return None
    if not -_LARGEST_WHOLE < value < _LARGEST_WHOLE:
        return None
    return int(value) if value == int(value) else None


def number(value: JsonValue) -> float | int | None:
    """Return *value* where a number is wanted: a finite number or a text of one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text)):
            return None
        value = float(text)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    check_json(value)
    return None


def text_field(value: JsonValue) -> str | None:
    """Return *value* where a text is wanted: trimmed, numbers as text; None for blank texts and other types."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        # A telephone number that went through a spreadsheet.
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_WHOLE else repr(value)
    check_json(value)
    return None
