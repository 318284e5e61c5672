"""What holds for every request: token, headers, versions, rate windows, the log, the snapshot."""

from __future__ import annotations

import re

import pytest

from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Workspace

from .api_calls import BEGINNING, Api, refusal

GOOD = {"authorization": "Bearer sandbox-token", "accept": "application/json", "intercom-version": "2.16"}


# --- token and headers ------------------------------------------------------------------------------------


def test_in_process_headers_may_be_left_out():
    """In process a request without headers succeeds."""
    workspace = Workspace(token="mine")

    assert workspace.handle(Request("GET", "/me")).status == 200
    assert workspace.handle(Request("GET", "/me", headers={"AUTHORIZATION": "bearer mine"})).status == 200
    assert workspace.violations == []


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic sandbox-token", "sandbox-token"])
def test_a_wrong_token_is_401(api, authorization):
    """A wrong token gets the documented code and text, with rate headers."""
    answer = api.get("/me", Authorization=authorization)

    assert refusal(answer) == (401, "unauthorized", "Access Token Invalid")
    assert answer.headers["x-ratelimit-remaining"] == "1666"
    assert api.rules() == []


def test_a_missing_token_is_401():
    """With require_auth a missing token gets a code of its own and is a violation."""
    api = Api(require_auth=True)

    assert refusal(api.get("/me"))[:2] == (401, "missing_authorization")
    assert api.rules() == ["unauthorized"]


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/html, application/json;q=0.9", "application/*"]
)
def test_a_fitting_accept_passes(api, accept):
    """An Accept header that allows JSON is accepted."""
    assert api.get("/me", Accept=accept).status == 200


@pytest.mark.parametrize("accept", ["", "text/html", "application/xml"])
def test_an_unfitting_accept_is_406(api, accept):
    """An Accept header without JSON gets the documented code and text and is a violation."""
    text = "The Accept header should send a media type of application/json"

    assert refusal(api.get("/me", Accept=accept)) == (406, "media_type_not_acceptable", text)
    assert api.rules() == ["not_acceptable"]


@pytest.mark.parametrize("version", [*(f"2.{minor}" for minor in range(18)), "Preview", "Unstable"])
def test_known_versions_are_echoed(api, version):
    """The response names the version of the request."""
    answer = api.get("/me", version=version)

    assert (answer.status, answer.headers["intercom-version"]) == (200, version)


@pytest.mark.parametrize("version", ["1.5", "2.18", "3", "3.0", "latest", "preview", "2.017"])
def test_other_versions_are_refused(api, version):
    """A version that does not exist is refused."""
    text = "Requested resource is not available in current API version."
    assert refusal(api.get("/me", version=version)) == (400, "intercom_version_invalid", text)
    assert api.rules() == ["not_in_version"]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4"])
def test_1_x_has_no_contacts(api, version):
    """Versions 1.x exist and have no contacts; what they have is answered in the shapes of 2.x, and a violation says so."""
    text = "Requested resource is not available in current API version."

    assert api.get("/me", version=version).status == 200
    assert api.rules() == ["old_version"]
    for path in ("/contacts", "/data_attributes", "/subscription_types"):
        assert refusal(api.get(path, version=version)) == (400, "intercom_version_invalid", text)


def test_an_unnamed_version_is_the_workspaces(api):
    """A request without a version gets the default and is a violation, because another workspace may have another default."""
    answer = api.get("/me", version="")

    assert (answer.status, answer.headers["intercom-version"]) == (200, "2.16")
    assert api.rules() == ["missing_version"]


@pytest.mark.parametrize("content_type", ["", "text/plain"])
def test_a_json_body_should_be_called_so(api, content_type):
    """A JSON body with another Content-Type is accepted and a violation; without a body the header does not matter."""
    api.post("/contacts", {"external_id": "u1"}, Content_Type=content_type)
    api.get("/me", Content_Type=content_type)

    assert api.rules() == ["content_type"]


@pytest.mark.parametrize("path", ["/users", "/leads/1", "/bulk/users"])
def test_old_resources_are_not_available(api, path):
    """Every 2.x version refuses the resources users, leads and bulk of 1.x."""
    assert refusal(api.post(path))[:2] == (400, "intercom_version_invalid")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/zodiac"), ("PATCH", "/contacts/x"), ("GET", "/"), ("GET", "/a/b/c/d/e")]
)
def test_unknown_places_are_404(api, method, path):
    """An unknown path or method gets 404 and is a violation."""
    assert refusal(api.ask(method, path))[:2] == (404, "not_found")
    assert api.rules() == ["unknown_route"]


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/contacts/find_by_external_id/x", "2.13"),
        ("/contacts/x/merge_history", "2.16"),
        ("/companies/x/notes", "2.15"),
    ],
)
def test_newer_resources_need_newer_versions(api, path, first):
    """A resource is not available before its first version."""
    before = f"2.{int(first[2:]) - 1}"

    assert refusal(api.get(path, version=before))[:2] == (400, "intercom_version_invalid")
    assert api.get(path, version=first).status == 404


def test_a_token_may_lack_a_scope():
    """A route in forbidden gets 403."""
    api = Api(forbidden=["POST /data_attributes"])

    assert refusal(api.post("/data_attributes", {"name": "x"}))[:2] == (403, "forbidden")
    assert api.get("/data_attributes").status == 200


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'"x"', b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 100_000]
)
def test_malformed_json_is_400(api, content):
    """A body that is not JSON, or not an object, gets 400."""
    answer = api.workspace.handle_bytes("POST", "/contacts", GOOD, content)

    assert refusal(answer)[:2] == (400, "parameter_invalid")
    assert api.rules() == ["malformed_json"]


def test_every_answer_has_its_headers(api):
    """Every response has its headers, errors too, and none names seconds to wait."""
    wrong = api.get("/contacts/x")
    right = api.post("/contacts", {"external_id": "u1"})

    assert wrong.headers["x-request-id"] == wrong.body["request_id"]
    assert wrong.headers["x-request-id"] != right.headers["x-request-id"]
    assert "retry-after" not in wrong.headers
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= wrong.headers.keys()


@pytest.mark.parametrize(
    ("method", "path", "body", "has_tag", "has_cookie"),
    [
        ("POST", "/contacts", {"external_id": "u2"}, True, True),
        ("POST", "/tags", {"name": "vip"}, True, True),
        ("POST", "/events", {"event_name": "e", "created_at": 1, "user_id": "u1"}, False, True),
        ("PUT", "/contacts/{}", {"name": "x"}, True, True),
        ("DELETE", "/contacts/{}", None, True, True),
        ("GET", "/contacts/{}", None, True, False),
        ("GET", "/me", None, True, False),
        ("POST", "/contacts/search", {"query": {"field": "id", "operator": "=", "value": "x"}}, True, False),
        ("POST", "/companies/list", {}, True, False),
        ("GET", "/contacts/x", None, False, False),
        ("POST", "/contacts", {}, False, False),
    ],
)
def test_only_writes_set_the_cookie(api, method, path, body, has_tag, has_cookie):
    """Each success with a body has an ETag; only a write sets the cookie, for a second, and a search or list is no write."""
    contact = api.contact(external_id="u1")

    headers = api.ask(method, path.format(contact), body).headers

    cookie = f"recent_write={int(BEGINNING)}; path=/; max-age=1" if has_cookie else None
    assert headers.get("set-cookie") == cookie
    assert bool(re.fullmatch(r'W/"[0-9a-f]{32}"', headers.get("etag", ""))) is has_tag


def test_a_tag_changes_with_the_body(api):
    """Two equal bodies have the same ETag, and another body has another one."""
    contact = api.contact(external_id="u1")
    first, second = (api.get(f"/contacts/{contact}").headers["etag"] for _ in range(2))
    api.put(f"/contacts/{contact}", {"name": "x"})

    assert first == second
    assert api.get(f"/contacts/{contact}").headers["etag"] != first


def test_the_log_says_which_answers_are_assumed(api):
    """An exchange says whether its error is the sandbox's own guess or one that a source shows."""
    api.post("/contacts", {"external_id": 5})
    api.post("/companies", {"test": 1})
    api.get("/contacts/x")
    api.get("/me")

    assert [one.assumed for one in api.workspace.requests] == [True, False, False, False]


# --- rate -------------------------------------------------------------------------------------------------


def budget(answer: object) -> tuple[str, str, str]:
    """Return limit, remaining and reset."""
    return tuple(answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset"))


def test_a_window_is_counted_down():
    """The first request of a window sees the whole limit, and Reset is two seconds after the window's end."""
    api = Api(app_limit=3)
    reset = str(int(BEGINNING) + 10 + 2)

    seen = [budget(api.get("/me")) for _ in range(3)]
    refused = api.get("/me")

    assert seen == [("3", "3", reset), ("3", "2", reset), ("3", "1", reset)]
    assert budget(refused) == ("3", "0", reset)
    assert refusal(refused) == (
        429,
        "rate_limit_exceeded",
        "The rate limit for the App has been exceeded",
    )
    assert api.rules() == []


def test_the_next_window_is_whole_again():
    """A window begins at a multiple of its length with the whole budget."""
    api = Api(app_limit=1)
    api.get("/me")
    api.now += 9.5
    assert api.get("/me").status == 429

    api.now += 0.5

    assert api.get("/me").status == 200


def test_apps_have_budgets_of_their_own_within_the_workspaces():
    """The headers show the budget with less left, and both budgets are enforced."""
    api = Api(other_tokens=["other"], app_limit=2, workspace_limit=3)
    other = {"Authorization": "Bearer other"}
    api.get("/me")
    api.get("/me")

    assert api.get("/me").status == 429
    assert budget(api.get("/me", **other))[:2] == ("3", "1")
    answer = api.get("/me", **other)
    assert refusal(answer)[2] == "The rate limit for the Workspace has been exceeded"


def test_windows_are_settings():
    """Length and slack of a window are settings, and only the latest windows are stored."""
    api = Api(window=2.0, reset_slack=0.5)

    assert budget(api.get("/me"))[2] == str(int(BEGINNING) + 3)
    for _ in range(70):
        api.now += 2
        api.get("/me")
    assert len(api.workspace.rate.admitted) <= 61
    assert set(api.workspace.rate.admitted.values()) == {1}


# --- looking inside ---------------------------------------------------------------------------------------


def test_exchanges_are_remembered(api):
    """The log has the latest exchanges with the rule that refused them, and never the token."""
    api.get("/contacts/x", Authorization="Bearer sandbox-token")
    [exchange] = api.workspace.requests

    assert (exchange.number, exchange.method, exchange.path, exchange.status) == (
        1,
        "GET",
        "/contacts/x",
        404,
    )
    assert (exchange.rule, exchange.version, exchange.at) == ("contact_not_found", "2.16", BEGINNING)
    assert "sandbox-token" not in repr(exchange)
    small = Api(log_limit=2)
    for _ in range(3):
        small.get("/me")
    assert [one.number for one in small.workspace.requests] == [2, 3]
    assert small.workspace.handled == 3


def test_violations_carry_their_request(api):
    """A violation names the rule, the detail and the request."""
    api.post("/contacts?x=1", {"zodiac": 1, "external_id": "u1"})

    [violation] = api.workspace.violations

    assert (violation.rule, violation.detail) == ("unknown_field", "zodiac")
    assert (violation.method, violation.path) == ("POST", "/contacts?x=1")
    assert violation.body == {"zodiac": 1, "external_id": "u1"}


def test_contacts_are_found_by_any_name(api):
    """Workspace.contact finds a contact by Intercom's id, external id or e-mail."""
    contact = api.contact(external_id="u1", email="a@example.com")
    company = api.company("acme")

    assert {api.workspace.contact(name).id for name in (contact, "u1", "A@example.com")} == {contact}
    assert {api.workspace.company(name).id for name in (company, "acme")} == {company}
    assert api.workspace.contact("u2") is None
    assert api.workspace.company("other") is None
    assert [one["external_id"] for one in api.workspace.contacts()] == ["u1"]
    assert [one["company_id"] for one in api.workspace.companies()] == ["acme"]


def fill(api: Api, order: tuple[str, ...]) -> None:
    """Create the people in *order*, each with the same records."""
    for name in order:
        contact = api.contact(external_id=name, name=name.title(), custom_attributes={"age": 1, "plan": "x"})
        api.post(f"/contacts/{contact}/companies", {"id": api.company("acme", name="Acme")})
        api.post(f"/contacts/{contact}/tags", {"id": api.tag()})
        api.post("/events", {"event_name": "e", "created_at": 5, "user_id": name, "metadata": {"a": 1}})


def test_the_same_end_gives_the_same_snapshot():
    """Snapshots do not depend on generated ids or on the order in which people arrive."""
    one, other = Api(), Api(seed=7)
    fill(one, ("ann", "bob"))
    other.now += 500
    fill(other, ("bob", "ann"))

    assert one.workspace.snapshot() == other.workspace.snapshot()


def test_what_a_snapshot_holds(api):
    """A snapshot has contacts by external id or e-mail, companies by company_id, and events in order."""
    fill(api, ("ann",))
    api.contact(role="lead", email="l@example.com")
    api.contact(role="lead", custom_attributes={"anonymous_id": "x1"})
    api.contact(role="lead", email="l@example.com")
    deleted = api.contact(external_id="gone")
    archived = api.contact(email="old@example.com", last_seen_at=5)
    api.delete(f"/contacts/{deleted}")
    api.post(f"/contacts/{archived}/archive")

    shown = api.workspace.snapshot(without=["last_seen_at"])

    assert list(shown["contacts"]) == [
        "ann",
        "lead:l@example.com",
        "lead:l@example.com #2",
        "lead:x1",
        "user:old@example.com",
    ]
    assert shown["contacts"]["ann"] == {
        "role": "user",
        "email": "",
        "fields": {"name": "Ann"},
        "custom_attributes": {"age": 1, "plan": "x"},
        "companies": ["acme"],
        "tags": ["vip"],
        "consents": {},
        "events": [{"event_name": "e", "created_at": 5, "metadata": {"a": 1}}],
        "event_count": 1,
        "archived": False,
    }
    archived_user = shown["contacts"]["user:old@example.com"]
    assert (archived_user["archived"], archived_user["fields"]) == (True, {})
    assert shown["companies"] == {
        "acme": {"fields": {"name": "Acme"}, "custom_attributes": {}, "tags": [], "people": ["ann"]}
    }
