"""
What a response of Intercom's means for a message when no flow has a rule of its own for it (rules T1, T2); pure.

``response_parsing`` knows how a response is read; what follows a 409 for a contact is decided in ``contact_conflicts``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from .response_parsing import error_of, errors_of, is_success

if TYPE_CHECKING:
    from .._types import JsonObject, Note
    from ..plugins import Request, Response

RETRYABLE = frozenset({408, 425, 429})
"""The 4xx that ask to wait and send again, whoever sends them (rule T1)."""
VERSION_REFUSED = "intercom_version_invalid"
"""Intercom's error code, and our reason, when it does not know ``api_version`` or does not have what was asked for in that version."""
# A 403 on one of these writes means that the token may not write at all: no message would pass, so the client is held (rule T1).
_HELD_PATHS = ("/contacts", "/companies", "/events")
# Tags and subscriptions have scopes of their own: without them a token still writes contacts.
_EXTRAS = re.compile(r"/contacts/[^/]+/(?:tags|subscriptions)(?:/|$)")


class FlowResult(NamedTuple):
    """
    How a flow ended: what becomes of its messages.

    Attributes:
        kind: ``delivered``; ``retry`` (send the same again later); ``wait`` (the contact does not exist yet, rule M2);
            ``held`` (Intercom refused the credentials or the API version); ``dead`` (sending it again cannot help).
        reason: A short word to count by; None when delivered.
        status: Intercom's HTTP status; None when there was no response.
        code: Intercom's error code.
        message: Intercom's error text.
        field: The field that Intercom names in its error.
        request_id: The id of the request, for Intercom's support.
        notes: What the flow changed or left out.
        unchanged: Nothing was sent because nothing would have changed (rule O3).
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
        """Return Intercom's response as a dead letter keeps it; None when there was none."""
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
UNCHANGED = FlowResult("delivered", unchanged=True)
"""Intercom already has every value, so nothing was sent."""
CONTACT_MISSING = FlowResult("wait", "contact_missing", 404)
"""The contact does not exist yet: another process may be about to create it (rule M2)."""


def classify(request: Request, response: Response) -> FlowResult:
    """
    Return what *response* means by its status alone (rule T1).

    Args:
        request: What was sent; a 403 holds the client only for a write of contacts, companies or events.
        response: Any status.
    """
    if is_success(response):
        return DELIVERED
    status = response.status
    if status in RETRYABLE or status >= 500 or status < 400:
        # The client follows no redirect (rule T3). A 3xx comes from a proxy, and says nothing about the message.
        return _result("retry", response)
    if status == 401 or (status == 403 and _is_core_write(request)):
        return _result("held", response)
    return _result("dead", response)


def version_refusal(response: Response) -> FlowResult | None:
    """
    Return the result of an answer that refuses the setting ``api_version``; None for every other answer.

    Such an answer says nothing about the message, whichever request it answers, so it holds the client like refused credentials.
    """
    if not 400 <= response.status < 500:
        return None
    is_refused = any(error["code"] == VERSION_REFUSED for error in errors_of(response))
    return _result("held", response, VERSION_REFUSED) if is_refused else None


def dead(response: Response, reason: str) -> FlowResult:
    """Return the end of a message that *response* refuses for good, under a *reason* of ours instead of ``http_<status>``."""
    return _result("dead", response, reason)


def answered_by(result: FlowResult, response: Response) -> FlowResult:
    """Return *result* with the status, error and request id of *response*, so that a dead letter shows what Intercom said."""
    error = error_of(response)
    return result._replace(
        status=response.status,
        code=error["code"],
        message=error["message"],
        field=error["field"],
        request_id=error["request_id"],
    )


def _is_core_write(request: Request) -> bool:
    if request.method == "GET" or request.path == "/contacts/search":
        return False
    if _EXTRAS.match(request.path) is not None:
        return False
    return request.path.startswith(_HELD_PATHS)


def _result(
    kind: Literal["retry", "held", "dead"], response: Response, reason: str | None = None
) -> FlowResult:
    return answered_by(FlowResult(kind, reason or f"http_{response.status}"), response)
