"""Searching and listing contacts: operators, limits, pages, lag."""

from __future__ import annotations

import pytest

from ..api_calls import BEGINNING, Api, refusal

DAY = 86_400


@pytest.fixture
def api() -> Api:
    """A workspace with Ann, Bob and the lead Cy, whose searches see each write at once."""
    api = Api(search_lag=0.0)
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
        (where("email", "!=", "ann@example.com"), ["Bob", "Cy"]),
        (where("email", "=", None), ["Cy"]),
        (where("email", "IN", ["ANN@example.com", "bob@sample.example.com"]), ["Ann", "Bob"]),
        (where("email_domain", "=", "Sample.example.com"), ["Bob"]),
        (where("email_domain", "=", None), ["Cy"]),
        (where("external_id", "=", "bob"), ["Bob"]),
        (where("external_id", "=", "BOB"), []),
        (where("external_id", "NIN", ["bob", "ann"]), ["Cy"]),
        (where("role", "=", "lead"), ["Cy"]),
        (where("name", "~", "nn L"), ["Ann"]),
        (where("name", "!~", "nn"), ["Bob", "Cy"]),
        (where("name", "^", "bo"), ["Bob"]),
        (where("name", "$", "LEE"), ["Ann"]),
        (where("phone", "~", "x"), []),
        (where("unsubscribed_from_emails", "=", True), ["Cy"]),
        (where("has_hard_bounced", "=", False), ["Ann", "Bob", "Cy"]),
        (where("os", "=", None), ["Ann", "Bob", "Cy"]),
        (where("custom_attributes.age", ">", 30), ["Bob"]),
        (where("custom_attributes.age", ">=", 30), ["Ann", "Bob"]),
        (where("custom_attributes.age", "<", 31), ["Ann"]),
        (where("custom_attributes.age", "<=", 40), ["Ann", "Bob"]),
        (where("custom_attributes.plan", "=", "gold"), ["Ann"]),
        (where("custom_attributes.joined_at", "=", int(BEGINNING) - 3 * DAY), ["Ann"]),
        (where("signed_up_at", "<", int(BEGINNING)), ["Ann"]),
        (where("signed_up_at", ">", str(int(BEGINNING) - 11 * DAY)), ["Ann"]),
        (where("signed_up_at", "=", None), ["Bob", "Cy"]),
        (where("created_at", "=", int(BEGINNING) - 60), ["Ann", "Bob", "Cy"]),
        (where("updated_at", ">", int(BEGINNING)), []),
        ({"operator": "AND", "value": [where("role", "=", "user"), where("name", "^", "A")]}, ["Ann"]),
        ({"operator": "OR", "value": [where("role", "=", "lead"), where("name", "^", "A")]}, ["Ann", "Cy"]),
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
    """Each operator returns the contacts that match, the oldest first."""
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
    assert search(api, where("tag_id", "!=", tag)) == ["Bob", "Cy"]
    assert search(api, where("company_id", "IN", [company, "9"])) == ["Ann"]
    assert search(api, where("company_id", "NIN", [company])) == ["Bob", "Cy"]
    assert api.rules() == []


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

    assert [one["name"] for one in first["data"] + second["data"]] == ["Ann Lee", "Bob", "Cy"]
    assert (first["total_count"], first["pages"]["total_pages"], second["pages"]["page"]) == (3, 2, 2)
    assert "next" not in second["pages"]


def test_the_list_of_contacts(api):
    """The list has ten contacts a page by default and takes its cursor from the query."""
    first = api.get("/contacts?per_page=2").body
    cursor = first["pages"]["next"]["starting_after"]

    assert [one["name"] for one in api.get(f"/contacts?per_page=2&starting_after={cursor}").body["data"]] == [
        "Cy"
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
        ({"query": where("zodiac", "=", "fish")}, "bad_search_field"),
        *(
            ({"query": where(field, operator, 5)}, "bad_operator")
            for field in ("signed_up_at", "created_at", "custom_attributes.joined_at")
            for operator in ("!=", ">=", "<=", "IN", "NIN", "~", "!~", "^", "$")
        ),
        *(
            ({"query": where("tag_id", operator, "5")}, "bad_operator")
            for operator in ("IN", "NIN", "~", "!~", "^", "$", "<", ">")
        ),
        ({"query": where("company_id", "~", "5")}, "bad_operator"),
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
    ],
)
def test_malformed_searches_are_violations(api, body, rule):
    """A search that exceeds a documented limit is refused and recorded as a violation."""
    assert api.post("/contacts/search", body).status == 400
    assert api.rules() == [rule]


@pytest.mark.parametrize(
    "body",
    [
        {"query": {**where("role", "=", "user"), "extra": 1}},
        {"query": {"operator": "AND", "value": [where("role", "=", "user")], "extra": 1}},
        {"query": where("role", "=", "user"), "limit": 5},
        {"query": where("role", "=", "user"), "pagination": {"offset": 5}},
        {"query": where("role", "=", "user"), "sort": {"by": "name"}},
    ],
)
def test_a_search_ignores_fields_that_it_does_not_know(api, body):
    """No source says that Intercom refuses an unknown field of a search, so the field is ignored and recorded."""
    answer = api.post("/contacts/search", body)

    assert (answer.status, answer.body["total_count"]) == (200, 2)
    assert api.rules() == ["unknown_field"]


def test_dates_are_compared_by_the_workspaces_days():
    """Up to 2.16 dates are compared by day in the workspace's time zone."""
    midnight = int(BEGINNING) // DAY * DAY
    api = Api(timezone="America/New_York", search_lag=0.0)
    api.contact(external_id="u1", name="Ann", signed_up_at=midnight + 3600)
    api.contact(external_id="u2", name="Bob", signed_up_at=10**15)
    query = where("signed_up_at", "=", midnight + 6 * 3600)

    assert search(api, query) == []
    assert search(api, where("signed_up_at", "=", midnight)) == ["Ann"]
    assert search(api, where("signed_up_at", ">", midnight)) == ["Bob"]


@pytest.mark.parametrize("version", ["2.17", "Preview", "Unstable"])
@pytest.mark.parametrize(
    ("field", "operator", "after", "found"),
    [
        ("signed_up_at", "=", 3600, 1),
        ("signed_up_at", "=", 3601, 0),
        ("signed_up_at", ">", 3599, 1),
        ("signed_up_at", ">", 3600, 0),
        ("signed_up_at", "<", 3601, 1),
        ("custom_attributes.joined_at", "=", 0, 1),
        ("custom_attributes.joined_at", "=", DAY - 1, 1),
        ("custom_attributes.joined_at", "=", -1, 0),
        ("custom_attributes.joined_at", ">", 0, 0),
        ("custom_attributes.joined_at", ">", -1, 1),
    ],
)
def test_since_2_17_standard_dates_are_compared_by_the_second(version, field, operator, after, found):
    """Since 2.17 standard dates are compared by the second and custom ones by the day in UTC, whatever the time zone."""
    midnight = int(BEGINNING) // DAY * DAY
    api = Api(timezone="America/New_York", search_lag=0.0)
    at = midnight + 3600
    api.contact(external_id="u1", signed_up_at=at, custom_attributes={"joined_at": at})

    answer = api.post(
        "/contacts/search", {"query": where(field, operator, midnight + after)}, version=version
    )

    assert answer.body["total_count"] == found


# --- the lag ----------------------------------------------------------------------------------------------


def everybody(api: Api) -> list[str]:
    """Return the names that the list of contacts shows."""
    return [one["name"] for one in api.get("/contacts").body["data"]]


@pytest.fixture
def lagging() -> Api:
    """A workspace whose searches lag a minute behind and see Ann."""
    api = Api(search_lag=60.0)
    api.contact(external_id="u1", name="Ann", email="a@example.com", custom_attributes={"plan": "free"})
    api.now += 60
    return api


def test_a_search_lags_by_default(api):
    """Unless a setting says otherwise, a search and the list see a write 20 seconds later, and a read by id sees it at once."""
    api = Api()
    contact = api.contact(external_id="u1", name="Ann")
    by_id = where("external_id", "=", "u1")

    assert api.get(f"/contacts/{contact}").body["name"] == "Ann"
    assert api.get("/contacts/find_by_external_id/u1").body["name"] == "Ann"
    assert (search(api, by_id), everybody(api)) == ([], [])
    api.now += 19
    assert (search(api, by_id), everybody(api)) == ([], [])
    api.now += 1
    assert (search(api, by_id), everybody(api)) == (["Ann"], ["Ann"])


def change(api: Api, path: str, body: object = None, method: str = "POST") -> None:
    """Send a write about Ann that succeeds."""
    ann = api.workspace.contact("u1").id
    assert api.ask(method, f"/contacts/{ann}{path}", {} if body is None else body).status == 200


def merge(api: Api) -> None:
    """Merge a lead with a phone number into Ann."""
    lead = api.contact(role="lead", phone="123", email="a@example.com")
    api.post("/contacts/merge", {"from": lead, "into": api.workspace.contact("u1").id})


@pytest.mark.parametrize(
    ("write", "query", "before", "after"),
    [
        (
            lambda api: change(api, "", {"email": "b@example.com"}, "PUT"),
            where("email", "=", "a@example.com"),
            ["Ann"],
            [],
        ),
        (
            lambda api: change(api, "", {"email": "b@example.com"}, "PUT"),
            where("email", "=", "b@example.com"),
            [],
            ["Ann"],
        ),
        (
            lambda api: change(api, "", {"name": "Eve"}, "PUT"),
            where("external_id", "=", "u1"),
            ["Ann"],
            ["Eve"],
        ),
        (
            lambda api: change(api, "", {"custom_attributes": {"plan": "gold"}}, "PUT"),
            where("custom_attributes.plan", "=", "gold"),
            [],
            ["Ann"],
        ),
        (lambda api: change(api, "/archive"), where("external_id", "=", "u1"), ["Ann"], []),
        (lambda api: change(api, "/block"), where("external_id", "=", "u1"), ["Ann"], []),
        (lambda api: change(api, "", method="DELETE"), where("external_id", "=", "u1"), ["Ann"], []),
        (merge, where("phone", "=", "123"), [], ["Ann"]),
    ],
)
def test_a_search_shows_a_contact_as_it_was(lagging, write, query, before, after):
    """Until the lag is over, a search finds and shows the contact as it was before the write."""
    write(lagging)

    assert search(lagging, query) == before
    lagging.now += 60
    assert search(lagging, query) == after


@pytest.mark.parametrize("many", [False, True])
def test_tags_and_companies_lag_too(lagging, many):
    """A search by tag or company sees a new one after the lag, and the end of an old one too."""
    ann, tag, company = lagging.workspace.contact("u1").id, lagging.tag("vip"), lagging.company()
    if many:
        lagging.post("/tags", {"name": "vip", "users": [{"id": ann}]})
    else:
        change(lagging, "/tags", {"id": tag})
    change(lagging, "/companies", {"id": company})
    queries = where("tag_id", "=", tag), where("company_id", "=", company)

    assert [search(lagging, query) for query in queries] == [[], []]
    lagging.now += 60
    assert [search(lagging, query) for query in queries] == [["Ann"], ["Ann"]]
    lagging.delete(f"/companies/{company}")
    lagging.delete(f"/tags/{tag}")
    assert [search(lagging, query) for query in queries] == [["Ann"], ["Ann"]]
    lagging.now += 60
    assert [search(lagging, query) for query in queries] == [[], []]
    assert lagging.get(f"/contacts/{ann}").status == 200


def test_the_list_shows_an_archived_contact_until_the_lag_is_over(lagging):
    """The list still has a contact that was archived a moment ago, although a read by its id no longer finds it."""
    ann = lagging.workspace.contact("u1").id
    lagging.post(f"/contacts/{ann}/archive")
    lagging.now += 17

    assert (everybody(lagging), lagging.get(f"/contacts/{ann}").status) == (["Ann"], 404)
    lagging.now += 43
    assert everybody(lagging) == []


def test_refused_writes_and_reads_are_no_versions(lagging):
    """What a delayed search remembers of a contact is bounded: reads and refused writes add nothing, and old versions go."""
    ann = lagging.workspace.contact("u1").id
    for _ in range(5):
        lagging.get(f"/contacts/{ann}")
        lagging.put(f"/contacts/{ann}", {"custom_attributes": {"nope": 1}})
        lagging.put(f"/contacts/{ann}", {"phone": "1"})
        lagging.now += 60

    assert len(lagging.workspace.contact("u1").versions) == 2


def test_the_cursor_of_a_search_goes_into_the_body(api):
    """A cursor in the query of the address is ignored."""
    query = where("id", "!=", None)
    first = api.post("/contacts/search", {"query": query, "pagination": {"per_page": 1}}).body
    cursor = first["pages"]["next"]["starting_after"]

    answer = api.post(
        f"/contacts/search?starting_after={cursor}", {"query": query, "pagination": {"per_page": 1}}
    )

    assert answer.body["data"] == first["data"]


@pytest.mark.parametrize(("per_page", "status"), [(None, 200), (1, 200), (150, 200), (151, 400), (0, 400)])
def test_the_size_of_a_page(api, per_page, status):
    """A page of a search has 50 contacts unless the request says otherwise, and at most 150; the list has 10 and at most 150."""
    pagination = {} if per_page is None else {"per_page": per_page}
    size = "" if per_page is None else f"?per_page={per_page}"

    found = api.post("/contacts/search", {"query": where("id", "!=", None), "pagination": pagination})
    listed = api.get(f"/contacts{size}")

    assert (found.status, listed.status) == (status, status)
    if status == 200:
        assert found.body["pages"]["per_page"] == (per_page or 50)
        assert listed.body["pages"]["per_page"] == (per_page or 10)


def test_without_an_email_a_list_shows_null(api):
    """A contact without an e-mail has null in a search and in the list, and an empty text everywhere else."""
    bob = api.workspace.contact("bob").id
    assert api.put(f"/contacts/{bob}", {"email": None}).body["email"] == ""

    found = api.post("/contacts/search", {"query": where("external_id", "=", "bob")}).body["data"][0]

    assert api.get(f"/contacts/{bob}").body["email"] == ""
    assert found["email"] is None
    assert [one["email"] for one in api.get("/contacts").body["data"]] == ["Ann@example.com", None, None]
    assert search(api, where("email", "=", None)) == ["Bob", "Cy"]
