"""Tells Intercom's answers from those of a proxy or another server between us and Intercom (rule T6); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .response_parsing import is_success
from .responses import RETRYABLE

if TYPE_CHECKING:
    from ..plugins import Response


def is_foreign(response: Response) -> bool:
    """
    Tell whether *response* cannot be Intercom's, so that it says nothing about the message.

    Intercom sends JSON with every success that has a body, and a list of errors with every 4xx. A 401 without that list still counts
    as refused credentials, unless its body is a page: holding the messages loses none of them.
    """
    status, body = response.status, response.body
    if is_success(response) or status == 401:
        return _is_text(body)
    if not 400 <= status < 500 or status in RETRYABLE:
        return False
    return not (isinstance(body, dict) and isinstance(body.get("errors"), list))


def _is_text(body: object) -> bool:
    return isinstance(body, str) and bool(body.strip())
