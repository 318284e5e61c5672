"""Who delivers a message, and when (rule W1); and what a synchronous operation does when Intercom does not answer."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom import (
    Client,
    ConnectFailed,
    DeliveryFailed,
)
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.plugins import Response, Settlement
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import (
    DEADLINE,
    BlockingTransport,
    answering,
    background_client,
    in_thread,
    manual_client,
)

# --- who delivers (W1) --------------------------------------------------------------------------------------


def test_inline_the_call_itself_delivers():
    """W1: with ``delivery="inline"`` the message is in Intercom when the call returns."""
    transport = answering()
    client = manual_client(transport, delivery="inline")

    client.track("u-1", "A")

    assert len(transport.requests) == 1
    assert client.report().delivered == 1


def test_inline_a_refusal_is_raised():
    """W1: a dead letter is raised with Intercom's answer, and kept."""
    body = {"request_id": "r-1", "errors": [{"code": "parameter_invalid", "message": "no good"}]}
    client = manual_client(answering(400, body), delivery="inline")

    with pytest.raises(DeliveryFailed, match="no good") as caught:
        client.track("u-1", "A")

    assert (caught.value.reason, caught.value.status) == ("http_400", 400)
    assert (caught.value.code, caught.value.request_id) == ("parameter_invalid", "r-1")
    assert len(client.dead_letters) == 1


def test_inline_refused_credentials_are_raised_and_the_message_is_held():
    """W1, T1: the call does not wait for a person; the message goes out once the credentials are corrected."""
    answers = [Response(401)]
    client = manual_client(
        ScriptedTransport(lambda request: answers.pop() if answers else Response(202)), delivery="inline"
    )
    with pytest.raises(DeliveryFailed) as caught:
        client.track("u-1", "A")

    report = client.flush()

    assert caught.value.reason == "held"
    assert (report.delivered, report.pending) == (1, 0)


def test_inline_a_message_that_another_thread_delivers_is_waited_for():
    """W1: two calls about one contact share a lane; the second returns once its message is delivered too, by either thread."""
    transport = BlockingTransport()
    client = Client(api_key="k", delivery="inline", transport=transport)
    first = in_thread(lambda: client.track("u-1", "A"))
    assert transport.entered.wait(DEADLINE)
    second = in_thread(lambda: client.track("u-1", "B"))

    transport.let_through()
    first.join(DEADLINE)
    second.join(DEADLINE)

    assert [request.body["event_name"] for request in transport.requests] == ["A", "B"]
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
    """W1: with ``enabled=False`` everything is accepted, counted and reported; nothing is sent, and a spool is not even opened."""
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
    assert (report.accepted, report.skipped, report.pending) == (1, {"disabled": 1}, 0)
    assert ends == [("skipped", "disabled")]


def test_two_clients_are_independent():
    """W1: each client has its own held credentials, numbers, threads and end."""
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


# --- rare cases -----------------------------------------------------------------------------------


def test_a_synchronous_operation_is_tried_a_few_times():
    """D1: if Intercom does not answer, ``delete`` makes four attempts with growing waits, then raises the last reason."""
    clock = FakeClock()
    transport = ScriptedTransport(lambda request: ConnectFailed("down"))
    client = manual_client(transport, clock=clock, backoff_base=1.0)

    with pytest.raises(DeliveryFailed) as caught:
        client.delete("u-1")

    assert caught.value.reason == "connect_failed"
    assert clock.sleeps == [1.0, 2.0, 4.0]
    assert len(transport.requests) == 4


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [(Response(401), "held", "credentials are refused"), (Response(503), "http_503", "does not answer")],
)
def test_nothing_synchronous_is_sent_while_held_or_tripped(answer, reason, words):
    """T1, T5: ``delete`` sends no further request that would be refused or not answered, and says why."""
    transport = ScriptedTransport(lambda request: answer)
    client = manual_client(transport)
    for number in range(6):
        client.track(f"u-{number}", "A")
    client.flush(0.1)
    before = len(transport.requests)

    with pytest.raises(DeliveryFailed, match=words) as caught:
        client.delete("u-7")

    assert caught.value.reason == reason
    assert len(transport.requests) == before


def test_inline_waits_for_the_end_of_an_outage():
    """W1, T5: a call during an outage waits until a probe succeeds, and returns when its message is delivered."""
    answers = [Response(503)] * 7
    clock = FakeClock()
    client = manual_client(
        ScriptedTransport(lambda request: answers.pop() if answers else Response(202)),
        clock=clock,
        delivery="inline",
    )

    client.track("u-1", "A")

    assert client.report().delivered == 1
    assert clock.sleeps != []


def test_inline_returns_when_another_process_has_delivered_the_message():
    """W1: another process of a shared spool may deliver the message; the call returns when the message is gone."""

    class Shared(MemoryBuffer):
        def claim(self, *, now, limit):
            claim = super().claim(now=now, limit=limit)
            if claim is not None:
                self.settle(claim, [Settlement(entry.seq, "ack") for entry in claim.entries], now=now)

    client = manual_client(ScriptedTransport([]), buffer=Shared(limit=10, dead_letters=10), delivery="inline")

    assert client.track("u-1", "A", message_id="m-1") == "m-1"
    assert client.report().pending == 0


@pytest.mark.parametrize(("size", "burst"), [(None, 1_024), (40, 10)])
def test_a_burst_wakes_a_resting_worker(size, burst):
    """W1: every 1,024th message wakes a worker, or a quarter of a small buffer, so that a long interval does not fill it."""
    delivered = threading.Event()
    client = background_client(
        answering(),
        flush_interval=3600.0,
        after=[lambda delivery: delivered.set()],
        workers=1,
        max_buffered=size,
    )
    resting = in_thread(lambda: client.track("u-0", "A"))
    resting.join(DEADLINE)
    assert delivered.wait(DEADLINE)
    delivered.clear()

    for number in range(burst):
        client.track(f"u-{number % 7}", "A")

    assert delivered.wait(DEADLINE)
    client.close(DEADLINE)


def test_a_client_on_a_spool_with_a_backlog_starts_by_itself(tmp_path):
    """Q3: messages of an earlier process are delivered without a first call."""
    manual = manual_client(answering(503), spool=tmp_path / "a.spool")
    manual.track("u-1", "A")
    manual.close(0)
    delivered = threading.Event()

    client = background_client(
        answering(), spool=tmp_path / "a.spool", after=[lambda delivery: delivered.set()]
    )

    assert delivered.wait(DEADLINE)
    client.close(DEADLINE)
