"""Contacts without an upsert in the API (rules M1, I2, R8), and what would change nothing (O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.contacts import upsert_contact
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.operations import UpsertContact, Who
from metarouter_intercom.plugins import Note, Request, Response

from .._support.flow_driving import (
    ANY,
    NOW,
    conflict,
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

_USER = Who(external_id="u1")
_MAIL = Who(email="Ann@Example.com")
_LEAD = Who(anonymous_id="a1")
_SEARCH = "POST /contacts/search"
_BODY = {"role": "user", "external_id": "u1", "name": "Ann"}
_UNCHANGED = DELIVERED._replace(unchanged=True)


def _upsert(who=_USER, role="user", attributes=None, **fields):
    return UpsertContact(who=who, role=role, fields=fields or {"name": "Ann"}, attributes=attributes or {})


def _by_mail(role="user", **fields):
    return _upsert(_MAIL, role, email="Ann@Example.com", **fields)


def _as_lead(**attributes):
    return _upsert(_LEAD, "lead", {"anonymous_id": "a1", **attributes}, name="Ann")


def _query(field, value, after=None):
    pagination = {"per_page": 150} if after is None else {"per_page": 150, "starting_after": after}
    return {"query": {"field": field, "operator": "=", "value": value}, "pagination": pagination}


def _knowing(key="user:u1", contact_id="c1"):
    cache = make_cache()
    cache.remember_contact(key, contact_id)
    return cache


# --- M1: a contact whose id is known --------------------------------------------------------------------------


def test_a_known_contact_costs_one_request():
    """M1, O4: a remembered id is written to at once."""
    result = play(
        upsert_contact(_upsert(), make_world(_knowing())), ("PUT /contacts/c1", _BODY, contact("c1"))
    )

    assert result == DELIVERED


@pytest.mark.parametrize("gone", [missing(), refusal(410, "merged"), refusal(410, headers={"link": "odd"})])
def test_an_id_that_proves_wrong_is_forgotten(gone):
    """M1: 404, and 410 without a link: forget and go on."""
    cache = _knowing()

    result = play(
        upsert_contact(_upsert(), make_world(cache)),
        ("PUT /contacts/c1", _BODY, gone),
        ("POST /contacts", _BODY, contact("c2")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c2")


def test_a_merged_contact_is_followed_three_hops():
    """M1: the link of a 410 leads to the contact that it became, which is remembered."""
    cache = _knowing("anonymous:a1", "c0")

    result = play(
        upsert_contact(_as_lead(), make_world(cache)),
        ("PUT /contacts/c0", ANY, merged_into("c1")),
        ("PUT /contacts/c1", ANY, merged_into("c2")),
        ("PUT /contacts/c2", ANY, merged_into("c3")),
        ("PUT /contacts/c3", ANY, contact("c3")),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c3")


@pytest.mark.parametrize("chain", [["c1", "c2", "c3", "c4"], ["c0"], ["c1", "c0"]])
def test_a_chain_of_links_ends(chain):
    """M1: no more than three hops, and no circle; then the contact is found anew."""
    cache = _knowing("anonymous:a1", "c0")
    at = ["c0", *chain][: len(chain)]

    result = play(
        upsert_contact(_as_lead(), make_world(cache)),
        *[
            (f"PUT /contacts/{one}", ANY, merged_into(next_one))
            for one, next_one in zip(at, chain, strict=True)
        ],
        (_SEARCH, ANY, search_page()),
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
    """M1: the header names the canonical contact, with or without quotes, host and company."""
    gone = refusal(410, code="contact_merged", headers={"link": link})
    after = [("PUT /contacts/c2", ANY, contact("c2"))]
    if not is_followed:
        after = [(_SEARCH, ANY, search_page()), ("POST /contacts", ANY, contact("c3"))]

    result = play(
        upsert_contact(_as_lead(), make_world(_knowing("anonymous:a1"))),
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
    """M1: the facts follow the link, the external id only to a contact that has ours or none; later writes keep to it."""
    cache = _knowing()
    body = _BODY if writes_id else {"role": "user", "name": "Ann"}

    first = play(
        upsert_contact(_upsert(), make_world(cache)),
        ("PUT /contacts/c1", _BODY, merged_into("c2")),
        ("GET /contacts/c2", None, canonical),
        ("PUT /contacts/c2", body, contact("c2")),
    )
    again = play(upsert_contact(_upsert(), make_world(cache)))
    later = play(
        upsert_contact(_upsert(name="Bea"), make_world(cache)),
        ("PUT /contacts/c2", {**body, "name": "Bea"}, contact("c2")),
    )

    assert (first, again, later) == (DELIVERED, _UNCHANGED, DELIVERED)


def test_whose_a_merged_contact_is_may_stay_unanswered():
    """M1, T1: without knowing that nothing is written."""
    result = play(
        upsert_contact(_upsert(), make_world(_knowing())),
        ("PUT /contacts/c1", _BODY, merged_into("c2")),
        ("GET /contacts/c2", None, refusal(500)),
    )

    assert (result.kind, result.status) == ("retry", 500)


def test_an_id_that_the_message_names_wins():
    """R8: the option ``contact_id`` comes before every other id; the external id is written there."""
    who = Who(contact_id="c7", external_id="u1")

    result = play(
        upsert_contact(_upsert(who), make_world(_knowing())), ("PUT /contacts/c7", _BODY, contact("c7"))
    )

    assert result == DELIVERED


def test_an_id_that_the_message_names_and_nobody_has():
    """M1: where the message tells no other id there is nobody to write to; else it goes on by that one."""
    alone = play(
        upsert_contact(_upsert(Who(contact_id="c7"), None), make_world()),
        ("PUT /contacts/c7", {"name": "Ann"}, missing()),
    )
    with_another = play(
        upsert_contact(_upsert(Who(contact_id="c7", external_id="u1")), make_world()),
        ("PUT /contacts/c7", _BODY, missing()),
        ("POST /contacts", _BODY, contact("c8")),
    )

    assert (alone.kind, alone.reason) == ("dead", "contact_missing")
    assert with_another == DELIVERED


def test_ids_are_quoted_in_paths():
    """An id may hold whatever the caller likes; it stays one segment of the path."""
    result = play(
        upsert_contact(_upsert(Who(contact_id="../me?x=1"), None), make_world()),
        ("PUT /contacts/..%2Fme%3Fx%3D1", ANY, ok()),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (conflict("c9"), "conflict"),
        (conflict("c9", archived=True), "conflict"),
        (refusal(409, "Multiple existing users match this email address"), "ambiguous_email"),
    ],
)
def test_a_conflict_of_a_known_contact_is_the_end(answer, reason):
    """M1: another user has what we would write; never take it over."""
    result = play(upsert_contact(_upsert(), make_world(_knowing())), ("PUT /contacts/c1", ANY, answer))

    assert (result.kind, result.reason, result.status) == ("dead", reason, 409)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "dead"), (401, "held"), (403, "held"), (429, "retry"), (500, "retry")]
)
def test_other_answers_to_a_write_are_classified(status, kind):
    """T1: what no rule routes on ends as its class says."""
    known = play(
        upsert_contact(_upsert(), make_world(_knowing())), ("PUT /contacts/c1", ANY, refusal(status))
    )
    unknown = play(upsert_contact(_upsert(), make_world()), ("POST /contacts", ANY, refusal(status)))

    assert (known.kind, unknown.kind) == (kind, kind)


# --- M1: a contact whose id is not known ----------------------------------------------------------------------


def test_a_new_contact_costs_one_request_and_is_remembered():
    """M1: create first; its id and what was written are known afterwards."""
    cache = make_cache()

    result = play(upsert_contact(_upsert(), make_world(cache)), ("POST /contacts", _BODY, contact("c1")))
    again = play(upsert_contact(_upsert(), make_world(cache)))

    assert (result, again, cache.contact_id("user:u1")) == (DELIVERED, _UNCHANGED, "c1")


@pytest.mark.parametrize("body", [None, {}, [], {"id": 5.5}, {"id": ""}, {"id": True}])
def test_an_answer_without_an_id_teaches_nothing(body):
    """T1: 2xx is delivered; where it holds no contact the next message asks again."""
    cache = make_cache()

    result = play(upsert_contact(_upsert(), make_world(cache)), ("POST /contacts", ANY, Response(200, body)))

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, None)


@pytest.mark.parametrize(
    "theirs",
    [
        {"external_id": "u1"},
        {"external_id": None},
        {"external_id": ""},
        {"role": "lead", "external_id": "uuid-of-intercoms"},
    ],
)
def test_an_existing_contact_is_found_by_the_id_in_the_refusal(theirs):
    """M1: 409 carries the id in its text; a contact with our external id or none is written to."""
    cache = make_cache()

    result = play(
        upsert_contact(_upsert(), make_world(cache)),
        ("POST /contacts", _BODY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", **theirs)),
        ("PUT /contacts/c9", _BODY, contact("c9")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c9")


def test_another_user_is_never_taken_over():
    """M1: a contact with another external id ends the message, ``conflict``, with Intercom's words."""
    cache = make_cache()

    result = play(
        upsert_contact(_upsert(), make_world(cache)),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u2")),
    )

    assert (result.kind, result.reason, result.status, result.code) == (
        "dead",
        "conflict",
        409,
        "conflict",
    )
    assert result.message.endswith("id=c9")
    assert cache.contact_id("user:u1") is None


def test_a_merged_contact_behind_a_refusal_is_looked_at_too():
    """M1: never take over another user, over links neither."""
    ours = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c8")),
        ("GET /contacts/c8", None, merged_into("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )
    theirs = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c8")),
        ("GET /contacts/c8", None, merged_into("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u2")),
    )

    assert (ours, theirs.reason) == (DELIVERED, "conflict")


def test_links_behind_a_refusal_end():
    """M1: three hops at most; then it is tried again later."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c1")),
        *[(f"GET /contacts/c{at}", None, merged_into(f"c{at + 1}")) for at in range(1, 5)],
    )

    assert (result.kind, result.reason) == ("retry", "contact_vanished")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (missing(), ("retry", "contact_vanished")),
        (refusal(410), ("retry", "contact_vanished")),
        (refusal(500), ("retry", "http_500")),
        (refusal(401), ("held", "http_401")),
    ],
)
def test_the_look_at_an_existing_contact_may_fail(answer, expected):
    """M1: a contact that is gone meanwhile is created by the next attempt."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, answer),
    )

    assert (result.kind, result.reason) == expected


def test_a_contact_that_vanishes_before_its_write_is_tried_again():
    """M1: between the look and the write somebody may delete it."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
        ("PUT /contacts/c9", ANY, missing()),
    )

    assert (result.kind, result.reason) == ("retry", "contact_vanished")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Multiple existing users match this email address - must be more specific", "ambiguous_email"),
        ("Something is in the way", "conflict"),
        (None, "conflict"),
    ],
)
def test_a_refusal_without_an_id_is_the_end(text, reason):
    """M1, I2: there is nobody to write to."""
    result = play(
        upsert_contact(_upsert(), make_world()), ("POST /contacts", ANY, refusal(409, text, code="conflict"))
    )

    assert (result.kind, result.reason) == ("dead", reason)


# --- M1: archived and deleted ---------------------------------------------------------------------------------


def test_an_archived_contact_is_brought_back():
    """M1: unarchive, then PUT."""
    cache = make_cache()

    result = play(
        upsert_contact(_upsert(), make_world(cache)),
        ("POST /contacts", _BODY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", "external_id": "u1", "archived": False})),
        ("PUT /contacts/c9", _BODY, contact("c9")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c9")


def test_whose_an_archived_contact_was_is_asked_where_the_answer_does_not_tell():
    """M1: the answer to unarchiving may leave the external id out."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9"})),
        ("GET /contacts/c9", None, contact("c9", external_id=None)),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )

    assert result == DELIVERED


def test_whose_an_archived_contact_was_may_stay_unanswered():
    """M1: without knowing that nothing is written; the next attempt looks again."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9"})),
        ("GET /contacts/c9", None, refusal(503)),
    )

    assert (result.kind, result.status) == ("retry", 503)


@pytest.mark.parametrize("look", [[], [("GET /contacts/c9", None, contact("c9", external_id="u2"))]])
def test_an_archived_user_with_another_id_is_put_away_again(look):
    """M1: never take over another user, and leave it as it was."""
    told = {} if look else {"external_id": "u2"}

    result = play(
        upsert_contact(_upsert(email="a@example.com"), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", **told})),
        *look,
        ("POST /contacts/c9/archive", None, ok()),
    )

    assert (result.kind, result.reason, result.status) == ("dead", "conflict", 409)


def test_an_archived_contact_is_known_by_its_address_where_that_is_all():
    """M1, I2: only the address can have been in the way."""
    result = play(
        upsert_contact(_by_mail(), make_world()),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", "external_id": "u5"})),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )

    assert result == DELIVERED


def test_archived_contacts_stay_away_where_the_settings_say_so():
    """M1: ``revive_archived=False`` makes it a dead letter."""
    result = play(
        upsert_contact(_upsert(), make_world(revive_archived=False)),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
    )

    assert (result.kind, result.reason, result.status) == ("dead", "contact_archived", 409)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(
            400, "User has been marked for permanent deletion and is not restorable.", code="bad_request"
        ),
        refusal(500, "User has been marked for permanent deletion and is not restorable."),
        missing(),
        refusal(422),
    ],
)
def test_a_permanently_deleted_contact_stays_dead(answer):
    """M1: its external id and address are taken for ever."""
    result = play(
        upsert_contact(_upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, answer),
    )

    assert (result.kind, result.reason) == ("dead", "contact_deleted")


def test_a_500_that_comes_again_and_again_means_deleted():
    """M1: in 2021 Intercom answered so; the create before each one shows that it is no outage."""
    cache = make_cache()

    results = [
        play(
            upsert_contact(_upsert(), make_world(cache)),
            ("POST /contacts", ANY, conflict("c9", archived=True)),
            ("POST /contacts/c9/unarchive", None, refusal(500, "Server Error", code="server_error")),
        )
        for _ in range(3)
    ]

    assert [(result.kind, result.reason) for result in results] == [
        ("retry", "http_500"),
        ("retry", "http_500"),
        ("dead", "contact_deleted"),
    ]


def test_a_single_500_does_not_mean_deleted():
    """M1: a success in between, or long ago, starts the count anew."""
    cache = make_cache()
    exchanges = [("POST /contacts", ANY, conflict("c9", archived=True))]
    failing = [*exchanges, ("POST /contacts/c9/unarchive", None, refusal(500))]
    for _ in range(2):
        play(upsert_contact(_upsert(), make_world(cache)), *failing)
    revived = [
        *exchanges,
        ("POST /contacts/c9/unarchive", None, ok({"external_id": "u1"})),
        ("PUT /contacts/c9", ANY, missing()),
    ]
    play(upsert_contact(_upsert(), make_world(cache)), *revived)

    result = play(upsert_contact(_upsert(), make_world(cache)), *failing)

    assert (result.kind, result.reason) == ("retry", "http_500")


@pytest.mark.parametrize(("status", "kind"), [(502, "retry"), (429, "retry"), (401, "held"), (403, "held")])
def test_other_answers_to_unarchiving_are_classified(status, kind):
    """T1: an outage does not mean deleted, whatever its number of answers."""
    cache = make_cache()

    for _ in range(4):
        result = play(
            upsert_contact(_upsert(), make_world(cache)),
            ("POST /contacts", ANY, conflict("c9", archived=True)),
            ("POST /contacts/c9/unarchive", None, refusal(status)),
        )

    assert result.kind == kind


# --- I2: by e-mail address alone ------------------------------------------------------------------------------


def test_an_address_alone_is_searched_first():
    """M1, I2: no blind POST; compared in small letters, sent as given."""
    cache = make_cache()

    result = play(
        upsert_contact(_by_mail(), make_world(cache)),
        (
            _SEARCH,
            _query("email", "ann@example.com"),
            search_page({"id": "c1", "role": "user", "email": "ANN@example.com"}),
        ),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert (result, cache.contact_id("email:ann@example.com")) == (DELIVERED, "c1")


def test_several_users_with_one_address_end_the_message():
    """I2: never a silent duplicate."""
    users = [{"id": f"c{at}", "role": "user", "email": "ann@example.com"} for at in (1, 2)]

    result = play(upsert_contact(_by_mail(), make_world()), (_SEARCH, ANY, search_page(*users)))

    assert (result.kind, result.reason) == ("dead", "ambiguous_email")


def test_a_user_is_made_beside_leads():
    """I2: only leads, and contacts that a loose search brings along, are none of ours."""
    others = [
        {"id": "c1", "role": "lead", "email": "ann@example.com"},
        {"id": "c2", "role": "user", "email": "ann@example.com.example"},
        {"id": "c3", "role": "user"},
    ]

    result = play(
        upsert_contact(_by_mail(), make_world()),
        (_SEARCH, ANY, search_page(*others)),
        ("POST /contacts", {"role": "user", "email": "Ann@Example.com"}, contact("c4")),
    )

    assert result == DELIVERED


def test_searches_lag_but_the_directory_does_not():
    """M1: a contact made a moment ago is not found by searching; this process remembers it."""
    cache = make_cache()
    play(
        upsert_contact(_by_mail(), make_world(cache)),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, contact("c1")),
    )

    result = play(
        upsert_contact(_by_mail(name="Ann"), make_world(cache)),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com", "name": "Ann"}, contact("c1")),
    )

    assert result == DELIVERED


def test_a_lagging_search_is_made_up_for_by_the_refusal():
    """M1: a user whom the search does not show yet is met by the create, and its address proves that it is the one."""
    result = play(
        upsert_contact(_by_mail(), make_world()),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c1")),
        ("GET /contacts/c1", None, contact("c1", external_id="u9", email="ann@example.COM")),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert result == DELIVERED


def test_a_user_whose_address_changed_meanwhile_is_not_taken_over():
    """M1: without the address it is somebody else."""
    result = play(
        upsert_contact(_by_mail(), make_world()),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c1")),
        ("GET /contacts/c1", None, contact("c1", email="bea@example.com")),
    )

    assert (result.kind, result.reason) == ("dead", "conflict")


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
def test_a_search_without_an_answer_makes_nobody(answer, expected, role):
    """M1: no blind POST that can make a duplicate."""
    result = play(upsert_contact(_by_mail(role), make_world()), (_SEARCH, ANY, answer))

    assert (result.kind, result.reason) == expected


def test_a_found_contact_that_vanished_is_tried_again():
    """M1: searches show what was deleted for a while."""
    result = play(
        upsert_contact(_by_mail(), make_world()),
        (_SEARCH, ANY, search_page({"id": "c1", "role": "user", "email": "ann@example.com"})),
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
    """I9: the role is not written to what is there: never user to lead."""
    body = {"email": "Ann@Example.com"} | ({"role": "lead"} if expected.startswith("POST") else {})
    searches = [(_SEARCH, ANY, search_page(*others))]
    if others[0]["role"] == "lead":
        searches *= 2

    result = play(upsert_contact(_by_mail("lead"), make_world()), *searches, (expected, body, contact("c3")))

    assert result == DELIVERED


def test_a_user_is_made_beside_a_remembered_lead():
    """I2, O4: a lead of the same address that this process made or found is no user; afterwards the user is the one."""
    cache = make_cache()
    lead = {"id": "c1", "role": "lead", "email": "ann@example.com"}
    play(
        upsert_contact(_by_mail("lead"), make_world(cache)),
        (_SEARCH, ANY, search_page()),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", {"role": "lead", "email": "Ann@Example.com"}, contact("c1", role="lead")),
    )
    play(upsert_contact(_by_mail("lead"), make_world(cache)))
    play(
        upsert_contact(_by_mail(), make_world(cache)),
        (_SEARCH, ANY, search_page(lead)),
        ("POST /contacts", {"role": "user", "email": "Ann@Example.com"}, contact("c2")),
    )

    assert play(upsert_contact(_by_mail(), make_world(cache))) == _UNCHANGED
    assert cache.contact_id("email:ann@example.com") == "c2"


def test_a_remembered_lead_that_became_a_user_is_that_user():
    """I2: somebody may convert it meanwhile; then it costs one search."""
    cache = make_cache()
    lead = {"id": "c1", "role": "lead", "email": "ann@example.com"}
    play(
        upsert_contact(_by_mail("lead"), make_world(cache)),
        (_SEARCH, ANY, search_page(lead)),
        (_SEARCH, ANY, search_page(lead)),
        ("PUT /contacts/c1", {"email": "Ann@Example.com"}, contact("c1")),
    )
    play(
        upsert_contact(_by_mail(), make_world(cache)),
        (_SEARCH, ANY, search_page({**lead, "role": "user"})),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert play(upsert_contact(_by_mail(), make_world(cache))) == _UNCHANGED


def test_the_search_for_leads_may_fail():
    """M1: no blind POST for leads either."""
    result = play(
        upsert_contact(_by_mail("lead"), make_world()),
        (_SEARCH, ANY, search_page()),
        (_SEARCH, ANY, refusal(503)),
    )

    assert (result.kind, result.status) == ("retry", 503)


# --- R8: leads ------------------------------------------------------------------------------------------------


def test_a_lead_is_searched_by_its_attribute_before_it_is_made():
    """R8: the anonymous id is an attribute, for a lead cannot carry it as external id."""
    cache = make_cache()

    result = play(
        upsert_contact(_as_lead(), make_world(cache)),
        (_SEARCH, _query("custom_attributes.anonymous_id", "a1"), search_page()),
        (
            "POST /contacts",
            {"role": "lead", "name": "Ann", "custom_attributes": {"anonymous_id": "a1"}},
            contact("c1", role="lead"),
        ),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c1")


@pytest.mark.parametrize("status", [400, 404, 422])
def test_the_attribute_of_leads_may_not_exist_yet(status):
    """R8: then there is no such lead, and the write makes the attribute."""
    body = {"role": "lead", "name": "Ann", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        upsert_contact(_as_lead(), make_world()),
        (_SEARCH, ANY, refusal(status)),
        ("POST /contacts", body, refusal(400, "Custom attribute 'anonymous_id' does not exist")),
        ("GET /data_attributes?model=contact", None, search_page()),
        ("POST /data_attributes", {"name": "anonymous_id", "model": "contact", "data_type": "string"}, ok()),
        ("POST /contacts", body, contact("c1", role="lead")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize("role", ["lead", "user"])
def test_a_lead_that_is_there_is_written_without_a_role(role):
    """R8, I9: a lead that became a user meanwhile stays one; others with the attribute alike are told apart."""
    there = {"id": "c1", "role": role, "custom_attributes": {"anonymous_id": "a1"}}
    other = {"id": "c2", "role": "lead", "custom_attributes": {"anonymous_id": "A1"}}

    result = play(
        upsert_contact(_as_lead(), make_world()),
        (_SEARCH, ANY, search_page({"id": "c0", "custom_attributes": None}, other, there)),
        ("PUT /contacts/c1", {"name": "Ann", "custom_attributes": {"anonymous_id": "a1"}}, contact("c1")),
    )

    assert result == DELIVERED


def test_the_user_whom_a_lead_became_is_preferred():
    """R8: a merge leaves the attribute on the user; a left-over lead comes second."""
    lead = {"id": "c1", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}
    user = {"id": "c2", "role": "user", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        upsert_contact(_as_lead(), make_world()),
        (_SEARCH, ANY, search_page(lead, user)),
        ("PUT /contacts/c2", ANY, contact("c2")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(("status", "kind"), [(500, "retry"), (429, "retry"), (401, "held")])
def test_the_search_for_a_lead_may_fail(status, kind):
    """R8: no lead is made while it is not known whether there is one."""
    result = play(upsert_contact(_as_lead(), make_world()), (_SEARCH, ANY, refusal(status)))

    assert result.kind == kind


def test_a_lead_that_conflicts_is_nobody_of_ours():
    """M1: leads may be duplicated freely (contract, section 5); a conflict is somebody else."""
    result = play(
        upsert_contact(_as_lead(), make_world()),
        (_SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9")),
    )

    assert (result.kind, result.reason) == ("dead", "conflict")


# --- O3: what would change nothing ----------------------------------------------------------------------------


def _written(first, *, cache=None, **settings):
    """Return a directory after *first* was written to the known contact."""
    cache = cache or _knowing()
    play(upsert_contact(first, make_world(cache, **settings)), ("PUT /contacts/c1", ANY, contact("c1")))
    return cache


@pytest.mark.parametrize(
    "second",
    [
        _upsert(name="Ann", phone="1", attributes={"plan": "pro"}),
        _upsert(name="Ann"),
        _upsert(attributes={"plan": "pro"}, phone="1"),
    ],
)
def test_what_was_written_is_not_written_again(second):
    """O3: the same facts, or some of them, send nothing."""
    cache = _written(_upsert(name="Ann", phone="1", attributes={"plan": "pro"}))

    assert play(upsert_contact(second, make_world(cache))) == _UNCHANGED


@pytest.mark.parametrize(
    "second",
    [
        _upsert(name="Bea"),
        _upsert(name="Ann", phone=None),
        _upsert(name="Ann", attributes={"plan": "free"}),
        _upsert(name="Ann", attributes={"plan": None}),
        _upsert(name="Ann", attributes={"name": "Ann"}),
    ],
)
def test_what_differs_is_written(second):
    """O3: one changed, cleared or new value sends the whole write."""
    cache = _written(_upsert(name="Ann", attributes={"plan": "pro"}))

    result = play(upsert_contact(second, make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1")))

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("after", "within", "is_sent"), [(3599, 3600, False), (3600, 3600, True), (0, 0, True), (-1, 3600, True)]
)
def test_the_fingerprint_is_kept_for_a_while(after, within, is_sent):
    """O3: ``unchanged_for``, by our clock; 0 switches it off, and a clock set back is not trusted."""
    cache = _written(_upsert())

    exchanges = [("PUT /contacts/c1", ANY, contact("c1"))] if is_sent else []
    result = play(
        upsert_contact(_upsert(), make_world(cache, now=NOW + after, unchanged_for=within)), *exchanges
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
    """O3: ``last_seen_resolution``, by the messages' own time."""
    cache = _written(_upsert(last_seen_at=1000))

    exchanges = [("PUT /contacts/c1", ANY, contact("c1"))] if is_sent else []
    world = make_world(cache, last_seen_resolution=resolution)
    result = play(upsert_contact(_upsert(last_seen_at=seen), world), *exchanges)

    assert result.unchanged is not is_sent


def test_a_first_last_seen_is_written():
    """O3: nothing is known of it yet."""
    cache = _written(_upsert(name="Ann"))

    result = play(
        upsert_contact(_upsert(name="Ann", last_seen_at=5), make_world(cache)),
        ("PUT /contacts/c1", ANY, contact("c1")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize("answer", [refusal(500), refusal(400), ReadFailed("cut")])
def test_a_failed_write_leaves_no_fingerprint(answer):
    """O3: nobody knows what the contact holds after a write without a clear answer."""
    cache = _written(_upsert(name="Ann"))
    flow = upsert_contact(_upsert(name="Bea"), make_world(cache))
    if isinstance(answer, Exception):
        with pytest.raises(ReadFailed):
            play(flow, ("PUT /contacts/c1", ANY, answer))
    else:
        play(flow, ("PUT /contacts/c1", ANY, answer))

    result = play(
        upsert_contact(_upsert(name="Ann"), make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1"))
    )

    assert result == DELIVERED


def test_a_write_that_was_broken_off_leaves_no_fingerprint():
    """O3: the client may be closing while an answer is awaited."""
    cache = _written(_upsert(name="Ann"))
    flow = upsert_contact(_upsert(name="Bea"), make_world(cache))
    assert next(flow) == Request("PUT", "/contacts/c1", {**_BODY, "name": "Bea"})
    flow.close()

    result = play(
        upsert_contact(_upsert(name="Ann"), make_world(cache)), ("PUT /contacts/c1", ANY, contact("c1"))
    )

    assert result == DELIVERED


def test_what_was_left_out_is_not_remembered_as_written():
    """O3, M3: a refused value is no fact of the contact."""
    cache = _knowing()
    result = play(
        upsert_contact(_upsert(name="Ann", owner_id=5), make_world(cache)),
        ("PUT /contacts/c1", {**_BODY, "owner_id": "5"}, refusal(400, "The owner is not a member")),
        ("PUT /contacts/c1", _BODY, contact("c1")),
    )

    again = play(
        upsert_contact(_upsert(name="Ann", owner_id=5), make_world(cache)),
        ("PUT /contacts/c1", {**_BODY, "owner_id": "5"}, contact("c1")),
    )

    assert result.notes == (Note("M3", "owner_id", "Intercom refused this value"),)
    assert again == DELIVERED


def test_an_attribute_that_is_refused_for_an_hour_is_no_difference():
    """O3, A6: what is never sent cannot change anything."""
    cache = _written(_upsert(name="Ann"))
    cache.refuse("contact", "plan", NOW)

    result = play(upsert_contact(_upsert(name="Ann", attributes={"plan": "pro"}), make_world(cache)))

    assert result == _UNCHANGED


def test_null_for_an_attribute_that_there_is_not_is_no_difference():
    """O3, A1: nothing is there that could be cleared."""
    cache = _written(_upsert(name="Ann"))
    cache.learn_attributes("contact", ["seats"])
    cleared = _upsert(name="Ann", attributes={"plan": None})
    known = _upsert(name="Ann", attributes={"seats": None})

    assert play(upsert_contact(cleared, make_world(cache))) == _UNCHANGED
    assert play(upsert_contact(known, make_world(cache)), ("PUT /contacts/c1", ANY, ok())) == DELIVERED


def test_an_owner_is_the_same_in_every_version():
    """I8, O3: text from 2.16 on, a number before, one fact."""
    cache = _written(_upsert(owner_id=5))

    assert play(upsert_contact(_upsert(owner_id=5), make_world(cache, api_version="2.11"))) == _UNCHANGED


def test_a_lead_is_unchanged_as_a_user_is():
    """O3: the role is not written to what is there."""
    cache = _written(_as_lead(), cache=_knowing("anonymous:a1"))

    assert play(upsert_contact(_as_lead(), make_world(cache))) == _UNCHANGED


def test_a_write_that_cannot_be_mended_ends_with_its_notes():
    """M3: what was left out on the way is told with the end."""
    known = play(
        upsert_contact(_upsert(owner_id=5), make_world(_knowing())),
        ("PUT /contacts/c1", ANY, refusal(400, "The owner is not a member")),
        ("PUT /contacts/c1", ANY, refusal(400, "No")),
    )
    failing = make_world(_knowing(), unknown_attributes="fail")
    unknown = play(
        upsert_contact(_upsert(attributes={"plan": "pro"}), failing),
        ("PUT /contacts/c1", ANY, refusal(400, "Custom attribute 'plan' does not exist")),
    )
    created = play(
        upsert_contact(_upsert(attributes={"plan": "pro"}), make_world(unknown_attributes="fail")),
        ("POST /contacts", ANY, refusal(400, "Custom attribute 'plan' does not exist")),
    )

    assert (known.reason, [note.path for note in known.notes]) == ("http_400", ["owner_id"])
    assert (unknown.reason, created.reason) == ("unknown_attribute", "unknown_attribute")
