"""What the history keeps of requests and of the end of a message (rule X2); pure except for its own state, and knows no buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._intercom.response_parsing import error_of
from ..plugins import Ending, SentRequest

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..plugins import Request, Response, Settlement
    from .attempts import Attempt

# The last requests of a message; more of them say nothing new.
_REQUESTS = 20
# For how many messages that are retried the requests of earlier attempts are remembered; the oldest are forgotten first.
_RETRIED = 1_000
# Characters of Intercom's error text.
_LONGEST_TEXT = 500
_NAMES = ("type", "id")


def answered(request: Request, response: Response, duration: float) -> SentRequest:
    """Return what the history keeps of *request* and its answer; *duration* is in seconds."""
    if response.status < 300:
        body = response.body
        return SentRequest(
            request.method,
            request.path,
            response.status,
            None,
            response.headers.get("x-request-id"),
            duration,
            {name: body[name] for name in _NAMES if name in body} or None if type(body) is dict else None,
        )
    error = error_of(response)
    answer: JsonObject = {}
    if error["message"]:
        answer["message"] = error["message"][:_LONGEST_TEXT]
    if error["field"]:
        answer["field"] = error["field"]
    return SentRequest(
        request.method,
        request.path,
        response.status,
        error["code"],
        error["request_id"],
        duration,
        answer or None,
    )


def unanswered(request: Request, reason: str, status: int | None, duration: float) -> SentRequest:
    """Return what the history keeps of *request* without an answer of Intercom's; *status* is that of whoever answered instead."""
    return SentRequest(request.method, request.path, status, duration=duration, reason=reason)


class Recorder:
    """
    Gives the settlement of each message that ends its ``Ending``, with the requests of all its attempts in this process.

    Args:
        retried: For how many messages that are retried the requests are remembered.
    """

    def __init__(self, retried: int = _RETRIED) -> None:
        self._retried = retried
        # Message id -> the requests of earlier attempts. Threads deliver different messages, and each step here is atomic.
        self._earlier: dict[str, tuple[SentRequest, ...]] = {}

    def complete(self, attempt: Attempt, settlement: Settlement) -> Settlement:
        """Return *settlement* with the ending of its message; remember the requests of a message that has not ended."""
        requests = attempt.requests
        if self._earlier:
            requests = self._earlier.pop(attempt.message_id, ()) + requests
        requests = requests[-_REQUESTS:]
        outcome = attempt.outcome
        if outcome is None:
            if requests:
                self._remember(attempt.message_id, requests)
            return settlement
        ending = Ending(outcome, attempt.skipped or settlement.reason, tuple(attempt.notes), requests)
        return settlement._replace(ending=ending)

    def _remember(self, message_id: str, requests: tuple[SentRequest, ...]) -> None:
        self._earlier[message_id] = requests
        if len(self._earlier) > self._retried:
            self._earlier.pop(next(iter(self._earlier), ""), None)
