"""The six calls and ``send``: parameters and their order as in the usual Segment client, and where each stands in the wire form."""

from __future__ import annotations

import inspect
from datetime import datetime, timezone

import pytest
from hypothesis import strategies as st

from metarouter_intercom import Settings
from metarouter_intercom._client.calls import Calls
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.testing import RecordingClient

from .._support.twins import VALUES, assert_twins_agree, change, mostly, usual_with_changes

_USUAL = ["context", "timestamp", "anonymous_id", "integrations", "message_id"]
_PARAMETERS = {
    "identify": ["user_id", "traits", *_USUAL],
    "track": ["user_id", "event", "properties", *_USUAL],
    "group": ["user_id", "group_id", "traits", *_USUAL],
    "page": ["user_id", "category", "name", "properties", *_USUAL],
    "screen": ["user_id", "category", "name", "properties", *_USUAL],
    "alias": ["previous_id", "user_id", "context", "timestamp", "integrations", "message_id"],
    "send": ["message"],
}
_WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", _PARAMETERS)
def test_parameters_come_in_the_usual_order(name):
    """Names and order of the parameters are pinned, so that moving over from the usual Segment client changes one import."""
    parameters = list(inspect.signature(getattr(Calls, name)).parameters)

    assert parameters[1:] == _PARAMETERS[name]


@pytest.mark.parametrize("name", [name for name in _PARAMETERS if name != "send"])
def test_every_parameter_can_be_left_out(name):
    """Every parameter of the six calls has None as its default, because an anonymous id may replace a user id."""
    parameters = list(inspect.signature(getattr(Calls, name)).parameters.values())[1:]

    assert {parameter.default for parameter in parameters} == {None}


@pytest.mark.parametrize(
    ("call", "wire"),
    [
        (
            lambda client: client.identify("u-1", {"a": 1}, {"c": 1}, _WHEN, "a-1", {"All": True}, "m-1"),
            {"type": "identify", "userId": "u-1", "traits": {"a": 1}},
        ),
        (
            lambda client: client.track(
                "u-1", "Bought", {"a": 1}, {"c": 1}, _WHEN, "a-1", {"All": True}, "m-1"
            ),
            {"type": "track", "userId": "u-1", "event": "Bought", "properties": {"a": 1}},
        ),
        (
            lambda client: client.group("u-1", "g-1", {"a": 1}, {"c": 1}, _WHEN, "a-1", {"All": True}, "m-1"),
            {"type": "group", "userId": "u-1", "groupId": "g-1", "traits": {"a": 1}},
        ),
        (
            lambda client: client.page(
                "u-1", "Docs", "Home", {"a": 1}, {"c": 1}, _WHEN, "a-1", {"All": True}, "m-1"
            ),
            {"type": "page", "userId": "u-1", "category": "Docs", "name": "Home", "properties": {"a": 1}},
        ),
        (
            lambda client: client.screen(
                "u-1", "Docs", "Home", {"a": 1}, {"c": 1}, _WHEN, "a-1", {"All": True}, "m-1"
            ),
            {"type": "screen", "userId": "u-1", "category": "Docs", "name": "Home", "properties": {"a": 1}},
        ),
        (
            lambda client: client.alias("a-1", "u-1", {"c": 1}, _WHEN, {"All": True}, "m-1"),
            {"type": "alias", "userId": "u-1", "previousId": "a-1"},
        ),
    ],
    ids=["identify", "track", "group", "page", "screen", "alias"],
)
def test_every_argument_has_its_place_in_the_wire_form(call, wire):
    """Each positional argument stands under its key of the wire form, instants as Unix seconds."""
    client = RecordingClient()

    call(client)

    common = {
        "context": {"c": 1},
        "timestamp": _WHEN.timestamp(),
        "integrations": {"All": True},
        "messageId": "m-1",
    }
    if wire["type"] != "alias":
        common["anonymousId"] = "a-1"
    assert client.sent == [common | wire]


@pytest.mark.parametrize("name", ["identify", "track", "group", "page", "screen"])
def test_a_call_and_send_accept_the_same_message(name):
    """``send`` with a whole message accepts the same message as the call with the same arguments."""
    client = RecordingClient()
    extra = {"track": {"event": "Bought"}, "group": {"groupId": "g-1"}}.get(name, {})
    arguments = {"event": "event", "groupId": "group_id"}

    getattr(client, name)(
        user_id="u-1",
        timestamp=1_760_000_000,
        message_id="m-1",
        **{arguments[key]: value for key, value in extra.items()},
    )
    called = client.sent[0]
    client.clear()
    client.send({"type": name, "userId": "u-1", "timestamp": 1_760_000_000, "messageId": "m-1", **extra})

    assert client.sent == [called]


@pytest.mark.parametrize("user_id", [7, "7"])
def test_numbers_serve_as_ids(user_id):
    """R2: an integer id becomes its text, on the fast path and on the full path."""
    client = RecordingClient()

    client.track(user_id, "Bought")
    client.track(user_id, "Bought", message_id="m-1")

    assert [message["userId"] for message in client.sent] == ["7", "7"]


class _OnePath:
    """Stands in for a client's acceptor: takes calls by one path and keeps what is stamped."""

    def __init__(self, *, is_fast):
        self._stamper = Stamper(Settings(api_key="k"), ())
        self._is_fast = is_fast
        self.stamped = None

    def accept_fast(self, kind, user_id, event, facts, context):
        if not self._is_fast:
            return None
        self.stamped = self._stamper.fast.stamp(kind, user_id, event, facts, context, 5.5)
        return None if self.stamped is None else "accepted"

    def accept(self, call):
        self.stamped = None if self._is_fast else self._stamper._stamp_full(call, 5.5)
        return ""


def _stamp(name, arguments, *, is_fast):
    """Return what a call of *name* stamps, except for the message id that each path makes; None if its path leaves it."""
    client = Calls()
    client._acceptor = _OnePath(is_fast=is_fast)
    getattr(client, name)(**arguments)
    if client._acceptor.stamped is None:
        return None
    message, keys, upserts = client._acceptor.stamped
    return dict(sorted(message.items())) | {"messageId": ""}, list(keys), upserts


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("identify", {"traits": {"plan": "pro"}}), ("track", {"event": "Seen", "properties": {"n": 1}})],
)
def test_both_paths_stamp_the_same_call_alike(name, arguments):
    """Q1: where the fast path stamps a call, the full path stamps the same message."""
    usual = [
        {"user_id": "u-1", **arguments, "context": {"ip": "192.0.2.7"}},
        {"user_id": "a@example.com", **arguments},
    ]
    more = [_WHEN, 5, "2026-03-01", {"All": False}, {"Intercom": {"role": "lead"}}, "a-1"]
    facts = list(arguments)[-1]
    calls = usual_with_changes(
        usual,
        mostly(
            change([(facts, "plan"), (facts, "new"), ("context", "ip")], VALUES),
            change(
                ["timestamp", "anonymous_id", "integrations", "message_id"], st.sampled_from([None, *more])
            ),
        ),
    )

    assert_twins_agree(
        lambda call: _stamp(name, call, is_fast=True),
        lambda call: _stamp(name, call, is_fast=False),
        calls,
    )
