"""From a call to a stamped message (rules Q1, Q2, V, P1): what is rejected, what is kept, and that a caller's data can do no harm."""

from __future__ import annotations

import json
import re
import sys
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage, Settings
from metarouter_intercom._client.stamping import Dropped, HookRaised, Stamper
from metarouter_intercom.messages import Track
from metarouter_intercom.plugins import Drop

from .._support.mapping_cases import read_cases
from .._support.promises import FACTS, MESSAGES, promised

_NOW = 1_795_000_000.5


def _acceptance(*before, **choices):
    return Stamper(Settings(api_key="k", **choices), before)


def _facts(message):
    return {name: value for name, value in message.items() if name not in ("messageId", "timestamp", "notes")}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in read_cases("accept")])
def test_accepting(case):
    """Each message is kept in this form, in these lanes; or is rejected at these paths for this reason."""
    acceptance = _acceptance(**case["settings"])
    if "rejected" in case:
        with pytest.raises(RejectedMessage) as raised:
            acceptance.stamp(case["message"], _NOW)
        assert [problem.path for problem in raised.value.problems] == case["rejected"]
        assert raised.value.reason == case["reason"]
        return

    stamped = acceptance.stamp(case["message"], _NOW)

    assert _facts(stamped.message) == case["accepted"]
    assert list(stamped.keys) == case.get("keys", list(stamped.keys))
    assert stamped.upserts == (case["accepted"]["type"] == "identify")


def test_a_rejection_names_path_fault_and_remedy():
    """Q2: the text of a rejection says where, what and what to do, and never the value."""
    with pytest.raises(RejectedMessage) as raised:
        _acceptance().stamp({"type": "track", "userId": 1.5, "event": b"secret"}, _NOW)

    assert str(raised.value) == (
        "userId: a number, not a text; send the id as text or as a whole number\n"
        "event: a bytes, not a text; send the event's name as text"
    )


def test_an_unknown_type_is_told_the_known_ones():
    """R1: whoever sends another type reads which there are."""
    with pytest.raises(RejectedMessage, match="identify, track, group, page, screen, alias"):
        _acceptance().stamp({"type": "delete"}, _NOW)


def test_what_the_caller_does_afterwards_changes_nothing():
    """Q1: an accepted message shares nothing with the caller's data, on the quick way and on the careful one."""
    traits = {"address": {"city": "Berlin"}, "tags": ["a"]}
    usual = {"address": {"city": "Berlin"}}
    careful = _acceptance().stamp({"type": "identify", "userId": "u1", "traits": traits}, _NOW)
    quick = _acceptance().stamp({"type": "identify", "userId": "u1", "traits": usual}, _NOW)

    traits["address"]["city"] = usual["address"]["city"] = "Bonn"
    traits["tags"].append("b")

    assert careful.message["traits"] == {"address": {"city": "Berlin"}, "tags": ["a"]}
    assert quick.message["traits"] == {"address": {"city": "Berlin"}}


def test_a_message_id_is_made_and_an_instant_fixed():
    """R2, R5: without an id of its own a message gets a new one, sorted by time; without an instant the moment of acceptance."""
    first = _acceptance().stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)
    second = _acceptance().stamp({"type": "track", "userId": "u1", "event": "x", "messageId": " "}, _NOW)
    own = _acceptance().stamp({"type": "track", "userId": "u1", "event": "x", "messageId": 7}, _NOW)

    assert first.message_id < second.message_id
    assert first.message["timestamp"] == second.message["timestamp"] == _NOW
    assert own.message_id == "7"


def test_a_message_of_nobody_is_accepted():
    """R8: a message without a usable id is no fault of the caller's: it is skipped later, with a reason."""
    stamped = _acceptance().stamp({"type": "track", "userId": " ", "anonymousId": None, "event": "x"}, _NOW)

    assert _facts(stamped.message) == {"type": "track", "event": "x"}
    assert list(stamped.keys) == []


# --- a plain object and any other mapping -----------------------------------------------------------------------

_fast_stamper = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["identify", "track"]),
        "userId": st.sampled_from(["u1", "a@example.com", "ü", " "]),
    },
    optional={
        "event": st.sampled_from(["Seen", " x ", "", "\ud800"]),
        "traits": FACTS,
        "properties": FACTS,
        "context": FACTS
        | st.fixed_dictionaries({"Intercom": FACTS})
        | st.fixed_dictionaries({"traits": FACTS}),
    },
)


def _outcome(acceptance, call):
    try:
        stamped = acceptance.stamp(call, _NOW)
    except RejectedMessage as error:
        return error.reason, error.problems
    message = {name: value for name, value in stamped.message.items() if name != "messageId"}
    return repr(sorted(message.items())), list(stamped.keys), stamped.upserts


@given(MESSAGES | _fast_stamper, st.sampled_from([300, 32_768]))
@promised
def test_a_mapping_is_accepted_as_a_plain_object_is(call, limit):
    """Q1: a message in a mapping of another class, which always takes the full path, is accepted or rejected as in a plain dict."""
    acceptance = _acceptance(max_message_bytes=limit)

    assert _outcome(acceptance, call) == _outcome(acceptance, MappingProxyType(call))


@given(MESSAGES)
@promised
def test_what_is_accepted_is_json(call):
    """Q2: an accepted message is JSON of at most ``max_message_bytes``, whatever the caller sent."""
    try:
        stamped = _acceptance().stamp(call, _NOW)
    except RejectedMessage:
        return

    text = json.dumps(stamped.message, ensure_ascii=False)

    assert len(text.encode()) <= 34_000
    assert set(map(type, _values(stamped.message))) <= {str, int, float, bool, type(None)}


def _values(value):
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _values(member)
    else:
        yield value


# --- before-hooks (P1) ------------------------------------------------------------------------------------------


def test_hooks_change_the_message_in_their_order():
    """P1: each hook gets what the one before returned, and what the last one returns is kept."""
    import attrs

    def add(word):
        return lambda message: attrs.evolve(message, event=f"{message.event} {word}")

    stamped = _acceptance(add("a"), add("b")).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)

    assert stamped.message["event"] == "x a b"


def test_a_hook_may_put_another_person_in():
    """P1: lanes follow from what the hooks return."""
    stamped = _acceptance(
        lambda message: Track(user_id="u2", event="y", message_id="m", timestamp=5.0)
    ).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)

    assert list(stamped.keys) == ["user:u2"]


def test_a_hook_drops():
    """P1: ``Drop`` ends the message with the hook's reason."""
    with pytest.raises(Dropped) as raised:
        _acceptance(lambda message: Drop("internal")).stamp(
            {"type": "track", "userId": "u1", "event": "x"}, _NOW
        )

    assert raised.value.reason == "internal"
    assert raised.value.stamped.message["event"] == "x"


@pytest.mark.parametrize("answer", [None, 5, Track(event="x", properties={"a": object()})])
def test_what_a_hook_must_not_return(answer):
    """P1: a hook that returns no message that can be kept has failed; the message as it was is told."""
    with pytest.raises(HookRaised) as raised:
        _acceptance(lambda message: answer).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)

    assert raised.value.stamped.message["event"] == "x"


def test_a_hook_that_raises_half_way_lets_nothing_through():
    """P1: what a first hook changed does not go out when a second one raises."""

    def fail(message):
        raise LookupError("no")

    with pytest.raises(HookRaised) as raised:
        _acceptance(lambda message: Track(user_id="u2", event="half"), fail).stamp(
            {"type": "track", "userId": "u1", "event": "x"}, _NOW
        )

    assert raised.value.stamped.message["event"] == "x"
    assert isinstance(raised.value.__cause__, LookupError)


def test_a_dead_letter_is_stamped_again():
    """X1: a message that was accepted before comes back into its lanes."""
    stamped = _acceptance().stamp({"type": "identify", "userId": "u1", "traits": {}}, _NOW)

    again = _acceptance().restamp(stamped.message)

    assert again == stamped


def test_a_token_that_cannot_be_checked_is_no_proof(monkeypatch):
    """V1: without the JWT library a message with a token is rejected by a text that names the extra; nothing else is raised."""
    monkeypatch.setitem(sys.modules, "joserfc", None)
    call = {
        "type": "track",
        "userId": "u1",
        "event": "x",
        "integrations": {"Intercom": {"intercom_user_jwt": "a.b.c"}},
    }

    with pytest.raises(RejectedMessage, match=re.escape("metarouter-intercom[jwt]")) as raised:
        _acceptance(identity_secret="s").stamp(call, _NOW)

    assert raised.value.reason == "identity_mismatch"
