"""What an answer of Intercom's means for a message (rules T1, T2); pure, knows no endpoint beyond its path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

from .._types import ContactId, JsonValue

if TYPE_CHECKING:
    from .._types import JsonObject, Note
    from ..plugins import Request, Response

_REPEATABLE = frozenset({408, 425, 429})
# A write that the credentials do not allow concerns every message alike, so it holds the client (rule T1).
_HELD_PATHS = ("/contacts", "/companies", "/events")
_PLAIN_FACTS = ("code", "message", "field")


class FlowResult(NamedTuple):
    """
    The end of one attempt.

    Attributes:
        kind: ``delivered``; ``retry`` (later, as it is); ``wait`` (the contact is not there yet, rule M2); ``held`` (the
            credentials are at fault); ``dead`` (repeating cannot help).
        reason: A short word to count by; None when delivered.
        status: Intercom's HTTP status; None without an answer.
        code: Intercom's error code.
        message: Intercom's error text.
        field: The field that Intercom names.
        request_id: For Intercom's support.
        notes: What the flow changed or left out.
        unchanged: Nothing was sent, for nothing would have changed (rule O3).
    """

    kind: Literal["delivered", "retry", "wait", "held", "dead"]
    reason: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    field: str | None = None
    request_id: str | None = None
    notes: tuple[Note, ...] = ()
    unchanged: bool = False

    def answer(self) -> JsonObject | None:
        """Return Intercom's answer as a dead letter keeps it; None when there was none."""
        if self.status is None:
            return None
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "request_id": self.request_id,
        }


DELIVERED = FlowResult("delivered")


def error_of(response: Response) -> dict[str, str | None]:
    """Return ``code``, ``message``, ``field`` and ``request_id`` of an error answer; None for what is not there."""
    facts: dict[str, str | None] = dict.fromkeys((*_PLAIN_FACTS, "request_id"))
    facts["request_id"] = response.headers.get("x-request-id")
    body = response.body
    if isinstance(body, dict) and isinstance(body.get("request_id"), str):
        facts["request_id"] = str(body["request_id"])
    return facts | next(iter(errors_of(response)), {})


def errors_of(response: Response) -> list[dict[str, str | None]]:
    """Return ``code``, ``message`` and ``field`` of each error that the answer lists."""
    errors = response.body.get("errors") if isinstance(response.body, dict) else None
    if not isinstance(errors, list):
        return []
    return [
        {fact: value if isinstance(value := error.get(fact), str) else None for fact in _PLAIN_FACTS}
        for error in errors
        if isinstance(error, dict)
    ]


def classify(request: Request, response: Response) -> FlowResult:
    """
    Say what *response* means when no flow routes it on (rule T1).

    Args:
        request: What it answers; a 403 holds the client only on a write of contacts, companies or events.
        response: Any status.
    """
    status = response.status
    if 200 <= status < 300:
        return DELIVERED
    if status in _REPEATABLE or status >= 500 or status < 400:
        # A redirect is not followed (rule T3); whatever stands between us and Intercom says nothing of the message.
        return _outcome("retry", response)
    if status == 401 or (status == 403 and _is_core_write(request)):
        return _outcome("held", response)
    return _outcome("dead", response)


def dead(response: Response, reason: str) -> FlowResult:
    """Return the end of a message that *response* refuses for good, under a reason of our own."""
    return _outcome("dead", response, reason)


def _is_core_write(request: Request) -> bool:
    if request.method == "GET" or request.path == "/contacts/search":
        return False
    return request.path.startswith(_HELD_PATHS)


def _outcome(
    kind: Literal["retry", "held", "dead"], response: Response, reason: str | None = None
) -> FlowResult:
    facts = error_of(response)
    return FlowResult(
        kind,
        reason or f"http_{response.status}",
        response.status,
        code=facts["code"],
        message=facts["message"],
        field=facts["field"],
        request_id=facts["request_id"],
    )


_ID_IN_TEXT = re.compile(r"\bid=([0-9A-Za-z_-]+)")


_CANONICAL = re.compile(r"<(?:https?://[^>/]+)?/contacts/([^>/?]+)>[^<]*;\s*rel=\"?canonical\b")


def text_of(response: Response) -> str:
    """Return Intercom's error text; empty when there is none."""
    return error_of(response)["message"] or ""


def id_in_text(response: Response) -> str | None:
    """Return the id that a 409 carries in its text only (contract, fact 7)."""
    found = _ID_IN_TEXT.search(text_of(response))
    return None if found is None else found.group(1)


def canonical_id(response: Response) -> ContactId | None:
    """Return the contact that a merged one became, from a 410's ``Link``."""
    found = _CANONICAL.search(response.headers.get("link", ""))
    return None if found is None else ContactId(unquote(found.group(1)))


def object_of(response: Response) -> JsonObject:
    """Return the object that an answer holds; an empty one when it holds none."""
    return response.body if isinstance(response.body, dict) else {}


def id_of(found: JsonObject) -> str | None:
    """Return the id of an answer's object; None when it has none."""
    value = found.get("id")
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )


def is_success(response: Response) -> bool:
    """Tell whether the request took effect."""
    return 200 <= response.status < 300


def objects_in(value: JsonValue) -> list[JsonObject]:
    """Return the objects of a list; an empty list for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
