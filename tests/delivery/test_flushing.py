"""What ``flush`` and ``close`` promise (rule W2)."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom import (
    ClientClosed,
    ConnectFailed,
)
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import (
    DEADLINE,
    BlockingTransport,
    answering,
    background_client,
    in_thread,
    manual_client,
)


def test_a_flush_waits_for_what_was_accepted_before_it():
    """W2: when ``flush`` returns, everything that was accepted before it is delivered."""
    client = background_client(answering())
    for number in range(50):
        client.track(f"u-{number}", "A")

    report = client.flush(DEADLINE)

    assert (report.accepted, report.delivered, report.pending) == (50, 50, 0)
    client.close(DEADLINE)


def test_a_flush_does_not_wait_for_what_came_after_it():
    """W2: a busy application must be able to flush, so a flush ignores messages that arrive during it."""
    late, transport = threading.Event(), BlockingTransport()
    client = background_client(transport, workers=2, after=[lambda delivery: late.set()])
    client.track("u-1", "Before")
    assert transport.entered.wait(DEADLINE)
    flushed = threading.Event()

    def flush():
        client.flush(None)
        flushed.set()

    in_thread(flush)
    blocked = threading.Event()
    client.track("u-2", "After")
    client._dependencies.transport._answer = lambda request: (blocked.wait(DEADLINE), Response(202))[1] if (
        request.body["event_name"] == "After"
    ) else Response(202)  # fmt: skip
    transport.let_through()

    assert flushed.wait(DEADLINE)
    assert late.is_set()
    blocked.set()
    client.close(DEADLINE)


def test_a_flush_ends_in_time_although_a_request_hangs():
    """W2: a worker that waits for an answer does not keep the caller longer than *timeout*; its message is pending."""
    transport = BlockingTransport()
    client = background_client(transport)
    client.track("u-1", "A")

    report = client.flush(0.05)

    assert (report.delivered, report.pending) == (0, 1)
    transport.let_through()
    assert client.close(DEADLINE).delivered == 1


@pytest.mark.parametrize("error", [ConnectFailed("down"), Response(503), Response(401)])
def test_a_flush_never_raises_for_the_network(error):
    """W2: without an answer, during an outage, with refused credentials: the report says so, and nothing is raised."""
    client = manual_client(ScriptedTransport(lambda request: error))
    client.track("u-1", "A")

    report = client.flush(timeout=1.0)

    assert (report.delivered, report.pending) == (0, 1)


def test_a_flush_that_delivers_itself_does_not_wait_for_a_rate_limit():
    """W2, T4: if the reset is later than the flush's timeout, the flush ends at once; the message stays."""
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


def test_an_interrupted_flush_releases_its_messages():
    """W2: Ctrl-C, or a signal handler that exits, ends the flush; the next one delivers the message."""
    client = manual_client(ScriptedTransport([KeyboardInterrupt(), Response(202)]))
    client.track("u-1", "A")

    with pytest.raises(KeyboardInterrupt):
        client.flush()

    assert client.flush(timeout=5).delivered == 1


def test_an_interrupted_close_can_be_repeated():
    """W2: a second ``close`` does what the interrupted first one did not."""
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


def test_what_close_cannot_deliver_from_memory_is_dropped_and_reported(caplog):
    """W2, P2: the loss is counted, reported to both hooks, and logged as a number."""
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


def test_a_message_of_a_hanging_thread_is_pending_in_the_last_report(caplog):
    """W2: its end is unknown, so it counts as neither delivered nor dropped; the logged number includes it."""
    transport = BlockingTransport()
    client = background_client(transport)
    client.track("u-1", "A")
    assert transport.entered.wait(DEADLINE)

    report = client.close(0)

    assert (report.pending, report.dropped) == (1, {})
    assert [record.pending for record in caplog.records if "lost" in record.getMessage()] == [1]
    transport.refuse()


def test_what_close_cannot_deliver_from_a_spool_stays_there(tmp_path, caplog):
    """W2: with a spool nothing is dropped; the next client delivers it."""
    client = manual_client(answering(503), spool=tmp_path / "a.spool")
    client.track("u-1", "A")

    report = client.close(timeout=0)

    assert (report.pending, report.dropped) == (1, {})
    assert [record for record in caplog.records if "lost" in record.getMessage()] == []
    with manual_client(spool=tmp_path / "a.spool") as later:
        assert later.flush().delivered == 1


def test_a_closed_client_still_reports_its_numbers(tmp_path):
    """W5: report, stats, health and a second close return the last state and touch no file."""
    for choices in ({}, {"spool": tmp_path / "a.spool"}):
        client = manual_client(**choices)
        client.track("u-1", "A")
        last = client.close()

        assert client.report() == last == client.close() == client.flush()
        assert client.stats().delivered == 1
        assert client.stats().oldest_age is None
        assert client.health().status == "closed"


def test_closing_from_several_threads_closes_once_and_all_wait():
    """W2: later closes return the same last report, after the first close has ended."""
    transport = BlockingTransport()
    client = background_client(transport)
    client.track("u-1", "A")
    assert transport.entered.wait(DEADLINE)
    reports = []

    closers = [in_thread(lambda: reports.append(client.close(DEADLINE))) for _ in range(4)]
    transport.let_through()
    for closer in closers:
        closer.join(DEADLINE)

    assert [report.delivered for report in reports] == [1, 1, 1, 1]


def test_calls_while_closing_are_delivered_or_refused():
    """W2: a call during a close either raises ClientClosed, or its message is delivered: no message disappears."""
    client = background_client(answering(), max_buffered=100_000)
    begun = threading.Barrier(5, timeout=DEADLINE)
    accepted, refused = [], []

    def call(number):
        begun.wait()
        for step in range(10_000):
            try:
                accepted.append(client.track(f"u-{number}", "A"))
            except ClientClosed:
                refused.append(step)
                return

    callers = [in_thread(lambda number=number: call(number)) for number in range(4)]
    begun.wait()
    report = client.close(DEADLINE)
    for caller in callers:
        caller.join(DEADLINE)

    assert len(refused) == 4
    assert report.delivered + sum(report.dropped.values()) == len(accepted)
    assert report.dropped == {}


def test_a_call_that_a_close_overtakes_raises():
    """W2: a message that reaches the buffer after the close has counted its messages is not lost in silence."""

    class Slow(MemoryBuffer):
        def accept(self, *args, **kwargs):
            client.close(0)
            return super().accept(*args, **kwargs)

    client = manual_client(buffer=Slow(limit=10, dead_letters=10))

    with pytest.raises(ClientClosed, match="during this call"):
        client.track("u-1", "A")


def test_closing_with_a_spool_does_not_wait_for_the_end_of_an_outage(tmp_path):
    """W2: during an outage the messages are safe in the spool, so ``close`` without a timeout returns."""
    client = manual_client(
        ScriptedTransport(lambda request: ConnectFailed("down")), spool=tmp_path / "a.spool"
    )
    for number in range(8):
        client.track(f"u-{number}", "A")

    report = client.close()

    assert report.pending == 8
    assert report.dead == {}


def test_a_second_close_waits_no_longer_than_its_timeout():
    """W2: a close with a timeout returns in time although another close is running."""
    transport = BlockingTransport()
    client = background_client(transport)
    client.track("u-1", "A")
    assert transport.entered.wait(DEADLINE)
    first = in_thread(lambda: client.close(DEADLINE))
    while client.health().status != "closed":
        client.flush(0.001)

    report = client.close(0.01)
    transport.let_through()
    first.join(DEADLINE)

    assert report.pending == 1
    assert client.report().delivered == 1


def test_a_flush_returns_when_everything_settled_is_reported():
    """W2: when a flush returns, its report and the after-hooks include every message that it waited for."""
    settled, may_report = threading.Event(), threading.Event()
    reported, seen = [], []

    def slow(delivery):
        settled.set()
        may_report.wait(DEADLINE)
        reported.append(delivery)

    client = background_client(answering(), after=[slow])
    client.track("u-1", "A")
    flushing = in_thread(lambda: seen.append((client.flush(DEADLINE).delivered, len(reported))))
    settled.wait(DEADLINE)
    may_report.set()
    flushing.join(DEADLINE)

    assert seen == [(1, 1)]
    client.close(DEADLINE)
