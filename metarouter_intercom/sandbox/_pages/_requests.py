"""What the Requests page and the page of one request show. It reads the workspace and knows no HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import attrs

from metarouter_intercom._types import JsonValue

from .._request import Exchange
from ..workspace import Workspace
from ._paging import Page, make_page

REQUESTS_PER_PAGE = 50
CHOICES: Mapping[str, str] = {"": "All", "failed": "Failed", "violations": "Violations"}
_MOST_JSON = 40_000
# Fields that say what a body is about, the most important first.
_GIST_FIELDS = (
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
    One row of the list of requests.

    Attributes:
        at: When the request arrived, in Unix seconds.
        phrase: The status in words.
        rule: The name of the rule that refused the request; empty when it succeeded.
        message: Intercom's error text; empty when the request succeeded.
        gist: What the body is about: at most two names or ids from it.
        violations: What a correct client does not send, as (rule, detail).
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
    """
    Everything that the page of one request shows.

    Attributes:
        body: The request's body as indented JSON; empty when there is none.
        answer: The response's body, likewise.
        before: The number of the request before; None when it is not stored.
        after: The number of the request after; None when there is none.
    """

    row: RequestRow
    version: str
    request_id: str
    body: str
    answer: str
    before: int | None
    after: int | None


def list_requests(workspace: Workspace, choice: str, number: int) -> Page[RequestRow]:
    """Return page *number* of the stored requests, the newest first: all, the failed ones, or those with violations."""
    violations = _violations(workspace)
    matching = [
        exchange
        for exchange in reversed(workspace.requests)
        if choice not in ("failed", "violations")
        or (choice == "failed" and _has_failed(exchange))
        or (choice == "violations" and exchange.number in violations)
    ]
    page = make_page(matching, number, REQUESTS_PER_PAGE)
    return page.map(lambda exchange: _row(exchange, violations.get(exchange.number, ())))


def request_view(workspace: Workspace, number: int) -> RequestView | None:
    """Return what the page of request *number* shows; None when the request is not stored or was removed."""
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
    """Return the violations as (rule, detail), by the request's number."""
    by_number: dict[int, list[tuple[str, str]]] = {}
    for violation in workspace.violations:
        by_number.setdefault(violation.number, []).append((violation.rule, violation.detail))
    return by_number


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
    """Return at most two names or ids from *body*."""
    if not isinstance(body, dict):
        return ""
    texts = [body[name] for name in _GIST_FIELDS if isinstance(body.get(name), str) and body[name]]
    return " · ".join(str(text)[:_MOST_GIST] for text in texts[:2])


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
