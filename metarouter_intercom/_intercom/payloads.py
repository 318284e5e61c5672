"""Operations -> the bodies of Intercom's requests; pure, knows no rule of the mapping and no flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ..messages._timestamps import LAST_INSTANT

if TYPE_CHECKING:
    from .._types import JsonObject, JsonValue
    from ..operations import SubmitEvent, UpsertCompany, UpsertContact

# Intercom's contacts take times from 1970 on. A company may be older (rule C2), by as much as Python's calendar has.
_EARLIEST = {"signed_up_at": 0, "remote_created_at": -62_135_596_800}


def contact_body(operation: UpsertContact, *, api_version: str) -> JsonObject:
    """Return the body that creates or updates the contact of *operation* in this version of the API."""
    role, external_id = operation.role, operation.who.external_id
    body: JsonObject = {} if role is None else {"role": role}
    if external_id is not None and role != "lead":
        body["external_id"] = external_id
    body.update(operation.fields)
    _remove_unstorable_time(body, "signed_up_at")
    owner = body.get("owner_id")
    # Intercom's OpenAPI description: an integer up to 2.15, a string from 2.16 on.
    if owner is not None and version_number(api_version) >= (2, 16):
        body["owner_id"] = str(owner)
    if operation.attributes:
        body["custom_attributes"] = dict(operation.attributes)
    return body


def company_body(operation: UpsertCompany) -> JsonObject:
    """Return the body that creates or updates the company of *operation*."""
    body: JsonObject = {"company_id": operation.company_id, **operation.fields}
    _remove_unstorable_time(body, "remote_created_at")
    if operation.attributes:
        body["custom_attributes"] = dict(operation.attributes)
    return body


def note_unstorable_times(operation: UpsertContact | UpsertCompany, notes: list[Note]) -> None:
    """Add a note to *notes*, once, for each time of *operation* that its body leaves out because Intercom cannot store it."""
    for name, earliest in _EARLIEST.items():
        note = Note("M3", name, "before 1970 or after 2286")
        if not _is_storable(operation.fields.get(name), earliest) and note not in notes:
            notes.append(note)


def _remove_unstorable_time(body: JsonObject, name: str) -> None:
    seconds = body.get(name)
    if seconds is not None and not _is_storable(seconds, _EARLIEST[name]):
        del body[name]


def _is_storable(seconds: JsonValue, earliest: int) -> bool:
    return not isinstance(seconds, int) or earliest <= seconds <= LAST_INSTANT


def event_body(operation: SubmitEvent, *, contact_id: str | None = None) -> JsonObject:
    """
    Return the body of the event of *operation*, which names its contact by exactly one identifier (rule E2).

    Args:
        operation: The event.
        contact_id: Intercom's id of the contact when it is known.
    """
    who = operation.who
    known_id = contact_id or who.contact_id
    if known_id is not None:
        body: JsonObject = {"id": known_id}
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
