"""Drives flows by hand: compares each request and feeds in the response that the test gives; has no test of its own."""

from __future__ import annotations

import contextlib

from metarouter_intercom._intercom.context import World
from metarouter_intercom._intercom.workspace_cache import WorkspaceCache
from metarouter_intercom.plugins import Response
from metarouter_intercom.settings import Settings

NOW = 1_700_000_000.0
ANY = object()
"""A body that a test does not compare."""


def make_cache(store=None, **options):
    """Return an empty workspace cache in memory, or in *store*."""
    return WorkspaceCache(store, lock=contextlib.nullcontext(), **options)


def make_world(cache=None, *, now=NOW, parts=(), **settings):
    """Return a world with these settings."""
    defaults = {"api_key": "key"}
    return World(cache or make_cache(), Settings(**defaults | settings), now, parts)


def play(flow, *exchanges):
    """
    Run *flow* to its end and return its result.

    Each exchange is ``("METHOD /path", body, answer)``: the request that the flow must yield now, and what it receives: a
    ``Response``, or an error that is thrown into it.
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
        expected_line, body, answer = remaining.pop(0)
        assert actual == (expected_line, actual[1] if body is ANY else body)


def ok(body=None, status=200):
    """Return a response that took effect."""
    return Response(status, {} if body is None else body)


def refusal(status, message=None, *, code="parameter_invalid", field=None, headers=None):
    """Return a response in Intercom's error envelope."""
    error = {"code": code, "message": message}
    if field is not None:
        error["field"] = field
    body = {"type": "error.list", "request_id": "r1", "errors": [error]}
    return Response(status, body, headers or {})


def conflict(contact_id, *, archived=False):
    """Return the 409 that has a contact's id in its error text."""
    subject = "An archived contact" if archived else "A contact"
    text = f"{subject} matching those details already exists with id={contact_id}"
    return refusal(409, text, code="conflict")


def merged_into(contact_id):
    """Return the 410 of a contact that was merged into another."""
    link = {"link": f'</contacts/{contact_id}>; rel="canonical"'}
    return refusal(410, "Contact was merged", code="contact_merged", headers=link)


def missing(message="User Not Found", code="not_found"):
    """Return the 404 of a contact or company that does not exist."""
    return refusal(404, message, code=code)


def contact(contact_id, **fields):
    """Return a response that holds a contact."""
    return ok({"type": "contact", "id": contact_id, "role": "user", **fields})


def search_page(*contacts, after=None):
    """Return a page of a search."""
    pages = {"type": "pages", "next": None if after is None else {"page": 2, "starting_after": after}}
    return ok({"type": "list", "data": list(contacts), "total_count": len(contacts), "pages": pages})


def attributes(*names, model="contact"):
    """Return the list of the workspace's data attributes."""
    data = [{"name": name, "model": model, "custom": True, "archived": False} for name in names]
    return ok({"type": "list", "data": data})
