"""From a call to a stamped message (rules Q1, Q2, V1, P1): what is rejected and what is kept."""

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


def _stamper(*before, **choices):
    return Stamper(Settings(api_key="k", **choices), before)


def _facts(message):
    return {name: value for name, value in message.items() if name not in ("messageId", "timestamp", "notes")}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in read_cases("accept")])
def test_accepting(case):
    """Each message is kept in the form and in the lanes of the case, or rejected at its paths for its reason."""
    stamper = _stamper(**case["settings"])
    if "rejected" in case:
        with pytest.raises(RejectedMessage) as raised:
            stamper.stamp(case["message"], _NOW)
        assert [problem.path for problem in raised.value.problems] == case["rejected"]
        assert raised.value.reason == case["reason"]
        return

    stamped = stamper.stamp(case["message"], _NOW)

    assert _facts(stamped.message) == case["accepted"]
    assert list(stamped.keys) == case.get("keys", list(stamped.keys))
    assert stamped.upserts == (case["accepted"]["type"] == "identify")


def test_a_rejection_names_path_fault_and_remedy():
    """Q2: the text of a rejection names path, fault and remedy, and never the value."""
    with pytest.raises(RejectedMessage) as raised:
        _stamper().stamp({"type": "track", "userId": 1.5, "event": b"secret"}, _NOW)

    assert str(raised.value) == (
        "userId: a number, not a text; send the id as text or as a whole number\n"
        "event: a bytes, not a text; send the event's name as text"
    )


def test_an_unknown_type_is_answered_with_the_known_ones():
    """R1: the rejection of an unknown type lists the types that exist."""
    with pytest.raises(RejectedMessage, match="identify, track, group, page, screen, alias"):
        _stamper().stamp({"type": "delete"}, _NOW)


def test_changing_the_data_afterwards_does_not_change_the_message():
    """Q1: an accepted message shares nothing with the caller's data, on the fast path and on the full path."""
    traits = {"address": {"city": "Berlin"}, "tags": ["a"]}
    nested = {"address": {"city": "Berlin"}}
    full = _stamper().stamp({"type": "identify", "userId": "u1", "traits": traits}, _NOW)
    fast = _stamper().stamp({"type": "identify", "userId": "u1", "traits": nested}, _NOW)

    traits["address"]["city"] = nested["address"]["city"] = "Bonn"
    traits["tags"].append("b")

    assert full.message["traits"] == {"address": {"city": "Berlin"}, "tags": ["a"]}
    assert fast.message["traits"] == {"address": {"city": "Berlin"}}


def test_a_message_id_is_made_and_an_instant_fixed():
    """R2, R5: a message without an id gets a new one that sorts by time; without an instant it gets the moment of stamper."""
    first = _stamper().stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)
    second = _stamper().stamp({"type": "track", "userId": "u1", "event": "x", "messageId": " "}, _NOW)
    own = _stamper().stamp({"type": "track", "userId": "u1", "event": "x", "messageId": 7}, _NOW)

    assert first.message_id < second.message_id
    assert first.message["timestamp"] == second.message["timestamp"] == _NOW
    assert own.message_id == "7"


def test_a_message_of_nobody_is_accepted():
    """R8: a message without a usable id is accepted, because it is skipped later with a reason."""
    stamped = _stamper().stamp({"type": "track", "userId": " ", "anonymousId": None, "event": "x"}, _NOW)

    assert _facts(stamped.message) == {"type": "track", "event": "x"}
    assert list(stamped.keys) == []


# --- a plain object and any other mapping -----------------------------------------------------------------------

_usual_calls = st.fixed_dictionaries(
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


def _outcome(stamper, call):
    try:
        stamped = stamper.stamp(call, _NOW)
    except RejectedMessage as error:
        return error.reason, error.problems
    message = {name: value for name, value in stamped.message.items() if name != "messageId"}
    return repr(sorted(message.items())), list(stamped.keys), stamped.upserts


@given(MESSAGES | _usual_calls, st.sampled_from([300, 32_768]))
@promised
def test_a_mapping_is_accepted_as_a_plain_object_is(call, limit):
    """Q1: a message in another mapping class takes the full path, and is accepted or rejected as in a plain dict."""
    stamper = _stamper(max_message_bytes=limit)

    assert _outcome(stamper, call) == _outcome(stamper, MappingProxyType(call))


@given(MESSAGES)
@promised
def test_what_is_accepted_is_json(call):
    """Q2: an accepted message is JSON of at most ``max_message_bytes``, whatever the caller sent."""
    try:
        stamped = _stamper().stamp(call, _NOW)
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
    """P1: each hook gets the message that the hook before it returned; the message of the last hook is kept."""
    import attrs

    def add(word):
        return lambda message: attrs.evolve(message, event=f"{message.event} {word}")

    stamped = _stamper(add("a"), add("b")).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)

    assert stamped.message["event"] == "x a b"


def test_a_hook_may_change_the_person():
    """P1: the lanes are those of the message that the hooks return."""
    stamped = _stamper(lambda message: Track(user_id="u2", event="y", message_id="m", timestamp=5.0)).stamp(
        {"type": "track", "userId": "u1", "event": "x"}, _NOW
    )

    assert list(stamped.keys) == ["user:u2"]


def test_a_hook_may_drop_the_message():
    """P1: a hook that returns ``Drop`` ends the message with the hook's reason."""
    with pytest.raises(Dropped) as raised:
        _stamper(lambda message: Drop("internal")).stamp(
            {"type": "track", "userId": "u1", "event": "x"}, _NOW
        )

    assert raised.value.reason == "internal"
    assert raised.value.stamped.message["event"] == "x"


@pytest.mark.parametrize("answer", [None, 5])
def test_a_hook_that_returns_no_message_has_failed(answer):
    """P1: if a hook returns anything except a message that can be kept, the error carries the message as it was before."""
    with pytest.raises(HookRaised) as raised:
        _stamper(lambda message: answer).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)

    assert raised.value.stamped.message["event"] == "x"


def test_the_change_of_an_earlier_hook_is_lost_when_a_hook_raises():
    """P1: if a second hook raises, the change of the first hook is not kept."""

    def fail(message):
        raise LookupError("no")

    with pytest.raises(HookRaised) as raised:
        _stamper(lambda message: Track(user_id="u2", event="half"), fail).stamp(
            {"type": "track", "userId": "u1", "event": "x"}, _NOW
        )

    assert raised.value.stamped.message["event"] == "x"
    assert isinstance(raised.value.__cause__, LookupError)


def test_an_interruption_of_a_hook_reaches_the_caller():
    """P1, W9: Ctrl-C during a hook is the caller's, and makes no dead letter."""

    def interrupt(message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _stamper(interrupt).stamp({"type": "track", "userId": "u1", "event": "x"}, _NOW)


def test_a_dead_letter_is_stamped_again():
    """X1: a dead letter that is stamped again has the lanes that it had before."""
    stamped = _stamper().stamp({"type": "identify", "userId": "u1", "traits": {}}, _NOW)

    again = _stamper().restamp(stamped.message)

    assert again == stamped


def test_a_token_that_cannot_be_checked_is_no_proof(monkeypatch):
    """V1: without the JWT library, a message with a token is rejected, and the text names the extra to install."""
    monkeypatch.setitem(sys.modules, "joserfc", None)
    call = {
        "type": "track",
        "userId": "u1",
        "event": "x",
        "integrations": {"Intercom": {"intercom_user_jwt": "a.b.c"}},
    }

    with pytest.raises(RejectedMessage, match=re.escape("metarouter-intercom[jwt]")) as raised:
        _stamper(identity_secret="s").stamp(call, _NOW)

    assert raised.value.reason == "identity_mismatch"
