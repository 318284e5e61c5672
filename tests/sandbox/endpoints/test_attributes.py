"""Data attributes: listing, making, changing, and everything that is refused."""

from __future__ import annotations

import pytest

from ..api_calls import Api, refusal

TEXT = {"name": "ring", "model": "contact", "data_type": "string"}


@pytest.mark.parametrize(
    ("data_type", "stored"),
    [
        ("string", "string"),
        ("integer", "integer"),
        ("float", "float"),
        ("boolean", "boolean"),
        ("date", "date"),
        ("datetime", "date"),
    ],
)
def test_an_attribute_is_made(api, data_type, stored):
    """The response shows a new attribute of each data type as Intercom's list does."""
    answer = api.post("/data_attributes", {**TEXT, "data_type": data_type, "description": "One"})

    shown = {
        name: answer.body[name] for name in ("full_name", "data_type", "custom", "archived", "description")
    }
    assert shown == {
        "full_name": "custom_attributes.ring",
        "data_type": stored,
        "custom": True,
        "archived": False,
        "description": "One",
    }
    assert isinstance(answer.body["id"], int)


@pytest.mark.parametrize(("version", "writable"), [("2.10", True), ("2.11", False), ("2.16", False)])
def test_who_may_write_a_new_attribute(api, version, writable):
    """Since 2.11 the Messenger cannot write a new attribute unless the request allows it."""
    answer = api.post("/data_attributes", TEXT, version=version)

    assert answer.body["messenger_writable"] is writable


def test_a_list_attribute_takes_its_options_only(api):
    """A value that is not one of the options is refused."""
    options = [{"value": "red"}, {"value": "blue"}]
    made = api.post("/data_attributes", {**TEXT, "data_type": "options", "options": options}).body

    assert made["options"] == ["red", "blue"]
    assert api.post("/contacts", {"external_id": "u1", "custom_attributes": {"ring": "red"}}).status == 200
    answer = api.post("/contacts", {"external_id": "u2", "custom_attributes": {"ring": "green"}})
    assert answer.status == 400
    assert answer.body["errors"][0]["field"] == "ring"
    assert api.rules() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "person"}, "The Data Attribute model field must be either contact or company"),
        (
            {"name": "a.b"},
            "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens",
        ),
        (
            {"name": "cash $"},
            "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens",
        ),
        ({"data_type": "list"}, "Data Type isn't an option"),
        ({"data_type": "options"}, "Options isn't an array"),
        (
            {"data_type": "options", "options": [{"value": "one"}]},
            "You must have at least two options on a list type data attribute",
        ),
        ({"messenger_writable": "no"}, "messenger_writable must be a boolean"),
        ({"description": 5}, "description must be a string"),
    ],
)
def test_malformed_attributes_are_violations(api, change, message):
    """A malformed attribute gets the documented text and is recorded as a violation."""
    before = api.get("/data_attributes").body

    answer = api.post("/data_attributes", {**TEXT, **change})

    assert refusal(answer)[0::2] == (400, message)
    assert len(api.rules()) == 1
    assert api.get("/data_attributes").body == before


@pytest.mark.parametrize("name", ["größe", "price €", "first-name", "a_b c1", "名前"])
def test_names_of_any_script_are_accepted(api, name):
    """A name may contain letters and digits of any script, currency signs, hyphens, spaces and underscores."""
    assert api.post("/data_attributes", {**TEXT, "name": name}).status == 200


def test_contacts_and_companies_cannot_share_a_name(api):
    """The error names the model that has the attribute; it is no violation, because another process may have created it."""
    api.post("/data_attributes", {**TEXT, "model": "company"})

    as_people = refusal(api.post("/data_attributes", TEXT))
    as_company = refusal(api.post("/data_attributes", {**TEXT, "model": "company"}))

    have = "You already have 'ring' in your company data. To save this as new"
    assert as_people == (400, "parameter_invalid", f"{have} people data, use a different name.")
    assert as_company == (400, "parameter_invalid", f"{have} company data, use a different name.")
    assert api.rules() == []


def test_standard_attributes_keep_their_names(api):
    """A custom attribute cannot have the name of a standard one in any case."""
    answer = api.post("/data_attributes", {**TEXT, "name": "Name"})

    assert refusal(answer)[2].startswith("'Name' is one of our standard attributes")
    assert api.post("/data_attributes", {**TEXT, "name": "industry"}).status == 200


def test_only_so_many_attributes_are_active():
    """A workspace has at most 250 active attributes by default, and archiving one makes room for another."""
    api = Api(attributes={}, attribute_limit=2)
    made = [api.post("/data_attributes", {**TEXT, "name": f"a{number}"}).body["id"] for number in range(2)]

    answer = api.post("/data_attributes", TEXT)

    assert refusal(answer)[:2] == (422, "data_invalid")
    api.put(f"/data_attributes/{made[0]}", {"archived": True})
    assert api.post("/data_attributes", TEXT).status == 200
    assert Api().workspace.settings.attribute_limit == 250


def test_an_archived_attribute_is_unknown(api):
    """Writes to an archived attribute are refused, and the list shows it only on request."""
    made = api.post("/data_attributes", TEXT).body["id"]
    api.put(f"/data_attributes/{made}", {"archived": True})

    answer = api.post("/contacts", {"external_id": "u1", "custom_attributes": {"ring": "x"}})

    assert refusal(answer)[2] == "Custom attribute 'ring' does not exist"
    listed = [one["name"] for one in api.get("/data_attributes?model=contact").body["data"]]
    assert "ring" not in listed
    with_archived = api.get("/data_attributes?model=contact&include_archived=true").body["data"]
    assert "ring" in [one["name"] for one in with_archived]


def test_an_attribute_can_change_but_not_its_type(api):
    """An update can change description, options and who may write, and ignores data_type."""
    made = api.post("/data_attributes", TEXT).body["id"]
    change = {"description": "New", "messenger_writable": True, "options": [{"value": "a"}, {"value": "b"}]}

    shown = api.put(f"/data_attributes/{made}", change).body

    assert (shown["description"], shown["messenger_writable"], shown["options"]) == ("New", True, ["a", "b"])
    assert api.put(f"/data_attributes/{made}", {"data_type": "integer"}).body["data_type"] == "string"
    assert api.rules() == ["unknown_field"]
    assert api.put(f"/data_attributes/{made}", {"options": "a,b"}).status == 400
    assert refusal(api.put("/data_attributes/999", {})) == (
        404,
        "field_not_found",
        "We couldn't find that data attribute to update",
    )


def test_an_attribute_in_use_cannot_be_archived():
    """An attribute that the settings list as in use cannot be archived."""
    api = Api(in_use={"ring"})
    made = api.post("/data_attributes", TEXT).body["id"]

    answer = api.put(f"/data_attributes/{made}", {"archived": True})

    text = "The Data Attribute you are trying to archive has a dependant object"
    assert refusal(answer) == (422, "data_invalid", text)


def test_the_list_holds_standard_and_custom_attributes(api):
    """The list shows standard and custom attributes of one model or of both."""
    people = api.get("/data_attributes?model=contact").body["data"]
    everything = api.get("/data_attributes").body["data"]

    assert {one["model"] for one in people} == {"contact"}
    assert {one["model"] for one in everything} == {"contact", "company"}
    assert {"email", "plan"} <= {one["name"] for one in people}


STANDARD_OF_CONTACTS = [
    "role",
    "name",
    "owner_id",
    "email",
    "phone",
    "external_id",
    "created_at",
    "signed_up_at",
    "last_seen_at",
    "last_contacted_at",
    "last_replied_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "location.country",
    "location.region",
    "location.city",
    "browser_language",
    "language_override",
    "browser",
    "browser_version",
    "os",
    "unsubscribed_from_emails",
    "marked_email_as_spam",
    "has_hard_bounced",
    "id",
    "avatar",
    "updated_at",
    "workspace_id",
    "android_app_name",
    "android_sdk_version",
    "ios_app_name",
    "ios_sdk_version",
]
WRITABLE = [
    "role",
    "name",
    "owner_id",
    "email",
    "phone",
    "external_id",
    "signed_up_at",
    "last_seen_at",
    "unsubscribed_from_emails",
    "avatar",
]


def test_contacts_have_32_standard_attributes(api):
    """The list has the 32 standard attributes of contacts that recordings show, the custom ones in between."""
    listed = api.get("/data_attributes?model=contact").body["data"]
    standard = [one for one in listed if not one["custom"]]

    assert [one["full_name"] for one in standard] == STANDARD_OF_CONTACTS
    assert [one["full_name"] for one in standard if one["api_writable"]] == [
        name for name in STANDARD_OF_CONTACTS if name in WRITABLE
    ]
    assert [one["name"] for one in standard if one["full_name"].startswith("location.")] == [
        "country",
        "region",
        "city",
    ]
    places = [number for number, one in enumerate(listed) if one["custom"]]
    assert places == list(range(24, 24 + len(places)))


@pytest.mark.parametrize(("version", "data_type"), [("2.0", "date"), ("2.16", "date"), ("2.17", "datetime")])
def test_since_2_17_times_of_contacts_are_datetimes(api, version, data_type):
    """Since 2.17 the standard times of contacts are listed as datetime; custom dates stay dates."""
    listed = api.get("/data_attributes?model=contact", version=version).body["data"]
    types = {one["full_name"]: one["data_type"] for one in listed}

    assert {types[name] for name in ("created_at", "updated_at", "signed_up_at", "last_email_opened_at")} == {
        data_type
    }
    assert types["custom_attributes.joined_at"] == "date"


def test_a_company_has_its_plan_as_two_attributes(api):
    """The list names the parts of a company's plan by their place, and none of them is writable."""
    listed = api.get("/data_attributes?model=company").body["data"]

    plan = [one for one in listed if one["full_name"].startswith("plan.")]
    assert [(one["full_name"], one["name"], one["api_writable"]) for one in plan] == [
        ("plan.name", "name", False),
        ("plan.id", "id", False),
    ]
    assert len([one for one in listed if not one["custom"]]) == 16


@pytest.mark.parametrize(("version", "status"), [("2.13", 200), ("2.14", 400)])
def test_options_are_objects_since_2_14(api, version, status):
    """Up to 2.13 an option may be a text, and since 2.14 it is an object with a value."""
    body = {**TEXT, "data_type": "options", "options": ["red", "blue"]}

    answer = api.post("/data_attributes", body, version=version)

    assert answer.status == status
    if status == 200:
        assert answer.body["options"] == ["red", "blue"]


def test_the_model_conversation_is_refused_since_2_16(api):
    """Since 2.16 the model conversation is refused; before, its list is empty."""
    answer = api.get("/data_attributes?model=conversation")

    assert refusal(answer) == (
        422,
        "parameter_invalid",
        "model=conversation is no longer supported. Use GET /conversations/attributes instead",
    )
    assert api.get("/data_attributes?model=conversation", version="2.15").body["data"] == []
