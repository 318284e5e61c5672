"""Searching and listing contacts: operators, limits, pages, lag."""

from __future__ import annotations

import pytest

from ..api_calls import BEGINNING, Api, refusal

DAY = 86_400


@pytest.fixture
def api() -> Api:
    """A workspace with Ann, Bob and the lead Cy."""
    api = Api()
    api.contact(
        external_id="ann",
        email="Ann@example.com",
        name="Ann Lee",
        signed_up_at=int(BEGINNING) - 10 * DAY,
        custom_attributes={"age": 30, "plan": "gold", "joined_at": int(BEGINNING) - 3 * DAY},
    )
    api.contact(external_id="bob", email="bob@sample.example.com", name="Bob", custom_attributes={"age": 40})
    api.contact(role="lead", name="Cy", unsubscribed_from_emails=True)
    return api


def search(api: Api, query: object, **more: object) -> list[str]:
    """Return the names that a search finds, in its order."""
    answer = api.post("/contacts/search", {"query": query, **more})
    assert answer.status == 200, answer.body
    return [one["name"].split()[0] for one in answer.body["data"]]


def where(field: str, operator: str, value: object) -> dict[str, object]:
    """Return one filter."""
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (where("email", "=", "ANN@example.com"), ["Ann"]),
        (where("email", "=", "nobody@example.com"), []),
        (where("email", "!=", "ann@example.com"), ["Cy", "Bob"]),
        (where("email", "=", None), ["Cy"]),
        (where("email", "IN", ["ANN@example.com", "bob@sample.example.com"]), ["Bob", "Ann"]),
        (where("email_domain", "=", "Sample.example.com"), ["Bob"]),
        (where("email_domain", "=", None), ["Cy"]),
        (where("external_id", "=", "bob"), ["Bob"]),
        (where("external_id", "=", "BOB"), []),
        (where("external_id", "NIN", ["bob", "ann"]), ["Cy"]),
        (where("role", "=", "lead"), ["Cy"]),
        (where("name", "~", "nn L"), ["Ann"]),
        (where("name", "!~", "nn"), ["Cy", "Bob"]),
        (where("name", "^", "bo"), ["Bob"]),
        (where("name", "$", "LEE"), ["Ann"]),
        (where("phone", "~", "x"), []),
        (where("unsubscribed_from_emails", "=", True), ["Cy"]),
        (where("has_hard_bounced", "=", False), ["Cy", "Bob", "Ann"]),
        (where("os", "=", None), ["Cy", "Bob", "Ann"]),
        (where("custom_attributes.age", ">", 30), ["Bob"]),
        (where("custom_attributes.age", ">=", 30), ["Bob", "Ann"]),
        (where("custom_attributes.age", "<", 31), ["Ann"]),
        (where("custom_attributes.age", "<=", 40), ["Bob", "Ann"]),
        (where("custom_attributes.plan", "=", "gold"), ["Ann"]),
        (where("custom_attributes.joined_at", "=", int(BEGINNING) - 3 * DAY), ["Ann"]),
        (where("signed_up_at", "<", int(BEGINNING)), ["Ann"]),
        (where("signed_up_at", ">", str(int(BEGINNING) - 11 * DAY)), ["Ann"]),
        (where("signed_up_at", "!=", int(BEGINNING) - 10 * DAY), ["Cy", "Bob"]),
        (where("signed_up_at", "=", None), ["Cy", "Bob"]),
        (where("signed_up_at", "!=", None), ["Ann"]),
        (where("created_at", "=", int(BEGINNING) - 60), ["Cy", "Bob", "Ann"]),
        (where("updated_at", ">", int(BEGINNING)), []),
        ({"operator": "AND", "value": [where("role", "=", "user"), where("name", "^", "A")]}, ["Ann"]),
        ({"operator": "OR", "value": [where("role", "=", "lead"), where("name", "^", "A")]}, ["Cy", "Ann"]),
        (
            {
                "operator": "AND",
                "value": [
                    {"operator": "OR", "value": [where("role", "=", "lead"), where("role", "=", "user")]},
                    where("name", "^", "B"),
                ],
            },
            ["Bob"],
        ),
    ],
)
def test_searching(api, query, names):
    """Each operator returns the contacts that match, the newest first."""
    assert search(api, query) == names
    assert api.rules() == []


def test_searching_by_what_a_contact_belongs_to(api):
    """Tags and companies are searched as lists, and id is Intercom's."""
    ann = api.workspace.contact("ann").id
    company, tag = api.company(), api.tag()
    api.post(f"/contacts/{ann}/companies", {"id": company})
    api.post(f"/contacts/{ann}/tags", {"id": tag})

    assert search(api, where("id", "=", ann)) == ["Ann"]
    assert search(api, where("id", "=", "nothing")) == []
    assert search(api, where("tag_id", "=", tag)) == ["Ann"]
    assert search(api, where("tag_id", "IN", [tag, "9"])) == ["Ann"]
    assert search(api, where("tag_id", "!=", tag)) == ["Cy", "Bob"]
    assert search(api, where("company_id", "=", company)) == ["Ann"]
    assert api.post("/contacts/search", {"query": where("tag_id", "~", tag)}).status == 400


def test_archived_contacts_are_not_found(api):
    """An archived contact appears in no search and no list."""
    ann = api.workspace.contact("ann").id
    api.post(f"/contacts/{ann}/archive")

    assert search(api, where("external_id", "=", "ann")) == []
    assert api.get("/contacts").body["total_count"] == 2


def test_sorting(api):
    """A search sorts by any field, and contacts without a value come first."""
    everybody = where("id", "!=", None)

    assert search(api, everybody, sort={"field": "name", "order": "ascending"}) == ["Ann", "Bob", "Cy"]
    assert search(api, everybody, sort={"field": "custom_attributes.age", "order": "descending"}) == [
        "Bob",
        "Ann",
        "Cy",
    ]
    answer = api.post("/contacts/search", {"query": everybody, "sort": {"field": "name", "order": "desc"}})
    text = "Invalid sort order 'desc'. Must be one of: ascending, descending"
    assert refusal(answer) == (400, "invalid_sort_order", text)
    old = {"query": everybody, "sort": {"order": "desc"}}
    assert api.post("/contacts/search", old, version="2.15").status == 200


def test_pages(api):
    """A search takes its cursor from the body, and the last page has no next one."""
    query = where("id", "!=", None)
    first = api.post("/contacts/search", {"query": query, "pagination": {"per_page": 2}}).body
    cursor = first["pages"]["next"]["starting_after"]

    second = api.post(
        "/contacts/search", {"query": query, "pagination": {"per_page": 2, "starting_after": cursor}}
    ).body

    assert [one["name"] for one in first["data"] + second["data"]] == ["Cy", "Bob", "Ann Lee"]
    assert (first["total_count"], first["pages"]["total_pages"], second["pages"]["page"]) == (3, 2, 2)
    assert "next" not in second["pages"]


def test_the_list_of_contacts(api):
    """The list has ten contacts a page by default and takes its cursor from the query."""
    first = api.get("/contacts?per_page=2").body
    cursor = first["pages"]["next"]["starting_after"]

    assert [one["name"] for one in api.get(f"/contacts?per_page=2&starting_after={cursor}").body["data"]] == [
        "Ann Lee"
    ]
    assert api.get("/contacts").body["pages"]["per_page"] == 10


def test_an_unknown_attribute_cannot_be_searched(api):
    """An unknown attribute gets 400 and is no violation."""
    answer = api.post("/contacts/search", {"query": where("custom_attributes.nope", "=", 1)})

    assert refusal(answer) == (400, "parameter_invalid", "Custom attribute 'nope' does not exist")
    assert api.rules() == []


NESTED = where("role", "=", "user")
for _ in range(3):
    NESTED = {"operator": "AND", "value": [NESTED]}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({}, "missing_field"),
        ({"query": []}, "wrong_type"),
        ({"query": {"field": "role", "value": "user"}}, "missing_field"),
        ({"query": where("role", "==", "user")}, "bad_operator"),
        ({"query": {"field": "role", "operator": "="}}, "missing_field"),
        ({"query": {**where("role", "=", "user"), "extra": 1}}, "unknown_field"),
        ({"query": where("zodiac", "=", "fish")}, "bad_search_field"),
        ({"query": where("signed_up_at", ">=", 5)}, "bad_operator"),
        ({"query": where("signed_up_at", "=", "yesterday")}, "wrong_type"),
        ({"query": where("custom_attributes.age", ">", "30")}, "wrong_type"),
        ({"query": where("name", "~", 5)}, "wrong_type"),
        ({"query": where("role", "IN", "user")}, "wrong_type"),
        ({"query": {"operator": "AND", "value": []}}, "search_too_wide"),
        ({"query": {"operator": "OR", "value": [where("role", "=", "user")] * 16}}, "search_too_wide"),
        ({"query": NESTED}, "search_too_deep"),
        ({"query": where("role", "=", "user"), "pagination": {"per_page": 151}}, "bad_page"),
        ({"query": where("role", "=", "user"), "pagination": {"starting_after": "@"}}, "bad_page"),
        ({"query": where("role", "=", "user"), "pagination": {"starting_after": "eHh4"}}, "bad_page"),
        ({"query": where("role", "=", "user"), "limit": 5}, "unknown_field"),
    ],
)
def test_malformed_searches_are_violations(api, body, rule):
    """A search that exceeds a documented limit is refused and recorded as a violation."""
    assert api.post("/contacts/search", body).status == 400
    assert api.rules() == [rule]


def test_dates_are_compared_by_the_workspaces_days():
    """Dates are compared by day in the workspace's time zone, and in Preview by second."""
    midnight = int(BEGINNING) // DAY * DAY
    api = Api(timezone="America/New_York")
    api.contact(external_id="u1", name="Ann", signed_up_at=midnight + 3600)
    query = where("signed_up_at", "=", midnight + 6 * 3600)

    assert search(api, query) == []
    assert search(api, where("signed_up_at", "=", midnight)) == ["Ann"]
    answer = api.post("/contacts/search", {"query": where("signed_up_at", ">", midnight)}, version="Preview")
    assert answer.body["total_count"] == 1


def test_searches_can_be_delayed():
    """With search_lag a write is search only after the delay, and until then its former values are."""
    api = Api(search_lag=60.0)
    contact = api.contact(
        external_id="u1", name="Ann", email="a@example.com", custom_attributes={"plan": "free"}
    )
    by_email = where("email", "=", "a@example.com")

    assert search(api, by_email) == []
    assert search(api, where("name", "!=", "Bob")) == []
    api.now += 60
    assert search(api, by_email) == ["Ann"]
    api.put(f"/contacts/{contact}", {"email": "b@example.com", "custom_attributes": {"plan": "gold"}})
    assert search(api, by_email) == ["Ann"]
    assert search(api, where("custom_attributes.plan", "=", "free")) == ["Ann"]
    api.now += 60
    assert search(api, by_email) == []
    assert search(api, where("custom_attributes.plan", "=", "gold")) == ["Ann"]
    api.put(f"/contacts/{contact}", {"name": "Eve"})
    assert len(api.workspace.contact("u1").versions) == 2
    assert api.get("/contacts").body["data"][0]["name"] == "Eve"
