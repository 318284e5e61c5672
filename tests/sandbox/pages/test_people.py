"""The pages of people: the list with its filters, and one person with everything about them."""

from __future__ import annotations

import pytest

from metarouter_intercom.sandbox.samples import add_samples

from ..api_calls import BEGINNING
from ..html_pages import Pages

NOW = int(BEGINNING)


@pytest.fixture
def pages() -> Pages:
    """Pages of a workspace of its own."""
    return Pages()


# --- the list ---------------------------------------------------------------------------------------------


def test_the_newest_come_first(pages):
    """The last created contact is the first row."""
    for number in range(3):
        pages.contact(external_id=f"u{number}", name=f"Person {number}")

    assert pages.names("/ui/people") == ["Person 2", "Person 1", "Person 0"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ada", ["Ada Example"]),
        ("q=EXAMPLE+ada", ["Ada Example"]),
        ("q=u-2", ["Bob Sample"]),
        ("q=bob%40example.com", ["Bob Sample"]),
        ("q=4930", ["Ada Example"]),
        ("q=nobody", []),
        ("role=lead", ["Unnamed lead"]),
        ("role=user", ["Bob Sample", "Ada Example"]),
        ("role=zodiac", ["Unnamed lead", "Bob Sample", "Ada Example"]),
        ("company={acme}", ["Ada Example"]),
        ("company=unknown", []),
        ("company={acme}&role=lead", []),
        ("q=ada&company={acme}&role=user", ["Ada Example"]),
    ],
)
def test_people_are_filtered(pages, query, names):
    """Filters for words, role and company can be combined."""
    acme = pages.company("acme", name="Acme")
    ada = pages.contact(external_id="u-1", name="Ada Example", phone="+49 4930")
    pages.contact(external_id="u-2", name="Bob Sample", email="bob@example.com")
    pages.contact(role="lead")
    pages.post(f"/contacts/{ada}/companies", {"id": acme})

    assert pages.names(f"/ui/people?{query.format(acme=acme)}") == names


def test_the_filter_stays_in_the_form(pages):
    """The form shows the current filter and a link that clears it."""
    acme = pages.company("acme", name="Acme")

    page = pages.look(f"/ui/people?q=x+y&role=lead&company={acme}")

    chosen = [option.text for option in page.all("option") if "selected" in option.attributes]
    assert page.first("input", name="q")["value"] == "x y"
    assert chosen == ["Leads", "Acme"]
    assert "No people match" in page.text
    assert [link["href"] for link in page.all("a") if link.text == "Clear"] == ["/ui/people"]


@pytest.mark.parametrize("place", ["/ui/people", "/ui/companies"])
def test_every_field_has_a_label(pages, place):
    """Every form field has a label, because a placeholder disappears while you type."""
    form = pages.look(place).first("form")

    fields = [field["id"] for tag in ("input", "select") for field in form.all(tag)]
    assert sorted(fields) == sorted(label["for"] for label in form.all("label"))


def test_long_lists_come_in_pages(pages):
    """The list has 25 people a page, links keep the filter, and a page number out of range shows the nearest page."""
    for number in range(60):
        pages.contact(external_id=f"u{number}", name=f"Person {number}", email="p@example.com")

    first, last = pages.look("/ui/people?q=person"), pages.look("/ui/people?q=person&page=99")
    second = pages.names("/ui/people?page=2")

    assert first.first("nav", class_="pager").text == "1–25 of 60 people Older"
    assert first.first("a", rel="next")["href"] == "?q=person&page=2"
    assert last.first("nav", class_="pager").text == "51–60 of 60 people Newer"
    assert (second[0], second[-1], len(second)) == ("Person 34", "Person 10", 25)
    assert pages.names("/ui/people?page=-1") == pages.names("/ui/people?page=x") == pages.names("/ui/people")


def test_a_row_shows_the_main_fields(pages):
    """A row shows name, e-mail, role, companies, the latest event, and when the person was last seen and created."""
    person = pages.contact(
        external_id="u-1", name="Ada Example", email="ada@example.com", last_seen_at=NOW - 7200
    )
    for number in range(3):
        pages.post(
            f"/contacts/{person}/companies", {"id": pages.company(f"c{number}", name=f"Company {number}")}
        )
    for event, at in (("Signed Up", NOW - 5), ("Logged In", NOW - 90)):
        pages.post("/events", {"id": person, "event_name": event, "created_at": at})

    row = pages.look("/ui/people").first("tr", data_key=person)

    assert [cell.text for cell in row.children if not isinstance(cell, str)] == [
        "AE Ada Example ada@example.com",
        "Company 0 , Company 1 +1",
        "Signed Up 2 events",
        "User",
        "2 h ago",
        "just now",
    ]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"external_id": "u1", "name": " "}, "u1"),
        ({"external_id": "u1", "email": "a@example.com"}, "a@example.com"),
        ({"role": "lead"}, "Unnamed lead"),
        ({"email": "cleared@example.com"}, "Unnamed user"),
    ],
)
def test_people_without_a_name_show_an_id(pages, fields, name):
    """A person without a name shows the e-mail, else the external id, else the role."""
    contact = pages.contact(**fields)
    if fields.get("email", "").startswith("cleared"):
        pages.put(f"/contacts/{contact}", {"email": None})

    assert pages.names("/ui/people") == [name]


def test_an_empty_list_says_what_to_do(pages):
    """An empty list shows two lines of Python with the sandbox's address and no token except the default one."""
    secret = Pages(token="do-not-show")

    page, guarded = pages.look("/ui/people"), secret.look("/ui/people")

    assert 'Client(api_key="sandbox-token", base_url="http://localhost")' in page.first("pre").text
    assert "do-not-show" not in guarded.text
    assert 'os.environ["INTERCOM_API_KEY"]' in guarded.first("pre").text


# --- one person -------------------------------------------------------------------------------------------


def test_everything_about_a_person(pages):
    """The page shows standard fields, typed custom attributes, companies, tags, subscriptions and notes."""
    acme = pages.company("acme", name="Acme")
    ada = pages.contact(
        external_id="u-1",
        name="Ada Example",
        email="ada@example.com",
        phone="+49 30",
        owner_id="991267460",
        signed_up_at=NOW - 86_400,
        unsubscribed_from_emails=True,
        custom_attributes={"plan": "pro", "age": 1234, "beta": False, "joined_at": NOW},
    )
    pages.post(f"/contacts/{ada}/companies", {"id": acme})
    pages.post(f"/contacts/{ada}/tags", {"id": pages.tag("vip")})
    pages.post(f"/contacts/{ada}/subscriptions", {"id": "93", "consent_type": "opt_in"})
    pages.post(f"/contacts/{ada}/notes", {"body": "Called twice", "admin_id": "991267459"})

    page, values = pages.look(f"/ui/people/{ada}"), pages.named_values(f"/ui/people/{ada}")

    assert page.first("h1").text == "Ada Example"
    assert page.first("header", class_="head").text.startswith(
        "AE Ada Example User ada@example.com Unsubscribed"
    )
    assert values["Owner"] == "Ben Example"
    assert values["Signed up"] == "13 Nov 2023, 22:13:20 UTC"
    assert (values["User ID"], values["Intercom ID"], values["Phone"]) == ("u-1", ada, "+49 30")
    assert (values["plan"], values["age"], values["beta"]) == ("pro", "1,234", "false")
    assert values["joined_at"] == "14 Nov 2023, 22:13:20 UTC"
    assert (values["Emails"], values["Newsletters"]) == ("unsubscribed", "subscribed by default")
    assert values["Text messages"] == "opted in"
    assert page.first("ul", class_="links").first("a")["href"] == f"/ui/companies/{acme}"
    assert [chip.text for chip in page.all("ul", class_="tags")[-1].all("li")] == ["vip"]
    assert page.first("ul", class_="notes").text.startswith("Called twice Ada Example , 14 Nov 2023")


def test_samples_fill_every_part_of_a_page():
    """The sample people have events with prices, links and dates, companies, tags, attributes and subscriptions."""
    pages = Pages(attributes={})
    add_samples(pages.workspace)

    page, values = pages.look("/ui/people/u-1"), pages.named_values("/ui/people/u-1")

    assert len(pages.names("/ui/people")) == 9
    assert pages.names("/ui/companies") == ["Placeholder Labs", "Sample Studios", "Example Shipping"]
    assert pages.workspace.violations == []
    assert (values["price"], values["renewal_date"]) == ("$129.00", "1 Jan 2027, 00:00:00 UTC")
    assert (values["plan"], values["Text messages"]) == ("enterprise", "opted in")
    assert [one.text for one in page.all("ul", class_="tags")[0].all("li")] == ["Customer", "Beta"]
    assert page.first("a", class_="out")["href"] == "https://example.com/reports/12"


def test_a_person_with_nothing(pages):
    """Each empty part says that it is empty, and the history shows how to send an event."""
    person = pages.contact(external_id='u"1')
    lead = pages.contact(role="lead")

    page, of_lead = pages.look(f"/ui/people/{person}"), pages.look(f"/ui/people/{lead}")

    assert page.first("pre").text == 'client.track("u\\"1", "Signed Up", {"plan": "pro"})'
    assert "Subscribed to emails" in page.text
    assert "use its Intercom id" in of_lead.text


def test_the_history_has_the_newest_first_by_days(pages):
    """Events are grouped by day, the newest first, and in one second the last to arrive comes first."""
    person = pages.contact(external_id="u-1")
    for event, at in (("a", NOW - 86_400), ("b", NOW), ("c", NOW), ("d", NOW - 5)):
        pages.post("/events", {"user_id": "u-1", "event_name": event, "created_at": at})

    history = pages.look(f"/ui/people/{person}").first("section", class_="history")

    assert [day.first("h3").text for day in history.all("section", class_="day")] == [
        "Tuesday, 14 November 2023",
        "Monday, 13 November 2023",
    ]
    assert [one.text for one in history.all("h4")] == ["c", "b", "d", "a"]
    assert history.first("time")["datetime"] == "2023-11-14T22:13:20Z"


def test_metadata_is_shown_as_intercom_shows_it(pages):
    """Prices show as money, links by their label, dates as dates, and other values as sent."""
    person = pages.contact(external_id="u-1")
    metadata = {
        "price": {"amount": 102_500, "currency": "usd"},
        "report": {"url": "https://example.com/r?a=1&b=2", "value": "Weekly report"},
        "until_date": NOW,
        "plain": "https://example.com/plain",
        "odd": {"url": "javascript:alert(1)", "value": "click me"},
        "count": 12_345,
        "flag": True,
    }
    answer = pages.post(
        "/events", {"user_id": "u-1", "event_name": "Bought", "created_at": NOW, "metadata": metadata}
    )

    page, values = pages.look(f"/ui/people/{person}"), pages.named_values(f"/ui/people/{person}")

    assert answer.status == 202
    assert (values["price"], values["count"], values["flag"]) == ("$1,025.00", "12,345", "true")
    assert values["until_date"] == "14 Nov 2023, 22:13:20 UTC"
    assert values["report"] == "Weekly report (opens in a new tab)"
    assert values["odd"] == "click me not a web address javascript:alert(1)"
    assert [link["href"] for link in page.all("a", class_="out")] == [
        "https://example.com/r?a=1&b=2",
        "https://example.com/plain",
    ]
    assert {link["rel"] for link in page.all("a", class_="out")} == {"noopener noreferrer nofollow"}


def test_long_histories_come_in_pages(pages):
    """The history has 50 events a page, and the counts by name cover all pages."""
    person = pages.contact(external_id="u-1")
    for number in range(120):
        pages.post("/events", {"user_id": "u-1", "event_name": f"n{number % 14}", "created_at": NOW - number})

    page = pages.look(f"/ui/people/{person}?page=3")

    assert page.first("h4").text == "n2"
    assert page.first("nav", class_="pager").text == "101–120 of 120 events Newer"
    assert page.first("ul", class_="names").all("li")[0].text == "n0 9"
    assert page.first("ul", class_="names").all("li")[-1].text == "2 more names"


@pytest.mark.parametrize("name", ["u/1 é", "ada@example.com"])
def test_a_person_is_found_by_every_id(pages, name):
    """Intercom's id, the external id and the e-mail lead to the same page."""
    pages.contact(external_id="u/1 é", name="Ada", email="ada@example.com")

    assert pages.look(f"/ui/people/{name}").first("h1").text == "Ada"


def test_a_missing_person_has_a_reason(pages):
    """The page says whether a contact is archived, blocked, deleted, merged or unknown."""
    archived, deleted = pages.contact(external_id="a"), pages.contact(external_id="b")
    lead, user = pages.contact(role="lead"), pages.contact(external_id="c")
    blocked = pages.contact(external_id="d")
    pages.post(f"/contacts/{archived}/archive")
    pages.post(f"/contacts/{blocked}/block")
    pages.delete(f"/contacts/{deleted}")
    pages.post("/contacts/merge", {"from": lead, "into": user, "skip_duplicate_validation": True})

    reasons = [
        pages.look(f"/ui/people/{one}", 404).first("main").text
        for one in (archived, deleted, lead, "zodiac", blocked)
    ]

    assert "archived" in reasons[0]
    assert "permanently deleted" in reasons[1]
    assert f"merged into contact {user}" in reasons[2]
    assert "No contact has this id" in reasons[3]
    assert "was blocked" in reasons[4]
