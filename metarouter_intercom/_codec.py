"""The JSON edge: wire form <-> messages, operations -> bodies; the only user of cattrs, knows no rule of the mapping."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Any

from cattrs import ClassValidationError, Converter
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ._instants import recordable_time, unix_time
from .errors import Problem, RejectedMessage
from .messages import Alias, Group, Identify, Page, Screen, Track
from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._types import JsonObject
    from .messages import Message
    from .operations import SubmitEvent, UpsertCompany, UpsertContact

_KINDS: dict[str, type[Message]] = {kind.type: kind for kind in (Identify, Track, Group, Page, Screen, Alias)}
_KNOWN_TYPES = ", ".join(_KINDS)
_WIRE_NAMES = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "message_id": "messageId",
    "group_id": "groupId",
    "previous_id": "previousId",
}
_TEXT_IDS = ("user_id", "anonymous_id", "message_id", "group_id", "previous_id")
_OBJECTS = ("context", "integrations", "traits", "properties")
_NOTHING: Mapping[str, Any] = {}


class _Fault(ValueError):
    """What is wrong with one value, and what to send instead."""

    def __init__(self, fault: str, remedy: str) -> None:
        self.fault = fault
        self.remedy = remedy
        super().__init__(f"{fault}; {remedy}")


# --- reading ----------------------------------------------------------------------------------------------


def _read_id(value: object, _type: object) -> str | None:
    if type(value) is str:
        return value if value.strip() else None
    if value is None:
        return None
    if isinstance(value, str):
        return str(value) if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    raise _Fault(f"{_kind_of(value)}, not a text", "send the id as text or as a whole number")


def _read_object(value: object, _type: object) -> Mapping[str, Any]:
    if type(value) is dict:
        return value
    if value is None:
        return _NOTHING
    from collections.abc import Mapping as AnyMapping

    if isinstance(value, AnyMapping):
        return dict(value)
    raise _Fault(f"{_kind_of(value)}, not an object", "send an object, or leave it out")


def _read_event(value: object, _type: object) -> str:
    if isinstance(value, str) and value.strip():
        return str(value)
    if isinstance(value, str) or value is None:
        raise _Fault("missing or blank", "send the event's name as text")
    raise _Fault(f"{_kind_of(value)}, not a text", "send the event's name as text")


def _read_label(value: object, _type: object) -> str | None:
    return str(value) if isinstance(value, str) else None


def _kind_of(value: object) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _as_is(value: Any, _type: object) -> Any:
    return value


_HOOKS: dict[str, Callable[[Any, Any], Any]] = (
    dict.fromkeys(_TEXT_IDS, _read_id)
    | dict.fromkeys(_OBJECTS, _read_object)
    | {
        "event": _read_event,
        "name": _read_label,
        "category": _read_label,
        "timestamp": _as_is,
        "notes": _as_is,
    }
)


def _reader(kind: type[Message], *, detailed: bool) -> Callable[[Mapping[str, Any], Any], Message]:
    import attrs

    fields = {
        field.name: override(rename=_WIRE_NAMES.get(field.name, field.name), struct_hook=_HOOKS[field.name])
        for field in attrs.fields(kind)
    }
    converter = Converter(detailed_validation=detailed)
    return make_dict_structure_fn(
        kind,
        converter,
        _cattrs_detailed_validation=detailed,
        _cattrs_forbid_extra_keys=False,
        **fields,  # type: ignore[arg-type]  # the overrides are named after fields, none after an option
    )


_fast_readers: dict[type[Message], Callable[[Mapping[str, Any], Any], Message]] = {}


def _fast_reader(kind: type[Message]) -> Callable[[Mapping[str, Any], Any], Message]:
    reader = _fast_readers.get(kind)
    if reader is None:
        reader = _fast_readers[kind] = _reader(kind, detailed=False)
    return reader


def read_message(wire: Mapping[str, Any], *, now: float) -> Message:
    """
    Read a message in Segment's wire form (rules R1, R2, R5).

    Args:
        wire: camelCase keys; unknown ones are ignored. Values are taken as they are, not copied.
        now: Unix seconds, for a message that tells no instant of its own.

    Returns:
        The message, with message id and instant.

    Raises:
        RejectedMessage: With every fault found, by the wire's own names.
    """
    kind = _kind(wire)
    instant, notes = _instant(wire, now)
    usual = _read_usual(kind, wire, instant, notes)
    if usual is not None:
        return usual
    stamped = {**wire, "timestamp": instant, "notes": notes}
    if kind is Track and "event" not in stamped:
        stamped["event"] = None
    try:
        if stamped.get("messageId") is None:
            stamped["messageId"] = make_message_id(now)
        message = _fast_reader(kind)(stamped, kind)
    except (ValueError, TypeError):
        raise RejectedMessage(_problems(kind, stamped)) from None
    if message.message_id is None:
        import attrs

        return attrs.evolve(message, message_id=make_message_id(now))
    return message


def read_stamped(wire: Mapping[str, Any]) -> Message:
    """Read what ``write_message`` wrote; its shape is trusted."""
    kind = _KINDS[wire["type"]]
    notes = tuple(Note(*note) for note in wire.get("notes", ()))
    usual = _read_usual(kind, wire, wire["timestamp"], notes)
    return _fast_reader(kind)({**wire, "notes": notes}, kind) if usual is None else usual


def _read_usual(
    kind: type[Message], wire: Mapping[str, Any], instant: float, notes: tuple[Note, ...]
) -> Message | None:
    """
    Return the message in *wire* when all of it has the usual types, as nearly every message has; None for any other.

    It is what the reader by cattrs returns for the same, at a third of the cost; only that one finds faults.
    """
    facts: dict[str, Any] = {"timestamp": instant, "notes": notes}
    for name, wire_name in _USUAL_TEXTS[kind]:
        value = wire.get(wire_name)
        if value is None:
            facts[name] = None
        elif type(value) is str and value.strip():
            facts[name] = value
        else:
            return None
    if facts["message_id"] is None or (kind is Track and facts["event"] is None):
        return None
    for name in _USUAL_OBJECTS[kind]:
        value = wire.get(name)
        if type(value) is dict:
            facts[name] = value
        elif value is None:
            facts[name] = _NOTHING
        else:
            return None
    message = kind.__new__(kind)
    message.__dict__.update(facts)
    return message


def _names_in(kind: type[Message], names: Sequence[str]) -> tuple[str, ...]:
    import attrs

    return tuple(field.name for field in attrs.fields(kind) if field.name in names)


_USUAL_TEXTS = {
    kind: tuple(
        (name, _WIRE_NAMES.get(name, name))
        for name in _names_in(kind, (*_TEXT_IDS, "event", "name", "category"))
    )
    for kind in _KINDS.values()
}
_USUAL_OBJECTS = {kind: _names_in(kind, _OBJECTS) for kind in _KINDS.values()}


def _kind(wire: Mapping[str, Any]) -> type[Message]:
    name = wire.get("type") if type(wire) is dict else None
    kind = _KINDS.get(name) if type(name) is str else None
    if kind is not None:
        return kind
    from collections.abc import Mapping as AnyMapping

    if type(wire) is not dict and not isinstance(wire, AnyMapping):
        raise RejectedMessage(
            [Problem("message", f"{_kind_of(wire)}, not an object", "send one Segment message")]
        )
    name = wire.get("type")
    if kind is None and isinstance(name, str):
        kind = _KINDS.get(name.strip().lower())
    if kind is None:
        raise RejectedMessage([Problem("type", "missing or unknown", f"use one of {_KNOWN_TYPES}")])
    return kind


def _problems(kind: type[Message], wire: Mapping[str, Any]) -> list[Problem]:
    """Read once more, slowly, to find every fault."""
    try:
        _reader(kind, detailed=True)(wire, kind)
    except ClassValidationError as errors:
        found = []
        for error in errors.exceptions:
            notes = [
                note for note in getattr(error, "__notes__", ()) if isinstance(note, AttributeValidationNote)
            ]
            name = notes[0].name if notes else "message"
            fault, remedy = (
                (error.fault, error.remedy)
                if isinstance(error, _Fault)
                else (str(error), "send another value")
            )
            found.append(Problem(_WIRE_NAMES.get(name, name), fault, remedy))
        return found
    except (ValueError, TypeError) as error:
        return [Problem("message", str(error), "send another value")]
    return [Problem("message", "unreadable", "send one Segment message")]


def _instant(wire: Mapping[str, Any], now: float) -> tuple[float, tuple[Note, ...]]:
    """Return when the message happened (rule R5), with a note for each value that is no instant."""
    given = wire.get("timestamp")
    if given is None and "originalTimestamp" not in wire:
        return now, ()
    notes: list[Note] = []
    if given is not None:
        found = recordable_time(given)
        if found is not None:
            return found, ()
        notes.append(Note("R5", "timestamp", "not an instant"))
    original = wire.get("originalTimestamp")
    if original is None:
        return now, tuple(notes)
    found = recordable_time(original)
    if found is None:
        return now, (*notes, Note("R5", "originalTimestamp", "not an instant"))
    sent, received = unix_time(wire.get("sentAt")), unix_time(wire.get("receivedAt"))
    if given is None and sent is not None and received is not None:
        # Segment's specification of timestamps: the sender's clock is off by what lies between sending and receiving.
        corrected = recordable_time(received - (sent - found))
        return found if corrected is None else corrected, tuple(notes)
    return found, tuple(notes)


def make_message_id(now: float) -> str:
    """
    Make a message id: unique across processes and threads, in the order of time.

    Args:
        now: Unix seconds.
    """
    return f"{int(now * 1000)}-{_count()}-{_word}"


# One call of a C function: two threads never get the same number. All have ten digits, so that ids sort by their time.
_count = count(10**9).__next__
_word = os.urandom(10).hex()
_word_pid = os.getpid()


def own_message_ids() -> None:
    """Make the ids of a forked child its own; called whenever a client begins in a process, for hooks at fork do not run everywhere."""
    global _word, _word_pid
    if _word_pid != os.getpid():
        _word = os.urandom(10).hex()
        _word_pid = os.getpid()


# --- writing ----------------------------------------------------------------------------------------------


def write_message(message: Message) -> JsonObject:
    """Return the canonical wire form of *message*, as buffers keep it; what is empty is left out."""
    wire: JsonObject = {
        "type": message.type,
        "messageId": message.message_id,
        "timestamp": message.timestamp,
    }
    for name in (*_TEXT_IDS, "event", "name", "category", *_OBJECTS):
        if name == "message_id":
            continue
        value = getattr(message, name, None)
        if value is not None and value != {}:
            wire[_WIRE_NAMES.get(name, name)] = value
    if message.notes:
        wire["notes"] = [list(note) for note in message.notes]
    return wire


def contact_body(operation: UpsertContact, *, api_version: str) -> JsonObject:
    """Return the body that creates or updates the contact of *operation* in the pinned version of the API."""
    body: JsonObject = {}
    if operation.role is not None:
        body["role"] = operation.role
    if operation.role != "lead" and operation.who.external_id is not None:
        body["external_id"] = operation.who.external_id
    body.update(operation.fields)
    owner = body.get("owner_id")
    # Intercom's description: an integer up to 2.15, a string from 2.16 on.
    if owner is not None and version_number(api_version) >= (2, 16):
        body["owner_id"] = str(owner)
    if operation.attributes:
        body["custom_attributes"] = dict(operation.attributes)
    return body


def company_body(operation: UpsertCompany) -> JsonObject:
    """Return the body that creates or updates the company of *operation*."""
    body: JsonObject = {"company_id": operation.company_id, **operation.fields}
    if operation.attributes:
        body["custom_attributes"] = dict(operation.attributes)
    return body


def event_body(operation: SubmitEvent, *, contact_id: str | None = None) -> JsonObject:
    """
    Return the body of the event of *operation*, with exactly one identifier (E2).

    Args:
        operation: The event.
        contact_id: Intercom's id of the contact where it is known.
    """
    who = operation.who
    known = contact_id or who.contact_id
    if known is not None:
        body: JsonObject = {"id": known}
    elif who.external_id is not None:
        body = {"user_id": who.external_id}
    else:
        body = {"email": who.email}
    body["event_name"] = operation.event_name
    body["created_at"] = operation.created_at
    if operation.metadata:
        body["metadata"] = dict(operation.metadata)
    return body


def version_number(api_version: str) -> tuple[int, ...]:
    """Return an API version as numbers to compare; ``Preview`` is newer than any number."""
    parts = api_version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (99,)
