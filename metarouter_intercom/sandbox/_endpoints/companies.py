"""Companies, and which contacts are attached to them."""

from __future__ import annotations

from collections.abc import Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, company_not_found, malformed
from .._request import Call
from .._response_bodies import numbered_page, view_company, view_contact
from .._validation import (
    Check,
    a_boolean,
    a_string,
    an_integer,
    an_object,
    refuse_unknown,
    seconds,
    some_text,
    spend,
    whole_number,
)
from .._workspace_state import Company
from .attributes import write_custom

_CHANGEABLE: Mapping[str, Check] = {
    "name": a_string,
    "plan": a_string,
    "size": an_integer,
    "website": a_string,
    "industry": a_string,
    "monthly_spend": spend,
}
_CREATABLE: Mapping[str, Check] = {**_CHANGEABLE, "remote_created_at": seconds}
_DEFAULT_PER_PAGE = 15
_MOST_PER_PAGE = 60
_ATTACHED_PER_PAGE = 50
# Listing stops here; only scrolling goes on.
_LIST_CAP = 10_000
_SCROLL_PAGE = 100
_SCROLL_IDLE = 60.0


def upsert_company(call: Call) -> JsonValue:
    """``POST /companies``: found by the caller's ``company_id``, else made."""
    body = call.body
    _refuse_unknown(call, body, (*_CREATABLE, "company_id"))
    if "company_id" not in body:
        raise malformed("company_id not specified", rule="missing_field", code="parameter_not_found")
    company_id = some_text("company_id", body["company_id"])
    company = call.state.company_by_own_id(company_id)
    fresh = company is None
    if company is None:
        company = Company(
            id=call.state.new_id(), company_id=company_id, created_at=call.second, updated_at=call.second
        )
    _write(call, company, _CREATABLE)
    if fresh:
        call.state.companies[company.id] = company
        call.state.companies_by_own_id[company_id] = company.id
    return view_company(call, company)


def update_company(call: Call) -> JsonValue:
    """``PUT /companies/{id}``: by Intercom's id; ``company_id`` cannot change."""
    company = _company(call, call.ids[0])
    _refuse_unknown(call, call.body, tuple(_CHANGEABLE))
    _write(call, company, _CHANGEABLE)
    return view_company(call, company)


def _refuse_unknown(call: Call, body: JsonObject, known: tuple[str, ...]) -> None:
    since_2_16 = ("update_last_request_at",) if call.version >= (2, 16) else ()
    refuse_unknown(body, (*known, *since_2_16, "custom_attributes"))


def _write(call: Call, company: Company, checks: Mapping[str, Check]) -> None:
    body = call.body
    fields = {name: check(name, body[name]) for name, check in checks.items() if name in body}
    touch = a_boolean("update_last_request_at", body.get("update_last_request_at", False))
    given = body.get("custom_attributes")
    if given is not None:
        write_custom(call, "company", company.custom, an_object("custom_attributes", given))
    company.fields.update(fields)
    company.updated_at = call.second
    if touch:
        company.last_request_at = call.second


def show_company(call: Call) -> JsonValue:
    """``GET /companies/{id}``."""
    return view_company(call, _company(call, call.ids[0]))


def find_companies(call: Call) -> JsonValue:
    """``GET /companies``: one by ``company_id`` or ``name``, those with a tag, or a page of all."""
    query = call.query
    if "company_id" in query or "name" in query:
        found = [
            company
            for company in call.state.companies.values()
            if query.get("company_id", company.company_id) == company.company_id
            and query.get("name", company.fields.get("name")) == company.fields.get("name")
        ]
        if not found:
            raise company_not_found()
        if call.settings.company_lookup == "object":
            return view_company(call, found[0])
        return _page(call, found)
    if "segment_id" in query:
        return _page(call, [])
    tag_id = query.get("tag_id")
    return _page(call, [one for one in _visible(call) if tag_id is None or tag_id in one.tags])


def list_companies(call: Call) -> JsonValue:
    """``POST /companies/list``: the latest seen first, or the earliest with ``order=asc``."""
    newest_first = call.query.get("order", "desc") != "asc"
    ordered = sorted(_visible(call), key=lambda one: one.last_request_at or 0, reverse=newest_first)
    return _page(call, ordered[:_LIST_CAP])


def scroll_companies(call: Call) -> JsonValue:
    """``GET /companies/scroll``: one open scroll in an app, closed when a minute passes without a call."""
    scroll = call.state.scroll
    if scroll is not None and call.now - scroll[1] > _SCROLL_IDLE:
        scroll = call.state.scroll = None
    wanted = call.query.get("scroll_param")
    if wanted is None:
        if scroll is not None:
            raise Refused(
                423, "scroll_exists", "scroll already exists for this workspace", rule="scroll_exists"
            )
        scroll = (call.state.new_uuid(), call.now, 0)
    elif scroll is None or scroll[0] != wanted:
        raise Refused(404, "not_found", "scroll parameter not found", rule="scroll_not_found")
    name, _, begin = scroll
    found = _visible(call)[begin : begin + _SCROLL_PAGE]
    call.state.scroll = (name, call.now, begin + len(found)) if found else None
    return {
        "type": "list",
        "data": [view_company(call, one) for one in found],
        "pages": None,
        "total_count": None,
        "scroll_param": name,
    }


def delete_company(call: Call) -> JsonValue:
    """``DELETE /companies/{id}``: its contacts are detached; the ``company_id`` is free again."""
    company = _company(call, call.ids[0])
    for contact_id in list(company.people):
        call.state.detach(call.state.contacts[contact_id], company)
    del call.state.companies[company.id]
    del call.state.companies_by_own_id[company.company_id]
    return {"id": company.id, "object": "company", "deleted": True}


def _visible(call: Call) -> list[Company]:
    # Lists hold only companies with at least one contact.
    return [company for company in call.state.companies.values() if company.people]


def _page(call: Call, found: list[Company], per_page: int = _DEFAULT_PER_PAGE) -> JsonObject:
    return numbered_page(
        found,
        lambda company: view_company(call, company),
        page=whole_number(call.query, "page", 1, most=10**9),
        per_page=whole_number(call.query, "per_page", per_page, most=_MOST_PER_PAGE),
    )


def _company(call: Call, company_id: str) -> Company:
    company = call.state.companies.get(company_id)
    if company is None:
        if call.state.company_by_own_id(company_id) is not None:
            call.violate("company_id_in_path", "the API wants Intercom's own id of the company")
        raise company_not_found()
    return company


# --- people -----------------------------------------------------------------------------------------------


def list_people(call: Call) -> JsonValue:
    """``GET /companies/{id}/contacts``."""
    company = _company(call, call.ids[0])
    people = [call.state.contacts[contact_id] for contact_id in company.people]
    return numbered_page(
        [contact for contact in people if contact.is_live],
        lambda contact: view_contact(call, contact),
        page=whole_number(call.query, "page", 1, most=10**9),
        per_page=whole_number(call.query, "per_page", _ATTACHED_PER_PAGE, most=150),
    )


def attach(call: Call) -> JsonValue:
    """``POST /contacts/{id}/companies``: attaching again changes nothing."""
    contact = call.contact(method="write")
    refuse_unknown(call.body, ("id",))
    if call.body.get("id") is None:
        text = "company not specified"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    company = _company(call, a_string("id", call.body["id"]))
    most = call.settings.company_limit
    if company.id not in contact.companies and len(contact.companies) >= most:
        text = f"Contact has reached the maximum of {most} company associations"
        raise Refused(400, "contact_company_limit_exceeded", text, rule="company_limit")
    call.state.attach(contact, company, call.second)
    return view_company(call, company)


def detach(call: Call) -> JsonValue:
    """``DELETE /contacts/{id}/companies/{company id}``."""
    contact = call.contact(method="write")
    company = _company(call, call.ids[1])
    if company.id not in contact.companies:
        raise company_not_found()
    call.state.detach(contact, company)
    return view_company(call, company)


def list_attached(call: Call) -> JsonValue:
    """``GET /contacts/{id}/companies``; the list stands under both names that Intercom's own material gives it."""
    contact = call.contact()
    companies = [call.state.companies[company_id] for company_id in contact.companies]
    shown = _page(call, companies, _ATTACHED_PER_PAGE)
    shown["companies"] = shown["data"]
    return shown
