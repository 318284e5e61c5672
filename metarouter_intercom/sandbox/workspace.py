"""The workspace: one request in, one answer out, with the records between. Knows no socket, thread or clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import attrs

from metarouter_intercom._types import JsonObject, JsonValue
from metarouter_intercom.plugins import Request, Response

from ._errors import SERVICE_ERRORS, Refused, error_body, malformed
from ._rate_limit import RateUse, RateWindows
from ._request import KNOWN_VERSIONS, Call, Exchange, Violation
from ._request_parsing import (
    Received,
    check_accept,
    find_route,
    header_faults,
    read_json,
    read_version,
    unauthorized,
)
from ._response_bodies import view_company, view_contact
from ._settings import WorkspaceSettings
from ._workspace_snapshot import take_snapshot
from ._workspace_state import Company, Contact, Event, State

_MOST_VIOLATIONS = 10_000
_WRITES = frozenset({"POST", "PUT", "DELETE"})


class _Success(NamedTuple):
    status: int
    body: JsonValue


class Workspace:
    """
    One Intercom workspace in memory, as strict as the real one is documented to be.

    ``handle`` takes one request at a time; whoever calls from several threads holds a lock around it. A header that is
    missing in process counts as sent well; over HTTP a missing one is handed over as an empty text.

    Args:
        settings: The workspace's choices; single ones can be given by name instead: ``Workspace(search_lag=60.0)``.
        now: Returns the Unix time in seconds.
    """

    def __init__(
        self,
        settings: WorkspaceSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
        **choices: Any,
    ) -> None:
        # The names and types of the choices are those of WorkspaceSettings; attrs refuses any other name.
        self.settings = attrs.evolve(settings or WorkspaceSettings(), **choices)
        self.now = now
        self.state = State(self.settings.seed)
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
        for model, known in self.settings.attributes.items():
            for name, data_type in known.items():
                self.state.add_attribute(model, name, data_type, int(now()))

    # --- answering ---

    def handle(self, request: Request) -> Response:
        """Answer *request* and remember the exchange."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._answer(Received(request.method, request.path, headers, request.body, self.now()))

    def handle_bytes(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request whose body is still bytes; the names in *headers* are in small letters."""
        return self._answer(Received(method, path, headers, read_json(content), self.now()))

    def refuse(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes, status: int
    ) -> Response:
        """Answer a request with a state of the service, whatever it asks for: an outage, a revoked token."""
        received = Received(method, path, headers, read_json(content), self.now())
        code, message = SERVICE_ERRORS.get(status, SERVICE_ERRORS[500])
        limits = self.rate.headers(self._app(headers) or "", received.at)
        if status == 429:
            limits["x-ratelimit-remaining"] = "0"
        return self._finish(received, Refused(status, code, message, rule="fault"), limits)

    def _answer(self, received: Received) -> Response:
        app = self._app(received.headers)
        if app is None:
            limits = self.rate.headers("", received.at)
            return self._finish(received, unauthorized(received.headers), limits)
        spent, limits = self.rate.take(app, received.at)
        if spent is not None:
            refusal = Refused(429, "rate_limit_exceeded", spent, rule="rate_limit")
            return self._finish(received, refusal, limits)
        try:
            return self._finish(received, self._dispatch(received), limits)
        except Refused as refusal:
            return self._finish(received, refusal, limits)

    def _app(self, headers: Mapping[str, str]) -> str | None:
        """Return the app that the token belongs to; None when there is no good token."""
        given = headers.get("authorization")
        if given is None:
            return None if self.settings.require_auth else self._apps[self.settings.token]
        kind, _, token = given.partition(" ")
        return self._apps.get(token.strip()) if kind.lower() == "bearer" else None

    def _dispatch(self, received: Received) -> _Success:
        """Find the endpoint and let it answer, or raise ``Refused``."""
        check_accept(received.headers.get("accept", "*/*"))
        version = read_version(received.headers, self.settings.default_version)
        place, _, query = received.path.partition("?")
        route, name, ids = find_route(received.method, place, version)
        if name in self.settings.forbidden:
            text = "The token is not authorized for this resource"
            raise Refused(403, "forbidden", text, rule="forbidden")
        body = received.body
        if body is not None and not isinstance(body, dict):
            raise malformed("The request body is not a JSON object", rule="malformed_json")
        call = Call(
            state=self.state,
            settings=self.settings,
            version=version,
            now=received.at,
            ids=ids,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            body=body or {},
        )
        try:
            return _Success(route.status, route.answer(call))
        finally:
            for rule, detail in (*call.found, *header_faults(received)):
                self._note_violation(received, rule, detail, number=self._handled + 1)

    def _finish(self, received: Received, outcome: Refused | _Success, limits: Mapping[str, str]) -> Response:
        """Build the answer with its headers and remember the exchange."""
        self._handled += 1
        request_id = f"00sandbox{self._handled:011d}"
        version = received.headers.get("intercom-version", "")
        told = {**limits, "x-request-id": request_id}
        told["intercom-version"] = version or self.settings.default_version
        rule: str | None = None
        if isinstance(outcome, Refused):
            rule = outcome.rule
            answer: JsonValue = error_body(outcome, request_id=request_id)
            told.update(outcome.headers)
            if outcome.status == 429:
                self.rate.refuse(received.at)
            if outcome.violation:
                self._note_violation(received, rule, str(outcome.message), number=self._handled)
        else:
            answer = outcome.body
            if received.method in _WRITES:
                # Intercom routes the next second's reads to where this write is seen already.
                told["set-cookie"] = f"recent_write={int(received.at)}; path=/; max-age=1"
        self._exchanges.append(
            Exchange(
                number=self._handled,
                at=received.at,
                method=received.method,
                path=received.path,
                version=version,
                body=received.body,
                status=outcome.status,
                answer=answer,
                rule=rule,
                request_id=request_id,
            )
        )
        return Response(outcome.status, answer, told)

    def _note_violation(self, received: Received, rule: str, detail: str, *, number: int) -> None:
        self._violations.append(
            Violation(rule, detail, received.method, received.path, received.body, number)
        )

    # --- looking inside ---

    @property
    def violations(self) -> list[Violation]:
        """What no well-behaved client sends, oldest first; at most the latest 10,000."""
        return list(self._violations)

    @property
    def requests(self) -> list[Exchange]:
        """The latest exchanges, oldest first."""
        return list(self._exchanges)

    @property
    def handled(self) -> int:
        """How many requests were answered so far."""
        return self._handled

    @property
    def rate_use(self) -> RateUse:
        """How much of the rate budget is used."""
        return self.rate.use(self.now(), apps=len(self._apps))

    @property
    def repeated_events(self) -> int:
        """How many events were recognised as repeats and left out."""
        return self.state.repeated_events

    def contacts(self) -> list[JsonObject]:
        """Return the live contacts as the newest API version shows them, in the order of creation."""
        call = self._looking()
        return [view_contact(call, contact) for contact in self.state.live_contacts()]

    def companies(self) -> list[JsonObject]:
        """Return the companies as the newest API version shows them, in the order of creation."""
        call = self._looking()
        return [view_company(call, company) for company in self.state.companies.values()]

    def contact(self, name: str) -> Contact | None:
        """Return the live contact with that Intercom id, external id or e-mail."""
        found = self.state.contacts.get(name) or self.state.user_by_external_id(name)
        if found is not None and found.is_live:
            return found
        return next((one for one in self.state.by_email(name) if one.is_live), None)

    def company(self, name: str) -> Company | None:
        """Return the company with that Intercom id or ``company_id``."""
        return self.state.companies.get(name) or self.state.company_by_own_id(name)

    def events(self, name: str) -> list[Event]:
        """Return the events of the contact with that id, external id or e-mail, in the order of arrival."""
        found = self.contact(name)
        return [] if found is None else list(found.events)

    def snapshot(self, *, without: Collection[str] = ()) -> JsonObject:
        """Return the final state as one plain value that two runs can be compared by, generated ids left out."""
        return take_snapshot(self.state, without=without)

    def add_visitor(self, *, user_id: str, email: str = "", name: str | None = None) -> str:
        """Let an anonymous visitor come to the website; return Intercom's id of it."""
        visitor_id = self.state.new_id()
        moment = int(self.now())
        self.state.visitors[visitor_id] = {
            "type": "visitor",
            "id": visitor_id,
            "user_id": user_id,
            "anonymous": True,
            "email": email,
            "name": name,
            "app_id": self.settings.app_id,
            "created_at": moment,
            "updated_at": moment,
            "custom_attributes": {},
        }
        return visitor_id

    def _looking(self) -> Call:
        return Call(
            state=self.state,
            settings=self.settings,
            version=KNOWN_VERSIONS["2.16"],
            now=self.now(),
            ids=(),
            query={},
            body={},
        )
