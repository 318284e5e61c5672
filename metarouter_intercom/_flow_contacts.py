"""Contacts: upsert without an upsert in the API, merge, delete (rules M1, L1, D1); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._answers import DELIVERED, Outcome, classify, dead
from ._codec import contact_body
from ._flow import (
    HOPS,
    canonical_id,
    id_in_text,
    id_of,
    in_path,
    is_success,
    object_of,
    text_of,
    waits,
)
from ._flow_finding import by_anonymous_id, by_email, find_contact, leads_by_email
from ._flow_mending import Written, write
from ._types import ContactId
from .errors import TransportError
from .plugins import Note, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._directory import Token
    from ._flow import Flow, Steps, World
    from ._types import JsonObject, JsonValue
    from .operations import DeleteContact, MergeContact, UpsertContact, Who
    from .plugins import Response

_SEEN = "last_seen_at"


def upsert_contact(operation: UpsertContact, world: World) -> Flow:
    """See that the contact is there with these facts (M1): one request for a known contact, none when nothing changes (O3)."""
    notes: list[Note] = []
    known = operation.who.contact_id or world.directory.contact_id(operation.who.key)
    if known is not None:
        if _is_unchanged(operation, known, world):
            return DELIVERED._replace(unchanged=True)
        outcome = yield from _update(operation, known, world, notes)
        if outcome is not None:
            return _noted(outcome, notes)
    outcome = yield from _find_or_create(operation, world, notes)
    return _noted(outcome, notes)


def _noted(outcome: Outcome, notes: list[Note]) -> Outcome:
    return outcome._replace(notes=(*outcome.notes, *notes)) if notes else outcome


# --- a contact whose id is known ----------------------------------------------------------------------------


def _update(
    operation: UpsertContact, contact_id: ContactId, world: World, notes: list[Note]
) -> Steps[Outcome | None]:
    """Write to a contact by Intercom's id; None when it is not there and may be found otherwise."""
    directory = world.directory
    seen: set[str] = set()
    current = contact_id
    while True:
        token = directory.begin_write("contact", current, world.now)
        written = yield from _guarded(operation, current, world, notes, token)
        response = written.response
        if written.outcome is None and is_success(response):
            directory.remember_contact(operation.who.key, current)
            directory.finish_write(token, _facts(written.body, operation), world.now)
            return DELIVERED
        directory.fail_write(token)
        seen.add(current)
        following = canonical_id(response) if response.status == 410 else None
        if following is not None and following not in seen and len(seen) <= HOPS:
            directory.forget_contact(operation.who.key, current)
            current = following
            continue
        if response.status in (404, 410):
            directory.forget_contact(operation.who.key, current)
            return _not_there(operation.who, response)
        return written.outcome or _refused(written)


def _not_there(who: Who, response: Response) -> Outcome | None:
    """Go on without Intercom's id where the message tells another one."""
    if who.contact_id is not None and who.external_id is None:
        return dead(response, "contact_missing")
    return None


def _guarded(
    operation: UpsertContact, contact_id: str, world: World, notes: list[Note], token: Token
) -> Steps[Written]:
    """Write to a contact; without an answer nobody knows any more what it holds."""

    def send(body: JsonObject) -> Request:
        return Request("PUT", f"/contacts/{in_path(contact_id)}", body)

    body = contact_body(operation, api_version=world.settings.api_version)
    if operation.role == "lead":
        # Leads stay what they are: Intercom refuses to make a user a lead.
        body.pop("role", None)
    try:
        return (yield from write(send, body, "contact", world, notes))
    except (TransportError, GeneratorExit):
        world.directory.fail_write(token)
        raise


def _refused(written: Written) -> Outcome:
    if written.response.status == 409:
        return dead(written.response, "conflict")
    return classify(written.request, written.response)


# --- a contact whose id is not known --------------------------------------------------------------------------


def _find_or_create(operation: UpsertContact, world: World, notes: list[Note]) -> Flow:
    who = operation.who
    if who.external_id is None:
        found = yield from _found(operation)
        if isinstance(found, Outcome):
            return found
        contact_id = None if found is None else id_of(found)
        if contact_id is not None:
            world.directory.remember_contact(who.key, ContactId(contact_id))
            outcome = yield from _update(operation, ContactId(contact_id), world, notes)
            return outcome or Outcome("retry", "contact_vanished", 404)
    written = yield from _create(operation, world, notes)
    response = written.response
    if written.outcome is not None:
        return written.outcome
    if is_success(response):
        _remember_created(operation, written, world)
        return DELIVERED
    if response.status == 409:
        return (yield from _route_conflict(operation, response, world, notes))
    return classify(written.request, response)


def _found(operation: UpsertContact) -> Steps[JsonObject | Outcome | None]:
    who = operation.who
    if who.email is None:
        return (yield from by_anonymous_id(who.anonymous_id or ""))
    found = yield from by_email(who.email)
    if found is None and operation.role == "lead":
        leads = yield from leads_by_email(who.email)
        if isinstance(leads, Outcome):
            return leads
        return leads[0] if leads else None
    return found


def _create(operation: UpsertContact, world: World, notes: list[Note]) -> Steps[Written]:
    def send(body: JsonObject) -> Request:
        return Request("POST", "/contacts", body)

    body = contact_body(operation, api_version=world.settings.api_version)
    return (yield from write(send, body, "contact", world, notes))


def _remember_created(operation: UpsertContact, written: Written, world: World) -> None:
    contact_id = id_of(object_of(written.response))
    if contact_id is not None:
        world.directory.remember_contact(operation.who.key, ContactId(contact_id))
        facts = _facts(written.body, operation)
        world.directory.add_facts("contact", contact_id, facts, world.now)


def _route_conflict(operation: UpsertContact, response: Response, world: World, notes: list[Note]) -> Flow:
    """Go on from a 409, which carries the contact's id in its text (contract, fact 7)."""
    contact_id = id_in_text(response)
    if contact_id is None:
        reason = "ambiguous_email" if "multiple" in text_of(response).lower() else "conflict"
        return dead(response, reason)
    if "archived" in text_of(response).lower():
        return (yield from _revive(operation, contact_id, response, world, notes))
    request = Request("GET", f"/contacts/{in_path(contact_id)}")
    answer = yield request
    following = canonical_id(answer) if answer.status == 410 else None
    if following is not None:
        contact_id = following
    elif answer.status == 404:
        return Outcome("retry", "contact_vanished", 404)
    elif not is_success(answer):
        return classify(request, answer)
    elif not _is_ours(object_of(answer), operation.who):
        return dead(response, "conflict")
    world.directory.remember_contact(operation.who.key, ContactId(contact_id))
    outcome = yield from _update(operation, ContactId(contact_id), world, notes)
    return outcome or Outcome("retry", "contact_vanished", 404)


def _is_ours(found: JsonObject, who: Who) -> bool:
    """Tell whether the contact may be written to: never take over another user (M1)."""
    external_id = found.get("external_id")
    if who.external_id is not None:
        return external_id in (None, "", who.external_id) or found.get("role") == "lead"
    if who.email is not None:
        return str(found.get("email", "")).lower() == who.email.lower()
    return False


def _revive(
    operation: UpsertContact, contact_id: str, refusal: Response, world: World, notes: list[Note]
) -> Flow:
    """Unarchive the contact and write to it, where the settings allow it and Intercom can."""
    if not world.settings.revive_archived:
        return dead(refusal, "contact_archived")
    path = f"/contacts/{in_path(contact_id)}"
    request = Request("POST", f"{path}/unarchive")
    answer = yield request
    text = text_of(answer).lower()
    if answer.status in (400, 404, 422) or "permanent deletion" in text or "not restorable" in text:
        return dead(answer, "contact_deleted")
    if not is_success(answer):
        return classify(request, answer)
    look = Request("GET", path)
    found = yield look
    if is_success(found) and not _is_ours(object_of(found), operation.who):
        yield Request("POST", f"{path}/archive")
        return dead(refusal, "conflict")
    world.directory.remember_contact(operation.who.key, ContactId(contact_id))
    world.directory.forget_facts("contact", contact_id)
    outcome = yield from _update(operation, ContactId(contact_id), world, notes)
    return outcome or Outcome("retry", "contact_vanished", 404)


# --- what was written (rule O3) --------------------------------------------------------------------------------


def _facts(body: Mapping[str, JsonValue], operation: UpsertContact) -> dict[str, JsonValue]:
    """Return what *body* wrote, one fact a field or attribute."""
    attributes = body.get("custom_attributes")
    facts = {name: value for name, value in body.items() if name != "custom_attributes"}
    if "owner_id" in operation.fields and "owner_id" in facts:
        facts["owner_id"] = operation.fields["owner_id"]
    if isinstance(attributes, dict):
        facts.update({f"a:{name}": value for name, value in attributes.items()})
    return facts


def _is_unchanged(operation: UpsertContact, contact_id: str, world: World) -> bool:
    settings, directory = world.settings, world.directory
    body = contact_body(operation, api_version=settings.api_version)
    if operation.role == "lead":
        body.pop("role", None)
    facts = {
        name: value
        for name, value in _facts(body, operation).items()
        if not (name.startswith("a:") and directory.is_refused("contact", name[2:], world.now))
    }
    seen = facts.pop(_SEEN, None)
    if not directory.knows("contact", contact_id, facts, now=world.now, within=settings.unchanged_for):
        return False
    if not isinstance(seen, int):
        return True
    before = directory.number_of("contact", contact_id, _SEEN)
    return before is not None and (seen == before or abs(seen - before) < settings.last_seen_resolution)


# --- merge and delete ---------------------------------------------------------------------------------------------


def merge_contact(operation: MergeContact, world: World) -> Flow:
    """Fold the lead into the user (L1); a lead that is not there counts as folded already."""
    directory = world.directory
    lead = yield from find_contact(operation.lead, world)
    if isinstance(lead, Outcome):
        return lead
    user = yield from find_contact(operation.user, world)
    if isinstance(user, Outcome):
        return user
    if lead is None or lead == user:
        return DELIVERED._replace(notes=(Note("L1", "previousId", "no such lead"),), unchanged=True)
    if user is None:
        return waits()
    request = Request("POST", "/contacts/merge", {"from": lead, "into": user})
    response = yield request
    if is_success(response):
        directory.forget_contact(operation.lead.key, lead)
        directory.forget_facts("contact", user)
        directory.remember_contact(operation.lead.key, user)
        return DELIVERED
    if response.status in (404, 410):
        directory.forget_contact(operation.lead.key, lead)
        directory.forget_contact(operation.user.key, user)
        return Outcome("retry", f"http_{response.status}", response.status)
    return classify(request, response)


def delete_contact(operation: DeleteContact, world: World) -> Flow:
    """Delete or archive the contact (D1); one that is not there is a success with a note."""
    directory = world.directory
    for _ in range(2):
        contact_id = yield from find_contact(operation.who, world)
        if isinstance(contact_id, Outcome):
            return contact_id
        if contact_id is None:
            break
        path = f"/contacts/{in_path(contact_id)}"
        request = Request("POST", f"{path}/archive") if operation.archive else Request("DELETE", path)
        response = yield request
        directory.forget_contact(operation.who.key, contact_id)
        if is_success(response):
            return DELIVERED
        if response.status not in (404, 410):
            return classify(request, response)
    return DELIVERED._replace(notes=(Note("D1", "contact", "not there"),), unchanged=True)
