"""Opens Segment batches: what a batch says for all its messages goes into each of them (rule R1); knows no type of message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._facts import is_absent
from ._integrations import choices_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue

    Json = Mapping[str, JsonValue]

# As spelled in the wire form, and in snake case.
_TIMES = (("sentAt", "sent_at"), ("receivedAt", "received_at"))


def members_of(value: Json) -> list[JsonValue] | None:
    """Return the members of a Segment batch, as they are in it; None when *value* is no batch."""
    members, kind = value.get("batch"), value.get("type")
    is_message = not is_absent(kind) and not (isinstance(kind, str) and kind.strip().lower() == "batch")
    return members if isinstance(members, list) and not is_message else None


def merged(batch: Json, member: Json) -> JsonObject:
    """
    Return *member* with what its *batch* says for all its messages: context, integrations, and when it was sent and received.

    The member's own keys win. What cannot be read in the batch goes into the member as it is, so that the member is rejected at that
    place: it may say that the messages are not for Intercom.
    """
    message = dict(member)
    context = _joined(batch.get("context"), member.get("context"))
    if not _is_empty(context):
        message["context"] = context
    choices = _choices(batch)
    if not _is_empty(choices):
        message["integrations"] = _joined(choices, _choices(member), is_folded=True)
    for names in _TIMES:
        if all(is_absent(member.get(name)) for name in names):
            value = next((batch[name] for name in names if not is_absent(batch.get(name))), None)
            if value is not None:
                message[names[0]] = value
    return message


def _choices(message: Json) -> JsonValue:
    """Return what *message* says about its destinations, whatever its type: its integrations, else those in its context (R6)."""
    integrations = message.get("integrations")
    if not _is_empty(integrations):
        return integrations
    context = message.get("context")
    return dict(choices_in(context)[0]) if isinstance(context, dict) else None


def _joined(shared: JsonValue, own: JsonValue, *, is_folded: bool = False) -> JsonValue:
    """
    Return two objects as one, the keys of *own* first in rank; what is no object wins over one, so that it is noticed.

    Args:
        shared: Of the batch.
        own: Of the member.
        is_folded: Letter case makes no difference between two keys, as between names of destinations.
    """
    if _is_empty(shared):
        return own
    if _is_empty(own) or not isinstance(shared, dict):
        return shared
    if not isinstance(own, dict):
        return own
    if is_folded:
        said = {name.lower() for name in shared}
        # A blank text says nothing, so it hides nothing that the batch says (R6).
        own = {name: value for name, value in own.items() if not (_is_blank(value) and name.lower() in said)}
    names = {_key(name, is_folded) for name in own}
    return {name: value for name, value in shared.items() if _key(name, is_folded) not in names} | own


def _key(name: str, is_folded: bool) -> str:
    return name.lower() if is_folded else name


def _is_blank(value: JsonValue) -> bool:
    return value is not None and is_absent(value)


def _is_empty(value: JsonValue) -> bool:
    """Tell whether *value* says nothing where an object is expected; PHP writes an empty object as a list."""
    return value is None or value in ({}, [])
