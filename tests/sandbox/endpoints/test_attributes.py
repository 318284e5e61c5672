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
        ({"zodiac": 1}, "bad 'zodiac' parameter"),
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
    """An update can change description, options and who may write, but data_type is an unknown field."""
    made = api.post("/data_attributes", TEXT).body["id"]
    change = {"description": "New", "messenger_writable": True, "options": [{"value": "a"}, {"value": "b"}]}

    shown = api.put(f"/data_attributes/{made}", change).body

    assert (shown["description"], shown["messenger_writable"], shown["options"]) == ("New", True, ["a", "b"])
    assert api.put(f"/data_attributes/{made}", {"data_type": "integer"}).status == 400
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


def test_the_model_conversation_is_refused_since_2_16(api):
    """Since 2.16 the model conversation is refused; before, its list is empty."""
    answer = api.get("/data_attributes?model=conversation")

    assert refusal(answer) == (
        422,
        "parameter_invalid",
        "model=conversation is no longer supported. Use GET /conversations/attributes instead",
    )
    assert api.get("/data_attributes?model=conversation", version="2.15").body["data"] == []
