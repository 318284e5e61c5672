"""By which keys a message shares a lane with others of the same contact (rules R8, O1)."""

from __future__ import annotations

import pytest
from hypothesis import given

from metarouter_intercom import Settings
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.errors import RejectedMessage
from metarouter_intercom.messages._codec import read_stamped
from metarouter_intercom.messages._contact_keys import contact_keys
from metarouter_intercom.operations._translator import translate

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
    """R8, O1: contact id, user id and e-mail address of a message, its own key first; else its anonymous id."""
    assert contact_keys(message, _NAMES) == keys


@given(MESSAGES)
@promised
def test_a_message_is_in_the_lane_of_whom_it_writes(wire):
    """O1: whomever a message's operations are about, that contact's key is among the message's."""
    try:
        stamped = Stamper(_SETTINGS, ()).stamp({"event": "x", "groupId": "c1", **wire}, 0.0)
    except RejectedMessage:
        return

    operations = translate(read_stamped(stamped.message), _SETTINGS).operations

    about = {operation.who.key for operation in operations if hasattr(operation, "who")}
    assert about <= set(stamped.keys)
