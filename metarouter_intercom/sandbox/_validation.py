"""Checks single values of request bodies and queries: returns the value or raises ``ApiError``. Pure; it knows no records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import bad_parameter, malformed

# Ten digits of seconds reach the year 2286; anything longer is milliseconds.
LATEST_SECOND = 9_999_999_999
LARGEST_INT32 = 2_147_483_647

Check = Callable[[str, JsonValue], JsonValue]


def check_string(name: str, value: JsonValue) -> str:
    """Return text."""
    if not isinstance(value, str):
        raise malformed(f"{name} must be a string", rule="wrong_type", field=name)
    return value


def check_text(name: str, value: JsonValue) -> str:
    """Return text that is not blank."""
    text = check_string(name, value)
    if not text.strip():
        raise malformed(f"{name} must not be blank", rule="blank", field=name)
    return text


def check_boolean(name: str, value: JsonValue) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise malformed(f"{name} must be a boolean", rule="wrong_type", field=name)
    return value


def check_integer(name: str, value: JsonValue) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"{name} must be an integer", rule="wrong_type", field=name)
    return value


def check_seconds(name: str, value: JsonValue) -> int:
    """Return a time in Unix seconds; milliseconds are refused."""
    number = check_integer(name, value)
    if not 0 <= number <= LATEST_SECOND:
        raise malformed(f"{name} must be a time in seconds", rule="not_seconds", field=name)
    return number


def check_past(name: str, value: JsonValue) -> int:
    """Return a time in Unix seconds that may be before 1970, as that of an old company; milliseconds are refused."""
    number = check_integer(name, value)
    if number > LATEST_SECOND:
        raise malformed(f"{name} must be a time in seconds", rule="not_seconds", field=name)
    return number


def check_url(name: str, value: JsonValue) -> str:
    """Return an http or https address."""
    text = check_string(name, value)
    if not text.startswith(("http://", "https://")):
        raise malformed(f"{name} must be a URL", rule="not_a_url", field=name)
    return text


def check_spend(name: str, value: JsonValue) -> int:
    """Return an amount without its fraction; one that does not fit into 32 bits is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{name} must be a number", rule="wrong_type", field=name)
    if not abs(value) <= LARGEST_INT32:
        raise malformed(f"{name} must be at most {LARGEST_INT32}", rule="too_large", field=name)
    return int(value)


def check_object(name: str, value: JsonValue) -> JsonObject:
    """Return an object."""
    if not isinstance(value, dict):
        raise malformed(f"{name} must be an object", rule="wrong_type", field=name)
    return value


def check_list(name: str, value: JsonValue) -> list[JsonValue]:
    """Return a list."""
    if not isinstance(value, list):
        raise malformed(f"{name} must be an array", rule="wrong_type", field=name)
    return value


def check_id(name: str, value: JsonValue) -> str:
    """Return an id as text; a number is accepted too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return check_text(name, value)


def nullable(check: Check) -> Check:
    """Return a check that accepts null and otherwise does what *check* does."""

    def check_nullable(name: str, value: JsonValue) -> JsonValue:
        return None if value is None else check(name, value)

    return check_nullable


def refuse_unknown(body: Mapping[str, JsonValue], known: Collection[str]) -> None:
    """Raise for a field that is not in *known*."""
    for name in body:
        if name not in known:
            raise bad_parameter(name)


def require(body: Mapping[str, JsonValue], name: str) -> JsonValue:
    """Return the field; raise when it is missing or null."""
    if body.get(name) is None:
        raise malformed(f"{name} not specified", rule="missing_field", code="parameter_not_found", field=name)
    return body[name]


def read_query_number(query: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """Read a page number or a page size, from 1 to *most*, from the query; *default* when it is missing or empty."""
    text = query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= most:
        raise malformed(f"{name} must be between 1 and {most}", rule="bad_page", field=name)
    return int(text)
