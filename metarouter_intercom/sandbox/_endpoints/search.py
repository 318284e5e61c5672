"""Searching and listing contacts: filters, their limits, pages, and what a lagging index sees."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, malformed
from .._request import PREVIEW, Call
from .._response_bodies import view_contact
from .._validation import a_list, a_string, an_integer, an_object, refuse_unknown, required, whole_number
from .._workspace_state import Contact

_MOST_FILTERS = 15
_MOST_LEVELS = 2
_MOST_PER_PAGE = 150
_SEARCH_PER_PAGE = 50
_LIST_PER_PAGE = 10
_DAY = 24 * 3600
_GROUPS = ("AND", "OR")
_OPERATORS = ("=", "!=", "IN", "NIN", "<", ">", "<=", ">=", "~", "!~", "^", "$")
_DATE_OPERATORS = ("=", "!=", "<", ">")
_DATES = frozenset({"created_at", "updated_at", "signed_up_at", "last_seen_at"})
_DEVICE_PARTS = ("app_name", "app_version", "device", "os_version", "sdk_version", "last_seen_at")
_LISTS = frozenset({"tag_id", "company_id"})
# Searchable fields that nothing in the sandbox ever sets.
_NEVER_SET = frozenset(
    {
        "segment_id",
        "last_contacted_at",
        "last_replied_at",
        "last_email_opened_at",
        "last_email_clicked_at",
        "browser",
        "browser_version",
        "browser_language",
        "os",
        "location.country",
        "location.region",
        "location.city",
        *(f"{device}_{part}" for device in ("android", "ios") for part in _DEVICE_PARTS),
    }
)
_FIELDS = frozenset(
    {
        "id",
        "role",
        "external_id",
        "email",
        "email_domain",
        "name",
        "phone",
        "avatar",
        "owner_id",
        "unsubscribed_from_emails",
        "has_hard_bounced",
        "marked_email_as_spam",
        "language_override",
    }
)

Filter = Callable[[Contact], bool]


def search_contacts(call: Call) -> JsonValue:
    """``POST /contacts/search``."""
    body = call.body
    refuse_unknown(body, ("query", "pagination", "sort"))
    query = an_object("query", required(body, "query"))
    matches = _compile(call, query, level=1)
    found = [
        one for one in _candidates(call, query) if one.is_live and _is_indexed(call, one) and matches(one)
    ]
    found.sort(key=lambda one: one.seq, reverse=True)
    _sort(call, found)
    page = an_object("pagination", body.get("pagination", {}))
    refuse_unknown(page, ("per_page", "starting_after", "page"))
    per_page = an_integer("per_page", page.get("per_page", _SEARCH_PER_PAGE))
    if not 1 <= per_page <= _MOST_PER_PAGE:
        text = f"per_page must be between 1 and {_MOST_PER_PAGE}"
        raise malformed(text, rule="bad_page", field="per_page")
    after = page.get("starting_after")
    return _page(call, found, per_page, None if after is None else a_string("starting_after", after))


def list_contacts(call: Call) -> JsonValue:
    """``GET /contacts``: all that are live, newest first."""
    found = sorted(call.state.live_contacts(), key=lambda one: one.seq, reverse=True)
    per_page = whole_number(call.query, "per_page", _LIST_PER_PAGE, most=_MOST_PER_PAGE)
    return _page(call, found, per_page, call.query.get("starting_after"))


def _page(call: Call, found: Sequence[Contact], per_page: int, after: str | None) -> JsonObject:
    begin = 0 if after is None else _read_cursor(after)
    end = begin + per_page
    page = begin // per_page + 1
    pages: JsonObject = {
        "type": "pages",
        "page": page,
        "per_page": per_page,
        "total_pages": -(-len(found) // per_page),
    }
    if end < len(found):
        pages["next"] = {"page": page + 1, "starting_after": _make_cursor(end), "per_page": per_page}
    return {
        "type": "list",
        "data": [view_contact(call, one) for one in found[begin:end]],
        "total_count": len(found),
        "pages": pages,
    }


def _make_cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"[{position}]".encode()).decode()


def _read_cursor(text: str) -> int:
    try:
        inside = base64.urlsafe_b64decode(text.encode()).decode().strip("[]")
        return abs(int(inside))
    except (binascii.Error, ValueError) as error:
        raise malformed("starting_after is not a cursor", rule="bad_page", field="starting_after") from error


def _candidates(call: Call, query: JsonObject) -> Iterable[Contact]:
    """Return a few contacts that may match where an index knows, else all of them."""
    value = query.get("value")
    if call.settings.search_lag <= 0 and query.get("operator") == "=" and isinstance(value, str) and value:
        if query.get("field") == "email":
            return call.state.by_email(value)
        if query.get("field") == "id":
            one = call.state.contacts.get(value)
            return () if one is None else (one,)
    return call.state.contacts.values()


def _sort(call: Call, found: list[Contact]) -> None:
    if "sort" not in call.body:
        return
    sort = an_object("sort", call.body["sort"])
    refuse_unknown(sort, ("field", "order"))
    field = a_string("field", sort.get("field", "created_at"))
    order = a_string("order", sort.get("order", "descending"))
    if order not in ("ascending", "descending"):
        if call.version >= (2, 16):
            text = f"Invalid sort order '{order}'. Must be one of: ascending, descending"
            raise Refused(400, "invalid_sort_order", text, rule="bad_sort", violation=True)
        order = "descending"
    read = _reader(call, field)
    found.sort(key=lambda one: _sort_key(read(one)), reverse=order == "descending")


def _sort_key(value: JsonValue) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return True, value, ""
    return value is not None, 0.0, "" if value is None else str(value).lower()


# --- filters ----------------------------------------------------------------------------------------------


def _compile(call: Call, query: JsonObject, *, level: int) -> Filter:
    operator = a_string("operator", required(query, "operator"))
    if operator not in _GROUPS:
        return _compile_filter(call, query, operator)
    refuse_unknown(query, ("operator", "value"))
    if level > _MOST_LEVELS:
        raise malformed(f"filters can be nested {_MOST_LEVELS} levels deep", rule="search_too_deep")
    given = a_list("value", required(query, "value"))
    if not 1 <= len(given) <= _MOST_FILTERS:
        raise malformed(f"a group holds 1 to {_MOST_FILTERS} filters", rule="search_too_wide")
    parts = [_compile(call, an_object("value", part), level=level + 1) for part in given]
    if operator == "AND":
        return lambda one: all(part(one) for part in parts)
    return lambda one: any(part(one) for part in parts)


def _compile_filter(call: Call, query: JsonObject, operator: str) -> Filter:
    refuse_unknown(query, ("field", "operator", "value"))
    if operator not in _OPERATORS:
        raise malformed(f"operator '{operator}' is unknown", rule="bad_operator", field="operator")
    field = a_string("field", required(query, "field"))
    if "value" not in query:
        raise malformed("value not specified", rule="missing_field", field="value")
    value = query["value"]
    read = _reader(call, field)
    if field in _LISTS:
        return _matcher_of_lists(read, operator, value)
    if field in _DATES or _is_date_attribute(call, field):
        if operator not in _DATE_OPERATORS:
            raise malformed(f"{field} is a date and knows = < > only", rule="bad_operator", field="operator")
        return _matcher_of_dates(call, read, operator, value)
    fold = field in ("email", "email_domain")
    test = _test(operator, value, fold=fold)
    return lambda one: test(read(one))


def _is_date_attribute(call: Call, field: str) -> bool:
    name = field.removeprefix("custom_attributes.")
    known = call.state.attributes.get(("contact", name))
    return name != field and known is not None and known.data_type == "date"


def _matcher_of_lists(read: Callable[[Contact], JsonValue], operator: str, value: JsonValue) -> Filter:
    wanted = {str(part) for part in value} if isinstance(value, list) else {str(value)}
    if operator in ("=", "IN"):
        return lambda one: not wanted.isdisjoint(_as_texts(read(one)))
    if operator in ("!=", "NIN"):
        return lambda one: wanted.isdisjoint(_as_texts(read(one)))
    raise malformed("lists know = != IN NIN only", rule="bad_operator", field="operator")


def _as_texts(value: JsonValue) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []


def _matcher_of_dates(
    call: Call, read: Callable[[Contact], JsonValue], operator: str, value: JsonValue
) -> Filter:
    """Compare by day in the workspace's time zone, as every numbered version does; Preview compares seconds."""
    if value is None:
        return lambda one: (read(one) is None) == (operator == "=")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    wanted = _day(call, an_integer("value", value))

    def test(one: Contact) -> bool:
        moment = read(one)
        if not isinstance(moment, int):
            return operator == "!="
        day = _day(call, moment)
        return {"=": day == wanted, "!=": day != wanted, "<": day < wanted, ">": day > wanted}[operator]

    return test


def _day(call: Call, moment: int) -> int:
    if call.version >= PREVIEW:
        return moment
    if call.settings.timezone == "UTC":
        return moment // _DAY
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return datetime.fromtimestamp(moment, ZoneInfo(call.settings.timezone)).toordinal()


def _test(operator: str, value: JsonValue, *, fold: bool) -> Callable[[JsonValue], bool]:
    """Return the test of one value; *fold* compares without regard to case."""

    def plain(read: JsonValue) -> JsonValue:
        return read.lower() if fold and isinstance(read, str) else read

    if operator in ("IN", "NIN"):
        wanted = [plain(part) for part in a_list("value", value)]
        return lambda read: (plain(read) in wanted) == (operator == "IN")
    one = plain(value)
    if operator == "=":
        return lambda read: plain(read) == one
    if operator == "!=":
        return lambda read: plain(read) != one
    if operator in ("~", "!~", "^", "$"):
        return _text_test(operator, a_string("value", value).lower())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed("value must be a number", rule="wrong_type", field="value")
    return _number_test(operator, value)


def _text_test(operator: str, part: str) -> Callable[[JsonValue], bool]:
    def text(read: JsonValue) -> str:
        return "" if read is None else str(read).lower()

    return {
        "~": lambda read: part in text(read),
        "!~": lambda read: part not in text(read),
        "^": lambda read: text(read).startswith(part),
        "$": lambda read: text(read).endswith(part),
    }[operator]


def _number_test(operator: str, bound: float) -> Callable[[JsonValue], bool]:
    compare: Callable[[float], bool] = {
        "<": lambda number: number < bound,
        ">": lambda number: number > bound,
        "<=": lambda number: number <= bound,
        ">=": lambda number: number >= bound,
    }[operator]
    return lambda read: isinstance(read, int | float) and not isinstance(read, bool) and compare(read)


# --- reading a contact ------------------------------------------------------------------------------------


def _reader(call: Call, field: str) -> Callable[[Contact], JsonValue]:
    """Return what reads *field* from a contact, as the index knows it."""
    if field in _NEVER_SET:
        return lambda one: None
    custom = field.removeprefix("custom_attributes.")
    if custom != field:
        if ("contact", custom) not in call.state.attributes:
            text = f"Custom attribute '{custom}' does not exist"
            raise Refused(400, "parameter_invalid", text, rule="unknown_attribute")
        return lambda one: _indexed_custom(call, one).get(custom)
    if field not in _FIELDS and field not in _DATES and field not in _LISTS:
        raise malformed(f"'{field}' cannot be searched", rule="bad_search_field", field="field")
    return lambda one: _indexed(call, one, field)


def _indexed(call: Call, one: Contact, field: str) -> JsonValue:
    if field == "tag_id":
        return list(one.tags)
    if field == "company_id":
        return list(one.companies)
    if field == "id":
        return one.id
    if field in ("created_at", "updated_at"):
        return one.created_at if field == "created_at" else one.updated_at
    seen = _seen(call, one)
    if field == "email_domain":
        return str(seen.get("email") or "").rpartition("@")[2] or None
    if field in ("has_hard_bounced", "marked_email_as_spam"):
        return False
    if field == "unsubscribed_from_emails":
        return seen.get(field, False)
    found = seen.get(field)
    return None if found == "" else found


def _indexed_custom(call: Call, one: Contact) -> JsonObject:
    if call.settings.search_lag <= 0:
        return one.custom
    custom = _seen(call, one).get("custom")
    return custom if isinstance(custom, dict) else {}


def _is_indexed(call: Call, one: Contact) -> bool:
    lag = call.settings.search_lag
    return lag <= 0 or any(since <= call.now - lag for since, _ in one.versions)


def _seen(call: Call, one: Contact) -> JsonObject:
    if call.settings.search_lag <= 0:
        return {**one.fields, "role": one.role, "external_id": one.external_id, "email": one.email}
    visible_at = call.now - call.settings.search_lag
    return next((seen for since, seen in reversed(one.versions) if since <= visible_at))
