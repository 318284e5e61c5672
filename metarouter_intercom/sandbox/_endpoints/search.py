"""The endpoints that search and list contacts: order and pages. They know no operator and no field of a filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError, malformed
from .._request import ApiRequest
from .._response_bodies import make_cursor, read_cursor, view_contact
from .._search_fields import make_reader
from .._search_filters import compile_query
from .._validation import (
    check_integer,
    check_object,
    check_string,
    read_query_number,
    require,
)
from .._workspace_state import Contact

_MOST_PER_PAGE = 150
_SEARCH_PER_PAGE = 50
_LIST_PER_PAGE = 10


def search_contacts(request: ApiRequest) -> JsonValue:
    """``POST /contacts/search``: the oldest contact first, unless the request says how to sort."""
    body = request.body
    request.record_unknown(body, ("query", "pagination", "sort"))
    query = check_object("query", require(body, "query"))
    matches = compile_query(request, query)
    contacts = [contact for contact in _visible(request, _candidates(request, query)) if matches(contact)]
    contacts.sort(key=lambda contact: contact.seq)
    _sort(request, contacts)
    page = check_object("pagination", body.get("pagination", {}))
    request.record_unknown(page, ("per_page", "starting_after", "page"))
    per_page = check_integer("per_page", page.get("per_page", _SEARCH_PER_PAGE))
    if not 1 <= per_page <= _MOST_PER_PAGE:
        text = f"per_page must be between 1 and {_MOST_PER_PAGE}"
        raise malformed(text, rule="bad_page", field="per_page")
    after = page.get("starting_after")
    cursor = None if after is None else check_string("starting_after", after)
    return _page(request, contacts, per_page=per_page, cursor=cursor)


def list_contacts(request: ApiRequest) -> JsonValue:
    """``GET /contacts``: all contacts, the oldest first; it lags behind writes as a search does."""
    contacts = sorted(_visible(request, request.state.contacts.values()), key=lambda contact: contact.seq)
    per_page = read_query_number(request.query, "per_page", _LIST_PER_PAGE, most=_MOST_PER_PAGE)
    return _page(request, contacts, per_page=per_page, cursor=request.query.get("starting_after"))


def _page(
    request: ApiRequest, contacts: Sequence[Contact], *, per_page: int, cursor: str | None
) -> JsonObject:
    begin = 0 if cursor is None else read_cursor(cursor)
    end = begin + per_page
    page = begin // per_page + 1
    pages: JsonObject = {
        "type": "pages",
        "page": page,
        "per_page": per_page,
        "total_pages": -(-len(contacts) // per_page),
    }
    if end < len(contacts):
        pages["next"] = {"page": page + 1, "starting_after": make_cursor(end), "per_page": per_page}
    return {
        "type": "list",
        "data": [view_contact(request, contact, listed=True) for contact in contacts[begin:end]],
        "total_count": len(contacts),
        "pages": pages,
    }


def _visible(request: ApiRequest, contacts: Iterable[Contact]) -> list[Contact]:
    """Return those of *contacts* that a search sees now, each as the search sees it: as it was ``search_lag`` seconds ago."""
    lag = request.settings.search_lag
    if lag <= 0:
        return [contact for contact in contacts if contact.is_live]
    seen_at = request.now - lag
    seen = []
    for contact in contacts:
        versions = (version for since, version in reversed(contact.versions) if since <= seen_at)
        version = next(versions, None)
        if version is not None and version.is_live:
            seen.append(version)
    return seen


def _candidates(request: ApiRequest, query: JsonObject) -> Iterable[Contact]:
    """Return the contacts that may match: those that an index finds, where one can, else all."""
    value = query.get("value")
    if query.get("operator") == "=" and isinstance(value, str) and value:
        if query.get("field") == "email":
            return request.state.once_by_email(value)
        if query.get("field") == "id":
            contact = request.state.contacts.get(value)
            return () if contact is None else (contact,)
    return request.state.contacts.values()


def _sort(request: ApiRequest, contacts: list[Contact]) -> None:
    if "sort" not in request.body:
        return
    sort = check_object("sort", request.body["sort"])
    request.record_unknown(sort, ("field", "order"))
    field = check_string("field", sort.get("field", "created_at"))
    order = check_string("order", sort.get("order", "descending"))
    if order not in ("ascending", "descending"):
        if request.version >= (2, 16):
            text = f"Invalid sort order '{order}'. Must be one of: ascending, descending"
            raise ApiError(400, "invalid_sort_order", text, rule="bad_sort", violation=True)
        order = "descending"
    read = make_reader(request, field)
    contacts.sort(key=lambda contact: _sort_key(read(contact)), reverse=order == "descending")


def _sort_key(value: JsonValue) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return True, value, ""
    return value is not None, 0.0, "" if value is None else str(value).lower()
