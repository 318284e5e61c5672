"""The quick way for usual calls buffers what the careful one buffers, or leaves the call to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from metarouter_intercom import Client
from metarouter_intercom._client.fast_stamping import _KEPT_SHAPES, _Shapes
from metarouter_intercom._client.stamping import Stamped, Stamper
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.errors import RejectedMessage
from metarouter_intercom.messages._integrations import Silence
from metarouter_intercom.settings import Settings

from .._support.twins import (
    PLAIN_VALUES,
    VALUES,
    Facts,
    Text,
    assert_twins_agree,
    change,
    mostly,
    usual_with_changes,
)

NOW = 1_772_352_000.5
PROPERTIES = {"plan": "pro", "seats": 5, "price": 19.99, "trial": False, "coupon": None}
CONTEXT = {"ip": "192.0.2.7", "library": {"name": "web", "version": {"major": 1}}}


def quickly(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> Stamped | None:
    return Stamper(Settings(api_key="test"), ()).stamp_fast(kind, user_id, event, facts, context, NOW)


@pytest.mark.parametrize("kind", ["track", "identify"])
def test_usual_calls_go_the_quick_way(kind: str) -> None:
    """A text id, flat facts and a context with objects in it are usual, and shared with nobody."""
    stamped = quickly(kind, "u-1", "Report Exported", PROPERTIES, CONTEXT)

    assert stamped is not None
    facts = stamped.message["properties" if kind == "track" else "traits"]
    assert facts == PROPERTIES
    assert facts is not PROPERTIES
    assert stamped.message["context"] == CONTEXT
    assert stamped.message["context"]["library"]["version"] is not CONTEXT["library"]["version"]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param((7, "e", {}, {}), id="number for an id"),
        pytest.param((" ", "e", {}, {}), id="blank id"),
        pytest.param(("ü", "e", {}, {}), id="id in another script"),
        pytest.param(("u", " ", {}, {}), id="blank event"),
        pytest.param(("u", "e", [], {}), id="list for an object"),
        pytest.param(("u", "e", {}, "web"), id="text for an object"),
        pytest.param(("u", "e", {"a": [1]}, {}), id="list among the facts"),
        pytest.param(("u", "e", {"a": 2**64}, {}), id="integer of more than 64 bits"),
        pytest.param(("u", "e", {"a": "\ud800"}, {}), id="no text"),
        pytest.param(("u", "e", {1: "a"}, {}), id="key that is no text"),
        pytest.param(("u", "e", {}, {"Intercom": {"user_hash": "x"}}), id="proof of identity"),
        pytest.param(("u", "e", {"a": "x" * 6_000}, {}), id="perhaps too large"),
    ],
)
def test_other_calls_go_the_careful_way(call: tuple[Any, ...]) -> None:
    """Whatever is changed, rejected or looked at twice is for the careful way."""
    assert quickly("track", *call) is None


def test_before_hooks_and_proofs_go_the_careful_way() -> None:
    """Messages that hooks see or that are checked for a proof are read by the careful way."""
    call = ("track", "u-1", "e", {}, {}, NOW)

    assert Stamper(Settings(api_key="test"), (lambda message: message,)).stamp_fast(*call) is None
    assert Stamper(Settings(api_key="test", identity_secret="s"), ()).stamp_fast(*call) is None


ONE_CALL = {
    "user_id": "u-1",
    "event": "Report Exported",
    "facts": PROPERTIES,
    "context": CONTEXT,
}
USUAL = [
    {"kind": "track", **ONE_CALL},
    {
        "kind": "identify",
        **ONE_CALL,
        "facts": {**PROPERTIES, "email": "ada@example.com", "company": {"id": "c-1"}},
    },
    {"kind": "track", **ONE_CALL, "user_id": "ada@example.com", "context": None},
    {"kind": "identify", **ONE_CALL, "event": None, "facts": None},
]
IDS_AND_NAMES = mostly(
    st.text(st.characters(max_codepoint=127), min_size=1, max_size=6)
    | st.sampled_from(["eve@example.com", "x" * 200, " x "]),
    st.text() | st.sampled_from(["ü", "", " ", None, 7, Text("u"), "\ud800"]),
)
OPTIONS = st.sampled_from(
    [{}, {"user_hash": "x"}, {"contact_id": "c"}, True, None, {"Intercom": {"role": "user"}}]
)
FACT_KEYS = [
    "plan",
    "seats",
    "new",
    "b.c",
    "email",
    "",
    "Größe",
    "traits",
    ("company", "id"),
    ("company", "new"),
    ("in", "b"),
]
PLACES_OF_FACTS = [("facts", *(key if isinstance(key, tuple) else (key,))) for key in FACT_KEYS]
PLACES_OF_CONTEXT = [
    ("context", "ip"),
    ("context", "traits"),
    ("context", "library", "version", "major"),
    ("context", "library", "x"),
]
CALLS = usual_with_changes(
    USUAL,
    mostly(
        change([*PLACES_OF_FACTS, *PLACES_OF_CONTEXT], VALUES) | change(["user_id", "event"], IDS_AND_NAMES),
        change(
            ["facts", "context"],
            st.sampled_from([None, {}, {"a": {"b": {"c": {"d": 1}}}}, Facts(a=1), [], "web"]),
        )
        | change(
            [("facts", Text("own")), ("facts", 1), ("facts", None), ("facts", "\ud800"), ("facts", 0.5)],
            PLAIN_VALUES,
        )
        | change([("context", "Intercom"), ("context", "integrations"), ("context", "intercom")], OPTIONS),
    ),
)


def told(stamped: Stamped | None) -> tuple[dict[str, Any], list[str], bool] | None:
    """Return what is buffered, but for the message id that each path makes."""
    if stamped is None:
        return None
    return dict(sorted(stamped.message.items())) | {"messageId": ""}, list(stamped.keys), stamped.upserts


def wire_form(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> dict[str, Any]:
    call = {"type": kind, "userId": user_id, "context": context}
    return call | ({"event": event, "properties": facts} if kind == "track" else {"traits": facts})


@pytest.mark.parametrize("limit", [6_000, 32_768])
def test_both_paths_buffer_the_same(limit: int) -> None:
    """Q1, Q2, R2: where the fast path takes a call, the full path takes it too and buffers the same."""
    acceptance = Stamper(Settings(api_key="test", max_message_bytes=limit), ())

    assert_twins_agree(
        lambda call: told(acceptance.stamp_fast(**call, now=NOW)),
        lambda call: told(acceptance._stamped(acceptance._careful(wire_form(**call), NOW))),
        CALLS,
    )


def test_a_plain_object_goes_both_ways() -> None:
    """Q1: a message in wire form that holds no more than a usual call is buffered as the full path buffers it."""
    acceptance = Stamper(Settings(api_key="test"), ())
    more = change(["messageId", "timestamp", "anonymousId", "traits", "properties", "unknown"], VALUES)
    types = change(["type"], st.sampled_from(["track", "identify", "Track", "group", None, Text("track")]))
    others = usual_with_changes([wire_form(**call) for call in USUAL], more | types)

    assert_twins_agree(
        lambda wire: told(acceptance._stamped_fast(wire, NOW)),
        lambda wire: told(acceptance._stamped(acceptance._careful(wire, NOW))),
        mostly(CALLS.map(lambda call: wire_form(**call)), others),
    )


@pytest.mark.parametrize(
    ("facts", "context"),
    [
        pytest.param({"a": {"b": "x" * 40_000}}, None, id="in a property"),
        pytest.param(None, {"a": {"b": {"c": "x" * 40_000}}}, id="deep in the context"),
        pytest.param({"a": {"x" * 40_000: "b"}}, None, id="in a name"),
        pytest.param({"a": "x" * 40_000}, None, id="not nested"),
        pytest.param({"a" * 40_000: 1}, None, id="in a name, not nested"),
    ],
)
def test_characters_count_wherever_they_are(facts: Any, context: Any) -> None:
    """Q2: a message that is larger than ``max_message_bytes`` is rejected, however deep its characters are."""
    call = wire_form("track", "u-1", "Report Exported", facts, context)

    with pytest.raises(RejectedMessage) as raised:
        Stamper(Settings(api_key="test"), ()).stamp(call, NOW)

    assert raised.value.reason == "too_large"


@pytest.mark.parametrize("key", ["plan", Text("plan")])
def test_keys_of_the_callers_own_class_are_buffered(key: str) -> None:
    """A key that equals a plain text is buffered as one, also where its like was seen before."""
    buffer = MemoryBuffer(limit=10, dead_letters=10)
    client = Client(api_key="test", delivery="manual", buffer=buffer)
    client.track("u-1", "Plan Chosen", {"plan": "pro"})

    client.track("u-1", "Plan Chosen", {key: "free"})

    claim = buffer.claim(now=2**40, limit=10)
    assert claim is not None
    assert claim.entries[-1].message["properties"] == {"plan": "free"}


def test_what_is_remembered_of_calls_is_bounded() -> None:
    """A program that makes up names for ever fills no memory with them, and a call beyond the bound is read like any other."""
    shapes = _Shapes(Silence(frozenset({"intercom"})))
    for number in range(_KEPT_SHAPES):
        shapes[(f"key {number:05}", None)]
    size = shapes[("key 99999", None)]

    assert (size, len(shapes)) == (shapes[("key 00000", None)], _KEPT_SHAPES)
