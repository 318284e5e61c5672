"""Accepting: what a call takes, copies, rejects and does where there is no room (rules Q1, Q2, Q4, Q5)."""

from __future__ import annotations

import pytest

from metarouter_intercom import (
    BufferFull,
    ClientClosed,
    RejectedMessage,
)
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import DEADLINE, Gated, answering, background_client, in_thread, manual_client


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
        "connection testing: a message was rejected: invalid at event",
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
        "connection testing: the buffer is full (max_buffered 1): new messages are dropped"
    ] * 2
    report = client.flush()
    assert (report.accepted, report.delivered, report.dropped) == (4, 1, {"buffer_full": 3})


def test_a_full_buffer_may_make_the_caller_wait():
    """Q4: ``when_full="block"`` waits for room, and takes the message once there is some."""
    circuit = Gated()
    client = background_client(circuit, max_buffered=1, when_full="block", block_timeout=DEADLINE)
    client.track("u-1", "A")
    assert circuit.entered.wait(DEADLINE)

    waiting = in_thread(lambda: client.track("u-1", "B"))
    circuit.let_through()
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
