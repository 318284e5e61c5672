"""The ids by which a message names its contact: its e-mail address (I1, I2, C4, E2), and the keys of its lane (R8, O1)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given

from metarouter_intercom import Settings
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.errors import RejectedMessage
from metarouter_intercom.messages import Alias, Group, Identify, Page, Screen, Track
from metarouter_intercom.messages._codec import read_message, read_stamped, write_message
from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.messages._contact_keys import contact_keys, email_of
from metarouter_intercom.operations import translate

from .._support.promises import MESSAGES, promised

_NAMES = frozenset({"intercom"})
_SETTINGS = Settings(
    api_key="k", anonymous="lead", page_events="Viewed {name} Page", screen_events="{name} seen"
)


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        ({"type": "track", "userId": "u1"}, ["user:u1"]),
        ({"type": "track", "userId": "A@b.co", "anonymousId": "n"}, ["user:A@b.co", "email:a@b.co"]),
        ({"type": "track", "userId": "not@address"}, ["user:not@address"]),
        ({"type": "track", "userId": "auth0|a@b.co"}, ["user:auth0|a@b.co"]),
        ({"type": "identify", "userId": "ldap/a@b.co", "traits": {"plan": "p"}}, ["user:ldap/a@b.co"]),
        ({"type": "group", "userId": "a@b.co?tenant=1"}, ["user:a@b.co?tenant=1"]),
        ({"type": "alias", "userId": "{a@b.co}"}, ["user:{a@b.co}"]),
        ({"type": "identify", "userId": "u1", "traits": {"email": "\u200bA@b.co\ufeff"}}, ["user:u1", "email:a@b.co"]),
        ({"type": "track", "properties": {"\ufeffemail": "a@b.co\u00ad"}}, ["email:a@b.co"]),
        ({"type": "track", "integrations": {"Intercom": {"id": "c"}}}, ["contact:c"]),
        ({"type": "track", "userId": "u1", "integrations": {"Intercom": {"contact_id": "null"}}}, ["user:u1"]),
        ({"type": "identify", "userId": "u1", "traits": {"E-Mail": "A@B.co"}}, ["user:u1", "email:a@b.co"]),
        ({"type": "identify", "userId": "u1", "context": {"traits": {"email": "a@b.co"}}}, ["user:u1", "email:a@b.co"]),
        ({"type": "identify", "userId": "a@b.co", "traits": {"plan": "p"}}, ["user:a@b.co", "email:a@b.co"]),
        ({"type": "identify", "traits": {"email": "nope"}, "anonymousId": "n"}, ["anonymous:n"]),
        ({"type": "group", "traits": {"email": "company@b.co"}, "context": {"traits": {"email": "a@b.co"}}}, ["email:a@b.co"]),
        ({"type": "page", "properties": {"email": "a@b.co"}, "traits": {"email": "b@b.co"}}, ["email:a@b.co"]),
        ({"type": "alias", "userId": "u1", "previousId": "p"}, ["user:u1", "anonymous:p"]),
        ({"type": "alias", "anonymousId": "n"}, []),
        ({"type": "track", "userId": "u1", "context": {"Intercom": {"contact_id": 7}}}, ["contact:7", "user:u1"]),
        ({"type": "track", "integrations": {"INTERCOM": {"Contact Id": "c"}, "Other": {"contact_id": "x"}}}, ["contact:c"]),
        ({"type": "track", "context": {"integrations": {"Intercom": {"contactId": "a", "contact_id": "b"}}}}, ["contact:b"]),
        ({"type": "track", "userId": "u1", "integrations": {"Intercom": {"contact_id": [1]}}}, ["user:u1"]),
        ({"type": "track", "userId": "u1", "integrations": {"Intercom": {"role": "user"}}, "context": {"ip": "::1"}}, ["user:u1"]),
        ({"type": "track"}, []),
    ],
)  # fmt: skip
def test_keys_of_a_message(message, keys):
    """R8, O1: a message has the keys of its contact id, user id and e-mail address, in this order, or else that of its anonymous id."""
    assert contact_keys(message, _NAMES) == keys


_CONTEXT = {"traits": {"email": "context@b.co"}}


@pytest.mark.parametrize(
    ("message", "email"),
    [
        (Identify(traits={"email": "own@b.co"}, context=_CONTEXT), "own@b.co"),
        (Identify(traits={"E-Mail": " own@b.co "}), "own@b.co"),
        (Identify(traits={"email": "nobody"}, context=_CONTEXT), "context@b.co"),
        (Identify(context=_CONTEXT), "context@b.co"),
        (Identify(user_id="u1", traits={"email": "own@b.co"}), "own@b.co"),
        (Identify(user_id="id@b.co", traits={"email": "own@b.co"}), "own@b.co"),
        (Identify(user_id="id@b.co", traits={"plan": "pro"}), "id@b.co"),
        (Identify(user_id="u1", traits={"email": None}), None),
        (Group(traits={"email": "company@b.co"}, context=_CONTEXT), "context@b.co"),
        (Group(traits={"email": "company@b.co"}), None),
        (Group(user_id="u1", context=_CONTEXT), None),
        (Group(user_id="id@b.co"), "id@b.co"),
        (Track(event="x", properties={"email": "own@b.co"}, context=_CONTEXT, traits={"email": "t@b.co"}), "own@b.co"),
        (Track(event="x", properties={"email": "a@b"}, context=_CONTEXT, traits={"email": "t@b.co"}), "context@b.co"),
        (Track(event="x", traits={"email": "t@b.co"}), "t@b.co"),
        (Track(event="x", properties={"email": ["own@b.co"]}, context={"traits": "context@b.co"}), None),
        (Track(event="x", user_id="u1", properties={"email": "own@b.co"}), None),
        (Track(event="x", user_id="id@b.co", properties={"email": "own@b.co"}), "id@b.co"),
        (Track(event="x", user_id="not@address"), None),
        (Track(event="x", user_id="samlp|okta|a@b.co"), None),
        (Identify(user_id="a@b.co/2", traits={"plan": "pro"}), None),
        (Identify(user_id="auth0|a@b.co", traits={"email": "own@b.co"}), "own@b.co"),
        (Track(event="x"), None),
        (Page(properties={"email": "own@b.co"}), "own@b.co"),
        (Screen(context=_CONTEXT), "context@b.co"),
        (Alias(previous_id="p", context=_CONTEXT), None),
        (Alias(previous_id="p", user_id="id@b.co"), "id@b.co"),
    ],
)  # fmt: skip
def test_the_address_that_names_the_contact(message, email):
    """I1, I2, C4, E2: each type of message has its places for the e-mail address; a userId can only be it itself, except for an identify."""
    assert email_of(message) == email


def test_an_address_that_json_does_not_know_is_left_open():
    """R9: a value of a message made by hand may be an address once it is JSON, so it is not refused before."""
    with pytest.raises(NotJson):
        email_of(Track(event="x", properties={"email": Decimal("5")}))


@given(MESSAGES)
@promised
def test_a_message_and_its_wire_form_have_one_address(wire):
    """O1, R8: the lane of a message is that of the e-mail address that names its contact."""
    message = read_message({"event": "x", **wire}, now=0.0)

    keys = contact_keys(write_message(message), _NAMES)

    email = email_of(message)
    assert [key for key in keys if key.startswith("email:")] == (
        [] if email is None else [f"email:{email.lower()}"]
    )


@given(MESSAGES)
@promised
def test_a_message_is_in_the_lane_of_whom_it_writes(wire):
    """O1: the contact of each operation has a key that is among those of the message."""
    try:
        stamped = Stamper(_SETTINGS, ()).stamp({"event": "x", "groupId": "c1", **wire}, 0.0)
    except RejectedMessage:
        return

    operations = translate(read_stamped(stamped.message), _SETTINGS).operations

    about = {operation.who.key for operation in operations if hasattr(operation, "who")}
    assert about <= set(stamped.keys)
