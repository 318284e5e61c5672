"""Translating messages into operations (rules R, I, C, E, L, A, V): the mapping as data, and messages made by hand."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage, Settings
from metarouter_intercom.messages import Group, Identify, Track
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.messages._integrations import NO_OPTIONS, Options
from metarouter_intercom.operations import (
    DefaultTranslator,
    translate,
)
from metarouter_intercom.operations._translator import _as_json

from .._support.mapping_cases import operation_facts, read_cases
from .._support.twins import GONE, VALUES, Whole, assert_twins_agree, change, mostly, usual_with_changes

_CASES = read_cases()
_NOW = 1795000000.5
_RULES = (
    [f"R{n}" for n in range(1, 11)]
    + [f"I{n}" for n in range(13)]
    + [f"C{n}" for n in range(1, 6)]
    + [f"E{n}" for n in range(1, 10)]
    + [f"A{n}" for n in range(1, 7)]
    + [f"V{n}" for n in range(1, 5)]
    + ["L1", "R11", "I13", "I14"]
)
_CHOICES = {"anonymous": "lead", "page_events": "Viewed {name} Page", "screen_events": "Saw {name}"}
_SETTINGS = Settings(api_key="k", **_CHOICES)


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
                "o_n": '[2,{"m":0.5}]',
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
        ({"a": b"\xff", "b": 1}, {"b": 1}, [("Q6", "properties.a")]),
        ({"a": {"b": object()}, "c": 1}, {"c": 1}, [("Q6", "properties.a.b"), ("A5", "properties.a")]),
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
