"""How a response of Intercom's is read: its error envelope, ids, links and objects; pure, decides nothing about the message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .._types import ContactId, JsonValue

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..plugins import Response

_TEXT_FIELDS = ("code", "message", "field")
_ID_IN_TEXT = re.compile(r"\bid=([0-9A-Za-z_-]+)")
_CANONICAL = re.compile(r"<(?:https?://[^>/]+)?/contacts/([^>/?]+)>[^<]*;\s*rel=\"?canonical\b")


def is_success(response: Response) -> bool:
    """Tell whether the request took effect."""
    return 200 <= response.status < 300


# --- errors ---------------------------------------------------------------------------------------------------


def error_of(response: Response) -> dict[str, str | None]:
    """Return ``code``, ``message``, ``field`` and ``request_id`` of the first error; None for each that is absent."""
    error: dict[str, str | None] = dict.fromkeys((*_TEXT_FIELDS, "request_id"))
    error["request_id"] = response.headers.get("x-request-id")
    body = response.body
    if isinstance(body, dict) and isinstance(body.get("request_id"), str):
        error["request_id"] = str(body["request_id"])
    return error | next(iter(errors_of(response)), {})


def errors_of(response: Response) -> list[dict[str, str | None]]:
    """Return ``code``, ``message`` and ``field`` of each error that the response lists."""
    errors = response.body.get("errors") if isinstance(response.body, dict) else None
    if not isinstance(errors, list):
        return []
    return [
        {name: value if isinstance(value := error.get(name), str) else None for name in _TEXT_FIELDS}
        for error in errors
        if isinstance(error, dict)
    ]


def error_text(response: Response) -> str:
    """Return Intercom's error text; empty when there is none."""
    return error_of(response)["message"] or ""


def id_in_error_text(response: Response) -> str | None:
    """Return the id of the existing contact from a 409, which has it in the error text only."""
    match = _ID_IN_TEXT.search(error_text(response))
    return None if match is None else match.group(1)


def canonical_id(response: Response) -> ContactId | None:
    """Return the contact that a merged one became, from the ``Link`` header of a 410; None without such a link."""
    match = _CANONICAL.search(response.headers.get("link", ""))
    return None if match is None else ContactId(unquote(match.group(1)))


# --- objects --------------------------------------------------------------------------------------------------


def object_of(response: Response) -> JsonObject:
    """Return the object in the response's body; an empty one when the body is anything else."""
    return response.body if isinstance(response.body, dict) else {}


def objects_in(value: JsonValue) -> list[JsonObject]:
    """Return the objects of a list; an empty list for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def id_of(item: JsonObject) -> str | None:
    """Return the ``id`` of a contact, company or other object; None when it has none."""
    value = item.get("id")
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )
