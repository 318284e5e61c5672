"""What a call accepts, copies and rejects, and what it does when the buffer is full (rules Q1, Q2, Q4, Q5)."""

from __future__ import annotations

import pytest

from metarouter_intercom import (
    BufferFull,
    ClientClosed,
    RejectedMessage,
)
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import (
    DEADLINE,
    BlockingTransport,
    answering,
    background_client,
    in_thread,
    manual_client,
)


def test_a_call_returns_its_message_id_and_sends_nothing():
    """Q1: a call returns the id that it was given, or a new one each time, and does no network I/O."""
    transport = ScriptedTransport([])
    client = manual_client(transport)

    ids = [client.track("u-1", "A"), client.identify("u-1"), client.track("u-1", "A", message_id="mine")]

    assert ids[2] == "mine"
    assert len({*ids}) == 3
    assert transport.requests == []


def test_changing_the_data_after_the_call_does_not_change_the_message():
    """Q1: the message is a copy, nested values included."""
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
def test_a_message_that_can_never_be_delivered_is_rejected(call, path):
    """Q2: RejectedMessage names the path; the message is not buffered, and the rejection is counted."""
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


def test_rejections_can_be_logged_instead_of_raised(caplog):
    """Q2: with ``on_invalid="log"`` a rejection is logged and counted, and the call returns an empty text."""
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
def test_a_closed_client_accepts_nothing(choice):
    """Q2: every call after ``close`` raises ClientClosed, also with ``on_invalid="log"``."""
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


def test_a_full_buffer_can_raise():
    """Q4: with ``when_full="raise"`` the call raises BufferFull and does not accept the message."""
    client = manual_client(max_buffered=1, when_full="raise")
    client.track("u-1", "A")

    with pytest.raises(BufferFull, match="max_buffered: 1 "):
        client.track("u-1", "B")

    assert client.report().accepted == 1


def test_a_full_buffer_drops_new_messages_by_default(caplog):
    """Q4: in memory new messages are dropped: each is counted and reported to both hooks, and a line is logged once a minute."""
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


def test_a_full_buffer_can_make_the_caller_wait():
    """Q4: with ``when_full="block"`` the call waits until there is room, and then accepts the message."""
    circuit = BlockingTransport()
    client = background_client(circuit, max_buffered=1, when_full="block", block_timeout=DEADLINE)
    client.track("u-1", "A")
    assert circuit.entered.wait(DEADLINE)

    waiting = in_thread(lambda: client.track("u-1", "B"))
    circuit.let_through()
    waiting.join(DEADLINE)
    report = client.close(DEADLINE)

    assert (report.accepted, report.delivered, report.dropped) == (2, 2, {})


def test_waiting_for_room_has_an_end():
    """Q4: if there is no room after ``block_timeout``, the call raises BufferFull."""
    clock = FakeClock()
    client = manual_client(clock=clock, max_buffered=1, when_full="block", block_timeout=3.0)
    client.track("u-1", "A")
    before = clock.now()

    with pytest.raises(BufferFull):
        client.track("u-1", "B")

    assert clock.now() - before == pytest.approx(3.0)


def test_the_same_message_id_counts_once():
    """Q5: a second message with the id of a buffered one is counted as a duplicate and not accepted; the call returns the same id."""
    transport = answering()
    client = manual_client(transport)

    ids = [client.track("u-1", "A", message_id="m-1") for _ in range(3)]
    report = client.flush()

    assert ids == ["m-1"] * 3
    assert (report.accepted, report.duplicates, report.delivered) == (1, 2, 1)
    assert len(transport.requests) == 1
