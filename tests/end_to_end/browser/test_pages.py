"""The sandbox's pages in a browser: hostile text is harmless, pages update, the keyboard reaches all, and every width fits."""

from __future__ import annotations

from importlib.resources import files

import pytest

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.sandbox.samples import add_samples

from ...sandbox.hostile_texts import HOSTILE, fill

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from .chromium import find, prefer, resize, texts, until  # noqa: E402

PAGES = (
    "/ui/people",
    "/ui/people?q=nobody",
    "/ui/people/u-1",
    "/ui/companies",
    "/ui/companies/c-1",
    "/ui/requests",
    "/ui/requests?show=failed",
    "/ui/requests/{last}",
    "/ui/nowhere",
)


def post(sandbox: Sandbox, path: str, **body: object) -> str:
    """Write a record through the API."""
    with sandbox.service.lock:
        answer = sandbox.workspace.handle(Request("POST", path, body))
    assert answer.status < 300, answer.body
    return answer.body["id"] if isinstance(answer.body, dict) else ""


def send_event(sandbox: Sandbox, name: str, at: int = 1_700_000_000, **metadata: object) -> None:
    """Send an event of the person u-1."""
    post(sandbox, "/events", user_id="u-1", event_name=name, created_at=at, metadata=metadata)


# --- hostile content --------------------------------------------------------------------------------------

_PAGE_STATE = """
return {
  hit: window.hit !== undefined,
  width: document.documentElement.scrollWidth,
  scripts: document.scripts.length,
  images: document.images.length,
  protocols: [...new Set([...document.links].map((one) => one.protocol))].filter((one) => !/^https?:$/.test(one)),
  ours: document.title.endsWith(" · Intercom sandbox"),
};
"""


def test_nothing_hostile_acts(driver, sandbox):
    """On no page does a caller's script run, a dialog open, the content policy block something, or the page grow too wide."""
    resize(driver, 360)
    workspace = sandbox.workspace
    one_of_each, *_ = [fill(workspace, text)[:11] for text in HOSTILE.values()]
    users = [f"/ui/people/{one.id}" for one in workspace.state.contacts.values() if one.role == "user"]
    companies = [f"/ui/companies/{company}" for company in workspace.state.companies]
    bodies = [f"/ui/requests/{one.number}" for one in workspace.requests if one.rule == "missing_field"]

    pages = {}
    for place in dict.fromkeys([*one_of_each, *users, *companies, *bodies]):
        driver.get(sandbox.url + place)
        pages[place] = driver.execute_script(_PAGE_STATE)

    harmless = {"hit": False, "width": 360, "scripts": 1, "images": 0, "protocols": [], "ours": True}
    assert {place: state for place, state in pages.items() if state != harmless} == {}
    assert complaints(driver) == []


def complaints(driver) -> list[str]:
    """Return the console's messages, except those about 404."""
    return [
        entry["message"] for entry in driver.get_log("browser") if "status of 404" not in entry["message"]
    ]


def test_the_policy_is_in_force(driver, sandbox):
    """The content policy blocks a script that is put into a page, so the pages do not depend on escaping alone."""
    driver.get(sandbox.pages)
    driver.execute_script(
        "const one = document.createElement('script'); one.textContent = 'window.hit = 1';"
        "document.body.append(one);"
        "const two = document.createElement('div'); two.innerHTML = '<img src=x onerror=\"window.hit = 2\">';"
        "document.body.append(two);"
    )

    until(driver, lambda: any("Content Security Policy" in one for one in complaints(driver)))
    assert driver.execute_script("return window.hit === undefined")


# --- live -------------------------------------------------------------------------------------------------


def test_a_new_event_appears_without_reloading(driver, sandbox):
    """A new event appears on the person's page and is announced to screen readers; focus, scrolling and open parts stay."""
    resize(driver, 1180, 500)
    post(sandbox, "/contacts", external_id="u-1", name="Ada Example")
    for number in range(40):
        send_event(sandbox, f"Event {number:02}", 1_700_000_000 + number, long="x" * 255 if number else "y")
    driver.get(sandbox.page_of("u-1"))
    driver.execute_script(
        "window.kept = 1; document.querySelector('.crumbs a').focus(); window.scrollTo(0, 700);"
        "window.watched = document.querySelectorAll('.events > li')[30];"
    )
    before = driver.execute_script("return window.watched.getBoundingClientRect().top")

    send_event(sandbox, "Arrived", 1_700_000_100, price={"amount": 1999, "currency": "EUR"})
    until(driver, lambda: "Arrived" in texts(driver, ".events h4"))

    after = driver.execute_script(
        "return {kept: window.kept, top: window.watched.getBoundingClientRect().top,"
        " there: window.watched.isConnected, focus: document.activeElement.textContent,"
        " news: document.getElementById('news').textContent}"
    )
    assert texts(driver, ".events h4")[:2] == ["Arrived", "Event 39"]
    assert texts(driver, ".events .price")[0] == "€19.99"
    assert (after["kept"], after["there"], after["focus"]) == (1, True, "People")
    assert after["top"] == pytest.approx(before, abs=2)
    assert after["news"] == "1 new event"


def test_lists_and_counts_are_updated(driver, sandbox):
    """From an empty page on, rows, their order and the navigation's numbers are updated, and open parts stay open."""
    driver.get(sandbox.pages)
    assert "No people yet" in find(driver, "main").text

    first = post(sandbox, "/contacts", external_id="u-1", name="Ada Example", phone="0" * 400)
    until(driver, lambda: texts(driver, ".rows .whole") == ["Ada Example"])
    post(sandbox, "/contacts", external_id="u-2", name="Bob Sample")
    until(driver, lambda: texts(driver, ".rows .whole") == ["Bob Sample", "Ada Example"])
    assert texts(driver, "nav .count") == ["2", "0", "2"]

    driver.get(f"{sandbox.pages}/{first}")
    find(driver, "details.long summary").click()
    post(sandbox, "/contacts", external_id="u-3")
    until(driver, lambda: texts(driver, "nav .count") == ["3", "0", "3"])
    assert find(driver, "details.long").get_attribute("open") is not None


# Counts the page's requests for updates. The test decides when its timer fires and when a request is answered.
_STEER = """
window.timers = []; window.looks = 0; window.read = 0; window.answers = [];
window.setTimeout = (fire) => window.timers.push(fire);
const fetched = window.fetch;
const counted = async (...all) => {
  const answer = await fetched(...all);
  const text = await answer.text();
  answer.text = async () => { window.read += 1; return text; };
  return answer;
};
window.fetch = (...all) => { window.looks += 1; return new Promise((done) => window.answers.push(() => done(counted(...all)))); };
"""
_FIRE = "window.timers.splice(0).forEach((fire) => fire());"
_ANSWER = "window.answers.splice(0).forEach((answer) => answer());"


@pytest.fixture
def controlled(driver, sandbox):
    """The page of people under the test's control: one request for an update is sent and not yet answered."""
    driver.get(sandbox.pages)
    driver.execute_script(_STEER)
    until(driver, lambda: driver.execute_script("return looks + timers.length > 0"))
    driver.execute_script(_FIRE)
    assert driver.execute_script("return [looks, answers.length]") == [1, 1]
    return driver


def test_updates_can_be_paused(controlled, sandbox):
    """A paused page does not change until the reader continues updates."""
    driver = controlled
    driver.execute_script(_ANSWER)
    until(driver, lambda: driver.execute_script("return timers.length === 1"))
    button = find(driver, "#live")
    button.click()
    paused = (button.get_attribute("data-state"), button.get_attribute("aria-pressed"))

    post(sandbox, "/contacts", external_id="u-1", name="Ada Example")
    driver.execute_script(_FIRE + "document.dispatchEvent(new Event('visibilitychange'))")
    asked = driver.execute_script("return [looks, timers.length]")
    button.click()
    driver.execute_script(_ANSWER)

    until(driver, lambda: texts(driver, ".rows .whole") == ["Ada Example"])
    assert paused == ("paused", "false")
    assert asked == [1, 0]


def test_an_update_on_its_way_does_not_change_a_paused_page(controlled, sandbox):
    """A response that arrives after the reader paused is shown only when updates continue."""
    driver = controlled
    post(sandbox, "/contacts", external_id="u-1", name="Ada Example")
    button = find(driver, "#live")
    button.click()
    driver.execute_script(_ANSWER)
    until(driver, lambda: driver.execute_script("return read === 1"))
    unchanged = (texts(driver, ".rows .whole"), button.get_attribute("data-state"))
    button.click()

    def goes_on() -> bool:
        driver.execute_script(_FIRE + _ANSWER + "document.dispatchEvent(new Event('visibilitychange'))")
        return texts(driver, ".rows .whole") == ["Ada Example"]

    until(driver, goes_on)
    assert unchanged == ([], "paused")


def test_a_page_survives_a_restart_of_the_sandbox(driver, sandbox):
    """The page says that the sandbox does not answer, and updates itself again when it does."""
    driver.get(sandbox.pages)
    sandbox.close()

    until(driver, lambda: "Disconnected" in find(driver, "#live").text)
    sandbox.start()
    post(sandbox, "/contacts", external_id="u-1", name="Ada Example")

    until(driver, lambda: texts(driver, ".rows .whole") == ["Ada Example"])
    assert find(driver, "#live").text.startswith("Live")


# --- by keyboard, at every width, for everybody -----------------------------------------------------------


@pytest.fixture
def filled():
    """A sandbox with sample people, a refused request and one that broke a rule and passed."""
    with Sandbox(log_limit=12) as sandbox:
        add_samples(sandbox.workspace)
        sandbox.workspace.handle(Request("POST", "/contacts", {"external_id": "u-1"}))
        sandbox.workspace.handle(Request("POST", "/contacts", {"role": "lead", "external_id": "l-1"}))
        yield sandbox


def press(driver, *keys: str) -> None:
    """Press keys one after the other."""
    ActionChains(driver).send_keys(*keys).perform()


def test_everything_is_reached_by_keyboard(driver, filled):
    """Tab reaches skip link, navigation, pause, filter and people in reading order with a visible focus, and Enter opens them."""
    driver.get(filled.pages)
    walked = []
    for _ in range(12):
        press(driver, Keys.TAB)
        walked.append(
            driver.execute_script(
                "const one = document.activeElement, look = getComputedStyle(one),"
                " after = getComputedStyle(one, '::after'), box = one.getBoundingClientRect();"
                "return [one.innerText.trim() || one.name || one.id,"
                " [look, after].some((it) => it.outlineStyle === 'solid' && parseFloat(it.outlineWidth) >= 2)"
                " && box.top >= 0 && box.width > 0]"
            )
        )
    names = [name.split("\n")[0] for name, _ in walked]
    assert names[0] == "Skip to content"
    assert [name.split()[0] for name in names[1:6]] == ["Sandbox", "People", "Companies", "Requests", "Live"]
    assert names[6:9] == ["q", "Users and leads", "Any company"]
    assert names[9:12] == ["Filter", "Unnamed lead", "Mara Vogel"]
    assert all(visible for name, visible in walked if name != "q"), walked

    find(driver, "#q").send_keys("yuki", Keys.ENTER)
    until(driver, lambda: texts(driver, ".rows .whole") == ["Yuki Tanaka"])
    find(driver, ".rows .whole").send_keys(Keys.ENTER)
    until(driver, lambda: texts(driver, "h1") == ["Yuki Tanaka"])


def test_the_skip_link_skips(driver, filled):
    """After the skip link, Tab reaches the content and not the navigation."""
    driver.get(filled.pages)

    press(driver, Keys.TAB, Keys.ENTER, Keys.TAB)

    assert driver.switch_to.active_element.get_attribute("id") == "q"


def test_pages_fit_every_width(driver, filled):
    """At no width from 360 pixels does a page scroll sideways or an element extend beyond the page."""
    sizes = {}
    for place in PAGES:
        driver.get(filled.url + place.format(last=filled.workspace.handled - 1))
        for width in (360, 768, 1920):
            resize(driver, width)
            sizes[place, width] = driver.execute_script(
                "return [document.documentElement.scrollWidth, [...document.querySelectorAll('main *')]"
                ".filter((one) => one.getBoundingClientRect().right > innerWidth + 1"
                " && !one.closest('pre, thead')).map((one) => one.outerHTML.slice(0, 80))]"
            )

    assert sizes == {(place, width): [width, []] for place, width in sizes}


_SERIOUS = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then(
  (results) => done(results.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes[0].html.slice(0, 120)])),
  (error) => done(String(error)));
"""


def test_pages_are_accessible(driver, filled):
    """axe-core finds nothing serious or critical on any page, light or dark, wide or narrow."""
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    faults_by_page = {}
    for place in PAGES:
        driver.get(filled.url + place.format(last=filled.workspace.handled - 1))
        driver.execute_script(axe)
        for colours, width in (("light", 1180), ("dark", 360)):
            prefer(driver, colours, reduced_motion=True)
            resize(driver, width)
            faults_by_page[place, colours] = driver.execute_async_script(_SERIOUS)

    assert {place: faults for place, faults in faults_by_page.items() if faults} == {}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_pages_follow_the_preferred_colours(driver, filled, colours):
    """Pages use dark text on a light background, or the reverse when the reader prefers dark."""
    prefer(driver, colours)
    driver.get(filled.pages)

    ground, ink = driver.execute_script(
        "const look = getComputedStyle(document.body); return [look.backgroundColor, look.color]"
    )
    brightness = [sum(int(part) for part in one.strip("rgb()").split(",")) for one in (ground, ink)]
    assert (brightness[0] > brightness[1]) == (colours == "light")
