"""What happens after a 409 for a contact (rule M1): write to the existing contact, unarchive it first, or end the message."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.contacts import upsert_contact
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.operations import Who

from .._support.flow_driving import (
    ANY,
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
from .contact_upserts import BODY, SEARCH, by_mail, knowing, lead_upsert, upsert

# --- the existing contact -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "theirs",
    [
        {"external_id": "u1"},
        {"external_id": None},
        {"external_id": ""},
        {"role": "lead", "external_id": "uuid-of-intercoms"},
    ],
)
def test_a_409_leads_to_the_existing_contact(theirs):
    """After a 409 the contact whose id is in the error text is written to, when it has our external id or none (rule M1)."""
    cache = make_cache()

    result = play(
        upsert_contact(upsert(), make_world(cache)),
        ("POST /contacts", BODY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", **theirs)),
        ("PUT /contacts/c9", BODY, contact("c9")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c9")


def test_another_user_is_never_taken_over():
    """A contact with another external id ends the message as ``conflict``, with Intercom's error (rule M1)."""
    cache = make_cache()

    result = play(
        upsert_contact(upsert(), make_world(cache)),
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


def test_a_merged_contact_after_a_409_is_looked_at_too():
    """The contact at the end of the links is written to only when it is the same person (rule M1)."""
    ours = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c8")),
        ("GET /contacts/c8", None, merged_into("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )
    theirs = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c8")),
        ("GET /contacts/c8", None, merged_into("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u2")),
    )

    assert (ours, theirs.reason) == (DELIVERED, "conflict")


def test_too_many_links_after_a_409_are_retried():
    """Links are followed three times at most; then the message is sent again later (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
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
def test_a_failed_look_at_the_existing_contact(answer, expected):
    """When the existing contact is gone by now, or cannot be read, the next attempt starts again (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, answer),
    )

    assert (result.kind, result.reason) == expected


def test_a_contact_that_vanishes_before_its_update_is_retried():
    """The contact may be deleted between the look at it and the update; then the message is sent again later (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
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
def test_a_409_without_an_id_ends_the_message(text, reason):
    """A 409 without an id leads to no contact, so the message ends (rules M1, I2)."""
    result = play(
        upsert_contact(upsert(), make_world()), ("POST /contacts", ANY, refusal(409, text, code="conflict"))
    )

    assert (result.kind, result.reason) == ("dead", reason)


def test_a_409_shows_the_user_that_a_search_does_not_show_yet():
    """A user that the search does not show yet causes a 409, and its address proves that it is the same person (rule M1)."""
    result = play(
        upsert_contact(by_mail(), make_world()),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c1")),
        ("GET /contacts/c1", None, contact("c1", external_id="u9", email="ann@example.COM")),
        ("PUT /contacts/c1", {"role": "user", "email": "Ann@Example.com"}, contact("c1")),
    )

    assert result == DELIVERED


def test_a_user_whose_address_changed_meanwhile_is_not_taken_over():
    """A user whose address is another one by now is somebody else; the next attempt finds the address free (rule M1)."""
    result = play(
        upsert_contact(by_mail(), make_world()),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c1")),
        ("GET /contacts/c1", None, contact("c1", email="bea@example.com")),
    )

    assert (result.kind, result.reason) == ("retry", "contact_vanished")


def test_a_409_for_a_lead_ends_the_message():
    """Intercom allows several equal leads, so a contact that conflicts is somebody else (rule M1)."""
    result = play(
        upsert_contact(lead_upsert(), make_world()),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9")),
    )

    assert (result.kind, result.reason) == ("dead", "conflict")


# --- archived and deleted contacts ----------------------------------------------------------------------------


def test_an_archived_contact_is_unarchived():
    """An archived contact is unarchived and then updated (rule M1)."""
    cache = make_cache()

    result = play(
        upsert_contact(upsert(), make_world(cache)),
        ("POST /contacts", BODY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", "external_id": "u1", "archived": False})),
        ("PUT /contacts/c9", BODY, contact("c9")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c9")


def test_an_unarchived_contact_without_an_external_id_is_read():
    """When the response to unarchiving has no external id, the contact is read (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9"})),
        ("GET /contacts/c9", None, contact("c9", external_id=None)),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )

    assert result == DELIVERED


def test_a_failed_look_at_an_unarchived_contact_is_retried():
    """When Intercom does not say whose the contact is, nothing is written and the message is retried (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9"})),
        ("GET /contacts/c9", None, refusal(503)),
    )

    assert (result.kind, result.status) == ("retry", 503)


@pytest.mark.parametrize("look", [[], [("GET /contacts/c9", None, contact("c9", external_id="u2"))]])
def test_an_archived_user_with_another_id_is_archived_again(look):
    """Another user is never taken over, and is archived again as before (rule M1)."""
    shown = {} if look else {"external_id": "u2"}

    result = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", **shown})),
        *look,
        ("POST /contacts/c9/archive", None, ok()),
    )

    assert (result.kind, result.reason, result.status) == ("dead", "conflict", 409)


def test_an_archived_contact_is_the_same_person_by_address():
    """Without an external id only the address can conflict, so the archived contact is the same person (rules M1, I2)."""
    result = play(
        upsert_contact(by_mail(), make_world()),
        (SEARCH, ANY, search_page()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, ok({"id": "c9", "external_id": "u5"})),
        ("PUT /contacts/c9", ANY, contact("c9")),
    )

    assert result == DELIVERED


def test_archived_contacts_stay_archived_when_the_settings_say_so():
    """With ``revive_archived=False`` the message becomes a dead letter (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world(revive_archived=False)),
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
def test_a_permanently_deleted_contact_ends_the_message(answer):
    """A contact that Intercom cannot restore ends the message (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
        ("POST /contacts/c9/unarchive", None, answer),
    )

    assert (result.kind, result.reason) == ("dead", "contact_deleted")


def test_the_third_500_for_unarchiving_means_deleted():
    """Intercom answers the create each time, so three 500s for unarchiving are no outage (rule M1)."""
    cache = make_cache()

    results = [
        play(
            upsert_contact(upsert(), make_world(cache)),
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
    """A success in between starts the count of 500s again (rule M1)."""
    cache = make_cache()
    exchanges = [("POST /contacts", ANY, conflict("c9", archived=True))]
    failing = [*exchanges, ("POST /contacts/c9/unarchive", None, refusal(500))]
    for _ in range(2):
        play(upsert_contact(upsert(), make_world(cache)), *failing)
    revived = [
        *exchanges,
        ("POST /contacts/c9/unarchive", None, ok({"external_id": "u1"})),
        ("PUT /contacts/c9", ANY, missing()),
    ]
    play(upsert_contact(upsert(), make_world(cache)), *revived)

    result = play(upsert_contact(upsert(), make_world(cache)), *failing)

    assert (result.kind, result.reason) == ("retry", "http_500")


@pytest.mark.parametrize(("status", "kind"), [(502, "retry"), (429, "retry"), (401, "held"), (403, "held")])
def test_other_responses_to_unarchiving_are_classified(status, kind):
    """An outage does not mean deleted, however often it is seen (rule T1)."""
    cache = make_cache()

    for _ in range(4):
        result = play(
            upsert_contact(upsert(), make_world(cache)),
            ("POST /contacts", ANY, conflict("c9", archived=True)),
            ("POST /contacts/c9/unarchive", None, refusal(status)),
        )

    assert result.kind == kind


# --- a contact whose id is known ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (conflict("c9", archived=True), "conflict"),
        (refusal(409, "Something is in the way"), "conflict"),
        (refusal(409, "Multiple existing users match this email address"), "ambiguous_email"),
    ],
)
def test_a_409_for_an_update_ends_the_message(answer, reason):
    """Another user has what the update would write, so the message ends; that user is never taken over (rule M1)."""
    result = play(upsert_contact(upsert(), make_world(knowing())), ("PUT /contacts/c1", ANY, answer))

    assert (result.kind, result.reason, result.status) == ("dead", reason, 409)


@pytest.mark.parametrize(
    "theirs", [contact("c9", external_id="u2"), contact("c9", external_id=None), missing(), refusal(400)]
)
def test_an_update_takes_nobody_over(theirs):
    """The contact in the way is not the one with our external id, so the message ends (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world(knowing())),
        ("PUT /contacts/c1", ANY, conflict("c9")),
        ("GET /contacts/c9", None, theirs),
    )

    assert (result.kind, result.reason, result.status) == ("dead", "conflict", 409)


def test_an_outdated_id_leads_to_the_contact_with_our_external_id():
    """A remembered contact may have lost the external id to another one since; the message goes to that one (rules M1, O4)."""
    cache = knowing()

    result = play(
        upsert_contact(upsert(), make_world(cache)),
        ("PUT /contacts/c1", BODY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
        ("PUT /contacts/c9", BODY, contact("c9")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c9")


def test_an_update_that_conflicts_with_its_own_owner_ends():
    """The update of the owner itself may conflict too; then nothing else can be tried (rule M1)."""
    result = play(
        upsert_contact(upsert(), make_world(knowing())),
        ("PUT /contacts/c1", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
        ("PUT /contacts/c9", ANY, conflict("c9")),
        ("GET /contacts/c9", None, contact("c9", external_id="u1")),
    )

    assert (result.kind, result.reason) == ("dead", "conflict")


@pytest.mark.parametrize(("status", "kind"), [(500, "retry"), (401, "held"), (429, "retry")])
def test_an_owner_that_cannot_be_read_is_looked_at_again(status, kind):
    """When Intercom does not say whose the contact is, the message is sent again later (rule T1)."""
    result = play(
        upsert_contact(upsert(), make_world(knowing())),
        ("PUT /contacts/c1", ANY, conflict("c9")),
        ("GET /contacts/c9", None, refusal(status)),
    )

    assert (result.kind, result.status) == (kind, status)


def test_a_message_that_names_intercoms_id_goes_to_no_other_contact():
    """The sender chose the contact, so the external id of another one is a conflict (rules R8, M1)."""
    named = upsert(Who(contact_id="c1", external_id="u1"))

    result = play(upsert_contact(named, make_world()), ("PUT /contacts/c1", ANY, conflict("c9")))

    assert (result.kind, result.reason) == ("dead", "conflict")


# --- the e-mail address of another person ---------------------------------------------------------------------

_WITH_MAIL = {"role": "user", "external_id": "u1", "email": "ann@example.com", "name": "Ann"}
_WITHOUT_MAIL = {"role": "user", "external_id": "u1", "name": "Ann"}
_THEIRS = contact("c9", external_id="u2", email="ann@example.com")


def _with_mail(**fields):
    return upsert(email="ann@example.com", name="Ann", **fields)


@pytest.mark.parametrize(
    "before",
    [
        [(conflict("c9"), [("GET /contacts/c9", None, _THEIRS)])],
        [
            (
                conflict("c9"),
                [("GET /contacts/c9", None, contact("c9", external_id="u2", email="other@example.com"))],
            )
        ],
        [
            (
                conflict("c9", archived=True),
                [
                    ("POST /contacts/c9/unarchive", None, contact("c9", external_id="u2")),
                    ("POST /contacts/c9/archive", None, contact("c9")),
                ],
            )
        ],
        [(refusal(409, "Multiple existing users match this email address"), [])],
        [(refusal(409, None, code="conflict"), [])],
    ],
    ids=["live", "live, changed", "archived", "several", "unnamed"],
)
def test_the_address_of_another_user_buries_nobody(before):
    """A create is refused for the address of another user and an update is not, so the contact is made without it first (rule M1)."""
    cache = make_cache()
    [(answer, looks)] = before

    result = play(
        upsert_contact(_with_mail(), make_world(cache)),
        ("POST /contacts", _WITH_MAIL, answer),
        *looks,
        ("POST /contacts", _WITHOUT_MAIL, contact("c5", external_id="u1")),
        ("PUT /contacts/c5", _WITH_MAIL, contact("c5", external_id="u1", email="ann@example.com")),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c5")
    assert play(upsert_contact(_with_mail(), make_world(cache))).unchanged


def test_an_archived_contact_with_our_id_is_found_behind_the_address_of_another():
    """The first 409 may name the contact with the address, and the second one the contact with our external id (rule M1)."""
    result = play(
        upsert_contact(_with_mail(), make_world()),
        ("POST /contacts", _WITH_MAIL, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
        ("POST /contacts", _WITHOUT_MAIL, conflict("c4", archived=True)),
        ("POST /contacts/c4/unarchive", None, contact("c4", external_id="u1")),
        ("PUT /contacts/c4", _WITH_MAIL, contact("c4")),
    )

    assert result == DELIVERED


def test_a_live_contact_with_our_id_is_found_behind_the_address_of_another():
    """The contact with our external id gets the address by an update (rule M1)."""
    result = play(
        upsert_contact(_with_mail(), make_world()),
        ("POST /contacts", _WITH_MAIL, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
        ("POST /contacts", _WITHOUT_MAIL, conflict("c4")),
        ("GET /contacts/c4", None, contact("c4", external_id="u1")),
        ("PUT /contacts/c4", _WITH_MAIL, contact("c4")),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(500), ("retry", "http_500")),
        (refusal(401), ("held", "http_401")),
        (refusal(400), ("dead", "http_400")),
        (refusal(409, None, code="conflict"), ("dead", "conflict")),
        (ok({}), ("retry", "unreadable_answer")),
    ],
)
def test_a_create_without_the_address_that_fails(answer, expected):
    """The answer to the second create decides, and a conflict that remains ends the message (rules M1, T1)."""
    result = play(
        upsert_contact(_with_mail(), make_world()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
        ("POST /contacts", _WITHOUT_MAIL, answer),
    )

    assert (result.kind, result.reason) == expected


def test_an_address_that_no_update_may_write_is_a_conflict():
    """Should Intercom refuse the update too, the message ends with its answer (rule M1)."""
    result = play(
        upsert_contact(_with_mail(), make_world()),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
        ("POST /contacts", ANY, contact("c5")),
        ("PUT /contacts/c5", ANY, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
    )

    assert (result.kind, result.reason) == ("dead", "conflict")


def test_a_create_without_the_address_that_stops():
    """A setting that ends the message ends the second create too (rules A6, M1)."""
    result = play(
        upsert_contact(
            upsert(email="ann@example.com", attributes={"plan": "pro"}), make_world(unknown_attributes="fail")
        ),
        ("POST /contacts", ANY, conflict("c9")),
        ("GET /contacts/c9", None, _THEIRS),
        ("POST /contacts", ANY, refusal(400, "Custom attribute 'plan' does not exist")),
    )

    assert (result.kind, result.reason) == ("dead", "unknown_attribute")
