"""Contacts that go: a lead that is folded into a user, a contact that is deleted (rules L1, D1); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import ContactId, Note
from ..plugins import Request
from .context import in_path, waits
from .lookup import by_anonymous_id, find_contact
from .responses import DELIVERED, FlowResult, canonical_id, classify, id_of, is_success

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..operations import DeleteContact, MergeContact, Who
    from .context import Flow, Steps, World

# From this version on Intercom merges look-alikes only, unless it is told that the two are one (contract, section 4).
_CHECKS_DUPLICATES_FROM = (2, 16)
_FOLDED = DELIVERED._replace(notes=(Note("L1", "previousId", "no such lead"),), unchanged=True)


def merge_contact(operation: MergeContact, world: World) -> Flow:
    """Fold the lead into the user (L1); a lead that is not there counts as folded already."""
    lead = yield from _find_lead(operation.lead, world)
    if isinstance(lead, FlowResult):
        return lead
    if lead is None:
        return _FOLDED
    user = yield from find_contact(operation.user, world)
    if isinstance(user, FlowResult):
        return user
    if lead == user:
        return _FOLDED
    if user is None:
        return waits()
    body: JsonObject = {"from": lead, "into": user}
    if world.version >= _CHECKS_DUPLICATES_FROM:
        body["skip_duplicate_validation"] = True
    request = Request("POST", "/contacts/merge", body)
    response = yield request
    if is_success(response):
        _remember_folded(operation.lead, lead, user, world)
        return DELIVERED
    if response.status in (404, 410):
        return (yield from _who_is_gone(operation, lead, user, world))
    return classify(request, response)


def _find_lead(who: Who, world: World) -> Steps[ContactId | FlowResult | None]:
    """Return Intercom's id of the lead; None when there is none, or none any more: it became a user."""
    cache = world.cache
    known = who.contact_id or cache.contact_id(who.key)
    if known is not None:
        return None if cache.is_marked("folded", who.key, known) else known
    found = yield from by_anonymous_id(who.anonymous_id or "")
    if isinstance(found, FlowResult):
        return found
    contact_id = None if found is None else id_of(found)
    if found is None or contact_id is None:
        return None
    cache.remember_contact(who.key, ContactId(contact_id))
    if found.get("role") != "user":
        return ContactId(contact_id)
    cache.mark("folded", who.key, ContactId(contact_id))
    return None


def _remember_folded(who: Who, lead: ContactId, user: ContactId, world: World) -> None:
    world.cache.forget_contact(who.key, lead)
    world.cache.forget_facts("contact", user)
    if who.contact_id is None:
        world.cache.remember_contact(who.key, user)
        world.cache.mark("folded", who.key, user)


def _who_is_gone(operation: MergeContact, lead: ContactId, user: ContactId, world: World) -> Flow:
    """Go on where Intercom misses one of the two: the answer to an earlier merge may have been lost."""
    cache = world.cache
    request = Request("GET", f"/contacts/{in_path(lead)}")
    answer = yield request
    if is_success(answer):
        cache.forget_contact(operation.user.key, user)
        return FlowResult("retry", "contact_vanished", 404)
    if answer.status not in (404, 410):
        return classify(request, answer)
    cache.forget_contact(operation.lead.key, lead)
    if canonical_id(answer) == user:
        _remember_folded(operation.lead, lead, user, world)
    return _FOLDED


def delete_contact(operation: DeleteContact, world: World) -> Flow:
    """Delete or archive the contact (D1); one that is not there is a success with a note."""
    cache = world.cache
    for _ in range(2):
        contact_id = yield from find_contact(operation.who, world)
        if isinstance(contact_id, FlowResult):
            return contact_id
        if contact_id is None:
            break
        path = f"/contacts/{in_path(contact_id)}"
        request = Request("POST", f"{path}/archive") if operation.archive else Request("DELETE", path)
        response = yield request
        cache.forget_contact(operation.who.key, contact_id)
        if is_success(response):
            return DELIVERED
        if response.status not in (404, 410):
            return classify(request, response)
    return DELIVERED._replace(notes=(Note("D1", "contact", "not there"),), unchanged=True)
