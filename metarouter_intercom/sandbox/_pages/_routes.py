"""The pages' addresses: reads the workspace under its lock, renders without it, and adds the security headers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import Any, NamedTuple

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from ..service import Service
from . import _safe_text, _timestamps
from ._companies import company_options, company_view, list_companies
from ._people import PeopleFilter, contacts_of, list_people, person_row, person_view
from ._rate_strip import rate_strip
from ._requests import CHOICES, list_requests, request_view
from ._snippets import identify_snippet, track_snippet

ROOT = "/ui"
_ROLES = {"": "Users and leads", "user": "Users", "lead": "Leads"}
_ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
_LONGEST_QUERY = 200
HEADERS = {
    # Pages load only this server's files, run no inline script or style, and neither contain a frame nor appear in one.
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
    digest: str


def make_pages(service: Service) -> Blueprint:
    """Make the blueprint of the pages around *service*."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    page_views = _PageViews(service)
    for rule, endpoint, view in (
        ("/", "root", lambda: redirect(url_for("pages.people"))),
        (ROOT, "home", lambda: redirect(url_for("pages.people"))),
        (f"{ROOT}/people", "people", page_views.people),
        (f"{ROOT}/people/<path:name>", "person", page_views.person),
        (f"{ROOT}/companies", "companies", page_views.companies),
        (f"{ROOT}/companies/<path:name>", "company", page_views.company),
        (f"{ROOT}/requests", "requests", page_views.requests),
        (f"{ROOT}/requests/<int:number>", "request", page_views.one_request),
        (f"{ROOT}/assets/<name>", "asset", page_views.asset),
        ("/<path:name>", "not_found", lambda name: abort(404)),
    ):
        pages.add_url_rule(rule, endpoint, view, methods=["GET"], strict_slashes=False)
    pages.before_request(page_views.answer_unchanged)
    pages.after_app_request(_add_headers)
    pages.context_processor(page_views.shared)
    pages.register_error_handler(HTTPException, _render_error)
    filters: dict[str, View] = {
        "visible": _safe_text.visible,
        "plain": _safe_text.plain,
        "initials": _safe_text.initials,
        "shade": _safe_text.shade,
        "counted": _safe_text.counted,
        "full": _timestamps.full,
        "clock": _timestamps.clock,
        "ago": lambda at: _timestamps.ago(at, service.workspace.now()),
    }
    for name, text_filter in filters.items():
        pages.add_app_template_filter(text_filter, name)
    return pages


def _add_headers(response: Response) -> Response:
    if response.mimetype == "application/json":  # the API's responses do not have them, as Intercom's do not
        return response
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _render_error(error: HTTPException) -> tuple[str, int]:
    return render_template("not_found.html", error=error), error.code or 500


class _PageViews:
    """Answers each address from the workspace of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._workspace = service.workspace
        # Part of every page's mark, so that a page loaded before a restart of the server does not count as unchanged.
        self._start = secrets.token_hex(4)
        self._assets = {name: _read_asset(name, media_type) for name, media_type in _ASSETS.items()}

    # --- shared by all pages ---

    def answer_unchanged(self) -> Response | None:
        """Answer 304 when no API request arrived and no rate window ended since the page was loaded; None otherwise."""
        workspace = self._workspace
        # The mark is made before anything is read. A request that arrives later changes it, so the next update shows the request.
        g.mark = f'"{self._start}-{workspace.handled}-{workspace.rate.window_number(workspace.now())}"'
        if request.headers.get("If-None-Match") == g.mark:
            return Response(status=304)
        return None

    def shared(self) -> dict[str, object]:
        """Return the values that every template can use."""
        workspace = self._workspace
        with self._service.lock:
            return {
                "mark": g.mark,
                "assets": {name: asset.digest for name, asset in self._assets.items()},
                "workspace": workspace.settings,
                "budget": rate_strip(workspace.rate_use),
                "counts": {
                    "people": sum(1 for _ in workspace.state.live_contacts()),
                    "companies": len(workspace.state.companies),
                    "requests": workspace.handled,
                },
            }

    def asset(self, name: str) -> Response:
        """Answer a script, style sheet or picture."""
        asset = self._assets.get(name)
        if asset is None:
            abort(404)
        response = Response(asset.content, mimetype=asset.media_type)
        # Pages link to the file with its digest in the address, so a browser can cache it without asking again.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    # --- people ---

    def people(self) -> str:
        """Show the People page."""
        role = _query_text("role")
        wanted = PeopleFilter(
            words=_query_text("q"), role=role if role in _ROLES else "", company=_query_text("company")
        )
        with self._service.lock:
            contacts = contacts_of(self._workspace, wanted.company)
        # Without the lock, because the API must not wait while many people are searched.
        page = list_people(contacts, wanted, _page_number())
        with self._service.lock:
            rows = [person_row(self._workspace, contact) for contact in page.items]
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
        """Show the page of the person with that Intercom id, external id or e-mail."""
        with self._service.lock:
            contact = self._workspace.contact(name)
            if contact is None:
                raise NotFound(self._why_not_found(name))
            view = person_view(self._workspace, contact, _page_number())
        return render_template(
            "person.html", person=view, snippet=track_snippet(view.row.external_id, view.row.role)
        )

    def _why_not_found(self, name: str) -> str:
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
        """Show the Companies page."""
        words = _query_text("q")
        with self._service.lock:
            page = list_companies(self._workspace, words, _page_number())
        return render_template("companies.html", page=page, rows=page.items, words=words)

    def company(self, name: str) -> str:
        """Show the page of the company with that Intercom id or ``company_id``."""
        with self._service.lock:
            company = self._workspace.company(name)
            if company is None:
                raise NotFound("No company has this id.")
            view = company_view(self._workspace, company, _page_number())
        return render_template("company.html", company=view)

    # --- requests ---

    def requests(self) -> str:
        """Show the Requests page."""
        choice = _query_text("show")
        with self._service.lock:
            page = list_requests(self._workspace, choice, _page_number())
        return render_template("requests.html", page=page, rows=page.items, choice=choice, choices=CHOICES)

    def one_request(self, number: int) -> str:
        """Show the page of one request."""
        with self._service.lock:
            view = request_view(self._workspace, number)
        if view is None:
            limit = self._workspace.settings.log_limit
            raise NotFound(f"No such request. The sandbox keeps only the latest {limit:,} requests.")
        return render_template("request.html", shown=view)


def _read_asset(name: str, media_type: str) -> _Asset:
    content = (files(__package__) / "assets" / name).read_bytes()
    return _Asset(content, media_type, hashlib.sha256(content).hexdigest()[:10])


def _query_text(name: str) -> str:
    return request.args.get(name, "")[:_LONGEST_QUERY].strip()


def _page_number() -> int:
    text = request.args.get("page", "1")[:9]
    return int(text) if text.isascii() and text.isdigit() else 1
