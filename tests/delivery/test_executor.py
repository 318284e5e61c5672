"""How one claim is delivered: coalesced, run as flows over a transport, settled (rules O1, O2, M, T1, T2)."""

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

from .._support.flow_driving import contact, make_directory, missing, ok, refusal

_WHO = Who(external_id="u1")
_NOW = 10_000.0


def _upsert(attributes=None, who=_WHO, **fields):
    return UpsertContact(who=who, role="user", fields=fields, attributes=attributes or {})


def _event(name="Seen", who=_WHO):
    return SubmitEvent(who=who, event_name=name, created_at=5, metadata={})


def _company(**fields):
    return UpsertCompany(company_id="k1", fields=fields, attributes={})


_ATTACH = AttachCompany(who=_WHO, company_id="k1")


class Harness:
    """An executor over a scripted transport, with claims made of operations."""

    def __init__(self, script, *, cache=None, lock_of=contextlib.nullcontext, remembered=10, **settings):
        self.transport = ScriptedTransport(script)
        self.clock = FakeClock(_NOW)
        self.cache = cache or make_directory()
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
            lock_of=lock_of,
            remembered=remembered,
        )

    def _pause(self, seconds):
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def claim(self, *messages, **entry):
        """Return a claim of messages; each argument holds the operations of one message."""
        defaults = {"accepted_at": _NOW, "attempts": 0, "failures": 0, "waiting_since": None}
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
            entries.append(Entry(seq=seq, message=message, **defaults | entry))
        return Claim(1, tuple(entries))

    def deliver(self, *messages, probe=False, renew=None, **entry):
        """Deliver the messages and return the kinds of their settlements."""
        self.delivered = self.executor.deliver(self.claim(*messages, **entry), probe=probe, renew=renew)
        return [settlement.kind for settlement in self.delivered.settlements]

    @property
    def lines(self):
        """The requests so far."""
        return [f"{request.method} {request.path}" for request in self.transport.requests]


# --- order and merging ----------------------------------------------------------------------------------------


def test_a_claim_is_delivered_in_the_coalesced_order():
    """O2: the contact is written once, then companies, links and events, whatever came first."""
    harness = Harness([contact("c1"), ok({"id": "i1"}), ok(), Response(202)])

    kinds = harness.deliver(
        [_event()], [_upsert(name="Ann")], [_company(name="K"), _ATTACH], [_upsert(name="Bea")]
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

    kinds = harness.deliver([_event()], [_upsert(name="Ann")], [_upsert(name="Bea")], [_event()])

    assert kinds == ["ack"] * 4
    assert harness.lines == ["POST /events", "POST /contacts", "POST /events"]


def test_a_skipped_message_sends_nothing():
    """R6: a skipped message has nothing to change in Intercom."""
    harness = Harness([])

    assert harness.deliver(Translation((_event(),), (), "not_selected")) == ["ack"]
    assert harness.lines == []


def test_a_message_is_delivered_when_all_its_operations_are():
    """A message counts as delivered only when all of its operations took effect."""
    harness = Harness([contact("c1"), ok({"id": "i1"}), refusal(500)])

    kinds = harness.deliver([_upsert(name="Ann"), _company(name="K"), _ATTACH])

    assert kinds == ["retry"]
    assert harness.delivered.settlements[0].reason == "http_500"


def test_a_failing_company_does_not_undo_the_contact():
    """I12: the contact's own update is written first, and stays."""
    harness = Harness([contact("c1"), refusal(400, "No")])

    kinds = harness.deliver([_upsert(name="Ann"), _company(name="K"), _ATTACH], [_upsert(name="Bea")])

    assert kinds == ["bury", "ack"]
    assert harness.transport.requests[0].body["name"] == "Bea"
    assert harness.delivered.settlements[0].answer["message"] == "No"


def test_a_retry_blocks_later_messages():
    """O1: later messages of the contact go back untouched, and are delivered after it."""
    harness = Harness([Response(202), refusal(503)])

    kinds = harness.deliver([_event("A")], [_event("B")], [_event("C")])

    assert kinds == ["ack", "retry", "release"]


def test_a_missing_contact_does_not_block_its_upsert():
    """M2: messages that wait never block the upsert that may create the contact."""
    harness = Harness([missing(), contact("c1")], merge_across_events=False)

    kinds = harness.deliver([_event("A")], [_event("B")], [_upsert(name="Ann")], [_event("C")])

    assert kinds == ["wait", "wait", "ack", "wait"]
    assert harness.lines == ["POST /events", "POST /contacts"]


# --- a merged write that fails ---------------------------------------------------------------------------


def test_one_bad_message_costs_no_other_its_delivery():
    """O2: a merged write that Intercom refuses is run once more message by message."""

    def answer(request):
        return refusal(400, "No") if request.body["name"] == "Bea" else contact("c1")

    harness = Harness(answer)

    kinds = harness.deliver([_upsert(name="Ann")], [_upsert(name="Bea")])

    assert kinds == ["ack", "bury"]
    assert [request.body["name"] for request in harness.transport.requests] == ["Bea", "Ann", "Bea"]


def _owner_5_alone(request):
    if (request.body or {}).get("owner_id") not in (None, "5"):
        return refusal(400, "The owner specified is not a member of the workspace")
    return contact("c1")


def test_an_earlier_good_value_is_not_lost_by_a_later_bad_one():
    """O2, M3: if the messages have different values for the refused field, they are written one by one."""
    harness = Harness(_owner_5_alone)

    kinds = harness.deliver([_upsert(owner_id=5)], [_upsert(owner_id=6, name="Ann")])

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

    kinds = harness.deliver([_upsert(**others)], [_upsert(owner_id=6)])

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

    harness.deliver([_upsert({"seats": 2})], [_upsert({"seats": 2.5})])

    written = [request.body.get("custom_attributes") for request in harness.transport.requests]
    assert written == [{"seats": 2.5}, None, {"seats": 2}, {"seats": 2.5}, None]


@pytest.mark.parametrize(
    "operation",
    [
        MergeContact(lead=Who(contact_id="c5"), user=Who(contact_id="c1")),
        TagCompany(company_id="k1", name="VIP"),
        _company(name="K"),
    ],
)
def test_every_kind_of_merged_operation_is_run_one_by_one(operation):
    """O2: each message runs its own operation and ends by its own answer."""
    harness = Harness(lambda request: refusal(400, "No"))

    assert harness.deliver([operation], [operation]) == ["bury", "bury"]
    assert len(harness.lines) == 3


# --- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"), [(ConnectFailed("no"), "connect_failed"), (ReadFailed("no"), "read_failed")]
)
def test_no_answer_is_retried(error, reason):
    """T1: whether the request was never sent or may have been applied, it is retried after the back-off."""
    harness = Harness([error])

    assert harness.deliver([_event()]) == ["retry"]
    settlement = harness.delivered.settlements[0]
    assert (settlement.reason, settlement.due_at, settlement.failed) == (reason, _NOW + 0.25, False)


@pytest.mark.parametrize("attempts", [0, 1, 3, 30])
def test_the_back_off_grows(attempts):
    """T2: the back-off is exponential with full jitter."""
    harness = Harness([refusal(500)])
    harness.deliver([_event()], attempts=attempts)

    assert harness.delivered.settlements[0].due_at == _NOW + 0.5 * min(60.0, 0.5 * 2**attempts)


def test_retries_end():
    """T2: after ``retry_for`` the message is a dead letter with the last answer."""
    harness = Harness([refusal(503)], retry_for=60)

    assert harness.deliver([_event()], accepted_at=_NOW - 60) == ["bury"]
    assert harness.delivered.settlements[0].reason == "retry_expired"
    assert harness.delivered.settlements[0].answer["status"] == 503


@pytest.mark.parametrize("body", ["<html>Sign in to this network</html>", '{"type":"contact","id":"c', "OK"])
def test_a_success_that_is_no_json_is_retried(body):
    """T1: after a proxy's page, or an answer that was cut short, the request may or may not have been applied."""
    harness = Harness([Response(200, body)])

    assert harness.deliver([_upsert(name="Ann")]) == ["retry"]
    assert harness.delivered.settlements[0].reason == "read_failed"
    assert harness.cache.contact_id("user:u1") is None


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_a_success_without_a_body_is_a_success(body):
    """Contract, section 5: Intercom answers events without a body."""
    assert Harness([Response(202, body)]).deliver([_event()]) == ["ack"]


def test_refused_credentials_hold_everything():
    """T1: refused credentials lose no message and count no attempt."""
    harness = Harness([Response(202), refusal(401, "Access Token Invalid", code="unauthorized")])

    kinds = harness.deliver([_event("A")], [_event("B")], [_event("C")])

    assert kinds == ["ack", "release", "release"]
    assert (harness.delivered.held.status, harness.delivered.held.code) == (401, "unauthorized")


def test_a_translator_that_raises_costs_its_own_message():
    """P3: a replaced translator may fail for one message; the others are delivered."""
    harness = Harness([Response(202)])
    claim = harness.claim([_event()], [_event()])
    del harness.translations["m1"]

    done = harness.executor.deliver(claim)

    assert [(one.kind, one.reason) for one in done.settlements] == [
        ("bury", "translator_failed"),
        ("ack", None),
    ]


def test_a_message_that_cannot_be_read_costs_no_other():
    """A spool may hold messages that another version wrote."""
    harness = Harness([Response(202)])
    claim = harness.claim([_event()], [_event()])
    first, second = claim.entries
    broken = first._replace(message={"type": "whatever", "messageId": "m1", "userId": "u1"})

    done = harness.executor.deliver(claim._replace(entries=(broken, second)))

    assert [one.kind for one in done.settlements] == ["bury", "ack"]


# --- poison ---------------------------------------------------------------------------------------------------


def _bad_bea(request):
    return refusal(500) if (request.body or {}).get("name") == "Bea" else contact("c1")


def test_a_500_while_others_pass_counts_against_the_message():
    """T2: it counts towards poison if one message fails while other requests succeed."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), _NOW)

    assert harness.deliver([_upsert(name="Bea")]) == ["retry"]
    assert harness.delivered.settlements[0].failed is True


def test_a_500_while_nothing_passes_does_not_count():
    """T2: an outage makes no message poison."""
    harness = Harness(_bad_bea)

    harness.deliver([_upsert(name="Bea")])

    assert harness.delivered.settlements[0].failed is False


def test_the_tenth_500_ends_the_message():
    """T2: the tenth failure makes a message a dead letter, the ninth does not."""
    ninth, tenth = Harness(_bad_bea), Harness(_bad_bea)
    for harness in (ninth, tenth):
        harness.circuit.answered(Response(200), _NOW)

    assert ninth.deliver([_upsert(name="Bea")], failures=8) == ["retry"]
    assert tenth.deliver([_upsert(name="Bea")], failures=9) == ["bury"]
    assert tenth.delivered.settlements[0].reason == "poison"


def test_a_poisoned_first_message_of_a_merged_write_ends_alone():
    """T2: running it message by message belongs to the same attempt; the later message is delivered."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), _NOW)

    kinds = harness.deliver([_upsert(name="Bea", phone="1")], [_upsert(phone="2")], failures=9)

    assert kinds == ["bury", "ack"]


def test_a_merged_write_is_poisoned_only_when_all_its_messages_are():
    """T2: a message that is new in the merged write does not become a dead letter with the others."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), _NOW)
    claim = harness.claim([_upsert(name="Bea")], [_upsert(phone="2")])
    claim = claim._replace(entries=(claim.entries[0]._replace(failures=9), claim.entries[1]))

    done = harness.executor.deliver(claim)

    assert [one.kind for one in done.settlements] == ["retry", "retry"]


@pytest.mark.parametrize(("remembered", "is_counted_again"), [(2, False), (1, True)])
def test_the_memory_of_failing_messages_is_bounded(remembered, is_counted_again):
    """T2: the oldest failures are forgotten first."""
    harness = Harness(_bad_bea, remembered=remembered)
    harness.circuit.answered(Response(200), _NOW)
    one, other = harness.claim([_upsert(name="Bea")], [_upsert(name="Bea")]).entries
    for entry in (one, other):
        harness.executor.deliver(Claim(1, (entry,)))

    again = harness.executor.deliver(Claim(1, (one,)))

    assert again.settlements[0].failed is is_counted_again


# --- the circuit ----------------------------------------------------------------------------------------------


def test_after_a_429_the_request_waits_and_is_sent_again():
    """T4: everyone waits until the reset; that does not count as an attempt."""
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10005"}
    harness = Harness([Response(429, None, headers), Response(202)])

    assert harness.deliver([_event()]) == ["ack"]
    assert harness.pauses == [5.0]


def test_endless_429s_delay_the_message():
    """T4: after some repeats the claim goes back, so that one worker does not keep the lane for ever."""
    harness = Harness(lambda request: Response(429))

    assert harness.deliver([_event()]) == ["retry"]
    assert harness.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_circuit_that_stops_passing_releases_the_rest():
    """T5: messages in hand go back untouched, and a write that was not finished leaves no fingerprint."""
    cache = make_directory()
    cache.remember_contact("user:u1", "c1")
    cache.add_facts("contact", "c1", {"name": "Ann"}, _NOW)
    harness = Harness([], cache=cache)
    harness.circuit.hold("http_401", _NOW)

    assert harness.deliver([_upsert(name="Bea")], [_event()]) == ["release", "release"]
    assert cache.knows("contact", "c1", {"name": "Ann"}, now=_NOW, within=60) is False


def test_a_probe_goes_through_a_held_circuit_and_releases_it():
    """T1: the credentials work again, so the rest of the claim is delivered too."""
    harness = Harness([Response(202), Response(202)])
    harness.circuit.hold("http_401", _NOW)

    assert harness.deliver([_event("A")], [_event("B")], probe=True) == ["ack", "ack"]
    assert harness.circuit.state == "passing"


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
    """T1: any answer about the message shows that the credentials work; a failure shows nothing."""
    harness = Harness([answer])
    harness.circuit.hold("http_401", _NOW)

    harness.deliver([_event()], probe=True)

    assert harness.circuit.state == state


@pytest.mark.parametrize("case", ["unchanged", "refused name"])
def test_a_probe_that_sends_nothing_shows_nothing(case):
    """T1: an operation that needed no request says nothing about the credentials."""
    harness = Harness([])
    harness.cache.remember_contact("user:u1", "c1")
    harness.cache.add_facts("contact", "c1", {"role": "user", "external_id": "u1", "name": "Ann"}, _NOW)
    harness.cache.refuse("event", "seen", _NOW)
    harness.circuit.hold("http_401", _NOW)

    harness.deliver([_upsert(name="Ann") if case == "unchanged" else _event()], probe=True)

    assert harness.circuit.state == "held"


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyboardInterrupt()])
def test_a_request_that_raises_something_else_is_no_longer_on_its_way(error):
    """T4: if it still counted as on its way, the budget would shrink with each such error."""
    harness = Harness(lambda request: error)
    for _ in range(6):
        with pytest.raises(type(error)):
            harness.executor.deliver(harness.claim([_event()]))

    assert harness.circuit.wait_before_send(_NOW, probe=False) == 0.0


# --- leases and single operations -----------------------------------------------------------------------------


def test_a_lost_lease_ends_the_delivery():
    """Q3: after the lease is lost, another worker delivers the rest."""
    answers = iter([True, False])
    harness = Harness([Response(202)])

    assert harness.deliver([_event("A")], [_event("B")], renew=lambda: next(answers)) == ["ack", "release"]


def test_an_operation_can_be_run_at_once():
    """D1: the caller waits for the result."""
    harness = Harness([ok()])
    harness.cache.remember_contact("user:u1", "c1")

    assert harness.executor.run(DeleteContact(who=_WHO)) == DELIVERED


def test_an_operation_cannot_be_run_while_credentials_are_held():
    """T1: the caller gets ``Paused`` at once."""
    harness = Harness([])
    harness.circuit.hold("http_401", _NOW)

    with pytest.raises(Paused):
        harness.executor.run(DeleteContact(who=Who(contact_id="c1")))


@pytest.mark.parametrize(("seq", "is_known"), [(1, True), (-1, False)])
def test_the_order_of_acceptance_is_passed_on_if_it_is_known(seq, is_known):
    """O1: a seq below 0 means that the buffer knows no order, so no message is later than another."""
    harness = Harness(lambda request: ok({"id": "i1"}))
    claim = harness.claim([_company(name="K")])
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

    Harness(answer, lock_of=lock_of).deliver([_company(name="K")])

    assert log == ["begin company:k1", "/companies", "end company:k1"]
