"""Reads the ids of a message in Segment's wire form, in either spelling of their keys (rules R1, R2, R10); knows no type of message."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from .._types import Note
from ._coercion import LARGEST_EXACT_FLOAT, with_article
from ._edges import accident_note, is_accident, is_blank, is_plain_id, trimmed_id, trimmed_note
from ._facts import is_absent
from ._stand_ins import plain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIRE_NAMES = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "message_id": "messageId",
    "group_id": "groupId",
    "previous_id": "previousId",
}
# Keys that libraries of other languages write in snake case (R1). The keys of a message that spells them as Segment does are all plain.
_SNAKE_NAMES = WIRE_NAMES | {
    "sent_at": "sentAt",
    "received_at": "receivedAt",
    "original_timestamp": "originalTimestamp",
}
SNAKE_KEYS = frozenset(_SNAKE_NAMES)
TEXT_IDS = ("user_id", "anonymous_id", "message_id", "group_id", "previous_id")
# In bits. No id is larger, and every Python version writes such a number as text.
LONGEST_ID = 256
# Decimal digits of such a number.
_MOST_ID_DIGITS = 77
# Types that stand for a text or a number in a trait (Q6), and yet are no name of anything.
_NO_NAMES = (bool, float, bytes, bytearray, memoryview, date, time, timedelta)


class Fault(ValueError):
    """What is wrong with one value, and what to send instead."""

    def __init__(self, fault: str, remedy: str) -> None:
        self.fault = fault
        self.remedy = remedy
        super().__init__(f"{fault}; {remedy}")


def read_id(value: object, _type: object) -> str | None:
    """Return *value* as an id; None when it counts as absent. Raises ``Fault`` for a value that can be no id."""
    if value is None:
        return None
    if isinstance(value, str):
        text = str.__str__(value)
        if is_plain_id(text):
            return text
        return None if is_accident(text) else trimmed_id(text) or None
    if isinstance(value, bool):
        raise Fault(f"{kind_of(value)}, not a text", "send the id as text or as a whole number")
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= LARGEST_EXACT_FLOAT:
            raise Fault("a number that has lost digits", "send the id as text")
        return str(int(value))
    if isinstance(value, int):
        if value.bit_length() > LONGEST_ID:
            raise Fault("an integer that is no id", "send the id as text")
        return str(int(value))
    # A UUID, an enum and other stand-ins for a text or a whole number (Q6).
    plain = name_in(value)
    if plain is not value and isinstance(plain, str | int):
        return read_id(plain, None)
    return _read_decimal_id(value)


def name_in(value: object) -> object:
    """Return the text or number that *value* stands for where a name is expected; *value* itself when it is none."""
    return value if type(value) is str or isinstance(value, _NO_NAMES) else plain_of(value)


def _read_decimal_id(value: object) -> str:
    from decimal import Decimal

    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MOST_ID_DIGITS:
        whole = int(value)
        if whole == value:
            return str(whole)
    raise Fault(f"{kind_of(value)}, not a text", "send the id as text or as a whole number")


def kind_of(value: object) -> str:
    """Return what *value* is, with its article."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value)) or with_article(type(value).__name__)


def in_camel_case(wire: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return *wire* with its snake_case keys in camelCase (R1); a camelCase key wins, with a note."""
    renamed = dict(wire)
    notes: list[Note] = []
    for name, wire_name in _SNAKE_NAMES.items():
        value, exact = renamed.pop(name, None), renamed.get(wire_name)
        if name in WIRE_NAMES and is_accident(value):
            notes.append(accident_note(name))
        elif is_absent(value):
            continue
        elif name in WIRE_NAMES and is_accident(exact):
            notes.append(accident_note(wire_name))
            renamed[wire_name] = value
        elif is_absent(exact):
            renamed[wire_name] = value
        else:
            notes.append(Note("R1", name, "the camelCase spelling of this key is there too"))
    return renamed, tuple(notes)


def names_itself(wire: Mapping[str, Any]) -> bool:
    """Tell whether the message *wire* carries a message id, in either spelling of its key."""
    return not (_is_missing(wire.get("messageId")) and _is_missing(wire.get("message_id")))


def _is_missing(value: Any) -> bool:
    return is_absent(value) or is_accident(value)


def notes_on_ids(wire: Mapping[str, Any], names: Iterable[str]) -> list[Note]:
    """Return a note for each id under one of *names* that is an accident, and for each that loses invisible characters (R2, R10)."""
    notes: list[Note] = []
    for name in names:
        value = wire.get(WIRE_NAMES[name])
        if not isinstance(value, str):
            continue
        if is_accident(value):
            notes.append(accident_note(WIRE_NAMES[name]))
        elif not is_blank(value) and trimmed_id(value) != value:
            notes.append(trimmed_note(WIRE_NAMES[name]))
    return notes
