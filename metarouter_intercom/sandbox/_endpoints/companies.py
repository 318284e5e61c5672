"""The endpoints of companies: writing, listing, scrolling, and attaching contacts. They know no tags or notes."""

from __future__ import annotations

from collections.abc import Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from .._custom_attributes import write_custom_attributes
from .._errors import ApiError, company_not_found, malformed
from .._request import ApiRequest
from .._response_bodies import numbered_page, view_company, view_contact
from .._validation import (
    Check,
    check_boolean,
    check_integer,
    check_past,
    check_spend,
    check_string,
    check_text,
    read_query_number,
    refuse_unknown,
)
from .._workspace_state import Company

_CHANGEABLE: Mapping[str, Check] = {
    "name": check_string,
    "plan": check_string,
    "size": check_integer,
    "website": check_string,
    "industry": check_string,
    "monthly_spend": check_spend,
}
_CREATABLE: Mapping[str, Check] = {**_CHANGEABLE, "remote_created_at": check_past}
_DEFAULT_PER_PAGE = 15
_MOST_PER_PAGE = 60
_ATTACHED_PER_PAGE = 50
# Lists end after this many companies; only scrolling reaches the others.
_MOST_LISTED = 10_000
_SCROLL_PAGE = 100
_SCROLL_IDLE = 60.0


def upsert_company(request: ApiRequest) -> JsonValue:
    """``POST /companies``: update the company with that ``company_id``, or make it."""
    body = request.body
    _refuse_unknown(request, body, (*_CREATABLE, "company_id"))
    if "company_id" not in body:
        raise malformed("company_id not specified", rule="missing_field", code="parameter_not_found")
    company_id = check_text("company_id", body["company_id"])
    company = request.state.company_by_own_id(company_id)
    is_new = company is None
    if company is None:
        company = Company(
            id=request.state.new_id(),
            company_id=company_id,
            created_at=request.timestamp,
            updated_at=request.timestamp,
        )
    _write(request, company, _CREATABLE)
    if is_new:
        request.state.companies[company.id] = company
        request.state.companies_by_own_id[company_id] = company.id
    return view_company(request, company)


def update_company(request: ApiRequest) -> JsonValue:
    """``PUT /companies/{id}``: by Intercom's id; ``company_id`` cannot change."""
    company = _company(request, request.ids[0])
    _refuse_unknown(request, request.body, tuple(_CHANGEABLE))
    _write(request, company, _CHANGEABLE)
    return view_company(request, company)


def _refuse_unknown(request: ApiRequest, body: JsonObject, known: tuple[str, ...]) -> None:
    since_2_16 = ("update_last_request_at",) if request.version >= (2, 16) else ()
    refuse_unknown(body, (*known, *since_2_16, "custom_attributes"))


def _write(request: ApiRequest, company: Company, checks: Mapping[str, Check]) -> None:
    body = request.body
    fields = {name: check(name, body[name]) for name, check in checks.items() if name in body}
    was_seen = check_boolean("update_last_request_at", body.get("update_last_request_at", False))
    write_custom_attributes(request, "company", company.custom)
    company.fields.update(fields)
    company.updated_at = request.timestamp
    if was_seen:
        company.last_request_at = request.timestamp


def show_company(request: ApiRequest) -> JsonValue:
    """``GET /companies/{id}``."""
    return view_company(request, _company(request, request.ids[0]))


def find_companies(request: ApiRequest) -> JsonValue:
    """``GET /companies``: one company by ``company_id`` or ``name``, the companies with a tag, or all."""
    query = request.query
    if "company_id" in query or "name" in query:
        companies = [
            company
            for company in request.state.companies.values()
            if query.get("company_id", company.company_id) == company.company_id
            and query.get("name", company.fields.get("name")) == company.fields.get("name")
        ]
        if not companies:
            raise company_not_found()
        if request.settings.company_lookup == "object":
            return view_company(request, companies[0])
        return _page(request, companies)
    if "segment_id" in query:
        return _page(request, [])
    tag_id = query.get("tag_id")
    return _page(
        request, [company for company in _visible(request) if tag_id is None or tag_id in company.tags]
    )


def list_companies(request: ApiRequest) -> JsonValue:
    """``POST /companies/list``: the last seen first, or with ``order=asc`` the longest unseen."""
    newest_first = request.query.get("order", "desc") != "asc"
    ordered = sorted(
        _visible(request), key=lambda company: company.last_request_at or 0, reverse=newest_first
    )
    return _page(request, ordered[:_MOST_LISTED])


def scroll_companies(request: ApiRequest) -> JsonValue:
    """``GET /companies/scroll``: an app has one open scroll, which ends after a minute without a request."""
    scroll = request.state.scroll
    if scroll is not None and request.now - scroll[1] > _SCROLL_IDLE:
        scroll = request.state.scroll = None
    scroll_param = request.query.get("scroll_param")
    if scroll_param is None:
        if scroll is not None:
            raise ApiError(
                423, "scroll_exists", "scroll already exists for this workspace", rule="scroll_exists"
            )
        scroll = (request.state.new_uuid(), request.now, 0)
    elif scroll is None or scroll[0] != scroll_param:
        raise ApiError(404, "not_found", "scroll parameter not found", rule="scroll_not_found")
    name, _, begin = scroll
    companies = _visible(request)[begin : begin + _SCROLL_PAGE]
    request.state.scroll = (name, request.now, begin + len(companies)) if companies else None
    return {
        "type": "list",
        "data": [view_company(request, company) for company in companies],
        "pages": None,
        "total_count": None,
        "scroll_param": name,
    }


def delete_company(request: ApiRequest) -> JsonValue:
    """``DELETE /companies/{id}``: detaches its contacts; a new company may have the same ``company_id``."""
    company = _company(request, request.ids[0])
    for contact_id in list(company.people):
        request.state.detach(request.state.contacts[contact_id], company)
    del request.state.companies[company.id]
    del request.state.companies_by_own_id[company.company_id]
    return {"id": company.id, "object": "company", "deleted": True}


def _visible(request: ApiRequest) -> list[Company]:
    # Intercom's lists contain only companies with at least one contact.
    return [company for company in request.state.companies.values() if company.people]


def _page(request: ApiRequest, companies: list[Company], per_page: int = _DEFAULT_PER_PAGE) -> JsonObject:
    return numbered_page(
        companies,
        lambda company: view_company(request, company),
        page=read_query_number(request.query, "page", 1, most=10**9),
        per_page=read_query_number(request.query, "per_page", per_page, most=_MOST_PER_PAGE),
    )


def _company(request: ApiRequest, company_id: str) -> Company:
    company = request.state.companies.get(company_id)
    if company is None:
        if request.state.company_by_own_id(company_id) is not None:
            request.record_violation("company_id_in_path", "the API wants Intercom's own id of the company")
        raise company_not_found()
    return company


# --- people -----------------------------------------------------------------------------------------------


def list_people(request: ApiRequest) -> JsonValue:
    """``GET /companies/{id}/contacts``."""
    company = _company(request, request.ids[0])
    people = [request.state.contacts[contact_id] for contact_id in company.people]
    return numbered_page(
        [contact for contact in people if contact.is_live],
        lambda contact: view_contact(request, contact),
        page=read_query_number(request.query, "page", 1, most=10**9),
        per_page=read_query_number(request.query, "per_page", _ATTACHED_PER_PAGE, most=150),
    )


def attach(request: ApiRequest) -> JsonValue:
    """``POST /contacts/{id}/companies``: a second time changes nothing."""
    contact = request.contact(method="write")
    refuse_unknown(request.body, ("id",))
    if request.body.get("id") is None:
        text = "company not specified"
        raise malformed(text, rule="missing_field", code="parameter_not_found")
    company = _company(request, check_string("id", request.body["id"]))
    most = request.settings.company_limit
    if company.id not in contact.companies and len(contact.companies) >= most:
        text = f"Contact has reached the maximum of {most} company associations"
        raise ApiError(400, "contact_company_limit_exceeded", text, rule="company_limit")
    request.state.attach(contact, company, request.timestamp)
    return view_company(request, company)


def detach(request: ApiRequest) -> JsonValue:
    """``DELETE /contacts/{id}/companies/{company id}``."""
    contact = request.contact(method="write")
    company = _company(request, request.ids[1])
    if company.id not in contact.companies:
        raise company_not_found()
    request.state.detach(contact, company)
    return view_company(request, company)


def list_attached(request: ApiRequest) -> JsonValue:
    """``GET /contacts/{id}/companies``: the list is in ``data`` and ``companies``, because Intercom's documents name both."""
    contact = request.contact()
    companies = [request.state.companies[company_id] for company_id in contact.companies]
    shown = _page(request, companies, _ATTACHED_PER_PAGE)
    shown["companies"] = shown["data"]
    return shown
