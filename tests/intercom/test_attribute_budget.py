"""Which missing attributes may be created (rule A7): the most important ones, message by message, within the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom._intercom.attribute_budget import (
    AttributeCount,
    Carrier,
    can_create,
    carriers_of,
    count_of,
    has_room,
    in_order,
)
from metarouter_intercom._intercom.context import Part
from metarouter_intercom.operations import AttachCompany, UpsertCompany, UpsertContact, Who
from metarouter_intercom.operations._values import FLATTENED, SCALAR, TEXT, Origin

from .._support.flow_driving import NOW, make_cache, make_world
from .._support.promises import promised

_RANKS = st.sampled_from([SCALAR, TEXT, FLATTENED])


def _carrier(message_id, **ranks):
    return Carrier(message_id, dict.fromkeys(ranks, 1), ranks.__getitem__)


def _contact(user_id="u1", *, origins=None, **attributes):
    who = Who(external_id=user_id)
    return UpsertContact(who=who, role="user", fields={}, attributes=attributes, origins=origins or {})


def _company(company_id, **attributes):
    return UpsertCompany(company_id=company_id, fields={}, attributes=attributes)


def _listed(count, **settings):
    """Return a world whose workspace has *count* attributes."""
    cache = make_cache()
    cache.list_attributes({"contact": [str(at) for at in range(count)], "company": []}, NOW)
    return make_world(cache, **settings)


def test_plain_values_come_before_texts_of_lists_and_flattened_names():
    """The order of the body does not decide: plain values are created first, flattened names last."""
    carrier = _carrier("m1", flat=FLATTENED, listed=TEXT, plain=SCALAR, other=SCALAR)

    chosen = in_order(["flat", "listed", "plain", "other"], [carrier], lambda message_id: 10)

    assert list(chosen) == ["plain", "other", "listed", "flat"]


def test_each_message_has_an_allowance_of_its_own():
    """In a merged write, what one message may not create is created if another one that has it may."""
    first = _carrier("m1", a=SCALAR, b=SCALAR, c=SCALAR)
    second = _carrier("m2", c=SCALAR, d=SCALAR)

    chosen = in_order(["a", "b", "c", "d"], [first, second], lambda message_id: 2)

    assert {name: carrier.message_id for name, carrier in chosen.items()} == {
        "a": "m1",
        "b": "m1",
        "c": "m2",
        "d": "m2",
    }


def test_a_plain_value_of_a_later_message_comes_before_an_earlier_ones_flattened_names():
    """What is plain in any message of the write is created before what is flattened in all of them."""
    first, second = _carrier("m1", a=FLATTENED, b=FLATTENED), _carrier("m2", b=SCALAR)

    assert list(in_order(["a", "b"], [first, second], lambda message_id: 1)) == ["b", "a"]


def test_a_message_that_clears_an_attribute_does_not_create_it():
    """Null creates nothing, so the attribute counts for the message that has a value."""
    clearing = Carrier("m1", {"a": None}, lambda name: SCALAR)

    assert in_order(["a"], [clearing], lambda message_id: 5) == {}
    assert in_order(["a"], [clearing, _carrier("m2", a=SCALAR)], lambda message_id: 5)["a"].message_id == "m2"


@pytest.mark.parametrize(
    ("known", "expected"), [(set(), ["plain"]), ({("company", "tier")}, ["plain", "flat"])]
)
def test_a_messages_later_plain_attributes_keep_their_room(known, expected):
    """What is plain in a company that the message writes later comes before what is nested now, unless it exists."""
    carrier = _carrier("m1", flat=FLATTENED, plain=SCALAR)._replace(later=[("company", "tier")])

    chosen = in_order(
        ["flat", "plain"],
        [carrier],
        lambda message_id: 2,
        is_known=lambda model, name: (model, name) in known,
    )

    assert list(chosen) == expected


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdefgh"), _RANKS), max_size=4),
    st.lists(st.integers(-1, 4), min_size=4, max_size=4),
)
@promised
def test_no_message_creates_more_than_its_allowance(messages, allowances):
    """Whatever messages are merged, each creates at most its allowance, every attribute once, and nothing that fits is forgotten."""
    carriers = [_carrier(str(at), **ranks) for at, ranks in enumerate(messages)]
    names = sorted({name for ranks in messages for name in ranks})

    chosen = in_order(names, carriers, lambda message_id: allowances[int(message_id)])

    counts = [
        sum(carrier.message_id == str(at) for carrier in chosen.values()) for at in range(len(messages))
    ]
    assert all(count <= max(0, allowance) for count, allowance in zip(counts, allowances, strict=False))
    for name in set(names) - set(chosen):
        holders = [at for at, ranks in enumerate(messages) if name in ranks]
        assert all(counts[at] >= allowances[at] for at in holders)


@pytest.mark.parametrize(
    ("used", "rank", "expected"),
    [
        (0, SCALAR, True),
        (9, SCALAR, True),
        (10, SCALAR, False),
        (4, FLATTENED, True),
        (5, FLATTENED, False),
        (5, TEXT, True),
    ],
)
def test_flattened_names_stop_at_half_of_the_budget(used, rank, expected):
    """Nothing is created once the workspace has as many attributes as the budget, and no flattened name from half of it on."""
    assert has_room(rank, _listed(used, attribute_budget=10)) is expected


def test_a_list_that_is_unknown_bounds_nothing():
    """Without a list nobody knows how many there are, and only the limit of a message holds."""
    assert has_room(FLATTENED, make_world(attribute_budget=1)) is True


@pytest.mark.parametrize(
    ("settings", "used", "expected"),
    [
        ({}, 5, AttributeCount(5, 250, 195)),
        ({"attribute_budget": 3}, 5, AttributeCount(5, 250, 0)),
        ({"unknown_attributes": "drop"}, 5, AttributeCount(5, 250, 0)),
        ({"unknown_attributes": "fail"}, 0, AttributeCount(0, 250, 0)),
        ({"attribute_budget": 250}, 240, AttributeCount(240, 250, 10)),
    ],
)
def test_the_count_says_how_many_are_left(settings, used, expected):
    """What is left is the rest of the budget, and nothing where the settings or Intercom let none be created."""
    world = _listed(used, **settings)

    assert count_of(world.cache, world.settings, NOW) == expected


def test_nothing_is_left_while_intercom_creates_none():
    """After a refusal that concerns every attribute, none is left for an hour."""
    world = _listed(5)
    world.cache.refuse("attributes", "", NOW)

    counts = [count_of(world.cache, world.settings, NOW + after) for after in (0, 3600)]

    assert [count.left for count in counts] == [0, 195]


def test_there_is_no_count_without_a_list():
    """As long as nobody asked Intercom, the number is unknown."""
    world = make_world()

    assert count_of(world.cache, world.settings, NOW) is None


def test_what_cannot_be_created_makes_no_difference():
    """A write whose only difference is an attribute that would not be created is not sent (rules O3, A7)."""
    world = _listed(5, attribute_budget=10)
    upsert = _contact(plain=1, flat=2, origins={"flat": Origin("traits.o.flat", FLATTENED)})

    assert can_create(upsert, "plain", world) is True
    assert can_create(upsert, "flat", world) is False
    world.cache.refuse("attributes", "", NOW)
    assert can_create(upsert, "plain", world) is False
    assert can_create(upsert, "plain", _listed(5, unknown_attributes="drop")) is True


def test_the_carriers_of_a_write_are_the_messages_that_were_merged():
    """A company's write counts for the messages about that company, and what no message has counts for none."""
    parts = (
        Part(1, _contact(plan="x"), "m1"),
        Part(1, _company("k1", tier="a"), "m1"),
        Part(2, _company("k2", tier="b"), "m2"),
        Part(3, AttachCompany(who=Who(external_id="u1"), company_id="k1"), "m3"),
        Part(4, _company("k1", seats=1), "m4"),
    )
    world = make_world(parts=parts)
    body = {"company_id": "k1", "custom_attributes": {"tier": "a", "seats": 1, "own": 2}}

    companies = carriers_of("company", body, world)
    contacts = carriers_of("contact", {"custom_attributes": {"plan": "x"}}, world)

    assert [(one.message_id, dict(one.attributes)) for one in companies] == [
        ("m1", {"tier": "a"}),
        ("m4", {"seats": 1}),
        (None, {"own": 2}),
    ]
    assert [one.rank_of("any") for one in companies] == [SCALAR] * 3
    assert [list(one.later) for one in companies] == [[], [], []]
    assert [(one.message_id, list(one.later)) for one in contacts] == [("m1", [("company", "tier")])]
    assert carriers_of("contact", {}, make_world()) == []
