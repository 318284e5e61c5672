"""Events: accepting, repeats, metadata, limits, reading back."""

from __future__ import annotations

import pytest

from ..api_calls import Api, refusal

GONE = (404, "not_found", "User Not Found")


def event(**fields: object) -> dict[str, object]:
    """Return the body of an event of u1."""
    return {"event_name": "Bought", "created_at": 1_699_999_000, "user_id": "u1", **fields}


@pytest.fixture
def api() -> Api:
    """A workspace with the user u1."""
    api = Api()
    api.contact(external_id="u1", email="u1@example.com")
    return api


def test_an_event_is_accepted_without_a_body(api):
    """An accepted event gets 202 without a body."""
    answer = api.post("/events", event(metadata={"a": 1}))

    assert (answer.status, answer.body) == (202, None)
    [stored] = api.workspace.events("u1")
    assert (stored.name, stored.created_at, stored.metadata) == ("Bought", 1_699_999_000, {"a": 1})


@pytest.mark.parametrize(
    "repeat",
    [
        event(),
        event(metadata={"other": 1}),
        event(event_name="BOUGHT"),
        {"event_name": "Bought", "created_at": 1_699_999_000, "email": "u1@example.com"},
    ],
)
def test_a_repeated_event_is_accepted_and_not_stored(api, repeat):
    """An event with the same contact, second and name in any case repeats another one, whatever its metadata."""
    api.post("/events", event())

    assert api.post("/events", repeat).status == 202
    assert len(api.workspace.events("u1")) == 1
    assert api.workspace.repeated_events == 1


@pytest.mark.parametrize("other", [event(event_name="Sold"), event(created_at=1_699_999_001)])
def test_another_name_or_second_is_another_event(api, other):
    """An event with another name or another second is no repeat."""
    api.post("/events", event())
    api.post("/events", other)

    assert len(api.workspace.events("u1")) == 2


def test_events_of_leads_need_intercoms_id(api):
    """A lead is found by its Intercom id, not by user_id or e-mail."""
    lead = api.contact(role="lead", email="l@example.com")
    assigned = api.get(f"/contacts/{lead}").body["external_id"]

    assert refusal(api.post("/events", event(user_id=assigned))) == GONE
    assert (
        refusal(api.post("/events", {"event_name": "e", "created_at": 1, "email": "l@example.com"})) == GONE
    )
    assert api.post("/events", {"event_name": "e", "created_at": 1, "id": lead}).status == 202


def test_an_unknown_contact_is_not_found(api):
    """An event of an unknown contact gets 404 and is no violation, because the contact may be created later."""
    assert refusal(api.post("/events", event(user_id="u9"))) == GONE
    assert refusal(api.post("/events", event(id="nothing"))) == GONE
    assert api.rules() == []


def test_an_email_of_two_users_is_ambiguous(api):
    """An e-mail of two users gets 409 with the documented text."""
    api.contact(external_id="u2", email="u1@example.com")

    answer = api.post("/events", {"event_name": "e", "created_at": 1, "email": "u1@example.com"})

    text = "Multiple existing users match this email address - must be more specific using user_id"
    assert refusal(answer) == (409, "conflict", text)
    assert api.rules() == []


def test_only_so_many_names_are_active():
    """A workspace has at most 120 event names by default, in any case, and known names are still accepted."""
    api = Api(event_name_limit=2)
    api.contact(external_id="u1")
    for name in ("a", "b", "A"):
        assert api.post("/events", event(event_name=name)).status == 202

    answer = api.post("/events", event(event_name="c"))

    assert refusal(answer) == (422, "422", "Cannot have more than 2 active event names")
    assert api.post("/events", event(event_name="b", created_at=5)).status == 202
    assert Api().workspace.settings.event_name_limit == 120
    assert api.rules() == []


@pytest.mark.parametrize(("version", "kept"), [("2.16", 10), ("2.6", 20)])
def test_only_the_first_metadata_keys_are_kept(api, version, kept):
    """Further metadata keys are cut without an error and recorded as a violation."""
    keys = [f"k{number}" for number in range(25)]

    assert api.post("/events", event(metadata=dict.fromkeys(keys, 1)), version=version).status == 202
    assert list(api.workspace.events("u1")[0].metadata) == keys[:kept]
    assert api.rules() == ["too_many_metadata_keys"]


def test_rich_values_stay_objects(api):
    """Links and prices are the only objects that metadata may contain."""
    metadata = {
        "link": {"url": "https://example.com", "value": "here"},
        "price": {"amount": 1999, "currency": "USD"},
        "shipped_date": 1_700_000_000,
        "gift": True,
        "note": None,
    }

    assert api.post("/events", event(metadata=metadata)).status == 202
    assert api.workspace.events("u1")[0].metadata == metadata


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"created_at": 1, "user_id": "u1"}, "missing_field"),
        ({"event_name": "e", "user_id": "u1"}, "missing_field"),
        ({"event_name": "e", "created_at": 1}, "missing_field"),
        (event(event_name=" "), "blank"),
        (event(event_name=5), "wrong_type"),
        (event(created_at="1700000000"), "wrong_type"),
        (event(created_at=1.5), "wrong_type"),
        (event(user_id=5), "wrong_type"),
        (event(metadata=None), "wrong_type"),
        (event(metadata=[]), "wrong_type"),
    ],
)
def test_malformed_events_are_violations(api, body, rule):
    """An event that breaks the published schema gets 400 and is recorded as a violation."""
    assert api.post("/events", body).status == 400
    assert api.rules() == [rule]
    assert api.workspace.events("u1") == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (event(created_at=1_700_000_000_000), "not_seconds"),
        (event(created_at=1_700_000_000_000_000), "not_seconds"),
        (event(extra=1), "unknown_field"),
        (event(events=[]), "unknown_field"),
        (event(metadata={"a": [1]}), "nested_metadata"),
        (event(metadata={"a": {"b": 1}}), "nested_metadata"),
        (event(metadata={"a": {"url": 1, "value": "x"}}), "nested_metadata"),
        (event(metadata={"a": {"amount": 19.99, "currency": "USD"}}), "nested_metadata"),
        (event(metadata={"a": {"amount": 1, "currency": None}}), "nested_metadata"),
        (event(metadata={"a": {"amount": 1, "currency": "USD", "more": 1}}), "nested_metadata"),
        (event(metadata={"a.b": 1}), "bad_metadata_key"),
        (event(metadata={"": 1}), "bad_metadata_key"),
        (event(metadata={"a": "x" * 256}), "too_long"),
    ],
)
def test_what_no_source_refuses_is_stored_and_recorded(api, body, rule):
    """No source says that Intercom refuses an event for its time or its metadata: it is stored, and a violation."""
    assert api.post("/events", body).status == 202
    assert api.rules() == [rule]
    assert len(api.workspace.events("u1")) == 1


@pytest.mark.parametrize("created_at", [-86_400, 0, 4_000_000_000])
def test_an_event_of_any_second_is_stored(api, created_at):
    """No source knows a bound for the time of an event, so one of the past or of the future is stored without a violation."""
    assert api.post("/events", event(created_at=created_at)).status == 202
    assert api.workspace.events("u1")[0].created_at == created_at
    assert api.rules() == []


def test_in_preview_metadata_has_any_type(api):
    """In Preview an object in the metadata is no violation."""
    assert api.post("/events", event(metadata={"a": {"b": 1}}), version="Preview").status == 202
    assert api.rules() == []


@pytest.mark.parametrize(
    ("name", "stored"), [("order.paid", "order-paid"), ("$pageview", "-pageview"), ("a.$b", "a--b")]
)
def test_dots_and_dollar_signs_of_a_name_become_hyphens(api, name, stored):
    """An event's name is stored and repeated with hyphens for dots and dollar signs."""
    api.post("/events", event(event_name=name))
    api.post("/events", event(event_name=stored))

    assert [one.name for one in api.workspace.events("u1")] == [stored]
    assert api.workspace.repeated_events == 1


# --- reading back -----------------------------------------------------------------------------------------


def test_events_are_listed_newest_first(api):
    """The list shows the events of the last 90 days, the newest first, in pages."""
    for number in range(3):
        api.post("/events", event(created_at=1_699_999_000 + number))
    api.post("/events", event(created_at=1_600_000_000))

    first = api.get("/events?type=user&user_id=u1&per_page=2").body
    second = api.get("/events?type=user&email=u1@example.com&per_page=2&page=2").body

    assert [one["created_at"] for one in first["events"]] == [1_699_999_002, 1_699_999_001]
    assert [one["created_at"] for one in second["events"]] == [1_699_999_000]
    assert first["pages"]["next"].endswith("&page=2&per_page=2")
    assert second["pages"]["next"] is None
    assert api.get("/events?user_id=u1").status == 400
    assert api.get("/events?type=user&user_id=u9").status == 404


def test_events_are_summarized(api):
    """The summary counts events by name, and a count that was set replaces the counted one."""
    contact = api.workspace.contacts()[0]["id"]
    api.post("/events", event(created_at=10))
    api.post("/events", event(created_at=20))
    counter = {"event_name": "Logged in", "count": 7, "first": 1, "last": 2}
    assert api.post("/events/summaries", {"user_id": "u1", "event_summaries": counter}).status == 200

    shown = api.get(f"/events?type=user&intercom_user_id={contact}&summary=true").body

    assert shown["type"] == "event.summary"
    assert shown["events"] == [
        {"name": "Bought", "first": "10", "last": "20", "count": 2},
        {"name": "Logged in", "first": "1", "last": "2", "count": 7},
    ]


def test_an_unknown_contact_has_no_events(api):
    """Workspace.events returns an empty list for an unknown contact."""
    assert api.workspace.events("u9") == []
