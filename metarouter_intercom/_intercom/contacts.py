"""
How a contact is written: update the known one, else find it, else create it, and send nothing when nothing changes; pure.

Intercom has no upsert for contacts, so this makes one (rules M1, O3). What happens after a 409 is decided in ``contact_conflicts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .._types import ContactId
from ..operations import UpsertContact
from ..plugins import Request
from .attribute_budget import can_create
from .attribute_creation import notes_of_unwritten
from .contact_conflicts import (
    conflict_result,
    is_about_email,
    is_same_person,
    owner_of_external_id,
    resolve_conflict,
)
from .context import MAX_HOPS, path_segment
from .field_repair import Written, write
from .last_seen import LAST_SEEN, refresh_last_seen
from .lookup import UNREADABLE, by_anonymous_id, lead_by_email, remember_found, user_by_email
from .payloads import contact_body, note_unstorable_times
from .response_parsing import canonical_id, id_of, is_success, object_of
from .responses import DELIVERED, UNCHANGED, FlowResult, classify, dead
from .write_records import values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue, Note
    from ..operations import Who
    from ..plugins import Response
    from .context import Flow, Steps, World


def upsert_contact(operation: UpsertContact, world: World) -> Flow:
    """Make sure that the contact exists with these values: one request when it is known, none when nothing would change."""
    if operation.only_known:
        return (yield from refresh_last_seen(operation, world))
    notes: list[Note] = []
    known = operation.who.contact_id or world.cache.contact_id(operation.who.key)
    if known is not None and not _is_lead_beside_user(operation, known, world):
        unchanged = _unchanged(operation, known, world)
        if unchanged is not None:
            return unchanged
        result = yield from _update(operation, known, world=world, notes=notes)
        if result is not None:
            return _with_notes(result, notes)
    result = yield from _find_or_create(operation, world, notes)
    return _with_notes(result, notes)


def create_bare_contact(who: Who, world: World) -> Flow:
    """Create a contact that has nothing but its id (setting ``create_missing_contacts``)."""
    fields: JsonObject = {"email": who.email} if who.email is not None else {}
    attributes: JsonObject = {}
    is_lead = who.external_id is None and who.email is None
    if is_lead:
        attributes["anonymous_id"] = who.anonymous_id
    bare = UpsertContact(who=who, role="lead" if is_lead else "user", fields=fields, attributes=attributes)
    return (yield from upsert_contact(bare, world))


def _is_lead_beside_user(operation: UpsertContact, known: ContactId, world: World) -> bool:
    """Tell whether the remembered contact is a lead while the operation is about the user of the same address (rule I2)."""
    is_by_email = operation.who.external_id is None and operation.who.email is not None
    is_user = is_by_email and operation.role == "user"
    return is_user and world.cache.is_marked("lead", operation.who.key, known)


def _with_notes(result: FlowResult, notes: list[Note]) -> FlowResult:
    return result._replace(notes=(*result.notes, *notes)) if notes else result


# --- when Intercom's id is known ------------------------------------------------------------------------------


def _update(
    operation: UpsertContact, contact_id: ContactId, *, world: World, notes: list[Note]
) -> Steps[FlowResult | None]:
    """Update the contact, or the one it was merged into; None when it is gone and the message has another id to find it by."""
    cache, who = world.cache, operation.who
    tried: set[str] = set()
    current = contact_id
    while True:
        with cache.recorded_write("contact", current, world.now) as record:
            written = yield from _put(operation, current, world=world, notes=notes)
            if isinstance(written, FlowResult):
                return written
            response = written.response
            if is_success(response):
                cache.remember_contact(who.key, current)
                record.values = _values_of(written.body, operation)
                return DELIVERED
        tried.add(current)
        merged_into = canonical_id(response) if response.status == 410 else None
        if merged_into is not None and merged_into not in tried and len(tried) <= MAX_HOPS:
            result = yield from _follow_merge(who, current, merged_into, world=world)
            if result is not None:
                return result
            current = merged_into
            continue
        if response.status in (404, 410):
            cache.forget_contact(who.key, current)
            return _after_missing(who, response)
        owner = yield from owner_of_external_id(who, response)
        if isinstance(owner, FlowResult):
            return owner
        if owner is None or owner in tried:
            return _after_refusal(written)
        # What was remembered is outdated: another contact has got the external id since.
        cache.forget_contact(who.key, current)
        current = owner


def _put(
    operation: UpsertContact, contact_id: str, *, world: World, notes: list[Note]
) -> Steps[Written | FlowResult]:
    def send(body: JsonObject) -> Request:
        return Request("PUT", f"/contacts/{path_segment(contact_id)}", body)

    body = _update_body(operation, contact_id, world)
    note_unstorable_times(operation, notes)
    return (yield from write(send, body, model="contact", world=world, notes=notes))


def _update_body(operation: UpsertContact, contact_id: str, world: World) -> JsonObject:
    body = contact_body(operation, api_version=world.settings.api_version)
    if operation.role == "lead":
        # The contact may be a user by now, and Intercom refuses to make a user a lead.
        body.pop("role", None)
    if "external_id" in body and world.cache.is_marked("foreign", operation.who.key, contact_id):
        del body["external_id"]
    if world.settings.events_update_last_seen:
        seen_at, stored = body.get(LAST_SEEN), world.cache.written_number("contact", contact_id, LAST_SEEN)
        if isinstance(seen_at, int) and stored is not None and seen_at < stored:
            # It may be the time of an event, which never sets the field back (rule E11).
            del body[LAST_SEEN]
    return body


def _follow_merge(
    who: Who, merged: ContactId, canonical: ContactId, *, world: World
) -> Steps[FlowResult | None]:
    """Forget *merged* and go on at *canonical*, the contact it became; a result when Intercom does not say whose that one is."""
    world.cache.forget_contact(who.key, merged)
    world.cache.mark("folded", who.key, canonical)
    if who.external_id is None:
        return None
    request = Request("GET", f"/contacts/{path_segment(canonical)}")
    response = yield request
    if is_success(response) and is_same_person(object_of(response), who):
        return None
    result = classify(request, response)
    if result.kind in ("retry", "held"):
        return result
    # Another user: the traits are written to it, but not the external id, which would take that user over.
    world.cache.mark("foreign", who.key, canonical)
    return None


def _after_missing(who: Who, response: Response) -> FlowResult | None:
    """Return None when the message has an external id to find the contact by; else the end."""
    if who.contact_id is not None and who.external_id is None:
        return dead(response, "contact_missing")
    return None


def _after_refusal(written: Written) -> FlowResult:
    """Return the result of an update that Intercom refused; after a 409 another contact has what the update would write."""
    if written.response.status == 409:
        return conflict_result(written.response)
    return classify(written.request, written.response)


# --- when Intercom's id is not known --------------------------------------------------------------------------


def _find_or_create(operation: UpsertContact, world: World, notes: list[Note]) -> Flow:
    who = operation.who
    if who.external_id is None:
        contact = yield from _find(operation)
        if isinstance(contact, FlowResult):
            return contact
        contact_id = None if contact is None else id_of(contact)
        if contact is not None and contact_id is not None:
            remember_found(who, contact, world)
            _mark_lead(who, ContactId(contact_id), is_lead=contact.get("role") == "lead", world=world)
            return (yield from _update_found(operation, ContactId(contact_id), world=world, notes=notes))
    written = yield from _create(operation, world, notes)
    if isinstance(written, FlowResult):
        return written
    response = written.response
    if is_success(response):
        _remember_created(operation, written, world)
        return DELIVERED
    if response.status != 409:
        return classify(written.request, response)
    existing = yield from resolve_conflict(who, response, world)
    if isinstance(existing, FlowResult) and is_about_email(existing, operation):
        existing = yield from _create_without_email(operation, world)
    if isinstance(existing, FlowResult):
        return existing
    return (yield from _update_found(operation, existing, world=world, notes=notes))


def _create_without_email(operation: UpsertContact, world: World) -> Steps[ContactId | FlowResult]:
    """Create the contact without its e-mail address, which another contact has, and return it; the update that follows writes all."""
    fields = {name: value for name, value in operation.fields.items() if name != "email"}
    # What this write leaves out, the update leaves out again, and notes it.
    written = yield from _create(attrs.evolve(operation, fields=fields), world, [])
    if isinstance(written, FlowResult):
        return written
    response = written.response
    if response.status == 409:
        return (yield from resolve_conflict(operation.who, response, world))
    if not is_success(response):
        return classify(written.request, response)
    contact_id = id_of(object_of(response))
    return UNREADABLE if contact_id is None else ContactId(contact_id)


def _find(operation: UpsertContact) -> Steps[JsonObject | FlowResult | None]:
    """Search for the contact of a message without an external id."""
    who = operation.who
    if who.email is None:
        return (yield from by_anonymous_id(who.anonymous_id or ""))
    user = yield from user_by_email(who.email)
    if user is None and operation.role == "lead":
        return (yield from lead_by_email(who.email))
    return user


def _create(operation: UpsertContact, world: World, notes: list[Note]) -> Steps[Written | FlowResult]:
    def send(body: JsonObject) -> Request:
        return Request("POST", "/contacts", body)

    body = contact_body(operation, api_version=world.settings.api_version)
    note_unstorable_times(operation, notes)
    return (yield from write(send, body, model="contact", world=world, notes=notes))


def _remember_created(operation: UpsertContact, written: Written, world: World) -> None:
    contact_id = id_of(object_of(written.response))
    if contact_id is not None:
        world.cache.remember_contact(operation.who.key, ContactId(contact_id))
        _mark_lead(operation.who, ContactId(contact_id), is_lead=operation.role == "lead", world=world)
        values = _values_of(written.body, operation)
        world.cache.remember_written("contact", contact_id, values, now=world.now)


def _mark_lead(who: Who, contact_id: ContactId, *, is_lead: bool, world: World) -> None:
    """Remember whether a contact that is known only by its e-mail address is a lead."""
    if is_lead and who.email is not None:
        world.cache.mark("lead", who.key, contact_id)
    elif world.cache.is_marked("lead", who.key, contact_id):
        world.cache.mark("lead", who.key, ContactId(""))


def _update_found(
    operation: UpsertContact, contact_id: ContactId, *, world: World, notes: list[Note]
) -> Flow:
    """Update a contact that was found a moment ago; when it is gone by now, the message is sent again later."""
    world.cache.remember_contact(operation.who.key, contact_id)
    result = yield from _update(operation, contact_id, world=world, notes=notes)
    return result or FlowResult("retry", "contact_vanished", 404)


# --- what was written, and whether anything would change (rule O3) ---------------------------------------------


def _values_of(body: Mapping[str, JsonValue], operation: UpsertContact) -> dict[str, JsonValue]:
    values = values_of(body)
    if "owner_id" in operation.fields and "owner_id" in values:
        # The body holds a number or a text, depending on the version of the API: it is the same owner.
        values["owner_id"] = operation.fields["owner_id"]
    return values


def _unchanged(operation: UpsertContact, contact_id: str, world: World) -> FlowResult | None:
    """Return the result when a write would change nothing, with a note for each attribute that it would leave out; else None."""
    wanted = _values_of(_update_body(operation, contact_id, world), operation)
    values = world.cache.effective(
        "contact", wanted, world.now, can_create=lambda name: can_create(operation, name, world)
    )
    if not _is_written(contact_id, dict(values), world):
        return None
    return UNCHANGED._replace(notes=notes_of_unwritten(operation, wanted, values, world))


def _is_written(contact_id: str, values: dict[str, JsonValue], world: World) -> bool:
    settings, cache = world.settings, world.cache
    last_seen = values.pop(LAST_SEEN, None)
    if not cache.was_written("contact", contact_id, values, now=world.now, within=settings.unchanged_for):
        return False
    if not isinstance(last_seen, int):
        return True
    written = cache.written_number("contact", contact_id, LAST_SEEN)
    return written is not None and (
        last_seen == written or abs(last_seen - written) < settings.last_seen_resolution
    )
