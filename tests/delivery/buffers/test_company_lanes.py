"""Group calls about nobody (rule O1): those of one company come in order and together, and hold back no other company; for every buffer."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.messages._codec import read_stamped
from metarouter_intercom.operations import UpsertCompany, translate
from metarouter_intercom.operations._coalesce import coalesce
from metarouter_intercom.settings import Settings

from .filling import drain, names, settle, take

_SETTINGS = Settings(api_key="k")
# Each company by its id and by its name, which gives that id.
_COMPANIES = [
    {"groupId": "2017828326"},
    {"traits": {"name": "Segment"}},
    {"groupId": "k-1", "anonymousId": "visitor"},
    {"groupId": "k-1"},
    {"groupId": "k-2"},
]
_WHO = st.sampled_from([{}, {}, {}, {"userId": "u1"}])


def _accept(buffer, call, number):
    call = {"type": "group", "messageId": f"m{number}", **call}
    call["traits"] = {**call.get("traits", {}), "number": number}
    stamped = Stamper(_SETTINGS, ()).stamp(call, 1.0)
    assert (
        buffer.accept(stamped.message, keys=stamped.keys, upserts=stamped.upserts, now=1.0 + number / 10)
        == "accepted"
    )
    return stamped.keys


def _operations(claim):
    return [
        (number, operation)
        for number, entry in enumerate(claim.entries)
        for operation in translate(read_stamped(entry.message), _SETTINGS).operations
    ]


def test_calls_about_one_company_are_one_write(buffer):
    """O1, O2: calls about nobody that name one company, by id or by name, are claimed together and written once, later values last."""
    for number in range(6):
        _accept(buffer, _COMPANIES[number % 2], number)

    claim = take(buffer, now=9.0)
    steps = coalesce(_operations(claim), merge_across_events=True)

    assert names(claim) == [f"m{number}" for number in range(6)]
    assert [step.messages for step in steps] == [(0, 1, 2, 3, 4, 5)]
    assert steps[0].operation == UpsertCompany(
        company_id="2017828326", fields={"name": "Segment"}, attributes={"number": 5}
    )


def test_a_company_that_waits_holds_back_no_other(buffer):
    """O1: a call that waits for a retry holds back later calls about that company, and nobody else's."""
    _accept(buffer, {"groupId": "k-1"}, 0)
    settle(buffer, take(buffer, now=2.0), "retry", now=2.0, due_at=50.0)
    _accept(buffer, {"groupId": "k-1"}, 1)
    _accept(buffer, {"groupId": "k-2"}, 2)
    _accept(buffer, {"groupId": "k-1", "userId": "u1"}, 3)

    assert drain(buffer, now=9.0) == ["m2", "m3"]
    assert drain(buffer, now=60.0) == ["m0", "m1"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(st.tuples(st.sampled_from(_COMPANIES), _WHO), min_size=1, max_size=12),
    fates=st.lists(st.sampled_from(["ack", "ack", "retry"]), min_size=12, max_size=12),
    limit=st.integers(1, 5),
)
def test_calls_about_a_company_come_in_order(make_buffer, calls, fates, limit):
    """O1: whatever comes between them and however often they are tried again, calls about one company end once each, in order."""
    buffer = make_buffer()
    keys = [tuple(_accept(buffer, {**company, **who}, number)) for number, (company, who) in enumerate(calls)]
    ended, now = [], 10.0
    outcomes = iter(fates)

    while (claim := take(buffer, now=now, limit=limit)) is not None:
        lanes = {keys[int(name[1:])] for name in names(claim)}
        outcome = next(outcomes, "ack")
        ended += [int(name[1:]) for name in names(claim)] if outcome == "ack" else []
        settle(buffer, claim, outcome, now=now, due_at=now + 1)
        now += 2
        assert len(lanes) == 1

    assert sorted(ended) == list(range(len(calls)))
    for key in set(keys):
        in_lane = [number for number in ended if keys[number] == key]
        assert in_lane == sorted(in_lane)
