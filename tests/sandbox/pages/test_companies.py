"""The pages of companies: the list, and one company with its people."""

from __future__ import annotations

import pytest

from ..api_calls import BEGINNING
from ..html_pages import Pages

NOW = int(BEGINNING)


@pytest.fixture
def pages() -> Pages:
    """Pages of a workspace of its own."""
    return Pages()


def test_companies_are_listed_the_newest_first(pages):
    """A row shows people, plan, industry, size and spend, and says that Intercom hides a company without people."""
    pages.company("c-1", name="Acme", plan="pro", industry="Logistics", size=1400, monthly_spend=4200)
    pages.company("c-2", name="Bolts")
    person = pages.contact(external_id="u-1")
    pages.post(f"/contacts/{person}/companies", {"id": pages.workspace.company("c-1").id})

    rows = pages.look("/ui/companies").first("tbody").all("tr")

    assert [cell.text for cell in rows[1].children if not isinstance(cell, str)] == [
        "A Acme c-1",
        "1",
        "pro",
        "Logistics",
        "1,400",
        "4,200",
        "just now",
    ]
    assert rows[0].all("td")[0].text == "0 hidden"


@pytest.mark.parametrize(
    ("query", "names"),
    [("q=acme", ["Acme"]), ("q=C-2", ["c-2"]), ("q=acme+c-2", []), ("", ["c-2", "Acme"])],
)
def test_companies_are_searched(pages, query, names):
    """A search matches words in name and ids, and a company without a name shows its id."""
    pages.company("c-1", name="Acme")
    pages.company("c-2")

    assert pages.names(f"/ui/companies?{query}") == names


def test_empty_lists_say_what_to_do(pages):
    """An empty list explains the next step, whether there are no companies or none match."""
    assert 'client.group("u-1", "c-1"' in pages.look("/ui/companies").first("pre").text
    assert "No companies match" in pages.look("/ui/companies?q=x").text


def test_everything_about_a_company(pages):
    """The page shows fields, custom attributes, tags, notes and people."""
    acme = pages.company(
        "c-1",
        name="Acme",
        website="https://example.com",
        remote_created_at=NOW,
        custom_attributes={"tier": "gold"},
        update_last_request_at=True,
    )
    person = pages.contact(external_id="u-1", name="Ada Example")
    pages.post(f"/contacts/{person}/companies", {"id": acme})
    pages.post("/tags", {"name": "vip", "companies": [{"id": acme}]})
    pages.post(f"/companies/{acme}/notes", {"body": "Renews in May"})

    page, values = pages.look("/ui/companies/c-1"), pages.named_values(f"/ui/companies/{acme}")

    assert page.first("h1").text == "Acme"
    assert (values["Company ID"], values["Intercom ID"], values["tier"]) == ("c-1", acme, "gold")
    assert values["Last seen"] == "14 Nov 2023, 22:13:20 UTC"
    assert values["Company created"] == "14 Nov 2023, 22:13:20 UTC"
    assert page.first("a", class_="out")["href"] == "https://example.com"
    assert page.first("ul", class_="tags").text == "vip"
    assert "Renews in May" in page.first("ul", class_="notes").text
    assert pages.names(f"/ui/companies/{acme}") == ["Ada Example"]
    assert page.first("a", class_="card-link")["href"] == f"/ui/people?company={acme}"


def test_a_company_with_many_people(pages):
    """The page lists 25 people, the last attached first."""
    acme = pages.company("c-1")
    for number in range(30):
        person = pages.contact(external_id=f"u{number}", name=f"Person {number}")
        pages.post(f"/contacts/{person}/companies", {"id": acme})

    assert pages.names("/ui/companies/c-1")[0] == "Person 29"
    assert pages.names("/ui/companies/c-1?page=2")[-1] == "Person 0"


def test_a_company_with_nothing(pages):
    """The page says that no contact is attached, or that there is no such company."""
    pages.company("c-1")

    assert "This company has no people" in pages.look("/ui/companies/c-1").text
    assert "No company has this id" in pages.look("/ui/companies/zodiac", 404).text


def test_the_choice_of_companies_is_bounded(pages):
    """The filter offers at most 200 companies and always the selected one."""
    for number in range(210):
        last = pages.company(f"c{number}", name=f"Company {number:03}")

    page = pages.look(f"/ui/people?company={last}")

    options = [option.text for option in page.first("select", id="company").all("option")]
    assert (len(options), options[1], options[-1]) == (202, "Company 000", "Company 209")
