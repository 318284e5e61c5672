"""What becomes of a contact: archive, delete, block, merge, visitors."""

from __future__ import annotations

import pytest

from ..api_calls import Api, refusal

GONE = (404, "not_found", "User Not Found")


def test_an_archived_contact_is_not_found_until_restored(api):
    """GET, PUT and events of an archived contact get 404, and after unarchive they work again."""
    contact = api.contact(external_id="u1")

    assert api.post(f"/contacts/{contact}/archive").body == {
        "type": "contact",
        "id": contact,
        "external_id": "u1",
        "archived": True,
    }
    assert refusal(api.get(f"/contacts/{contact}")) == GONE
    assert refusal(api.put(f"/contacts/{contact}", {"name": "x"})) == GONE
    event = {"event_name": "e", "created_at": 1, "user_id": "u1"}
    assert refusal(api.post("/events", event)) == GONE
    assert api.get("/contacts/find_by_external_id/u1").status == 404
    assert api.post(f"/contacts/{contact}/unarchive").body["archived"] is False
    assert api.put(f"/contacts/{contact}", {"name": "x"}).status == 200


def test_archiving_twice_changes_nothing(api):
    """Archiving an archived contact gets 200, and so does blocking it."""
    contact = api.contact(external_id="u1")
    first = api.post(f"/contacts/{contact}/archive")

    assert api.post(f"/contacts/{contact}/archive").body == first.body
    assert api.post(f"/contacts/{contact}/block").status == 200
    api.delete(f"/contacts/{contact}")
    assert refusal(api.post(f"/contacts/{contact}/archive")) == GONE


def test_after_seven_days_a_deleted_user_is_forgotten(api):
    """For seven days the external id and e-mail of a deleted user stay taken; then a new user can have them."""
    contact = api.contact(external_id="u1", email="a@example.com")
    api.delete(f"/contacts/{contact}")
    api.now += 7 * 86_400 - 1

    assert api.post("/contacts", {"external_id": "u1"}).status == 409
    assert api.post("/contacts", {"email": "a@example.com"}).status == 409
    assert api.post(f"/contacts/{contact}/unarchive").status == 400
    api.now += 1
    assert refusal(api.post(f"/contacts/{contact}/unarchive")) == GONE
    assert api.post("/contacts", {"external_id": "u1", "email": "a@example.com"}).status == 200
    assert api.rules() == []


def test_the_days_of_grace_are_a_setting():
    """deletion_grace sets for how many seconds the ids of a deleted user stay taken."""
    api = Api(deletion_grace=60.0)
    api.delete(f"/contacts/{api.contact(external_id='u1')}")
    api.now += 60

    assert api.contact(external_id="u1")


def test_a_deleted_user_blocks_its_ids(api):
    """Creating a deleted user again is a conflict with the text for archived contacts, and it cannot be restored."""
    contact = api.contact(external_id="u1", email="a@example.com")
    company = api.company()
    api.post(f"/contacts/{contact}/companies", {"id": company})

    assert api.delete(f"/contacts/{contact}").body == {
        "type": "contact",
        "id": contact,
        "external_id": "u1",
        "deleted": True,
    }
    text = f"An archived contact matching those details already exists with id={contact}"
    assert refusal(api.post("/contacts", {"external_id": "u1"})) == (409, "conflict", text)
    assert refusal(api.post("/contacts", {"email": "a@example.com"})) == (409, "conflict", text)
    assert refusal(api.post(f"/contacts/{contact}/unarchive")) == (
        400,
        "bad_request",
        "User has been marked for permanent deletion and is not restorable.",
    )
    assert refusal(api.delete(f"/contacts/{contact}")) == GONE
    assert api.get(f"/companies/{company}").body["user_count"] == 0
    assert api.rules() == []


def test_restoring_a_deleted_user_may_be_a_500():
    """With the setting, restoring a deleted user gets 500, as in 2021."""
    api = Api(restore_deleted_status=500)
    contact = api.contact(external_id="u1")
    api.delete(f"/contacts/{contact}")

    assert refusal(api.post(f"/contacts/{contact}/unarchive")) == (500, "server_error", "Server Error")


@pytest.mark.parametrize(
    ("method", "place"),
    [("POST", "/archive"), ("POST", "/unarchive"), ("POST", "/block"), ("DELETE", ""), ("GET", "")],
)
def test_an_unknown_contact_is_404(api, method, place):
    """Every endpoint answers 404 for an unknown id."""
    assert refusal(api.ask(method, f"/contacts/nobody{place}")) == GONE


def test_a_blocked_contact_is_archived(api):
    """A blocked contact is archived, so reads no longer find it."""
    contact = api.contact(external_id="u1")

    assert api.post(f"/contacts/{contact}/block").body["blocked"] is True
    assert api.get(f"/contacts/{contact}").status == 404


# --- merging ----------------------------------------------------------------------------------------------


def merged(api: Api) -> tuple[str, str]:
    """Merge a lead with some history into a user; return both ids."""
    lead = api.contact(
        role="lead", email="a@example.com", phone="1", custom_attributes={"plan": "free", "age": 3}
    )
    user = api.contact(external_id="u1", email="a@example.com", custom_attributes={"plan": "gold"})
    api.post(f"/contacts/{lead}/companies", {"id": api.company()})
    api.post(f"/contacts/{lead}/tags", {"id": api.tag()})
    api.post(f"/contacts/{lead}/notes", {"body": "hello"})
    api.post("/events", {"event_name": "e", "created_at": 5, "id": lead})
    answer = api.post("/contacts/merge", {"from": lead, "into": user})
    assert answer.status == 200
    return lead, user


def test_a_merged_lead_completes_the_user(api):
    """A merge adds the lead's values where the user has none and keeps the user's own."""
    lead, user = merged(api)

    shown = api.get(f"/contacts/{user}").body

    assert shown["custom_attributes"] == {"plan": "gold", "age": 3}
    assert shown["phone"] == "1"
    counts = {name: shown[name]["total_count"] for name in ("companies", "tags", "notes")}
    assert counts == {"companies": 1, "tags": 1, "notes": 1}
    assert [event.name for event in api.workspace.events("u1")] == ["e"]
    [history] = api.get(f"/contacts/{user}/merge_history").body["data"]
    assert history["source_contact_id"] == lead


def test_a_merged_contact_points_to_the_one_that_is_left(api):
    """A merged lead gets 410 with a Link to the user since 2.16, and 404 before."""
    lead, user = merged(api)

    answer = api.get(f"/contacts/{lead}")

    text = "This contact has been merged. See the 'Link' header for the canonical contact."
    assert refusal(answer) == (410, "contact_merged", text)
    assert answer.headers["link"] == f'</contacts/{user}>; rel="canonical"'
    assert api.put(f"/contacts/{lead}", {"name": "x"}).status == 410
    assert api.delete(f"/contacts/{lead}").status == 410
    assert refusal(api.get(f"/contacts/{lead}", version="2.15")) == GONE
    assert refusal(api.post(f"/contacts/{lead}/unarchive")) == GONE
    assert refusal(api.post("/contacts/merge", {"from": lead, "into": user})) == GONE
    assert api.rules() == []


def test_a_merged_lead_is_looked_up_by_its_external_id(api):
    """The look-up by external id answers 410 for a merged lead since 2.16, and 404 before."""
    lead = api.contact(role="lead", email="a@example.com")
    assigned = api.get(f"/contacts/{lead}").body["external_id"]
    user = api.contact(external_id="u1", email="a@example.com")
    api.post("/contacts/merge", {"from": lead, "into": user})
    place = f"/contacts/find_by_external_id/{assigned}"

    answer = api.get(place)

    assert (answer.status, answer.headers["link"]) == (410, f'</contacts/{user}>; rel="canonical"')
    assert refusal(api.get(place, version="2.15")) == GONE


def test_a_forgotten_user_has_no_link(api):
    """A merged lead gets 404 once the user that it was merged into was deleted seven days ago."""
    lead, user = merged(api)
    api.delete(f"/contacts/{user}")
    api.now += 7 * 86_400

    assert refusal(api.get(f"/contacts/{lead}")) == GONE


def test_a_merge_history_has_pages(api):
    """The merge history can be read page by page and backwards, and an unknown contact gets the text of the published example."""
    user = api.contact(external_id="u1", email="a@example.com")
    leads = [api.contact(role="lead", email="a@example.com") for _ in range(3)]
    for lead in leads:
        api.post("/contacts/merge", {"from": lead, "into": user})
    place = f"/contacts/{user}/merge_history"

    first = api.get(f"{place}?per_page=2").body
    second = api.get(f"{place}?per_page=2&cursor={first['next_cursor']}").body
    backwards = api.get(f"{place}?order=desc").body

    assert [one["source_contact_id"] for one in first["data"] + second["data"]] == leads
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert [one["source_contact_id"] for one in backwards["data"]] == leads[::-1]
    assert refusal(api.get("/contacts/x/merge_history")) == (404, "not_found", "Contact not found")
    shown = api.get(f"/contacts/{user}?include_merge_history=true").body["merge_history"]
    assert [one["source_contact_id"] for one in shown] == leads
    assert "merge_history" not in api.get(f"/contacts/{user}").body
    old = api.get(f"/contacts/{user}?include_merge_history=true", version="2.15").body
    assert "merge_history" not in old


@pytest.mark.parametrize(
    ("source", "target", "change", "reason"),
    [
        ("lead", "user", {}, "no_shared_identifier"),
        ("user", "lead", {}, "invalid_merge_role_pair"),
        ("user", "user", {}, "invalid_merge_role_pair"),
        ("lead", "lead", {"skip_duplicate_validation": True}, "invalid_merge_role_pair"),
    ],
)
def test_a_preview_says_why_a_merge_is_not_allowed(api, source, target, change, reason):
    """The preview of a merge that is not allowed answers 200 with the reason's code."""
    ids = {
        "from": api.contact(role=source, email="f@example.com"),
        "into": api.contact(role=target, email="i@example.com"),
    }

    answer = api.post("/contacts/merge/preview", {**ids, **change}, version="Preview")

    assert (answer.status, answer.body["allowed"]) == (200, False)
    assert [one["code"] for one in answer.body["reasons"]] == [reason]


def test_a_preview_changes_nothing(api):
    """The preview says what a merge would add and how much it would move, only in Preview, and changes nothing."""
    lead = api.contact(role="lead", phone="1", custom_attributes={"plan": "free", "age": 3, "beta": True})
    user = api.contact(external_id="u1", custom_attributes={"plan": "gold"})
    api.post(f"/contacts/{lead}/tags", {"id": api.tag()})
    api.post(f"/contacts/{lead}/notes", {"body": "hello"})
    order = {"from": lead, "into": user, "skip_duplicate_validation": True}
    before = api.workspace.snapshot()

    answer = api.post(
        "/contacts/merge/preview", {**order, "custom_attribute_names": ["plan", "age"]}, version="Preview"
    )

    assert answer.body == {
        "allowed": True,
        "summary": {
            "attribute_changes": [
                {"name": "phone", "value": "1"},
                {"name": "custom_attributes.age", "value": 3},
            ],
            "reassignments": {
                "conversations": {"from": 0, "into": 0},
                "tickets": {"from": 0, "into": 0},
                "notes": {"from": 1, "into": 0},
                "tags": {"from": 1, "into": 0},
            },
        },
    }
    assert "set-cookie" not in answer.headers
    assert api.workspace.snapshot() == before
    assert api.rules() == []
    missing = {"from": "x", "into": user}
    assert refusal(api.post("/contacts/merge/preview", missing, version="Preview")) == GONE
    assert (
        refusal(api.post("/contacts/merge/preview", order, version="2.17"))[1] == "intercom_version_invalid"
    )


def test_a_merge_fills_what_was_cleared(api):
    """A value that the user had and cleared is filled by the lead's."""
    lead = api.contact(role="lead", email="a@example.com", custom_attributes={"plan": "free"})
    user = api.contact(external_id="u1", email="a@example.com", custom_attributes={"plan": "gold"})
    api.put(f"/contacts/{user}", {"custom_attributes": {"plan": None}})

    answer = api.post("/contacts/merge", {"from": lead, "into": user})

    assert answer.body["custom_attributes"] == {"plan": "free"}


def test_a_merged_contact_has_no_link_to_a_deleted_user(api):
    """A merged lead gets 404 once the user that it was merged into is deleted."""
    lead, user = merged(api)
    api.post(f"/contacts/{user}/archive")

    assert refusal(api.get(f"/contacts/{lead}")) == GONE


def test_only_duplicates_are_merged_since_2_16(api):
    """Since 2.16 contacts with different e-mail and phone are merged only with skip_duplicate_validation."""
    lead = api.contact(role="lead")
    user = api.contact(external_id="u1")
    pair = {"from": lead, "into": user}

    answer = api.post("/contacts/merge", pair)

    assert answer.status == 400
    assert answer.body["errors"][0]["code"] == "invalid_merge"
    assert api.rules() == []
    assert api.post("/contacts/merge", {**pair, "skip_duplicate_validation": True}).status == 200


def test_a_shared_phone_makes_duplicates(api):
    """Contacts with the same phone count as duplicates."""
    lead = api.contact(role="lead", phone="1", email="l@example.com")
    user = api.contact(external_id="u1", phone="1")

    answer = api.post("/contacts/merge", {"from": lead, "into": user})

    assert answer.body["email"] == "l@example.com"


def test_only_a_lead_goes_into_a_user(api):
    """Two users cannot be merged."""
    first, second = api.contact(external_id="u1"), api.contact(external_id="u2")

    answer = api.post("/contacts/merge", {"from": first, "into": second})

    text = "Merging can only be performed on a lead into a user"
    assert refusal(answer) == (400, "invalid_merge", text)
    assert api.rules() == ["invalid_merge"]
    assert api.post("/contacts/merge", {"from": first}).status == 400


# --- visitors ---------------------------------------------------------------------------------------------


def test_a_visitor_becomes_a_user(api):
    """Converting a visitor creates a user and removes the visitor."""
    api.workspace.add_visitor(user_id="v0")
    visitor = api.workspace.add_visitor(user_id="v1", email="v@example.com")
    assert api.get("/visitors?user_id=v1").body["id"] == visitor
    assert api.put("/visitors", {"id": visitor, "name": "Vi"}).body["name"] == "Vi"

    order = {
        "type": "user",
        "user": {"user_id": "u1", "email": "v@example.com"},
        "visitor": {"user_id": "v1"},
    }
    answer = api.post("/visitors/convert", order)

    assert (answer.body["role"], answer.body["external_id"]) == ("user", "u1")
    assert refusal(api.get("/visitors?user_id=v1")) == (404, "not_found", "Visitor Not Found")
    assert refusal(api.post("/visitors/convert", order)) == (404, "not_found", "Visitor Not Found")


@pytest.mark.parametrize("name", ["id", "user_id", "email"])
def test_a_visitor_is_merged_into_a_known_user(api, name):
    """A conversion can name the user by Intercom's id, user_id or e-mail."""
    user = api.contact(external_id="u1", email="a@example.com")
    api.workspace.add_visitor(user_id="v1")
    named = {"id": user, "user_id": "u1", "email": "a@example.com"}[name]

    answer = api.post(
        "/visitors/convert", {"type": "user", "user": {name: named}, "visitor": {"user_id": "v1"}}
    )

    assert answer.body["id"] == user


def test_a_visitor_does_not_revive_a_deleted_user(api):
    """A conversion into a deleted user's external id is a conflict."""
    user = api.contact(external_id="u1")
    api.delete(f"/contacts/{user}")
    api.workspace.add_visitor(user_id="v1")

    answer = api.post(
        "/visitors/convert", {"type": "user", "user": {"user_id": "u1"}, "visitor": {"user_id": "v1"}}
    )

    assert answer.status == 409


def test_a_visitor_becomes_a_lead(api):
    """A visitor converted to a lead gets an external id from Intercom."""
    api.workspace.add_visitor(user_id="v1")

    answer = api.post(
        "/visitors/convert",
        {"type": "lead", "user": {"email": "x@example.com"}, "visitor": {"user_id": "v1"}},
    )

    assert answer.body["role"] == "lead"


@pytest.mark.parametrize(
    ("change", "status"), [({"type": "admin"}, 400), ({"user": {"id": "nobody"}}, 404), ({"extra": 1}, 200)]
)
def test_bad_conversions_are_refused(api, change, status):
    """Unknown roles, users and visitors are refused, and an unknown field is ignored."""
    api.workspace.add_visitor(user_id="v1")
    order = {"type": "user", "user": {"user_id": "u1"}, "visitor": {"user_id": "v1"}, **change}

    assert api.post("/visitors/convert", order).status == status
