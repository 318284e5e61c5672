"""How contacts are opted in to subscription types, and out of them (rules I14, M2, O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.responses import CONTACT_MISSING, DELIVERED, UNCHANGED
from metarouter_intercom._intercom.subscriptions import set_subscription
from metarouter_intercom.operations import SetSubscription, Who
from metarouter_intercom.plugins import Note

from .._support.flow_driving import (
    NOW,
    contact,
    make_cache,
    make_world,
    merged_into,
    missing,
    ok,
    play,
    refusal,
)

_PLACE = "POST /contacts/c1/subscriptions"
_FIND = "GET /contacts/find_by_external_id/u1"
_NO_TYPE = missing("Resource Not Found")


def _type(type_id, name, consent="opt_out", *, state="live", **translations):
    """Return a subscription type as Intercom shows it."""
    texts = {"en": name, **translations}
    shown = [{"name": text, "description": text, "locale": locale} for locale, text in texts.items()]
    return {
        "type": "subscription",
        "id": type_id,
        "state": state,
        "consent_type": consent,
        "default_translation": shown[0],
        "translations": shown,
        "content_types": ["email"],
    }


_TYPES = (
    _type("91", "Newsletters", de="Rundbriefe"),
    _type("93", "Text messages", "opt_in", de="Kurznachrichten"),
    _type("95", "Old", state="archived"),
    _type("96", "Old"),
    _type("97", "Twice"),
    _type("98", "Twice", "opt_in"),
    _type("99", "Rundbriefe (old)", de="Newsletters"),
    _type("100", "Product news", de="Neues"),
    _type("101", "Company news", de="Neues"),
    _type("102", "Draft", state="draft"),
)


def _listing(*types):
    return ("GET /subscription_types", None, ok({"type": "list", "data": list(types)}))


def _choose(subscription, is_wanted, who=None):
    return SetSubscription(
        who=who or Who(external_id="u1"), subscription=subscription, is_wanted=is_wanted, path="p"
    )


def _knowing(types=_TYPES, now=NOW):
    cache = make_cache()
    cache.remember_contact("user:u1", "c1")
    if types is not None:
        cache.remember_subscription_types(list(types), now)
    return cache


def _without_choice(reason):
    return UNCHANGED._replace(notes=(Note("I14", "p", reason),))


@pytest.mark.parametrize(
    ("subscription", "is_wanted", "request_line", "body"),
    [
        ("Newsletters", False, _PLACE, {"id": "91", "consent_type": "opt_out"}),
        ("Newsletters", True, "DELETE /contacts/c1/subscriptions/91", None),
        ("Text messages", True, _PLACE, {"id": "93", "consent_type": "opt_in"}),
        ("Text messages", False, "DELETE /contacts/c1/subscriptions/93", None),
        ("93", True, _PLACE, {"id": "93", "consent_type": "opt_in"}),
        (" newsLETTERS ", False, _PLACE, {"id": "91", "consent_type": "opt_out"}),
        ("Rundbriefe", False, _PLACE, {"id": "91", "consent_type": "opt_out"}),
        ("kurznachrichten", True, _PLACE, {"id": "93", "consent_type": "opt_in"}),
        ("Old", False, _PLACE, {"id": "96", "consent_type": "opt_out"}),
        ("Draft", False, _PLACE, {"id": "102", "consent_type": "opt_out"}),
    ],
)
def test_the_consent_type_decides_the_request(subscription, is_wanted, request_line, body):
    """A contact that is added to an opt-out type is opted out; an id, a name and a name in any language mean a type."""
    world = make_world(_knowing())

    assert (
        play(set_subscription(_choose(subscription, is_wanted), world), (request_line, body, ok()))
        == DELIVERED
    )
    assert play(set_subscription(_choose(subscription, is_wanted), world)) == UNCHANGED


@pytest.mark.parametrize(
    ("subscription", "reason"),
    [
        ("Twice", "several subscription types have this name"),
        ("Neues", "several subscription types have this name"),
        ("Weekly", "unknown subscription type"),
        ("9", "unknown subscription type"),
        ("", "unknown subscription type"),
    ],
)
def test_a_choice_that_names_no_single_type(subscription, reason):
    """A name that nobody or that several types have changes nothing; a note says so."""
    world = make_world(_knowing())

    assert play(set_subscription(_choose(subscription, False), world)) == _without_choice(reason)


def test_the_types_are_read_once():
    """The list of types is read with the first choice, and remembered for an hour."""
    cache = _knowing(types=None)
    out = (_PLACE, {"id": "91", "consent_type": "opt_out"}, ok())
    opted_in = (_PLACE, {"id": "93", "consent_type": "opt_in"}, ok())

    assert (
        play(set_subscription(_choose("91", False), make_world(cache)), _listing(*_TYPES), out) == DELIVERED
    )
    assert (
        play(set_subscription(_choose("93", True), make_world(cache, now=NOW + 3599)), opted_in) == DELIVERED
    )
    late = make_world(cache, now=NOW + 3600)
    assert play(set_subscription(_choose("91", False), late), _listing(*_TYPES), out) == DELIVERED


def test_an_unknown_name_may_be_new():
    """A name that is not among the remembered types is looked for again, at most once a minute: it may be that of a new type."""
    cache = _knowing()
    new = _type("200", "Weekly")

    world = make_world(cache, now=NOW + 59)
    assert play(set_subscription(_choose("Weekly", False), world)) == _without_choice(
        "unknown subscription type"
    )
    result = play(
        set_subscription(_choose("Weekly", False), make_world(cache, now=NOW + 60)),
        _listing(*_TYPES, new),
        (_PLACE, {"id": "200", "consent_type": "opt_out"}, ok()),
    )
    assert result == DELIVERED


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [7],
        [{"id": "91"}],
        [{"id": "91", "consent_type": "opt_in_or_out"}],
        [_type(None, "x")],
        [_type("", "91")],
    ],
)
def test_a_list_that_cannot_be_read_has_no_types(data):
    """A type whose consent type is not known is no type: guessing could opt somebody in."""
    listing = ("GET /subscription_types", None, ok({"type": "list", "data": data}))

    result = play(set_subscription(_choose("91", False), make_world(_knowing(types=None))), listing)

    assert result == _without_choice("unknown subscription type")


def test_a_type_that_is_gone_is_read_again():
    """A 404 for the type shows that the list is out of date: it is read once more."""
    request = (_PLACE, {"id": "91", "consent_type": "opt_out"}, _NO_TYPE)
    moved = _type("92", "Newsletters")

    result = play(
        set_subscription(_choose("Newsletters", False), make_world(_knowing())),
        request,
        _listing(moved),
        (_PLACE, {"id": "92", "consent_type": "opt_out"}, ok()),
    )
    still_gone = play(
        set_subscription(_choose("Newsletters", False), make_world(_knowing())),
        request,
        _listing(*_TYPES),
        request,
    )

    assert (result, still_gone) == (DELIVERED, _without_choice("unknown subscription type"))


def test_a_choice_that_was_never_made_is_removed():
    """A 404 for the removal of a choice is a success: the contact made none."""
    world = make_world(_knowing())
    removal = ("DELETE /contacts/c1/subscriptions/91", None, _NO_TYPE)

    assert play(set_subscription(_choose("91", True), world), removal) == UNCHANGED
    assert play(set_subscription(_choose("91", True), world)) == UNCHANGED


def test_a_contact_that_moved_is_followed():
    """M1, M2: the choice goes to the contact that the remembered one became; without any, the message waits."""
    body = {"id": "91", "consent_type": "opt_out"}
    then = ("POST /contacts/c2/subscriptions", body, ok())

    def choose(*exchanges):
        return play(set_subscription(_choose("91", False), make_world(_knowing())), *exchanges)

    assert choose((_PLACE, body, merged_into("c2")), then) == DELIVERED
    assert choose((_PLACE, body, missing()), (_FIND, None, contact("c2")), then) == DELIVERED
    assert choose((_PLACE, body, missing()), (_FIND, None, missing())) == CONTACT_MISSING
    round_trip = [(_PLACE, body, missing()), (_FIND, None, contact("c1"))]
    assert choose(*round_trip * 3, (_PLACE, body, missing())) == CONTACT_MISSING
    alone = _choose("91", False, Who(contact_id="c1"))
    assert play(set_subscription(alone, make_world(_knowing())), (_PLACE, body, missing())) == CONTACT_MISSING


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (403, "dead"), (401, "held"), (500, "retry")])
def test_refusals(status, kind):
    """T1: a missing scope for subscriptions concerns the message, not the whole client."""
    body = {"id": "91", "consent_type": "opt_out"}
    choice = _choose("91", False)

    assert (
        play(set_subscription(choice, make_world(_knowing())), (_PLACE, body, refusal(status))).kind == kind
    )
    listing = ("GET /subscription_types", None, refusal(status))
    assert play(set_subscription(choice, make_world(_knowing(types=None))), listing).kind == kind


def test_a_contact_that_cannot_be_looked_up():
    """T1: whoever cannot be looked up now is looked up later."""
    result = play(set_subscription(_choose("91", False), make_world()), (_FIND, None, refusal(500)))

    assert result.kind == "retry"
