"""Contacts that go: a lead that is folded into a user, a contact that is deleted (rules L1, D1); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._answers import DELIVERED, Outcome, classify
from ._flow import canonical_id, in_path, is_success, waits
from ._flow_finding import find_contact
from .plugins import Note, Request

if TYPE_CHECKING:
    from ._flow import Flow, World
    from ._types import ContactId, JsonObject
    from .operations import DeleteContact, MergeContact

# From this version on Intercom merges look-alikes only, unless it is told that the two are one (contract, section 4).
_CHECKS_DUPLICATES_FROM = (2, 16)
_FOLDED = DELIVERED._replace(notes=(Note("L1", "previousId", "no such lead"),), unchanged=True)


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
        return _FOLDED
    if user is None:
        return waits()
    body: JsonObject = {"from": lead, "into": user}
    if world.version >= _CHECKS_DUPLICATES_FROM:
        body["skip_duplicate_validation"] = True
    request = Request("POST", "/contacts/merge", body)
    response = yield request
    if is_success(response):
        directory.forget_contact(operation.lead.key, lead)
        directory.forget_facts("contact", user)
        directory.remember_contact(operation.lead.key, user)
        return DELIVERED
    if response.status in (404, 410):
        return (yield from _who_is_gone(operation, lead, user, world))
    return classify(request, response)


def _who_is_gone(operation: MergeContact, lead: ContactId, user: ContactId, world: World) -> Flow:
    """Go on where Intercom misses one of the two: the answer to an earlier merge may have been lost."""
    directory = world.directory
    request = Request("GET", f"/contacts/{in_path(lead)}")
    answer = yield request
    if is_success(answer):
        directory.forget_contact(operation.user.key, user)
        return Outcome("retry", "contact_vanished", 404)
    if answer.status not in (404, 410):
        return classify(request, answer)
    directory.forget_contact(operation.lead.key, lead)
    if canonical_id(answer) == user:
        directory.forget_facts("contact", user)
        directory.remember_contact(operation.lead.key, user)
    return _FOLDED


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
