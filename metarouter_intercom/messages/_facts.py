"""Names and single values: which trait is which (R3), clean attribute names (A2), coercions (R2, R9, I2); pure."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

from .._types import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._types import JsonValue

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\- ]+")
_SEPARATORS = re.compile(r"[\s_\-.]+")
_DIGITS = re.compile(r"([+-]?\d{1,19})(?:\.0*)?")
# No count of anything; beyond 64 bits no reader of JSON keeps it.
_LARGEST_WHOLE = 2**63
# Names are few and repeat in every message, so what was worked out once is kept, up to this many.
_KEPT_NAMES = 20_000

# Intercom cuts text attributes and metadata texts at 255 characters (contract, section 6).
LONGEST_TEXT = 255
# Proofs of identity guard the Messenger; they go nowhere else (rule R7).
PROOFS = frozenset({"userhash", "intercomuserjwt"})
_PROOF_ENDS = tuple(PROOFS)
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


class Names(dict[str, str]):
    """What was worked out for each name; looking a known one up costs no call."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> str:
        found = self._make(name)
        if len(self) < _KEPT_NAMES:
            self[name] = found
        return found


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def _cleaned(name: str) -> str:
    cleaned = name if _PLAIN_NAME.fullmatch(name) else "".join(map(_clean_character, name))
    return cleaned if cleaned.strip() else ""


def _clean_character(character: str) -> str:
    if character.isalnum() or character in "_- ":
        return character
    return character if character != "$" and unicodedata.category(character) == "Sc" else "_"


PLAIN = Names(_plain)
"""Name -> name without case and separators: ``createdAt``, ``created_at``, ``Created At`` are one (R3)."""

CLEAN = Names(_cleaned)
"""Name -> name with every character that Intercom refuses replaced by ``_`` (A2); empty when nothing usable is left."""

FOLDED = Names(str.casefold)
"""Name -> name without case, as Intercom compares the keys of metadata."""


def is_proof(name: str) -> bool:
    """Tell whether a value under *name*, or at the end of a flattened *name*, is a proof of identity (R7)."""
    return PLAIN[name].endswith(_PROOF_ENDS)


INNER = Names(lambda name: "" if is_proof(name) else CLEAN[name])
"""Flattened name -> clean name; empty too for a proof of identity, which is kept nowhere (R7)."""


def look_up(facts: Mapping[str, JsonValue], name: str) -> JsonValue:
    """
    Return the value that is there under *name*, whatever case and separators (R3); None when there is none.

    The exact spelling wins over others of the same name; None and blank texts count as absent.
    """
    value = facts.get(name)
    if not is_absent(value):
        return value
    plain = PLAIN[name]
    for key, value in facts.items():
        if PLAIN[key] == plain and not is_absent(value):
            return value
    return None


def is_absent(value: JsonValue) -> bool:
    """Tell whether *value* counts as absent in a chain of fallbacks: null, or a text with nothing in it."""
    return value is None or (type(value) is str and not value.strip())


def object_at(facts: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    """Return the object under *name*; an empty one when there is none."""
    value = facts.get(name)
    return value if isinstance(value, dict) else {}


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


class Known(dict[str, "str | None"]):
    """
    The traits of one kind of object that feed fields: name -> plain name, or None for any other trait.

    Args:
        spellings: In Segment's exact spelling, which wins over others (R3); of two spellings of one name, the first.
    """

    __slots__ = ("exact",)

    def __init__(self, spellings: Iterable[str]) -> None:
        super().__init__()
        self.exact: dict[str, str] = {}
        for name in spellings:
            self.exact.setdefault(PLAIN[name], name)

    def __missing__(self, name: str) -> str | None:
        plain = PLAIN[name]
        found = plain if plain in self.exact else None
        if len(self) < _KEPT_NAMES:
            self[name] = found
        return found

    def sort(
        self, facts: Mapping[str, JsonValue], notes: list[Note], path: str
    ) -> tuple[dict[str, tuple[str, JsonValue]], list[tuple[str, JsonValue]]]:
        """
        Sort *facts* into those that feed fields and the rest, in one pass.

        Args:
            facts: The traits.
            notes: Where a second spelling is told.
            path: Of *facts* in the message.

        Returns:
            Plain name -> ``(key, value)``, and the rest in the caller's order.
        """
        found: dict[str, tuple[str, JsonValue]] = {}
        rest: list[tuple[str, JsonValue]] = []
        for item in facts.items():
            plain = self[item[0]]
            if plain is None:
                rest.append(item)
            elif plain not in found:
                found[plain] = item
            else:
                found[plain], loser = self._best(found[plain], item, self.exact[plain])
                notes.append(Note("I10", f"{path}.{loser[0]}", "second spelling of a trait"))
        return found, rest

    def _best(
        self, older: tuple[str, JsonValue], newer: tuple[str, JsonValue], exact: str
    ) -> tuple[tuple[str, JsonValue], tuple[str, JsonValue]]:
        gain = is_absent(older[1]) - is_absent(newer[1])
        return (newer, older) if gain > 0 or (gain == 0 and newer[0] == exact) else (older, newer)
