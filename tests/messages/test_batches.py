"""Opening Segment batches (rule R1): the batch's context, integrations and times go into its messages, key by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.errors import RejectedMessage
from metarouter_intercom.messages._batches import members_of, merged
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.messages._integrations import is_selected

from .._support.promises import promised

_NAMES = frozenset({"intercom"})


def _is_sent(batch, member):
    message = merged(batch, {"type": "track", "event": "x", "userId": "u1", **member})
    return is_selected(read_message(message, now=0.0), _NAMES, [])


@pytest.mark.parametrize(
    ("batch", "member", "expected"),
    [
        ({"context": {"ip": "::1", "app": 1}}, {"context": {"app": 2}}, {"context": {"ip": "::1", "app": 2}}),
        ({"context": {"ip": "::1"}}, {}, {"context": {"ip": "::1"}}),
        ({"context": {"ip": "::1"}}, {"context": None}, {"context": {"ip": "::1"}}),
        ({"context": {"ip": "::1"}}, {"context": []}, {"context": {"ip": "::1"}}),
        ({"context": []}, {"context": {"app": 2}}, {"context": {"app": 2}}),
        ({"context": {"app": {"a": 1, "b": 2}}}, {"context": {"app": {"a": 3}}}, {"context": {"app": {"a": 3}}}),
        ({"context": {"ip": "::1"}}, {"context": {"ip": None}}, {"context": {"ip": None}}),
        ({"integrations": {"All": False}}, {"integrations": {"Intercom": True}}, {"integrations": {"All": False, "Intercom": True}}),
        ({"integrations": {"Intercom": False}}, {"integrations": {"intercom": True}}, {"integrations": {"intercom": True}}),
        ({"integrations": {"Intercom": False}}, {"integrations": {}}, {"integrations": {"Intercom": False}}),
        ({"integrations": None}, {"integrations": {"All": True}}, {"integrations": {"All": True}}),
        ({"integrations": "none"}, {"integrations": {"All": True}}, {"integrations": "none"}),
        ({"integrations": {"All": True}}, {"integrations": 5}, {"integrations": 5}),
        ({"sentAt": "s", "receivedAt": "r"}, {}, {"sentAt": "s", "receivedAt": "r"}),
        ({"sent_at": "s", "received_at": "r"}, {}, {"sentAt": "s", "receivedAt": "r"}),
        ({"sentAt": "s", "sent_at": "t"}, {"receivedAt": "own"}, {"sentAt": "s", "receivedAt": "own"}),
        ({"sentAt": "s", "receivedAt": "r"}, {"sent_at": "own", "receivedAt": " "}, {"sent_at": "own", "receivedAt": "r"}),
        ({"sentAt": None, "sent_at": ""}, {}, {}),
        ({"writeKey": "k", "messageId": "b", "timestamp": 5}, {"messageId": "m"}, {"messageId": "m"}),
    ],
)  # fmt: skip
def test_what_a_batch_says_for_its_messages(batch, member, expected):
    """R1: context and integrations are joined key by key and the message's own key wins; times fill what the message leaves open."""
    before = repr((batch, member))

    assert merged(batch, member) == expected
    assert repr((batch, member)) == before


@pytest.mark.parametrize(
    ("batch", "member", "is_sent"),
    [
        ({"integrations": {"Intercom": False}}, {}, False),
        ({"integrations": {"Intercom": False}}, {"integrations": {"Mixpanel": True}}, False),
        ({"integrations": {"All": False}}, {"integrations": {"Mixpanel": True}}, False),
        ({"integrations": {"All": False}}, {"integrations": {"Intercom": {"role": "user"}}}, True),
        ({"context": {"integrations": {"Intercom": False}}}, {}, False),
        ({"context": {"integrations": {"Intercom": False}}}, {"integrations": {"Mixpanel": True}}, False),
        ({"context": {"integrations": {"Intercom": False}}}, {"context": {"integrations": {"Mixpanel": True}}}, False),
        ({"context": {"integrations": {"Intercom": False}}}, {"context": {"integrations": {}}}, False),
        ({"context": {"providers": {"All": False}}}, {"integrations": {}}, False),
        ({"integrations": {"Mixpanel": True}}, {"context": {"integrations": {"Intercom": False}}}, False),
        ({"integrations": {"Intercom": False}}, {"context": {"integrations": {"Intercom": True}}}, True),
        ({"integrations": {"INTERCOM": False}}, {"integrations": {"Intercom": True}}, True),
        ({"integrations": {"All": True}}, {}, True),
        ({"integrations": {"Intercom": "off"}}, {"integrations": {"Intercom": ""}}, False),
        ({"integrations": {"Intercom": False}}, {"integrations": {"intercom": " "}}, False),
        ({"integrations": {"All": False}}, {"integrations": {"all": "\u200b"}}, False),
        ({"context": {"integrations": {"Intercom": "no"}}}, {"integrations": {"Intercom": ""}}, False),
        ({"integrations": {"Intercom": {}, "All": False}}, {"context": {"integrations": {"Intercom": ""}}}, True),
        ({"integrations": {"Intercom": True}}, {"integrations": {"Intercom": None}}, False),
        ({"integrations": {"Mixpanel": True}}, {"integrations": {"Intercom": ""}}, True),
    ],
)  # fmt: skip
def test_an_opt_out_of_the_batch(batch, member, is_sent):
    """R1, R6: an opt-out for the whole batch holds for each message that does not decide otherwise itself, wherever either says it."""
    assert _is_sent(batch, member) is is_sent


_CHOICES = st.dictionaries(
    st.sampled_from(["All", "Intercom", "intercom", "Mixpanel"]), st.booleans(), max_size=3
)
_PLACES = st.sampled_from(["integrations", "context.integrations", "context.providers"])


def _placed(place, choices):
    outer, _, inner = place.partition(".")
    return {outer: {inner: choices} if inner else choices}


@given(_PLACES, _CHOICES, _PLACES, st.dictionaries(st.just("Mixpanel"), st.booleans()))
@promised
def test_no_opt_out_of_a_batch_is_lost(place, choices, own_place, own_choices):
    """R1, R6: a message that says nothing about Intercom is sent if, and only if, the batch alone would be."""
    alone = _is_sent(_placed(place, choices), {})

    assert _is_sent(_placed(place, choices), _placed(own_place, own_choices)) is alone


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ({"batch": [1]}, [1]),
        ({"batch": [], "type": None}, []),
        ({"batch": [], "type": " Batch "}, []),
        ({"batch": [1], "type": "track"}, None),
        ({"batch": [1], "type": 5}, None),
        ({"batch": {"a": 1}}, None),
        ({"type": "track"}, None),
    ],
)
def test_what_a_batch_is(value, members):
    """R1: an object with a list under ``batch`` is a batch, unless its type is that of a message."""
    assert members_of(value) == members


@pytest.mark.parametrize("wire", [{"batch": []}, {"batch": [{"type": "track"}], "type": "batch"}])
def test_a_batch_is_not_one_message(wire):
    """R1: a batch in the place of a message is rejected, and the rejection says what to do."""
    with pytest.raises(RejectedMessage) as raised:
        read_message(wire, now=0.0)

    assert str(raised.value) == (
        "batch: a batch, not one message; send each message of it, with the batch's context and integrations"
    )
