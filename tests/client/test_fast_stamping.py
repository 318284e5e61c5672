"""The fast path buffers a call of the usual kind as the full path does, or leaves the call to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from metarouter_intercom import Client
from metarouter_intercom._client.fast_stamping import _SHAPES_KEPT, FastStamper, shape_sizes
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


def stamp_fast(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> Stamped | None:
    return fast_stamper().stamp(kind, user_id, event, facts, context, NOW)


def fast_stamper(**choices: Any) -> FastStamper:
    fast = Stamper(Settings(api_key="test", **choices), ()).fast
    assert fast is not None
    return fast


@pytest.mark.parametrize("kind", ["track", "identify"])
def test_calls_of_the_usual_kind_take_the_fast_path(kind: str) -> None:
    """A call with a text id, flat facts and objects in its context takes the fast path; the result shares nothing with the caller's data."""
    stamped = stamp_fast(kind, "u-1", "Report Exported", PROPERTIES, CONTEXT)

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
        pytest.param(("ü\ud800", "e", {}, {}), id="id that UTF-8 cannot write"),
        pytest.param(("undefined", "e", {}, {}), id="placeholder for an id"),
        pytest.param((" u", "e", {}, {}), id="blank at the end of an id"),
        pytest.param(("u\x00", "e", {}, {}), id="control character in an id"),
        pytest.param(("u", " ", {}, {}), id="blank event"),
        pytest.param(("u", "\u200b", {}, {}), id="event that nobody sees"),
        pytest.param(("u", "e\x00", {}, {}), id="NUL in the event"),
        pytest.param(("u", "e", {"a": "b\x00"}, {}), id="NUL among the facts"),
        pytest.param(("u", "e", {"a": {"b": "\x00"}}, {}), id="NUL below the facts"),
        pytest.param(("u", "e", {"a\u200b": 1}, {}), id="name with an invisible end"),
        pytest.param(("u", "e", {}, {"page": {" url": "x"}}), id="name with a blank at its start"),
        pytest.param(("u", "e", [], {}), id="list for an object"),
        pytest.param(("u", "e", {}, "web"), id="text for an object"),
        pytest.param(("u", "e", {"a": [1]}, {}), id="list among the facts"),
        pytest.param(("u", "e", {"a": 2**64}, {}), id="integer of more than 64 bits"),
        pytest.param(("u", "e", {"a": "\ud800"}, {}), id="lone surrogate"),
        pytest.param(("u", "e", {1: "a"}, {}), id="key that is not a text"),
        pytest.param(("u", "e", {}, {"Intercom": {"user_hash": "x"}}), id="proof of identity"),
        pytest.param(("u", "e", {"a": "x" * 6_000}, {}), id="perhaps too large"),
    ],
)
def test_other_calls_take_the_full_path(call: tuple[Any, ...]) -> None:
    """A call whose values are changed, rejected or checked for a proof of identity takes the full path."""
    assert stamp_fast("track", *call) is None


def test_hooks_and_proofs_need_the_full_path() -> None:
    """A client with before-hooks or with checks of identity has no fast path, because each message must be read."""
    assert Stamper(Settings(api_key="test"), (lambda message: message,)).fast is None
    assert Stamper(Settings(api_key="test", identity_secret="s"), ()).fast is None
    assert Stamper(Settings(api_key="test", identity_secret="s", require_identity=True), ()).fast is None


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
    st.text()
    | st.sampled_from(["ü", "", " ", None, 7, 7.0, Text("u"), "\ud800"])
    | st.sampled_from(
        ["undefined", "null", "NaN", " nil", "[object Object]", "u\x00", "\u200bu", "u\t", "\u200b", "\x7f"]
    ),
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
    " plan",
    "plan\u200b",
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
        change([*PLACES_OF_FACTS, *PLACES_OF_CONTEXT], VALUES | st.just("a\x00b"))
        | change(["user_id", "event"], IDS_AND_NAMES),
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


def buffered(stamped: Stamped | None) -> tuple[dict[str, Any], list[str], bool] | None:
    """Return what is buffered, without the message id, because each path makes one."""
    if stamped is None:
        return None
    return dict(sorted(stamped.message.items())) | {"messageId": ""}, list(stamped.keys), stamped.upserts


def wire_form(kind: str, user_id: Any, event: Any, facts: Any, context: Any) -> dict[str, Any]:
    call = {"type": kind, "userId": user_id, "context": context}
    return call | ({"event": event, "properties": facts} if kind == "track" else {"traits": facts})


@pytest.mark.parametrize("limit", [6_000, 32_768])
def test_both_paths_buffer_the_same(limit: int) -> None:
    """Q1, Q2, R2: where the fast path takes a call, the full path takes it too and buffers the same."""
    stamper, fast = (
        Stamper(Settings(api_key="test", max_message_bytes=limit), ()),
        fast_stamper(max_message_bytes=limit),
    )

    assert_twins_agree(
        lambda call: buffered(
            fast.stamp(**call | ({} if call["kind"] == "track" else {"event": None}), now=NOW)
        ),
        lambda call: buffered(stamper._stamp_full(wire_form(**call), NOW)),
        CALLS,
    )


def test_a_plain_dict_in_wire_form_may_take_the_fast_path() -> None:
    """Q1: a message in wire form with the keys of a usual call is buffered on the fast path as on the full path."""
    stamper = Stamper(Settings(api_key="test"), ())
    more = change(["messageId", "timestamp", "anonymousId", "traits", "properties", "unknown"], VALUES)
    types = change(["type"], st.sampled_from(["track", "identify", "Track", "group", None, Text("track")]))
    others = usual_with_changes([wire_form(**call) for call in USUAL], more | types)

    assert_twins_agree(
        lambda wire: buffered(stamper._stamp_plain(wire, NOW)),
        lambda wire: buffered(stamper._stamp_full(wire, NOW)),
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
    """A key of a subclass of ``str`` is buffered as plain text, even if an equal plain key was remembered before."""
    buffer = MemoryBuffer(limit=10, dead_letters=10)
    client = Client(api_key="test", delivery="manual", buffer=buffer)
    client.track("u-1", "Plan Chosen", {"plan": "pro"})

    client.track("u-1", "Plan Chosen", {key: "free"})

    claim = buffer.claim(now=2**40, limit=10)
    assert claim is not None
    assert claim.entries[-1].message["properties"] == {"plan": "free"}


def test_the_memory_for_sets_of_keys_is_bounded() -> None:
    """A program that invents names for ever does not fill the memory, and a call beyond the bound is checked like any other."""
    sizes = shape_sizes(Silence(frozenset({"intercom"})))
    for number in range(_SHAPES_KEPT):
        sizes[(f"key {number:05}", None)]
    size = sizes[("key 99999", None)]

    assert (size, len(sizes)) == (sizes[("key 00000", None)], _SHAPES_KEPT)
