"""Whatever the messages hold, the pages show it as text: escaped, isolated, visible, and never as a link that acts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom.sandbox._pages import _timestamps as _instants
from metarouter_intercom.sandbox._pages import _value_display as _values
from metarouter_intercom.sandbox._pages._paging import make_page
from metarouter_intercom.sandbox._pages._safe_text import initials, plain, shade, visible, web_address

from ..api_calls import BEGINNING
from ..hostile_texts import HIDDEN, HOSTILE, fill
from ..html_pages import Pages, read_html

NOW = int(BEGINNING)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_becomes_anything_but_text(text):
    """No page turns a caller's text into an element, handler, style or link, or shows an invisible character as it is."""
    pages = Pages()

    for place in fill(pages.workspace, text):
        page = pages.look(place)

        elements = list(page.walk())
        attributes = [(name, value or "") for one in elements for name, value in one.attributes.items()]
        addresses = [value for name, value in attributes if name in ("href", "src", "action", "formaction")]
        assert all(one.startswith(("/ui/", "#main", "?", "https://example.com/")) for one in addresses)
        assert [one["src"].partition("?")[0] for one in page.all("script")] == ["/ui/assets/live.js"]
        assert {one.tag for one in elements}.isdisjoint({"img", "iframe", "style", "object", "base"})
        assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
        assert HIDDEN.isdisjoint(page.text + "".join(value for _, value in attributes))


def test_a_deeply_nested_body_does_not_break_its_page():
    """A page can show every body that the sandbox could read, or says that it is nested too deeply."""
    pages = Pages()
    headers = {"authorization": "Bearer sandbox-token"}
    for depth in (50, 500, 900, 5_000):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        pages.workspace.handle_bytes("POST", "/contacts", headers, nested)
    deepest: dict[str, object] = {}
    for _ in range(5_000):
        deepest = {"a": deepest}
    pages.post("/contacts", deepest)

    shown = [pages.look(f"/ui/requests/{number}").first("pre").text for number in range(1, 6)]
    assert shown[0].startswith('{ "a": { "a":')
    # How deep is too deep depends on the version of Python.
    assert shown[-1] == "Nested too deeply to show." or shown[-1].startswith('{ "a": { "a":')


@pytest.mark.parametrize(
    "place",
    [
        "/",
        "/ui",
        "/ui/people",
        "/ui/people/x",
        "/ui/nowhere",
        "/nowhere",
        "/ui/assets/live.js",
        "/ui/assets/x",
    ],
)
def test_every_answer_is_guarded(place):
    """Every page forbids foreign files and frames, guessing of types and passing on its address."""
    answer = Pages().client.get(place)

    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_pages_only_read():
    """No page accepts a POST request."""
    client = Pages().client

    for place in ("/ui/people", "/ui/people/x", "/ui/requests", "/", "/nowhere"):
        assert client.post(place).status_code == 405


def test_own_files_are_kept_by_their_content():
    """Each file has its type and an address that changes with its content, so browsers may cache it."""
    pages = Pages()
    page = pages.look("/ui/people")
    addresses = [
        one[name] for one in page.walk() for name in ("src", "href") if "/assets/" in (one[name] or "")
    ]

    answers = [pages.client.get(address) for address in addresses]

    assert [answer.mimetype for answer in answers] == ["image/svg+xml", "text/css", "text/javascript"]
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    assert pages.client.get("/ui/people").headers["Cache-Control"] == "no-store"


def test_the_api_is_not_guarded():
    """The API's responses have Intercom's headers and not the pages'."""
    headers = {"Authorization": "Bearer sandbox-token", "Accept": "application/json"}

    assert "Content-Security-Policy" not in Pages().client.get("/me", headers=headers).headers


# --- texts ------------------------------------------------------------------------------------------------


@given(st.text(st.characters(), max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_back_as_it_was(text):
    """A reader sees the whole text, with code points in place of invisible characters."""
    shown = read_html(str(visible(text))).first("bdi").children

    read = [one if isinstance(one, str) else chr(int(one.text.removeprefix("U+"), 16)) for one in shown]
    assert "".join(read) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", '<bdi>a<span class="unseen" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>b</bdi>'),
        ("\x00", '<bdi><span class="unseen" title="not a visible character">U+0000</span></bdi>'),
        ("👩‍🔧 שלום", "<bdi>👩‍🔧 שלום</bdi>"),
        ("<&\"'>", "<bdi>&lt;&amp;&#34;&#39;&gt;</bdi>"),
        ("12345678", "<bdi>12345…</bdi>"),
    ],
)
def test_what_cannot_be_seen_is_named(text, shown):
    """Direction marks and controls show as code points, scripts and emoji stay whole, and long texts are cut."""
    assert str(visible(text, 5 if text.isdigit() else 100)) == shown


def test_texts_for_labels():
    """A text for a label is cut, and its invisible characters are replaced."""
    assert plain("a\u202eb\x00" + "c" * 10, 8) == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}cccc…"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "http://example.com/a?b=c&d=%20#e",
        "HTTPS://EXAMPLE.COM",
        " https://example.com/ü ",
        "http://127.0.0.1:8000/",
    ],
)
def test_web_addresses_become_links(text):
    """An http or https address with a host becomes a link."""
    assert web_address(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.com",
        "https:example.com",
        "https:///example.com",
        "https://",
        "https://example.com/\u202egpj.exe",
        'https://example.com/"onclick="x',
        "https://example.com/ two",
        "https:\\\\example.com",
        "https://" + "x" * 3000,
        "text with https://example.com inside",
        "",
    ],
)
def test_nothing_else_becomes_a_link(text):
    """Other schemes and addresses with invisible characters do not become links."""
    assert web_address(text) is None


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Example", "AE"),
        ("ada", "A"),
        ("ada.b@example.com", "AC"),
        ("Ana María del Río", "AR"),
        ("<script>", "?"),
        ("", "?"),
        ("李 明", "李明"),
    ],
)
def test_initials_stand_for_pictures(name, letters):
    """The initials are the first letters of the first and last word."""
    assert initials(name) == letters
    assert 0 <= shade(name) <= 7


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1999, "EUR", "€19.99"),
        (102_500, "usd", "$1,025.00"),
        (-5, "GBP", "-£0.05"),
        (1_500, "JPY", "¥1,500"),
        (1_234, "KWD", "1.234 KWD"),
        (0, "CHF", "0.00 CHF"),
        (10**30 + 1, "USD", "$10,000,000,000,000,000,000,000,000,000.01"),
        (-7, "ZODIAC", "-0.07 ZODIAC"),
    ],
)
def test_prices(amount, currency, text):
    """A price's amount is in the currency's smallest unit."""
    shown = _values.show_metadata("price", {"amount": amount, "currency": currency})

    assert (shown.kind, shown.text) == ("price", text)


@pytest.mark.parametrize(
    ("key", "value", "kind", "text"),
    [
        ("n", 1234567, "number", "1,234,567"),
        ("n", 0.1, "number", "0.1"),
        ("n", 1e300, "number", "1e+300"),
        ("b", True, "text", "true"),
        ("e", "", "nothing", "–"),
        ("e", None, "nothing", "–"),
        ("seen_at", "soon", "text", "soon"),
        ("seen_at", True, "text", "true"),
        ("seen_at", 5, "date", ""),
        ("money", {"amount": "5", "currency": "USD"}, "text", '{"amount": "5", "currency": "USD"}'),
        ("list", ["ü"], "text", '["ü"]'),
        ("link", {"url": "https://example.com", "value": ""}, "link", "https://example.com"),
    ],
)
def test_values_of_every_kind(key, value, kind, text):
    """A number with a date's name shows as a date, and objects that are no price or link show as sent."""
    shown = _values.show_metadata(key, value)

    assert (shown.kind, shown.text) == (kind, text)


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (-30, "just now"),
        (60, "1 min ago"),
        (7_300, "2 h ago"),
        (3 * 86_400, "3 d ago"),
        (40 * 86_400, "5 Oct 2023"),
        (-90, "14 Nov 2023"),
    ],
)
def test_how_long_ago(past, text):
    """The age shows in the largest unit, and as a date when it is long ago or in the future."""
    assert _instants.ago(NOW - past, NOW).striptags() == text


def test_times_out_of_range_are_shown_as_numbers():
    """A time that no date can represent shows as a number, and its day says that it is out of range."""
    assert _instants.full(1e18) == "1e+18"
    assert _instants.full(None) == "–"
    assert _instants.day(1e18) == "Date out of range"


@given(total=st.integers(0, 200), wanted=st.integers(-5, 50), size=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_pages_cover_a_list_without_gaps(total, wanted, size):
    """Each page lies within the list, and its bounds match its items."""
    page = make_page(range(total), wanted, size)

    assert list(page.items) == list(range(page.first - 1, page.last)) if total else not page.items
    assert 1 <= page.number <= page.pages == max(1, -(-total // size))
