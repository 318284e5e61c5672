"""Names and single values: which trait is which (R3), clean attribute names (A2), coercions (R2, R9, I2); pure."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import JsonValue

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\- ]+")
_SEPARATORS = re.compile(r"[\s_\-.]+")
_DIGITS = re.compile(r"[+-]?\d{1,18}")
# Names are few and repeat in every message, so what was worked out once is kept, up to this many.
_KEPT_NAMES = 20_000

# Intercom cuts text attributes and metadata texts at 255 characters (contract, section 6).
LONGEST_TEXT = 255
# Proofs of identity guard the Messenger; they go nowhere else (rule R7).
PROOFS = frozenset({"userhash", "intercomuserjwt"})

_plain: dict[str, str] = {}
_clean: dict[str, str] = {}


def plain_name(name: str) -> str:
    """Return *name* without case and separators: ``createdAt``, ``created_at``, ``Created At`` are one (R3)."""
    found = _plain.get(name)
    if found is None:
        found = _SEPARATORS.sub("", name).lower()
        if len(_plain) < _KEPT_NAMES:
            _plain[name] = found
    return found


def clean_name(name: str) -> str:
    """Return *name* with every character that Intercom refuses in an attribute's name replaced by ``_`` (A2)."""
    found = _clean.get(name)
    if found is None:
        found = name if _PLAIN_NAME.fullmatch(name) else "".join(map(_clean_character, name))
        if len(_clean) < _KEPT_NAMES:
            _clean[name] = found
    return found


def _clean_character(character: str) -> str:
    if character.isalnum() or character in "_- ":
        return character
    return character if character != "$" and unicodedata.category(character) == "Sc" else "_"


def look_up(facts: Mapping[str, JsonValue], *names: str) -> JsonValue:
    """
    Return the first value that is there under one of *names*, in their order, whatever case and separators (R3).

    The exact spelling wins over others of the same name; None and blank texts count as absent.
    """
    for name in names:
        value = facts.get(name)
        if not is_absent(value):
            return value
    by_plain: dict[str, JsonValue] = {}
    for key, value in facts.items():
        if not is_absent(value):
            by_plain.setdefault(plain_name(key), value)
    for name in names:
        if (plain := plain_name(name)) in by_plain:
            return by_plain[plain]
    return None


def is_absent(value: JsonValue) -> bool:
    """Tell whether *value* counts as absent in a chain of fallbacks: null, or a text with nothing in it."""
    return value is None or (type(value) is str and not value.strip())


def object_at(facts: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    """Return the object under *name*; an empty one when there is none."""
    value = facts.get(name)
    return value if isinstance(value, dict) else {}


def id_text(value: JsonValue) -> str | None:
    """Return an id as text (R2): texts trimmed of nothing, whole numbers as text; None for blank ones and other types."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def is_address(text: str) -> bool:
    """Tell whether *text* looks like an e-mail address."""
    return "@" in text and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def address(value: JsonValue) -> str | None:
    """Return *value* as a trimmed e-mail address; None when it does not look like one (I2)."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if is_address(text) else None


def whole_number(value: JsonValue) -> int | None:
    """Return *value* where a whole number is wanted (R9): ``50``, ``50.0``, ``"50"``; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and _DIGITS.fullmatch(text):
            return int(text)
    return None


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
    return value if isinstance(value, float) and math.isfinite(value) else None


def text_field(value: JsonValue) -> str | None:
    """Return *value* where a text is wanted: trimmed, numbers as text; None for blank texts and other types."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return None


class Chain:
    """
    The traits of one object that may feed one field, found by plain name in one pass.

    Attributes:
        rest: What feeds no field, in the caller's order: ``(key, value)``.
    """

    __slots__ = ("_found", "rest")

    def __init__(
        self,
        facts: Mapping[str, JsonValue],
        known: Mapping[str, str],
        *,
        notes: list[Note],
        path: str,
    ) -> None:
        """
        Sort *facts* into fields and rest.

        Args:
            facts: The traits.
            known: Plain name -> the exact Segment spelling.
            notes: Where a second spelling is told.
            path: Of *facts* in the message.
        """
        found: dict[str, tuple[str, JsonValue]] = {}
        self.rest: list[tuple[str, JsonValue]] = []
        for key, value in facts.items():
            plain = plain_name(key)
            exact = known.get(plain)
            if exact is None:
                self.rest.append((key, value))
                continue
            older = found.get(plain)
            if older is None:
                found[plain] = (key, value)
            elif key == exact or (is_absent(older[1]) and older[0] != exact):
                notes.append(Note("I10", f"{path}.{older[0]}", "second spelling of a trait"))
                found[plain] = (key, value)
            else:
                notes.append(Note("I10", f"{path}.{key}", "second spelling of a trait"))
        self._found = found

    def __contains__(self, plain: str) -> bool:
        return plain in self._found

    def pop(self, plain: str) -> tuple[str, JsonValue] | None:
        """Take the trait with this plain name out; None when it is not there."""
        return self._found.pop(plain, None)

    def put_back(self, key: str, value: JsonValue) -> None:
        """Let a trait that feeds no field after all become an attribute."""
        self.rest.append((key, value))

    def left(self) -> Sequence[tuple[str, JsonValue]]:
        """Return what was known by name and not taken."""
        return tuple(self._found.values())
