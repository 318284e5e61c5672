"""Tags, notes, subscriptions, segments, admins and the token's owner."""

from __future__ import annotations

import pytest

from metarouter_intercom.sandbox import Segment

from ..api_calls import Api, refusal

LOST = (404, "not_found", "Resource Not Found")


def test_a_tag_is_found_again_whatever_its_case(api):
    """POST /tags returns the tag with that name in any case, creates a new one, or with an id renames it."""
    tag = api.tag("VIP")

    assert api.tag("vip") == tag
    assert api.post("/tags", {"name": "Gold", "id": tag}).body["name"] == "Gold"
    assert [one["name"] for one in api.get("/tags").body["data"]] == ["Gold"]
    assert api.get(f"/tags/{tag}").body["id"] == tag
    assert refusal(api.post("/tags", {"name": "x", "id": "999"})) == LOST


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 5},
        {"name": "x", "users": [], "companies": []},
        {"name": "x", "users": {}},
        {"name": "x", "companies": [{"untag": True}]},
        {"name": "x", "companies": [{"id": "a", "untag": "yes"}]},
    ],
)
def test_malformed_tags_are_violations(api, body):
    """A tag without a name or with values of another type is a violation."""
    assert api.post("/tags", body, version="2.16").status == 400
    assert len(api.rules()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "zodiac": 1},
        {"name": "x", "users": [{"id": "a", "untag": True}]},
        {"name": "x", "companies": [{"company_id": "a", "zodiac": 1}]},
        {"name": "x", "users": [], "zodiac": 1},
        {"name": "x", "companies": [], "zodiac": 1},
    ],
)
def test_unknown_fields_of_a_tag_are_ignored(api, body):
    """No source says that Intercom refuses an unknown field of a tag: it is ignored, and a violation."""
    assert api.post("/tags", body).status == 200
    assert api.rules() == ["unknown_field"]


def test_the_text_of_a_bad_tag(api):
    """A bad tag gets the documented text."""
    assert refusal(api.post("/tags", {})) == (400, "parameter_invalid", "invalid tag parameters")


def test_many_contacts_are_tagged_at_once(api):
    """Since 2.16 the response says which contacts were tagged and which do not exist."""
    contact = api.contact(external_id="u1")
    archived = api.contact(external_id="u2")
    api.post(f"/contacts/{archived}/archive")
    users = [{"id": contact}, {"id": "nobody"}, {"id": archived}]

    answer = api.post("/tags", {"name": "vip", "users": users})

    assert answer.body["users"] == [
        {"id": contact, "tagged": True},
        {"id": "nobody", "tagged": False},
        {"id": archived, "tagged": False},
    ]
    [tag] = api.get(f"/contacts/{contact}/tags").body["data"]
    assert (tag["name"], tag["applied_at"]) == ("vip", int(api.now))


def test_before_2_16_one_missing_entity_refuses_the_tagging(api):
    """Before 2.16 one missing contact or company refuses the request, and nothing is tagged."""
    contact, company = api.contact(external_id="u1"), api.company()

    users = api.post("/tags", {"name": "vip", "users": [{"id": contact}, {"id": "x"}]}, version="2.15")
    companies = api.post(
        "/tags", {"name": "vip", "companies": [{"id": company}, {"id": "x"}]}, version="2.15"
    )

    assert (users.status, companies.status) == (404, 404)
    assert api.get("/tags").body["data"] == []
    answer = api.post("/tags", {"name": "vip", "users": [{"id": contact}]}, version="2.15")
    assert answer.body == {"type": "tag", "id": api.tag("vip"), "name": "vip"}


def test_companies_are_tagged_and_untagged(api):
    """A request names companies by Intercom's id or by company_id."""
    company = api.company("acme")

    answer = api.post("/tags", {"name": "vip", "companies": [{"company_id": "acme"}, {"id": "x"}]})

    assert answer.body["companies"] == [{"id": "acme", "tagged": True}, {"id": "x", "tagged": False}]
    assert [one["name"] for one in api.get(f"/companies/{company}").body["tags"]["tags"]] == ["vip"]
    tag_id = answer.body["id"]
    contact = api.contact(external_id="u1")
    api.post(f"/contacts/{contact}/companies", {"id": company})
    assert api.get(f"/companies?tag_id={tag_id}").body["total_count"] == 1
    untagged = api.post("/tags", {"name": "vip", "companies": [{"id": company, "untag": True}]})
    assert untagged.body["companies"] == [{"id": company, "tagged": False}]
    assert api.get(f"/companies?tag_id={tag_id}").body["total_count"] == 0


def test_a_deleted_tag_is_removed_everywhere(api):
    """Deleting a tag answers 200 without a body and removes it from contacts and companies."""
    contact, tag = api.contact(external_id="u1"), api.tag()
    api.company("acme")
    api.post(f"/contacts/{contact}/tags", {"id": tag})

    answer = api.delete(f"/tags/{tag}")

    assert (answer.status, answer.body) == (200, None)
    assert api.get(f"/contacts/{contact}/tags").body["data"] == []
    assert refusal(api.get(f"/tags/{tag}")) == LOST


def test_a_tag_in_use_stays():
    """A tag that the settings list as in use cannot be deleted."""
    api = Api(in_use=("vip",))
    tag = api.tag("vip")

    assert api.delete(f"/tags/{tag}").body["errors"][0]["code"] == "tag_has_dependent_objects"


def test_a_contact_is_tagged_by_the_tags_id(api):
    """Tagging again keeps the first time, and an unknown tag gets 404."""
    contact, tag = api.contact(external_id="u1"), api.tag()
    place = f"/contacts/{contact}/tags"
    first = api.post(place, {"id": tag}).body
    api.now += 60

    assert api.post(place, {"id": tag}).body == first
    assert refusal(api.post(place, {"id": "999"})) == LOST
    assert api.delete(f"{place}/{tag}").body["id"] == tag
    assert refusal(api.delete(f"{place}/{tag}")) == LOST
    assert api.post(place, {}).status == 400


# --- notes, subscriptions, segments, admins ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["contact", "company"])
def test_notes(api, kind):
    """Notes are listed the newest first with their author."""
    owner = api.contact(external_id="u1") if kind == "contact" else api.company()
    place = f"/{'contacts' if kind == 'contact' else 'companies'}/{owner}/notes"

    note = api.post(place, {"body": "Hello", "admin_id": 991267459}).body
    api.post(place, {"body": "Again"})

    assert (note["body"], note["author"]["name"], note[kind]["id"]) == ("<p>Hello</p>", "Ada Example", owner)
    assert [one["body"] for one in api.get(place).body["data"]] == ["<p>Again</p>", "<p>Hello</p>"]
    assert api.get(f"/notes/{note['id']}").body == note
    assert refusal(api.get("/notes/999")) == LOST
    assert refusal(api.post(place, {"body": "x", "admin_id": "7"})) == LOST
    assert api.post(place, {"body": ""}).status == 400
    nowhere = place.replace(owner, "nothing")
    assert api.get(nowhere).status == 404
    assert api.post(nowhere, {"body": "x"}).status == 404


def test_consent(api):
    """Only the contact's own choices are listed, and the contact shows them."""
    contact = api.contact(external_id="u1")
    place = f"/contacts/{contact}/subscriptions"
    [news, texts] = api.get("/subscription_types").body["data"]

    assert api.get(place).body["data"] == []
    assert api.post(place, {"id": news["id"], "consent_type": "opt_out"}).body == news
    api.post(place, {"id": texts["id"], "consent_type": "opt_in"})
    assert api.get(place).body["data"] == [news, texts]
    shown = api.get(f"/contacts/{contact}").body
    assert shown["opted_out_subscription_types"]["data"][0]["id"] == news["id"]
    assert shown["opted_in_subscription_types"]["data"][0]["id"] == texts["id"]
    assert api.delete(f"{place}/{news['id']}").body == news
    assert api.get(place).body["data"] == [texts]


def test_the_consent_type_is_that_of_the_subscription_type(api):
    """Intercom does not document the answer to another consent type, so it is stored and recorded as a violation."""
    place = f"/contacts/{api.contact(external_id='u1')}/subscriptions"

    assert api.post(place, {"id": "93", "consent_type": "opt_out"}).status == 200
    assert api.rules() == ["foreign_consent_type"]


def test_bad_consent(api):
    """An unknown subscription type gets 404, and an unknown choice is a violation."""
    place = f"/contacts/{api.contact(external_id='u1')}/subscriptions"

    assert refusal(api.post(place, {"id": "1", "consent_type": "opt_in"})) == LOST
    assert refusal(api.delete(f"{place}/1")) == LOST
    assert api.post(place, {"id": "91", "consent_type": "maybe"}).status == 400
    assert api.rules() == ["bad_consent"]


def test_segments(api):
    """The segments of the settings are listed and can be read one by one, with a count only on request."""
    listed = api.get("/segments").body

    assert (listed["type"], [one["name"] for one in listed["segments"]]) == (
        "segment.list",
        ["New", "Active"],
    )
    [new, _] = listed["segments"]
    assert api.get(f"/segments/{new['id']}").body == new
    assert (new["type"], new["person_type"], "count" in new) == ("segment", "user", False)
    assert api.get(f"/segments/{new['id']}?include_count=true").body == {**new, "count": 0}
    assert api.get("/segments?include_count=true").body["segments"][0]["count"] == 0
    assert refusal(api.get("/segments/nothing")) == LOST
    own = Api(segments=(Segment(id="5", name="Leads", person_type="contact"),))
    assert own.get("/segments/5").body["person_type"] == "contact"


def test_nobody_is_in_a_segment(api):
    """The segments of a contact and of a company are empty lists, and unknown contacts and companies get 404."""
    contact, company = api.contact(external_id="u1"), api.company()

    assert api.get(f"/contacts/{contact}/segments").body["data"] == []
    assert api.get(f"/companies/{company}/segments").body["data"] == []
    assert api.get("/companies/nothing/segments").status == 404


def test_admins(api):
    """The admins of the settings are listed and can be read one by one."""
    [first, _] = api.get("/admins").body["admins"]

    assert api.get(f"/admins/{first['id']}").body == first
    assert refusal(api.get("/admins/7")) == (404, "admin_not_found", "Admin not found")


def test_me_describes_the_workspace():
    """GET /me shows the app's id, name and region from the settings."""
    api = Api(app_id="9iefb489", name="Ours", region="EU")

    app = api.get("/me").body["app"]

    assert (app["id_code"], app["name"], app["region"]) == ("9iefb489", "Ours", "EU")
