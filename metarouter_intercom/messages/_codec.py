"""Reads messages from Segment's wire form and writes them; the only user of cattrs, and knows nothing of Intercom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._types import Note
from ..errors import Problem, RejectedMessage
from ._batches import members_of
from ._edges import is_blank
from ._message_ids import make_message_id
from ._message_shapes import (
    EMPTY,
    FIELD_KEYS,
    FIELDS_OF_OTHERS,
    ID_FIELDS,
    KINDS,
    OBJECTS,
    PROVEN_EMAIL,
    SHAPES,
    STAMPED_SHAPES,
    UNTRUSTED,
    read_fast,
)
from ._stand_ins import NoMeaning, meaning_of
from ._timestamps import message_time
from ._values import Track
from ._wire_ids import (
    LONGEST_ID,
    TEXT_IDS,
    Fault,
    in_camel_case,
    kind_of,
    name_in,
    notes_on_ids,
    read_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._types import JsonObject
    from ._values import Message

_KNOWN_TYPES = ", ".join(KINDS)


# --- reading ----------------------------------------------------------------------------------------------


def _read_object(value: object, _type: object) -> Mapping[str, Any]:
    if type(value) is dict:
        return value
    if value is None or (isinstance(value, list | tuple) and not value):
        # PHP writes an empty object as an empty list.
        return EMPTY
    try:
        plain = meaning_of(value)
    except NoMeaning:
        plain = value
    except Exception as error:
        # The caller's own class runs here, and it may raise anything.
        raise Fault(f"reading it raised {type(error).__name__}", "send a plain object") from error
    if type(plain) is dict:
        return plain
    raise Fault(f"{kind_of(value)}, not an object", "send an object, or leave it out")


def _read_event(value: object, _type: object) -> str:
    value = name_in(value)
    if isinstance(value, str) and not is_blank(value):
        return str.__str__(value)
    if isinstance(value, str) or value is None:
        raise Fault("missing or blank", "send the event's name as text")
    raise Fault(f"{kind_of(value)}, not a text", "send the event's name as text")


def _read_label(value: object, _type: object) -> str | None:
    value = name_in(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= LONGEST_ID:
        return str(int(value))
    return str.__str__(value) if isinstance(value, str) else None


def _read_mark(value: object, _type: object) -> bool:
    return value is True


def _as_is(value: Any, _type: object) -> Any:
    return value


_HOOKS: dict[str, Callable[[Any, Any], Any]] = (
    dict.fromkeys(TEXT_IDS, read_id)
    | dict.fromkeys(OBJECTS, _read_object)
    | {
        "event": _read_event,
        "name": _read_label,
        "category": _read_label,
        "timestamp": _as_is,
        "notes": _as_is,
        "is_untrusted": _read_mark,
    }
)


def _reader(kind: type[Message], *, detailed: bool) -> Callable[[Mapping[str, Any], Any], Message]:
    import attrs
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, override

    fields = {
        field.name: override(rename=FIELD_KEYS.get(field.name, field.name), struct_hook=_HOOKS[field.name])
        for field in attrs.fields(kind)
        if field.name in _HOOKS
    }
    fields["proven_email"] = override(omit=True)
    converter = Converter(detailed_validation=detailed)
    return make_dict_structure_fn(
        kind,
        converter,
        _cattrs_detailed_validation=detailed,
        _cattrs_forbid_extra_keys=False,
        **fields,  # type: ignore[arg-type]  # each override has the name of a field, and no field has that of an option
    )


_cattrs_readers: dict[type[Message], Callable[[Mapping[str, Any], Any], Message]] = {}


def _cattrs_reader(kind: type[Message]) -> Callable[[Mapping[str, Any], Any], Message]:
    reader = _cattrs_readers.get(kind)
    if reader is None:
        reader = _cattrs_readers[kind] = _reader(kind, detailed=False)
    return reader


def read_message(wire: Mapping[str, Any], *, now: float) -> Message:
    """
    Read a message in Segment's wire form (rules R1, R2, R5, R10).

    Args:
        wire: camelCase keys, or snake_case ones; unknown ones are ignored. Values are not copied.
        now: Unix seconds, for a message without a time of its own.

    Returns:
        The message, with message id and timestamp.

    Raises:
        RejectedMessage: With every fault of the message, by the names of the wire form.
    """
    kind = _kind(wire)
    notes: tuple[Note, ...] = ()
    shape = SHAPES[kind][tuple(wire)]
    if shape.is_snake:
        wire, notes = in_camel_case(wire)
        shape = SHAPES[kind][tuple(wire)]
    timestamp, time_notes = message_time(wire, now)
    notes += time_notes
    message = read_fast(shape, wire, timestamp, notes=notes)
    return _read_full(kind, wire, timestamp, notes=notes, now=now) if message is None else message


def _read_full(
    kind: type[Message], wire: Mapping[str, Any], timestamp: float, *, notes: tuple[Note, ...], now: float
) -> Message:
    """Return the message in *wire*, or raise ``RejectedMessage`` with every fault; *now* is in Unix seconds."""
    stamped = {**wire, "timestamp": timestamp, "notes": (*notes, *notes_on_ids(wire, ID_FIELDS[kind]))}
    if kind is Track and "event" not in stamped:
        stamped["event"] = None
    if stamped.get("messageId") is None:
        stamped["messageId"] = make_message_id(now)
    foreign = _problems_of_others(kind, wire)
    try:
        message = _cattrs_reader(kind)(stamped, kind)
    except (ValueError, TypeError):
        raise RejectedMessage(_problems(kind, stamped) + foreign) from None
    if foreign:
        raise RejectedMessage(foreign)
    if message.message_id is None:
        import attrs

        return attrs.evolve(message, message_id=make_message_id(now))
    return message


def read_stamped(wire: Mapping[str, Any]) -> Message:
    """Read what ``write_message`` wrote, without the checks of ``read_message``."""
    kind = KINDS[wire["type"]]
    notes = tuple(Note(*note) for note in wire.get("notes", ()))
    message = read_fast(STAMPED_SHAPES[kind][tuple(wire)], wire, wire["timestamp"], notes=notes)
    if message is None:
        message = _cattrs_reader(kind)({**wire, "notes": notes}, kind)
    if PROVEN_EMAIL in wire:
        import attrs

        return attrs.evolve(message, proven_email=wire[PROVEN_EMAIL])
    return message


def _kind(wire: Mapping[str, Any]) -> type[Message]:
    name = wire.get("type") if type(wire) is dict else None
    kind = KINDS.get(name) if type(name) is str else None
    if kind is not None:
        return kind
    from collections.abc import Mapping as AnyMapping

    if type(wire) is not dict and not isinstance(wire, AnyMapping):
        raise RejectedMessage(
            [Problem("message", f"{kind_of(wire)}, not an object", "send one Segment message")]
        )
    name = wire.get("type")
    if kind is None and isinstance(name, str):
        kind = KINDS.get(name.strip().lower())
    if kind is None and members_of(wire) is not None:
        fault, remedy = (
            "a batch, not one message",
            "send each message of it, with the batch's context and integrations",
        )
        raise RejectedMessage([Problem("batch", fault, remedy)])
    if kind is None:
        raise RejectedMessage([Problem("type", "missing or unknown", f"use one of {_KNOWN_TYPES}")])
    return kind


def _problems_of_others(kind: type[Message], wire: Mapping[str, Any]) -> list[Problem]:
    """Return the faults of ids and objects that belong to messages of other types."""
    problems: list[Problem] = []
    for wire_name, wanted in FIELDS_OF_OTHERS[kind]:
        try:
            (read_id if wanted is str else _read_object)(wire.get(wire_name), None)
        except Fault as error:
            problems.append(Problem(wire_name, error.fault, error.remedy))
    return problems


def _problems(kind: type[Message], wire: Mapping[str, Any]) -> list[Problem]:
    """Read *wire* once more, with the slower validation that finds every fault."""
    from cattrs import ClassValidationError
    from cattrs.errors import AttributeValidationNote

    problems: list[Problem] = []
    try:
        _reader(kind, detailed=True)(wire, kind)
    except ClassValidationError as errors:
        for error in errors.exceptions:
            notes = [
                note for note in getattr(error, "__notes__", ()) if isinstance(note, AttributeValidationNote)
            ]
            name = notes[0].name if notes else "message"
            fault, remedy = (
                (error.fault, error.remedy)
                if isinstance(error, Fault)
                else (str(error), "send another value")
            )
            problems.append(Problem(FIELD_KEYS.get(name, name), fault, remedy))
    return problems or [Problem("message", "unreadable", "send one Segment message")]


# --- writing ----------------------------------------------------------------------------------------------


def write_message(message: Message) -> JsonObject:
    """Return the wire form of *message* as buffers keep it; empty fields are left out."""
    wire: JsonObject = {
        "type": message.type,
        "messageId": message.message_id,
        "timestamp": message.timestamp,
    }
    for name in (*TEXT_IDS, "event", "name", "category", *OBJECTS):
        if name == "message_id":
            continue
        value = getattr(message, name, None)
        if value is not None and value != {}:
            wire[FIELD_KEYS.get(name, name)] = value
    if message.notes:
        wire["notes"] = [list(note) for note in message.notes]
    if message.is_untrusted:
        wire[UNTRUSTED] = True
    if message.proven_email is not None:
        wire[PROVEN_EMAIL] = message.proven_email
    return wire
