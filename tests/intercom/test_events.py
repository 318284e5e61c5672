"""How an event is submitted, and what follows when its contact is missing, merged or ambiguous (rules E2, M2, M4)."""

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
_ACCEPTED = Response(202)


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
    """An event has Intercom's id when it is known, else the external id, else the address in lower case (rule E2)."""
    world = make_world(_knowing() if known else None)

    assert play(submit_event(_event(**who), world), (_EVENTS, _body(**expected), _ACCEPTED)) == DELIVERED


def test_the_address_is_tried_after_an_unknown_external_id():
    """A user id that looks like an e-mail address is tried as both (rule E2)."""
    result = play(
        submit_event(_event(external_id="u1", email="a@example.com"), make_world()),
        (_EVENTS, _body(user_id="u1"), missing()),
        (_EVENTS, _body(email="a@example.com"), _ACCEPTED),
    )

    assert result == DELIVERED


def test_an_id_that_proves_wrong_is_forgotten():
    """An id that Intercom does not know is forgotten, and the event is submitted under the caller's id (rule M1)."""
    cache = _knowing()

    result = play(
        submit_event(_event(), make_world(cache)),
        (_EVENTS, _body(id="c1"), missing()),
        (_EVENTS, _body(user_id="u1"), _ACCEPTED),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, None)


@pytest.mark.parametrize("known", [True, False])
def test_a_merged_contact_is_followed(known):
    """Links of merged contacts are followed three times at most, and the final contact is remembered (rule M1)."""
    cache = _knowing(contact_id="c0") if known else make_cache()
    first = {"id": "c0"} if known else {"user_id": "u1"}

    result = play(
        submit_event(_event(), make_world(cache)),
        (_EVENTS, _body(**first), merged_into("c1")),
        (_EVENTS, _body(id="c1"), merged_into("c2")),
        (_EVENTS, _body(id="c2"), merged_into("c3")),
        (_EVENTS, _body(id="c3"), _ACCEPTED),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, "c3")


@pytest.mark.parametrize("links", [["c1", "c2", "c3", "c4"], ["c1", "c0"], ["c0"]])
def test_links_without_an_end_are_not_followed_further(links):
    """A circle, or more than three links, is given up; then the event is submitted under the caller's id, or waits (rule M1)."""
    at = ["c0", *links][: len(links)]

    result = play(
        submit_event(_event(), make_world(_knowing(contact_id="c0"))),
        *[(_EVENTS, _body(id=one), merged_into(link)) for one, link in zip(at, links, strict=True)],
        (_EVENTS, _body(user_id="u1"), missing()),
    )

    assert result.kind == "wait"


def test_a_named_contact_is_followed_and_not_remembered():
    """A message that names Intercom's id names it each time, so nothing is remembered (rule R8)."""
    world = make_world()

    result = play(
        submit_event(_event(contact_id="c7"), world),
        (_EVENTS, _body(id="c7"), merged_into("c8")),
        (_EVENTS, _body(id="c8"), _ACCEPTED),
    )

    assert (result, world.cache.contact_id("contact:c7")) == (DELIVERED, None)


@pytest.mark.parametrize("gone", [missing(), refusal(410)])
def test_an_event_waits_for_its_contact(gone):
    """After a 404, or a 410 without a link, the event waits, because another process may create the contact (rule M2)."""
    result = play(submit_event(_event(), make_world()), (_EVENTS, ANY, gone))

    assert (result.kind, result.reason, result.status) == ("wait", "contact_missing", 404)


def test_a_named_contact_that_is_missing_is_waited_for():
    """The event waits also when it names its contact by Intercom's id (rule M2)."""
    result = play(submit_event(_event(contact_id="c7"), make_world()), (_EVENTS, ANY, missing()))

    assert result.kind == "wait"


# --- leads ----------------------------------------------------------------------------------------------------


def test_a_lead_is_found_first():
    """A lead is looked up first, because Intercom accepts only its own id of a lead for events (rule R8)."""
    lead = {"id": "c5", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        submit_event(_event(anonymous_id="a1"), make_world()),
        ("POST /contacts/search", ANY, search_page(lead)),
        (_EVENTS, _body(id="c5"), _ACCEPTED),
    )

    assert result == DELIVERED


def test_an_event_waits_for_its_lead():
    """Without the lead the event waits: an anonymous id names nobody else (rule M2)."""
    result = play(
        submit_event(_event(anonymous_id="a1"), make_world()), ("POST /contacts/search", ANY, search_page())
    )

    assert result.kind == "wait"


def test_a_failed_search_for_a_lead_is_retried():
    """When the search for the lead fails, the event is sent again later (rule T1)."""
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
def test_a_bare_contact_is_created_when_the_settings_say_so(who, before, body):
    """With ``create_missing_contacts`` a missing contact is created, and the event is submitted to it (rule M2)."""
    result = play(
        submit_event(_event(**who), make_world(create_missing_contacts=True)),
        *before,
        ("POST /contacts", body, contact("c9")),
        (_EVENTS, _body(id="c9"), _ACCEPTED),
    )

    assert result == DELIVERED


def test_a_bare_contact_that_is_refused_ends_the_event():
    """A failure to create the contact is the result of the event (rule M2)."""
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
    """The event waits when the created contact has no id in the response, or is not known to events yet (rule M2)."""
    result = play(
        submit_event(_event(), make_world(create_missing_contacts=True)), (_EVENTS, ANY, missing()), *after
    )

    assert result.kind == "wait"


# --- refusals -------------------------------------------------------------------------------------------------


_FULL = refusal(422, "Cannot have more than 120 active event names", code="422")


def test_an_event_name_over_the_limit_is_not_tried_for_an_hour():
    """A name over the limit makes a dead letter, and for an hour that name costs no request, whatever its letter case (rule M4)."""
    world = make_world()
    first = play(submit_event(_event("Seen"), world), (_EVENTS, ANY, _FULL))
    again = play(submit_event(_event("SEEN"), world))
    other = play(submit_event(_event("Done"), world), (_EVENTS, ANY, _ACCEPTED))
    just_before = play(submit_event(_event("Seen"), make_world(world.cache, now=NOW + 3599)))
    later = play(
        submit_event(_event("Seen"), make_world(world.cache, now=NOW + 3600)), (_EVENTS, ANY, _ACCEPTED)
    )

    assert (first.kind, first.reason, first.code) == ("dead", "event_name_limit", "422")
    assert (again.kind, again.reason) == ("dead", "event_name_limit")
    assert (other, just_before.kind, later) == (DELIVERED, "dead", DELIVERED)


def test_several_users_with_one_address_end_the_event():
    """A 409 for an event means that several users have its e-mail address, and ends it (rule I2)."""
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
def test_other_responses_are_classified(status, kind):
    """Any other status means what the table of statuses says (rule T1)."""
    result = play(submit_event(_event(), make_world()), (_EVENTS, ANY, refusal(status)))

    assert result.kind == kind
