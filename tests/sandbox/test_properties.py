"""What is true for every request, well-formed or not."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom.sandbox._routes import ROUTES

from .api_calls import Api

NAMES = [
    "email",
    "external_id",
    "role",
    "name",
    "phone",
    "avatar",
    "signed_up_at",
    "owner_id",
    "custom_attributes",
    "unsubscribed_from_emails",
    "company_id",
    "monthly_spend",
    "size",
    "plan",
    "event_name",
    "created_at",
    "user_id",
    "id",
    "metadata",
    "users",
    "companies",
    "untag",
    "model",
    "data_type",
    "options",
    "archived",
    "description",
    "query",
    "field",
    "operator",
    "value",
    "pagination",
    "per_page",
    "starting_after",
    "sort",
    "order",
    "from",
    "into",
    "body",
    "admin_id",
    "consent_type",
    "type",
    "user",
    "visitor",
    "event_summaries",
    "count",
    "first",
    "last",
    "message",
    "age",
    "score",
    "beta",
    "joined_at",
]
TEXTS = [
    "",
    "u1",
    "a@example.com",
    "user",
    "lead",
    "contact",
    "string",
    "options",
    "AND",
    "=",
    "IN",
    "^",
    "acme",
    "custom_attributes.age",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*TEXTS, 1_700_000_000])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
bodies = st.none() | st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
# Without bulk jobs: they write item by item, so a job with a refused item changes the workspace.
routes = st.sampled_from([name for name in ROUTES if "/bulk" not in name])


def furnished() -> tuple[Api, list[str]]:
    """Return a workspace with one record of each kind, and the records' ids."""
    api = Api()
    contact = api.contact(external_id="u1", email="a@example.com")
    lead = api.contact(role="lead", email="a@example.com")
    company, tag = api.company("acme"), api.tag()
    api.workspace.add_visitor(user_id="u1")
    return api, [contact, lead, company, tag, "91", "u1", "nothing"]


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    route=routes,
    body=bodies,
    version=st.sampled_from(["1.4", "2.0", "2.12", "2.16", "2.17", "Preview"]),
)
def test_any_request_is_answered_and_a_refused_one_changes_nothing(data, route, body, version):
    """Any body gets a status of Intercom's and a JSON body, and an error leaves the workspace unchanged."""
    api, ids = furnished()
    method, path = route.split()
    while "{}" in path:
        path = path.replace("{}", data.draw(st.sampled_from(ids)), 1)
    before = api.workspace.snapshot(), api.get("/data_attributes").body, api.get("/tags").body

    answer = api.ask(method, path, body, version=version)

    assert answer.status in (200, 202, 400, 404, 409, 410, 422, 423)
    json.dumps(answer.body)
    if answer.status >= 400:
        after = api.workspace.snapshot(), api.get("/data_attributes").body, api.get("/tags").body
        assert answer.body["type"] == "error.list"
        assert after == before


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=40) | bodies.map(lambda body: json.dumps(body).encode()))
def test_any_bytes_are_answered(content):
    """Any bytes as a body get a response."""
    api, _ = furnished()

    answer = api.workspace.handle_bytes("POST", "/contacts", {}, content)

    assert answer.status in (200, 400, 409)
