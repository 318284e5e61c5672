"""How a contact is updated, found or created (rules M1, I2, R8), and when nothing is sent (rule O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.contacts import upsert_contact
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.operations import Who
from metarouter_intercom.plugins import Note, Request, Response

from .._support.flow_driving import (
    ANY,
    NOW,
    contact,
    make_cache,
    make_world,
    merged_into,
    missing,
    ok,
    play,
    refusal,
    search_page,
)
from .contact_upserts import BODY, SEARCH, by_mail, knowing, lead_upsert, upsert

_UNCHANGED = DELIVERED._replace(unchanged=True)


def _query(field, value, after=None):
    pagination = {"per_page": 150} if after is None else {"per_page": 150, "starting_after": after}
    return {"query": {"field": field, "operator": "=", "value": value}, "pagination": pagination}


# --- a contact whose id is known -------------------------------------------------------------------------------


def test_a_known_contact_costs_one_request():
    """A remembered id is written to at once (rules M1, O4)."""
    result = play(upsert_contact(upsert(), make_world(knowing())), ("PUT /contacts/c1", BODY, contact("c1")))

    assert result == DELIVERED


@pytest.mark.parametrize("gone", [missing(), refusal(410, "merged"), refusal(410, headers={"link": "odd"})])
def test_an_id_that_proves_wrong_is_forgotten(gone):
    """After a 404, or a 410 without a link, the id is forgotten and the contact created (rule M1)."""
    cache = knowing()

    result = play(
        upsert_contact(upsert(), make_world(cache)),
        ("PUT /contacts/c1", BODY, gone),
        ("POST /contacts", BODY, contact("c2")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c2")


def test_a_merged_contact_is_followed_three_times():
    """The link of a 410 leads to the contact that this one was merged into, which is remembered (rule M1)."""
    cache = knowing("anonymous:a1", "c0")

    result = play(
        upsert_contact(lead_upsert(), make_world(cache)),
        ("PUT /contacts/c0", ANY, merged_into("c1")),
        ("PUT /contacts/c1", ANY, merged_into("c2")),
        ("PUT /contacts/c2", ANY, merged_into("c3")),
        ("PUT /contacts/c3", ANY, contact("c3")),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c3")


@pytest.mark.parametrize("chain", [["c1", "c2", "c3", "c4"], ["c0"], ["c1", "c0"]])
def test_a_chain_of_links_ends(chain):
    """A circle, or more than three links, is given up, and the contact is searched and created (rule M1)."""
    cache = knowing("anonymous:a1", "c0")
    at = ["c0", *chain][: len(chain)]

    result = play(
        upsert_contact(lead_upsert(), make_world(cache)),
        *[
            (f"PUT /contacts/{one}", ANY, merged_into(next_one))
            for one, next_one in zip(at, chain, strict=True)
        ],
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, contact("c9")),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c9")


@pytest.mark.parametrize(
    ("link", "is_followed"),
    [
        ('</contacts/c2>; rel="canonical"', True),
        ("</contacts/c2>; rel=canonical", True),
        ('<https://api.intercom.io/contacts/c2>; rel="canonical"', True),
        ('</contacts/c2>;rel="canonical"; title="x"', True),
        ('</contacts/c2>; title="x"; rel="canonical"', True),
        ('</companies/x>; rel="up", </contacts/c2>; rel="canonical"', True),
        ('</contacts/c2>; rel="next"', False),
        ("", False),
    ],
)
def test_the_forms_of_a_link(link, is_followed):
    """The link names the canonical contact, with or without quotes, host and further links (rule M1)."""
    gone = refusal(410, code="contact_merged", headers={"link": link})
    after = [("PUT /contacts/c2", ANY, contact("c2"))]
    if not is_followed:
        after = [(SEARCH, ANY, search_page()), ("POST /contacts", ANY, contact("c3"))]

    result = play(
        upsert_contact(lead_upsert(), make_world(knowing("anonymous:a1"))),
        ("PUT /contacts/c1", ANY, gone),
        *after,
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("canonical", "writes_id"),
    [
        (contact("c2", external_id="u1"), True),
        (contact("c2", external_id=None), True),
        (contact("c2", external_id="u2"), False),
        (missing(), False),
    ],
)
def test_a_merged_user_does_not_take_over_the_one_it_became(canonical, writes_id):
    """The contact after a merge gets the values, and the external id only when it has ours or none, now and later (rule M1)."""
    cache = knowing()
    body = BODY if writes_id else {"role": "user", "name": "Ann"}

    first = play(
        upsert_contact(upsert(), make_world(cache)),
        ("PUT /contacts/c1", BODY, merged_into("c2")),
        ("GET /contacts/c2", None, canonical),
        ("PUT /contacts/c2", body, contact("c2")),
    )
    again = play(upsert_contact(upsert(), make_world(cache)))
    later = play(
        upsert_contact(upsert(name="Bea"), make_world(cache)),
        ("PUT /contacts/c2", {**body, "name": "Bea"}, contact("c2")),
    )

    assert (first, again, later) == (DELIVERED, _UNCHANGED, DELIVERED)


def test_a_failed_look_at_a_merged_contact_is_retried():
    """When Intercom does not say whose the merged contact is, nothing is written and the message is retried (rules M1, T1)."""
    result = play(
        upsert_contact(upsert(), make_world(knowing())),
        ("PUT /contacts/c1", BODY, merged_into("c2")),
        ("GET /contacts/c2", None, refusal(500)),
    )

    assert (result.kind, result.status) == ("retry", 500)


def test_an_id_that_the_message_names_wins():
    """Intercom's id in the message comes before every other id, and the external id is written there (rule R8)."""
    who = Who(contact_id="c7", external_id="u1")

    result = play(
        upsert_contact(upsert(who), make_world(knowing())), ("PUT /contacts/c7", BODY, contact("c7"))
    )

    assert result == DELIVERED


def test_a_named_contact_that_does_not_exist():
    """For a named contact that does not exist another id of the message is used; without one the message is dead (rule M1)."""
    alone = play(
        upsert_contact(upsert(Who(contact_id="c7"), None), make_world()),
        ("PUT /contacts/c7", {"name": "Ann"}, missing()),
    )
    with_another = play(
        upsert_contact(upsert(Who(contact_id="c7", external_id="u1")), make_world()),
        ("PUT /contacts/c7", BODY, missing()),
        ("POST /contacts", BODY, contact("c8")),
    )

    assert (alone.kind, alone.reason) == ("dead", "contact_missing")
    assert with_another == DELIVERED


def test_ids_are_quoted_in_paths():
    """Any text that a caller uses as an id is one segment of the path."""
    result = play(
        upsert_contact(upsert(Who(contact_id="../me?x=1"), None), make_world()),
        ("PUT /contacts/..%2Fme%3Fx%3D1", ANY, ok()),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "dead"), (401, "held"), (403, "held"), (429, "retry"), (500, "retry")]
)
def test_other_responses_to_a_write_are_classified(status, kind):
    """Any other status means what the table of statuses says (rule T1)."""
    known = play(upsert_contact(upsert(), make_world(knowing())), ("PUT /contacts/c1", ANY, refusal(status)))
    unknown = play(upsert_contact(upsert(), make_world()), ("POST /contacts", ANY, refusal(status)))

    assert (known.kind, unknown.kind) == (kind, kind)


# --- a contact whose id is not known ---------------------------------------------------------------------------


def test_a_new_contact_costs_one_request_and_is_remembered():
    """A new contact is created at once, and its id and values are remembered (rule M1)."""
    cache = make_cache()

    result = play(upsert_contact(upsert(), make_world(cache)), ("POST /contacts", BODY, contact("c1")))
    again = play(upsert_contact(upsert(), make_world(cache)))

    assert (result, again, cache.contact_id("user:u1")) == (DELIVERED, _UNCHANGED, "c1")


@pytest.mark.parametrize("body", [None, {}, [], {"id": 5.5}, {"id": ""}, {"id": True}])
def test_a_success_without_an_id_is_not_remembered(body):
    """Every 2xx means delivered; without an id in it the next message asks again (rule T1)."""
    cache = make_cache()

    result = play(upsert_contact(upsert(), make_world(cache)), ("POST /contacts", ANY, Response(200, body)))

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, None)


# --- contacts known by their e-mail address alone ----------------------------------------------------------------------------


def test_an_address_alone_is_searched_first():
    """A contact known by its address alone is searched in lower case before anything is written (rules M1, I2)."""
    cache = make_cache()

    result = play(
        upsert_contact(by_mail(), make_world(cache)),
        (
            SEARCH,
            _query("email", "ann@example.com"),
            search_page({"id": "c1", "role": "user", "email": "ANN@example.com"}),
        ),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert (result, cache.contact_id("email:ann@example.com")) == (DELIVERED, "c1")


def test_several_users_with_one_address_end_the_message():
    """Several users with one address end the message, so that no duplicate is made (rule I2)."""
    users = [{"id": f"c{at}", "role": "user", "email": "ann@example.com"} for at in (1, 2)]

    result = play(upsert_contact(by_mail(), make_world()), (SEARCH, ANY, search_page(*users)))

    assert (result.kind, result.reason) == ("dead", "ambiguous_email")


def test_a_user_is_created_beside_leads():
    """Leads, and contacts that match the search only roughly, are not the user (rule I2)."""
    others = [
        {"id": "c1", "role": "lead", "email": "ann@example.com"},
        {"id": "c2", "role": "user", "email": "ann@example.com.example"},
        {"id": "c3", "role": "user"},
    ]

    result = play(
        upsert_contact(by_mail(), make_world()),
        (SEARCH, ANY, search_page(*others)),
        ("POST /contacts", {"role": "user", "email": "Ann@Example.com"}, contact("c4")),
    )

    assert result == DELIVERED


def test_a_new_contact_is_remembered_before_searches_show_it():
    """A contact that was created a moment ago is not found by a search, so its id is remembered (rule M1)."""
    cache = make_cache()
    play(
        upsert_contact(by_mail(), make_world(cache)),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, contact("c1")),
    )

    result = play(
        upsert_contact(by_mail(name="Ann"), make_world(cache)),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com", "name": "Ann"}, contact("c1")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(500), ("retry", "http_500")),
        (refusal(400), ("dead", "http_400")),
        (ok([]), ("retry", "unreadable_answer")),
        (ok({"data": None}), ("retry", "unreadable_answer")),
    ],
)
@pytest.mark.parametrize("role", ["user", "lead"])
def test_a_failed_search_creates_nobody(answer, expected, role):
    """Without a result of the search nothing is created, because it could be a duplicate (rule M1)."""
    result = play(upsert_contact(by_mail(role), make_world()), (SEARCH, ANY, answer))

    assert (result.kind, result.reason) == expected


def test_a_found_contact_that_vanished_is_retried():
    """Searches show deleted contacts for a while; the message is sent again later (rule M1)."""
    result = play(
        upsert_contact(by_mail(), make_world()),
        (SEARCH, ANY, search_page({"id": "c1", "role": "user", "email": "ann@example.com"})),
        ("PUT /contacts/c1", ANY, missing()),
    )

    assert (result.kind, result.reason) == ("retry", "contact_vanished")


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([{"id": "c1", "role": "lead", "email": "ANN@example.com"}], "PUT /contacts/c1"),
        ([{"id": "c2", "role": "user", "email": "ann@example.com"}], "PUT /contacts/c2"),
        ([{"id": "c1", "role": "lead", "email": "x@example.com"}], "POST /contacts"),
    ],
)
def test_a_lead_by_address_is_the_user_or_lead_with_it(others, expected):
    """A lead is the user with its address, else the lead with it; the role of an existing contact is not written (rule I9)."""
    body = {"email": "Ann@Example.com"} | ({"role": "lead"} if expected.startswith("POST") else {})
    searches = [(SEARCH, ANY, search_page(*others))]
    if others[0]["role"] == "lead":
        searches *= 2

    result = play(upsert_contact(by_mail("lead"), make_world()), *searches, (expected, body, contact("c3")))

    assert result == DELIVERED


def test_a_user_is_created_beside_a_remembered_lead():
    """A remembered lead is not the user of the same address; once the user is created, it is the remembered one (rules I2, O4)."""
    cache = make_cache()
    lead = {"id": "c1", "role": "lead", "email": "ann@example.com"}
    play(
        upsert_contact(by_mail("lead"), make_world(cache)),
        (SEARCH, ANY, search_page()),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", {"role": "lead", "email": "Ann@Example.com"}, contact("c1", role="lead")),
    )
    play(upsert_contact(by_mail("lead"), make_world(cache)))
    play(
        upsert_contact(by_mail(), make_world(cache)),
        (SEARCH, ANY, search_page(lead)),
        ("POST /contacts", {"role": "user", "email": "Ann@Example.com"}, contact("c2")),
    )

    assert play(upsert_contact(by_mail(), make_world(cache))) == _UNCHANGED
    assert cache.contact_id("email:ann@example.com") == "c2"


def test_a_remembered_lead_that_became_a_user_is_that_user():
    """A remembered lead that somebody made a user is found by one search (rule I2)."""
    cache = make_cache()
    lead = {"id": "c1", "role": "lead", "email": "ann@example.com"}
    play(
        upsert_contact(by_mail("lead"), make_world(cache)),
        (SEARCH, ANY, search_page(lead)),
        (SEARCH, ANY, search_page(lead)),
        ("PUT /contacts/c1", {"email": "Ann@Example.com"}, contact("c1")),
    )
    play(
        upsert_contact(by_mail(), make_world(cache)),
        (SEARCH, ANY, search_page({**lead, "role": "user"})),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert play(upsert_contact(by_mail(), make_world(cache))) == _UNCHANGED


def test_a_failed_search_for_leads_creates_nobody():
    """When the search for leads fails, nothing is created and the message is retried (rule M1)."""
    result = play(
        upsert_contact(by_mail("lead"), make_world()),
        (SEARCH, ANY, search_page()),
        (SEARCH, ANY, refusal(503)),
    )

    assert (result.kind, result.status) == ("retry", 503)


# --- leads ----------------------------------------------------------------------------------------------------


def test_a_lead_is_searched_by_its_attribute_before_it_is_created():
    """The anonymous id is an attribute, because a lead cannot have it as external id (rule R8)."""
    cache = make_cache()

    result = play(
        upsert_contact(lead_upsert(), make_world(cache)),
        (SEARCH, _query("custom_attributes.anonymous_id", "a1"), search_page()),
        (
            "POST /contacts",
            {"role": "lead", "name": "Ann", "custom_attributes": {"anonymous_id": "a1"}},
            contact("c1", role="lead"),
        ),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c1")


@pytest.mark.parametrize("status", [400, 404, 422])
def test_the_attribute_of_leads_may_not_exist_yet(status):
    """When the workspace lacks the attribute, there is no such lead, and the write creates the attribute (rule R8)."""
    body = {"role": "lead", "name": "Ann", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        upsert_contact(lead_upsert(), make_world()),
        (SEARCH, ANY, refusal(status)),
        ("POST /contacts", body, refusal(400, "Custom attribute 'anonymous_id' does not exist")),
        ("GET /data_attributes", None, search_page()),
        ("POST /data_attributes", {"name": "anonymous_id", "model": "contact", "data_type": "string"}, ok()),
        ("POST /contacts", body, contact("c1", role="lead")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize("role", ["lead", "user"])
def test_an_existing_lead_is_written_without_a_role(role):
    """A lead that became a user stays one, and only an exact match of the anonymous id counts (rules R8, I9)."""
    there = {"id": "c1", "role": role, "custom_attributes": {"anonymous_id": "a1"}}
    other = {"id": "c2", "role": "lead", "custom_attributes": {"anonymous_id": "A1"}}

    result = play(
        upsert_contact(lead_upsert(), make_world()),
        (SEARCH, ANY, search_page({"id": "c0", "custom_attributes": None}, other, there)),
        ("PUT /contacts/c1", {"name": "Ann", "custom_attributes": {"anonymous_id": "a1"}}, contact("c1")),
    )

    assert result == DELIVERED


def test_the_user_whom_a_lead_became_is_preferred():
    """After a merge the user has the attribute, and comes before a lead that has it too (rule R8)."""
    lead = {"id": "c1", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}
    user = {"id": "c2", "role": "user", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        upsert_contact(lead_upsert(), make_world()),
        (SEARCH, ANY, search_page(lead, user)),
        ("PUT /contacts/c2", ANY, contact("c2")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(("status", "kind"), [(500, "retry"), (429, "retry"), (401, "held")])
def test_a_failed_search_for_a_lead_creates_nobody(status, kind):
    """No lead is created while nobody knows whether it exists (rule R8)."""
    result = play(upsert_contact(lead_upsert(), make_world()), (SEARCH, ANY, refusal(status)))

    assert result.kind == kind


# --- when nothing would change ---------------------------------------------------------------------------------


def _written(first, *, cache=None, **settings):
    """Return a cache after *first* was written to the known contact."""
    cache = cache or knowing()
    play(upsert_contact(first, make_world(cache, **settings)), ("PUT /contacts/c1", ANY, contact("c1")))
    return cache


@pytest.mark.parametrize(
    "second",
    [
        upsert(name="Ann", phone="1", attributes={"plan": "pro"}),
        upsert(name="Ann"),
        upsert(attributes={"plan": "pro"}, phone="1"),
    ],
)
def test_what_was_written_is_not_written_again(second):
    """The same values, or some of them, send nothing (rule O3)."""
    cache = _written(upsert(name="Ann", phone="1", attributes={"plan": "pro"}))

    assert play(upsert_contact(second, make_world(cache))) == _UNCHANGED


@pytest.mark.parametrize(
    "second",
    [
        upsert(name="Bea"),
        upsert(name="Ann", phone=None),
        upsert(name="Ann", attributes={"plan": "free"}),
        upsert(name="Ann", attributes={"plan": None}),
        upsert(name="Ann", attributes={"name": "Ann"}),
    ],
)
def test_what_differs_is_written(second):
    """One changed, cleared or new value sends the whole write (rule O3)."""
    cache = _written(upsert(name="Ann", attributes={"plan": "pro"}))

    result = play(upsert_contact(second, make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1")))

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("after", "within", "is_sent"), [(3599, 3600, False), (3600, 3600, True), (0, 0, True), (-1, 3600, True)]
)
def test_a_fingerprint_expires(after, within, is_sent):
    """A fingerprint is kept for ``unchanged_for`` seconds; 0 keeps none, and a clock that was set back is not trusted (rule O3)."""
    cache = _written(upsert())

    exchanges = [("PUT /contacts/c1", ANY, contact("c1"))] if is_sent else []
    result = play(
        upsert_contact(upsert(), make_world(cache, now=NOW + after, unchanged_for=within)), *exchanges
    )

    assert result.unchanged is not is_sent


@pytest.mark.parametrize(
    ("seen", "resolution", "is_sent"),
    [
        (1000, 300, False),
        (1299, 300, False),
        (1300, 300, True),
        (701, 300, False),
        (700, 300, True),
        (1000, 0, False),
        (1001, 0, True),
    ],
)
def test_last_seen_alone_is_refreshed_at_intervals(seen, resolution, is_sent):
    """``last_seen_at`` alone is written when it moved by ``last_seen_resolution`` seconds (rule O3)."""
    cache = _written(upsert(last_seen_at=1000))

    exchanges = [("PUT /contacts/c1", ANY, contact("c1"))] if is_sent else []
    world = make_world(cache, last_seen_resolution=resolution)
    result = play(upsert_contact(upsert(last_seen_at=seen), world), *exchanges)

    assert result.unchanged is not is_sent


def test_a_first_last_seen_is_written():
    """A ``last_seen_at`` that was never written is written (rule O3)."""
    cache = _written(upsert(name="Ann"))

    result = play(
        upsert_contact(upsert(name="Ann", last_seen_at=5), make_world(cache)),
        ("PUT /contacts/c1", ANY, contact("c1")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize("answer", [refusal(500), refusal(400), ReadFailed("cut")])
def test_a_failed_write_leaves_no_fingerprint(answer):
    """After a write without a clear response nobody knows what the contact holds, so the next write is sent (rule O3)."""
    cache = _written(upsert(name="Ann"))
    flow = upsert_contact(upsert(name="Bea"), make_world(cache))
    if isinstance(answer, Exception):
        with pytest.raises(ReadFailed):
            play(flow, ("PUT /contacts/c1", ANY, answer))
    else:
        play(flow, ("PUT /contacts/c1", ANY, answer))

    result = play(
        upsert_contact(upsert(name="Ann"), make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1"))
    )

    assert result == DELIVERED


def test_an_abandoned_write_leaves_no_fingerprint():
    """After a write whose response was not awaited, because the client closed, the next write is sent (rule O3)."""
    cache = _written(upsert(name="Ann"))
    flow = upsert_contact(upsert(name="Bea"), make_world(cache))
    assert next(flow) == Request("PUT", "/contacts/c1", {**BODY, "name": "Bea"})
    flow.close()

    result = play(
        upsert_contact(upsert(name="Ann"), make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1"))
    )

    assert result == DELIVERED


def test_what_was_left_out_is_not_remembered_as_written():
    """A refused value was not written, so the next message sends it again (rules O3, M3)."""
    cache = knowing()
    result = play(
        upsert_contact(upsert(name="Ann", owner_id=5), make_world(cache)),
        ("PUT /contacts/c1", {**BODY, "owner_id": "5"}, refusal(400, "The owner is not a member")),
        ("PUT /contacts/c1", BODY, contact("c1")),
    )

    again = play(
        upsert_contact(upsert(name="Ann", owner_id=5), make_world(cache)),
        ("PUT /contacts/c1", {**BODY, "owner_id": "5"}, contact("c1")),
    )

    assert result.notes == (Note("M3", "owner_id", "Intercom refused this value"),)
    assert again == DELIVERED


def test_a_refused_attribute_changes_nothing():
    """An attribute that is refused for an hour is not sent, so it cannot change anything, and a note says so (rules O3, A6)."""
    cache = _written(upsert(name="Ann"))
    cache.refuse("contact", "plan", NOW)

    result = play(upsert_contact(upsert(name="Ann", attributes={"plan": "pro"}), make_world(cache)))

    note = Note("A6", "custom_attributes.plan", "the workspace does not take this attribute")
    assert result == _UNCHANGED._replace(notes=(note,))


def test_an_attribute_without_room_changes_nothing():
    """An attribute that would not be created cannot change anything either, and a note says so (rules O3, A7)."""
    cache = _written(upsert(name="Ann"))
    cache.list_attributes({"contact": ["seats"], "company": []}, NOW)

    result = play(
        upsert_contact(
            upsert(name="Ann", attributes={"plan": "pro", "gone": None}),
            make_world(cache, attribute_budget=1),
        )
    )

    note = Note("A7", "custom_attributes.plan", "the budget for attributes is used up")
    assert result == _UNCHANGED._replace(notes=(note,))


def test_null_for_a_missing_attribute_changes_nothing():
    """Null for an attribute that does not exist changes nothing, so nothing is sent (rules O3, A1)."""
    cache = _written(upsert(name="Ann"))
    cache.list_attributes({"contact": ["seats"]}, NOW)
    cleared = upsert(name="Ann", attributes={"plan": None})
    known = upsert(name="Ann", attributes={"seats": None})

    assert play(upsert_contact(cleared, make_world(cache))) == _UNCHANGED
    assert play(upsert_contact(known, make_world(cache)), ("PUT /contacts/c1", ANY, ok())) == DELIVERED


def test_an_owner_is_the_same_in_every_version():
    """An owner is one value, whether the version of the API writes it as a text or a number (rules I8, O3)."""
    cache = _written(upsert(owner_id=5))

    assert play(upsert_contact(upsert(owner_id=5), make_world(cache, api_version="2.11"))) == _UNCHANGED


def test_an_unchanged_lead_sends_nothing():
    """The role of an existing lead is not written, so it makes no difference (rule O3)."""
    cache = _written(lead_upsert(), cache=knowing("anonymous:a1"))

    assert play(upsert_contact(lead_upsert(), make_world(cache))) == _UNCHANGED


def test_a_write_that_cannot_be_repaired_ends_with_its_notes():
    """A message that ends keeps the notes of what was left out before (rule M3)."""
    known = play(
        upsert_contact(upsert(owner_id=5), make_world(knowing())),
        ("PUT /contacts/c1", ANY, refusal(400, "The owner is not a member")),
        ("PUT /contacts/c1", ANY, refusal(400, "No")),
    )
    failing = make_world(knowing(), unknown_attributes="fail")
    unknown = play(
        upsert_contact(upsert(attributes={"plan": "pro"}), failing),
        ("PUT /contacts/c1", ANY, refusal(400, "Custom attribute 'plan' does not exist")),
    )
    created = play(
        upsert_contact(upsert(attributes={"plan": "pro"}), make_world(unknown_attributes="fail")),
        ("POST /contacts", ANY, refusal(400, "Custom attribute 'plan' does not exist")),
    )

    assert (known.reason, [note.path for note in known.notes]) == ("http_400", ["owner_id"])
    assert (unknown.reason, created.reason) == ("unknown_attribute", "unknown_attribute")
