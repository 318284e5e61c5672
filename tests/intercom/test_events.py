"""Events: one request where all is well, and what happens where it is not (rules E2, M2, M4)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.events import submit_event
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.operations import SubmitEvent, Who
from metarouter_intercom.plugins import Response

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

_EVENTS = "POST /events"
_TAKEN = Response(202)


def _event(name="Seen", **who):
    return SubmitEvent(
        who=Who(**who or {"external_id": "u1"}), event_name=name, created_at=5, metadata={"a": 1}
    )


def _body(name="Seen", **who):
    return {**who, "event_name": name, "created_at": 5, "metadata": {"a": 1}}


def _knowing(key="user:u1", contact_id="c1"):
    cache = make_cache()
    cache.remember_contact(key, contact_id)
    return cache


@pytest.mark.parametrize(
    ("who", "known", "expected"),
    [
        ({"contact_id": "c7", "external_id": "u1", "email": "a@example.com"}, True, {"id": "c7"}),
        ({"external_id": "u1", "email": "a@example.com"}, True, {"id": "c1"}),
        ({"external_id": "u1", "email": "a@example.com"}, False, {"user_id": "u1"}),
        ({"email": "A@example.com"}, False, {"email": "a@example.com"}),
    ],
)
def test_an_event_names_its_contact_once(who, known, expected):
    """E2: Intercom's id where it is known, else the external id, else the address in small letters."""
    world = make_world(_knowing() if known else None)

    assert play(submit_event(_event(**who), world), (_EVENTS, _body(**expected), _TAKEN)) == DELIVERED


def test_the_address_is_tried_where_the_external_id_is_unknown():
    """E2: an e-mail-shaped user id may be either."""
    result = play(
        submit_event(_event(external_id="u1", email="a@example.com"), make_world()),
        (_EVENTS, _body(user_id="u1"), missing()),
        (_EVENTS, _body(email="a@example.com"), _TAKEN),
    )

    assert result == DELIVERED


def test_an_id_that_proves_wrong_is_forgotten():
    """M1: then the event goes by the caller's id."""
    cache = _knowing()

    result = play(
        submit_event(_event(), make_world(cache)),
        (_EVENTS, _body(id="c1"), missing()),
        (_EVENTS, _body(user_id="u1"), _TAKEN),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, None)


@pytest.mark.parametrize("known", [True, False])
def test_a_merged_contact_is_followed(known):
    """M1: three hops at most; the contact it became is remembered."""
    cache = _knowing(contact_id="c0") if known else make_cache()
    first = {"id": "c0"} if known else {"user_id": "u1"}

    result = play(
        submit_event(_event(), make_world(cache)),
        (_EVENTS, _body(**first), merged_into("c1")),
        (_EVENTS, _body(id="c1"), merged_into("c2")),
        (_EVENTS, _body(id="c2"), merged_into("c3")),
        (_EVENTS, _body(id="c3"), _TAKEN),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c3")


@pytest.mark.parametrize("links", [["c1", "c2", "c3", "c4"], ["c1", "c0"], ["c0"]])
def test_links_that_do_not_end_are_left(links):
    """M1: no circle, no more than three hops; then the event goes by the caller's id, or CONTACT_MISSING."""
    at = ["c0", *links][: len(links)]

    result = play(
        submit_event(_event(), make_world(_knowing(contact_id="c0"))),
        *[(_EVENTS, _body(id=one), merged_into(link)) for one, link in zip(at, links, strict=True)],
        (_EVENTS, _body(user_id="u1"), missing()),
    )

    assert result.kind == "wait"


def test_a_contact_that_the_message_names_is_followed_but_not_forgotten():
    """R8: the option names it each time; there is nothing to remember."""
    world = make_world()

    result = play(
        submit_event(_event(contact_id="c7"), world),
        (_EVENTS, _body(id="c7"), merged_into("c8")),
        (_EVENTS, _body(id="c8"), _TAKEN),
    )

    assert (result, world.cache.contact_id("contact:c7")) == (DELIVERED, None)


@pytest.mark.parametrize("gone", [missing(), refusal(410)])
def test_an_event_waits_for_its_contact(gone):
    """M2: 404, and a merged contact without a link: it may come from another process."""
    result = play(submit_event(_event(), make_world()), (_EVENTS, ANY, gone))

    assert (result.kind, result.reason, result.status) == ("wait", "contact_missing", 404)


def test_a_named_contact_that_is_missing_is_waited_for():
    """M2: by Intercom's id too."""
    result = play(submit_event(_event(contact_id="c7"), make_world()), (_EVENTS, ANY, missing()))

    assert result.kind == "wait"


# --- leads ----------------------------------------------------------------------------------------------------


def test_a_lead_is_found_first():
    """R8: events know leads by Intercom's id only."""
    lead = {"id": "c5", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        submit_event(_event(anonymous_id="a1"), make_world()),
        ("POST /contacts/search", ANY, search_page(lead)),
        (_EVENTS, _body(id="c5"), _TAKEN),
    )

    assert result == DELIVERED


def test_an_event_waits_for_its_lead():
    """M2: nobody else can be meant."""
    result = play(
        submit_event(_event(anonymous_id="a1"), make_world()), ("POST /contacts/search", ANY, search_page())
    )

    assert result.kind == "wait"


def test_the_search_for_a_lead_may_fail():
    """T1: then the event comes again."""
    result = play(
        submit_event(_event(anonymous_id="a1"), make_world()), ("POST /contacts/search", ANY, refusal(500))
    )

    assert result.kind == "retry"


# --- create_missing_contacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "before", "body"),
    [
        ({"external_id": "u1"}, [(_EVENTS, ANY, missing())], {"role": "user", "external_id": "u1"}),
        (
            {"email": "a@example.com"},
            [(_EVENTS, ANY, missing()), ("POST /contacts/search", ANY, search_page())],
            {"role": "user", "email": "a@example.com"},
        ),
        (
            {"anonymous_id": "a1"},
            [("POST /contacts/search", ANY, search_page())] * 2,
            {"role": "lead", "custom_attributes": {"anonymous_id": "a1"}},
        ),
    ],
)
def test_a_bare_contact_is_made_where_the_settings_say_so(who, before, body):
    """M2: ``create_missing_contacts``: then the event has somebody to go to."""
    result = play(
        submit_event(_event(**who), make_world(create_missing_contacts=True)),
        *before,
        ("POST /contacts", body, contact("c9")),
        (_EVENTS, _body(id="c9"), _TAKEN),
    )

    assert result == DELIVERED


def test_a_bare_contact_may_be_refused():
    """M2: its end is the event's."""
    result = play(
        submit_event(_event(), make_world(create_missing_contacts=True, revive_archived=False)),
        (_EVENTS, ANY, missing()),
        ("POST /contacts", ANY, conflict("c9", archived=True)),
    )

    assert (result.kind, result.reason) == ("dead", "contact_archived")


@pytest.mark.parametrize(
    "after",
    [[("POST /contacts", ANY, ok())], [("POST /contacts", ANY, contact("c9")), (_EVENTS, ANY, missing())]],
)
def test_a_bare_contact_that_cannot_be_seen_is_waited_for(after):
    """M2: made without an id in the answer, or not there yet for events."""
    result = play(
        submit_event(_event(), make_world(create_missing_contacts=True)), (_EVENTS, ANY, missing()), *after
    )

    assert result.kind == "wait"


# --- refusals -------------------------------------------------------------------------------------------------


_FULL = refusal(422, "Cannot have more than 120 active event names", code="422")


def test_an_event_name_over_the_limit_is_not_tried_for_an_hour():
    """M4: dead letter; the name, whatever its case, costs no request for an hour, others go on."""
    world = make_world()
    first = play(submit_event(_event("Seen"), world), (_EVENTS, ANY, _FULL))
    again = play(submit_event(_event("SEEN"), world))
    other = play(submit_event(_event("Done"), world), (_EVENTS, ANY, _TAKEN))
    just_before = play(submit_event(_event("Seen"), make_world(world.cache, now=NOW + 3599)))
    later = play(
        submit_event(_event("Seen"), make_world(world.cache, now=NOW + 3600)), (_EVENTS, ANY, _TAKEN)
    )

    assert (first.kind, first.reason, first.code) == ("dead", "event_name_limit", "422")
    assert (again.kind, again.reason) == ("dead", "event_name_limit")
    assert (other, just_before.kind, later) == (DELIVERED, "dead", DELIVERED)


def test_several_users_with_one_address_end_the_event():
    """I2: Intercom says so with a 409."""
    text = "Multiple existing users match this email address - must be more specific using user_id"

    result = play(
        submit_event(_event(email="a@example.com"), make_world()), (_EVENTS, ANY, refusal(409, text))
    )

    assert (result.kind, result.reason, result.message) == ("dead", "ambiguous_email", text)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "dead"),
        (401, "held"),
        (403, "held"),
        (422, "dead"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
    ],
)
def test_other_answers_are_classified(status, kind):
    """T1: the table of statuses."""
    result = play(submit_event(_event(), make_world()), (_EVENTS, ANY, refusal(status)))

    assert result.kind == kind
