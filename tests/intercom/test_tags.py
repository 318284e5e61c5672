"""How contacts are tagged, and how tags are taken off (rules I13, M1, M2, O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.responses import CONTACT_MISSING, DELIVERED, UNCHANGED
from metarouter_intercom._intercom.tags import tag_contact
from metarouter_intercom.operations import TagContact, Who

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

_WHO = Who(external_id="u1")
_ADD = TagContact(who=_WHO, name="VIP")
_REMOVE = TagContact(who=_WHO, name="vip", remove=True)
_MAKE = ("POST /tags", {"name": "VIP"}, ok({"type": "tag", "id": "7", "name": "vip"}))
_PUT_ON = "POST /contacts/c1/tags"
_TAKE_OFF = "DELETE /contacts/c1/tags/7"
_FIND = "GET /contacts/find_by_external_id/u1"
_NO_TAG = missing("Resource Not Found")


def _list(*tags):
    data = [{"type": "tag", "id": tag_id, "name": name} for tag_id, name in tags]
    return ("GET /tags", None, ok({"type": "list", "data": data}))


def _knowing(tag_id=None, now=NOW):
    cache = make_cache()
    cache.remember_contact("user:u1", "c1")
    if tag_id is not None:
        cache.remember_tag("VIP", tag_id, now)
    return cache


def test_a_tag_is_made_by_its_name_and_remembered():
    """The tag is made by its name; its id serves the next contact, and the same tag of the same contact is not sent again."""
    world = make_world(_knowing())
    world.cache.remember_contact("user:u2", "c2")

    first = play(tag_contact(_ADD, world), _MAKE, (_PUT_ON, {"id": "7"}, ok()))
    again = play(tag_contact(_ADD, world))
    other = TagContact(who=Who(external_id="u2"), name="vIP")
    second = play(tag_contact(other, world), ("POST /contacts/c2/tags", {"id": "7"}, ok()))

    assert (first, again, second) == (DELIVERED, UNCHANGED, DELIVERED)


def test_a_tag_is_taken_off():
    """A tag that is not known is looked for in Intercom's list, whatever its letter case; it is not made to be taken off."""
    world = make_world(_knowing())
    tags = _list(("6", "vip 2"), ("7", "ViP"))

    assert play(tag_contact(_REMOVE, world), tags, (_TAKE_OFF, None, ok())) == DELIVERED
    assert play(tag_contact(_REMOVE, world)) == UNCHANGED
    assert play(tag_contact(_ADD, world), (_PUT_ON, {"id": "7"}, ok())) == DELIVERED
    assert play(tag_contact(_REMOVE, world), (_TAKE_OFF, None, ok())) == DELIVERED


@pytest.mark.parametrize("data", [[], [("6", "other")]])
def test_a_tag_that_nobody_has_is_off(data):
    """A tag that Intercom does not have is taken off with success, and not looked for again."""
    world = make_world(_knowing())

    assert play(tag_contact(_REMOVE, world), _list(*data)) == UNCHANGED
    assert play(tag_contact(_REMOVE, world)) == UNCHANGED


def test_a_tag_that_the_contact_does_not_have_is_off():
    """A contact without the tag is a success, and it is remembered."""
    world = make_world(_knowing())

    assert play(tag_contact(_REMOVE, world), _list(("7", "vip")), (_TAKE_OFF, None, _NO_TAG)) == UNCHANGED
    assert play(tag_contact(_REMOVE, world)) == UNCHANGED


def test_a_remembered_id_that_is_gone_is_looked_up_again():
    """A tag may be deleted and made again under another id: the remembered id is then replaced."""
    world = make_world(_knowing("5"))
    assert (
        play(
            tag_contact(_REMOVE, world),
            ("DELETE /contacts/c1/tags/5", None, missing("Resource Not Found", "tag_not_found")),
            _list(("7", "vip")),
            (_TAKE_OFF, None, ok()),
        )
        == DELIVERED
    )
    world = make_world(_knowing("5"))
    made = (_PUT_ON, {"id": "5"}, _NO_TAG), _MAKE, (_PUT_ON, {"id": "7"}, ok())
    assert play(tag_contact(_ADD, world), *made) == DELIVERED


def test_an_id_is_remembered_for_an_hour():
    """Somebody may rename a tag, so its id is asked for again after an hour."""
    world = make_world(_knowing("5", now=NOW - 3600))

    assert play(tag_contact(_ADD, world), _MAKE, (_PUT_ON, {"id": "7"}, ok())) == DELIVERED


def test_a_merged_contact_is_followed():
    """M1: the tag goes to the contact that the remembered one was merged into."""
    result = play(
        tag_contact(_ADD, make_world(_knowing("7"))),
        (_PUT_ON, {"id": "7"}, merged_into("c2")),
        ("POST /contacts/c2/tags", {"id": "7"}, ok()),
    )

    assert result == DELIVERED


def test_a_vanished_contact_is_looked_up_again():
    """M2: a contact that is gone is looked up; if there is none, the message waits for it."""
    exchanges = ((_PUT_ON, {"id": "7"}, missing()), (_FIND, None, contact("c2")))
    then = ("POST /contacts/c2/tags", {"id": "7"}, ok())

    assert play(tag_contact(_ADD, make_world(_knowing("7"))), *exchanges, then) == DELIVERED
    gone = ((_PUT_ON, {"id": "7"}, missing()), (_FIND, None, missing()))
    assert play(tag_contact(_ADD, make_world(_knowing("7"))), *gone) == CONTACT_MISSING
    assert play(tag_contact(_REMOVE, make_world()), (_FIND, None, missing())) == UNCHANGED


@pytest.mark.parametrize(
    ("who", "end"),
    [(Who(contact_id="c1"), CONTACT_MISSING), (Who(contact_id="c1", external_id="u1"), DELIVERED)],
)
def test_a_contact_id_that_is_gone(who, end):
    """R8: where the message's own contact id is gone, its other id finds the contact, if it has one."""
    world = make_world(_knowing("7"))
    world.cache.remember_contact("user:u1", "c2")
    more = [("POST /contacts/c2/tags", {"id": "7"}, ok())] if end is DELIVERED else []

    operation = TagContact(who=who, name="VIP")

    assert (
        play(tag_contact(operation, world), (_PUT_ON, {"id": "7"}, missing("Contact Not Found")), *more)
        == end
    )


def test_what_vanishes_again_and_again_is_tried_later():
    """A tag that Intercom makes and then does not have is no end: the message is tried again later."""
    rounds = [exchange for _ in range(4) for exchange in (_MAKE, (_PUT_ON, {"id": "7"}, _NO_TAG))]

    result = play(tag_contact(_ADD, make_world(_knowing())), *rounds)

    assert (result.kind, result.reason) == ("retry", "tag_vanished")


@pytest.mark.parametrize(
    ("exchange", "kind", "reason"),
    [
        (("POST /tags", {"name": "VIP"}, ok()), "retry", "unreadable_answer"),
        (("POST /tags", {"name": "VIP"}, refusal(403, "no", code="forbidden")), "dead", "http_403"),
        (("POST /tags", {"name": "VIP"}, refusal(503, "no")), "retry", "http_503"),
    ],
)
def test_answers_to_a_new_tag(exchange, kind, reason):
    """T1: the answer to making a tag decides; a success without an id is no answer."""
    result = play(tag_contact(_ADD, make_world(_knowing())), exchange)

    assert (result.kind, result.reason) == (kind, reason)


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (403, "dead"), (401, "held"), (500, "retry")])
def test_answers_to_tagging(status, kind):
    """T1: a missing scope for tags concerns the message, not the whole client."""
    result = play(tag_contact(_ADD, make_world(_knowing("7"))), (_PUT_ON, {"id": "7"}, refusal(status, "no")))

    assert result.kind == kind


def test_answers_to_looking_up():
    """T1: whoever cannot be looked up now is looked up later."""
    assert play(tag_contact(_ADD, make_world()), (_FIND, None, refusal(500))).kind == "retry"
    result = play(tag_contact(_REMOVE, make_world(_knowing())), ("GET /tags", None, refusal(500)))
    assert result.kind == "retry"
