"""How one claim is delivered: coalesced, run as flows over a transport, settled (rules O1, O2, M)."""

from __future__ import annotations

import contextlib

import pytest

from metarouter_intercom._delivery.circuit import Paused
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.operations import (
    DeleteContact,
    MergeContact,
    SetSubscription,
    TagCompany,
    TagContact,
    Translation,
    Who,
)
from metarouter_intercom.plugins import Note, Response

from .._support.flow_driving import contact, missing, ok, refusal
from .executor_harness import ATTACH, NOW, WHO, Harness, company_of, event_of, upsert

# --- order and merging ----------------------------------------------------------------------------------------


def test_a_claim_is_delivered_in_the_coalesced_order():
    """O2: the contact is written once, then companies, links and events, whatever came first."""
    harness = Harness([contact("c1"), ok({"id": "i1"}), ok({"id": "i1"}), Response(202)])

    kinds = harness.deliver(
        [event_of()], [upsert(name="Ann")], [company_of(name="K"), ATTACH], [upsert(name="Bea")]
    )

    assert kinds == ["ack"] * 4
    assert harness.lines == [
        "POST /contacts",
        "POST /companies",
        "POST /contacts/c1/companies",
        "POST /events",
    ]
    assert harness.transport.requests[0].body["name"] == "Bea"
    assert [attempt.merged for attempt in harness.delivered.attempts] == [False, True, False, False]


def test_the_accepted_order_can_be_kept_exactly():
    """O2: ``merge_across_events=False`` merges only neighbours."""
    harness = Harness([Response(202), contact("c1"), Response(202)], merge_across_events=False)

    kinds = harness.deliver([event_of()], [upsert(name="Ann")], [upsert(name="Bea")], [event_of()])

    assert kinds == ["ack"] * 4
    assert harness.lines == ["POST /events", "POST /contacts", "POST /events"]


def test_a_skipped_message_sends_nothing():
    """R6: a skipped message has nothing to change in Intercom."""
    harness = Harness([])

    assert harness.deliver(Translation((event_of(),), (), "not_selected")) == ["ack"]
    assert harness.lines == []


def test_a_message_is_delivered_when_all_its_operations_are():
    """A message counts as delivered only when all of its operations took effect."""
    harness = Harness([contact("c1"), ok({"id": "i1"}), refusal(500)])

    kinds = harness.deliver([upsert(name="Ann"), company_of(name="K"), ATTACH])

    assert kinds == ["retry"]
    assert harness.delivered.settlements[0].reason == "http_500"


def test_a_failing_company_does_not_undo_the_contact():
    """I12: the contact's own update is written first, and stays."""
    harness = Harness([contact("c1"), refusal(400, "No")])

    kinds = harness.deliver([upsert(name="Ann"), company_of(name="K"), ATTACH], [upsert(name="Bea")])

    assert kinds == ["bury", "ack"]
    assert harness.transport.requests[0].body["name"] == "Bea"
    assert harness.delivered.settlements[0].answer["message"] == "No"


def test_a_retry_blocks_later_messages():
    """O1: later messages of the contact go back untouched, and are delivered after it."""
    harness = Harness([Response(202), refusal(503)])

    kinds = harness.deliver([event_of("A")], [event_of("B")], [event_of("C")])

    assert kinds == ["ack", "retry", "release"]


def test_a_missing_contact_does_not_block_its_upsert():
    """M2: messages that wait never block the upsert that may create the contact."""
    harness = Harness([missing(), contact("c1")], merge_across_events=False)

    kinds = harness.deliver([event_of("A")], [event_of("B")], [upsert(name="Ann")], [event_of("C")])

    assert kinds == ["wait", "wait", "ack", "wait"]
    assert harness.lines == ["POST /events", "POST /contacts"]


# --- a merged write that fails ---------------------------------------------------------------------------


def test_one_bad_message_costs_no_other_its_delivery():
    """O2: a merged write that Intercom refuses is run once more message by message."""

    def answer(request):
        return refusal(400, "No") if request.body["name"] == "Bea" else contact("c1")

    harness = Harness(answer)

    kinds = harness.deliver([upsert(name="Ann")], [upsert(name="Bea")])

    assert kinds == ["ack", "bury"]
    assert [request.body["name"] for request in harness.transport.requests] == ["Bea", "Ann", "Bea"]


def _owner_5_alone(request):
    if (request.body or {}).get("owner_id") not in (None, "5"):
        return refusal(400, "The owner specified is not a member of the workspace")
    return contact("c1")


def test_an_earlier_good_value_is_not_lost_by_a_later_bad_one():
    """O2, M3: if the messages have different values for the refused field, they are written one by one."""
    harness = Harness(_owner_5_alone)

    kinds = harness.deliver([upsert(owner_id=5)], [upsert(owner_id=6, name="Ann")])

    assert kinds == ["ack", "ack"]
    written = [request.body for request in harness.transport.requests if request.method == "PUT"]
    assert [body.get("owner_id") for body in written] == ["5", "6", None]
    assert written[-1]["name"] == "Ann"
    assert [attempt.notes for attempt in harness.delivered.attempts] == [
        [],
        [Note("M3", "owner_id", "Intercom refused this value")],
    ]


@pytest.mark.parametrize("others", [{"owner_id": 6}, {}])
def test_a_bad_value_of_all_messages_costs_no_further_request(others):
    """M3: the same refused value in every message is left out once."""
    harness = Harness(_owner_5_alone)

    kinds = harness.deliver([upsert(**others)], [upsert(owner_id=6)])

    assert kinds == ["ack", "ack"]
    assert harness.lines == ["POST /contacts", "POST /contacts"]


def test_a_refused_attribute_is_compared_among_the_messages_too():
    """O2, M3: custom attributes are compared by their names, as standard fields are."""

    def answer(request):
        value = (request.body.get("custom_attributes") or {}).get("seats")
        return (
            refusal(400, "Custom attribute 'seats' must be of type integer")
            if value == 2.5
            else contact("c1")
        )

    harness = Harness(answer)

    harness.deliver([upsert({"seats": 2})], [upsert({"seats": 2.5})])

    written = [request.body.get("custom_attributes") for request in harness.transport.requests]
    assert written == [{"seats": 2.5}, None, {"seats": 2}, {"seats": 2.5}, None]


@pytest.mark.parametrize(
    "operation",
    [
        MergeContact(lead=Who(contact_id="c5"), user=Who(contact_id="c1")),
        TagCompany(company_id="k1", name="VIP"),
        TagContact(who=Who(contact_id="c1"), name="VIP"),
        SetSubscription(who=Who(contact_id="c1"), subscription="91", is_wanted=True, path="p"),
        company_of(name="K"),
    ],
)
def test_every_kind_of_merged_operation_is_run_one_by_one(operation):
    """O2: each message runs its own operation and ends by its own answer."""
    harness = Harness(lambda request: refusal(400, "No"))

    assert harness.deliver([operation], [operation]) == ["bury", "bury"]
    assert len(harness.lines) == 3


def test_a_tag_that_is_refused_is_tried_message_by_message():
    """O2, I13: when the last of several choices about one tag is refused, each message makes its own choice, and no other tag is sent again."""
    who = Who(contact_id="c1")

    def answer(request):
        if request.method == "DELETE":
            return refusal(400, "No")
        return ok({"type": "tag", "id": "7", "name": "VIP", "data": [{"id": "7", "name": "VIP"}]})

    harness = Harness(answer)
    added = [TagContact(who=who, name="VIP"), TagContact(who=who, name="Old")]
    removed = [TagContact(who=who, name="vip", remove=True)]

    assert harness.deliver(added, removed) == ["ack", "bury"]
    assert harness.lines.count("POST /contacts/c1/tags") == 2


# --- leases and single operations -----------------------------------------------------------------------------


def test_a_lost_lease_ends_the_delivery():
    """Q3: after the lease is lost, another worker delivers the rest."""
    answers = iter([True, False])
    harness = Harness([Response(202)])

    assert harness.deliver([event_of("A")], [event_of("B")], is_ours=lambda: next(answers)) == [
        "ack",
        "release",
    ]


def test_an_operation_can_be_run_at_once():
    """D1: the caller waits for the result."""
    harness = Harness([ok({"id": "c1", "deleted": True})])
    harness.cache.remember_contact("user:u1", "c1")

    assert harness.executor.run(DeleteContact(who=WHO)) == DELIVERED


def test_an_operation_cannot_be_run_while_credentials_are_held():
    """T1: the caller gets ``Paused`` at once."""
    harness = Harness([])
    harness.circuit.hold("http_401", NOW)

    with pytest.raises(Paused):
        harness.executor.run(DeleteContact(who=Who(contact_id="c1")))


@pytest.mark.parametrize(("seq", "is_known"), [(1, True), (-1, False)])
def test_the_order_of_acceptance_is_passed_on_if_it_is_known(seq, is_known):
    """O1: a seq below 0 means that the buffer knows no order, so no message is later than another."""
    harness = Harness(lambda request: ok({"id": "i1"}))
    claim = harness.claim([company_of(name="K")])
    claim = claim._replace(entries=(claim.entries[0]._replace(seq=seq),))

    harness.executor.deliver(claim)

    assert harness.cache.superseded("k1", {"name": 0}) == ({"name"} if is_known else frozenset())


def test_a_company_that_contacts_share_is_written_by_one_worker_at_a_time():
    """O1: the write of a shared company holds that company's lock."""
    log = []

    @contextlib.contextmanager
    def lock_of(name):
        log.append(f"begin {name}")
        yield
        log.append(f"end {name}")

    def answer(request):
        log.append(request.path)
        return ok({"id": "i1"})

    Harness(answer, lock_of=lock_of).deliver([company_of(name="K")])

    assert log == ["begin company:k1", "/companies", "end company:k1"]
