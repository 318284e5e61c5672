"""How a contact or a company is found by the ids that a message has (rules M1, M2, O4); pure, writes nothing to Intercom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._types import CompanyId, ContactId
from ..plugins import Request
from .context import path_segment
from .response_parsing import id_of, is_success, object_of, objects_in
from .responses import FlowResult, classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject
    from ..operations import Who
    from .context import Steps, World

# A search stops after so many pages: nobody has more contacts with one e-mail address.
_MAX_PAGES = 4
_PER_PAGE = 150
_FIND_BY_EXTERNAL_ID_SINCE = (2, 13)
# A success without the expected fields does not mean that the contact is missing, so the message is sent again later.
UNREADABLE = FlowResult("retry", "unreadable_answer", 200)


# --- contacts -------------------------------------------------------------------------------------------------


def find_contact(who: Who, world: World) -> Steps[ContactId | FlowResult | None]:
    """Return Intercom's id of the contact; None when there is no such contact; a result when Intercom does not say."""
    known = who.contact_id or world.cache.contact_id(who.key)
    if known is not None:
        return known
    if who.external_id is not None:
        contact = yield from _by_external_id(who.external_id, world)
    elif who.email is not None:
        contact = yield from user_by_email(who.email)
    else:
        contact = yield from by_anonymous_id(who.anonymous_id or "")
    if isinstance(contact, FlowResult):
        return contact
    contact_id = None if contact is None else id_of(contact)
    if contact_id is None:
        return None
    remember_found(who, contact or {}, world)
    return ContactId(contact_id)


def remember_found(who: Who, contact: JsonObject, world: World) -> None:
    """Remember Intercom's id of a contact that was looked up, and whether a visitor turned out to be a user by now."""
    contact_id = ContactId(id_of(contact) or "")
    world.cache.remember_contact(who.key, contact_id)
    if contact.get("role") == "user" and who.external_id is None and who.email is None:
        world.cache.mark("folded", who.key, contact_id)


def _by_external_id(external_id: str, world: World) -> Steps[JsonObject | FlowResult | None]:
    if world.version < _FIND_BY_EXTERNAL_ID_SINCE:
        contacts = yield from _search("external_id", external_id)
        if isinstance(contacts, FlowResult):
            return contacts
        return next((contact for contact in contacts if contact.get("external_id") == external_id), None)
    request = Request("GET", f"/contacts/find_by_external_id/{path_segment(external_id)}")
    response = yield request
    if response.status == 404:
        return None
    if not is_success(response):
        return classify(request, response)
    contact = object_of(response)
    return UNREADABLE if id_of(contact) is None else contact


def user_by_email(email: str) -> Steps[JsonObject | FlowResult | None]:
    """Return the only user with this e-mail address; None when there is none; a dead result when there are several (rule I2)."""
    users = yield from _by_email(email, "user")
    if isinstance(users, FlowResult):
        return users
    if len(users) > 1:
        return FlowResult("dead", "ambiguous_email", message=f"{len(users)} users have this e-mail address")
    return users[0] if users else None


def lead_by_email(email: str) -> Steps[JsonObject | FlowResult | None]:
    """Return the oldest lead with this e-mail address; None when there is none."""
    leads = yield from _by_email(email, "lead")
    return leads if isinstance(leads, FlowResult) else _oldest(leads)


def _by_email(email: str, role: str) -> Steps[list[JsonObject] | FlowResult]:
    lowered = email.lower()
    contacts = yield from _search("email", lowered)
    if isinstance(contacts, FlowResult):
        return contacts
    return [
        contact
        for contact in contacts
        if contact.get("role") == role and str(contact.get("email", "")).lower() == lowered
    ]


def by_anonymous_id(anonymous_id: str) -> Steps[JsonObject | FlowResult | None]:
    """Return the oldest contact with *anonymous_id* as an attribute: the user whom the lead became, else the lead (rule R8)."""
    contacts = yield from _search("custom_attributes.anonymous_id", anonymous_id)
    if isinstance(contacts, FlowResult):
        # A workspace that does not have the attribute yet has no such lead.
        return None if contacts.status in (400, 404, 422) else contacts
    matching = [contact for contact in contacts if _attributes(contact).get("anonymous_id") == anonymous_id]
    users = [contact for contact in matching if contact.get("role") == "user"]
    return _oldest(users or matching)


def _oldest(contacts: Sequence[JsonObject]) -> JsonObject | None:
    """
    Return the contact that was created first; None when there is none.

    Intercom lists the oldest first (recorded), and promises it nowhere. Every attempt must lead to the same contact. Of contacts that
    were created in the same second, or without a time, the first one listed counts.
    """
    return min(contacts, key=_created_at, default=None)


def _created_at(contact: JsonObject) -> float:
    value = contact.get("created_at")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.inf


def _attributes(contact: JsonObject) -> JsonObject:
    value = contact.get("custom_attributes")
    return value if isinstance(value, dict) else {}


def _search(field: str, value: str) -> Steps[Sequence[JsonObject] | FlowResult]:
    """Return all contacts that Intercom finds, which may be more than those that match exactly."""
    contacts: list[JsonObject] = []
    pagination: JsonObject = {"per_page": _PER_PAGE}
    for _ in range(_MAX_PAGES):
        body: JsonObject = {
            "query": {"field": field, "operator": "=", "value": value},
            "pagination": dict(pagination),
        }
        request = Request("POST", "/contacts/search", body)
        response = yield request
        if not is_success(response):
            return classify(request, response)
        page = object_of(response)
        if not isinstance(page.get("data"), list):
            return UNREADABLE
        contacts += objects_in(page.get("data"))
        cursor = _next_cursor(page)
        if cursor is None:
            break
        pagination["starting_after"] = cursor
    return contacts


def _next_cursor(page: JsonObject) -> str | None:
    pages = page.get("pages")
    next_page = pages.get("next") if isinstance(pages, dict) else None
    cursor = next_page.get("starting_after") if isinstance(next_page, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None


# --- companies ------------------------------------------------------------------------------------------------


def find_company(callers_id: str, world: World) -> Steps[CompanyId | FlowResult | None]:
    """Return Intercom's id of the company; None when there is no such company; a result when Intercom does not say."""
    known = world.cache.company_id(callers_id)
    if known is not None:
        return known
    request = Request("GET", f"/companies?company_id={path_segment(callers_id)}")
    response = yield request
    if response.status == 404:
        return None
    if not is_success(response):
        return classify(request, response)
    body = object_of(response)
    # The response is one object by the prose of Intercom's documentation, and a list by its example: both are read.
    companies = [body, *objects_in(body.get("data")), *objects_in(body.get("companies"))]
    for company in companies:
        company_id = id_of(company)
        if company_id is not None and company.get("company_id") == callers_id:
            world.cache.remember_company(callers_id, CompanyId(company_id))
            return CompanyId(company_id)
    return None
