"""The pages of requests, the rate strip, and what keeps the pages live."""

from __future__ import annotations

import pytest

from metarouter_intercom.sandbox import Fault, Faults
from metarouter_intercom.sandbox._pages._template_cache import TEMPLATE_CACHE
from metarouter_intercom.sandbox._rate_limit import RateWindows

from ..html_pages import Pages


@pytest.fixture
def pages() -> Pages:
    """Pages of a workspace of its own."""
    return Pages()


# --- requests ---------------------------------------------------------------------------------------------


def test_requests_are_listed_with_the_rule_that_refused_them(pages):
    """The newest request comes first, and a failed one shows its rule and Intercom's text."""
    made = pages.contact(external_id="u-1", name="Ada", email="ada@example.com")
    pages.post("/contacts", {"external_id": "u-1"})

    rows = pages.look("/ui/requests").first("tbody").all("tr")

    assert [cell.text for cell in rows[0].children if not isinstance(cell, str)] == [
        "POST /contacts",
        "409 failed: Conflict",
        f"contact_exists A contact matching those details already exists with id={made}",
        "22:13:20",
        "2",
    ]
    assert rows[1].all("td")[1].text == "Ada · u-1"
    assert [row["class"] for row in rows] == ["failed", None]


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [("", ["3", "2", "1"]), ("failed", ["2"]), ("violations", ["3", "2"]), ("zodiac", ["3", "2", "1"])],
)
def test_failed_requests_and_violations_can_be_picked(pages, choice, numbers):
    """The list can show failed requests only, or those with violations, refused or not."""
    pages.contact(external_id="u-1")
    pages.post("/companies", {"company_id": "acme", "zodiac": "fish"})
    pages.post("/contacts", {"role": "lead", "external_id": "u-3"})

    rows = pages.look(f"/ui/requests?show={choice}").first("tbody").all("tr")

    assert [row["data-key"] for row in rows] == numbers


def test_a_violation_that_the_api_accepted_is_shown(pages):
    """The list and the request's page show the violations of a request that succeeded."""
    pages.post("/contacts", {"role": "lead", "external_id": "u-3"})

    row, page = pages.look("/ui/requests").first("tbody"), pages.look("/ui/requests/1")

    assert "violation lead_external_id Intercom assigns" in row.text
    assert "violation lead_external_id Intercom assigns" in page.first("section", class_="reasons").text


def test_nothing_to_list(pages):
    """An empty list says whether there are no requests or none match."""
    assert (
        "export INTERCOM_BASE_URL= http://localhost metarouter-intercom check"
        in pages.look("/ui/requests").first("pre").text
    )
    pages.get("/me")
    assert "No request failed" in pages.look("/ui/requests?show=failed").text
    assert "No request broke a rule" in pages.look("/ui/requests?show=violations").text


def test_a_request_with_its_answer(pages):
    """The page shows both bodies, the version and the request's id, and never the token."""
    pages.ask(
        "POST", "/companies", {"company_id": "acme", "zodiac": "fish"}, Authorization="Bearer sandbox-token"
    )

    page, values = pages.look("/ui/requests/1"), pages.named_values("/ui/requests/1")

    sent, answered = page.all("pre")
    assert sent.text == '{ "company_id": "acme", "zodiac": "fish" }'
    assert '"message": "bad \'zodiac\' parameter"' in answered.text
    assert page.first("section", class_="reasons").text == (
        "Why this request was refused unknown_field bad 'zodiac' parameter"
    )
    assert (values["Intercom-Version"], values["Authorization"]) == ("2.16", "not stored")
    assert values["X-Request-Id"] == pages.workspace.requests[0].request_id
    assert "sandbox-token" not in page.text


def test_one_leads_to_the_next(pages):
    """The page links to the requests before and after it, and a removed request is not found."""
    pages = Pages(log_limit=3)
    for _ in range(5):
        pages.get("/me")

    def steps(number: int) -> list[str | None]:
        return [link["href"] for link in pages.look(f"/ui/requests/{number}").all("a", class_="button")]

    assert steps(3) == ["/ui/requests/4"]
    assert steps(4) == ["/ui/requests/5", "/ui/requests/3"]
    assert steps(5) == ["/ui/requests/4"]
    assert "only the latest 3 requests" in pages.look("/ui/requests/2", 404).text
    pages.look("/ui/requests/6", 404)


def test_answers_of_every_kind(pages):
    """The page can show empty bodies, unknown statuses, bodies that are not JSON and bodies that are cut."""
    pages.contact(external_id="u-1")
    pages.post("/events", {"user_id": "u-1", "event_name": "e", "created_at": 1})
    headers = {"authorization": "Bearer sandbox-token"}
    pages.service.faults = Faults(script=(Fault("status", 299), Fault("status", 599)))
    for _ in range(2):
        pages.service.respond("GET", "/me", headers, b"")
    pages.workspace.handle_bytes("POST", "/contacts", headers, b"\xff not json")
    pages.post("/contacts", {"external_id": "u-2", "name": "x" * 50_000})

    shown = [pages.look(f"/ui/requests/{number}") for number in range(2, 7)]

    assert "No body" in shown[0].text
    assert [page.first("span", class_="chip").text for page in shown[:3]] == ["202 Accepted", "299", "599"]
    assert shown[3].first("pre").text == "\N{REPLACEMENT CHARACTER} not json"
    assert "more characters" in shown[4].first("pre").text


# --- the rate strip ---------------------------------------------------------------------------------------


def test_the_strip_shows_what_the_window_used():
    """The strip shows the current window's requests and limit, the 429s, and the windows before."""
    pages = Pages(app_limit=4)
    pages.now = 1_700_000_000.0 - 10
    pages.get("/me")
    pages.now += 10
    for _ in range(6):
        pages.get("/me")

    strip = pages.look("/ui/people").first("section", id="rate")

    meter, bars = strip.first("svg", role="meter"), strip.first("svg", role="img")
    assert strip.text.startswith("Rate 4 of 4 requests in this 10 s window 2 rate-limited (429)")
    assert (meter["aria-valuenow"], meter["aria-valuemax"]) == ("4", "4")
    assert bars["aria-label"] == "Last 30 windows: at most 4 requests in a window, 2 rate-limited (429)"
    assert [(bar["class"], bar["height"]) for bar in bars.all("rect") if bar["class"] != "slot"] == [
        ("calm", "14"),
        ("over", "28"),
    ]


def test_the_strip_warns_when_little_is_left():
    """From 80 % of the budget the strip changes its colour."""
    pages = Pages(app_limit=5)

    levels = []
    for _ in range(5):
        pages.get("/me")
        levels.append(pages.look("/ui/people").first("svg", role="meter").all("rect")[1]["class"])

    assert levels == ["calm", "calm", "calm", "high", "high"]


def test_refusals_count_in_their_own_window():
    """A window with refused requests only is counted too."""
    rate = RateWindows(app_limit=1, workspace_limit=1, window=10.0, reset_slack=2.0)
    rate.count_refused(5.0)
    rate.count_refused(15.0)

    assert rate.usage(25.0).refused == {0: 1, 1: 1}


def test_the_strip_knows_all_apps():
    """The strip's limit is what all apps may use together, at most the workspace's limit."""
    few = Pages(app_limit=10, workspace_limit=15, other_tokens=("second",))
    many = Pages(app_limit=10, workspace_limit=50, other_tokens=("second",), window=0.5)

    assert "0 of 15 requests" in few.look("/ui/people").text
    assert "0 of 20 requests in this 0.5 s window last 15 s" in many.look("/ui/people").text


# --- live -------------------------------------------------------------------------------------------------


def test_an_unchanged_page_is_not_sent_again(pages):
    """A page gets 304 until a request arrives, a window ends or another sandbox answers."""

    def status(mark: str) -> int:
        return pages.client.get("/ui/people", headers={"If-None-Match": mark}).status_code

    def mark() -> str:
        return pages.look("/ui/people").first("html")["data-mark"]

    first = mark()
    seen = [status(first), status(Pages().look("/ui/people").first("html")["data-mark"])]
    pages.get("/me")
    seen.append(status(first))
    second = mark()
    seen.append(status(second))
    pages.now += 10

    assert [*seen, status(second)] == [304, 200, 200, 304, 200]


def test_the_navigation_counts(pages):
    """The navigation counts people, companies and requests and marks the current page."""
    pages.contact(external_id="u-1")
    pages.company("c-1")

    navigation = pages.look("/ui/companies/c-1").first("nav", id="nav")

    assert navigation.text == "People 1 Companies 1 Requests 2"
    assert [(link.text, link["aria-current"]) for link in navigation.all("a") if link["aria-current"]] == [
        ("Companies 1", "true")
    ]
    assert pages.look("/ui/people").first("nav", id="nav").first("a")["aria-current"] == "page"


def test_templates_are_compiled_once(pages):
    """A second application uses the compiled templates of the first and shows its own workspace."""
    pages.contact(external_id="u-1", name="Ada")
    other = Pages()
    other.contact(external_id="u-1", name="Bob")

    assert (pages.names("/ui/people"), other.names("/ui/people")) == (["Ada"], ["Bob"])
    assert {app.application.jinja_env.bytecode_cache for app in (pages.client, other.client)} == {
        TEMPLATE_CACHE
    }
