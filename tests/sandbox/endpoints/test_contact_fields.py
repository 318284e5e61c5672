"""The fields of contacts: owners, custom attributes, and what is malformed."""

from __future__ import annotations

import pytest

from ..api_calls import Api, refusal

# --- owners -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "owner", "status"),
    [
        ("2.16", "991267459", 200),
        ("2.16", 991267459, 400),
        ("2.15", 991267459, 200),
        ("2.15", "991267459", 400),
    ],
)
def test_the_type_of_an_owner_depends_on_the_version(api, version, owner, status):
    """owner_id is text since 2.16 and a number before, in requests and responses."""
    answer = api.post("/contacts", {"external_id": "u1", "owner_id": owner}, version=version)

    assert answer.status == status
    if status == 200:
        assert answer.body["owner_id"] == owner


def test_an_owner_must_be_a_teammate(api):
    """An owner who is no admin refuses the whole write, and null removes the owner."""
    contact = api.contact(external_id="u1", owner_id="991267460")

    answer = api.put(f"/contacts/{contact}", {"owner_id": "7"})

    text = "The owner specified is not a member of the workspace"
    assert refusal(answer) == (400, "parameter_invalid", text)
    assert api.put(f"/contacts/{contact}", {"owner_id": None}).body["owner_id"] is None
    assert api.rules() == []


# --- custom attributes ------------------------------------------------------------------------------------


def test_an_unknown_attribute_refuses_the_whole_write(api):
    """Nothing of the write is stored, and it is no violation, because a client cannot know every attribute."""
    contact = api.contact(external_id="u1")

    answer = api.put(f"/contacts/{contact}", {"name": "Ann", "custom_attributes": {"age": 1, "nope": 1}})

    assert refusal(answer) == (400, "parameter_invalid", "Custom attribute 'nope' does not exist")
    shown = api.get(f"/contacts/{contact}").body
    assert (shown["name"], shown["custom_attributes"]) == (None, {})
    assert api.rules() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan", "gold"),
        ("age", 4),
        ("age", 4.0),
        ("score", 1.5),
        ("score", 1),
        ("beta", False),
        ("joined_at", -86400),
        ("joined_at", 1_700_000_000),
    ],
)
def test_values_of_the_right_type_are_stored(api, name, value):
    """A value that fits its attribute's type is stored; whole numbers fit floats, and a date may be before 1970."""
    contact = api.contact(external_id="u1", custom_attributes={name: value})

    assert api.get(f"/contacts/{contact}").body["custom_attributes"] == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan", 1),
        ("plan", True),
        ("age", "4"),
        ("age", 4.5),
        ("age", True),
        ("score", "1"),
        ("beta", 1),
        ("joined_at", "2024-01-01"),
    ],
)
def test_values_of_the_wrong_type_are_refused(api, name, value):
    """The error's text and field name the attribute."""
    answer = api.post("/contacts", {"external_id": "u1", "custom_attributes": {name: value}})

    status, code, message = refusal(answer)
    assert (status, code) == (400, "parameter_invalid")
    assert message.startswith(f"Custom attribute '{name}' must be of type ")
    assert answer.body["errors"][0]["field"] == name
    assert api.workspace.contacts() == []


def test_unknown_attributes_can_be_created_by_a_write():
    """With auto_attributes, text, numbers and booleans create the attribute with their type, and nested values do not."""
    api = Api(auto_attributes=True, attributes={})
    api.contact(external_id="u1", custom_attributes={"a": "x", "b": True, "c": 1.5, "d_at": 5})

    listed = api.get("/data_attributes?model=contact").body["data"]

    made = {one["name"]: one["data_type"] for one in listed if one["custom"]}
    assert made == {"a": "string", "b": "boolean", "c": "float", "d_at": "date"}
    assert api.post("/contacts", {"external_id": "u2", "custom_attributes": {"n": {}}}).status == 400


# --- what no well-behaved client sends --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({}, "missing_field"),
        ({"name": "Ann"}, "missing_field"),
        ({"external_id": 1}, "wrong_type"),
        ({"external_id": " "}, "blank"),
        ({"external_id": None}, "missing_field"),
        ({"external_id": None, "email": None, "role": None}, "missing_field"),
        ({"email": None}, "missing_field"),
        ({"email": ""}, "missing_field"),
        ({"role": "user"}, "missing_field"),
        ({"role": "user", "name": "Ann", "phone": "1"}, "missing_field"),
        ({"email": "nobody"}, "not_an_email"),
        ({"email": " a@example.com"}, "not_an_email"),
        ({"role": "admin"}, "unknown_role"),
        ({"external_id": "u1", "name": 5}, "wrong_type"),
        ({"external_id": "u1", "avatar": {"image_url": "https://example.com/a.png"}}, "wrong_type"),
        ({"external_id": "u1", "signed_up_at": "2024-01-01"}, "wrong_type"),
        ({"external_id": "u1", "signed_up_at": True}, "wrong_type"),
        ({"external_id": "u1", "last_seen_at": 1.5}, "wrong_type"),
        ({"external_id": "u1", "unsubscribed_from_emails": "yes"}, "wrong_type"),
        ({"external_id": "u1", "email_verified": True}, "email_verified_alone"),
        ({"external_id": "u1", "custom_attributes": []}, "wrong_type"),
        ({"external_id": "u1", "custom_attributes": {"plan": {"a": 1}}}, "nested_attribute"),
        ({"external_id": "u1", "custom_attributes": {"plan": ["a"]}}, "nested_attribute"),
        ({"external_id": "u1", "custom_attributes": {"plan": "x" * 256}}, "too_long"),
    ],
)
def test_malformed_contacts_are_violations(api, body, rule):
    """A contact that breaks the published schema gets 400 and is recorded as a violation."""
    answer = api.post("/contacts", body)

    assert answer.status == 400
    assert api.rules() == [rule]
    assert api.workspace.contacts() == []


@pytest.mark.parametrize(
    "field",
    [{"zodiac": "fish"}, {"user_id": "u1"}, {"companies": []}, {"language_override": "de"}, {"type": "user"}],
)
@pytest.mark.parametrize("update", [False, True])
def test_an_unknown_field_of_a_contact_is_ignored(api, field, update):
    """A field that contacts do not have is ignored with 200, and recorded as a violation."""
    if update:
        answer = api.put(f"/contacts/{api.contact(external_id='u1')}", {"name": "Ann", **field})
    else:
        answer = api.post("/contacts", {"external_id": "u1", "name": "Ann", **field})

    assert (answer.status, answer.body["name"], answer.body["type"]) == (200, "Ann", "contact")
    assert api.rules() == ["unknown_field"]


def test_unknown_fields_can_be_refused():
    """With the setting, an unknown field of a contact refuses the write with the text that companies have."""
    api = Api(unknown_fields="refuse")

    answer = api.post("/contacts", {"external_id": "u1", "zodiac": "fish"})

    assert refusal(answer) == (400, "bad_request", "bad 'zodiac' parameter")
    assert api.rules() == ["unknown_field"]
    assert api.workspace.contacts() == []


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ({"signed_up_at": 1_700_000_000_000}, "not_seconds"),
        ({"last_seen_at": 1_700_000_000_000_000}, "not_seconds"),
        ({"last_seen_at": -(10**12)}, "not_seconds"),
        ({"custom_attributes": {"joined_at": 1_700_000_000_000}}, "not_seconds"),
        ({"avatar": "cat.png"}, "not_a_url"),
    ],
)
def test_what_no_source_refuses_is_stored_and_recorded(api, field, rule):
    """No source says what Intercom answers to milliseconds or to an avatar without address: it is stored, and a violation."""
    assert api.post("/contacts", {"external_id": "u1", **field}).status == 200
    assert api.rules() == [rule]
    [shown] = api.workspace.contacts()
    assert [shown[name] for name in field] == [
        {"type": "avatar", "image_url": value} if name == "avatar" else value for name, value in field.items()
    ]


@pytest.mark.parametrize("name", ["signed_up_at", "last_seen_at"])
def test_a_time_before_1970_is_a_time(api, name):
    """A time before 1970 is stored and is no violation."""
    contact = api.contact(external_id="u1", **{name: -86_400})

    assert api.get(f"/contacts/{contact}").body[name] == -86_400
    assert api.rules() == []


def test_fields_of_newer_versions(api):
    """email_verified exists since 2.16 and is ignored before, and language_override exists only in Preview."""
    verified = {"email": "a@example.com", "email_verified": True}

    assert (
        api.post("/contacts", {"email": "b@example.com", "email_verified": True}, version="2.15").status
        == 200
    )
    assert api.rules() == ["unknown_field"]
    assert api.post("/contacts", verified).status == 200
    answer = api.post("/contacts", {"external_id": "u2", "language_override": "de"}, version="Preview")
    assert answer.body["language_override"] == "de"


def test_the_path_needs_intercoms_id(api):
    """PUT by an external id gets 404 and is a violation; by an unknown id it only gets 404."""
    api.contact(external_id="u1")

    assert refusal(api.put("/contacts/u1", {"name": "x"})) == (404, "not_found", "User Not Found")
    assert api.rules() == ["external_id_in_path"]
    assert api.put("/contacts/5feceb66ffc86f3800000fff", {"name": "x"}).status == 404
    assert api.rules() == ["external_id_in_path"]
