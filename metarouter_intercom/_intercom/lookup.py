"""Finding a contact or a company by what a message tells of it (rules M1, M2, O4); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import CompanyId, ContactId
from ..plugins import Request
from .context import in_path
from .responses import FlowResult, classify, id_of, is_success, object_of, objects_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject
    from ..operations import Who
    from .context import Steps, World

# Pages of a search that are read: nobody has so many contacts of one e-mail address.
_PAGES = 4
_PER_PAGE = 150
_FIND_BY_EXTERNAL_ID_FROM = (2, 13)
# A success that tells nothing must not be taken for "there is none".
_UNREADABLE = FlowResult("retry", "unreadable_answer", 200)


def find_contact(who: Who, world: World) -> Steps[ContactId | FlowResult | None]:
    """Return Intercom's id of the contact, None when it is not there, or an outcome when that cannot be told."""
    known = who.contact_id or world.cache.contact_id(who.key)
    if known is not None:
        return known
    if who.external_id is not None:
        found = yield from _by_external_id(who.external_id, world)
    elif who.email is not None:
        found = yield from by_email(who.email)
    else:
        found = yield from by_anonymous_id(who.anonymous_id or "")
    if isinstance(found, FlowResult):
        return found
    contact_id = None if found is None else id_of(found)
    if contact_id is None:
        return None
    world.cache.remember_contact(who.key, ContactId(contact_id))
    return ContactId(contact_id)


def _by_external_id(external_id: str, world: World) -> Steps[JsonObject | FlowResult | None]:
    if world.version < _FIND_BY_EXTERNAL_ID_FROM:
        found = yield from _search("external_id", external_id)
        if isinstance(found, FlowResult):
            return found
        return next((contact for contact in found if contact.get("external_id") == external_id), None)
    request = Request("GET", f"/contacts/find_by_external_id/{in_path(external_id)}")
    response = yield request
    if response.status == 404:
        return None
    if not is_success(response):
        return classify(request, response)
    found_one = object_of(response)
    return _UNREADABLE if id_of(found_one) is None else found_one


def by_email(email: str) -> Steps[JsonObject | FlowResult | None]:
    """Return the one user with this e-mail address, None when there is none, dead when there are several (I2)."""
    small = email.lower()
    found = yield from _search("email", small)
    if isinstance(found, FlowResult):
        return found
    users = [
        contact
        for contact in found
        if contact.get("role") == "user" and str(contact.get("email", "")).lower() == small
    ]
    if len(users) > 1:
        return FlowResult("dead", "ambiguous_email", message=f"{len(users)} users have this e-mail address")
    return users[0] if users else None


def leads_by_email(email: str) -> Steps[list[JsonObject] | FlowResult]:
    """Return the leads with this e-mail address."""
    small = email.lower()
    found = yield from _search("email", small)
    if isinstance(found, FlowResult):
        return found
    return [
        contact
        for contact in found
        if contact.get("role") == "lead" and str(contact.get("email", "")).lower() == small
    ]


def by_anonymous_id(anonymous_id: str) -> Steps[JsonObject | FlowResult | None]:
    """Return the contact that carries *anonymous_id* as an attribute: a lead, or the user whom it became (R8)."""
    found = yield from _search("custom_attributes.anonymous_id", anonymous_id)
    if isinstance(found, FlowResult):
        # A workspace that does not know the attribute yet has no such lead.
        return None if found.status in (400, 404, 422) else found
    own = [contact for contact in found if _attributes(contact).get("anonymous_id") == anonymous_id]
    users = [contact for contact in own if contact.get("role") == "user"]
    return next(iter(users or own), None)


def _attributes(contact: JsonObject) -> JsonObject:
    value = contact.get("custom_attributes")
    return value if isinstance(value, dict) else {}


def _search(field: str, value: str) -> Steps[Sequence[JsonObject] | FlowResult]:
    contacts: list[JsonObject] = []
    pagination: JsonObject = {"per_page": _PER_PAGE}
    for _ in range(_PAGES):
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
            return _UNREADABLE
        contacts += objects_in(page.get("data"))
        cursor = _next_page(page)
        if cursor is None:
            break
        pagination["starting_after"] = cursor
    return contacts


def _next_page(page: JsonObject) -> str | None:
    pages = page.get("pages")
    following = pages.get("next") if isinstance(pages, dict) else None
    cursor = following.get("starting_after") if isinstance(following, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None


def find_company(own_id: str, world: World) -> Steps[CompanyId | FlowResult | None]:
    """Return Intercom's id of the company, None when it is not there, or an outcome when that cannot be told."""
    known = world.cache.company_id(own_id)
    if known is not None:
        return known
    request = Request("GET", f"/companies?company_id={in_path(own_id)}")
    response = yield request
    if response.status == 404:
        return None
    if not is_success(response):
        return classify(request, response)
    answer = object_of(response)
    # The description says a list, its prose and others' code one object (contract, section 5): both are read.
    candidates = [answer, *objects_in(answer.get("data")), *objects_in(answer.get("companies"))]
    for company in candidates:
        found = id_of(company)
        if found is not None and company.get("company_id") == own_id:
            world.cache.remember_company(own_id, CompanyId(found))
            return CompanyId(found)
    return None
