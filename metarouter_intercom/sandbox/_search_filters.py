"""Turns the query of a search into one test of a contact: groups, operators and their limits. Pure; it knows no page."""

from __future__ import annotations

from collections.abc import Callable

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import malformed
from ._request import ApiRequest
from ._search_fields import DATE_FIELDS, LIST_FIELDS, FieldReader, is_date, make_reader
from ._validation import check_integer, check_list, check_object, check_string, require
from ._workspace_state import Contact

_MOST_FILTERS = 15
_MOST_LEVELS = 2
_DAY = 24 * 3600
_GROUPS = ("AND", "OR")
_OPERATORS = ("=", "!=", "IN", "NIN", "<", ">", "<=", ">=", "~", "!~", "^", "$")
_DATE_OPERATORS = ("=", "<", ">")
_TAG_OPERATORS = ("=", "!=")
# Since this version standard dates are compared by the second, and custom ones by the day in UTC.
_SECONDS_SINCE = (2, 17)

Filter = Callable[[Contact], bool]
ValueTest = Callable[[JsonValue], bool]


def compile_query(request: ApiRequest, query: JsonObject, *, level: int = 1) -> Filter:
    """
    Return the test that *query*, a filter or a group of filters, describes.

    Raises:
        ApiError: The query breaks one of the API's rules.
    """
    operator = check_string("operator", require(query, "operator"))
    if operator not in _GROUPS:
        return _compile_filter(request, query, operator)
    request.record_unknown(query, ("operator", "value"))
    if level > _MOST_LEVELS:
        raise malformed(f"filters can be nested {_MOST_LEVELS} levels deep", rule="search_too_deep")
    parts = check_list("value", require(query, "value"))
    if not 1 <= len(parts) <= _MOST_FILTERS:
        raise malformed(f"a group holds 1 to {_MOST_FILTERS} filters", rule="search_too_wide")
    filters = [compile_query(request, check_object("value", part), level=level + 1) for part in parts]
    if operator == "AND":
        return lambda contact: all(matches(contact) for matches in filters)
    return lambda contact: any(matches(contact) for matches in filters)


def _compile_filter(request: ApiRequest, query: JsonObject, operator: str) -> Filter:
    request.record_unknown(query, ("field", "operator", "value"))
    if operator not in _OPERATORS:
        raise malformed(f"operator '{operator}' is unknown", rule="bad_operator", field="operator")
    field = check_string("field", require(query, "field"))
    if "value" not in query:
        raise malformed("value not specified", rule="missing_field", field="value")
    value = query["value"]
    read = make_reader(request, field)
    if field == "tag_id" and operator not in _TAG_OPERATORS:
        raise malformed("tag_id knows = != only", rule="bad_operator", field="operator")
    if field in LIST_FIELDS:
        return _filter_lists(read, operator, value)
    if is_date(request, field):
        if operator not in _DATE_OPERATORS:
            raise malformed(f"{field} is a date and knows = < > only", rule="bad_operator", field="operator")
        return _filter_dates(_day_reader(request, field), read, operator=operator, value=value)
    test = _make_test(operator, value, ignore_case=field in ("email", "email_domain"))
    return lambda contact: test(read(contact))


def _filter_lists(read: FieldReader, operator: str, value: JsonValue) -> Filter:
    wanted = {str(part) for part in value} if isinstance(value, list) else {str(value)}
    if operator in ("=", "IN"):
        return lambda contact: not wanted.isdisjoint(_as_texts(read(contact)))
    if operator in ("!=", "NIN"):
        return lambda contact: wanted.isdisjoint(_as_texts(read(contact)))
    raise malformed("lists know = != IN NIN only", rule="bad_operator", field="operator")


def _as_texts(value: JsonValue) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []


# --- dates ------------------------------------------------------------------------------------------------


def _filter_dates(
    day: Callable[[float], float], read: FieldReader, *, operator: str, value: JsonValue
) -> Filter:
    """Return the filter that compares what *day* makes of two times."""
    if value is None:
        return lambda contact: (read(contact) is None) == (operator == "=")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    wanted = day(check_integer("value", value))

    def matches(contact: Contact) -> bool:
        at = read(contact)
        if not isinstance(at, int | float):
            return False
        found = day(at)
        return {"=": found == wanted, "<": found < wanted, ">": found > wanted}[operator]

    return matches


def _day_reader(request: ApiRequest, field: str) -> Callable[[float], float]:
    """Return what a search compares for a time: up to 2.16 the day in the workspace's time zone."""
    if request.version >= _SECONDS_SINCE and field in DATE_FIELDS:
        return lambda at: at
    if request.version >= _SECONDS_SINCE or request.settings.timezone == "UTC":
        return lambda at: at // _DAY
    from datetime import datetime, timedelta, timezone
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(request.settings.timezone)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)

    def day(at: float) -> float:
        try:
            return (epoch + timedelta(seconds=at)).astimezone(zone).toordinal()
        except OverflowError:
            # A time beyond the calendar, such as one in microseconds, has no time zone.
            return epoch.toordinal() + at // _DAY

    return day


# --- texts and numbers ------------------------------------------------------------------------------------


def _make_test(operator: str, value: JsonValue, *, ignore_case: bool) -> ValueTest:
    """Return the test of one value."""

    def fold(text: JsonValue) -> JsonValue:
        return text.lower() if ignore_case and isinstance(text, str) else text

    if operator in ("IN", "NIN"):
        choices = [fold(part) for part in check_list("value", value)]
        return lambda stored: (fold(stored) in choices) == (operator == "IN")
    wanted = fold(value)
    if operator == "=":
        return lambda stored: fold(stored) == wanted
    if operator == "!=":
        return lambda stored: fold(stored) != wanted
    if operator in ("~", "!~", "^", "$"):
        return _make_text_test(operator, check_string("value", value).lower())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed("value must be a number", rule="wrong_type", field="value")
    return _make_number_test(operator, value)


def _make_text_test(operator: str, part: str) -> ValueTest:
    def text(stored: JsonValue) -> str:
        return "" if stored is None else str(stored).lower()

    return {
        "~": lambda stored: part in text(stored),
        "!~": lambda stored: part not in text(stored),
        "^": lambda stored: text(stored).startswith(part),
        "$": lambda stored: text(stored).endswith(part),
    }[operator]


def _make_number_test(operator: str, bound: float) -> ValueTest:
    compare: Callable[[float], bool] = {
        "<": lambda number: number < bound,
        ">": lambda number: number > bound,
        "<=": lambda number: number <= bound,
        ">=": lambda number: number >= bound,
    }[operator]
    return lambda stored: isinstance(stored, int | float) and not isinstance(stored, bool) and compare(stored)
