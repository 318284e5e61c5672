"""How a lead is merged into a user (rule L1), and how a contact is deleted or archived (rule D1); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import ContactId, Note
from ..plugins import Request
from .context import path_segment
from .lookup import by_anonymous_id, find_contact
from .response_parsing import canonical_id, id_of, is_success
from .responses import CONTACT_MISSING, DELIVERED, UNCHANGED, FlowResult, classify

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..operations import DeleteContact, MergeContact, Who
    from .context import Flow, Steps, World

# From this version on Intercom refuses to merge contacts that it does not take for duplicates (OpenAPI 2.16, POST /contacts/merge).
_CHECKS_DUPLICATES_SINCE = (2, 16)
_NOTHING_TO_MERGE = UNCHANGED._replace(notes=(Note("L1", "previousId", "no such lead"),))
_NOTHING_TO_DELETE = UNCHANGED._replace(notes=(Note("D1", "contact", "not there"),))


def merge_contact(operation: MergeContact, world: World) -> Flow:
    """Merge the lead into the user (rule L1); a lead that does not exist counts as merged already."""
    lead = yield from _find_lead(operation.lead, world)
    if isinstance(lead, FlowResult):
        return lead
    if lead is None:
        return _NOTHING_TO_MERGE
    user = yield from find_contact(operation.user, world)
    if isinstance(user, FlowResult):
        return user
    if lead == user:
        return _NOTHING_TO_MERGE
    if user is None:
        return CONTACT_MISSING
    body: JsonObject = {"from": lead, "into": user}
    if world.version >= _CHECKS_DUPLICATES_SINCE:
        body["skip_duplicate_validation"] = True
    request = Request("POST", "/contacts/merge", body)
    response = yield request
    if is_success(response):
        _remember_merged(operation.lead, lead, user, world=world)
        return DELIVERED
    if response.status in (404, 410):
        return (yield from _after_missing(operation, lead, user, world=world))
    return classify(request, response)


def _find_lead(who: Who, world: World) -> Steps[ContactId | FlowResult | None]:
    """Return Intercom's id of the lead; None when there is none, or when it became a user already."""
    cache = world.cache
    known = who.contact_id or cache.contact_id(who.key)
    if known is not None:
        return None if cache.is_marked("folded", who.key, known) else known
    contact = yield from by_anonymous_id(who.anonymous_id or "")
    if isinstance(contact, FlowResult):
        return contact
    contact_id = None if contact is None else id_of(contact)
    if contact is None or contact_id is None:
        return None
    cache.remember_contact(who.key, ContactId(contact_id))
    if contact.get("role") != "user":
        return ContactId(contact_id)
    cache.mark("folded", who.key, ContactId(contact_id))
    return None


def _remember_merged(who: Who, lead: ContactId, user: ContactId, *, world: World) -> None:
    world.cache.forget_contact(who.key, lead)
    world.cache.forget_written("contact", user)
    if who.contact_id is None:
        world.cache.remember_contact(who.key, user)
        world.cache.mark("folded", who.key, user)


def _after_missing(operation: MergeContact, lead: ContactId, user: ContactId, *, world: World) -> Flow:
    """
    Find out which of the two contacts Intercom does not have.

    Without the lead an earlier merge succeeded, and only its response was lost. Without the user the merge is tried again.
    """
    cache = world.cache
    request = Request("GET", f"/contacts/{path_segment(lead)}")
    response = yield request
    if is_success(response):
        cache.forget_contact(operation.user.key, user)
        return FlowResult("retry", "contact_vanished", 404)
    if response.status not in (404, 410):
        return classify(request, response)
    cache.forget_contact(operation.lead.key, lead)
    if canonical_id(response) == user:
        _remember_merged(operation.lead, lead, user, world=world)
    return _NOTHING_TO_MERGE


def delete_contact(operation: DeleteContact, world: World) -> Flow:
    """Delete or archive the contact (rule D1); one that does not exist is a success with a note."""
    cache = world.cache
    # Twice, because the remembered id may be outdated: then the contact is looked up.
    for _ in range(2):
        contact_id = yield from find_contact(operation.who, world)
        if isinstance(contact_id, FlowResult):
            return contact_id
        if contact_id is None:
            break
        path = f"/contacts/{path_segment(contact_id)}"
        request = Request("POST", f"{path}/archive") if operation.archive else Request("DELETE", path)
        response = yield request
        cache.forget_contact(operation.who.key, contact_id)
        if is_success(response):
            return DELIVERED
        if response.status not in (404, 410):
            return classify(request, response)
    return _NOTHING_TO_DELETE
