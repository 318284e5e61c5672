"""What becomes of a claim's messages while its steps run (rules O1, O2, M2, T2)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.attempts import Attempt, ClaimState
from metarouter_intercom._intercom.responses import DELIVERED, FlowResult
from metarouter_intercom.operations import (
    AttachCompany,
    DetachCompany,
    MergeContact,
    SubmitEvent,
    TagCompany,
    Translation,
    UpsertCompany,
    UpsertContact,
    Who,
)
from metarouter_intercom.operations._coalesce import Step
from metarouter_intercom.plugins import Entry, Note

_WHO = Who(external_id="u1")
_UPSERT = UpsertContact(who=_WHO, role="user", fields={}, attributes={})
_EVENT = SubmitEvent(who=_WHO, event_name="Seen", created_at=1, metadata={})
_ATTACH = AttachCompany(who=_WHO, company_id="c1")
_RETRY = FlowResult("retry", "http_500", 500)
_WAIT = FlowResult("wait", "contact_missing", 404)
_DEAD = FlowResult("dead", "http_400", 400, "parameter_invalid", "no", None, "r1")


def _entry(seq=1, **facts):
    known = {
        "message": {"messageId": f"m{seq}"},
        "accepted_at": 0.0,
        "attempts": 0,
        "failures": 0,
        "waiting_since": None,
    }
    return Entry(seq=seq, **known | facts)


def _attempts(number):
    return [Attempt(_entry(seq), Translation((_EVENT,))) for seq in range(1, number + 1)]


def _settle(attempt, **options):
    known = {"now": 10.0, "due_at": 11.0, "retry_for": 900.0, "wait_for": 900.0, "inline": False}
    return attempt.settlement(**known | options)


def test_a_message_with_nothing_against_it_is_done():
    """A delivered message is forgotten, and its delivery told."""
    attempt = Attempt(_entry(), Translation((_EVENT,), (Note("A3", "traits.x", "cut"),)))
    state = ClaimState([attempt])
    state.record(Step(_EVENT, (0,)), DELIVERED)

    assert _settle(attempt).kind == "ack"
    delivery = attempt.delivery(None)
    assert (delivery.outcome, delivery.unchanged, delivery.merged) == ("delivered", False, False)
    assert delivery.notes == (Note("A3", "traits.x", "cut"),)


def test_a_skipped_message_is_done_and_told_as_skipped():
    """A message that has nothing to do in Intercom ends with its reason."""
    attempt = Attempt(_entry(), Translation((), (), "not_selected"))

    assert _settle(attempt).kind == "ack"
    assert (attempt.delivery(None).outcome, attempt.delivery(None).reason) == ("skipped", "not_selected")


def test_all_but_the_last_message_of_a_merged_step_are_merged():
    """O2: the last message of a merged write carries it."""
    attempts = _attempts(2)
    ClaimState(attempts).record(Step(_UPSERT, (0, 1)), DELIVERED)

    assert [attempt.delivery(None).merged for attempt in attempts] == [True, False]


def test_nothing_sent_is_unchanged():
    """O3: a message whose every step needed no request is unchanged, and not merged."""
    attempts = _attempts(2)
    ClaimState(attempts).record(Step(_UPSERT, (0, 1)), DELIVERED._replace(unchanged=True))

    assert [(attempt.delivery(None).unchanged, attempt.merged) for attempt in attempts] == [
        (True, False),
        (True, False),
    ]


def test_a_retry_holds_back_later_messages_only():
    """O1: what was accepted before the failed message goes on, what came after waits untouched."""
    attempts = _attempts(3)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (1,)), _RETRY)

    assert state.postpones(Step(_EVENT, (0,))) is False
    assert state.postpones(Step(_EVENT, (2,))) is True
    assert [attempt.state for attempt in attempts] == ["ok", "retry", "release"]


def test_a_merged_step_is_postponed_as_a_whole():
    """O1: a merged write that serves a later message waits, and then so does everything after its first message."""
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (2,)), _RETRY)

    assert state.postpones(Step(_UPSERT, (1, 3))) is True
    assert state.postpones(Step(_EVENT, (1,))) is True
    assert state.postpones(Step(_EVENT, (0,))) is False


def test_what_waits_for_a_contact_lets_upserts_pass():
    """M2: later events and attaches wait along, an upsert may bring the contact."""
    attempts = _attempts(3)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (0,)), _WAIT)

    assert state.postpones(Step(_ATTACH, (1,))) is True
    assert state.postpones(Step(_UPSERT, (2,))) is False
    assert [attempt.state for attempt in attempts] == ["wait", "wait", "ok"]


@pytest.mark.parametrize(
    "operation",
    [
        AttachCompany(who=Who(external_id="u2"), company_id="c1"),
        SubmitEvent(who=Who(anonymous_id="u1"), event_name="Seen", created_at=1, metadata={}),
        TagCompany(company_id="c1", name="VIP"),
        UpsertCompany(company_id="c1", fields={}, attributes={}),
        MergeContact(lead=Who(anonymous_id="a1"), user=_WHO),
    ],
)
def test_only_what_needs_the_missing_contact_waits_along(operation):
    """M2: contacts may share a lane; what is about another one, or about none, is not held back and does not die along."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (0,)), _WAIT)

    assert state.postpones(Step(operation, (1,))) is False
    assert state.postpones(Step(_EVENT, (1,))) is True


def test_a_detach_waits_behind_an_attach_alone():
    """M2, I12: without its contact a detach is a success, but it must not pass the attach that it undoes."""
    detach = DetachCompany(who=_WHO, company_id="c1")
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (0,)), _WAIT)
    before = state.postpones(Step(detach, (1,)))
    state.record(Step(_ATTACH, (0,)), _WAIT)

    assert (before, state.postpones(Step(detach, (1,)))) == (False, True)
    assert [_settle(attempt, wait_for=0.0).kind for attempt in attempts] == ["bury", "wait"]


def test_a_waiting_alias_holds_back_the_leads_later_events_alone():
    """M2, L1: an event that may have arrived at the lead is no repeat for the user whom it becomes."""
    lead = Who(anonymous_id="a1")
    of_lead = SubmitEvent(who=lead, event_name="Seen", created_at=1, metadata={})
    attach = AttachCompany(who=lead, company_id="c1")
    attempts = _attempts(3)
    state = ClaimState(attempts)
    state.record(Step(MergeContact(lead=lead, user=_WHO), (1,)), _WAIT)

    assert state.postpones(Step(of_lead, (2,))) is True
    assert [state.postpones(Step(one, (2,))) for one in (_EVENT, attach)] == [False, False]
    assert state.postpones(Step(of_lead, (0,))) is False


def test_what_waits_for_a_merge_does_not_die_with_it():
    """M2: when the merge is given up, the event is the lead's."""
    lead = Who(anonymous_id="a1")
    attempts = [Attempt(_entry(seq, waiting_since=0.0), Translation((_EVENT,))) for seq in (1, 2)]
    state = ClaimState(attempts)
    state.record(Step(MergeContact(lead=lead, user=_WHO), (0,)), _WAIT)
    state.postpones(Step(SubmitEvent(who=lead, event_name="Seen", created_at=1, metadata={}), (1,)))

    settlements = [_settle(attempt, now=900.0) for attempt in attempts]
    assert [(one.kind, one.reason) for one in settlements] == [
        ("bury", "contact_missing"),
        ("wait", "contact_missing"),
    ]


def test_each_missing_contact_holds_back_its_own():
    """M2: one claim may miss several; what came before the first waiting message of a contact goes on."""
    other = SubmitEvent(who=Who(external_id="u2"), event_name="Seen", created_at=1, metadata={})
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (2,)), _WAIT)
    state.record(Step(other, (1,)), _WAIT)
    state.record(Step(_EVENT, (1,)), _WAIT)

    postponed = [state.postpones(Step(one, (at,))) for at in (0, 1, 3) for one in (_EVENT, other)]
    assert postponed == [False, False, True, True, True, True]


def test_steps_of_dead_messages_are_left_out():
    """A message that was given up does nothing more."""
    attempts = _attempts(1)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0,)), _DEAD)

    assert state.postpones(Step(_ATTACH, (0,))) is True


def test_a_dead_message_is_buried_with_its_answer():
    """X1: the dead letter carries Intercom's answer."""
    attempt = _attempts(1)[0]
    attempt.end("dead", _DEAD)

    settlement = _settle(attempt)
    assert (settlement.kind, settlement.reason) == ("bury", "http_400")
    assert settlement.answer["code"] == "parameter_invalid"
    assert attempt.delivery(settlement.reason).answer["request_id"] == "r1"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["retry", "wait"], "retry"),
        (["wait", "retry"], "retry"),
        (["dead", "retry"], "dead"),
        (["release", "wait"], "wait"),
        (["wait", "release"], "wait"),
    ],
)
def test_the_graver_state_wins(states, expected):
    """A message of several steps ends as its worst one did."""
    attempt = _attempts(1)[0]
    for state in states:
        attempt.end(state)

    assert attempt.state == expected


def test_retries_end():
    """T2: after ``retry_for`` a failing message becomes a dead letter."""
    attempt = _attempts(1)[0]
    attempt.end("retry", _RETRY)

    assert _settle(attempt, now=900.0).reason == "retry_expired"


def test_a_retry_is_put_off():
    """T2: before that it is due again after the back-off."""
    attempt = _attempts(1)[0]
    attempt.failed = True
    attempt.end("retry", _RETRY)

    settlement = _settle(attempt)
    assert (settlement.kind, settlement.due_at, settlement.failed) == ("retry", 11.0, True)
    assert attempt.delivery(None) is None


@pytest.mark.parametrize(
    ("facts", "options", "kind"),
    [
        ({}, {}, "wait"),
        ({"waiting_since": 0.0}, {"now": 899.0}, "wait"),
        ({"waiting_since": 0.0}, {"now": 900.0}, "bury"),
        ({}, {"inline": True}, "bury"),
        ({}, {"wait_for": 0.0}, "bury"),
    ],
)
def test_waiting_for_a_contact_ends(facts, options, kind):
    """M2: a missing contact is waited for, for a bounded time; an inline caller is told at once."""
    attempt = Attempt(_entry(**facts), Translation((_EVENT,)))
    attempt.end("wait", _WAIT)

    settlement = _settle(attempt, **options)

    assert settlement.kind == kind
    assert settlement.reason == "contact_missing"


def test_held_messages_are_given_back():
    """T1: refused credentials cost no message an attempt."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0,)), FlowResult("held", "http_401", 401))
    state.release([Step(_EVENT, (1,))])

    assert state.held is not None
    assert [_settle(attempt).kind for attempt in attempts] == ["release", "release"]
    assert attempts[0].delivery(None) is None


def test_what_follows_a_message_that_goes_back_comes_after_it_again():
    """O1: a merged upsert carried the newest values; retried, the older message writes its own, so the newer one must follow."""
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (1, 3)), DELIVERED)
    state.record(Step(_EVENT, (0,)), DELIVERED)
    state.record(Step(_EVENT, (1,)), _RETRY)
    state.release([Step(_EVENT, (2,))])

    assert [_settle(attempt).kind for attempt in attempts] == ["ack", "retry", "release", "release"]


def test_what_follows_a_dead_message_is_done():
    """A dead message does not come back, so nothing has to follow it."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0, 1)), DELIVERED)
    state.record(Step(_EVENT, (0,)), _DEAD)
    state.release([])

    assert [_settle(attempt).kind for attempt in attempts] == ["bury", "ack"]


def test_the_fates_of_a_step_are_found():
    """A step names its messages by number."""
    attempts = _attempts(3)

    assert ClaimState(attempts).attempts_of(Step(_EVENT, (0, 2))) == [attempts[0], attempts[2]]
