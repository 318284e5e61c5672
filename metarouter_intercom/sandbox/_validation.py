"""Checks of single values in request bodies. Pure: they return the value or refuse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import bad_parameter, malformed

# Ten digits of seconds reach the year 2286; anything longer is milliseconds.
LATEST_SECOND = 9_999_999_999
LARGEST_INT32 = 2_147_483_647

Check = Callable[[str, JsonValue], JsonValue]


def a_string(name: str, value: JsonValue) -> str:
    """Accept text."""
    if not isinstance(value, str):
        raise malformed(f"{name} must be a string", rule="wrong_type", field=name)
    return value


def some_text(name: str, value: JsonValue) -> str:
    """Accept text that is not blank."""
    text = a_string(name, value)
    if not text.strip():
        raise malformed(f"{name} must not be blank", rule="blank", field=name)
    return text


def a_boolean(name: str, value: JsonValue) -> bool:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise malformed(f"{name} must be a boolean", rule="wrong_type", field=name)
    return value


def an_integer(name: str, value: JsonValue) -> int:
    """Accept a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"{name} must be an integer", rule="wrong_type", field=name)
    return value


def seconds(name: str, value: JsonValue) -> int:
    """Accept an instant in Unix seconds, not milliseconds."""
    number = an_integer(name, value)
    if not 0 <= number <= LATEST_SECOND:
        raise malformed(f"{name} must be a time in seconds", rule="not_seconds", field=name)
    return number


def a_url(name: str, value: JsonValue) -> str:
    """Accept the address of a picture."""
    text = a_string(name, value)
    if not text.startswith(("http://", "https://")):
        raise malformed(f"{name} must be a URL", rule="not_a_url", field=name)
    return text


def spend(name: str, value: JsonValue) -> int:
    """Accept an amount: the fraction is cut off, what 32 bits cannot hold is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{name} must be a number", rule="wrong_type", field=name)
    if not abs(value) <= LARGEST_INT32:
        raise malformed(f"{name} must be at most {LARGEST_INT32}", rule="too_large", field=name)
    return int(value)


def an_object(name: str, value: JsonValue) -> JsonObject:
    """Accept an object."""
    if not isinstance(value, dict):
        raise malformed(f"{name} must be an object", rule="wrong_type", field=name)
    return value


def a_list(name: str, value: JsonValue) -> list[JsonValue]:
    """Accept a list."""
    if not isinstance(value, list):
        raise malformed(f"{name} must be an array", rule="wrong_type", field=name)
    return value


def an_id(name: str, value: JsonValue) -> str:
    """Accept an id as text or as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return some_text(name, value)


def or_null(check: Check) -> Check:
    """Accept null as well."""

    def accept(name: str, value: JsonValue) -> JsonValue:
        return None if value is None else check(name, value)

    return accept


def refuse_unknown(body: Mapping[str, JsonValue], known: Collection[str]) -> None:
    """Refuse fields that the endpoint does not have."""
    for name in body:
        if name not in known:
            raise bad_parameter(name)


def required(body: Mapping[str, JsonValue], name: str) -> JsonValue:
    """Return the field, or refuse the body for want of it."""
    if body.get(name) is None:
        raise malformed(f"{name} not specified", rule="missing_field", code="parameter_not_found", field=name)
    return body[name]


def whole_number(query: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """Read a positive number from the query."""
    text = query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= most:
        raise malformed(f"{name} must be between 1 and {most}", rule="bad_page", field=name)
    return int(text)
