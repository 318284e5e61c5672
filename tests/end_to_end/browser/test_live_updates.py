"""A live update keeps what the reader is using: focus, open details, typed and selected text, scroll position."""

from __future__ import annotations

import pytest

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.sandbox.samples import add_samples

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from .chromium import find, resize, texts, until  # noqa: E402
from .live_updates import Arrivals  # noqa: E402

LONG = "0123456789 " * 400
# For each page: its address, and the elements and the text that show that messages have arrived.
PAGES = {
    "people": ("/ui/people", ".rows .whole", "Newcomer {}"),
    "people of a search": ("/ui/people?q=newcomer", ".rows .whole", "Newcomer {}"),
    "person": ("/ui/people/u-1", "#companies + ul a", "Venture {}"),
    "companies": ("/ui/companies", ".rows .whole", "Venture {}"),
    "company": ("/ui/companies/c-new", ".rows .whole", "Newcomer {}"),
    "requests": ("/ui/requests", ".rows .number", "{handled}"),
    "failed requests": ("/ui/requests?show=failed", "#nav .count", "{handled}"),
    "request": ("/ui/requests/1", "#nav .count", "{handled}"),
    "nowhere": ("/ui/nowhere", "#nav .count", "{handled}"),
}
TELL = """
const one = document.activeElement;
return {step: one.heldAt, name: (one.innerText || one.name || "").split("\\n")[0], top: one.getBoundingClientRect().top};
"""
REACHED = "a[href], button, input, select, summary, pre"
# Compares the live parts with a fresh copy of the page. Leaves out times and the marks of new items, which change by themselves.
PARTS = """
const parts = (page) => [...page.querySelectorAll("[data-live]:not(#rate)")].map((part) => {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("time").forEach((one) => one.remove());
  copy.querySelectorAll(".is-new").forEach((one) => one.classList.remove("is-new"));
  copy.querySelectorAll("[class='']").forEach((one) => one.removeAttribute("class"));
  return copy.outerHTML;
});
const done = arguments[0];
fetch(location.href).then((answer) => answer.text()).then((text) => {
  const [now, then] = [document, new DOMParser().parseFromString(text, "text/html")].map(parts);
  done(now.length > 0 && now.every((part, number) => part === then[number]));
});
"""


def ask(sandbox: Sandbox, method: str, path: str, body: object = None) -> None:
    """Change the workspace through the API, for changes that no message can make."""
    with sandbox.service.lock:
        answer = sandbox.workspace.handle(Request(method, path, body))
    assert answer.status < 300, answer.body


def press(driver, *keys: str) -> None:
    """Press keys one after the other."""
    ActionChains(driver).send_keys(*keys).perform()


def row(driver, name: str, then: str = "") -> object:
    """Return the link of the row with this name, or what the script *then* makes of it; None without such a row."""
    return driver.execute_script(
        "const one = [...document.querySelectorAll('.rows .whole')].find((it) => it.innerText === arguments[0]);"
        f"return one ? one{then} : null",
        name,
    )


@pytest.fixture
def filled():
    """A sandbox with sample people, an empty company and a refused request."""
    with Sandbox() as sandbox:
        add_samples(sandbox.workspace)
        ask(sandbox, "POST", "/companies", {"company_id": "c-new", "name": "Newcomers"})
        sandbox.workspace.handle(Request("POST", "/contacts", {"external_id": "u-1"}))
        yield sandbox


@pytest.fixture
def arriving(driver, filled):
    """Messages for the sandbox, sent when the test says so."""
    with Arrivals(driver, filled) as arrivals:
        yield arrivals


# --- focus ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_the_focus_stays_while_messages_arrive(driver, filled, arriving, page):
    """On every page, while Tab visits each element and messages arrive at each step, the same element keeps the focus."""
    place, selector, wanted = PAGES[page]
    driver.get(filled.url + place)
    driver.execute_script(f"document.querySelectorAll({REACHED!r}).forEach((one) => (one.wasThere = true))")
    left = (
        f"return [...document.querySelectorAll({REACHED!r})]"
        ".filter((one) => one.wasThere && one.heldAt === undefined).map((one) => one.outerHTML)"
    )
    for step in range(120):
        if not driver.execute_script(left):
            break
        press(driver, Keys.TAB)
        driver.execute_script("document.activeElement.heldAt = arguments[0]", step)
        before = driver.execute_script(TELL)
        arriving.arrive()
        after = driver.execute_script(TELL)
        assert (after["step"], after["name"]) == (step, before["name"])
        handled = filled.workspace.handled
        assert wanted.format(arriving.number, handled=handled) in texts(driver, selector)

    assert driver.execute_script(left) == []
    driver.execute_script("document.activeElement.blur()")
    until(driver, lambda: driver.execute_async_script(PARTS))


def test_a_row_that_leaves_the_list_stays_until_the_focus_leaves_it(driver, filled, arriving):
    """The row of a deleted person keeps its focus and its place, and disappears when Tab moves on to the next person."""
    driver.get(filled.pages)
    first, second, third = texts(driver, ".rows .whole")[:3]
    row(driver, second, ".focus()")
    contact = next(
        one for one in filled.workspace.state.contacts.values() if one.fields.get("name") == second
    )

    ask(filled, "DELETE", f"/contacts/{contact.id}")
    arriving.arrive()
    held = texts(driver, ".rows .whole")[:4]
    focused = driver.execute_script(TELL)["name"]
    press(driver, Keys.TAB, Keys.TAB)  # by way of the person's company

    until(driver, lambda: second not in texts(driver, ".rows .whole"))
    assert held == ["Newcomer 1", first, second, third]
    assert focused == second
    assert driver.execute_script(TELL)["name"] == third


def test_what_an_empty_page_offers_stays_while_it_has_the_focus(driver, sandbox):
    """The example code of an empty list stays beside the new people until the focus leaves it."""
    driver.get(sandbox.pages)
    driver.execute_script("document.querySelector('#list pre').focus()")
    before = driver.execute_script(TELL)

    with Arrivals(driver, sandbox) as arriving:
        arriving.identify("u-1", name="Ada Example")
        assert driver.execute_script(TELL) == before
        assert texts(driver, ".rows .whole") == ["Ada Example"]
        press(driver, Keys.TAB)

        until(driver, lambda: "No people yet" not in find(driver, "main").text)
    assert driver.execute_script(TELL)["name"] == "Ada Example"


def test_a_row_that_changes_its_place_keeps_the_focus(driver, filled, arriving):
    """A focused row whose position changes moves only after the focus has left it."""
    for number in range(3):
        arriving.client.identify(f"p-{number}", {"name": f"Person {number}"})
        arriving.client.group(f"p-{number}", "c-new")
        arriving.client.flush(30)
    driver.get(f"{filled.url}/ui/companies/c-new")
    person, company = filled.workspace.contact("p-0"), filled.workspace.company("c-new")
    row(driver, "Person 0", ".focus()")
    driver.execute_script("document.activeElement.heldAt = 1")

    ask(filled, "DELETE", f"/contacts/{person.id}/companies/{company.id}")
    ask(filled, "POST", f"/contacts/{person.id}/companies", {"id": company.id})
    arriving.arrive()
    assert driver.execute_script(TELL)["step"] == 1
    assert sorted(texts(driver, ".rows .whole")) == ["Newcomer 1", "Person 0", "Person 1", "Person 2"]

    driver.execute_script("document.activeElement.blur()")
    until(driver, lambda: texts(driver, ".rows .whole") == ["Newcomer 1", "Person 0", "Person 2", "Person 1"])
    assert row(driver, "Person 0", ".heldAt") == 1


@pytest.mark.parametrize("page", PAGES)
def test_each_element_that_takes_focus_is_identified(driver, filled, arriving, page):
    """An element that can have the focus has a key or no sibling of its kind, so that an update takes no other element for it."""
    filled.workspace.contact("u-1").custom.update({"biography": LONG, "site": "https://example.com/"})
    place, *_ = PAGES[page]
    driver.get(filled.url + place)
    arriving.arrive()

    confusable = (
        "const isAlike = (one) => (it) => it.nodeName === one.nodeName && !it.dataset.key && !it.id;"
        "const elements = new Set();"
        f"for (const reached of document.querySelectorAll({REACHED!r}))"
        "  for (let one = reached; one.parentElement?.closest('[data-live]'); one = one.parentElement)"
        "    if (isAlike(one)(one) && [...one.parentElement.children].filter(isAlike(one)).length > 1)"
        "      elements.add(one.outerHTML.slice(0, 120));"
        "return [...elements];"
    )
    assert driver.execute_script(confusable) == []


# --- what is open, typed or selected ----------------------------------------------------------------------


def test_opened_details_stay_open(driver, filled, arriving):
    """An open attribute, note and event property stay open and scrolled while others are added above them."""
    contact = filled.workspace.contact("u-1")
    contact.custom["biography"] = LONG
    ask(filled, "POST", f"/contacts/{contact.id}/notes", {"body": LONG, "admin_id": "991267459"})
    contact.events[0].metadata = {"text": LONG}
    driver.get(filled.page_of("u-1"))
    opened = driver.execute_script(
        "return [...document.querySelectorAll('details.long')].map((one, number) => {"
        " one.open = true; one.number = number; const text = one.querySelector('.long-text');"
        " text.scrollTop = 9; return one.innerText; })"
    )
    tell = (
        "return [...document.querySelectorAll('details.long')].filter((one) => one.open)"
        ".map((one) => [one.number, one.innerText, one.querySelector('.long-text').scrollTop])"
    )
    before = driver.execute_script(tell)
    assert len(opened) == len(before) == 3

    for number in range(5):
        contact.custom[f"a{number}"] = "comes before biography"
        ask(
            filled,
            "POST",
            f"/contacts/{contact.id}/notes",
            {"body": f"Note {number}", "admin_id": "991267459"},
        )
        arriving.arrive()
        assert driver.execute_script(tell) == before
    assert {"a0", "a4"} <= {*texts(driver, ".side dt")}
    assert "Note 4" in find(driver, ".notes").text

    # The text is short now and needs no <details>: the open one stays until the reader closes it.
    contact.custom["biography"] = "short"
    arriving.arrive()
    assert driver.execute_script(tell) == before
    driver.execute_script("document.querySelectorAll('details.long').forEach((one) => (one.open = false))")
    until(driver, lambda: len(driver.find_elements("css selector", "details.long")) == 2)
    until(driver, lambda: driver.execute_async_script(PARTS))


@pytest.mark.parametrize("page", ["people", "companies"])
def test_a_half_typed_text_stays(driver, filled, arriving, page):
    """Text that you are typing, its selection and its focus survive updates, and typing continues there."""
    place, selector, wanted = PAGES[page]
    driver.get(filled.url + place)
    find(driver, "#q").send_keys("half typed")
    driver.execute_script(
        "document.activeElement.setSelectionRange(5, 10); document.activeElement.heldAt = 1"
    )
    tell = "const one = document.activeElement; return [one.heldAt, one.value, one.selectionStart, one.selectionEnd]"

    for _ in range(5):
        arriving.arrive()
        assert driver.execute_script(tell) == [1, "half typed", 5, 10]
        assert wanted.format(arriving.number) in texts(driver, selector)

    press(driver, "done")
    assert driver.execute_script(tell) == [1, "half done", 9, 9]


def test_a_selected_text_stays_selected(driver, filled, arriving):
    """Selected text stays selected even if it has changed on the server; the new text appears once the selection ends."""
    driver.get(filled.page_of("u-1"))
    name = texts(driver, "h1")[0]
    driver.execute_script(
        "const text = document.querySelector('h1 bdi').firstChild; getSelection().setBaseAndExtent(text, 1, text, 4)"
    )

    for number in range(3):
        arriving.identify("u-1", name=f"Renamed {number}")
        arriving.arrive()
        assert driver.execute_script("return String(getSelection())") == name[1:4]
        assert texts(driver, "h1") == [name]
    assert texts(driver, ".events h4").count("Arrived") == 3

    driver.execute_script("getSelection().removeAllRanges()")
    until(driver, lambda: texts(driver, "h1") == ["Renamed 2"])


# --- place ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scrolled", [0, 300])
@pytest.mark.parametrize("page", ["people", "companies", "requests"])
def test_the_focused_row_stays_where_it_is_seen(driver, filled, arriving, page, scrolled):
    """A focused row stays at the same height in the window while rows are added above it, scrolled or not."""
    place, selector, wanted = PAGES[page]
    resize(driver, 1180, 420)
    driver.get(filled.url + place)
    driver.execute_script(
        f"scrollTo(0, {scrolled});"
        "const seen = [...document.querySelectorAll('.rows .whole')].filter((one) => {"
        " const {top, bottom} = one.getBoundingClientRect(); return top > 0 && bottom < innerHeight; });"
        "seen[0].focus({preventScroll: true}); document.activeElement.heldAt = 1"
    )
    before = driver.execute_script(TELL)

    for _ in range(3):
        arriving.arrive()
        after = driver.execute_script(TELL)
        assert after == {**before, "top": pytest.approx(before["top"], abs=1)}
    handled = filled.workspace.handled
    assert wanted.format(arriving.number, handled=handled) in texts(driver, selector)


def test_what_is_read_stays_where_it_is_seen(driver, filled, arriving):
    """On a scrolled page, the rows in the window stay in place while rows are added above; at the top, new rows are visible."""
    resize(driver, 1180, 420)
    driver.get(f"{filled.url}/ui/requests")
    driver.execute_script("scrollTo(0, 500)")
    sight = (
        "return [...document.querySelectorAll('.rows .number')].filter((one) => {"
        " const {top, bottom} = one.getBoundingClientRect(); return top > 0 && bottom < innerHeight; })"
        ".map((one) => one.innerText)"
    )
    before = driver.execute_script(sight)

    for _ in range(3):
        arriving.arrive()
        assert driver.execute_script(sight) == before

    driver.execute_script("scrollTo(0, 0)")
    arriving.arrive()
    assert driver.execute_script(sight)[0] == str(filled.workspace.handled)
