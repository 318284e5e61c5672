"""Contacts: creating, uniqueness, roles, fields, custom attributes."""

from __future__ import annotations

import re

import pytest

from ..api_calls import BEGINNING, Api, refusal


def test_a_created_contact_is_answered_whole(api):
    """Creating a contact answers 200 with the whole contact, whose id has 24 hexadecimal digits."""
    answer = api.post("/contacts", {"external_id": "u1", "email": "Ann@example.com", "name": "Ann"})

    assert answer.status == 200
    assert re.fullmatch(r"[0-9a-f]{24}", answer.body["id"])
    shown = {name: answer.body[name] for name in ("type", "external_id", "email", "name", "role", "phone")}
    assert shown == {
        "type": "contact",
        "external_id": "u1",
        "email": "Ann@example.com",
        "name": "Ann",
        "role": "user",
        "phone": None,
    }


def test_the_same_seed_gives_the_same_ids():
    """Two workspaces with the same seed generate the same ids."""
    assert Api().contact(external_id="u1") == Api().contact(external_id="u1")
    assert Api().contact(external_id="u1") != Api(seed=1).contact(external_id="u1")


@pytest.mark.parametrize("again", [{"external_id": "u1"}, {"email": "ANN@example.com"}])
def test_an_existing_user_is_a_conflict_with_its_id(api, again):
    """A second user with the same external id, or with the e-mail and no external id, gets 409 with the first one's id in the text."""
    first = api.contact(external_id="u1", email="ann@example.com")

    answer = api.post("/contacts", again)

    assert refusal(answer) == (
        409,
        "conflict",
        f"A contact matching those details already exists with id={first}",
    )
    assert api.rules() == []


def test_an_archived_user_is_a_conflict_of_its_own(api):
    """The text of the conflict says whether the existing contact is archived."""
    first = api.contact(external_id="u1")
    api.post(f"/contacts/{first}/archive")

    answer = api.post("/contacts", {"external_id": "u1"})

    text = f"An archived contact matching those details already exists with id={first}"
    assert refusal(answer) == (409, "conflict", text)


def test_users_with_different_external_ids_may_share_an_email(api):
    """Two users can have the same e-mail when both have an external id and these differ."""
    api.contact(external_id="u1", email="ann@example.com")

    assert api.post("/contacts", {"external_id": "u2", "email": "ann@example.com"}).status == 200


def test_unique_emails_can_be_demanded():
    """With the setting, creating a second user with an e-mail is a conflict whatever its external id."""
    api = Api(unique_emails=True)
    api.contact(external_id="u1", email="ann@example.com")
    other = api.contact(external_id="u2")

    assert api.post("/contacts", {"external_id": "u3", "email": "ann@example.com"}).status == 409
    assert api.put(f"/contacts/{other}", {"email": "ann@example.com"}).status == 200


def test_updating_to_a_taken_external_id_is_a_conflict(api):
    """An update cannot give a user the external id of another user."""
    first = api.contact(external_id="u1")
    second = api.contact(external_id="u2")

    answer = api.put(f"/contacts/{second}", {"external_id": "u1"})

    assert answer.body["errors"][0]["message"].endswith(f"id={first}")
    assert answer.status == 409


@pytest.mark.parametrize("end", ["archive", "delete"])
def test_an_update_may_take_over_the_ids_of_an_archived_user(api, end):
    """An update can give a user the external id and e-mail of an archived or deleted one; only a new user is a conflict."""
    gone = api.contact(external_id="u1", email="a@example.com")
    live = api.contact(external_id="u2")
    if end == "archive":
        api.post(f"/contacts/{gone}/archive")
    else:
        api.delete(f"/contacts/{gone}")
    taken = {"external_id": "u1", "email": "a@example.com"}

    assert refusal(api.post("/contacts", taken))[0] == 409
    answer = api.put(f"/contacts/{live}", taken)

    assert (answer.status, answer.body["external_id"], answer.body["email"]) == (200, "u1", "a@example.com")
    assert api.get("/contacts/find_by_external_id/u1").body["id"] == live
    text = f"A contact matching those details already exists with id={live}"
    assert refusal(api.post("/contacts", {"external_id": "u1"})) == (409, "conflict", text)
    assert api.rules() == []


def test_a_restored_twin_is_recorded(api):
    """No source says what becomes of an archived user whose external id another one has: it is restored, and a violation."""
    gone = api.contact(external_id="u1")
    live = api.contact(external_id="u2")
    api.post(f"/contacts/{gone}/archive")
    api.put(f"/contacts/{live}", {"external_id": "u1"})

    assert api.post(f"/contacts/{gone}/unarchive").status == 200
    assert api.rules() == ["restored_twin"]
    assert api.put(f"/contacts/{gone}", {"name": "Ann"}).status == 200


def test_an_update_may_repeat_an_email(api):
    """An update can give a user the e-mail of another one with another external id, but not of one without."""
    other = api.contact(external_id="u1", email="a@example.com")
    unnamed = api.contact(email="b@example.com")
    user = api.contact(external_id="u2")

    assert api.put(f"/contacts/{user}", {"email": "a@example.com"}).status == 200
    answer = api.put(f"/contacts/{unnamed}", {"email": "a@example.com"})
    assert answer.status == 409
    assert refusal(answer)[2].endswith(f"id={other}")


def test_an_update_changes_only_what_it_names(api):
    """PUT leaves fields and attributes that it does not name as they are."""
    contact = api.contact(external_id="u1", name="Ann", custom_attributes={"plan": "free", "age": 4})

    answer = api.put(f"/contacts/{contact}", {"phone": "1", "custom_attributes": {"age": 5}})

    assert (answer.body["name"], answer.body["phone"]) == ("Ann", "1")
    assert answer.body["custom_attributes"] == {"plan": "free", "age": 5}


def test_null_clears(api):
    """Null clears name, phone and e-mail; a cleared e-mail reads back as an empty text, a cleared attribute stays with null."""
    contact = api.contact(
        external_id="u1", email="a@example.com", name="Ann", phone="1", custom_attributes={"plan": "x"}
    )

    answer = api.put(
        f"/contacts/{contact}",
        {"name": None, "phone": None, "email": None, "custom_attributes": {"plan": None}},
    )

    for shown in (answer.body, api.get(f"/contacts/{contact}").body):
        cleared = [shown[name] for name in ("name", "phone", "email", "custom_attributes")]
        assert cleared == [None, None, "", {"plan": None}]
    assert api.workspace.contact("a@example.com") is None
    assert api.workspace.snapshot()["contacts"]["u1"]["custom_attributes"] == {}
    assert api.rules() == []


@pytest.mark.parametrize("role", ["user", "lead"])
def test_a_null_external_id_is_ignored(api, role):
    """POST and PUT ignore an external id that is null."""
    made = api.post("/contacts", {"role": role, "email": "a@example.com", "external_id": None})
    contact = made.body["id"]
    before = api.get(f"/contacts/{contact}").body["external_id"]
    user = api.contact(external_id="u1")

    assert made.status == 200
    assert api.put(f"/contacts/{contact}", {"external_id": None, "name": "x"}).body["external_id"] == before
    assert api.put(f"/contacts/{user}", {"external_id": None}).body["external_id"] == "u1"
    assert api.rules() == []


def test_an_unset_subscription_is_false(api):
    """Null for unsubscribed_from_emails is stored as false."""
    contact = api.contact(external_id="u1", unsubscribed_from_emails=True)

    answer = api.put(f"/contacts/{contact}", {"unsubscribed_from_emails": None, "custom_attributes": None})

    assert answer.body["unsubscribed_from_emails"] is False


# --- roles ------------------------------------------------------------------------------------------------


def test_a_lead_gets_an_external_id_of_intercoms_own(api):
    """A lead's external id is a generated UUID, and one in the request is ignored and recorded as a violation."""
    answer = api.post("/contacts", {"role": "lead", "external_id": "mine"})

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.body["external_id"])
    assert api.rules() == ["lead_external_id"]


def test_leads_may_share_an_email(api):
    """Leads can have the same e-mail as other leads and as users."""
    api.contact(email="a@example.com")

    assert api.post("/contacts", {"role": "lead", "email": "a@example.com"}).status == 200
    assert api.post("/contacts", {"role": "lead", "email": "a@example.com"}).status == 200
    assert api.post("/contacts", {"external_id": "u2", "email": "a@example.com"}).status == 409


def test_a_lead_becomes_a_user_with_its_own_external_id(api):
    """PUT with role user makes a lead a user and can set the external id."""
    lead = api.contact(role="lead", email="a@example.com")

    answer = api.put(f"/contacts/{lead}", {"role": "user", "external_id": "u1"})

    assert (answer.body["role"], answer.body["external_id"]) == ("user", "u1")
    assert api.get("/contacts/find_by_external_id/u1").body["id"] == lead


def test_the_external_id_of_a_lead_stays(api):
    """PUT cannot change the external id of a contact that stays a lead."""
    lead = api.contact(role="lead")
    assigned = api.get(f"/contacts/{lead}").body["external_id"]

    answer = api.put(f"/contacts/{lead}", {"external_id": "u1"})

    assert answer.body["external_id"] == assigned
    assert api.rules() == ["lead_external_id"]


def test_a_user_cannot_become_a_lead(api):
    """PUT with role lead is refused for a user."""
    user = api.contact(external_id="u1")

    answer = api.put(f"/contacts/{user}", {"role": "lead"})

    text = "Contact with user role can't be converted to a lead"
    assert refusal(answer) == (400, "client_error", text)


# --- reading ----------------------------------------------------------------------------------------------


def test_find_by_external_id_is_for_users(api):
    """The look-up answers users but no leads, and decodes percent-encoded ids."""
    user = api.contact(external_id="a/b c")
    lead = api.get(f"/contacts/{api.contact(role='lead')}").body

    assert api.get("/contacts/find_by_external_id/a%2Fb%20c").body["id"] == user
    assert api.get(f"/contacts/find_by_external_id/{lead['external_id']}").status == 404
    assert api.get("/contacts/find_by_external_id/u9").status == 404


def test_times_come_from_the_workspaces_clock(api):
    """created_at and updated_at come from the clock that the workspace was given."""
    contact = api.contact(external_id="u1", avatar="https://example.com/a.png")
    api.now += 60
    api.put(f"/contacts/{contact}", {"name": "x"})

    shown = api.get(f"/contacts/{contact}").body

    assert (shown["created_at"], shown["updated_at"]) == (int(BEGINNING), int(BEGINNING) + 60)
    assert shown["avatar"] == {"type": "avatar", "image_url": "https://example.com/a.png"}
