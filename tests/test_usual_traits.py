"""The quick way for usual traits says what the careful one says, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom._attributes import Flattener
from metarouter_intercom._companies import Companies
from metarouter_intercom._contacts import Contacts
from metarouter_intercom._selection import NO_OPTIONS
from metarouter_intercom._usual_traits import _KEPT_SHAPES, _Attributes, _Shapes
from metarouter_intercom.messages import Identify
from metarouter_intercom.operations import UpsertContact, Who
from metarouter_intercom.plugins import Note
from metarouter_intercom.settings import Settings

USUAL_TRAITS: dict[str, Any] = {
    "email": " ada@example.com ",
    "firstName": "Ada",
    "lastName": " Example",
    "phone": "+49 30 901820",
    "createdAt": "2025-03-01T12:30:00+00:00",
    "plan": "pro",
    "logins": 7,
    "rate": 1.5,
    "newsletter": False,
    "manager": None,
    "address": {"city": "Bremen", "floor": 3},
    "company": {
        "id": "c-1",
        "name": "Example Ltd",
        "employees": 40,
        "monthlySpend": 99.9,
        "createdAt": 1_700_000_000,
        "region": "North",
    },
}
NAMES = [
    *USUAL_TRAITS,
    "created_at",
    "e_mail",
    "name",
    "address_city",
    "id",
    "tags",
    "role",
    "avatar",
    "a.b",
    "$",
]
NAMES += ["user_hash", "companies", "size", "industry", "remove", "companyId"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", " x ", "2025-03-01", "2025-03-01T00:00:00Z", "1234-x", "z" * 256, "c-1"]),
    st.sampled_from([0, -5, 2**31, 2**63, 1.5, float("nan"), float("inf"), 1e300]),
    st.text(max_size=8),
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
LISTS = st.lists(VALUES, max_size=2)
CONTEXTS = st.sampled_from(
    [
        {},
        {"ip": "192.0.2.1"},
        {"active": False},
        {"groupId": "c-9"},
        {"traits": {"email": "other@example.com"}},
    ]
)


def contacts(**choices: Any) -> Contacts:
    made = Settings(api_key="test", **choices)
    flattener = Flattener(made, of_events=False)
    return Contacts(made, flattener, Companies(made, flattener))


def identify(traits: dict[str, Any], **more: Any) -> Identify:
    facts = {"user_id": "u-1", "timestamp": 1_772_352_000.7, "message_id": "m", **more}
    return Identify(traits=traits, **facts)


def test_usual_traits_go_the_quick_way() -> None:
    """An identify with flat traits, an address and a company is what the quick way is for."""
    operations = contacts()._usual(identify(USUAL_TRAITS))

    assert operations is not None
    assert operations[0] == UpsertContact(
        who=Who(external_id="u-1"),
        role="user",
        fields={
            "email": "ada@example.com",
            "name": "Ada Example",
            "phone": "+49 30 901820",
            "signed_up_at": 1_740_832_200,
            "last_seen_at": 1_772_352_000,
        },
        attributes={
            "firstName": "Ada",
            "lastName": " Example",
            "plan": "pro",
            "logins": 7,
            "rate": 1.5,
            "newsletter": False,
            "manager": None,
            "address_city": "Bremen",
            "address_floor": 3,
        },
    )


@pytest.mark.parametrize(
    "traits",
    [
        pytest.param({"email": "nobody"}, id="no address"),
        pytest.param({"name": " "}, id="blank name"),
        pytest.param({"phone": 49}, id="number for a text"),
        pytest.param({"createdAt": "soon"}, id="no instant"),
        pytest.param({"birthday": "1990-05-17"}, id="date"),
        pytest.param({"bio": "x" * 256}, id="long text"),
        pytest.param({"rate": float("nan")}, id="not a number"),
        pytest.param({"plan": "a", "p.l.a.n": "b"}, id="two spellings"),
        pytest.param({"tags": ["a"]}, id="list"),
        pytest.param({"address": {}}, id="empty object"),
        pytest.param({"address": {"user_hash": "x"}}, id="proof"),
        pytest.param({"address_city": "a", "address": {"city": "b"}}, id="one name twice"),
        pytest.param({"company": "Example Ltd"}, id="company by name"),
        pytest.param({"company": {"name": "Example Ltd"}}, id="company without an id"),
        pytest.param({"company": {"id": "c", "remove": True}}, id="company to leave"),
    ],
)
def test_what_needs_a_note_or_more_goes_the_careful_way(traits: dict[str, Any]) -> None:
    """Whatever is changed, cut, left out or not plainly meant is for the careful way."""
    assert contacts()._usual(identify(traits)) is None


@pytest.mark.parametrize(
    "choices",
    [
        {"nested": "stringify"},
        {"nested_overrides": {"address": "drop"}},
        {"dates": "keep"},
        {"collect_context": True},
    ],
    ids=lambda choices: next(iter(choices)),
)
def test_other_settings_go_the_careful_way(choices: dict[str, Any]) -> None:
    """The quick way knows the default choices for nested values, dates and context only."""
    assert contacts(**choices)._usual(identify(USUAL_TRAITS)) is None


@settings(max_examples=300, deadline=None)
@given(
    base=st.sampled_from([{}, USUAL_TRAITS]),
    traits=st.dictionaries(st.sampled_from(NAMES), VALUES | OBJECTS | LISTS, max_size=5),
    context=CONTEXTS,
    user_id=st.sampled_from(["u-1", "eve@example.com"]),
)
def test_both_ways_say_the_same(
    base: dict[str, Any], traits: dict[str, Any], context: dict[str, Any], user_id: str
) -> None:
    """Where the quick way says something, it is what the careful way says without a note."""
    made = contacts()
    message = identify({**base, **traits}, context=context, user_id=user_id)
    notes: list[Note] = []
    careful = made._careful(message, NO_OPTIONS, notes)

    quick = made._usual(message)

    assert quick is None or (quick, []) == (careful, notes)


@settings(max_examples=200, deadline=None)
@given(
    base=st.sampled_from([{}, {"name": "Example Ltd", "employees": 5, "region": "North"}]),
    traits=st.dictionaries(st.sampled_from(NAMES), VALUES | OBJECTS | LISTS, max_size=5),
)
def test_both_ways_say_the_same_of_a_company(base: dict[str, Any], traits: dict[str, Any]) -> None:
    """A group's traits mean the same the quick and the careful way."""
    made = Settings(api_key="test")
    companies = Companies(made, Flattener(made, of_events=False))
    told = {**base, **traits}
    notes: list[Note] = []
    careful = companies.of_group_carefully("c-1", told, Who(external_id="u-1"), notes)

    quick = companies.of_usual_group("c-1", told, Who(external_id="u-1"))

    assert quick is None or (quick, []) == (careful, notes)


def test_what_is_remembered_of_names_is_bounded() -> None:
    """A program that makes up names for ever fills no memory with them, and traits beyond the bound are read like any others."""
    shapes = _Shapes(len)
    attributes = _Attributes()
    for number in range(_KEPT_SHAPES):
        shapes[(f"key {number}",)]
        attributes.read(((f"key {number}", "name"),), {f"key {number}": {"inner": 1}})

    assert (shapes[("one", "more")], len(shapes)) == (2, _KEPT_SHAPES)
    assert attributes.read((("more", "name"),), {"more": {"inner": 1}}) == {"more_inner": 1}
    assert len(attributes._inner) == _KEPT_SHAPES
