"""From the buffer to the end of each message: claimed, settled, counted, told (rules W1, T1, T5, P2)."""

from __future__ import annotations

import logging
from contextlib import nullcontext

import pytest

from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.circuit import Circuit
from metarouter_intercom._delivery.consumer import Consumer, failure_of
from metarouter_intercom._delivery.executor import Executor
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom._delivery.report import Counters
from metarouter_intercom.operations import SubmitEvent, Translation, UpsertContact, Who
from metarouter_intercom.plugins import Delivery, Note, Response
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.flow_driving import contact, make_cache, missing, refusal

_NOW = 10_000.0
_TAKEN = Response(202)
_SECRET = "ann@example.com"


class Shop:
    """A dispatcher between a buffer in memory and a scripted transport."""

    def __init__(self, script=(), *, after=(), on_error=None, buffer=None, translator=None):
        self.transport = ScriptedTransport(script)
        self.clock = FakeClock(_NOW)
        self.told = []
        self.errors = []
        self.settled = 0
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
        executor = Executor(
            Settings(api_key="key"),
            translator=translator or _translate,
            cache=make_cache(),
            transport=self.transport,
            circuit=self.circuit,
            clock=self.clock,
            pause=self.clock.sleep,
            jitter=lambda: 0.5,
            turn=nullcontext,
        )
        self.consumer = Consumer(
            buffer=self.buffer,
            executor=executor,
            circuit=self.circuit,
            counters=self.counters,
            clock=self.clock,
            after=(self.told.append, *after),
            on_error=on_error or (lambda error, messages: self.errors.append((error, messages))),
            on_settled=self._on_settled,
            connection="test",
        )

    def _on_settled(self):
        self.settled += 1

    def put(self, name, user_id="u1", type="track", **facts):
        """Accept a message."""
        message = {"type": type, "messageId": name, "userId": user_id, "timestamp": 1.0, **facts}
        if type == "track":
            message.setdefault("event", "Seen")
        keys = [f"user:{user_id}"]
        self.buffer.accept(message, keys=keys, upserts=type == "identify", now=self.clock.now())

    def outcomes(self):
        """Return message id and outcome of what was told."""
        return [(one.message["messageId"], one.outcome) for one in self.told]


def _translate(message):
    who = Who(external_id=message.user_id)
    if message.type == "identify":
        return Translation((UpsertContact(who=who, role="user", fields=dict(message.traits), attributes={}),))
    if message.event == "Skipped":
        return Translation((), (Note("E1", "event", "filtered"),), "event_filtered")
    return Translation((SubmitEvent(who=who, event_name=message.event, created_at=1, metadata={}),))


def test_an_empty_buffer_has_nothing_to_do():
    """W1: a worker may rest until it is woken."""
    assert Shop().consumer.work() is None


def test_a_claim_is_delivered_settled_and_told():
    """W1, W5, P2: each message ends once, in the counters and for the hooks."""
    shop = Shop([_TAKEN])
    claims = []
    shop.put("m1")
    shop.put("m2", event="Skipped")

    seconds = shop.consumer.work(lambda: claims.append(shop.buffer.pending()))

    assert (seconds, claims, shop.buffer.pending(), shop.settled) == (0.0, [2], 0, 1)
    assert shop.outcomes() == [("m1", "delivered"), ("m2", "skipped")]
    numbers = shop.counters.numbers()
    assert (numbers["delivered"], numbers["skipped"]) == (1, {"event_filtered": 1})
    assert numbers["notes"] == {"E1: filtered": 1}


def test_merged_and_unchanged_messages_are_delivered_ones():
    """W5: the last of a merged write carries it; what needed no request is unchanged."""
    shop = Shop([contact("c1")])
    for name in ("m1", "m2"):
        shop.put(name, type="identify", traits={"name": "Ann"})
    shop.consumer.work()
    shop.put("m3", type="identify", traits={"name": "Ann"})
    shop.consumer.work()

    numbers = shop.counters.numbers()
    assert (numbers["delivered"], numbers["merged"], numbers["unchanged"]) == (3, 1, 1)
    assert [(one.merged, one.unchanged) for one in shop.told] == [
        (True, False),
        (False, False),
        (False, True),
    ]


@pytest.mark.parametrize("answer", [refusal(503), missing()])
def test_a_message_that_comes_again_has_not_ended(answer):
    """T2, M2: it is counted as retried, told to nobody, and due after the back-off."""
    shop = Shop([answer])
    shop.put("m1")

    assert shop.consumer.work() == 0.0
    assert shop.consumer.work() == pytest.approx(0.25)
    assert (shop.told, shop.buffer.pending(), shop.counters.numbers()["retried"]) == ([], 1, 1)


def test_a_message_that_is_due_this_moment_is_waited_for_a_moment():
    """W1: a due message that another worker holds must not make this one spin."""
    shop = Shop([refusal(503)])
    shop.put("m1")
    shop.consumer.work()
    shop.clock.advance(0.2499)

    assert shop.consumer.work() == 0.01


def test_a_dead_letter_is_told(caplog):
    """X1, W5: to the hooks with Intercom's words, to the log without them."""
    shop = Shop([refusal(400, "No Ann here", code="parameter_invalid")])
    shop.put("m1")

    with caplog.at_level(logging.WARNING, "metarouter_intercom"):
        shop.consumer.work()

    assert shop.outcomes() == [("m1", "dead")]
    assert shop.counters.numbers()["dead"] == {"http_400": 1}
    error, messages = shop.errors[0]
    assert (error.reason, error.status, error.code, error.request_id) == (
        "http_400",
        400,
        "parameter_invalid",
        "r1",
    )
    assert [message["messageId"] for message in messages] == ["m1"]
    assert [record.getMessage() for record in caplog.records] == ["a message became a dead letter"]
    assert (caplog.records[0].reason, caplog.records[0].status) == ("http_400", 400)


def test_hooks_that_raise_change_nothing(caplog):
    """P2, W5: their errors are counted and logged, without what they say."""

    def fail(*told):
        raise RuntimeError(_SECRET)

    shop = Shop([refusal(400)], after=(fail,), on_error=fail)
    shop.put("m1")

    shop.consumer.work()

    assert shop.outcomes() == [("m1", "dead")]
    assert shop.counters.numbers()["notes"] == {"P2: after-hook raised": 1}
    assert {record.getMessage() for record in caplog.records} >= {
        "an after-hook raised",
        "the on_error hook raised",
    }
    assert _SECRET not in caplog.text


def test_nobody_has_to_listen():
    """W5: without hooks the dead letter is kept and counted all the same."""
    shop = Shop()
    silent = Consumer(
        buffer=shop.buffer,
        executor=None,
        circuit=shop.circuit,
        counters=shop.counters,
        clock=shop.clock,
        after=(),
        on_error=None,
        on_settled=lambda: None,
        connection="test",
    )

    silent.finish_dead({"messageId": "m1"}, "plugin_failed", attempts=0)

    assert shop.counters.numbers()["dead"] == {"plugin_failed": 1}


def test_whoever_waits_for_a_message_is_told_its_end():
    """W1: inline delivery returns when the call's own message has ended."""
    shop = Shop([_TAKEN])
    shop.put("m1")
    shop.put("m2", event="Skipped")
    shop.consumer.awaited["m2"] = None

    shop.consumer.work()

    assert shop.consumer.awaited["m2"].outcome == "skipped"
    assert "m1" not in shop.consumer.awaited


# --- held and broken ------------------------------------------------------------------------------------------


def test_refused_credentials_are_told_once_and_probed(caplog):
    """T1: the client pauses, one probe a minute, and nothing is lost."""
    answers = [refusal(401, "Access Token Invalid", code="unauthorized")] * 2 + [_TAKEN] * 12
    shop = Shop(answers)
    for number in range(12):
        shop.put(f"m{number}")

    shop.consumer.work()
    paused = shop.consumer.work()
    shop.clock.advance(60.0)
    shop.consumer.work()
    shop.clock.advance(60.0)
    while shop.consumer.work() == 0.0:
        pass

    assert paused == 60.0
    assert [error.reason for error, _ in shop.errors] == ["held"]
    assert len(shop.errors[0][1]) == 12
    assert (len(shop.told), shop.circuit.state, shop.buffer.pending()) == (12, "passing", 0)
    assert caplog.text.count("credentials refused") == 1


def test_a_probe_claims_little():
    """T5: while nothing is known to work, few messages are taken along."""
    shop = Shop([_TAKEN] * 10)
    for number in range(12):
        shop.put(f"m{number}")
    shop.circuit.hold("http_401", _NOW - 60.0)

    shop.consumer.work()

    assert shop.buffer.pending() == 2


def test_a_probe_that_finds_nothing_gives_its_turn_back():
    """T5: the next worker may probe."""
    shop = Shop()
    shop.circuit.hold("http_401", _NOW - 60.0)

    assert shop.consumer.work() is None
    assert shop.circuit.wait_before_claim(_NOW) == (0.0, True)


# --- what is unforeseen ---------------------------------------------------------------------------------------


def test_an_unforeseen_error_puts_the_claim_off(caplog):
    """Nothing is lost by a fault of ours or of a plugin's, and nothing spins."""
    shop = Shop(lambda request: RuntimeError(_SECRET))
    shop.put("m1")

    assert shop.consumer.work() == 0.0
    assert (shop.consumer.work(), shop.buffer.pending()) == (5.0, 1)
    assert (shop.counters.numbers()["retried"], shop.settled) == (1, 1)
    assert "a delivery failed unforeseen" in caplog.text
    assert _SECRET not in caplog.text


def test_an_unforeseen_error_that_comes_again_and_again_ends_the_message():
    """It must not stop its lane for ever; the dead letter is told as any other."""
    shop = Shop(lambda request: RuntimeError("odd"))
    shop.put("m1")
    for _ in range(5):
        shop.consumer.work()
        shop.clock.advance(5.0)

    assert shop.buffer.count_dead() == {"internal_error": 1}
    assert [(one.outcome, one.reason, one.attempts) for one in shop.told] == [("dead", "internal_error", 5)]
    assert [error.reason for error, _ in shop.errors] == ["internal_error"]


def test_an_unforeseen_error_costs_no_other_message_of_its_contact():
    """One message that meets it again and again is found among those that are delivered with it."""
    shop = Shop(lambda request: RuntimeError("odd") if request.body["event_name"] == "Odd" else _TAKEN)
    for number in range(3):
        shop.put(f"m{number}", event="Odd" if number == 1 else "Seen")
    for _ in range(8):
        shop.consumer.work()
        shop.clock.advance(5.0)

    assert shop.buffer.count_dead() == {"internal_error": 1}
    assert [one.message["messageId"] for one in shop.told if one.outcome == "dead"] == ["m1"]
    assert shop.counters.numbers()["delivered"] == 2
    assert shop.buffer.pending() == 0


def test_what_follows_a_retried_message_waits_when_delivered_one_by_one():
    """O1: parted or not, messages of one contact keep their order."""
    answers = iter([RuntimeError("odd")] * 5 + [Response(503)])
    shop = Shop(lambda request: next(answers, _TAKEN))
    for number in range(3):
        shop.put(f"m{number}")
    for _ in range(4):
        shop.consumer.work()
        shop.clock.advance(5.0)
    shop.consumer.work()
    shop.clock.advance(60.0)
    sent = len(shop.transport.requests)
    while shop.consumer.work() == 0.0:
        pass

    assert shop.buffer.count_dead() == {"internal_error": 1}
    assert sent == 6
    assert [one.message["messageId"] for one in shop.told] == ["m0", "m1", "m2"]


def test_an_interruption_gives_the_claim_back():
    """W3: Ctrl-C in the midst of a delivery loses nothing and ends the caller's wait."""
    shop = Shop(lambda request: KeyboardInterrupt())
    shop.put("m1")

    with pytest.raises(KeyboardInterrupt):
        shop.consumer.work()

    assert (shop.buffer.pending(), shop.consumer.in_hand(), shop.consumer.depth.number) == (
        1,
        frozenset(),
        0,
    )
    assert shop.buffer.claim(now=_NOW, limit=1).entries[0].attempts == 0


def test_what_is_in_hand_is_known():
    """W2: a flush waits for it; a hook that flushes knows that it is inside a delivery."""
    shop = Shop(lambda request: seen.append((shop.consumer.in_hand(), shop.consumer.depth.number)) or _TAKEN)
    seen = []
    shop.put("m1")
    shop.consumer.work()

    assert seen == [(frozenset({0}), 1)]
    assert (shop.consumer.in_hand(), shop.consumer.depth.number) == (frozenset(), 0)


class Leased(MemoryBuffer):
    """A buffer whose leases are renewed on paper, or lost."""

    is_lost = False

    def renew(self, claim, *, now):
        self.renewed = [*getattr(self, "renewed", []), now]
        return not self.is_lost


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_lease_is_renewed_while_its_claim_is_delivered(is_lost):
    """Q3: every 15 seconds at most; when it is lost the rest belongs to somebody else."""
    buffer = Leased(limit=10, dead_letters=10)
    buffer.is_lost = is_lost
    shop = Shop(lambda request: shop.clock.advance(10.0) or _TAKEN, buffer=buffer)
    for number in range(5):
        shop.put(f"m{number}")

    shop.consumer.work()

    assert buffer.renewed == ([_NOW + 20.0] if is_lost else [_NOW + 20.0, _NOW + 40.0])
    assert len(shop.told) == (2 if is_lost else 5)


# --- what is told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "text", "facts"),
    [
        (None, "it failed (why)", (None, None, None)),
        (
            {"status": 400, "code": "c", "message": "No", "request_id": "r"},
            "it failed (why): No",
            (400, "c", "r"),
        ),
        (
            {"status": None, "code": None, "message": None, "request_id": None},
            "it failed (why)",
            (None, None, None),
        ),
    ],
)
def test_an_error_tells_intercoms_answer(answer, text, facts):
    """W5: data on the error, not just text."""
    error = failure_of("it failed", "why", answer)

    assert str(error) == text
    assert (error.status, error.code, error.request_id) == facts


def test_an_error_without_a_reason():
    """Something always stands there to count by."""
    assert failure_of("it failed", None, None).reason == "unknown"


def test_an_end_without_a_reason_is_counted():
    """W5: no loss without a word to count by."""
    shop = Shop()

    shop.consumer.finish(Delivery(message={"messageId": "m1"}, outcome="dropped"))

    assert shop.counters.numbers()["dropped"] == {"unknown": 1}
