"""From a message to operations (rules R, I, C, E, L, A, V): the mapping as data, and its promises as properties."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage, Settings
from metarouter_intercom._codec import company_body, contact_body, event_body, read_message
from metarouter_intercom._translator import translate
from metarouter_intercom.operations import SubmitEvent, UpsertCompany, UpsertContact

from .mapping_cases import operation_facts, read_cases

_CASES = read_cases()
_NOW = 1795000000.5
_RULES = (
    [f"R{n}" for n in range(1, 10)]
    + [f"I{n}" for n in range(13)]
    + [f"C{n}" for n in range(1, 6)]
    + [f"E{n}" for n in range(1, 10)]
    + [f"A{n}" for n in range(1, 6)]
    + ["L1"]
)
_SCHEMA = Path(__file__).parents[2] / "shared" / "intercom-api" / "openapi" / "intercom-2.16.strict.json"
_SETTINGS = Settings(
    api_key="k", anonymous="lead", page_events="Viewed {name} Page", screen_events="Saw {name}"
)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in _CASES])
def test_the_mapping(case):
    """Each message becomes these operations, with these notes; or is rejected at these paths."""
    chosen = Settings(api_key="k", **case["settings"])
    if "rejected" in case:
        with pytest.raises(RejectedMessage) as raised:
            read_message(case["message"], now=_NOW)
        assert [problem.path for problem in raised.value.problems] == case["rejected"]
        return

    translation = translate(read_message(case["message"], now=_NOW), chosen)

    assert [operation_facts(operation) for operation in translation.operations] == case["operations"]
    assert [list(note) for note in translation.notes] == case["notes"]
    assert translation.skipped == case.get("skipped")


def test_each_rule_has_two_cases():
    """No rule of the mapping is without data."""
    counts = Counter(case["rule"] for _, case in _CASES)

    assert [rule for rule in _RULES if counts[rule] < 2] == []


# --- promises without a table -----------------------------------------------------------------------------------

_texts = st.text(max_size=40) | st.sampled_from(
    [
        "2026-03-01",
        "a@example.com",
        "19.99",
        "",
        " ",
        "x" * 300,
        "https://example.com/x",
        "1e400",
        "٣",
        "\x00",
    ]
)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _texts
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)
_names = st.sampled_from(
    [
        "email", "e_mail", "name", "firstName", "last_name", "phone", "phones", "avatar", "photoUrl", "createdAt", "created",
        "lastSeenAt", "unsubscribedFromEmails", "ownerId", "role", "company", "companies", "id", "remove", "size", "plan",
        "monthlySpend", "tags", "revenue", "total", "currency", "price", "url", "address", "a.b", "a_b", "user_hash",
    ]
)  # fmt: skip
_facts = st.dictionaries(_names | _texts, _values, max_size=8)
_ids = st.none() | st.integers() | st.sampled_from(["u1", "a@example.com", " ", "anon"])
_messages = st.fixed_dictionaries(
    {"type": st.sampled_from(["identify", "track", "group", "page", "screen", "alias"])},
    optional={
        "userId": _ids,
        "anonymousId": _ids,
        "groupId": _ids,
        "previousId": _ids,
        "event": st.sampled_from(["Order Completed", " x ", "é" * 300]),
        "name": _texts,
        "timestamp": _values,
        "traits": _facts,
        "properties": _facts,
        "context": st.fixed_dictionaries(
            {}, optional={"traits": _facts, "page": _facts, "groupId": _ids, "active": st.booleans()}
        ),
        "integrations": st.dictionaries(
            st.sampled_from(["All", "Intercom"]), st.booleans() | _facts, max_size=2
        ),
    },
)


def _read(wire):
    try:
        return read_message(wire, now=_NOW)
    except RejectedMessage:
        return None


@given(_messages)
@settings(max_examples=300, deadline=None)
def test_translation_is_deterministic(wire):
    """The same message means the same, in whatever process and however often."""
    message = _read({**wire, "messageId": "m"})
    if message is None:
        return

    assert repr(translate(message, _SETTINGS)) == repr(translate(message, _SETTINGS))


@given(_messages)
@settings(max_examples=300, deadline=None)
def test_bodies_keep_the_limits(wire):
    """Whatever comes in: texts of attributes within 255 characters, at most ten metadata keys, flat values, finite numbers."""
    message = _read(wire)
    if message is None:
        return
    for operation in translate(message, _SETTINGS).operations:
        if isinstance(operation, UpsertContact | UpsertCompany):
            for value in operation.attributes.values():
                assert value is None or isinstance(value, str | int | float)
                assert not isinstance(value, str) or len(value) <= 255
        if isinstance(operation, SubmitEvent):
            assert len(operation.metadata) <= 10
        for body in _bodies(operation):
            json.dumps(body, allow_nan=False)


@given(_messages)
@settings(max_examples=300, deadline=None)
def test_bodies_pass_a_strict_reading_of_intercom_s_schema(wire):
    """Every body is one that Intercom's own description accepts."""
    check = _schema_check()
    message = _read(wire)
    if message is None:
        return
    for operation in translate(message, _SETTINGS).operations:
        check(operation)


@given(_facts)
@settings(max_examples=300, deadline=None)
def test_no_trait_disappears_without_a_note(traits):
    """Each trait of an identify feeds a field, becomes an attribute, or is named by a note."""
    message = _read({"type": "identify", "userId": "u1", "traits": traits})
    translation = translate(message, _SETTINGS)
    upsert = translation.operations[0]
    told = [note.path.removeprefix("traits.") for note in translation.notes]
    written = len(upsert.attributes) + len(upsert.fields) + len(translation.operations)

    lost = [key for key in traits if not _is_accounted_for(key, traits, upsert, told, translation)]

    assert lost == []
    assert written > 0


def _is_accounted_for(key, traits, upsert, told, translation):
    if any(path == key or path.startswith(f"{key}.") for path in told):
        return True
    plain = re.sub(r"[\s_\-.]+", "", key).lower()
    if plain in ("company", "companies"):
        return len(translation.operations) > 1 or not traits[key]
    if plain in ("id", "userid") and str(traits[key]) == "u1":
        return True
    fields = {
        "email": "email", "name": "name", "phone": "phone", "phones": "phone", "avatar": "avatar", "photourl": "avatar",
        "createdat": "signed_up_at", "created": "signed_up_at", "lastseenat": "last_seen_at", "ownerid": "owner_id",
        "unsubscribedfromemails": "unsubscribed_from_emails",
    }  # fmt: skip
    if fields.get(plain) in upsert.fields:
        return True
    # A cleaned name begins with its first letter or digit, or with an underscore in the place of any other character.
    return any(name.startswith((key[:1] or "_", "_")) for name in upsert.attributes)


def _bodies(operation):
    if isinstance(operation, UpsertContact):
        yield contact_body(operation, api_version="2.16")
    elif isinstance(operation, UpsertCompany):
        yield company_body(operation)
    elif isinstance(operation, SubmitEvent) and operation.who.anonymous_id is None:
        yield event_body(operation)


def _schema_check():
    if not _SCHEMA.exists():
        pytest.skip("Intercom's strict description is not beside the project")
    import jsonschema

    if not _validators:
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        for kind, path in _PATHS.items():
            root = {**schema["operations"][f"POST {path}"]["request"], "$defs": schema["$defs"]}
            _validators[kind] = jsonschema.Draft202012Validator(root)

    def check(operation):
        for body in _bodies(operation):
            errors = [error.message for error in _validators[type(operation)].iter_errors(body)]
            assert errors == [], body

    return check


_validators = {}
_PATHS = {UpsertContact: "/contacts", UpsertCompany: "/companies", SubmitEvent: "/events"}
