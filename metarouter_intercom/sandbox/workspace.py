"""The workspace: answers API requests from its records and keeps a log of them. It knows no socket and no thread."""

from __future__ import annotations

import hashlib
import marshal
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import attrs

from metarouter_intercom._types import JsonObject, JsonValue
from metarouter_intercom.plugins import Request, Response

from ._errors import SERVICE_ERRORS, ApiError, error_body, malformed
from ._rate_limit import RateUse, RateWindows
from ._request import KNOWN_VERSIONS, ApiRequest, Exchange, Violation
from ._request_parsing import (
    ReceivedRequest,
    check_accept,
    find_route,
    header_violations,
    read_json,
    read_version,
    unauthorized,
)
from ._response_bodies import new_visitor, view_company, view_contact
from ._settings import WorkspaceSettings
from ._workspace_snapshot import take_snapshot
from ._workspace_state import Company, Contact, Event, WorkspaceState

_MOST_VIOLATIONS = 10_000


class _Success(NamedTuple):
    status: int
    body: JsonValue
    is_write: bool


class Workspace:
    """
    One Intercom workspace in memory. It refuses what documents or recordings of the real API show that Intercom refuses.

    The methods are not thread-safe: hold a lock around them when several threads use a workspace. A request may leave out
    headers: only one that is there but empty counts as missing, and the HTTP server passes missing ones as empty texts.

    Args:
        settings: How the workspace behaves. You can give single settings by name: ``Workspace(search_lag=60.0)``.
        now: Returns the Unix time in seconds.
    """

    def __init__(
        self,
        settings: WorkspaceSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
        **choices: Any,
    ) -> None:
        # attrs raises TypeError for a name that WorkspaceSettings does not have.
        self.settings = attrs.evolve(settings or WorkspaceSettings(), **choices)
        self.now = now
        self.state = WorkspaceState(self.settings.seed)
        self.rate = RateWindows(
            app_limit=self.settings.app_limit,
            workspace_limit=self.settings.workspace_limit,
            window=self.settings.window,
            reset_slack=self.settings.reset_slack,
        )
        tokens = (self.settings.token, *self.settings.other_tokens)
        self._apps = {token: f"app {number}" for number, token in enumerate(tokens)}
        self._violations: deque[Violation] = deque(maxlen=_MOST_VIOLATIONS)
        self._exchanges: deque[Exchange] = deque(maxlen=self.settings.log_limit)
        self._handled = 0
        for model, data_types in self.settings.attributes.items():
            for name, data_type in data_types.items():
                self.state.add_attribute(model, name, data_type, now=int(now()))

    # --- answering ---

    def handle(self, request: Request) -> Response:
        """Answer *request* and add it to the log."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._answer(ReceivedRequest(request.method, request.path, headers, request.body, self.now()))

    def handle_bytes(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request whose body is still bytes; names in *headers* are in lower case."""
        return self._answer(ReceivedRequest(method, path, headers, read_json(content), self.now()))

    def refuse(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes, status: int
    ) -> Response:
        """Answer *status* whatever the request asks for, as during an outage or with a revoked token."""
        received = ReceivedRequest(method, path, headers, read_json(content), self.now())
        code, message = SERVICE_ERRORS.get(status, SERVICE_ERRORS[500])
        limits = self.rate.headers(self._app(headers) or "", received.at)
        if status == 429:
            limits["x-ratelimit-remaining"] = "0"
        return self._finish(received, ApiError(status, code, message, rule="fault"), limits)

    def _answer(self, received: ReceivedRequest) -> Response:
        app = self._app(received.headers)
        if app is None:
            limits = self.rate.headers("", received.at)
            return self._finish(received, unauthorized(received.headers), limits)
        message, limits = self.rate.take(app, received.at)
        if message is not None:
            # The text about the app is documented, the one about the workspace is made like it.
            assumed = "Workspace" in message
            rate_limited = ApiError(429, "rate_limit_exceeded", message, rule="rate_limit", assumed=assumed)
            return self._finish(received, rate_limited, limits)
        try:
            return self._finish(received, self._dispatch(received, app), limits)
        except ApiError as error:
            return self._finish(received, error, limits)

    def _app(self, headers: Mapping[str, str]) -> str | None:
        """Return the app that the token belongs to; None without a valid token."""
        authorization = headers.get("authorization")
        if authorization is None:
            return None if self.settings.require_auth else self._apps[self.settings.token]
        kind, _, token = authorization.partition(" ")
        return self._apps.get(token.strip()) if kind.lower() == "bearer" else None

    def _dispatch(self, received: ReceivedRequest, app: str) -> _Success:
        """Find the endpoint and let it answer; raises ``ApiError``."""
        self.state.forget_deleted(received.at - self.settings.deletion_grace)
        check_accept(received.headers.get("accept", "*/*"))
        version = read_version(received.headers, self.settings.default_version)
        path, _, query = received.path.partition("?")
        route, name, ids = find_route(received.method, path, version)
        if name in self.settings.forbidden:
            text = "The token is not authorized for this resource"
            raise ApiError(403, "forbidden", text, rule="forbidden", assumed=True)
        body = received.body
        if body is not None and not isinstance(body, dict):
            raise malformed("The request body is not a JSON object", rule="malformed_json")
        request = ApiRequest(
            state=self.state,
            settings=self.settings,
            version=version,
            now=received.at,
            ids=ids,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            body=body or {},
            app=app,
        )
        try:
            answer = route.endpoint(request)
        finally:
            for rule, detail in (*request.violations, *header_violations(received)):
                self._add_violation(received, rule, detail, number=self._handled + 1)
        is_write = received.method != "GET" and not route.reads
        if is_write and self.settings.search_lag > 0:
            for contact in request.touched.values():
                self.state.remember(contact, now=received.at, lag=self.settings.search_lag)
        return _Success(route.status, answer, is_write)

    def _finish(
        self, received: ReceivedRequest, outcome: ApiError | _Success, limits: Mapping[str, str]
    ) -> Response:
        """Build the response with its headers and add the exchange to the log."""
        self._handled += 1
        request_id = f"00sandbox{self._handled:011d}"
        version = received.headers.get("intercom-version", "")
        headers = {**limits, "x-request-id": request_id}
        headers["intercom-version"] = version or self.settings.default_version
        rule: str | None = None
        if isinstance(outcome, ApiError):
            rule = outcome.rule
            body: JsonValue = error_body(outcome, request_id=request_id)
            headers.update(outcome.headers)
            if outcome.status == 429:
                self.rate.count_refused(received.at)
            if outcome.violation:
                self._add_violation(received, rule, str(outcome.message), number=self._handled)
        else:
            body = outcome.body
            if body is not None:
                headers["etag"] = _etag(body)
            if outcome.is_write:
                # Intercom sends the reads of the next second to a database that has this write already.
                headers["set-cookie"] = f"recent_write={int(received.at)}; path=/; max-age=1"
        self._exchanges.append(
            Exchange(
                number=self._handled,
                at=received.at,
                method=received.method,
                path=received.path,
                version=version,
                body=received.body,
                status=outcome.status,
                answer=body,
                rule=rule,
                request_id=request_id,
                assumed=isinstance(outcome, ApiError) and outcome.assumed,
            )
        )
        return Response(outcome.status, body, headers)

    def _add_violation(self, received: ReceivedRequest, rule: str, detail: str, *, number: int) -> None:
        self._violations.append(
            Violation(rule, detail, received.method, received.path, received.body, number)
        )

    # --- what happened, and what is stored ---

    @property
    def violations(self) -> list[Violation]:
        """What a correct client does not send, oldest first; at most the latest 10,000."""
        return list(self._violations)

    @property
    def requests(self) -> list[Exchange]:
        """The latest requests with their responses, oldest first; at most ``WorkspaceSettings.log_limit``."""
        return list(self._exchanges)

    @property
    def handled(self) -> int:
        """The number of requests answered so far."""
        return self._handled

    @property
    def rate_use(self) -> RateUse:
        """How much of the rate budget is used."""
        return self.rate.usage(self.now(), apps=len(self._apps))

    @property
    def repeated_events(self) -> int:
        """The number of events that were not stored because they repeat an earlier one."""
        return self.state.repeated_events

    def contacts(self) -> list[JsonObject]:
        """Return the live contacts as API version 2.16 shows them, in the order of creation."""
        request = self._read_request()
        return [view_contact(request, contact) for contact in self.state.live_contacts()]

    def companies(self) -> list[JsonObject]:
        """Return the companies as API version 2.16 shows them, in the order of creation."""
        request = self._read_request()
        return [view_company(request, company) for company in self.state.companies.values()]

    def contact(self, name: str) -> Contact | None:
        """Return the live contact with that Intercom id, external id or e-mail; None when there is none."""
        contact = self.state.contacts.get(name) or self.state.user_by_external_id(name)
        if contact is not None and contact.is_live:
            return contact
        return next((contact for contact in self.state.by_email(name) if contact.is_live), None)

    def company(self, name: str) -> Company | None:
        """Return the company with that Intercom id or ``company_id``; None when there is none."""
        return self.state.companies.get(name) or self.state.company_by_own_id(name)

    def events(self, name: str) -> list[Event]:
        """Return the events of the contact with that Intercom id, external id or e-mail, in the order of arrival."""
        contact = self.contact(name)
        return [] if contact is None else list(contact.events)

    def snapshot(self, *, without: Collection[str] = ()) -> JsonObject:
        """
        Return the contacts and companies as one JSON value without generated ids, so that you can compare two runs.

        Args:
            without: Standard fields to leave out, such as ``last_seen_at``.
        """
        return take_snapshot(self.state, without=without)

    def add_visitor(self, *, user_id: str, email: str = "", name: str | None = None) -> str:
        """Add an anonymous visitor, as a visit to the website does; returns the Intercom id."""
        visitor_id = self.state.new_id()
        visitor = new_visitor(visitor_id, app_id=self.settings.app_id, now=int(self.now()))
        self.state.visitors[visitor_id] = {**visitor, "user_id": user_id, "email": email, "name": name}
        return visitor_id

    def _read_request(self) -> ApiRequest:
        """Return the request that ``contacts`` and ``companies`` show records for."""
        return ApiRequest(
            state=self.state,
            settings=self.settings,
            version=KNOWN_VERSIONS["2.16"],
            now=self.now(),
            ids=(),
            query={},
            body={},
        )


def _etag(body: JsonValue) -> str:
    """Return the weak tag of a response, as every successful one with a body has it."""
    # Several times faster than JSON. Version 2 of the format depends on nothing but the value.
    content = marshal.dumps(body, 2)
    return f'W/"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
