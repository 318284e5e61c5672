"""
What happens after a 409 for a contact: write to the contact that is there already, unarchive it first, or end the message; pure.

Intercom answers 409 when another contact has the external id or the e-mail address of a create. Rule M1 decides what follows: a
write goes to the existing contact only when that contact is the same person, never to another user. ``contacts`` makes the write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import ContactId
from ..plugins import Request
from .context import MAX_HOPS, path_segment
from .response_parsing import canonical_id, error_text, id_in_error_text, is_success, object_of
from .responses import FlowResult, classify, dead

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..operations import UpsertContact, Who
    from ..plugins import Response
    from .context import Steps, World

# Intercom answered 500 when asked to unarchive a permanently deleted contact (recorded in 2021). Each attempt follows a create that
# Intercom did answer, so three 500s are no outage.
_MAX_FAILURES_TO_UNARCHIVE = 3
_OTHER_PERSON = ("conflict", "ambiguous_email")


def resolve_conflict(who: Who, conflict: Response, world: World) -> Steps[ContactId | FlowResult]:
    """
    Return the existing contact to write to after the 409 *conflict* of a create, or the result that ends the message.

    Intercom puts the contact's id into the error text of the 409. An archived contact is unarchived when the settings allow it.
    """
    contact_id = id_in_error_text(conflict)
    if contact_id is None:
        return conflict_result(conflict)
    if "archived" in error_text(conflict).lower():
        return (yield from _unarchive(who, contact_id, conflict, world=world))
    for _ in range(MAX_HOPS + 1):
        request = Request("GET", f"/contacts/{path_segment(contact_id)}")
        response = yield request
        merged_into = canonical_id(response) if response.status == 410 else None
        if merged_into is None:
            break
        contact_id = merged_into
    if response.status in (404, 410):
        return FlowResult("retry", "contact_vanished", response.status)
    if not is_success(response):
        return classify(request, response)
    if is_same_person(object_of(response), who):
        return ContactId(contact_id)
    if who.external_id is None and who.email is not None:
        # The contact had this address a moment ago, or Intercom shows an old state of it. Without it a create succeeds.
        return FlowResult("retry", "contact_vanished", conflict.status)
    return dead(conflict, "conflict")


def owner_of_external_id(who: Who, response: Response) -> Steps[ContactId | FlowResult | None]:
    """
    Return the contact that has the external id of *who*, if *response* is the 409 of an update of another contact.

    Returns:
        None when it is no such 409, when the message names its contact by Intercom's id, or when somebody else is in the way. A result
        when Intercom does not say.
    """
    contact_id = id_in_error_text(response) if response.status == 409 else None
    is_archived = "archived" in error_text(response).lower()
    if contact_id is None or is_archived or who.contact_id is not None or who.external_id is None:
        return None
    request = Request("GET", f"/contacts/{path_segment(contact_id)}")
    existing = yield request
    if is_success(existing):
        is_owner = object_of(existing).get("external_id") == who.external_id
        return ContactId(contact_id) if is_owner else None
    result = classify(request, existing)
    return None if result.kind == "dead" else result


def is_about_email(result: FlowResult, operation: UpsertContact) -> bool:
    """
    Tell whether a create may have met another person only because of the e-mail address.

    Intercom refuses to create a contact with the address of another one, but lets an update write it: with different external ids
    an address is not unique (recorded). So the contact is created without the address, and then updated with it.
    """
    has_other_id = operation.who.external_id is not None
    return result.reason in _OTHER_PERSON and has_other_id and operation.fields.get("email") is not None


def conflict_result(conflict: Response) -> FlowResult:
    """Return the end of a message after a 409 that leads to no contact: ``conflict``, or ``ambiguous_email``."""
    is_ambiguous = "multiple" in error_text(conflict).lower()
    return dead(conflict, "ambiguous_email" if is_ambiguous else "conflict")


def is_same_person(contact: JsonObject, who: Who) -> bool:
    """Tell whether a write for *who* may go to *contact*: never take over another user (rule M1)."""
    external_id = contact.get("external_id")
    if who.external_id is not None:
        return external_id in (None, "", who.external_id) or contact.get("role") == "lead"
    if who.email is not None:
        return str(contact.get("email", "")).lower() == who.email.lower()
    return False


def _unarchive(
    who: Who, contact_id: str, conflict: Response, *, world: World
) -> Steps[ContactId | FlowResult]:
    """Unarchive the contact and return it; archive it again when it is another person."""
    if not world.settings.revive_archived:
        return dead(conflict, "contact_archived")
    path = f"/contacts/{path_segment(contact_id)}"
    request = Request("POST", f"{path}/unarchive")
    response = yield request
    if not is_success(response):
        return _not_unarchived(contact_id, request, response, world=world)
    world.cache.forget_failures(contact_id)
    contact = object_of(response)
    if who.external_id is not None and "external_id" not in contact:
        request = Request("GET", path)
        response = yield request
        if not is_success(response):
            return classify(request, response)
        contact = object_of(response)
    # A write without an external id can only have conflicted by its e-mail address, so the contact is the same person.
    if who.external_id is not None and not is_same_person(contact, who):
        yield Request("POST", f"{path}/archive")
        return dead(conflict, "conflict")
    world.cache.forget_written("contact", contact_id)
    return ContactId(contact_id)


def _not_unarchived(contact_id: str, request: Request, response: Response, *, world: World) -> FlowResult:
    """Return the result when Intercom does not unarchive the contact: deleted for good, or a failure to try again."""
    text = error_text(response).lower()
    if response.status in (400, 404, 422) or "permanent deletion" in text or "not restorable" in text:
        return dead(response, "contact_deleted")
    if response.status == 500 and world.cache.count_failure(contact_id) >= _MAX_FAILURES_TO_UNARCHIVE:
        return dead(response, "contact_deleted")
    return classify(request, response)
