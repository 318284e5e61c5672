"""What names an event, and which keys lead to one contact, when seconds are shared out (rule E10)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.event_wishes import Places, digested, wish_of
from metarouter_intercom.operations import MergeContact, SubmitEvent, UpsertContact, Who

from .._support.flow_driving import make_cache

_OWN = "1767225600123-1000000000-0123456789abcdef0123"


def _owner(
    make=wish_of, *, message_id=_OWN, name="Viewed", second=5, number=0, who=None, kind="track", **message
):
    event = SubmitEvent(who=who or Who(external_id="u1"), event_name=name, created_at=second, metadata={})
    wire = {"type": kind, "messageId": message_id, **message}
    return make(event, wire, Places(make_cache()), number).owner


_PAGE = {"kind": "page", "properties": {"a": 1}, "context": {"page": {"url": "https://example.com"}}}


@pytest.mark.parametrize("make", [wish_of, digested])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"properties": {"n": 1}}, {"properties": {"n": 2}}),
        ({"properties": {"n": -1}}, {"properties": {"n": -2}}),
        ({"properties": {"n": 1}}, {"properties": {"n": "1"}}),
        ({"properties": {"n": [1, {"a": 2}]}}, {"properties": {"n": [1, {"a": 3}]}}),
        ({}, {"properties": {"n": None}}),
        ({}, {"second": 6}),
        ({}, {"name": "Left"}),
        ({}, {"number": 1}),
        ({}, {"who": Who(external_id="u2")}),
        ({"who": Who(email="u1")}, {}),
        ({"message_id": "a"}, {"message_id": "b"}),
        (_PAGE, {**_PAGE, "context": {"page": {"url": "https://example.org"}}}),
        (_PAGE, {**_PAGE, "context": {}}),
        (_PAGE, {**_PAGE, "context": None}),
    ],
)
def test_what_makes_two_events(make, one, other):
    """E10: another value in what names an event makes it another event."""
    assert _owner(make, **one) != _owner(make, **other)


@pytest.mark.parametrize("make", [wish_of, digested])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"properties": {"a": 1, "b": 2}}, {"properties": {"b": 2, "a": 1}}),
        ({"properties": {"a": {"x": 1, "y": 2}}}, {"properties": {"a": {"y": 2, "x": 1}}}),
        ({"name": "Viewed"}, {"name": " VIEWED "}),
        ({"context": {"ip": "192.0.2.1"}}, {"context": {"ip": "192.0.2.2"}}),
        ({"message_id": "a", "second": 1, "properties": {"n": 1}}, {"message_id": "a", "second": 2}),
        ({"message_id": _OWN}, {"message_id": _OWN.replace("1767", "1768")}),
        (_PAGE, {**_PAGE, "context": {"page": {"url": "https://example.com"}, "ip": "192.0.2.1"}}),
    ],
)
def test_what_is_one_event(make, one, other):
    """E10: what Intercom does not show, the order of keys, and an id that the library made do not make another event."""
    assert _owner(make, **one) == _owner(make, **other)


def test_digests_are_the_same_in_every_process():
    """E10: a spool file holds the digests, so they never change."""
    assert _owner(digested, properties={"n": 1, "t": "ü"}) == 3353445442806085640
    assert _owner(digested, message_id="order-17") == -8507526046590756117


def _linked(*operations, cache=None):
    places = Places(cache or make_cache())
    for operation in operations:
        places.learn(operation)
    return places.links


def _upsert(who, **fields):
    return UpsertContact(who=who, role=None, fields=fields, attributes={})


def test_an_identify_links_the_address_to_the_user():
    """E10: the address of an identify, in small letters, leads to its user; a new address of nobody leads nowhere."""
    assert _linked(_upsert(Who(external_id="u1"), email="Ann@Example.com")) == {
        ("email:ann@example.com",): "u1"
    }
    assert _linked(_upsert(Who(email="ann@example.com"), email="ann@example.com")) == {}
    assert _linked(_upsert(Who(external_id="u1"), email=None)) == {}


def test_a_merge_links_the_lead_to_its_user():
    """E10, L1: a lead's events count as the user's from the merge on."""
    merge = MergeContact(lead=Who(anonymous_id="a1"), user=Who(external_id="u1"))

    assert _linked(merge) == {("anonymous:a1",): "u1"}


def test_a_known_contact_links_all_its_keys():
    """E10: an address or a visitor whose contact is known leads to it, and to the user that the contact is known to be."""
    cache = make_cache()
    cache.remember_contact("email:ann@example.com", "c1")
    cache.remember_contact("anonymous:a1", "c2")
    cache.remember_contact("user:u2", "c2")
    places = Places(cache)

    assert places.of(Who(email="Ann@example.com")) == ("contact:c1",)
    assert places.of(Who(anonymous_id="a1")) == "u2"
    assert places.of(Who(external_id="ann@example.com", email="ann@example.com")) == "ann@example.com"
    assert places.links == {
        ("contact:c2",): "u2",
        ("anonymous:a1",): "u2",
        ("email:ann@example.com",): "ann@example.com",
    }


def test_an_operation_that_names_no_second_key_teaches_nothing():
    """E10: only upserts with an address and merges say which keys are one contact's."""
    places = Places(make_cache())
    event = SubmitEvent(who=Who(external_id="u1"), event_name="Viewed", created_at=5, metadata={})

    for operation in (event, UpsertContact(who=Who(external_id="u1"), role="user", fields={}, attributes={})):
        places.learn(operation)

    assert places.links == {}
