"""What happens to the messages of a claim while its steps run (rules O1, O2, M2, T2)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.attempts import Attempt, ClaimState
from metarouter_intercom._intercom.responses import DELIVERED, FlowResult
from metarouter_intercom.operations import (
    AttachCompany,
    DetachCompany,
    MergeContact,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
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


def _entry(seq=1, **changes):
    defaults = {
        "message": {"messageId": f"m{seq}"},
        "accepted_at": 0.0,
        "attempts": 0,
        "failures": 0,
        "waiting_since": None,
    }
    return Entry(seq=seq, **defaults | changes)


def _attempts(number):
    return [Attempt(_entry(seq), Translation((_EVENT,))) for seq in range(1, number + 1)]


def _settle(attempt, **options):
    defaults = {"now": 10.0, "due_at": 11.0, "retry_for": 900.0, "wait_for": 900.0, "inline": False}
    return attempt.settlement(**defaults | options)


def test_a_delivered_message_is_acknowledged_and_reported():
    """The buffer forgets a delivered message, and after-hooks receive its delivery."""
    attempt = Attempt(_entry(), Translation((_EVENT,), (Note("A3", "traits.x", "cut"),)))
    state = ClaimState([attempt])
    state.record(Step(_EVENT, (0,)), DELIVERED)

    assert _settle(attempt).kind == "ack"
    delivery = attempt.delivery(None)
    assert (delivery.outcome, delivery.unchanged, delivery.merged) == ("delivered", False, False)
    assert delivery.notes == (Note("A3", "traits.x", "cut"),)


def test_a_skipped_message_is_acknowledged_and_reported_as_skipped():
    """A message that has nothing to change in Intercom ends with its reason."""
    attempt = Attempt(_entry(), Translation((), (), "not_selected"))

    assert _settle(attempt).kind == "ack"
    assert (attempt.delivery(None).outcome, attempt.delivery(None).reason) == ("skipped", "not_selected")


def test_all_but_the_last_message_of_a_merged_step_are_merged():
    """O2: the last message of a merged write counts as the one that was written."""
    attempts = _attempts(2)
    ClaimState(attempts).record(Step(_UPSERT, (0, 1)), DELIVERED)

    assert [attempt.delivery(None).merged for attempt in attempts] == [True, False]


def test_nothing_sent_is_unchanged():
    """O3: a message that needed no request at all is unchanged, and not merged."""
    attempts = _attempts(2)
    ClaimState(attempts).record(Step(_UPSERT, (0, 1)), DELIVERED._replace(unchanged=True))

    assert [(attempt.delivery(None).unchanged, attempt.merged) for attempt in attempts] == [
        (True, False),
        (True, False),
    ]


def test_a_retry_blocks_later_messages_only():
    """O1: messages accepted before the failed one continue; messages accepted after it go back untouched."""
    attempts = _attempts(3)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (1,)), _RETRY)

    assert state.postpones(Step(_EVENT, (0,))) is False
    assert state.postpones(Step(_EVENT, (2,))) is True
    assert [attempt.state for attempt in attempts] == ["ok", "retry", "release"]


def test_a_merged_step_is_postponed_as_a_whole():
    """O1: a merged write that serves a later message waits, and so does everything after its first message."""
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (2,)), _RETRY)

    assert state.postpones(Step(_UPSERT, (1, 3))) is True
    assert state.postpones(Step(_EVENT, (1,))) is True
    assert state.postpones(Step(_EVENT, (0,))) is False


def test_what_waits_for_a_contact_lets_upserts_pass():
    """M2: later events and attaches wait too; an upsert runs, because it may create the contact."""
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
def test_only_what_needs_the_missing_contact_waits_with_it(operation):
    """M2: contacts may share a lane; an operation about another contact, or about none, does not wait for the missing one."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (0,)), _WAIT)

    assert state.postpones(Step(operation, (1,))) is False
    assert state.postpones(Step(_EVENT, (1,))) is True


def test_a_detach_waits_only_behind_an_attach():
    """M2, I12: without its contact a detach succeeds, but it must not overtake the attach that it undoes."""
    detach = DetachCompany(who=_WHO, company_id="c1")
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (0,)), _WAIT)
    before = state.postpones(Step(detach, (1,)))
    state.record(Step(_ATTACH, (0,)), _WAIT)

    assert (before, state.postpones(Step(detach, (1,)))) == (False, True)
    assert [_settle(attempt, wait_for=0.0).kind for attempt in attempts] == ["bury", "wait"]


_LEAD = Who(anonymous_id="a1")
_MERGE = MergeContact(lead=_LEAD, user=_WHO)
_CLEARS = UpsertContact(who=_WHO, role="user", fields={}, attributes={"plan": None})
_OF_STRANGER = UpsertContact(who=Who(external_id="u2"), role="user", fields={"phone": None}, attributes={})


@pytest.mark.parametrize(
    ("operation", "waits"),
    [
        (SubmitEvent(who=_LEAD, event_name="Seen", created_at=1, metadata={}), True),
        (UpsertContact(who=_LEAD, role="lead", fields={"name": "Ann"}, attributes={}), True),
        (TagContact(who=_LEAD, name="VIP"), True),
        (SetSubscription(who=_LEAD, subscription="1", is_wanted=True, path="p"), True),
        (AttachCompany(who=_LEAD, company_id="c1"), True),
        (DetachCompany(who=_LEAD, company_id="c1"), True),
        (MergeContact(lead=_LEAD, user=Who(external_id="u2")), True),
        (MergeContact(lead=Who(anonymous_id="a2"), user=_WHO), True),
        (TagContact(who=_WHO, name="VIP", remove=True), True),
        (SetSubscription(who=_WHO, subscription="1", is_wanted=False, path="p"), True),
        (_ATTACH, True),
        (DetachCompany(who=_WHO, company_id="c1"), True),
        (_EVENT, False),
        (_UPSERT, False),
        (_CLEARS, False),
        (TagContact(who=Who(external_id="u2"), name="VIP"), False),
        (MergeContact(lead=Who(anonymous_id="a2"), user=Who(external_id="u2")), False),
        (UpsertCompany(company_id="c1", fields={}, attributes={}), False),
        (TagCompany(company_id="c1", name="VIP"), False),
    ],
)
def test_nothing_that_depends_on_a_waiting_alias_overtakes_it(operation, waits):
    """O1, M2, L1: what was accepted after an alias that waits for its user waits too, except the upsert that may bring the user."""
    state = ClaimState(_attempts(3))
    state.record(Step(_MERGE, (1,)), _WAIT)

    assert state.postpones(Step(operation, (2,))) is waits
    assert state.postpones(Step(operation, (0,))) is False


@pytest.mark.parametrize(("upsert", "kind"), [(_UPSERT, "wait"), (_CLEARS, "wait"), (_OF_STRANGER, "ack")])
def test_the_user_is_written_once_more_after_a_waiting_alias(upsert, kind):
    """O1, L1: a merge fills empty fields, and older values of the lead follow it, so what the user got meanwhile is written again."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_MERGE, (0,)), _WAIT)
    assert state.postpones(Step(upsert, (1,))) is False
    state.record(Step(upsert, (1,)), DELIVERED)

    assert _settle(attempts[1]).kind == kind


def test_what_came_before_a_waiting_alias_is_not_written_again():
    """O1: a message that was accepted before the alias is done, also when its write comes later."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_MERGE, (1,)), _WAIT)
    state.record(Step(_UPSERT, (0,)), DELIVERED)

    assert _settle(attempts[0]).kind == "ack"


def test_an_event_that_waits_for_a_merge_outlives_it():
    """M2: when the merge becomes a dead letter, the event goes to the lead."""
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


def test_each_missing_contact_blocks_its_own_operations():
    """M2: several contacts of one claim may be missing; what came before the first waiting message of a contact continues."""
    other = SubmitEvent(who=Who(external_id="u2"), event_name="Seen", created_at=1, metadata={})
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_EVENT, (2,)), _WAIT)
    state.record(Step(other, (1,)), _WAIT)
    state.record(Step(_EVENT, (1,)), _WAIT)

    postponed = [state.postpones(Step(one, (at,))) for at in (0, 1, 3) for one in (_EVENT, other)]
    assert postponed == [False, False, True, True, True, True]


def test_steps_of_dead_messages_are_left_out():
    """A dead letter sends nothing more."""
    attempts = _attempts(1)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0,)), _DEAD)

    assert state.postpones(Step(_ATTACH, (0,))) is True


def test_a_dead_message_is_buried_with_its_answer():
    """X1: a dead letter keeps Intercom's answer."""
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
def test_the_worst_state_wins(states, expected):
    """A message of several steps ends in the worst state of any of them."""
    attempt = _attempts(1)[0]
    for state in states:
        attempt.end(state)

    assert attempt.state == expected


def test_retries_end():
    """T2: after ``retry_for`` a failing message becomes a dead letter."""
    attempt = _attempts(1)[0]
    attempt.end("retry", _RETRY)

    assert _settle(attempt, now=900.0).reason == "retry_expired"


def test_a_retry_is_due_after_the_back_off():
    """T2: a failed message is due again after the back-off, until ``retry_for`` is over."""
    attempt = _attempts(1)[0]
    attempt.failed = True
    attempt.end("retry", _RETRY)

    settlement = _settle(attempt)
    assert (settlement.kind, settlement.due_at, settlement.failed) == ("retry", 11.0, True)
    assert attempt.delivery(None) is None


@pytest.mark.parametrize(
    ("entry", "options", "kind"),
    [
        ({}, {}, "wait"),
        ({"waiting_since": 0.0}, {"now": 899.0}, "wait"),
        ({"waiting_since": 0.0}, {"now": 900.0}, "bury"),
        ({}, {"inline": True}, "bury"),
        ({}, {"wait_for": 0.0}, "bury"),
    ],
)
def test_waiting_for_a_contact_ends(entry, options, kind):
    """M2: a message waits for a missing contact for a bounded time; an inline caller gets the end at once."""
    attempt = Attempt(_entry(**entry), Translation((_EVENT,)))
    attempt.end("wait", _WAIT)

    settlement = _settle(attempt, **options)

    assert settlement.kind == kind
    assert settlement.reason == "contact_missing"


def test_refused_credentials_release_the_messages():
    """T1: refused credentials do not count as an attempt of any message."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0,)), FlowResult("held", "http_401", 401))
    state.release([Step(_EVENT, (1,))])

    assert state.held is not None
    assert [_settle(attempt).kind for attempt in attempts] == ["release", "release"]
    assert attempts[0].delivery(None) is None


def test_messages_that_follow_a_retried_one_are_written_after_it_again():
    """O1: a merged upsert wrote the newest values; a retry of the older message writes older ones, so the newer must follow."""
    attempts = _attempts(4)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (1, 3)), DELIVERED)
    state.record(Step(_EVENT, (0,)), DELIVERED)
    state.record(Step(_EVENT, (1,)), _RETRY)
    state.release([Step(_EVENT, (2,))])

    assert [_settle(attempt).kind for attempt in attempts] == ["ack", "retry", "release", "release"]


def test_messages_that_follow_a_dead_letter_are_acknowledged():
    """A dead letter is not retried, so nothing has to be written after it."""
    attempts = _attempts(2)
    state = ClaimState(attempts)
    state.record(Step(_UPSERT, (0, 1)), DELIVERED)
    state.record(Step(_EVENT, (0,)), _DEAD)
    state.release([])

    assert [_settle(attempt).kind for attempt in attempts] == ["bury", "ack"]


def test_the_attempts_of_a_step_are_found_by_number():
    """A step names its messages by number."""
    attempts = _attempts(3)

    assert ClaimState(attempts).attempts_of(Step(_EVENT, (0, 2))) == [attempts[0], attempts[2]]
