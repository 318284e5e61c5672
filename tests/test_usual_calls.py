"""The quick way for usual calls buffers what the careful one buffers, or leaves the call to it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom import Client
from metarouter_intercom._acceptance import Acceptance, Stamped
from metarouter_intercom._buffers._memory import MemoryBuffer
from metarouter_intercom._selection import Silence
from metarouter_intercom._usual_calls import _KEPT_SHAPES, _Shapes
from metarouter_intercom.errors import RejectedMessage
from metarouter_intercom.settings import Settings

NOW = 1_772_352_000.5
PROPERTIES = {"plan": "pro", "seats": 5, "price": 19.99, "trial": False, "coupon": None}
CONTEXT = {"ip": "192.0.2.7", "library": {"name": "web", "version": {"major": 1}}}


class Text(str):
    """A text of a class of the caller's own."""


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["\ud800", Text("own"), b"bytes", datetime(2026, 3, 1, tzinfo=timezone.utc)]),
)
KEYS = st.sampled_from(["a", "b.c", "", Text("a"), 1, None, "\ud800", "Intercom", "integrations", "traits"])
FACTS = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=4),
    lambda inner: st.dictionaries(KEYS, VALUES | inner | st.lists(inner, max_size=1), max_size=3),
    max_leaves=4,
)


def quickly(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> Stamped | None:
    return Acceptance(Settings(api_key="test"), ()).stamp_usual(kind, user_id, event, facts, context, NOW)


def carefully(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> Stamped | None:
    """Return what the careful way buffers; None when it rejects the call."""
    call = {"type": kind, "userId": user_id, "event": event, "context": context, "timestamp": None}
    call["properties" if kind == "track" else "traits"] = facts
    try:
        return Acceptance(Settings(api_key="test"), ()).stamp(call, NOW)
    except RejectedMessage:
        return None


def without_id(stamped: Stamped) -> tuple[dict[str, Any], list[str], bool]:
    return dict(sorted(stamped.message.items())) | {"messageId": ""}, list(stamped.keys), stamped.upserts


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

    assert Acceptance(Settings(api_key="test"), (lambda message: message,)).stamp_usual(*call) is None
    assert Acceptance(Settings(api_key="test", identity_secret="s"), ()).stamp_usual(*call) is None


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["track", "identify"]),
    user_id=st.sampled_from(["u-1", "ada@example.com", "", 5, None, Text("u")]),
    event=st.sampled_from(["Report Exported", " x ", "", "Größe", None]),
    facts=st.none() | FACTS,
    context=st.none() | FACTS,
)
def test_both_ways_buffer_the_same(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> None:
    """Where the quick way takes a call, the careful way takes it too and buffers the same."""
    quick = quickly(kind, user_id, event, facts, context)

    careful = carefully(kind, user_id, event, facts, context)

    # repr: NaN is not equal to itself
    assert quick is None or (careful is not None and repr(without_id(quick)) == repr(without_id(careful)))


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
