"""Operations -> the bodies of Intercom's requests; knows no rule of the mapping and no flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ..messages._timestamps import LAST_INSTANT

if TYPE_CHECKING:
    from .._types import JsonObject, JsonValue
    from ..operations import SubmitEvent, UpsertCompany, UpsertContact

_INSTANTS = ("signed_up_at", "remote_created_at")


def contact_body(operation: UpsertContact, *, api_version: str) -> JsonObject:
    """Return the body that creates or updates the contact of *operation* in the pinned version of the API."""
    role, external_id = operation.role, operation.who.external_id
    body: JsonObject = {} if role is None else {"role": role}
    if external_id is not None and role != "lead":
        body["external_id"] = external_id
    body.update(operation.fields)
    _leave_out_unheld(body)
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
    _leave_out_unheld(body)
    if operation.attributes:
        body["custom_attributes"] = dict(operation.attributes)
    return body


def tell_unheld(operation: UpsertContact | UpsertCompany, notes: list[Note]) -> None:
    """Add a note to *notes* for each instant of *operation* that its body leaves out, because Intercom holds no such one."""
    for name in _INSTANTS:
        note = Note("M3", name, "before 1970 or after 2286")
        if not _is_held(operation.fields.get(name)) and note not in notes:
            notes.append(note)


def _leave_out_unheld(body: JsonObject) -> None:
    for name in _INSTANTS:
        seconds = body.get(name)
        if seconds is not None and not _is_held(seconds):
            del body[name]


def _is_held(seconds: JsonValue) -> bool:
    return not isinstance(seconds, int) or 0 <= seconds <= LAST_INSTANT


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
