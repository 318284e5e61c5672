"""The addresses of the pages: reads the workspace under its lock, renders outside of it, and guards every answer's headers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import Any, NamedTuple

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from ..service import Service
from . import _safe_text as _texts
from . import _timestamps as _instants
from ._companies import company_options, company_view, list_companies
from ._people import PeopleFilter, candidates, list_people, person, person_row
from ._rate_strip import read_budget
from ._requests import CHOICES, list_requests, request_view
from ._snippets import identify_snippet, track_snippet

ROOT = "/ui"
_ROLES = {"": "Users and leads", "user": "Users", "lead": "Leads"}
_ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
_LONGEST_QUERY = 200
HEADERS = {
    # Nothing but this server's own files, no inline script or style, no frame around or inside.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

View = Callable[..., Any]


class _Asset(NamedTuple):
    content: bytes
    media_type: str
    mark: str


def make_pages(service: Service) -> Blueprint:
    """Make the blueprint of the pages around *service*."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    reader = _Reader(service)
    for place, endpoint, view in (
        ("/", "root", lambda: redirect(url_for("pages.people"))),
        (ROOT, "home", lambda: redirect(url_for("pages.people"))),
        (f"{ROOT}/people", "people", reader.people),
        (f"{ROOT}/people/<path:name>", "person", reader.person),
        (f"{ROOT}/companies", "companies", reader.companies),
        (f"{ROOT}/companies/<path:name>", "company", reader.company),
        (f"{ROOT}/requests", "requests", reader.requests),
        (f"{ROOT}/requests/<int:number>", "request", reader.one_request),
        (f"{ROOT}/assets/<name>", "asset", reader.asset),
        ("/<path:name>", "nowhere", lambda name: abort(404)),
    ):
        pages.add_url_rule(place, endpoint, view, methods=["GET"], strict_slashes=False)
    pages.before_request(reader.unchanged)
    pages.after_app_request(_guard)
    pages.context_processor(reader.shared)
    pages.register_error_handler(HTTPException, _told)
    filters: dict[str, View] = {
        "visible": _texts.visible,
        "plain": _texts.plain,
        "initials": _texts.initials,
        "shade": _texts.shade,
        "counted": _texts.counted,
        "full": _instants.full,
        "clock": _instants.clock,
        "ago": lambda at: _instants.ago(at, service.workspace.now()),
    }
    for name, text_filter in filters.items():
        pages.add_app_template_filter(text_filter, name)
    return pages


def _guard(response: Response) -> Response:
    if response.mimetype == "application/json":  # an answer of the API: Intercom sends none of these
        return response
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _told(error: HTTPException) -> tuple[str, int]:
    return render_template("nowhere.html", error=error), error.code or 500


class _Reader:
    """Answers each page from one service's workspace."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._workspace = service.workspace
        # Another start of the server must not look like an unchanged one.
        self._start = secrets.token_hex(4)
        self._assets = {name: _read_asset(name, media_type) for name, media_type in _ASSETS.items()}

    # --- what all pages have ---

    def unchanged(self) -> Response | None:
        """Answer 304 to the pages' script when nothing was asked and no window ended since; remember the mark otherwise."""
        workspace = self._workspace
        # Taken before anything is read: what comes after it changes the mark, and the next look shows it.
        g.mark = f'"{self._start}-{workspace.handled}-{workspace.rate.window_number(workspace.now())}"'
        if request.headers.get("If-None-Match") == g.mark:
            return Response(status=304)
        return None

    def shared(self) -> dict[str, object]:
        """Return what every template may use."""
        workspace = self._workspace
        with self._service.lock:
            return {
                "mark": g.mark,
                "assets": {name: asset.mark for name, asset in self._assets.items()},
                "workspace": workspace.settings,
                "budget": read_budget(workspace.rate_use),
                "counts": {
                    "people": sum(1 for _ in workspace.state.live_contacts()),
                    "companies": len(workspace.state.companies),
                    "requests": workspace.handled,
                },
            }

    def asset(self, name: str) -> Response:
        """Answer one of the pages' own files."""
        asset = self._assets.get(name)
        if asset is None:
            abort(404)
        answer = Response(asset.content, mimetype=asset.media_type)
        # The address names the content, so that it may be kept for good.
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer

    # --- people ---

    def people(self) -> str:
        """List the people."""
        role = _asked("role")
        wanted = PeopleFilter(
            words=_asked("q"), role=role if role in _ROLES else "", company=_asked("company")
        )
        with self._service.lock:
            contacts = candidates(self._workspace, wanted.company)
        # Outside of the lock: looking through many people must not keep the API waiting.
        page = list_people(contacts, wanted, _page_number())
        with self._service.lock:
            rows = [person_row(self._workspace, one) for one in page.items]
            options = company_options(self._workspace, wanted.company)
        return render_template(
            "people.html",
            page=page,
            rows=rows,
            wanted=wanted,
            roles=_ROLES,
            options=options,
            snippet=identify_snippet(request.host_url, self._workspace.settings.token),
        )

    def person(self, name: str) -> str:
        """Show the person with that Intercom id, external id or e-mail."""
        with self._service.lock:
            contact = self._workspace.contact(name)
            if contact is None:
                raise NotFound(self._fate(name))
            shown = person(self._workspace, contact, _page_number())
        return render_template(
            "person.html", person=shown, snippet=track_snippet(shown.row.external_id, shown.row.role)
        )

    def _fate(self, name: str) -> str:
        contact = self._workspace.state.contacts.get(name)
        if contact is None:
            return "No contact has this id, external id or email."
        if contact.merged_into is not None:
            return f"This lead was merged into contact {contact.merged_into}."
        if contact.deleted:
            return "This contact was permanently deleted."
        if contact.blocked:
            return "This contact was blocked. Intercom archives blocked contacts."
        return "This contact is archived. Intercom returns 404 for it until you unarchive it."

    # --- companies ---

    def companies(self) -> str:
        """List the companies."""
        words = _asked("q")
        with self._service.lock:
            page = list_companies(self._workspace, words, _page_number())
        return render_template("companies.html", page=page, rows=page.items, words=words)

    def company(self, name: str) -> str:
        """Show the company with that Intercom id or ``company_id``."""
        with self._service.lock:
            company = self._workspace.company(name)
            if company is None:
                raise NotFound("No company has this id.")
            shown = company_view(self._workspace, company, _page_number())
        return render_template("company.html", company=shown)

    # --- requests ---

    def requests(self) -> str:
        """List the requests."""
        choice = _asked("show")
        with self._service.lock:
            page = list_requests(self._workspace, choice, _page_number())
        return render_template("requests.html", page=page, rows=page.items, choice=choice, choices=CHOICES)

    def one_request(self, number: int) -> str:
        """Show one request with its answer."""
        with self._service.lock:
            shown = request_view(self._workspace, number)
        if shown is None:
            limit = self._workspace.settings.log_limit
            raise NotFound(f"No such request. The sandbox keeps only the latest {limit:,} requests.")
        return render_template("request.html", shown=shown)


def _read_asset(name: str, media_type: str) -> _Asset:
    content = (files(__package__) / "assets" / name).read_bytes()
    return _Asset(content, media_type, hashlib.sha256(content).hexdigest()[:10])


def _asked(name: str) -> str:
    return request.args.get(name, "")[:_LONGEST_QUERY].strip()


def _page_number() -> int:
    text = request.args.get("page", "1")[:9]
    return int(text) if text.isascii() and text.isdigit() else 1
