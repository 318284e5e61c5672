"""The face: what its calls promise before, while and after messages are delivered (rules Q1 to Q5, W1, W2, D1, P1 to P3)."""

from __future__ import annotations

import inspect
import logging
import pickle
import threading

import pytest

from metarouter_intercom import (
    BufferFull,
    Client,
    ClientClosed,
    ConfigurationError,
    ConnectFailed,
    DeliveryFailed,
    RejectedMessage,
    Settings,
)
from metarouter_intercom._buffers._memory import MemoryBuffer
from metarouter_intercom.messages import Identify
from metarouter_intercom.operations import Translation
from metarouter_intercom.plugins import Drop, Response
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .clients import DEADLINE, Gated, answering, background_client, in_thread, manual_client, workspace_client

# What an error of somebody else's code may quote; a trace shows lines of code, so it stands here alone.
_PRIVATE = "ada@example.com, very-private"

# --- making one ---------------------------------------------------------------------------------------------


def test_everything_but_ready_settings_is_given_by_name():
    """The constructor takes settings and parts by name, so that adding one breaks nobody."""
    kinds = {name: one.kind for name, one in inspect.signature(Client).parameters.items()}

    assert kinds.pop("settings") is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds.pop("options") is inspect.Parameter.VAR_KEYWORD
    assert set(kinds.values()) == {inspect.Parameter.KEYWORD_ONLY}


def test_settings_come_ready_or_one_by_one():
    """A ready ``Settings`` or its fields, not both."""
    assert Client(Settings(api_key="k", workers=2)).settings.workers == 2
    assert Client(api_key="k", workers=3).settings.workers == 3
    with pytest.raises(TypeError, match="workers"):
        Client(Settings(api_key="k"), workers=2)


def test_a_key_is_needed():
    """Without an API key the error names the setting."""
    with pytest.raises(ConfigurationError, match="api_key"):
        Client()


def test_the_environment_is_read_by_from_env_alone(monkeypatch):
    """``Client(...)`` looks at its arguments only; ``from_env`` takes parts and settings beside the environment's."""
    monkeypatch.setenv("INTERCOM_API_KEY", "from-environment")
    transport = answering()

    client = Client.from_env(transport=transport, delivery="inline", workers=1)
    client.track("u-1", "Signed Up")

    assert client.settings.api_key.reveal() == "from-environment"
    assert len(transport.requests) == 1
    with pytest.raises(ConfigurationError):
        Client()


# --- accepting (Q1, Q2, Q4, Q5) -----------------------------------------------------------------------------


def test_a_call_returns_its_message_id_and_sends_nothing():
    """Q1: the id is the given one, or a new one each time; there is no network I/O in the call."""
    transport = ScriptedTransport([])
    client = manual_client(transport)

    ids = [client.track("u-1", "A"), client.identify("u-1"), client.track("u-1", "A", message_id="mine")]

    assert ids[2] == "mine"
    assert len({*ids}) == 3
    assert transport.requests == []


def test_what_the_caller_does_to_its_data_afterwards_changes_nothing():
    """Q1: the message is a copy, down to the last nested value."""
    transport = answering()
    client = manual_client(transport)
    properties = {"plan": "pro", "items": [{"sku": 1}]}
    context = {"page": {"url": "https://example.com/"}}

    client.track("u-1", "Bought", properties, context)
    properties["plan"] = "free"
    properties["items"][0]["sku"] = 2
    context["page"].clear()
    client.flush()

    metadata = transport.requests[0].body["metadata"]
    assert metadata["plan"] == "pro"
    assert "2" not in str(metadata)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda client: client.track("u-1", ""), "event"),
        (lambda client: client.track(True, "Signed Up"), "userId"),
        (lambda client: client.group("u-1", None), "groupId"),
        (lambda client: client.send({"type": "conversion", "userId": "u-1"}), "type"),
        (lambda client: client.send("no message"), "message"),
    ],
)
def test_what_can_never_be_delivered_is_rejected(call, path):
    """Q2: RejectedMessage names the path; nothing is buffered and the rejection is counted."""
    client = manual_client()

    with pytest.raises(RejectedMessage) as caught:
        call(client)

    assert path in [problem.path for problem in caught.value.problems]
    report = client.flush()
    assert (report.accepted, sum(report.rejected.values())) == (0, 1)


def test_a_message_beyond_the_limit_is_rejected():
    """Q2: ``max_message_bytes`` bounds a message as JSON."""
    client = manual_client(max_message_bytes=1_000)

    with pytest.raises(RejectedMessage, match="max_message_bytes"):
        client.identify("u-1", {"note": "x" * 2_000})

    assert client.report().rejected == {"too_large": 1}


def test_hosts_may_choose_never_to_see_an_error(caplog):
    """Q2: ``on_invalid="log"`` logs and counts what else is raised, and returns no id."""
    client = manual_client(on_invalid="log")

    returned = client.track("u-1", "")

    assert returned == ""
    assert client.report().rejected == {"invalid": 1}
    record = caplog.records[0]
    assert (record.getMessage(), record.reason, record.paths) == (
        "a message was rejected",
        "invalid",
        ["event"],
    )


@pytest.mark.parametrize("choice", ["raise", "log"])
def test_a_closed_client_takes_nothing(choice):
    """Q2: every call after ``close`` raises ClientClosed, whatever else is only logged."""
    client = manual_client(on_invalid=choice)
    client.close()

    for call in (client.identify, client.page, client.screen):
        with pytest.raises(ClientClosed):
            call("u-1")
    for call in (client.track, client.group, client.alias):
        with pytest.raises(ClientClosed):
            call("u-1", "x")
    with pytest.raises(ClientClosed):
        client.send({"type": "track", "userId": "u-1", "event": "x"})
    with pytest.raises(ClientClosed):
        client.check()
    with pytest.raises(ClientClosed):
        client.delete("u-1")


def test_a_full_buffer_raises_when_told_so():
    """Q4: ``when_full="raise"`` raises BufferFull and takes nothing."""
    client = manual_client(max_buffered=1, when_full="raise")
    client.track("u-1", "A")

    with pytest.raises(BufferFull, match="max_buffered: 1 "):
        client.track("u-1", "B")

    assert client.report().accepted == 1


def test_a_full_buffer_drops_new_messages_by_default(caplog):
    """Q4: in memory the newest are dropped: counted, told to both hooks, and logged once a minute."""
    dropped, ends, clock = [], [], FakeClock()
    client = manual_client(
        max_buffered=1, clock=clock, on_drop=lambda message, reason: dropped.append((message["event"], reason)),
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )  # fmt: skip

    client.track("u-1", "A")
    for name in ("B", "C"):
        client.track("u-1", name)
    clock.advance(61)
    client.track("u-1", "D")

    assert dropped == [("B", "buffer_full"), ("C", "buffer_full"), ("D", "buffer_full")]
    assert ends == [("dropped", "buffer_full")] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "the buffer is full: new messages are dropped"
    ] * 2
    report = client.flush()
    assert (report.accepted, report.delivered, report.dropped) == (4, 1, {"buffer_full": 3})


def test_a_full_buffer_may_make_the_caller_wait():
    """Q4: ``when_full="block"`` waits for room, and takes the message once there is some."""
    gate = Gated()
    client = background_client(gate, max_buffered=1, when_full="block", block_timeout=DEADLINE)
    client.track("u-1", "A")
    assert gate.entered.wait(DEADLINE)

    waiting = in_thread(lambda: client.track("u-1", "B"))
    gate.let_through()
    waiting.join(DEADLINE)
    report = client.close(DEADLINE)

    assert (report.accepted, report.delivered, report.dropped) == (2, 2, {})


def test_waiting_for_room_has_an_end():
    """Q4: after ``block_timeout`` BufferFull tells that there was none."""
    clock = FakeClock()
    client = manual_client(clock=clock, max_buffered=1, when_full="block", block_timeout=3.0)
    client.track("u-1", "A")
    before = clock.now()

    with pytest.raises(BufferFull):
        client.track("u-1", "B")

    assert clock.now() - before == pytest.approx(3.0)


def test_the_same_message_id_counts_once():
    """Q5: the second message with an id that is buffered is a counted no-op with the same id as its answer."""
    transport = answering()
    client = manual_client(transport)

    ids = [client.track("u-1", "A", message_id="m-1") for _ in range(3)]
    report = client.flush()

    assert ids == ["m-1"] * 3
    assert (report.accepted, report.duplicates, report.delivered) == (1, 2, 1)
    assert len(transport.requests) == 1


# --- who delivers (W1) --------------------------------------------------------------------------------------


def test_inline_the_call_itself_delivers():
    """W1: with ``delivery="inline"`` the message is in Intercom when the call returns."""
    transport = answering()
    client = manual_client(transport, delivery="inline")

    client.track("u-1", "A")

    assert len(transport.requests) == 1
    assert client.report().delivered == 1


def test_inline_a_refusal_is_raised():
    """W1: what became a dead letter is raised with Intercom's answer, and kept."""
    body = {"request_id": "r-1", "errors": [{"code": "parameter_invalid", "message": "no good"}]}
    client = manual_client(answering(400, body), delivery="inline")

    with pytest.raises(DeliveryFailed, match="no good") as caught:
        client.track("u-1", "A")

    assert (caught.value.reason, caught.value.status) == ("http_400", 400)
    assert (caught.value.code, caught.value.request_id) == ("parameter_invalid", "r-1")
    assert len(client.dead_letters) == 1


def test_inline_refused_credentials_are_raised_and_the_message_is_held():
    """W1, T1: the call does not wait for a person; the message goes out once the credentials are mended."""
    answers = [Response(401)]
    client = manual_client(
        ScriptedTransport(lambda request: answers.pop() if answers else Response(202)), delivery="inline"
    )
    with pytest.raises(DeliveryFailed) as caught:
        client.track("u-1", "A")

    report = client.flush()

    assert caught.value.reason == "held"
    assert (report.delivered, report.pending) == (1, 0)


def test_inline_a_message_in_another_threads_hand_is_waited_for():
    """W1: two calls about one contact share a lane; the second returns once its message is delivered too, by whomever."""
    gate = Gated()
    client = Client(api_key="k", delivery="inline", transport=gate)
    first = in_thread(lambda: client.track("u-1", "A"))
    assert gate.entered.wait(DEADLINE)
    second = in_thread(lambda: client.track("u-1", "B"))

    gate.let_through()
    first.join(DEADLINE)
    second.join(DEADLINE)

    assert [request.body["event_name"] for request in gate.requests] == ["A", "B"]
    assert client.report().delivered == 2


def test_manual_only_a_flush_delivers():
    """W1: with ``delivery="manual"`` no thread starts and nothing is sent before ``flush``."""
    transport = answering()
    client = manual_client(transport)
    threads = threading.active_count()

    client.track("u-1", "A")
    assert (len(transport.requests), threading.active_count()) == (0, threads)
    client.flush()

    assert len(transport.requests) == 1


def test_background_threads_start_with_the_first_message_and_carry_the_name():
    """W1: threads are started on first use, daemons, and named after the connection; closing ends them."""
    client = background_client(answering(), name="billing", workers=3)
    before = _threads("billing")
    client.track("u-1", "A")
    during = _threads("billing")
    client.close(DEADLINE)

    assert before == []
    assert sorted(thread.name for thread in during) == [f"metarouter-intercom-billing-{n}" for n in (1, 2, 3)]
    assert all(thread.daemon for thread in during)
    assert _threads("billing") == []


def _threads(name):
    return [
        thread for thread in threading.enumerate() if thread.name.startswith(f"metarouter-intercom-{name}-")
    ]


def test_background_delivery_needs_no_flush():
    """W1: what was accepted goes out by itself, at the latest after ``flush_interval``."""
    delivered = threading.Event()
    client = background_client(answering(), after=[lambda delivery: delivered.set()])

    client.track("u-1", "A")

    assert delivered.wait(DEADLINE)
    client.close(DEADLINE)


def test_a_client_that_is_not_enabled_accepts_and_sends_nothing(tmp_path):
    """W1: with ``enabled=False`` all is accepted, counted and told, and nothing is sent, not even what a spool still holds."""
    spool = tmp_path / "a.spool"
    waiting = manual_client(answering(503), spool=spool)
    waiting.track("u-1", "Before")
    waiting.close(0)
    ends, transport = [], ScriptedTransport([])

    client = manual_client(
        transport,
        spool=spool,
        enabled=False,
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )
    client.track("u-1", "A")
    client.flush()
    client.delete("u-2")
    report = client.close()

    assert transport.requests == []
    assert (report.accepted, report.skipped, report.pending) == (1, {"disabled": 1}, 1)
    assert ends == [("skipped", "disabled")]


def test_two_clients_know_nothing_of_each_other():
    """W1: credentials held, numbers, threads and ends of one client are its own."""
    good = background_client(answering(), name="good")
    bad = background_client(answering(401), name="bad")

    for client in (good, bad):
        client.track("u-1", "A")
        client.flush(DEADLINE)

    assert (good.health().status, bad.health().status) == ("ok", "held")
    assert (good.report().delivered, bad.report().delivered) == (1, 0)
    assert (good.stats().name, bad.stats().name) == ("good", "bad")
    bad.close(0)
    good.track("u-2", "B")
    assert good.close(DEADLINE).delivered == 2


# --- flush and close (W2) -----------------------------------------------------------------------------------


def test_a_flush_waits_for_what_was_accepted_before_it():
    """W2: when ``flush`` returns, everything accepted before is delivered."""
    client = background_client(answering())
    for number in range(50):
        client.track(f"u-{number}", "A")

    report = client.flush(DEADLINE)

    assert (report.accepted, report.delivered, report.pending) == (50, 50, 0)
    client.close(DEADLINE)


def test_a_flush_does_not_wait_for_what_came_after_it():
    """W2: a busy application must be able to flush: messages that arrive during it are not its business."""
    late, gate = threading.Event(), Gated()
    client = background_client(gate, workers=2, after=[lambda delivery: late.set()])
    client.track("u-1", "Before")
    assert gate.entered.wait(DEADLINE)
    flushed = threading.Event()

    def flush():
        client.flush(None)
        flushed.set()

    in_thread(flush)
    blocked = threading.Event()
    client.track("u-2", "After")
    client._parts.transport._answer = lambda request: (blocked.wait(DEADLINE), Response(202))[1] if (
        request.body["event_name"] == "After"
    ) else Response(202)  # fmt: skip
    gate.let_through()

    assert flushed.wait(DEADLINE)
    assert late.is_set()
    blocked.set()
    client.close(DEADLINE)


def test_a_flush_is_over_in_time_though_a_request_hangs():
    """W2: a worker that waits for an answer does not keep the caller beyond *timeout*; what is left is pending."""
    gate = Gated()
    client = background_client(gate)
    client.track("u-1", "A")

    report = client.flush(0.05)

    assert (report.delivered, report.pending) == (0, 1)
    gate.let_through()
    assert client.close(DEADLINE).delivered == 1


@pytest.mark.parametrize("error", [ConnectFailed("down"), Response(503), Response(401)])
def test_a_flush_never_raises_for_the_network(error):
    """W2: no answer, a broken Intercom, refused credentials: the report tells, nothing is raised."""
    client = manual_client(ScriptedTransport(lambda request: error))
    client.track("u-1", "A")

    report = client.flush(timeout=1.0)

    assert (report.delivered, report.pending) == (0, 1)


def test_a_flush_that_delivers_itself_does_not_wait_for_a_rate_limit():
    """W2, T4: a reset that comes after the end of the flush ends it; the message stays."""
    clock = FakeClock()
    reset = {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(clock.now() + 60)[:10],
    }
    client = manual_client(ScriptedTransport([Response(429, None, reset), Response(202)]), clock=clock)
    client.track("u-1", "A")
    before = clock.now()

    report = client.flush(timeout=2.0)

    assert report.pending == 1
    assert clock.now() - before <= 2.5
    assert client.flush(timeout=120.0).delivered == 1


def test_an_interrupted_flush_gives_back_what_it_has_in_hand():
    """W2: Ctrl-C, or a signal's handler that exits, ends the flush; the next one delivers the message."""
    client = manual_client(ScriptedTransport([KeyboardInterrupt(), Response(202)]))
    client.track("u-1", "A")

    with pytest.raises(KeyboardInterrupt):
        client.flush()

    assert client.flush(timeout=5).delivered == 1


def test_an_interrupted_close_can_be_repeated():
    """W2: what a first ``close`` did not come to, the second one does."""
    client = manual_client(ScriptedTransport([KeyboardInterrupt(), Response(202)]))
    client.track("u-1", "A")
    with pytest.raises(KeyboardInterrupt):
        client.close()

    report = client.close(timeout=5)

    assert (report.delivered, report.pending) == (1, 0)


def test_close_delivers_and_with_closes():
    """W2: ``close`` flushes, and ``with`` closes, also after an error."""
    transport = answering()

    def use_it():
        with manual_client(transport) as client:
            client.track("u-1", "A")
            raise LookupError

    with pytest.raises(LookupError):
        use_it()

    assert len(transport.requests) == 1


def test_what_close_cannot_deliver_from_memory_is_dropped_and_told(caplog):
    """W2, P2: counted, told to both hooks, logged as a number."""
    dropped, ends = [], []
    client = manual_client(
        answering(503),
        on_drop=lambda message, reason: dropped.append((message["event"], reason)),
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )
    client.track("u-1", "A")
    client.track("u-2", "B")

    report = client.close(timeout=0)

    assert (report.accepted, report.dropped, report.pending) == (2, {"closed": 2}, 0)
    assert sorted(dropped) == [("A", "closed"), ("B", "closed")]
    assert ends == [("dropped", "closed")] * 2
    lost = [record for record in caplog.records if "lost" in record.getMessage()]
    assert [(record.pending, record.connection) for record in lost] == [(2, "testing")]


def test_what_a_hanging_thread_has_in_hand_is_pending_in_the_last_report(caplog):
    """W2: nobody knows what becomes of it, so it is neither delivered nor dropped; it is in the number that is logged."""
    gate = Gated()
    client = background_client(gate)
    client.track("u-1", "A")
    assert gate.entered.wait(DEADLINE)

    report = client.close(0)

    assert (report.pending, report.dropped) == (1, {})
    assert [record.pending for record in caplog.records if "lost" in record.getMessage()] == [1]
    gate.refuse()


def test_what_close_cannot_deliver_from_a_spool_stays_there(tmp_path, caplog):
    """W2: with a spool nothing is dropped; the next client delivers it."""
    client = manual_client(answering(503), spool=tmp_path / "a.spool")
    client.track("u-1", "A")

    report = client.close(timeout=0)

    assert (report.pending, report.dropped) == (1, {})
    assert [record for record in caplog.records if "lost" in record.getMessage()] == []
    with manual_client(spool=tmp_path / "a.spool") as later:
        assert later.flush().delivered == 1


def test_a_closed_client_still_tells_its_numbers(tmp_path):
    """W5: report, stats, health and a second close after the end tell the last state and touch no file."""
    for choices in ({}, {"spool": tmp_path / "a.spool"}):
        client = manual_client(**choices)
        client.track("u-1", "A")
        last = client.close()

        assert client.report() == last == client.close() == client.flush()
        assert client.stats().delivered == 1
        assert client.stats().oldest_age is None
        assert client.health().status == "closed"


def test_closing_from_several_threads_closes_once_and_all_wait():
    """W2: whoever closes later gets the same last report, after the end of the first."""
    gate = Gated()
    client = background_client(gate)
    client.track("u-1", "A")
    assert gate.entered.wait(DEADLINE)
    reports = []

    closers = [in_thread(lambda: reports.append(client.close(DEADLINE))) for _ in range(4)]
    gate.let_through()
    for closer in closers:
        closer.join(DEADLINE)

    assert [report.delivered for report in reports] == [1, 1, 1, 1]


def test_calls_while_closing_are_delivered_or_refused():
    """W2: a call that meets the end of the client raises ClientClosed or its message is delivered: none just disappears."""
    client = background_client(answering(), max_buffered=100_000)
    begun = threading.Barrier(5, timeout=DEADLINE)
    taken, refused = [], []

    def call(number):
        begun.wait()
        for step in range(10_000):
            try:
                taken.append(client.track(f"u-{number}", "A"))
            except ClientClosed:
                refused.append(step)
                return

    callers = [in_thread(lambda number=number: call(number)) for number in range(4)]
    begun.wait()
    report = client.close(DEADLINE)
    for caller in callers:
        caller.join(DEADLINE)

    assert len(refused) == 4
    assert report.delivered + sum(report.dropped.values()) == len(taken)
    assert report.dropped == {}


def test_a_call_that_the_end_overtakes_is_told():
    """W2: a message that reaches the buffer after the end was counted is not taken in silence."""

    class Slow(MemoryBuffer):
        def accept(self, *args, **kwargs):
            client.close(0)
            return super().accept(*args, **kwargs)

    client = manual_client(buffer=Slow(limit=10, dead_letters=10))

    with pytest.raises(ClientClosed, match="during this call"):
        client.track("u-1", "A")


# --- hooks (P1, P2) -----------------------------------------------------------------------------------------


def test_before_hooks_change_and_drop_in_order():
    """P1: each hook sees the message as the one before it left it; a drop ends it, with its reason."""
    import attrs

    def rename(message):
        return attrs.evolve(message, traits={**message.traits, "name": "Grace"})

    def without_staff(message):
        assert isinstance(message, Identify)
        return (
            Drop("staff") if message.traits.get("name") == "Grace" and message.user_id == "s-1" else message
        )

    dropped, transport = [], answering()
    client = manual_client(
        transport, before=[rename, without_staff], on_drop=lambda message, reason: dropped.append(reason)
    )
    for user in ("u-1", "s-1"):
        client.identify(user, {"name": "Ada"})
    report = client.flush()

    assert [request.body["name"] for request in transport.requests] == ["Grace"]
    assert (report.accepted, report.dropped, dropped) == (2, {"staff": 1}, ["staff"])


@pytest.mark.parametrize("fault", ["raise", "nothing", "too much"])
def test_a_before_hook_that_fails_sends_the_message_to_the_dead_letters(fault, caplog):
    """P1: as it was before the hooks, told and counted; no half-filtered message goes out, and the caller sees no error."""
    import attrs

    def hook(message):
        if fault == "raise":
            raise KeyError(_PRIVATE)
        return None if fault == "nothing" else attrs.evolve(message, traits={"note": "x" * 100_000})

    errors, ends, transport = [], [], ScriptedTransport([])
    client = manual_client(
        transport,
        before=[hook],
        on_error=lambda error, messages: errors.append((error.reason, len(messages))),
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )

    message_id = client.identify("u-1", {"name": "Ada"})
    report = client.flush()

    letter = client.dead_letters.list()[0]
    assert (letter.reason, letter.message["messageId"]) == ("plugin_failed", message_id)
    assert letter.message["traits"] == {"name": "Ada"}
    assert (report.accepted, report.dead) == (1, {"plugin_failed": 1})
    assert errors == [("plugin_failed", 1)]
    assert ends == [("dead", "plugin_failed")]
    assert "ada@example.com" not in caplog.text


def test_the_end_of_every_message_is_told_once():
    """P2: delivered, merged, skipped, dropped, dead: each message that was accepted has one end, and the numbers add up."""

    def answer(request):
        return Response(400 if "bad" in str(request.body) else 202)

    def before(message):
        return Drop() if message.user_id == "dropped" else message

    ends: dict[str, list[str]] = {}
    client = manual_client(
        ScriptedTransport(answer),
        max_buffered=8,
        before=[before],
        after=[lambda delivery: ends.setdefault(delivery.message["messageId"], []).append(delivery.outcome)],
    )
    ids = [client.identify("u-1", {"step": step}) for step in range(3)]
    ids += [
        client.track("u-1", "bad"),
        client.page("u-1"),
        client.track("dropped", "A"),
        client.track("u-2", "A"),
    ]
    ids += [client.track(f"u-{number}", "A") for number in range(3, 6)]
    report = client.flush()
    client.close()

    assert sorted(ends) == sorted(ids)
    assert {len(outcomes) for outcomes in ends.values()} == {1}
    told = report.delivered + sum(
        sum(numbers.values()) for numbers in (report.skipped, report.dropped, report.dead)
    )
    assert (report.accepted, report.pending) == (told, 0)
    assert (report.merged, report.dead, report.dropped) == (
        2,
        {"http_400": 1},
        {"before_hook": 1, "buffer_full": 1},
    )


def test_hooks_that_raise_change_nothing(caplog):
    """P2: errors of after, on_error and on_drop hooks are logged without their text, and counted."""

    def fail(*_):
        raise RuntimeError(_PRIVATE)

    client = manual_client(
        ScriptedTransport([Response(400), Response(202)]),
        max_buffered=2,
        after=[fail],
        on_error=fail,
        on_drop=fail,
    )
    for number in range(3):
        client.track(f"u-{number}", "A")
    report = client.flush()

    assert (report.delivered, report.dead, report.dropped) == (1, {"http_400": 1}, {"buffer_full": 1})
    assert report.notes["P2: after-hook raised"] == 3
    told = {record.getMessage() for record in caplog.records}
    assert {"an after-hook raised", "the on_error hook raised", "the on_drop hook raised"} <= told
    assert "ada@example.com" not in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("delivery", ["background", "manual", "inline"])
@pytest.mark.parametrize("method", ["flush", "close"])
def test_hooks_may_flush_and_close(delivery, method):
    """W2: a hook that flushes or closes neither hangs nor loses a message, although its own thread is the one to deliver."""
    told, done = [], threading.Event()

    def hook(end):
        told.append(getattr(client, method)().pending)
        if len(told) == 1 and method == "close":
            done.set()

    client = background_client(answering(), workers=1, delivery=delivery, after=[hook])
    worker = in_thread(lambda: _send_some(client))
    worker.join(DEADLINE)
    assert not worker.is_alive()
    report = client.close(DEADLINE)

    assert report.delivered == report.accepted
    assert report.pending == 0
    assert len(told) == report.delivered
    if method == "close":
        assert done.is_set()


def _send_some(client):
    try:
        for number in range(5):
            client.track(f"u-{number}", "A")
    except ClientClosed:
        return
    client.flush(DEADLINE)


def test_an_error_hook_may_flush_while_credentials_are_held():
    """W2, T1: the hook that is told of held credentials does not wait for the probe that it stands in the way of."""
    answers = [Response(401)]
    seen = []

    def on_error(error, messages):
        seen.append((error.reason, client.flush().pending))

    client = background_client(
        ScriptedTransport(lambda request: answers.pop() if answers else Response(202)),
        workers=1,
        on_error=on_error,
    )
    client.track("u-1", "A")
    client.flush(DEADLINE)
    report = client.close(DEADLINE)

    assert [reason for reason, _ in seen] == ["held"]
    assert report.delivered == 1


def test_hooks_may_send_messages():
    """P2: an after-hook may track, for instance that somebody was written."""

    def hook(delivery):
        if delivery.message["type"] == "identify":
            client.track("u-1", "Written")

    transport = answering()
    client = background_client(transport, workers=1, after=[hook])
    client.identify("u-1", {"name": "Ada"})
    client.flush(DEADLINE)
    report = client.close(DEADLINE)

    assert report.delivered == 2


# --- replaceable parts (P3) ---------------------------------------------------------------------------------


def test_every_part_can_be_replaced():
    """P3: transport, buffer, translator and clock are those that were handed in."""
    seen = []

    class Noting(MemoryBuffer):
        def accept(self, message, **facts):
            seen.append(("buffer", message["event"], facts["now"]))
            return super().accept(message, **facts)

    def translator(message):
        seen.append(("translator", message.event))
        return Translation(skipped="not_wanted")

    client = manual_client(
        ScriptedTransport([]),
        buffer=Noting(limit=10, dead_letters=10),
        translator=translator,
        clock=FakeClock(5.0),
    )
    client.track("u-1", "A")

    assert client.flush().skipped == {"not_wanted": 1}
    assert seen == [("buffer", "A", 5.0), ("translator", "A")]


def test_a_buffer_of_ones_own_is_not_taken_for_lost():
    """P3: what is left in it at the end is its own business: nothing is dropped, nothing is logged as lost."""
    buffer = MemoryBuffer(limit=10, dead_letters=10)
    client = manual_client(answering(503), buffer=buffer)
    client.track("u-1", "A")

    report = client.close(0)

    assert (report.dropped, report.pending, buffer.pending()) == ({}, 1, 1)


def test_a_transport_that_raises_what_it_should_not_costs_its_own_messages_alone(caplog):
    """P3: an unforeseen error is repeated a few times, then the message is a dead letter; the others pass, and nothing is stuck."""

    def answer(request):
        return ValueError(_PRIVATE) if request.body["event_name"] == "Bad" else Response(202)

    ends, errors = [], []
    client = manual_client(
        ScriptedTransport(answer),
        after=[lambda delivery: ends.append((delivery.message["event"], delivery.outcome))],
        on_error=lambda error, messages: errors.append(error.reason),
    )
    for user, event in (("u-1", "Bad"), ("u-2", "Good"), ("u-3", "Bad"), ("u-4", "Good")):
        client.track(user, event)

    report = client.flush(timeout=600)
    client.track("u-5", "Good")

    assert client.flush(timeout=60).delivered == 3
    assert report.dead == {"internal_error": 2}
    assert sorted(ends) == [("Bad", "dead")] * 2 + [("Good", "delivered")] * 3
    assert errors == ["internal_error"] * 2
    assert "ada@example.com" not in caplog.text


def test_a_translator_that_raises_costs_one_message(caplog):
    """P3: its message becomes a dead letter, the others pass."""

    def translator(message):
        if message.event == "Bad":
            raise ValueError(_PRIVATE)
        return Translation(skipped="fine")

    client = manual_client(translator=translator)
    for event in ("Bad", "Good"):
        client.track("u-1", event)

    report = client.flush()

    assert (report.dead, report.skipped) == ({"translator_failed": 1}, {"fine": 1})
    assert "ada@example.com" not in caplog.text


# --- Intercom's answers to the client itself (check, delete) ------------------------------------------------


def test_check_tells_the_workspace():
    """``check`` asks ``GET /me`` and returns whose token it is."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, app_id="abc123", name="Example", region="EU")
    client = manual_client(WorkspaceTransport(workspace), clock=clock, app_id="abc123", region="eu")

    account = client.check()

    assert (account.app_id, account.name, account.region) == ("abc123", "Example", "eu")


@pytest.mark.parametrize(
    ("choices", "token", "words"),
    [
        ({}, "wrong", "api_key: Intercom refused the token"),
        ({"region": "eu"}, None, "region: the workspace lives in 'us'"),
        ({"app_id": "zzz"}, None, "app_id: 'zzz' was given, but the token opens the workspace"),
    ],
)
def test_check_names_what_is_wrong_with_its_remedy(choices, token, words):
    """A wrong token, region or workspace is a ConfigurationError that says what to set."""
    clock = FakeClock()
    client = manual_client(WorkspaceTransport(Workspace(now=clock.now), token=token), clock=clock, **choices)

    with pytest.raises(ConfigurationError, match=words):
        client.check()


def test_check_sets_held_messages_free():
    """T1: once the credentials are good, what was held goes out at once."""
    answers = [Response(401), Response(200, {"app": {"id_code": "a"}}), Response(202)]
    client = manual_client(ScriptedTransport(answers))
    client.track("u-1", "A")
    client.flush(0)
    assert client.health().status == "held"
    assert client.report().held == 1

    client.check()

    assert client.health().status == "ok"
    assert client.flush(0).delivered == 1


def test_delete_drops_what_is_buffered_and_deletes():
    """D1: the contact is gone, its buffered messages are dropped and told, and others' are delivered."""
    dropped = []
    client, workspace = workspace_client(
        on_drop=lambda message, reason: dropped.append((message["userId"], reason))
    )
    for user in ("u-1", "u-2"):
        client.identify(user, {"email": f"{user}@example.com"})
    client.flush()
    for user in ("u-1", "u-2"):
        client.identify(user, {"name": "Ada"})

    client.delete("u-1")
    client.flush()

    assert dropped == [("u-1", "deleted")]
    assert list(workspace.snapshot()["contacts"]) == ["u-2"]


def test_delete_by_email_archive_and_of_somebody_unknown():
    """D1: an e-mail address serves as well, ``archive`` only puts away, and who is not there is deleted already."""
    client, workspace = workspace_client()
    client.identify("u-1", {"email": "ada@example.com"})
    client.flush()

    client.delete("nobody")
    client.delete(email="ada@example.com", archive=True)

    assert workspace.snapshot()["contacts"]["u-1"]["archived"] is True


@pytest.mark.parametrize("choice", [{}, {"user_id": "u-1", "email": "ada@example.com"}])
def test_delete_needs_one_name(choice):
    """D1: neither or both is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="delete"):
        manual_client().delete(**choice)


def test_delete_tells_a_refusal():
    """D1: the call is synchronous, so a refusal is raised with Intercom's answer."""
    client = manual_client(answering(403, {"errors": [{"code": "forbidden", "message": "no scope"}]}))

    with pytest.raises(DeliveryFailed, match="no scope") as caught:
        client.delete("u-1")

    assert caught.value.status == 403


def test_delete_waits_for_what_is_on_its_way():
    """D1: a write in a worker's hand would bring the contact back, so the deletion comes after it."""
    gate = Gated(lambda request: Response(200, {"id": "c-1", "data": [], "contacts": []}))
    client = background_client(gate)
    client.identify("u-1", {"name": "Ada"})
    assert gate.entered.wait(DEADLINE)

    deletion = in_thread(lambda: client.delete("u-1"))
    gate.let_through()
    deletion.join(DEADLINE)
    client.close(DEADLINE)

    methods = [request.method for request in gate.requests]
    assert "DELETE" in methods
    assert methods.index("DELETE") > [request.path for request in gate.requests].index("/contacts")


# --- observing (W5) and secrets -----------------------------------------------------------------------------


def test_numbers_carry_the_names_of_the_design():
    """W5: report and stats share their names; stats adds the state of the moment."""
    client = manual_client(name="billing")
    client.track("u-1", "A")
    client._clock.advance(5)
    stats, report = client.stats(), client.report()

    plain = ("accepted", "delivered", "merged", "unchanged", "retried", "held", "pending")
    reasoned = ("skipped", "dropped", "rejected", "dead")
    assert [getattr(stats, name) == getattr(report, name) for name in plain + reasoned] == [True] * 11
    assert (stats.name, stats.buffered, stats.oldest_age) == ("billing", 1, 5.0)
    assert tuple(stats.rate) == (None, None, None)


def test_the_rate_limit_is_told():
    """W5: ``stats().rate`` holds Intercom's last words about the budget."""
    clock = FakeClock()
    headers = {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "90",
        "x-ratelimit-reset": str(int(clock.now()) + 9),
    }
    client = manual_client(ScriptedTransport([Response(202, None, headers)]), clock=clock)
    client.track("u-1", "A")
    client.flush()

    assert tuple(client.stats().rate) == (100, 90, int(clock.now()) + 9)


def test_health_tells_an_outage():
    """W5: a run of failures shows as ``failing``, with reason and since when."""
    clock = FakeClock()
    client = manual_client(ScriptedTransport(lambda request: ConnectFailed("down")), clock=clock)
    for number in range(6):
        client.track(f"u-{number}", "A")
    client.flush(timeout=1.0)

    health = client.health()
    assert (health.status, health.reason, health.is_ok) == ("failing", "connect_failed", False)
    assert health.since >= 1_767_225_600.0


def test_no_secret_and_no_trait_is_shown(caplog):
    """W5: neither key, e-mail nor trait appears in representations, errors or the log, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)

    def fail(*_):
        raise ValueError(_PRIVATE)

    answers = iter(
        [Response(401), Response(400, {"errors": [{"message": "bad"}]}), ConnectFailed("down"), Response(503)]
    )
    client = manual_client(
        ScriptedTransport(lambda request: next(answers, Response(202))), after=[fail], on_error=fail, on_drop=fail,
        max_buffered=6, on_invalid="log", identity_secret="very-secret",
    )  # fmt: skip
    for number in range(8):
        client.identify(f"u-{number}", {"email": "ada@example.com", "plan": "very-private"})
    client.track("u-1", None)
    client.flush(timeout=1.0)
    client.flush(timeout=10.0)
    client.close(0)

    shown = caplog.text + repr(client) + repr(client.settings) + str(client.settings)
    shown += "".join(str(vars(record)) for record in caplog.records if record.name.startswith("metarouter"))
    for secret in ("secret-key", "very-secret", "ada@example.com", "very-private"):
        assert secret not in shown


def test_a_client_cannot_be_pickled():
    """W3: a client belongs to a process; sending it to another one is told with the remedy."""
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(manual_client())


def test_the_logger_is_left_to_the_host():
    """W5: no handler but the null one, no level."""
    logger = logging.getLogger("metarouter_intercom")
    manual_client()

    assert logger.level == logging.NOTSET
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
