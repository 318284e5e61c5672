"""Contacts: an upsert where the API has none, and nothing sent where nothing changes (rules M1, O3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import ContactId
from ..errors import TransportError
from ..operations import UpsertContact
from ..plugins import Request
from .context import HOPS, in_path
from .field_repair import Written, write
from .lookup import by_anonymous_id, by_email, leads_by_email
from .payloads import contact_body, tell_unheld
from .responses import (
    DELIVERED,
    FlowResult,
    canonical_id,
    classify,
    dead,
    id_in_text,
    id_of,
    is_success,
    object_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue, Note
    from ..operations import Who
    from ..plugins import Response
    from .context import Flow, Steps, World
    from .workspace_cache import Token

_SEEN = "last_seen_at"
# Intercom answered 500 to unarchiving a permanently deleted contact (contract, section 2). The create before each attempt was
# answered, so the third one is no outage.
_REFUSALS_TO_REVIVE = 3


def upsert_contact(operation: UpsertContact, world: World) -> Flow:
    """See that the contact is there with these facts (M1): one request for a known contact, none when nothing changes (O3)."""
    notes: list[Note] = []
    known = operation.who.contact_id or world.cache.contact_id(operation.who.key)
    if known is not None and not _is_another(operation, known, world):
        if _is_unchanged(operation, known, world):
            return DELIVERED._replace(unchanged=True)
        outcome = yield from _update(operation, known, world, notes)
        if outcome is not None:
            return _noted(outcome, notes)
    outcome = yield from _find_or_create(operation, world, notes)
    return _noted(outcome, notes)


def _is_another(operation: UpsertContact, known: ContactId, world: World) -> bool:
    """Tell whether the remembered contact is a lead of the same address: a user is made beside it (I2)."""
    is_by_email = operation.who.external_id is None and operation.who.email is not None
    is_user = is_by_email and operation.role == "user"
    return is_user and world.cache.is_marked("lead", operation.who.key, known)


def _noted(outcome: FlowResult, notes: list[Note]) -> FlowResult:
    return outcome._replace(notes=(*outcome.notes, *notes)) if notes else outcome


# --- a contact whose id is known ----------------------------------------------------------------------------


def _update(
    operation: UpsertContact, contact_id: ContactId, world: World, notes: list[Note]
) -> Steps[FlowResult | None]:
    """Write to a contact by Intercom's id; None when it is not there and may be found otherwise."""
    cache = world.cache
    seen: set[str] = set()
    current = contact_id
    while True:
        token = cache.begin_write("contact", current, world.now)
        written = yield from _guarded(operation, current, world, notes, token)
        if isinstance(written, FlowResult):
            cache.fail_write(token)
            return written
        response = written.response
        if is_success(response):
            cache.remember_contact(operation.who.key, current)
            cache.finish_write(token, _facts(written.body, operation), world.now)
            return DELIVERED
        cache.fail_write(token)
        seen.add(current)
        following = canonical_id(response) if response.status == 410 else None
        if following is not None and following not in seen and len(seen) <= HOPS:
            outcome = yield from _follow(operation.who, current, following, world)
            if outcome is not None:
                return outcome
            current = following
            continue
        if response.status in (404, 410):
            cache.forget_contact(operation.who.key, current)
            return _not_there(operation.who, response)
        return _refused(written)


def _follow(who: Who, merged: ContactId, canonical: ContactId, world: World) -> Steps[FlowResult | None]:
    """Go on at the contact that *merged* became; an outcome when it cannot be told whose that one is."""
    world.cache.forget_contact(who.key, merged)
    if who.external_id is None:
        return None
    request = Request("GET", f"/contacts/{in_path(canonical)}")
    answer = yield request
    if is_success(answer) and _is_ours(object_of(answer), who):
        return None
    outcome = classify(request, answer)
    if outcome.kind in ("retry", "held"):
        return outcome
    # The facts follow, the external id does not: that would take over another user.
    world.cache.mark("foreign", who.key, canonical)
    return None


def _not_there(who: Who, response: Response) -> FlowResult | None:
    """Go on without Intercom's id where the message tells another one."""
    if who.contact_id is not None and who.external_id is None:
        return dead(response, "contact_missing")
    return None


def _guarded(
    operation: UpsertContact, contact_id: str, world: World, notes: list[Note], token: Token
) -> Steps[Written | FlowResult]:
    """Write to a contact; without an answer nobody knows any more what it holds."""

    def send(body: JsonObject) -> Request:
        return Request("PUT", f"/contacts/{in_path(contact_id)}", body)

    body = _update_body(operation, contact_id, world)
    tell_unheld(operation, notes)
    try:
        return (yield from write(send, body, "contact", world, notes))
    except (TransportError, GeneratorExit):
        world.cache.fail_write(token)
        raise


def _update_body(operation: UpsertContact, contact_id: str, world: World) -> JsonObject:
    body = contact_body(operation, api_version=world.settings.api_version)
    if operation.role == "lead":
        # Leads stay what they are: Intercom refuses to make a user a lead.
        body.pop("role", None)
    if "external_id" in body and world.cache.is_marked("foreign", operation.who.key, contact_id):
        del body["external_id"]
    return body


def _refused(written: Written) -> FlowResult:
    if written.response.status == 409:
        return _conflict(written.response)
    return classify(written.request, written.response)


def _conflict(response: Response) -> FlowResult:
    is_ambiguous = "multiple" in text_of(response).lower()
    return dead(response, "ambiguous_email" if is_ambiguous else "conflict")


# --- a contact whose id is not known --------------------------------------------------------------------------


def _find_or_create(operation: UpsertContact, world: World, notes: list[Note]) -> Flow:
    who = operation.who
    if who.external_id is None:
        found = yield from _found(operation)
        if isinstance(found, FlowResult):
            return found
        contact_id = None if found is None else id_of(found)
        if found is not None and contact_id is not None:
            _mark_lead(who, ContactId(contact_id), found.get("role") == "lead", world)
            return (yield from _update_found(operation, ContactId(contact_id), world, notes))
    written = yield from _create(operation, world, notes)
    if isinstance(written, FlowResult):
        return written
    response = written.response
    if is_success(response):
        _remember_created(operation, written, world)
        return DELIVERED
    if response.status == 409:
        return (yield from _route_conflict(operation, response, world, notes))
    return classify(written.request, response)


def _found(operation: UpsertContact) -> Steps[JsonObject | FlowResult | None]:
    who = operation.who
    if who.email is None:
        return (yield from by_anonymous_id(who.anonymous_id or ""))
    found = yield from by_email(who.email)
    if found is None and operation.role == "lead":
        leads = yield from leads_by_email(who.email)
        if isinstance(leads, FlowResult):
            return leads
        return leads[0] if leads else None
    return found


def _create(operation: UpsertContact, world: World, notes: list[Note]) -> Steps[Written | FlowResult]:
    def send(body: JsonObject) -> Request:
        return Request("POST", "/contacts", body)

    body = contact_body(operation, api_version=world.settings.api_version)
    tell_unheld(operation, notes)
    return (yield from write(send, body, "contact", world, notes))


def _remember_created(operation: UpsertContact, written: Written, world: World) -> None:
    contact_id = id_of(object_of(written.response))
    if contact_id is not None:
        world.cache.remember_contact(operation.who.key, ContactId(contact_id))
        _mark_lead(operation.who, ContactId(contact_id), operation.role == "lead", world)
        facts = _facts(written.body, operation)
        world.cache.add_facts("contact", contact_id, facts, world.now)


def _mark_lead(who: Who, contact_id: ContactId, is_lead: bool, world: World) -> None:
    """Remember of a contact that is known by its address alone whether it is a lead."""
    if is_lead and who.email is not None:
        world.cache.mark("lead", who.key, contact_id)
    elif world.cache.is_marked("lead", who.key, contact_id):
        world.cache.mark("lead", who.key, ContactId(""))


def _route_conflict(operation: UpsertContact, response: Response, world: World, notes: list[Note]) -> Flow:
    """Go on from a 409, which carries the contact's id in its text (contract, fact 7)."""
    contact_id = id_in_text(response)
    if contact_id is None:
        return _conflict(response)
    if "archived" in text_of(response).lower():
        return (yield from _revive(operation, contact_id, response, world, notes))
    for _ in range(HOPS + 1):
        request = Request("GET", f"/contacts/{in_path(contact_id)}")
        answer = yield request
        following = canonical_id(answer) if answer.status == 410 else None
        if following is None:
            break
        contact_id = following
    if answer.status in (404, 410):
        return FlowResult("retry", "contact_vanished", answer.status)
    if not is_success(answer):
        return classify(request, answer)
    if not _is_ours(object_of(answer), operation.who):
        return dead(response, "conflict")
    return (yield from _update_found(operation, ContactId(contact_id), world, notes))


def _update_found(operation: UpsertContact, contact_id: ContactId, world: World, notes: list[Note]) -> Flow:
    world.cache.remember_contact(operation.who.key, contact_id)
    outcome = yield from _update(operation, contact_id, world, notes)
    return outcome or FlowResult("retry", "contact_vanished", 404)


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
    if not is_success(answer):
        return _not_revived(contact_id, request, answer, world)
    world.cache.forget_failures(contact_id)
    revived = object_of(answer)
    who = operation.who
    if who.external_id is not None and "external_id" not in revived:
        look = Request("GET", path)
        found = yield look
        if not is_success(found):
            return classify(look, found)
        revived = object_of(found)
    # Without an external id only the address that we sent can have been in the way.
    if who.external_id is not None and not _is_ours(revived, who):
        yield Request("POST", f"{path}/archive")
        return dead(refusal, "conflict")
    world.cache.forget_facts("contact", contact_id)
    return (yield from _update_found(operation, ContactId(contact_id), world, notes))


def _not_revived(contact_id: str, request: Request, answer: Response, world: World) -> FlowResult:
    text = text_of(answer).lower()
    if answer.status in (400, 404, 422) or "permanent deletion" in text or "not restorable" in text:
        return dead(answer, "contact_deleted")
    if answer.status == 500 and world.cache.count_failure(contact_id) >= _REFUSALS_TO_REVIVE:
        return dead(answer, "contact_deleted")
    return classify(request, answer)


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
    settings, cache = world.settings, world.cache
    body = _update_body(operation, contact_id, world)
    facts = {
        name: value
        for name, value in _facts(body, operation).items()
        if not name.startswith("a:") or cache.takes("contact", name[2:], value, world.now)
    }
    seen = facts.pop(_SEEN, None)
    if not cache.knows("contact", contact_id, facts, now=world.now, within=settings.unchanged_for):
        return False
    if not isinstance(seen, int):
        return True
    before = cache.number_of("contact", contact_id, _SEEN)
    return before is not None and (seen == before or abs(seen - before) < settings.last_seen_resolution)


def make_bare_contact(who: Who, world: World) -> Flow:
    """Make a contact of which nothing but its id is known (``create_missing_contacts``)."""
    fields: JsonObject = {"email": who.email} if who.email is not None else {}
    attributes: JsonObject = {}
    is_lead = who.external_id is None and who.email is None
    if is_lead:
        attributes["anonymous_id"] = who.anonymous_id
    bare = UpsertContact(who=who, role="lead" if is_lead else "user", fields=fields, attributes=attributes)
    return (yield from upsert_contact(bare, world))
