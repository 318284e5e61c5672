"""Companies, and the contacts attached to them."""

from __future__ import annotations

import pytest

from ..api_calls import Api, refusal

UNKNOWN = (404, "company_not_found", "Company Not Found")


def test_a_company_is_made_and_found_again_by_its_own_id(api):
    """POST /companies creates a company, or updates the one with the same company_id."""
    first = api.company("acme", name="Acme", plan="gold", size=5, custom_attributes={"tier": "a"})

    answer = api.post("/companies", {"company_id": "acme", "name": "Acme Ltd", "website": "acme.example.com"})

    shown = answer.body
    assert (shown["id"], shown["name"], shown["size"]) == (first, "Acme Ltd", 5)
    assert shown["plan"] == {"type": "plan", "id": "gold", "name": "gold"}
    assert shown["custom_attributes"] == {"tier": "a"}


def test_money_is_cut_to_a_whole_number(api):
    """monthly_spend is stored without its fraction."""
    api.company("acme", monthly_spend=99.99)

    assert api.workspace.companies()[0]["monthly_spend"] == 99


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"name": "x"}, "missing_field"),
        ({"company_id": ""}, "blank"),
        ({"company_id": 5}, "wrong_type"),
        ({"company_id": "a", "name": None}, "wrong_type"),
        ({"company_id": "a", "size": "50"}, "wrong_type"),
        ({"company_id": "a", "size": 5.5}, "wrong_type"),
        ({"company_id": "a", "monthly_spend": "9"}, "wrong_type"),
        ({"company_id": "a", "monthly_spend": 2**31}, "too_large"),
        ({"company_id": "a", "remote_created_at": 1_700_000_000_000}, "not_seconds"),
        ({"company_id": "a", "custom_attributes": "x"}, "wrong_type"),
        ({"company_id": "a", "custom_attributes": {"tier": {}}}, "nested_attribute"),
        ({"company_id": "a", "update_last_request_at": 1}, "wrong_type"),
    ],
)
def test_malformed_companies_are_violations(api, body, rule):
    """A company that breaks the published schema gets 400 and is recorded as a violation."""
    assert api.post("/companies", body).status == 400
    assert api.rules() == [rule]
    assert api.workspace.companies() == []


@pytest.mark.parametrize("seconds", [-1, -6_128_956_800, 0])
def test_a_company_may_be_older_than_1970(api, seconds):
    """A company is written with the date on which it was founded, also before 1970."""
    answer = api.post("/companies", {"company_id": "a", "remote_created_at": seconds})

    assert (answer.status, answer.body["remote_created_at"]) == (200, seconds)
    assert api.rules() == []


def test_an_unknown_field_is_named(api):
    """The error for an unknown field has the documented text with the field's name."""
    answer = api.post("/companies", {"company_id": "a", "test": 1})

    assert refusal(answer) == (400, "bad_request", "bad 'test' parameter")


def test_update_last_request_at_came_with_2_16(api):
    """Since 2.16 the field sets the time of the last request; before, it is an unknown field."""
    touch = {"company_id": "a", "update_last_request_at": True}

    assert api.post("/companies", touch, version="2.15").status == 400
    assert api.post("/companies", touch).body["last_request_at"] == int(api.now)


def test_an_unknown_company_attribute_is_refused(api):
    """An attribute of contacts is unknown for companies."""
    answer = api.post("/companies", {"company_id": "a", "custom_attributes": {"plan": "x"}})

    assert refusal(answer) == (400, "parameter_invalid", "Custom attribute 'plan' does not exist")
    assert api.rules() == []


def test_a_company_is_updated_by_intercoms_id(api):
    """PUT changes fields but never company_id, and a company_id in the path is a violation."""
    company = api.company("acme")

    assert api.put(f"/companies/{company}", {"name": "B"}).body["name"] == "B"
    assert refusal(api.put(f"/companies/{company}", {"company_id": "b"}))[2] == "bad 'company_id' parameter"
    assert refusal(api.put("/companies/acme", {"name": "C"})) == UNKNOWN
    assert api.rules() == ["unknown_field", "company_id_in_path"]
    assert refusal(api.get("/companies/nothing")) == UNKNOWN


def test_companies_are_looked_up_by_their_own_id(api):
    """A look-up by company_id answers the company itself, or 404 when there is none."""
    company = api.company("acme", name="Acme")
    api.company("other")

    assert api.get("/companies?company_id=acme").body["id"] == company
    assert api.get("/companies?name=Acme").body["id"] == company
    assert refusal(api.get("/companies?company_id=none")) == UNKNOWN


def test_a_look_up_can_answer_a_list():
    """With the setting, a look-up answers a list, as in the published example."""
    api = Api(company_lookup="list")
    company = api.company("acme")

    answer = api.get("/companies?company_id=acme")

    assert [one["id"] for one in answer.body["data"]] == [company]


def with_people(api: Api, count: int) -> list[str]:
    """Make companies with one contact each; return their ids."""
    contact = api.contact(external_id="u1")
    companies = [api.company(f"c{number}") for number in range(count)]
    for company in companies:
        api.post(f"/contacts/{contact}/companies", {"id": company})
    return companies


def test_lists_show_companies_with_people_only(api):
    """A list does not contain companies without a contact."""
    companies = with_people(api, 3)
    api.company("lonely")

    page = api.get("/companies?per_page=2").body
    rest = api.get("/companies?per_page=2&page=2").body

    assert [one["id"] for one in page["data"] + rest["data"]] == companies
    assert (page["total_count"], page["pages"]["total_pages"]) == (3, 2)
    assert api.get("/companies?segment_id=s").body["data"] == []
    assert api.get("/companies?per_page=500").status == 400
    assert api.get("/companies?page=&per_page=x").status == 400


def test_the_list_is_sorted_by_the_last_request(api):
    """The list begins with the latest request, or with order=asc with the earliest."""
    first, second = with_people(api, 2)
    api.put(f"/companies/{second}", {"update_last_request_at": True})

    assert [one["id"] for one in api.post("/companies/list").body["data"]] == [second, first]
    assert [one["id"] for one in api.post("/companies/list?order=asc").body["data"]] == [first, second]


def test_one_scroll_is_open_at_a_time(api):
    """A second scroll gets 423 until the first one ends with an empty page or after a minute without a request."""
    companies = with_people(api, 1)

    page = api.get("/companies/scroll").body

    assert [one["id"] for one in page["data"]] == companies
    assert api.get("/companies/scroll").status == 423
    assert api.get("/companies/scroll?scroll_param=other").status == 404
    assert api.get(f"/companies/scroll?scroll_param={page['scroll_param']}").body["data"] == []
    api.get("/companies/scroll")
    api.now += 61
    assert api.get("/companies/scroll").status == 200


def test_a_deleted_company_detaches_its_contacts(api):
    """Deleting a company detaches its contacts, and its company_id can be used again."""
    [company] = with_people(api, 1)

    assert api.delete(f"/companies/{company}").body == {"id": company, "object": "company", "deleted": True}
    assert api.workspace.contacts()[0]["companies"]["total_count"] == 0
    assert api.company("c0") != company


# --- attaching --------------------------------------------------------------------------------------------


def test_attaching_twice_changes_nothing(api):
    """Attaching the same company twice answers the company both times and attaches it once."""
    contact, company = api.contact(external_id="u1"), api.company()

    first = api.post(f"/contacts/{contact}/companies", {"id": company})
    second = api.post(f"/contacts/{contact}/companies", {"id": company})

    assert (first.status, second.status, second.body["user_count"]) == (200, 200, 1)
    listed = api.get(f"/contacts/{contact}/companies").body
    assert [one["id"] for one in listed["data"]] == [company]
    assert listed["companies"] == listed["data"]
    assert [one["id"] for one in api.get(f"/companies/{company}/contacts").body["data"]] == [contact]


def test_attaching_wants_intercoms_id_of_the_company(api):
    """Attaching is refused without an id, with an unknown id and with a company_id."""
    contact = api.contact(external_id="u1")
    api.company("acme")
    place = f"/contacts/{contact}/companies"

    assert refusal(api.post(place, {})) == (400, "parameter_not_found", "company not specified")
    assert refusal(api.post(place, {"id": "nothing"})) == UNKNOWN
    assert refusal(api.post(place, {"id": "acme"})) == UNKNOWN
    assert api.rules() == ["missing_field", "company_id_in_path"]
    assert refusal(api.post("/contacts/nobody/companies", {"id": "x"})) == (
        404,
        "not_found",
        "User Not Found",
    )


def test_a_contact_has_at_most_so_many_companies():
    """A contact can have 1000 companies by default, and attaching one of them again still succeeds."""
    api = Api(company_limit=2)
    contact = api.contact(external_id="u1")
    companies = [api.company(f"c{number}") for number in range(3)]
    place = f"/contacts/{contact}/companies"
    for company in companies[:2]:
        api.post(place, {"id": company})

    assert refusal(api.post(place, {"id": companies[2]})) == (
        400,
        "contact_company_limit_exceeded",
        "Contact has reached the maximum of 2 company associations",
    )
    assert api.post(place, {"id": companies[0]}).status == 200
    assert Api().workspace.settings.company_limit == 1000


def test_detaching(api):
    """Detaching answers the company, and a second time 404."""
    contact, company = api.contact(external_id="u1"), api.company()
    place = f"/contacts/{contact}/companies"
    api.post(place, {"id": company})

    assert api.delete(f"{place}/{company}").body["user_count"] == 0
    assert refusal(api.delete(f"{place}/{company}")) == UNKNOWN
    assert refusal(api.delete(f"{place}/nothing")) == UNKNOWN
