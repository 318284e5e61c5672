"""From the buffer to the end of each message: claimed, settled, counted, reported (rules W1, T1, T5, P2)."""

from __future__ import annotations

import logging
from contextlib import nullcontext

import pytest

from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.circuit import Circuit
from metarouter_intercom._delivery.consumer import Consumer
from metarouter_intercom._delivery.executor import Executor
from metarouter_intercom._delivery.leases import LeaseKeeper
from metarouter_intercom._delivery.outcomes import Outcomes
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom._delivery.report import Counters
from metarouter_intercom._delivery.safely import Faults
from metarouter_intercom._delivery.waiting import StopLatch
from metarouter_intercom.operations import SubmitEvent, Translation, UpsertContact, Who
from metarouter_intercom.plugins import Note, Response
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.flow_driving import contact, make_cache, missing, refusal

_NOW = 10_000.0
_TAKEN = Response(202)
_SECRET = "ann@example.com"


class Harness:
    """A consumer between a buffer in memory and a scripted transport."""

    def __init__(self, script=(), *, after=(), on_error=None, buffer=None, translator=None):
        self.transport = ScriptedTransport(script)
        self.clock = FakeClock(_NOW)
        self.reported = []
        self.errors = []
        self.settled = 0
        self.stop = StopLatch()
        self.counters = Counters(nullcontext())
        self.buffer = buffer or MemoryBuffer(limit=1000, dead_letters=1000)
        self.circuit = Circuit(
            RateLimit(share=1.0),
            lock=nullcontext(),
            jitter=lambda: 0.0,
            probe_every=60.0,
            base=0.5,
            longest=60.0,
        )
        self.outcomes = Outcomes(
            counters=self.counters,
            after=(self.reported.append, *after),
            on_error=on_error or (lambda error, messages: self.errors.append((error, messages))),
            connection="test",
            faults=Faults(self.clock.now),
        )
        executor = Executor(
            Settings(api_key="key"),
            translator=translator or _translate,
            cache=make_cache(),
            transport=self.transport,
            circuit=self.circuit,
            clock=self.clock,
            pause=self.clock.sleep,
            jitter=lambda: 0.5,
            lock_of=nullcontext,
            on_foreign=self.outcomes.report_foreign,
        )
        self.consumer = Consumer(
            buffer=self.buffer,
            executor=executor,
            circuit=self.circuit,
            outcomes=self.outcomes,
            leases=LeaseKeeper(
                self.buffer,
                clock=self.clock,
                stop=self.stop,
                connection="test",
                faults=self.outcomes.faults,
            ),
            clock=self.clock,
            on_settled=self._on_settled,
            connection="test",
        )

    def _on_settled(self):
        self.settled += 1

    def put(self, name, user_id="u1", type="track", **fields):
        """Accept a message."""
        message = {"type": type, "messageId": name, "userId": user_id, "timestamp": 1.0, **fields}
        if type == "track":
            message.setdefault("event", "Seen")
        keys = [f"user:{user_id}"]
        self.buffer.accept(message, keys=keys, upserts=type == "identify", now=self.clock.now())

    def ends(self):
        """Return the message id and the outcome of each message that was reported."""
        return [(one.message["messageId"], one.outcome) for one in self.reported]


def _translate(message):
    who = Who(external_id=message.user_id)
    if message.type == "identify":
        return Translation((UpsertContact(who=who, role="user", fields=dict(message.traits), attributes={}),))
    if message.event == "Skipped":
        return Translation((), (Note("E1", "event", "filtered"),), "event_filtered")
    return Translation((SubmitEvent(who=who, event_name=message.event, created_at=1, metadata={}),))


def test_an_empty_buffer_has_nothing_to_do():
    """W1: a worker may rest until it is woken, if nothing is buffered."""
    assert Harness().consumer.work() is None


def test_a_claim_is_delivered_settled_and_reported():
    """W1, W5, P2: each message ends once, in the counters and for the hooks."""
    harness = Harness([_TAKEN])
    claims = []
    harness.put("m1")
    harness.put("m2", event="Skipped")

    seconds = harness.consumer.work(lambda: claims.append(harness.buffer.pending()))

    assert (seconds, claims, harness.buffer.pending(), harness.settled) == (0.0, [2], 0, 1)
    assert harness.ends() == [("m1", "delivered"), ("m2", "skipped")]
    numbers = harness.counters.numbers()
    assert (numbers["delivered"], numbers["skipped"]) == (1, {"event_filtered": 1})
    assert numbers["notes"] == {"E1: filtered": 1}


def test_merged_and_unchanged_messages_are_delivered_ones():
    """W5: all but the last message of a merged write are merged; a message that needed no request is unchanged."""
    harness = Harness([contact("c1")])
    for name in ("m1", "m2"):
        harness.put(name, type="identify", traits={"name": "Ann"})
    harness.consumer.work()
    harness.put("m3", type="identify", traits={"name": "Ann"})
    harness.consumer.work()

    numbers = harness.counters.numbers()
    assert (numbers["delivered"], numbers["merged"], numbers["unchanged"]) == (3, 1, 1)
    assert [(one.merged, one.unchanged) for one in harness.reported] == [
        (True, False),
        (False, False),
        (False, True),
    ]


@pytest.mark.parametrize("answer", [refusal(503), missing()])
def test_a_retried_message_has_not_ended(answer):
    """T2, M2: it is counted as retried, reported to no hook, and due after the back-off."""
    harness = Harness([answer])
    harness.put("m1")

    assert harness.consumer.work() == 0.0
    assert harness.consumer.work() == pytest.approx(0.25)
    assert (harness.reported, harness.buffer.pending(), harness.counters.numbers()["retried"]) == ([], 1, 1)


def test_a_message_that_is_almost_due_is_waited_for_at_least_a_moment():
    """W1: a due message that another worker delivers must not keep this worker busy."""
    harness = Harness([refusal(503)])
    harness.put("m1")
    harness.consumer.work()
    harness.clock.advance(0.2499)

    assert harness.consumer.work() == 0.01


def test_a_dead_letter_is_reported(caplog):
    """X1, W5: the hooks get Intercom's words; the log gets reason, status, code and request id, and not the words."""
    harness = Harness([refusal(400, "No Ann here", code="parameter_invalid")])
    harness.put("m1")

    with caplog.at_level(logging.WARNING, "metarouter_intercom"):
        harness.consumer.work()

    assert harness.ends() == [("m1", "dead")]
    assert harness.counters.numbers()["dead"] == {"http_400": 1}
    error, messages = harness.errors[0]
    assert (error.reason, error.status, error.code, error.request_id) == (
        "http_400",
        400,
        "parameter_invalid",
        "r1",
    )
    assert [message["messageId"] for message in messages] == ["m1"]
    assert [record.getMessage() for record in caplog.records] == [
        "connection test: a message became a dead letter "
        "(reason http_400, status 400, code parameter_invalid, request id r1)"
    ]
    assert (caplog.records[0].reason, caplog.records[0].status) == ("http_400", 400)


def test_an_answer_that_is_not_intercoms_is_reported_once(caplog):
    """T6: however many answers a proxy gives, there is one warning and one call of ``on_error``."""
    harness = Harness([Response(413, "<html></html>"), Response(400), _TAKEN])
    harness.put("m1")
    for _ in range(3):
        harness.consumer.work()
        harness.clock.sleep(60.0)

    assert harness.ends() == [("m1", "delivered")]
    assert [(error.reason, error.status, messages) for error, messages in harness.errors] == [
        ("foreign_answer", 413, ())
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "connection test: an answer with status 413 is not Intercom's; a proxy or another server is in between, "
        "and its messages are sent again"
    ]


def test_hooks_that_raise_change_nothing(caplog):
    """P2, W5: their errors are counted and logged, without the errors' texts."""

    def fail(*_):
        raise RuntimeError(_SECRET)

    harness = Harness([refusal(400)], after=(fail,), on_error=fail)
    harness.put("m1")

    harness.consumer.work()

    assert harness.ends() == [("m1", "dead")]
    assert harness.counters.numbers()["notes"] == {"P2: after-hook raised": 1}
    assert {record.getMessage() for record in caplog.records} >= {
        "connection test: an after-hook raised an error; the message is not affected",
        "connection test: the on_error hook raised an error; the messages are not affected",
    }
    assert _SECRET not in caplog.text


def test_the_end_of_an_awaited_message_is_kept():
    """W1: an inline call returns when its own message has ended."""
    harness = Harness([_TAKEN])
    harness.put("m1")
    harness.put("m2", event="Skipped")
    harness.outcomes.awaited["m2"] = None

    harness.consumer.work()

    assert harness.outcomes.awaited["m2"].outcome == "skipped"
    assert "m1" not in harness.outcomes.awaited


# --- held credentials and outages ------------------------------------------------------------------------------------------


def test_refused_credentials_are_reported_once_and_probed(caplog):
    """T1: the client pauses and sends one probe a minute; no message is lost."""
    answers = [refusal(401, "Access Token Invalid", code="unauthorized")] * 2 + [_TAKEN] * 12
    harness = Harness(answers)
    for number in range(12):
        harness.put(f"m{number}")

    harness.consumer.work()
    paused = harness.consumer.work()
    harness.clock.advance(60.0)
    harness.consumer.work()
    harness.clock.advance(60.0)
    while harness.consumer.work() == 0.0:
        pass

    assert paused == 60.0
    assert [error.reason for error, _ in harness.errors] == ["held"]
    assert len(harness.errors[0][1]) == 12
    assert (len(harness.reported), harness.circuit.state, harness.buffer.pending()) == (12, "passing", 0)
    assert (
        caplog.text.count("connection test: Intercom refuses the credentials (status 401, code unauthorized")
        == 1
    )


def test_a_probe_claims_little():
    """T5: a probe takes only a few messages, because it may fail."""
    harness = Harness([_TAKEN] * 10)
    for number in range(12):
        harness.put(f"m{number}")
    harness.circuit.hold("http_401", _NOW - 60.0)

    harness.consumer.work()

    assert harness.buffer.pending() == 2


def test_a_probe_that_finds_no_message_lets_another_worker_probe():
    """T5: a probe ends when there is nothing to claim."""
    harness = Harness()
    harness.circuit.hold("http_401", _NOW - 60.0)

    assert harness.consumer.work() is None
    assert harness.circuit.wait_before_claim(_NOW) == (0.0, True)


# --- unexpected errors ---------------------------------------------------------------------------------------


def test_an_unexpected_error_delays_the_claim(caplog):
    """A bug of ours or of a plugin loses no message and keeps no processor busy."""
    harness = Harness(lambda request: RuntimeError(_SECRET))
    harness.put("m1")

    assert harness.consumer.work() == 0.0
    assert (harness.consumer.work(), harness.buffer.pending()) == (5.0, 1)
    assert (harness.counters.numbers()["retried"], harness.settled) == (1, 1)
    assert "connection test: a delivery met an unexpected error" in caplog.text
    assert _SECRET not in caplog.text


def test_an_unexpected_error_that_repeats_ends_the_message():
    """The message must not block its lane for ever; its dead letter is reported like any other."""
    harness = Harness(lambda request: RuntimeError("odd"))
    harness.put("m1")
    for _ in range(5):
        harness.consumer.work()
        harness.clock.advance(5.0)

    assert harness.buffer.count_dead() == {"internal_error": 1}
    assert [(one.outcome, one.reason, one.attempts) for one in harness.reported] == [
        ("dead", "internal_error", 5)
    ]
    assert [error.reason for error, _ in harness.errors] == ["internal_error"]


def test_an_unexpected_error_costs_no_other_message_of_its_contact():
    """Messages are delivered one by one, so that only the one that fails becomes a dead letter."""
    harness = Harness(lambda request: RuntimeError("odd") if request.body["event_name"] == "Odd" else _TAKEN)
    for number in range(3):
        harness.put(f"m{number}", event="Odd" if number == 1 else "Seen")
    for _ in range(8):
        harness.consumer.work()
        harness.clock.advance(5.0)

    assert harness.buffer.count_dead() == {"internal_error": 1}
    assert [one.message["messageId"] for one in harness.reported if one.outcome == "dead"] == ["m1"]
    assert harness.counters.numbers()["delivered"] == 2
    assert harness.buffer.pending() == 0


def test_messages_delivered_one_by_one_wait_behind_a_retried_one():
    """O1: delivered together or one by one, messages of one contact keep their order."""
    answers = iter([RuntimeError("odd")] * 5 + [Response(503)])
    harness = Harness(lambda request: next(answers, _TAKEN))
    for number in range(3):
        harness.put(f"m{number}")
    for _ in range(4):
        harness.consumer.work()
        harness.clock.advance(5.0)
    harness.consumer.work()
    harness.clock.advance(60.0)
    sent = len(harness.transport.requests)
    while harness.consumer.work() == 0.0:
        pass

    assert harness.buffer.count_dead() == {"internal_error": 1}
    assert sent == 6
    assert [one.message["messageId"] for one in harness.reported] == ["m0", "m1", "m2"]


def test_an_interruption_releases_the_claim():
    """W3: Ctrl-C during a delivery loses nothing and ends the caller's wait."""
    harness = Harness(lambda request: KeyboardInterrupt())
    harness.put("m1")

    with pytest.raises(KeyboardInterrupt):
        harness.consumer.work()

    assert (harness.buffer.pending(), harness.consumer.in_hand(), harness.consumer.nesting.level) == (
        1,
        frozenset(),
        0,
    )
    assert harness.buffer.claim(now=_NOW, limit=1).entries[0].attempts == 0


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_greenlet_that_lives_on_in_a_forked_child_ends_nothing(monkeypatch, is_interrupted):
    """W3, W8: the claim of a greenlet is the parent's, also when the child forks in the middle of its request."""

    def fork(request):
        monkeypatch.setattr("os.getpid", lambda: -1)
        return KeyboardInterrupt() if is_interrupted else _TAKEN

    harness = Harness(fork)
    harness.put("m1")

    with pytest.raises(KeyboardInterrupt) if is_interrupted else nullcontext():
        harness.consumer.work()

    assert (harness.buffer.pending(), harness.ends()) == (1, [])
    assert harness.buffer.claim(now=_NOW, limit=1) is None


def test_claims_in_hand_and_nesting_are_known():
    """W2: a flush waits for claims in hand; a hook that flushes knows that it is inside a delivery."""
    harness = Harness(
        lambda request: seen.append((harness.consumer.in_hand(), harness.consumer.nesting.level)) or _TAKEN
    )
    seen = []
    harness.put("m1")
    harness.consumer.work()

    assert seen == [(frozenset({0}), 1)]
    assert (harness.consumer.in_hand(), harness.consumer.nesting.level) == (frozenset(), 0)


class Leased(MemoryBuffer):
    """A buffer that records when its leases are renewed, or that has lost them."""

    lease = 60.0
    is_lost = False

    def renew(self, claim, *, now):
        self.renewed = [*getattr(self, "renewed", []), now]
        return not self.is_lost


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_lease_is_renewed_while_its_claim_is_delivered(is_lost):
    """Q3: a lease is renewed at most every 15 seconds; if it is lost, another worker delivers the rest."""
    buffer = Leased(limit=10, dead_letters=10)
    buffer.is_lost = is_lost
    harness = Harness(lambda request: harness.clock.advance(10.0) or _TAKEN, buffer=buffer)
    for number in range(5):
        harness.put(f"m{number}")

    harness.consumer.work()
    harness.stop.set()

    assert buffer.renewed == ([_NOW + 20.0] if is_lost else [_NOW + 20.0, _NOW + 40.0])
    assert len(harness.reported) == (2 if is_lost else 5)


class _AskingBuffer(MemoryBuffer):
    """A buffer that asks, at the moment when nothing is pending any more, which claims are not reported yet."""

    def __init__(self):
        super().__init__(limit=10, dead_letters=10)
        self.ask = None
        self.answers = []

    def settle(self, claim, settlements, *, now):
        super().settle(claim, settlements, now=now)
        self.answers.append((self.pending(), len(self.ask())))


def test_a_claim_is_unreported_from_the_moment_it_is_settled():
    """W2: a flush that finds nothing pending still finds the claim whose messages are about to be counted and reported."""
    buffer = _AskingBuffer()
    harness = Harness([_TAKEN], buffer=buffer)
    buffer.ask = harness.consumer.unreported
    harness.put("m1", event="Seen")

    harness.consumer.work()

    assert buffer.answers == [(0, 1)]
    assert harness.consumer.unreported() == frozenset()
