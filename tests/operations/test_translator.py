"""Translating messages into operations (rules R, I, C, E, L, A, V): the mapping as data, and its promises as properties."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage, Settings
from metarouter_intercom._intercom.dry_run import preview
from metarouter_intercom._intercom.payloads import company_body, contact_body, event_body
from metarouter_intercom.messages import Group, Identify, Track
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.messages._integrations import NO_OPTIONS, Options
from metarouter_intercom.operations import (
    DefaultTranslator,
    SubmitEvent,
    UpsertCompany,
    UpsertContact,
    translate,
)
from metarouter_intercom.operations._translator import _as_json

from .._support.mapping_cases import operation_facts, read_cases
from .._support.promises import MESSAGES, promised
from .._support.twins import GONE, VALUES, Whole, assert_twins_agree, change, mostly, usual_with_changes

_CASES = read_cases()
_NOW = 1795000000.5
_RULES = (
    [f"R{n}" for n in range(1, 10)]
    + [f"I{n}" for n in range(13)]
    + [f"C{n}" for n in range(1, 6)]
    + [f"E{n}" for n in range(1, 10)]
    + [f"A{n}" for n in range(1, 7)]
    + [f"V{n}" for n in range(1, 4)]
    + ["L1"]
)
_SCHEMA = Path(__file__).parents[3] / "shared" / "intercom-api" / "openapi" / "intercom-2.16.strict.json"
_CHOICES = {"anonymous": "lead", "page_events": "Viewed {name} Page", "screen_events": "Saw {name}"}
_SETTINGS = Settings(api_key="k", **_CHOICES)
_WITHOUT_FAST_PATH = Settings(api_key="k", nested_overrides={"no such trait": "flatten"}, **_CHOICES)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in _CASES])
def test_the_mapping(case):
    """Each message of the cases becomes their operations with their notes, or is rejected at their paths."""
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
    """Each rule of the mapping has at least two cases."""
    counts = Counter(case["rule"] for _, case in (*_CASES, *read_cases("accept"), *read_cases("unknown")))

    assert [rule for rule in _RULES if counts[rule] < 2] == []


def test_messages_made_by_hand_mean_what_accepted_ones_do():
    """R4, R9: datetimes, dates, Decimals, tuples and sets in a message made by hand mean what they mean in an accepted one."""
    made = Identify(
        user_id="u1",
        timestamp=1790000000.0,
        traits={
            "createdAt": datetime(2024, 2, 29, tzinfo=timezone.utc),
            "birthday": date(1990, 5, 17),
            "ownerId": Decimal("7"),
            "score": Decimal("1.5"),
            "tags": ("a", "b"),
            "o": {"since": datetime(2024, 2, 29), "n": [Decimal("2"), {"m": Decimal("0.5")}]},
            "company": {
                "id": Decimal("5"),
                "name": "C",
                "size": Decimal("50"),
                "monthlySpend": Decimal("9.99"),
            },
        },
    )

    translation = translate(made, Settings(api_key="k"))

    assert [operation_facts(operation) for operation in translation.operations] == [
        {
            "op": "UpsertContact",
            "who": {"external_id": "u1"},
            "role": "user",
            "fields": {"signed_up_at": 1709164800, "last_seen_at": 1790000000, "owner_id": 7},
            "attributes": {
                "birthday_at": 642902400,
                "score": 1.5,
                "tags": "a, b",
                "o_since_at": 1709164800,
                "o_n_0": 2,
                "o_n_1_m": 0.5,
            },
        },
        {
            "op": "UpsertCompany",
            "company_id": "5",
            "fields": {"name": "C", "size": 50, "monthly_spend": 9},
            "attributes": {},
        },
        {"op": "AttachCompany", "who": {"external_id": "u1"}, "company_id": "5", "only_known": False},
    ]
    assert translation.notes == ()


@pytest.mark.parametrize(
    ("properties", "metadata", "notes"),
    [
        ({"revenue": Decimal("19.99")}, {"price": {"amount": 1999, "currency": "USD"}}, []),
        ({"l": [Decimal("1.5")], "when": date(2024, 2, 29)}, {"l": "1.5", "when_date": 1709164800}, []),
        ({1: "a", "b": 2}, {"1": "a", "b": 2}, []),
        ({"a": b"x", "b": 1}, {"b": 1}, [("Q2", "properties.a")]),
        ({"a": {"b": object()}, "c": 1}, {"c": 1}, [("Q2", "properties.a.b"), ("A5", "properties.a")]),
        ({"a": {"b": {1, 2}}}, {"a_b": "1, 2"}, []),
    ],
)
def test_properties_made_by_hand(properties, metadata, notes):
    """Q2: a value of a message made by hand takes its JSON form; a value that has none is left out with a note."""
    made = Track(user_id="u1", event="x", timestamp=5.0, properties=properties)

    translation = translate(made, Settings(api_key="k"))

    assert translation.operations[0].metadata == metadata
    assert [(note.rule, note.path) for note in translation.notes] == notes


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        object(),
        {1: 2},
        [b"x"],
        {"a": [object()]},
        {"a": b"x"},
        [{"a": b""}],
        {(1,): 2},
        {1},
        Decimal("NaN"),
    ],
)
@pytest.mark.parametrize("choice", ["flatten", "stringify", "drop"])
def test_no_value_made_by_hand_raises(value, choice):
    """``translate`` never raises because of a customer's value, wherever that is."""
    names = (
        "x",
        "email",
        "name",
        "phone",
        "phones",
        "createdAt",
        "ownerId",
        "role",
        "company",
        "companies",
        "id",
        "avatar",
    )
    chosen = Settings(api_key="k", nested=choice)
    for name in names:
        made = Identify(
            user_id="u1", traits={name: value}, context={"traits": {name: value}, "groupId": value}
        )
        assert translate(made, chosen).operations
    for name in ("x", "revenue", "currency", "price", "email"):
        assert translate(Track(user_id="u1", event="x", properties={name: value}), chosen).operations
    for name in ("x", "name", "size", "tags", "remove", "monthlySpend", "id", "createdAt"):
        assert translate(Group(user_id="u1", group_id="c1", traits={name: value}), chosen).operations


# --- promises without a table -----------------------------------------------------------------------------------


def _read(wire):
    """Return the message in *wire*, which gets an event and a group id if it has none."""
    return read_message({"event": "x", "groupId": "c1", **wire}, now=_NOW)


@given(MESSAGES)
@promised
def test_translation_is_deterministic(wire):
    """The same message has the same translation by any translator, the first time and later."""
    message = _read({**wire, "messageId": "m"})

    fresh = DefaultTranslator(_SETTINGS)(message)

    assert repr(translate(message, _SETTINGS)) == repr(fresh)
    assert repr(translate(message, _SETTINGS)) == repr(fresh)


@given(MESSAGES)
@promised
def test_bodies_keep_the_limits(wire):
    """Whatever comes in, attributes are scalars with texts of at most 255 characters, metadata has at most ten keys, and numbers are finite."""
    message = _read(wire)
    operations = translate(message, _SETTINGS).operations

    attributes = [
        value
        for operation in operations
        if isinstance(operation, UpsertContact | UpsertCompany)
        for value in operation.attributes.values()
    ]
    events = [operation for operation in operations if isinstance(operation, SubmitEvent)]

    assert all(value is None or isinstance(value, str | int | float) for value in attributes)
    assert all(len(value) <= 255 for value in attributes if isinstance(value, str))
    assert all(len(event.metadata) <= 10 for event in events)
    assert all(json.dumps(body, allow_nan=False) for operation in operations for body in _bodies(operation))


@given(MESSAGES)
@promised
def test_bodies_pass_a_strict_reading_of_intercom_s_schema(wire):
    """Every body, and every request that the flows would send, is valid by Intercom's own description."""
    check = _schema_check()
    message = _read(wire)
    operations = translate(message, _SETTINGS).operations

    faults = [
        fault
        for operation in operations
        for body in _bodies(operation)
        for fault in check(*_place(operation), body)
    ] + [
        fault
        for request in preview(message, _SETTINGS).requests
        for fault in check(request.method, request.path, request.body)
    ]

    assert faults == []


@given(MESSAGES)
@promised
def test_nothing_disappears_without_a_note(wire):
    """Each value of a message changes its translation, or a note says that it was not used."""
    wire = {**wire, "userId": "u1", "event": "Order Completed", "integrations": {"Intercom": True}}
    place = "traits" if wire["type"].lower() in ("identify", "group") else "properties"
    # One more value, so that the traits are never empty: the traits of the context would replace empty ones (I0).
    facts = {"kept": 1, **(wire.get(place) or {})}
    message = _read({**wire, place: facts})
    whole = translate(message, _WITHOUT_FAST_PATH)
    if whole.skipped is not None or not hasattr(message, place):
        return

    lost = [
        path
        for path in list(_leaves(facts, place))[:8]
        if not any(_covers(note.path, path) for note in whole.notes)
        and not _says_nothing(facts, path)
        and translate(_read({**wire, place: _without(facts, path[1:])}), _WITHOUT_FAST_PATH).operations
        == whole.operations
    ]

    assert lost == []


@given(MESSAGES)
@promised
def test_a_setting_that_names_no_trait_changes_nothing(wire):
    """A5: a setting for a trait that no message has changes no translation, although it leaves all traits to the full path."""
    message = _read(wire)

    assert repr(translate(message, _WITHOUT_FAST_PATH)) == repr(translate(message, _SETTINGS))


@given(MESSAGES)
@promised
def test_no_proof_of_identity_is_written(wire):
    """R7: a value with the name of a proof of identity is in no operation."""
    message = _read(
        {**wire, "traits": {**(wire.get("traits") or {}), "x": {"user_hash": "never"}, "userHash": "never"}}
    )

    written = repr(translate(message, _SETTINGS).operations)

    assert "never" not in written


def _leaves(value, *path):
    """Yield the path of each scalar and of each empty object or list."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves(member, *path, key)
    elif isinstance(value, list) and value:
        for at, member in enumerate(value):
            yield from _leaves(member, *path, at)
    elif len(path) > 1:
        yield path


def _without(value, path):
    """Return *value* without the value at *path*."""
    if isinstance(value, dict):
        return {
            key: member if key != path[0] else _without(member, path[1:])
            for key, member in value.items()
            if key != path[0] or len(path) > 1
        }
    return [
        member if at != path[0] else _without(member, path[1:])
        for at, member in enumerate(value)
        if at != path[0] or len(path) > 1
    ]


def _covers(noted, path):
    """Tell whether a note at *noted* is about the value at *path*: about itself, an object that contains it, or one of its members."""
    place = ".".join(str(part) for part in path)
    return noted == place or place.startswith(f"{noted}.") or noted.startswith(f"{place}.")


def _says_nothing(facts, path):
    """Tell whether leaving the value at *path* out changes nothing: null in a list, not removed, the own id or role, a repeated tag."""
    holder = facts
    for part in path[1:-1]:
        holder = holder[part]
    value = holder[path[-1]]
    plain = re.sub(r"[\s_\-.]+", "", str(path[-1])).lower()
    return (
        (value is None and isinstance(holder, list))
        or (value is False and plain == "remove")
        or value == []
        or plain in ("id", "userid", "companyid", "groupid", "role")
        or (isinstance(path[-1], int) and re.sub(r"[\s_\-.]+", "", str(path[-2])).lower() == "tags")
        or (value is None and plain in ("revenue", "total", "currency"))
    )


def _bodies(operation):
    if isinstance(operation, UpsertContact):
        yield contact_body(operation, api_version="2.16")
    elif isinstance(operation, UpsertCompany):
        yield company_body(operation)
    elif isinstance(operation, SubmitEvent) and operation.who.anonymous_id is None:
        yield event_body(operation)


def _place(operation):
    """Return method and path of the request that has the body of *operation*."""
    if isinstance(operation, UpsertContact):
        known = operation.who.contact_id
        return ("POST", "/contacts") if known is None else ("PUT", f"/contacts/{quote(known, safe='')}")
    return "POST", "/companies" if isinstance(operation, UpsertCompany) else "/events"


def _schema_check():
    if not _SCHEMA.exists():
        pytest.skip("Intercom's strict description is not beside the project")
    import jsonschema

    if not _validators:
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        for name, operation in schema["operations"].items():
            method, path = name.split()
            parts = [re.escape(part) if part[:1] != "{" else "[^/]+" for part in path.split("/")]
            root = {**(operation["request"] or {}), "$defs": schema["$defs"]}
            _validators.append((method, re.compile("/".join(parts)), jsonschema.Draft202012Validator(root)))

    def check(method, path, body):
        """Return the faults of a request."""
        bare = path.partition("?")[0]
        known = [check for verb, pattern, check in _validators if verb == method and pattern.fullmatch(bare)]
        if not known:
            return [f"{method} {path} is not described"]
        return [] if body is None else [f"{error.message} in {body}" for error in known[0].iter_errors(body)]

    return check


_validators = []


# --- the fast path is the full path -----------------------------------------------------------------------------


def test_a_person_is_named_alike_on_both_paths():
    """R8: a message without options that has a user id is about the same person on both paths."""
    translator = DefaultTranslator(_SETTINGS)
    messages = usual_with_changes(
        [{"user_id": "u1", "anonymous_id": "a"}, {"user_id": "u2"}],
        mostly(
            change(["anonymous_id"], st.sampled_from(["b", None])),
            change(["user_id"], st.sampled_from([None, "u3"])),
        ),
    )
    emails = mostly(st.none(), st.just("a@example.com"))

    def fast(value):
        message = Track(event="x", **value[0])
        return None if message.user_id is None or value[1] else translator._who(message, NO_OPTIONS, value[1])

    assert_twins_agree(
        fast,
        lambda value: translator._who(Track(event="x", **value[0]), Options.of_nothing(), value[1]),
        st.tuples(messages, emails),
    )


_BY_HAND = mostly(
    VALUES,
    st.sampled_from(
        [
            datetime(2024, 2, 29, 12, tzinfo=timezone.utc),
            date(2024, 2, 29),
            Decimal("7"),
            Decimal("1.5"),
            Whole(5),
            (1, "a"),
        ]
    ),
)


@pytest.mark.parametrize("kind", [Identify, Track, Group])
def test_a_message_made_by_hand_means_what_its_json_does(kind):
    """Q2, R9: a message made by hand that is translated without a copy has the same translation as its JSON form."""
    place = "properties" if kind is Track else "traits"
    more = {"event": "Order Completed"} if kind is Track else {"group_id": "c-1"}
    translator = DefaultTranslator(_SETTINGS)
    facts = usual_with_changes(
        [
            {"plan": "pro", "n": 1},
            {
                "email": "ada@example.com",
                "createdAt": "2025-03-01",
                "name": "Ada",
                "company": {"id": "c-1", "n": 1},
            },
        ],
        change(
            [
                "plan",
                "n",
                "email",
                "createdAt",
                "name",
                "size",
                "employees",
                "revenue",
                "id",
                "role",
                "ownerId",
                "tags",
                ("company", "id"),
                ("company", "n"),
            ],
            _BY_HAND | st.just(GONE),
        ),
    )

    def message(value):
        return kind(user_id="u1", message_id="m", timestamp=5.0, **{place: value}, **more)

    def fast(value):
        try:
            return translator(message(value))
        except (NotJson, TypeError, AttributeError):
            return None

    assert_twins_agree(fast, lambda value: translator(_as_json(message(value))), facts, is_ordered=False)
