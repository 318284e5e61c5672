"""The workspace: one request in, one answer out, with the records between. Knows no socket, thread or clock."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import attrs

from metarouter_intercom._types import JsonObject, JsonValue
from metarouter_intercom.plugins import Request, Response

from ._call import KNOWN_VERSIONS, Call, Exchange, Version, Violation
from ._rate import RateWindows
from ._refusals import SERVICE_ERRORS, Refused, error_body, malformed, resource_not_found, unavailable
from ._routes import OLD_ROOTS, ROUTES, match
from ._settings import WorkspaceSettings
from ._snapshot import take_snapshot
from ._state import Company, Contact, Event, State
from ._views import view_company, view_contact

_MOST_VIOLATIONS = 10_000
_WRITES = frozenset({"POST", "PUT", "DELETE"})
_FITTING = ("*/*", "application/*", "application/json")


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
        self._apps = {token: f"app {number}" for number, token in enumerate(self._tokens())}
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
        return self._answer(request.method, request.path, headers, request.body)

    def handle_bytes(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Answer a request whose body is still bytes; the names in *headers* are in small letters."""
        body: JsonValue = None
        if content:
            try:
                body = json.loads(content, parse_constant=_refuse_constant)
            except (ValueError, RecursionError):
                return self._answer(method, path, headers, content.decode("utf-8", "replace"))
            if not isinstance(body, dict):
                return self._answer(method, path, headers, content.decode())
        return self._answer(method, path, headers, body)

    def refuse(self, request: Request, status: int, *, rule: str = "fault") -> Response:
        """Answer *request* with a state of the service, whatever it asks for: an outage, a revoked token."""
        code, message = SERVICE_ERRORS.get(status, ("server_error", "Server Error"))
        now = self.now()
        headers = {name.lower(): value for name, value in request.headers.items()}
        limits = self.rate.headers(self._app(headers), now)
        if status == 429:
            limits["x-ratelimit-remaining"] = "0"
        refusal = Refused(status, code, message, rule=rule, headers=limits)
        return self._finish(request.method, request.path, headers, request.body, now, refusal, limits)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: JsonValue) -> Response:
        now = self.now()
        limits: dict[str, str] = {}
        outcome: Refused | tuple[int, JsonValue]
        try:
            self._authorize(headers, limits, now)
            outcome = self._dispatch(method, path, headers, body, now)
        except Refused as refusal:
            outcome = refusal
        return self._finish(method, path, headers, body, now, outcome, limits)

    def _authorize(self, headers: Mapping[str, str], limits: dict[str, str], now: float) -> None:
        """Check the token, then take a request from its budget; *limits* receives the rate headers."""
        limits.update(self.rate.headers(self._app(headers), now))
        given = headers.get("authorization")
        if given is None and not self.settings.require_auth:
            given = f"Bearer {self.settings.token}"
        if not given:
            text = "Authorization header is missing"
            raise Refused(401, "missing_authorization", text, rule="unauthorized", violation=True)
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer" or token.strip() not in self._apps:
            raise Refused(401, "unauthorized", "Access Token Invalid", rule="unauthorized")
        spent, told = self.rate.take(self._apps[token.strip()], now)
        limits.update(told)
        if spent is not None:
            raise Refused(429, "rate_limit_exceeded", spent, rule="rate_limit")

    def _dispatch(
        self, method: str, path: str, headers: Mapping[str, str], body: JsonValue, now: float
    ) -> tuple[int, JsonValue]:
        _check_accept(headers.get("accept", "*/*"))
        version = self._version(headers)
        place, _, query = path.partition("?")
        found = match(method, place)
        if found is None:
            if place.split("/")[1:2] and place.split("/")[1] in OLD_ROOTS:
                raise unavailable()
            missing = resource_not_found("unknown_route")
            missing.violation = True
            raise missing
        name, ids = found
        route = ROUTES[name]
        if version < route.since:
            raise unavailable()
        if name in self.settings.forbidden:
            text = "The token is not authorized for this resource"
            raise Refused(403, "forbidden", text, rule="forbidden")
        if body is not None and not isinstance(body, dict):
            raise malformed("The request body is not valid JSON", rule="malformed_json")
        call = Call(
            state=self.state,
            settings=self.settings,
            version=version,
            now=now,
            route=name,
            ids=ids,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            body=body or {},
        )
        try:
            return route.status, route.answer(call)
        finally:
            for rule, detail in (*call.found, *_header_faults(headers, body)):
                self._violations.append(Violation(rule, detail, method, path, body))

    def _finish(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: JsonValue,
        now: float,
        outcome: Refused | tuple[int, JsonValue],
        limits: Mapping[str, str],
    ) -> Response:
        self._handled += 1
        request_id = f"00sandbox{self._handled:011d}"
        version = headers.get("intercom-version", "")
        told = {
            **limits,
            "x-request-id": request_id,
            "intercom-version": version or self.settings.default_version,
        }
        rule: str | None = None
        if isinstance(outcome, Refused):
            rule, status = outcome.rule, outcome.status
            answer: JsonValue = error_body(
                outcome.code, outcome.message, request_id=request_id, field=outcome.field
            )
            told.update(outcome.headers)
            if outcome.violation:
                self._violations.append(Violation(rule, str(outcome.message), method, path, body))
        else:
            status, answer = outcome
            if method in _WRITES:
                # Intercom routes the next second's reads to where this write is seen already.
                told["set-cookie"] = f"recent_write={int(now)}; path=/; max-age=1"
        self._exchanges.append(
            Exchange(self._handled, now, method, path, version, body, status, answer, rule, request_id)
        )
        return Response(status, answer, told)

    # --- headers ---

    def _tokens(self) -> tuple[str, ...]:
        return (self.settings.token, *self.settings.other_tokens)

    def _app(self, headers: Mapping[str, str]) -> str:
        token = headers.get("authorization", "").partition(" ")[2].strip()
        return self._apps.get(token, "app 0")

    def _version(self, headers: Mapping[str, str]) -> Version:
        named = headers.get("intercom-version") or self.settings.default_version
        version = KNOWN_VERSIONS.get(named)
        if version is None or version < (2, 0):
            raise unavailable()
        return version

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
            route="",
            ids=(),
            query={},
            body={},
        )


def _check_accept(accept: str) -> None:
    for part in accept.split(","):
        if part.partition(";")[0].strip().lower() in _FITTING:
            return
    text = "The Accept header should send a media type of application/json"
    raise Refused(406, "media_type_not_acceptable", text, rule="not_acceptable", violation=True)


def _header_faults(headers: Mapping[str, str], body: JsonValue) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if headers.get("intercom-version") == "":
        faults.append(("missing_version", "Intercom-Version decides what the answer means"))
    content_type = headers.get("content-type")
    if body is not None and content_type is not None and "json" not in content_type.lower():
        faults.append(("content_type", f"a JSON body was called {content_type or 'nothing'}"))
    return faults


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
