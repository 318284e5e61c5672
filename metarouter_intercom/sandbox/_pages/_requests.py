"""What the pages tell of requests: each with its answer, and the rule that refused it. Reads the workspace only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import attrs

from metarouter_intercom._types import JsonValue

from .._request import Exchange, Violation
from ..workspace import Workspace
from ._paging import Page, paged

REQUESTS_PER_PAGE = 50
CHOICES: Mapping[str, str] = {"": "All", "failed": "Failed", "violations": "Violations"}
_MOST_JSON = 40_000
# Fields that tell what a body is about, the most telling first.
_TELLING = (
    "event_name",
    "name",
    "external_id",
    "user_id",
    "company_id",
    "email",
    "role",
    "id",
    "from",
    "into",
)
_MOST_GIST = 60


@attrs.frozen(kw_only=True)
class RequestRow:
    """
    One line of the list of requests.

    Attributes:
        rule: The rule that refused the request, or "".
        message: Intercom's words for it, or "".
        gist: What the body is about: names and ids in it.
        violations: What no well-behaved client sends, as (rule, detail).
    """

    number: int
    at: float
    method: str
    path: str
    status: int
    phrase: str
    failed: bool
    rule: str
    message: str
    gist: str
    violations: Sequence[tuple[str, str]]


@attrs.frozen(kw_only=True)
class RequestView:
    """Everything the page of one request shows."""

    row: RequestRow
    version: str
    request_id: str
    body: str
    answer: str
    before: int | None
    after: int | None


def list_requests(workspace: Workspace, choice: str, number: int) -> Page[RequestRow]:
    """Return a page of the remembered requests, the newest first: all of them, the failed ones, or those with violations."""
    violations = _violations(workspace)
    fitting = [
        one
        for one in reversed(workspace.requests)
        if choice not in ("failed", "violations")
        or (choice == "failed" and _has_failed(one))
        or (choice == "violations" and one.number in violations)
    ]
    page = paged(fitting, number, REQUESTS_PER_PAGE)
    return page.showing(lambda one: _row(one, violations.get(one.number, ())))


def request_view(workspace: Workspace, number: int) -> RequestView | None:
    """Return what the page of request *number* shows; None when it is not remembered (any more)."""
    exchanges = workspace.requests
    first = exchanges[0].number if exchanges else 0
    if not exchanges or not 0 <= number - first < len(exchanges):
        return None
    exchange = exchanges[number - first]
    return RequestView(
        row=_row(exchange, _violations(workspace).get(number, ())),
        version=exchange.version,
        request_id=exchange.request_id,
        body=_as_json(exchange.body),
        answer=_as_json(exchange.answer),
        before=number - 1 if number > first else None,
        after=number + 1 if number - first + 1 < len(exchanges) else None,
    )


def _violations(workspace: Workspace) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for one in workspace.violations:
        found.setdefault(one.number, []).append(_told(one))
    return found


def _told(violation: Violation) -> tuple[str, str]:
    return violation.rule, violation.detail


def _has_failed(exchange: Exchange) -> bool:
    return exchange.status >= 400


def _row(exchange: Exchange, violations: Sequence[tuple[str, str]]) -> RequestRow:
    return RequestRow(
        number=exchange.number,
        at=exchange.at,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        phrase=_phrase(exchange.status),
        failed=_has_failed(exchange),
        rule=exchange.rule or "",
        message=_message(exchange.answer) if _has_failed(exchange) else "",
        gist=_gist(exchange.body),
        violations=violations,
    )


def _gist(body: JsonValue) -> str:
    """Return at most two of the names and ids in *body*."""
    if not isinstance(body, dict):
        return ""
    found = [body[name] for name in _TELLING if isinstance(body.get(name), str) and body[name]]
    return " · ".join(str(one)[:_MOST_GIST] for one in found[:2])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _message(answer: JsonValue) -> str:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return str(first.get("message") or "") if isinstance(first, dict) else ""


def _as_json(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:_MOST_JSON]
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return "Nested too deeply to show."
    cut = len(text) - _MOST_JSON
    return text if cut <= 0 else f"{text[:_MOST_JSON]}\n… {cut:,} more characters"
