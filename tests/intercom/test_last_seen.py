"""The requests that refresh when a contact was last seen, answer by answer (rule E11)."""

from __future__ import annotations

from metarouter_intercom._intercom.contacts import upsert_contact
from metarouter_intercom.operations import UpsertContact, Who

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
    search_page,
)

_READ = ("GET /contacts/c1", None)
_BODY = {"last_seen_at": 500}


def _seen(at=500, **who):
    who = who or {"external_id": "u1"}
    return UpsertContact(
        who=Who(**who), role=None, fields={"last_seen_at": at}, attributes={}, only_known=True
    )


def _world(*, stored=None, key="user:u1", **settings):
    cache = make_cache()
    cache.remember_contact(key, "c1")
    if stored is not None:
        cache.remember_written("contact", "c1", {"last_seen_at": stored}, now=NOW)
    return make_world(cache, **settings)


def test_what_was_written_last_needs_no_request():
    """E11, O3: within ``last_seen_resolution`` of the last write nothing is sent."""
    assert play(upsert_contact(_seen(500), _world(stored=300))).unchanged


def test_without_resolution_every_later_second_is_written():
    """E11, O3: ``last_seen_resolution=0`` writes each later time, and never an equal or earlier one."""
    world = _world(stored=499, last_seen_resolution=0)

    assert not play(upsert_contact(_seen(500), world), ("PUT /contacts/c1", _BODY, ok())).unchanged
    assert play(upsert_contact(_seen(500), world)).unchanged
    assert play(upsert_contact(_seen(499), world)).unchanged


def test_an_unknown_contact_is_searched_and_read_before_it_is_written():
    """E11: what Intercom stores is asked for once, and a contact that was never seen is written."""
    result = play(
        upsert_contact(_seen(), make_world()),
        ("GET /contacts/find_by_external_id/u1", None, contact("c1")),
        (*_READ, contact("c1", last_seen_at=None)),
        ("PUT /contacts/c1", _BODY, ok()),
    )

    assert result.kind == "delivered"


def test_nobody_is_created():
    """E11, M2: without the contact the message waits."""
    result = play(
        upsert_contact(_seen(email="a@example.com"), make_world()),
        ("POST /contacts/search", {**_search("a@example.com")}, search_page()),
    )

    assert (result.kind, result.reason) == ("wait", "contact_missing")


def _search(email):
    query = {"field": "email", "operator": "=", "value": email}
    return {"query": query, "pagination": {"per_page": 150}}


def test_several_users_of_one_address_are_not_guessed():
    """E11, I2: an address of several users ends the message, as its event does."""
    page = search_page(*({"id": name, "email": "a@example.com", "role": "user"} for name in "xy"))
    result = play(
        upsert_contact(_seen(email="a@example.com"), make_world()),
        ("POST /contacts/search", _search("a@example.com"), page),
    )

    assert (result.kind, result.reason) == ("dead", "ambiguous_email")


def test_a_contact_that_is_gone_is_forgotten_and_looked_up_later():
    """E11: after a 404 the remembered id is forgotten, and the message is retried."""
    world = _world()
    result = play(upsert_contact(_seen(), world), (*_READ, missing()))

    assert (result.kind, result.reason) == ("retry", "contact_vanished")
    assert world.cache.contact_id("user:u1") is None


def test_a_merged_contact_is_followed_by_the_next_attempt():
    """E11: after a 410 the id of the contact that it became is remembered."""
    world = _world(stored=100)
    result = play(upsert_contact(_seen(), world), ("PUT /contacts/c1", _BODY, merged_into("c2")))

    assert result.kind == "retry"
    assert world.cache.contact_id("user:u1") == "c2"


def test_a_contact_named_by_a_wrong_id_is_waited_for():
    """E11, M2: an id that the message itself names cannot be looked up in another way."""
    world = make_world()
    result = play(upsert_contact(_seen(contact_id="c1"), world), (*_READ, missing()))

    assert result.kind == "wait"


def test_a_refused_write_says_so():
    """E11: any other refusal is classified as that of every request."""
    result = play(upsert_contact(_seen(), _world(stored=100)), ("PUT /contacts/c1", _BODY, refusal(503)))

    assert (result.kind, result.status) == ("retry", 503)
