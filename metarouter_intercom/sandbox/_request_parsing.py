"""Receiving a request: its bytes, token, headers and route, before any endpoint sees it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from metarouter_intercom._types import JsonValue

from ._errors import Refused, unavailable
from ._request import FIRST_VERSION, KNOWN_VERSIONS, Version
from ._routes import OLD_ROOTS, ROUTES, Route, match

_FITTING = ("*/*", "application/*", "application/json")


class Received(NamedTuple):
    """A request as it arrived; names of headers in small letters, a body that is no object as text."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: JsonValue
    at: float


def read_json(content: bytes) -> JsonValue:
    """Return the body's object; its text when it is anything else, which is refused later."""
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


def unauthorized(headers: Mapping[str, str]) -> Refused:
    """Say what is wrong with the credentials."""
    if not headers.get("authorization"):
        text = "Authorization header is missing"
        return Refused(401, "missing_authorization", text, rule="unauthorized", violation=True)
    return Refused(401, "unauthorized", "Access Token Invalid", rule="unauthorized")


def check_accept(accept: str) -> None:
    """Refuse a client that would not take JSON."""
    if accept == "application/json":
        return
    for part in accept.split(","):
        if part.partition(";")[0].strip().lower() in _FITTING:
            return
    text = "The Accept header should send a media type of application/json"
    raise Refused(406, "media_type_not_acceptable", text, rule="not_acceptable", violation=True)


def find_route(method: str, place: str, version: Version) -> tuple[Route, str, tuple[str, ...]]:
    """Return the endpoint with its name and the ids in the path, or refuse."""
    found = match(method, place)
    if found is None:
        if place.split("/")[1] in OLD_ROOTS:
            raise unavailable()
        text = "Resource Not Found"
        raise Refused(404, "not_found", text, rule="unknown_route", violation=True)
    name, ids = found
    route = ROUTES[name]
    if version < route.since:
        raise unavailable()
    return route, name, ids


def header_faults(received: Received) -> Iterator[tuple[str, str]]:
    """Return what the headers do wrong that the API lets pass."""
    if received.headers.get("intercom-version") == "":
        yield "missing_version", "Intercom-Version decides what the answer means"
    content_type = received.headers.get("content-type", "json")
    if received.body is not None and "json" not in content_type.lower():
        yield "content_type", f"a JSON body was called {content_type or 'nothing'}"


def read_version(headers: Mapping[str, str], default: str) -> Version:
    """Return the API version that the request names, or the workspace's default."""
    version = KNOWN_VERSIONS.get(headers.get("intercom-version") or default)
    if version is None or version < FIRST_VERSION:
        raise unavailable()
    return version
