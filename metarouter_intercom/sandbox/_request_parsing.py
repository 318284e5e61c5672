"""Reads a request before an endpoint does: body, token, headers, API version and route. Pure; it knows no records."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from metarouter_intercom._types import JsonValue

from ._errors import ApiError, not_in_version
from ._request import FIRST_VERSION, KNOWN_VERSIONS, Version
from ._routes import OLD_ROOTS, ROUTES, Route, match_route

_JSON_MEDIA_TYPES = ("*/*", "application/*", "application/json")


class ReceivedRequest(NamedTuple):
    """
    A request as it arrived.

    Attributes:
        path: The path with its query.
        headers: Names in lower case.
        body: A JSON object; text when the body is anything else; None when it is empty.
        at: When it arrived, in Unix seconds.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: JsonValue
    at: float


def read_json(content: bytes) -> JsonValue:
    """Return the JSON object in *content*; the text when it is anything else, which is refused later; None when empty."""
    if not content:
        return None
    try:
        body: JsonValue = _DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else content.decode("utf-8", "replace")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_float)


def unauthorized(headers: Mapping[str, str]) -> ApiError:
    """Return the error for a request without a valid access token."""
    if not headers.get("authorization"):
        text = "Authorization header is missing"
        return ApiError(401, "missing_authorization", text, rule="unauthorized", violation=True, assumed=True)
    return ApiError(401, "unauthorized", "Access Token Invalid", rule="unauthorized")


def check_accept(accept: str) -> None:
    """Raise ``ApiError`` when the client does not accept JSON."""
    if accept == "application/json":
        return
    for part in accept.split(","):
        if part.partition(";")[0].strip().lower() in _JSON_MEDIA_TYPES:
            return
    text = "The Accept header should send a media type of application/json"
    raise ApiError(406, "media_type_not_acceptable", text, rule="not_acceptable", violation=True)


def find_route(method: str, path: str, version: Version) -> tuple[Route, str, tuple[str, ...]]:
    """
    Return the route for *path* (without query), the route's name, and the ids in the path.

    Raises:
        ApiError: No endpoint has this method and path, or *version* does not have the endpoint.
    """
    matched = match_route(method, path)
    if matched is None:
        if path.split("/")[1] in OLD_ROOTS:
            raise not_in_version()
        text = "Resource Not Found"
        raise ApiError(404, "not_found", text, rule="unknown_route", violation=True)
    name, ids = matched
    route = ROUTES[name]
    if version < route.since:
        raise not_in_version()
    return route, name, ids


def header_violations(received: ReceivedRequest) -> Iterator[tuple[str, str]]:
    """Yield, as (rule, detail), the mistakes in the headers that the API accepts."""
    if received.headers.get("intercom-version") == "":
        yield "missing_version", "Intercom-Version decides what the answer means"
    if KNOWN_VERSIONS.get(received.headers.get("intercom-version", ""), FIRST_VERSION) < FIRST_VERSION:
        yield "old_version", "the sandbox answers 1.x in the shapes of 2.x"
    content_type = received.headers.get("content-type", "json")
    if received.body is not None and "json" not in content_type.lower():
        yield "content_type", f"a JSON body was called {content_type or 'nothing'}"


def read_version(headers: Mapping[str, str], default: str) -> Version:
    """Return the API version that the request names, else *default*; raise ``ApiError`` for an unknown one."""
    version = KNOWN_VERSIONS.get(headers.get("intercom-version") or default)
    if version is None:
        raise not_in_version()
    return version
