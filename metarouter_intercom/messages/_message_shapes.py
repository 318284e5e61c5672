"""Reads messages of the usual kind without cattrs: what the keys of a message mean is worked out once for each set of them (R1, R2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ._edges import is_blank, is_plain_id
from ._memo import Memo
from ._values import Alias, Group, Identify, Page, Screen, Track
from ._wire_ids import SNAKE_KEYS, TEXT_IDS, WIRE_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._types import Note
    from ._values import Message

KINDS: dict[str, type[Message]] = {kind.type: kind for kind in (Identify, Track, Group, Page, Screen, Alias)}
UNTRUSTED = "untrusted"
"""Where a message says that its sender is not trusted (V4). Any sender may set it, because it only takes rights away."""
PROVEN_EMAIL = "provenEmail"
"""
Where a buffered message keeps the address that a token proved (V4).

``read_message`` ignores this key, as any that it does not know, so that no sender can forge it.
"""
FIELD_KEYS = WIRE_NAMES | {"is_untrusted": UNTRUSTED}
OBJECTS = ("context", "integrations", "traits", "properties")
EMPTY: Mapping[str, Any] = {}


class Shape(NamedTuple):
    """
    What the keys of a message mean to one of the kinds.

    Attributes:
        kind: The class of the message.
        absent: Every field, with its value where the message does not have it.
        texts: Of each text that is there: field, key, and whether a text stays as it is on the full path.
        objects: Of each object that is there: field and key.
        others: Key and type of what is there and belongs to messages of other kinds.
        is_marked: The message says whether its sender is trusted (V4).
        is_snake: A key is spelled in snake_case (R1).
    """

    kind: type[Message]
    absent: dict[str, Any]
    texts: tuple[tuple[str, str, Callable[[str], object]], ...]
    objects: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, type], ...]
    is_marked: bool
    is_snake: bool


def read_fast(
    shape: Shape, wire: Mapping[str, Any], timestamp: float, *, notes: tuple[Note, ...]
) -> Message | None:
    """
    Return the message in *wire*, whose keys have *shape*; None leaves it to the full path.

    The fast path takes a message whose texts are texts and whose objects are objects, as in nearly every message. The reader made by
    cattrs returns the same at three times the cost, and only that one finds faults.
    """
    fields = shape.absent.copy()
    fields["timestamp"] = timestamp
    fields["notes"] = notes
    if shape.is_marked:
        fields["is_untrusted"] = wire[UNTRUSTED] is True
    for name, wire_name, stays in shape.texts:
        value = wire[wire_name]
        if type(value) is str and stays(value):
            fields[name] = value
        elif value is not None:
            return None
    if fields["message_id"] is None or (shape.kind is Track and fields["event"] is None):
        return None
    for name, wire_name in shape.objects:
        value = wire[wire_name]
        if type(value) is dict:
            fields[name] = value
        elif value is not None:
            return None
    for wire_name, wanted in shape.others:
        value = wire[wire_name]
        if value is not None and type(value) is not wanted:
            return None
    message = shape.kind.__new__(shape.kind)
    message.__dict__.update(fields)
    return message


def _names_in(kind: type[Message], names: Sequence[str]) -> tuple[str, ...]:
    import attrs

    return tuple(field.name for field in attrs.fields(kind) if field.name in names)


_TEXT_FIELDS = {kind: _names_in(kind, (*TEXT_IDS, "event", "name", "category")) for kind in KINDS.values()}
ID_FIELDS = {kind: _names_in(kind, TEXT_IDS) for kind in KINDS.values()}
_OBJECT_FIELDS = {kind: _names_in(kind, OBJECTS) for kind in KINDS.values()}
# Ids and objects of the other message types: they mean nothing here, but a value of the wrong type is still rejected (R1, R2).
FIELDS_OF_OTHERS = {
    kind: tuple(
        (FIELD_KEYS.get(name, name), str if name in TEXT_IDS else dict)
        for name in (*TEXT_IDS, *OBJECTS)
        if name not in _names_in(kind, (*TEXT_IDS, *OBJECTS))
    )
    for kind in KINDS.values()
}


# Name of an event -> whether it has text; applications send the same few again and again.
_events_with_text: Memo[str, bool] = Memo(lambda event: not is_blank(event), 5_000)
# As with the shapes of messages.
_MOST_SHAPES = 5_000


def _shape(kind: type[Message], keys: tuple[str, ...], *, is_stamped: bool) -> Shape:
    """Return what *keys* mean to *kind*; the texts of a message that is stamped were cleaned when it was accepted."""

    def stays(name: str) -> Callable[[str], object]:
        if is_stamped or name in ("name", "category"):
            return str.strip
        return _events_with_text.__getitem__ if name == "event" else is_plain_id

    absent: dict[str, Any] = {"timestamp": None, "notes": (), "proven_email": None, "is_untrusted": False}
    absent |= dict.fromkeys(_TEXT_FIELDS[kind]) | dict.fromkeys(_OBJECT_FIELDS[kind], EMPTY)
    texts = [(name, FIELD_KEYS.get(name, name)) for name in _TEXT_FIELDS[kind]]
    return Shape(
        kind,
        absent,
        tuple((name, wire_name, stays(name)) for name, wire_name in texts if wire_name in keys),
        tuple((name, name) for name in _OBJECT_FIELDS[kind] if name in keys),
        tuple((wire_name, wanted) for wire_name, wanted in FIELDS_OF_OTHERS[kind] if wire_name in keys),
        UNTRUSTED in keys,
        not SNAKE_KEYS.isdisjoint(keys),
    )


def _shapes_of(*, is_stamped: bool) -> dict[type[Message], Memo[tuple[str, ...], Shape]]:
    """Return for each kind a memo of the keys of a message -> their shape."""
    return {kind: Memo(partial(_shape, kind, is_stamped=is_stamped), _MOST_SHAPES) for kind in KINDS.values()}


SHAPES = _shapes_of(is_stamped=False)
STAMPED_SHAPES = _shapes_of(is_stamped=True)
