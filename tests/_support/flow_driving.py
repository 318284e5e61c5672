"""Drives flows by hand: compares each request and sends in each answer; contains no tests."""

from __future__ import annotations

import contextlib

from metarouter_intercom._intercom.context import World
from metarouter_intercom._intercom.workspace_cache import WorkspaceCache
from metarouter_intercom.plugins import Response
from metarouter_intercom.settings import Settings

NOW = 1_700_000_000.0
ANY = object()
"""Stands for any body."""


def make_cache(store=None, **options):
    """Return an empty workspace cache."""
    return WorkspaceCache(store, lock=contextlib.nullcontext(), **options)


# The name that tests of other folders still use.
make_directory = make_cache


def make_world(cache=None, *, now=NOW, parts=(), **settings):
    """Return a world with these settings."""
    options = {"api_key": "key"} | settings
    return World(cache or make_cache(), Settings(**options), now, parts)


def play(flow, *exchanges):
    """
    Run *flow* to its end and return its result.

    Each exchange is ``("METHOD /path", body, answer)``: the request that the flow must yield next, and what it receives: a ``Response``,
    or an exception that is raised in the flow.
    """
    remaining = list(exchanges)
    answer = None
    while True:
        try:
            request = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
        except StopIteration as end:
            assert remaining == [], "the flow ended early"
            return end.value
        actual = (f"{request.method} {request.path}", request.body)
        assert remaining, f"one request too many: {actual}"
        place, body, answer = remaining.pop(0)
        assert actual == (place, actual[1] if body is ANY else body)


def ok(body=None, status=200):
    """Return an answer with status 2xx."""
    return Response(status, {} if body is None else body)


def refusal(status, message=None, *, code="parameter_invalid", field=None, headers=None):
    """Return an error answer in Intercom's format."""
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    body = {"type": "error.list", "request_id": "r1", "errors": [error]}
    return Response(status, body, headers or {})


def conflict(contact_id, *, archived=False):
    """Return the 409 whose message contains the id of the existing contact."""
    subject = "An archived contact" if archived else "A contact"
    text = f"{subject} matching those details already exists with id={contact_id}"
    return refusal(409, text, code="conflict")


def merged_into(contact_id):
    """Return the 410 of a contact that was merged into *contact_id*."""
    link = {"link": f'</contacts/{contact_id}>; rel="canonical"'}
    return refusal(410, "Contact was merged", code="contact_merged", headers=link)


def missing(message="User Not Found", code="not_found"):
    """Return the 404 of a contact or company that does not exist."""
    return refusal(404, message, code=code)


def contact(contact_id, **fields):
    """Return an answer that contains a contact."""
    return ok({"type": "contact", "id": contact_id, "role": "user", **fields})


def found(*contacts, after=None):
    """Return a page of search results."""
    pages = {"type": "pages", "next": None if after is None else {"page": 2, "starting_after": after}}
    return ok({"type": "list", "data": list(contacts), "total_count": len(contacts), "pages": pages})


def attributes(*names, model="contact"):
    """Return an answer that lists custom attributes."""
    data = [{"name": name, "model": model, "custom": True, "archived": False} for name in names]
    return ok({"type": "list", "data": data})
