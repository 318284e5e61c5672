"""One claim on its way: plan and flows over a transport, and what becomes of each message (rules O1, O2, M, T1, T2)."""

from __future__ import annotations

import contextlib

import pytest

from metarouter_intercom._delivery.circuit import Circuit, Paused
from metarouter_intercom._delivery.executor import Executor
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.errors import ConnectFailed, ReadFailed
from metarouter_intercom.operations import (
    AttachCompany,
    DeleteContact,
    MergeContact,
    SubmitEvent,
    TagCompany,
    Translation,
    UpsertCompany,
    UpsertContact,
    Who,
)
from metarouter_intercom.plugins import Claim, Entry, Note, Response
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.flow_driving import contact, make_cache, missing, ok, refusal

_WHO = Who(external_id="u1")
_NOW = 10_000.0


def _upsert(attributes=None, who=_WHO, **fields):
    return UpsertContact(who=who, role="user", fields=fields, attributes=attributes or {})


def _event(name="Seen", who=_WHO):
    return SubmitEvent(who=who, event_name=name, created_at=5, metadata={})


def _company(**fields):
    return UpsertCompany(company_id="k1", fields=fields, attributes={})


_ATTACH = AttachCompany(who=_WHO, company_id="k1")


class Desk:
    """A courier over a scripted transport, with claims made of operations."""

    def __init__(self, script, *, cache=None, turn=contextlib.nullcontext, remembered=10, **settings):
        self.transport = ScriptedTransport(script)
        self.clock = FakeClock(_NOW)
        self.cache = cache or make_cache()
        self.pauses = []
        self.circuit = Circuit(
            RateLimit(share=1.0),
            lock=contextlib.nullcontext(),
            jitter=lambda: 0.0,
            probe_every=60.0,
            base=0.5,
            longest=60.0,
        )
        self.translations = {}
        self.executor = Executor(
            Settings(api_key="key", **settings),
            translator=lambda message: self.translations[message.message_id],
            cache=self.cache,
            transport=self.transport,
            circuit=self.circuit,
            clock=self.clock,
            pause=self._pause,
            jitter=lambda: 0.5,
            turn=turn,
            remembered=remembered,
        )

    def _pause(self, seconds):
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def claim(self, *messages, **facts):
        """Return a claim of messages, each given as its operations."""
        known = {"accepted_at": _NOW, "attempts": 0, "failures": 0, "waiting_since": None}
        entries = []
        for seq, operations in enumerate(messages, start=1):
            name = f"m{seq}"
            self.translations[name] = (
                operations if isinstance(operations, Translation) else Translation(tuple(operations))
            )
            message = {
                "type": "track",
                "event": "Seen",
                "userId": "u1",
                "messageId": name,
                "timestamp": 1.0,
            }
            entries.append(Entry(seq=seq, message=message, **known | facts))
        return Claim(1, tuple(entries))

    def deliver(self, *messages, probe=False, renew=None, **facts):
        """Deliver the messages and return the kinds of their settlements."""
        self.done = self.executor.deliver(self.claim(*messages, **facts), probe=probe, renew=renew)
        return [settlement.kind for settlement in self.done.settlements]

    @property
    def lines(self):
        """The requests so far."""
        return [f"{request.method} {request.path}" for request in self.transport.requests]


# --- order and merging ----------------------------------------------------------------------------------------


def test_a_claim_is_delivered_in_the_order_of_the_plan():
    """O2: one write of the contact, then companies, links and events, whatever came first."""
    desk = Desk([contact("c1"), ok({"id": "i1"}), ok(), Response(202)])

    kinds = desk.deliver(
        [_event()], [_upsert(name="Ann")], [_company(name="K"), _ATTACH], [_upsert(name="Bea")]
    )

    assert kinds == ["ack"] * 4
    assert desk.lines == ["POST /contacts", "POST /companies", "POST /contacts/c1/companies", "POST /events"]
    assert desk.transport.requests[0].body["name"] == "Bea"
    assert [attempt.merged for attempt in desk.done.attempts] == [False, True, False, False]


def test_the_accepted_order_can_be_kept_to_the_letter():
    """O2: ``merge_across_events=False`` merges only neighbours."""
    desk = Desk([Response(202), contact("c1"), Response(202)], merge_across_events=False)

    kinds = desk.deliver([_event()], [_upsert(name="Ann")], [_upsert(name="Bea")], [_event()])

    assert kinds == ["ack"] * 4
    assert desk.lines == ["POST /events", "POST /contacts", "POST /events"]


def test_a_skipped_message_sends_nothing():
    """R6: it has nothing to do in Intercom."""
    desk = Desk([])

    assert desk.deliver(Translation((_event(),), (), "not_selected")) == ["ack"]
    assert desk.lines == []


def test_a_message_is_delivered_when_all_its_operations_are():
    """A message counts as delivered only when everything it says took effect."""
    desk = Desk([contact("c1"), ok({"id": "i1"}), refusal(500)])

    kinds = desk.deliver([_upsert(name="Ann"), _company(name="K"), _ATTACH])

    assert kinds == ["retry"]
    assert desk.done.settlements[0].reason == "http_500"


def test_a_failing_company_does_not_undo_the_contact():
    """I12: the contact's own update is written before, and stays."""
    desk = Desk([contact("c1"), refusal(400, "No")])

    kinds = desk.deliver([_upsert(name="Ann"), _company(name="K"), _ATTACH], [_upsert(name="Bea")])

    assert kinds == ["bury", "ack"]
    assert desk.transport.requests[0].body["name"] == "Bea"
    assert desk.done.settlements[0].answer["message"] == "No"


def test_a_retry_holds_back_what_came_after():
    """O1: later messages of the contact go back untouched, and follow again."""
    desk = Desk([Response(202), refusal(503)])

    kinds = desk.deliver([_event("A")], [_event("B")], [_event("C")])

    assert kinds == ["ack", "retry", "release"]


def test_a_missing_contact_lets_its_upsert_pass():
    """M2: what waits never holds back what may bring the contact."""
    desk = Desk([missing(), contact("c1")], merge_across_events=False)

    kinds = desk.deliver([_event("A")], [_event("B")], [_upsert(name="Ann")], [_event("C")])

    assert kinds == ["wait", "wait", "ack", "wait"]
    assert desk.lines == ["POST /events", "POST /contacts"]


# --- a merged write that goes wrong ---------------------------------------------------------------------------


def test_one_bad_message_costs_no_other_its_delivery():
    """O2: a merged write that ends is run once more message by message."""

    def answer(request):
        return refusal(400, "No") if request.body["name"] == "Bea" else contact("c1")

    desk = Desk(answer)

    kinds = desk.deliver([_upsert(name="Ann")], [_upsert(name="Bea")])

    assert kinds == ["ack", "bury"]
    assert [request.body["name"] for request in desk.transport.requests] == ["Bea", "Ann", "Bea"]


def _owner_5_alone(request):
    if (request.body or {}).get("owner_id") not in (None, "5"):
        return refusal(400, "The owner specified is not a member of the workspace")
    return contact("c1")


def test_an_earlier_good_value_is_not_lost_by_a_later_bad_one():
    """O2, M3: where the messages do not agree on the refused field they are written one by one."""
    desk = Desk(_owner_5_alone)

    kinds = desk.deliver([_upsert(owner_id=5)], [_upsert(owner_id=6, name="Ann")])

    assert kinds == ["ack", "ack"]
    written = [request.body for request in desk.transport.requests if request.method == "PUT"]
    assert [body.get("owner_id") for body in written] == ["5", "6", None]
    assert written[-1]["name"] == "Ann"
    assert [attempt.notes for attempt in desk.done.attempts] == [
        [],
        [Note("M3", "owner_id", "Intercom refused this value")],
    ]


@pytest.mark.parametrize("others", [{"owner_id": 6}, {}])
def test_a_bad_value_that_all_agree_on_costs_nothing_more(others):
    """M3: the same refused value in every message is left out once."""
    desk = Desk(_owner_5_alone)

    kinds = desk.deliver([_upsert(**others)], [_upsert(owner_id=6)])

    assert kinds == ["ack", "ack"]
    assert desk.lines == ["POST /contacts", "POST /contacts"]


def test_a_refused_attribute_is_compared_among_the_messages_too():
    """O2, M3: by its name among the attributes."""

    def answer(request):
        value = (request.body.get("custom_attributes") or {}).get("seats")
        return (
            refusal(400, "Custom attribute 'seats' must be of type integer")
            if value == 2.5
            else contact("c1")
        )

    desk = Desk(answer)

    desk.deliver([_upsert({"seats": 2})], [_upsert({"seats": 2.5})])

    written = [request.body.get("custom_attributes") for request in desk.transport.requests]
    assert written == [{"seats": 2.5}, None, {"seats": 2}, {"seats": 2.5}, None]


@pytest.mark.parametrize(
    "operation",
    [
        MergeContact(lead=Who(contact_id="c5"), user=Who(contact_id="c1")),
        TagCompany(company_id="k1", name="VIP"),
        _company(name="K"),
    ],
)
def test_whatever_was_merged_comes_apart(operation):
    """O2: each message tries its own, and ends by its own answer."""
    desk = Desk(lambda request: refusal(400, "No"))

    assert desk.deliver([operation], [operation]) == ["bury", "bury"]
    assert len(desk.lines) == 3


# --- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"), [(ConnectFailed("no"), "connect_failed"), (ReadFailed("no"), "read_failed")]
)
def test_no_answer_is_retried(error, reason):
    """T1: never sent or may have been applied, it comes again, due after the back-off."""
    desk = Desk([error])

    assert desk.deliver([_event()]) == ["retry"]
    settlement = desk.done.settlements[0]
    assert (settlement.reason, settlement.due_at, settlement.failed) == (reason, _NOW + 0.25, False)


@pytest.mark.parametrize("attempts", [0, 1, 3, 30])
def test_the_back_off_grows(attempts):
    """T2: exponential with full jitter."""
    desk = Desk([refusal(500)])
    desk.deliver([_event()], attempts=attempts)

    assert desk.done.settlements[0].due_at == _NOW + 0.5 * min(60.0, 0.5 * 2**attempts)


def test_retries_end():
    """T2: after ``retry_for`` the message is a dead letter with the last answer."""
    desk = Desk([refusal(503)], retry_for=60)

    assert desk.deliver([_event()], accepted_at=_NOW - 60) == ["bury"]
    assert desk.done.settlements[0].reason == "retry_expired"
    assert desk.done.settlements[0].answer["status"] == 503


@pytest.mark.parametrize("body", ["<html>Sign in to this network</html>", '{"type":"contact","id":"c', "OK"])
def test_a_success_that_is_no_json_is_none(body):
    """T1: a proxy's page, or an answer that breaks off: it may have been applied, so it comes again."""
    desk = Desk([Response(200, body)])

    assert desk.deliver([_upsert(name="Ann")]) == ["retry"]
    assert desk.done.settlements[0].reason == "read_failed"
    assert desk.cache.contact_id("user:u1") is None


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_a_success_without_a_body_is_one(body):
    """Contract, section 5: events are answered so."""
    assert Desk([Response(202, body)]).deliver([_event()]) == ["ack"]


def test_refused_credentials_hold_everything():
    """T1: nothing is lost and no attempt is counted."""
    desk = Desk([Response(202), refusal(401, "Access Token Invalid", code="unauthorized")])

    kinds = desk.deliver([_event("A")], [_event("B")], [_event("C")])

    assert kinds == ["ack", "release", "release"]
    assert (desk.done.held.status, desk.done.held.code) == (401, "unauthorized")


def test_a_translator_that_raises_costs_its_own_message():
    """P3: a replaced translator may be wrong about one message."""
    desk = Desk([Response(202)])
    claim = desk.claim([_event()], [_event()])
    del desk.translations["m1"]

    done = desk.executor.deliver(claim)

    assert [(one.kind, one.reason) for one in done.settlements] == [
        ("bury", "translator_failed"),
        ("ack", None),
    ]


def test_a_message_that_cannot_be_read_costs_no_other():
    """A spool may hold what another version wrote."""
    desk = Desk([Response(202)])
    claim = desk.claim([_event()], [_event()])
    first, second = claim.entries
    broken = first._replace(message={"type": "whatever", "messageId": "m1", "userId": "u1"})

    done = desk.executor.deliver(claim._replace(entries=(broken, second)))

    assert [one.kind for one in done.settlements] == ["bury", "ack"]


# --- poison ---------------------------------------------------------------------------------------------------


def _bad_bea(request):
    return refusal(500) if (request.body or {}).get("name") == "Bea" else contact("c1")


def test_a_500_while_others_pass_counts_against_the_message():
    """T2: one and the same item fails while others do not."""
    desk = Desk(_bad_bea)
    desk.circuit.answered(Response(200), _NOW)

    assert desk.deliver([_upsert(name="Bea")]) == ["retry"]
    assert desk.done.settlements[0].failed is True


def test_a_500_while_nothing_passes_does_not_count():
    """T2: an outage makes no message poison."""
    desk = Desk(_bad_bea)

    desk.deliver([_upsert(name="Bea")])

    assert desk.done.settlements[0].failed is False


def test_the_tenth_500_ends_the_message():
    """T2: poison is a dead letter; the ninth is not."""
    ninth, tenth = Desk(_bad_bea), Desk(_bad_bea)
    for desk in (ninth, tenth):
        desk.circuit.answered(Response(200), _NOW)

    assert ninth.deliver([_upsert(name="Bea")], failures=8) == ["retry"]
    assert tenth.deliver([_upsert(name="Bea")], failures=9) == ["bury"]
    assert tenth.done.settlements[0].reason == "poison"


def test_a_poisoned_message_at_the_begin_of_a_merged_write_ends_alone():
    """T2: the message by message run belongs to the same attempt; the message behind it goes on."""
    desk = Desk(_bad_bea)
    desk.circuit.answered(Response(200), _NOW)

    kinds = desk.deliver([_upsert(name="Bea", phone="1")], [_upsert(phone="2")], failures=9)

    assert kinds == ["bury", "ack"]


def test_a_merged_write_is_poisoned_when_all_its_messages_are():
    """T2: a message that has just come along is not given up with the others."""
    desk = Desk(_bad_bea)
    desk.circuit.answered(Response(200), _NOW)
    claim = desk.claim([_upsert(name="Bea")], [_upsert(phone="2")])
    claim = claim._replace(entries=(claim.entries[0]._replace(failures=9), claim.entries[1]))

    done = desk.executor.deliver(claim)

    assert [one.kind for one in done.settlements] == ["retry", "retry"]


@pytest.mark.parametrize(("remembered", "is_counted_again"), [(2, False), (1, True)])
def test_the_memory_of_failing_messages_is_bounded(remembered, is_counted_again):
    """T2: whether others passed since a failure is forgotten of the oldest first."""
    desk = Desk(_bad_bea, remembered=remembered)
    desk.circuit.answered(Response(200), _NOW)
    one, other = desk.claim([_upsert(name="Bea")], [_upsert(name="Bea")]).entries
    for entry in (one, other):
        desk.executor.deliver(Claim(1, (entry,)))

    again = desk.executor.deliver(Claim(1, (one,)))

    assert again.settlements[0].failed is is_counted_again


# --- the gate -------------------------------------------------------------------------------------------------


def test_a_429_is_waited_out_and_the_request_sent_again():
    """T4: everyone waits until the reset; the message has made no attempt."""
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10005"}
    desk = Desk([Response(429, None, headers), Response(202)])

    assert desk.deliver([_event()]) == ["ack"]
    assert desk.pauses == [5.0]


def test_429s_without_an_end_put_the_message_off():
    """T4: after some repeats the claim goes back, so that a lane is not held by one worker for ever."""
    desk = Desk(lambda request: Response(429))

    assert desk.deliver([_event()]) == ["retry"]
    assert desk.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_gate_that_shuts_gives_the_rest_back():
    """T5: what is in hand goes back untouched, and a write that was broken off leaves no fingerprint."""
    cache = make_cache()
    cache.remember_contact("user:u1", "c1")
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=_NOW)
    desk = Desk([], cache=cache)
    desk.circuit.hold("http_401", _NOW)

    assert desk.deliver([_upsert(name="Bea")], [_event()]) == ["release", "release"]
    assert cache.was_written("contact", "c1", {"name": "Ann"}, now=_NOW, within=60) is False


def test_a_probe_passes_the_gate_and_opens_it():
    """T1: the credentials were mended; what follows is delivered too."""
    desk = Desk([Response(202), Response(202)])
    desk.circuit.hold("http_401", _NOW)

    assert desk.deliver([_event("A")], [_event("B")], probe=True) == ["ack", "ack"]
    assert desk.circuit.state == "passing"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (missing(), "passing"),
        (refusal(400), "passing"),
        (refusal(401), "held"),
        (refusal(403), "held"),
        (refusal(500), "held"),
    ],
)
def test_what_a_probe_shows(answer, state):
    """T1: any verdict on the message shows that the credentials are good; a failure shows nothing."""
    desk = Desk([answer])
    desk.circuit.hold("http_401", _NOW)

    desk.deliver([_event()], probe=True)

    assert desk.circuit.state == state


@pytest.mark.parametrize("case", ["unchanged", "refused name"])
def test_a_probe_that_sends_nothing_shows_nothing(case):
    """T1: what needed no request says nothing of the credentials."""
    desk = Desk([])
    desk.cache.remember_contact("user:u1", "c1")
    desk.cache.remember_written(
        "contact", "c1", {"role": "user", "external_id": "u1", "name": "Ann"}, now=_NOW
    )
    desk.cache.refuse("event", "seen", _NOW)
    desk.circuit.hold("http_401", _NOW)

    desk.deliver([_upsert(name="Ann") if case == "unchanged" else _event()], probe=True)

    assert desk.circuit.state == "held"


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyboardInterrupt()])
def test_a_transport_that_raises_something_else_leaves_no_request_on_its_way(error):
    """T4: what ended is not counted as under way, or the budget would shrink with each one."""
    desk = Desk(lambda request: error)
    for _ in range(6):
        with pytest.raises(type(error)):
            desk.executor.deliver(desk.claim([_event()]))

    assert desk.circuit.wait_before_send(_NOW, probe=False) == 0.0


# --- leases and single operations -----------------------------------------------------------------------------


def test_a_lost_lease_ends_the_delivery():
    """Q3: the rest belongs to somebody else."""
    answers = iter([True, False])
    desk = Desk([Response(202)])

    assert desk.deliver([_event("A")], [_event("B")], renew=lambda: next(answers)) == ["ack", "release"]


def test_an_operation_can_be_run_at_once():
    """D1: the caller waits for its outcome."""
    desk = Desk([ok()])
    desk.cache.remember_contact("user:u1", "c1")

    assert desk.executor.run(DeleteContact(who=_WHO)) == DELIVERED


def test_an_operation_cannot_be_run_while_the_gate_is_shut():
    """T1: the caller is told."""
    desk = Desk([])
    desk.circuit.hold("http_401", _NOW)

    with pytest.raises(Paused):
        desk.executor.run(DeleteContact(who=Who(contact_id="c1")))


@pytest.mark.parametrize(("seq", "is_known"), [(1, True), (-1, False)])
def test_the_order_of_acceptance_is_told_where_it_is_known(seq, is_known):
    """O1: below 0 the buffer has no one order, so no message can be later than another."""
    desk = Desk(lambda request: ok({"id": "i1"}))
    claim = desk.claim([_company(name="K")])
    claim = claim._replace(entries=(claim.entries[0]._replace(seq=seq),))

    desk.executor.deliver(claim)

    assert desk.cache.superseded("k1", {"name": 0}) == ({"name"} if is_known else frozenset())


def test_one_write_at_a_time_where_contacts_share_a_company():
    """O1: the write of a shared company is made under its turn."""
    log = []

    @contextlib.contextmanager
    def turn(name):
        log.append(f"begin {name}")
        yield
        log.append(f"end {name}")

    def answer(request):
        log.append(request.path)
        return ok({"id": "i1"})

    Desk(answer, turn=turn).deliver([_company(name="K")])

    assert log == ["begin company:k1", "/companies", "end company:k1"]
