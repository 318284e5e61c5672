"""Texts that would act or hide in a page that does not escape them, and a workspace that contains them everywhere."""

from __future__ import annotations

from urllib.parse import quote

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Workspace

HOSTILE = {
    "script": "<script>window.hit=1;alert(1)</script>",
    "handler": '"><img src=x onerror="window.hit=1">',
    "svg": "'\"></title></textarea></svg><svg onload=window.hit=1>",
    "javascript": "javascript:window.hit=1",
    "data": "data:text/html,<script>window.hit=1</script>",
    "template": "{{ 7 * 7 }}{% raw %}${window.hit=1}",
    "directions": "safe\u202etxt.exe\u2066\u200b\ufeff",
    "surrogate": "lone \ud800 half",
    "controls": "zero\x00 bell\x07 escape\x1b[31m",
    "long word": "x" * 10_240,
    "long words": "<b>word</b> " * 900,
    "accents": "e" + "\u0301" * 300,
    "entities": "&amp;lt;b&gt;&#60;",
}
HIDDEN = frozenset("\u202e\u2066\u200b\ufeff\x00\x07\x1b\ud800")


def fill(workspace: Workspace, text: str) -> list[str]:
    """Put *text* into contacts, companies, events, tags, notes and requests; return the addresses of the pages that show it."""
    company, person, lead = _write_records(workspace, text)
    _change_records(workspace, text, company=company, person=person)
    responses = [
        workspace.handle(Request("POST", "/contacts", {text: {text: [text]}})),
        workspace.handle(Request(text[:50], f"/{text[:300]}", text, {"intercom-version": text[:50]})),
        workspace.handle(Request(text[:50], f"/{text[:300]}", {text: None})),
    ]
    assert [response.status for response in responses] == [400, 400, 404]
    query = quote(text[:150].encode("utf-8", "replace"))
    requests = [f"/ui/requests/{exchange.number}" for exchange in workspace.requests]
    return [
        "/ui/people",
        f"/ui/people?q={query}&company={query}&role={query}&page={query}",
        f"/ui/people?company={company}",
        f"/ui/people/{person}",
        f"/ui/people/{lead}",
        "/ui/companies",
        f"/ui/companies?q={query}",
        f"/ui/companies/{company}",
        "/ui/requests",
        f"/ui/requests?show={query}",
        *requests,
    ]


def _write_records(workspace: Workspace, text: str) -> tuple[str, str, str]:
    """Write records that contain *text* through the API; return the ids of a company, a user and a lead."""

    def post(path: str, **body: object) -> str:
        response = workspace.handle(Request("POST", path, body))
        assert response.status < 300, response.body
        return response.body["id"] if isinstance(response.body, dict) else ""

    company = post("/companies", company_id=text, name=text, plan=text, industry=text, website=text)
    person = post("/contacts", external_id=text, name=text)
    lead = post("/contacts", role="lead", name=text)
    tag = post("/tags", name=text)
    post("/tags", name=text, companies=[{"id": company}])
    post(f"/contacts/{person}/companies", id=company)
    post(f"/contacts/{person}/tags", id=tag)
    post(f"/contacts/{person}/notes", body=text, admin_id="991267459")
    post("/events", user_id=text, event_name=text, created_at=int(workspace.now()))
    return company, person, lead


def _change_records(workspace: Workspace, text: str, *, company: str, person: str) -> None:
    """Put *text* where the API would refuse it, so that the pages do not depend on the API's checks."""
    contact = workspace.state.contacts[person]
    contact.email = text
    contact.fields.update({"phone": text, "avatar": text, "owner_id": text})
    contact.custom.update({"plan": text, text: text})
    workspace.state.companies[company].custom.update({"plan": text, text: text})
    contact.events[0].metadata = {
        text: text,
        "link": {"url": text, "value": text},
        "unlabelled": {"url": text, "value": ""},
        "address": {"url": f"https://example.com/{text}", "value": text},
        "money": {"amount": 1, "currency": text},
    }
