"""Merging the operations that are due together into the fewest with the same effect (rule O2)."""

from __future__ import annotations

import pytest

from metarouter_intercom.operations import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
    UpsertCompany,
    UpsertContact,
    Who,
)
from metarouter_intercom.operations._coalesce import Step, coalesce
from metarouter_intercom.operations._values import FLATTENED, Origin, origin_of

_ANN = Who(external_id="ann")
_BEA = Who(external_id="bea")
_LEAD = Who(anonymous_id="a1")
_MERGE = MergeContact(lead=_LEAD, user=_ANN)


def _up(who=_ANN, attributes=None, role="user", **fields):
    return UpsertContact(who=who, role=role, fields=fields, attributes=attributes or {})


def _lead(attributes=None, **fields):
    return _up(_LEAD, attributes, "lead", **fields)


def _co(company_id="k1", attributes=None, **fields):
    return UpsertCompany(company_id=company_id, fields=fields, attributes=attributes or {})


def _event(name="Seen", who=_ANN):
    return SubmitEvent(who=who, event_name=name, created_at=5, metadata={})


def _at(company_id="k1", who=_ANN, only_known=False):
    return AttachCompany(who=who, company_id=company_id, only_known=only_known)


def _de(company_id="k1", who=_ANN):
    return DetachCompany(who=who, company_id=company_id)


def _tag(name="VIP", company_id="k1"):
    return TagCompany(company_id=company_id, name=name)


def _mark(name="VIP", who=_ANN, remove=False):
    return TagContact(who=who, name=name, remove=remove)


def _sub(subscription="News", is_wanted=True, who=_ANN):
    return SetSubscription(who=who, subscription=subscription, is_wanted=is_wanted, path="p")


def _plan(*operations, merge_across_events=True):
    return coalesce(list(enumerate(operations)), merge_across_events=merge_across_events)


def _shape(*operations, **options):
    """Return, for each step, the places in *operations* of those that it was merged from."""
    return [list(step.messages) for step in _plan(*operations, **options)]


def test_nothing_needs_nothing():
    """Without operations there are no steps."""
    assert _plan() == []


def test_a_burst_of_identifies_is_one_write():
    """O2: the later value of each key wins, and the last message carries the write."""
    steps = _plan(
        _up(name="Ann", phone="1", attributes={"plan": "free", "seats": 1}),
        _up(name="Anna", attributes={"plan": "pro"}),
        _up(phone=None, attributes={"seats": None, "tier": "a"}),
    )

    merged = _up(name="Anna", phone=None, attributes={"plan": "pro", "seats": None, "tier": "a"})
    assert steps == [Step(merged, (0, 1, 2))]


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        (_up(name="Ann"), _up(name=None), _up(name=None)),
        (_up(name=None), _up(name="Ann"), _up(name="Ann")),
        (_up(owner_id=1), _up(owner_id=2), _up(owner_id=2)),
        (_up(phone="1"), _up(phone="2"), _up(phone="2")),
        (_up(attributes={"a": 1}), _up(attributes={"a": 2.5}), _up(attributes={"a": 2.5})),
        (_up(attributes={"a": None}), _up(attributes={"a": "x"}), _up(attributes={"a": "x"})),
        (_up(attributes={"a": "x"}), _up(attributes={"a": None}), _up(attributes={"a": None})),
        (_co(plan="free"), _co(plan="pro"), _co(plan="pro")),
        (_at(only_known=True), _at(), _at()),
        (_at(), _at(only_known=True), _at()),
        (_at(only_known=True), _at(only_known=True), _at(only_known=True)),
        (_de(), _de(), _de()),
        (_tag(), _tag(), _tag()),
        (_mark("VIP"), _mark("vip"), _mark("vip")),
        (_mark(), _mark(remove=True), _mark(remove=True)),
        (_mark(remove=True), _mark(), _mark()),
        (_sub(), _sub(), _sub()),
        (_sub(), _sub(is_wanted=False), _sub(is_wanted=False)),
        (_MERGE, _MERGE, _MERGE),
        (_up(role=None), _up(name="Ann"), _up(name="Ann")),
        (_up(name="Ann"), _up(role=None), _up(name="Ann")),
    ],
)
def test_two_that_become_one(earlier, later, expected):
    """O2: two operations become one with the effect of both, one after the other."""
    assert _plan(earlier, later) == [Step(expected, (0, 1))]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (_up(_ANN), _up(_BEA)),
        (_up(attributes={"a": "12"}), _up(attributes={"a": 12})),
        (_up(attributes={"a": True}), _up(attributes={"a": 1})),
        (_lead(), _up(_LEAD)),
        (_up(Who(contact_id="c1", external_id="u1")), _up(Who(contact_id="c1", external_id="u2"))),
        (_co("k1"), _co("k2")),
        (_co(attributes={"a": "x"}), _co(attributes={"a": 1})),
        (_at("k1"), _at("k2")),
        (_at(), _de()),
        (_de("k1"), _de("k2")),
        (_tag("VIP"), _tag("Old")),
        (_tag(company_id="k1"), _tag(company_id="k2")),
        (_mark("VIP"), _mark("Old")),
        (_mark(who=_ANN), _mark(who=_BEA)),
        (_sub("News"), _sub("91")),
        (_sub(who=_ANN), _sub(who=_BEA)),
        (_event(), _event()),
        (_MERGE, MergeContact(lead=_LEAD, user=_BEA)),
        (DeleteContact(who=_ANN), DeleteContact(who=_ANN)),
    ],
)
def test_two_that_stay_two(earlier, later):
    """O2: operations on different contacts or companies, with values of different types, or that undo each other, are not merged; events never are."""
    assert _shape(earlier, later) == [[0], [1]]


def test_a_message_counts_once_for_a_step():
    """A message is counted once for a step, even if it asks for the operation twice."""
    assert coalesce([(0, _at()), (0, _at()), (1, _at())], merge_across_events=True) == [Step(_at(), (0, 1))]


def test_a_merged_operation_has_every_id():
    """R8: a merged operation has every id of its contact that one of the two has."""
    one = _up(Who(contact_id="c1"), name="Ann")
    other = _up(Who(contact_id="c1", external_id="u1", email="a@example.com", anonymous_id="a1"))

    expected = Who(contact_id="c1", external_id="u1", email="a@example.com", anonymous_id="a1")
    assert [step.operation.who for step in _plan(one, other)] == [expected]
    assert [step.operation.who for step in _plan(other, one)] == [expected]


# --- the order ------------------------------------------------------------------------------------------------


def test_contacts_then_companies_then_links_then_events():
    """O2: contacts come first, so that a group or track that was accepted before the first identify finds its contact."""
    steps = _plan(
        _event("A"), _co(), _tag(), _at(), _up(), _event("B"), _co(plan="pro"), _de("k2"), _up(name="Ann")
    )

    assert [type(step.operation).__name__ for step in steps] == [
        "UpsertContact",
        "UpsertCompany",
        "TagCompany",
        "AttachCompany",
        "DetachCompany",
        "SubmitEvent",
        "SubmitEvent",
    ]
    assert [step.messages for step in steps] == [(4, 8), (1, 6), (2,), (3,), (7,), (0,), (5,)]


def test_what_a_contact_gets_comes_before_its_companies():
    """I13, I14: tags and subscriptions follow the upsert, so that a company which Intercom refuses does not hold them up."""
    steps = _plan(_co(), _at(), _up(), _mark(), _sub(), _event())

    assert [step.messages for step in steps] == [(2,), (3,), (4,), (0,), (1,), (5,)]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([_at("k1"), _de("k1"), _at("k1")], [[0], [1], [2]]),
        ([_at("k1"), _at("k2"), _at("k1")], [[0, 2], [1]]),
        ([_at("k1"), _de("k2"), _at("k1"), _de("k2")], [[0, 2], [1, 3]]),
        ([_at("k1"), _de("k1"), _at("k2"), _at("k1")], [[0], [1], [2], [3]]),
        ([_at("k1"), _de("k1", _BEA), _at("k1")], [[0, 2], [1]]),
        ([_at("k1"), _de("k1", Who(email="a@example.com")), _at("k1")], [[0], [1], [2]]),
        ([_event("A"), _event("B"), _event("A")], [[0], [1], [2]]),
        ([_mark("a"), _mark("b"), _mark("A", remove=True)], [[0, 2], [1]]),
        ([_mark("a"), _mark("a", Who(email="x@example.com"), True), _mark("a")], [[0], [1], [2]]),
        ([_sub("91"), _sub("News", False), _sub("91")], [[0], [1], [2]]),
        ([_sub("91"), _sub("News", False, _BEA), _sub("91")], [[0, 2], [1]]),
        ([_mark("a"), _sub("News"), _mark("a"), _sub("News")], [[0, 2], [1, 3]]),
    ],
)
def test_links_and_events_keep_their_order(operations, expected):
    """O2: a link passes only operations that certainly have nothing to do with it, and events keep their order."""
    assert _shape(*operations) == expected


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([_up(_ANN), _up(_BEA), _up(_ANN)], [[0, 2], [1]]),
        ([_up(_ANN, email="x@example.com"), _up(_BEA, email="X@example.com"), _up(_ANN)], [[0, 2], [1]]),
        (
            [
                _up(_ANN, email="x@example.com"),
                _up(_BEA, email="X@example.com"),
                _up(_ANN, email="x@example.com"),
            ],
            [[0], [1], [2]],
        ),
        ([_up(_ANN), _up(Who(email="x@example.com")), _up(_ANN)], [[0], [1], [2]]),
        ([_up(attributes={"a": "x"}), _up(attributes={"a": 1}), _up(attributes={"a": 2})], [[0], [1, 2]]),
        ([_co("k1"), _co("k2"), _co("k1")], [[0, 2], [1]]),
        ([_co(attributes={"a": "x"}), _co(attributes={"a": 1}), _co(plan="pro")], [[0], [1, 2]]),
    ],
)
def test_upserts_pass_strangers_alone(operations, expected):
    """O2: an upsert passes only certain strangers: two keys of different kinds, or with one address, may be one contact."""
    assert _shape(*operations) == expected


def test_an_upsert_merges_into_the_first_it_may_reach():
    """O2: a merged upsert stays in the place of the earlier one."""
    steps = _plan(_up(_ANN, name="A"), _up(_BEA, name="B"), _up(_ANN, name="C"))

    assert steps == [Step(_up(_ANN, name="C"), (0, 2)), Step(_up(_BEA, name="B"), (1,))]


# --- leads that are merged ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        # The user's own values win over the lead's, so they may be written before.
        ([_lead(name="L"), _MERGE, _up(name="Ann")], [[0], [2], [1]]),
        ([_up(phone="1"), _MERGE, _up(name="Ann")], [[0, 2], [1]]),
        # A cleared field comes after the merge, which would fill it again.
        ([_up(phone="1"), _MERGE, _up(name=None)], [[0], [1], [2]]),
        ([_up(phone="1"), _MERGE, _up(attributes={"a": None})], [[0], [1], [2]]),
        ([_MERGE, _up(name=None), _up(name="Ann")], [[0], [1, 2]]),
        # After the merge the lead is another contact, and strangers stay after an operation that stays after it.
        ([_lead(name="L"), _MERGE, _lead(name="M")], [[0], [1], [2]]),
        ([_MERGE, _up(_BEA)], [[0], [1]]),
        ([_MERGE, _MERGE, _at(), _event()], [[0, 1], [2], [3]]),
        ([_at(), _MERGE, _at()], [[0], [1], [2]]),
        ([_mark(), _MERGE, _mark()], [[0], [1], [2]]),
        ([_mark(who=_LEAD), _MERGE, _mark(who=_LEAD, remove=True)], [[0], [1], [2]]),
        ([_sub(), _MERGE, _sub(is_wanted=False)], [[0], [1], [2]]),
    ],
)
def test_what_may_pass_a_merge(operations, expected):
    """L1, O2: an operation may pass a merge unless the merge, which fills the user's empty fields and moves the lead's links, would change its effect."""
    assert _shape(*operations) == expected


def test_a_leads_events_stay_before_its_merge():
    """L1: a lead's events come before its merge, because those that already arrived would not be recognised as repeats at the user."""
    operations = [_lead(name="L"), _event(who=_LEAD), _event(), _MERGE, _up(name="Ann"), _event(who=_LEAD)]

    assert _shape(*operations) == [[0], [1], [2], [4], [3], [5]]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([_event(), _up(name=None), _MERGE], [[1], [0], [2]]),
        ([_up(attributes={"a": None}), _event(_BEA), _MERGE], [[0], [1], [2]]),
        ([_event(), _up(name="Ann"), _MERGE], [[1], [2], [0]]),
        ([_event(), _up(_BEA, name=None), _MERGE], [[1], [2], [0]]),
        ([_up(name=None), _MERGE, _event()], [[0], [1], [2]]),
    ],
)
def test_events_stay_before_a_merge_that_fills_a_cleared_field(operations, expected):
    """O2, L1: an event that fails brings back what was accepted after it, and a field must not be cleared again after the merge."""
    assert _shape(*operations) == expected


# --- deletion -------------------------------------------------------------------------------------------------


def test_no_operation_passes_a_deletion():
    """D1: no operation passes a deletion."""
    delete = DeleteContact(who=_ANN)

    assert _shape(_event(), _up(name="Ann"), delete, _event(), _up(name="Bea")) == [[1], [0], [2], [4], [3]]


# --- merge_across_events=False --------------------------------------------------------------------------------


def test_the_accepted_order_can_be_kept_to_the_letter():
    """O2: with ``merge_across_events`` off, only neighbours are merged."""
    operations = [
        _up(name="A"),
        _up(name="B"),
        _event(),
        _up(name="C"),
        _at(),
        _at(),
        _de(),
        _co(),
        _co("k2"),
        _co(),
    ]

    steps = _plan(*operations, merge_across_events=False)

    assert [list(step.messages) for step in steps] == [[0, 1], [2], [3], [4, 5], [6], [7], [8], [9]]
    assert steps[0].operation == _up(name="B")


# --- where attributes come from (rule A7) ---------------------------------------------------------------------


@pytest.mark.parametrize("is_company", [False, True])
def test_a_merged_write_knows_where_its_attributes_come_from(is_company):
    """A7: an attribute of a merged write comes from the trait that gave its value, and plain values stay first."""
    flat = {"o_x": Origin("traits.o.x", FLATTENED)}
    renamed = {"a_b": Origin("context.traits.a.b")}

    def upsert(attributes, **options):
        if is_company:
            return UpsertCompany(company_id="k1", fields={}, attributes=attributes, **options)
        return UpsertContact(who=_ANN, role="user", fields={}, attributes=attributes, **options)

    (step,) = _plan(
        upsert({"o_x": 1, "plan": "pro"}, origins=flat),
        upsert({"plan": "free", "a_b": 1}, origins=renamed, traits_path="context.traits"),
    )
    merged = step.operation

    assert list(merged.attributes) == ["plan", "a_b", "o_x"]
    assert {name: origin_of(merged, name) for name in merged.attributes} == {
        "o_x": Origin("traits.o.x", FLATTENED),
        "plan": Origin("context.traits.plan"),
        "a_b": Origin("context.traits.a.b"),
    }


def test_a_plain_trait_of_a_later_message_wins_over_a_flattened_one():
    """A7: an attribute that is flattened in the earlier message and plain in the later one is plain."""
    (step,) = _plan(
        UpsertContact(
            who=_ANN,
            role="user",
            fields={},
            attributes={"o_x": 1},
            origins={"o_x": Origin("traits.o.x", FLATTENED)},
        ),
        _up(attributes={"o_x": 2}),
    )

    assert origin_of(step.operation, "o_x") == Origin("traits.o_x")


# --- when a contact was last seen (E11) -------------------------------------------------------------------------


def _seen(at, who=_ANN):
    return UpsertContact(who=who, role=None, fields={"last_seen_at": at}, attributes={}, only_known=True)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((_event(), _seen(7), _up(name="A")), [_up(name="A", last_seen_at=7)]),
        ((_up(name="A"), _event(), _seen(7)), [_up(name="A", last_seen_at=7)]),
        ((_up(last_seen_at=9), _event(), _seen(7)), [_up(last_seen_at=9)]),
        ((_seen(7), _up(last_seen_at=5)), [_up(last_seen_at=7)]),
        ((_event(), _seen(7), _seen(3)), [_seen(7)]),
        ((_up(_BEA, name="B"), _seen(7)), [_up(_BEA, name="B"), _seen(7)]),
        ((_up(_LEAD, role="lead"), _seen(7)), [_up(_LEAD, role="lead"), _seen(7)]),
    ],
)
def test_an_events_time_joins_a_write_that_is_due(operations, expected):
    """E11: the later time stays, and a contact that is written anyway is written once; a stranger's write is left alone."""
    steps = [step.operation for step in _plan(*operations)]

    assert [one for one in steps if not isinstance(one, SubmitEvent)] == expected


def test_an_events_time_alone_is_written_after_the_events():
    """E11: nothing is looked up for a contact that is not there, because its event waits first."""
    assert _shape(_event(), _seen(7), _event(), _seen(8)) == [[0], [2], [1, 3]]


def test_without_merging_across_events_only_neighbours_join():
    """E11, O2: with ``merge_across_events=False`` an event's time joins the write that follows it at once."""
    operations = (_up(name="A"), _event(), _seen(7), _up(name="B"))
    steps = [step.operation for step in _plan(*operations, merge_across_events=False)]

    assert steps == [_up(name="A"), _event(), _up(name="B", last_seen_at=7)]
