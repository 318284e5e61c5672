"""How long ``flush`` and ``close`` may take (rule W2)."""

from __future__ import annotations

import math
import threading
from decimal import Decimal

import pytest

from metarouter_intercom import Client, ConfigurationError, ReadFailed, Settings
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import (
    DEADLINE,
    BlockingTransport,
    accept,
    answering,
    background_client,
    in_thread,
    manual_client,
)

_FAR = 1000.0
_MISSING = Response(
    404, {"type": "error.list", "errors": [{"code": "not_found", "message": "User Not Found"}]}
)


@pytest.mark.parametrize(
    "timeout", [True, False, "5", "", math.nan, -math.nan, [], {}, 1j, object(), 10**400]
)
@pytest.mark.parametrize("method", ["flush", "close"])
def test_a_time_limit_that_is_no_number_is_refused(method, timeout):
    """W2: the error says what to pass, and the client stays open."""
    client = manual_client()

    with pytest.raises(ConfigurationError, match=r"timeout: .* is not a number of seconds; use"):
        getattr(client, method)(timeout)

    client.track("u-1", "A")
    assert client.close().delivered == 1


@pytest.mark.parametrize("timeout", [None, 1, 0.5, math.inf, 1e300, 10**12, Decimal("2.5")])
@pytest.mark.parametrize("method", ["flush", "close"])
def test_every_number_of_seconds_is_a_time_limit(method, timeout):
    """W2: whole and huge numbers, infinity and None work alike when Intercom answers."""
    client = manual_client()
    client.track("u-1", "A")

    assert getattr(client, method)(timeout).delivered == 1


@pytest.mark.parametrize("timeout", [0, -1, -math.inf])
def test_a_close_without_time_begins_no_request(timeout):
    """W2: a limit that is over is over; the message is dropped from memory and counted."""
    transport = answering()
    client = manual_client(transport)
    client.track("u-1", "A")

    report = client.close(timeout)

    assert (transport.requests, report.dropped) == ([], {"closed": 1})


@pytest.mark.parametrize("value", [None, -1, math.nan, "5", True])
def test_exit_timeout_is_a_number_from_0_on(value):
    """W2: a wrong setting is refused when the settings are built; infinity is a number."""
    with pytest.raises(ConfigurationError, match="exit_timeout"):
        Settings(api_key="key", exit_timeout=value)

    assert Settings(api_key="key", exit_timeout=math.inf).exit_timeout == math.inf


@pytest.mark.parametrize(
    ("end", "seconds"),
    [(lambda client: client.close(), 5.0), (lambda client: client.close(2), 2.0)],
    ids=["exit_timeout", "own"],
)
@pytest.mark.parametrize("answer", [Response(503), _MISSING, ReadFailed("lost"), Response(429)], ids=str)
def test_a_close_takes_no_longer_than_its_limit(end, seconds, answer):
    """W2: back-off, a missing contact, lost answers and the rate limit do not hold a close up."""
    clock = FakeClock()
    client = manual_client(ScriptedTransport(lambda request: answer), clock=clock)
    client.track("u-1", "A")
    before = clock.now()

    report = end(client)

    assert clock.now() - before <= seconds
    assert report.dropped == {"closed": 1}


def test_with_takes_no_longer_than_exit_timeout_and_keeps_the_exception():
    """W2: a block that ends by an exception closes in time, and the caller sees the exception."""
    clock = FakeClock()
    before = clock.now()

    def use_it():
        with manual_client(answering(503), clock=clock, exit_timeout=1.5) as client:
            client.track("u-1", "A")
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        use_it()

    assert clock.now() - before <= 1.5


def test_infinity_waits_for_the_end_of_the_retries():
    """W2: with ``math.inf`` a close waits until the missing contact's time is over."""
    clock = FakeClock()
    client = manual_client(ScriptedTransport(lambda request: _MISSING), clock=clock, missing_contact_wait=300)
    client.track("u-1", "A")
    before = clock.now()

    report = client.close(math.inf)

    assert report.dead == {"contact_missing": 1}
    assert clock.now() - before >= 300


@pytest.mark.parametrize("delivery", ["manual", "background"])
@pytest.mark.parametrize("answer", [_MISSING, Response(503)], ids=["contact", "backoff"])
def test_a_close_ends_at_once_when_nothing_can_be_sent_in_its_time(delivery, answer):
    """W2: what waits for a contact or a back-off until after the limit does not hold a close up at all."""
    retried = threading.Event()
    transport = ScriptedTransport(lambda request: (retried.set(), answer)[1])
    # The jitter is a share of the back-off, so this one is practically never shorter than the limit.
    client = Client(
        api_key="key", transport=transport, delivery=delivery, backoff_base=1e12, backoff_max=1e12
    )
    client.track("u-1", "A")
    client.flush(0.0)
    assert retried.wait(DEADLINE)

    closing = in_thread(lambda: client.close(_FAR))
    closing.join(DEADLINE)

    assert not closing.is_alive()
    assert client.report().dropped == {"closed": 1}


def test_a_close_ends_at_once_when_the_rate_limit_stops_every_request():
    """W2, T4: workers that pause until after the limit are not waited for."""
    asked = threading.Event()
    reset = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "retry-after": "100"}
    transport = ScriptedTransport(lambda request: (asked.set(), Response(429, None, reset))[1])
    client = Client(api_key="key", transport=transport, workers=2)
    client.track("u-1", "A")
    client.flush(0.0)
    assert asked.wait(DEADLINE)

    closing = in_thread(lambda: client.close(60))
    closing.join(DEADLINE)

    assert not closing.is_alive()
    assert client.report().dropped == {"closed": 1}


class _Slow:
    """Answers each request after *seconds* of its clock, and cuts it at the request's own limit."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.requests = clock, seconds, []

    def send(self, request):
        self.requests.append(request)
        if request.timeout is not None and request.timeout < self.seconds:
            self.clock.advance(request.timeout)
            raise ReadFailed("cut")
        self.clock.advance(self.seconds)
        return accept(request)

    def close(self):
        """Do nothing: there is nothing to release."""


def test_the_request_in_hand_ends_with_the_flush_that_delivers():
    """W2: the limit is handed to the transport; the cut message is pending, and the circuit takes it for no failure."""
    clock = FakeClock()
    transport = _Slow(clock, 20.0)
    client = manual_client(transport, clock=clock)
    for number in range(8):
        client.track(f"u-{number}", "A")
    before = clock.now()

    reports = [client.flush(3) for _ in range(7)]

    assert clock.now() - before <= 21
    assert (reports[-1].delivered, reports[-1].pending, client.health().status) == (0, 8, "ok")
    assert all(request.timeout <= 3 for request in transport.requests)


def test_no_request_begins_after_the_limit():
    """W2: of several requests of one claim, only those go out for which there is time."""
    clock = FakeClock()
    transport = _Slow(clock, 2.0)
    client = manual_client(transport, clock=clock)
    for number in range(8):
        client.track("u-1", "A", timestamp=1_700_000_000 + number)

    report = client.flush(5)

    assert (len(transport.requests), report.pending) == (3, 8 - report.delivered)
    assert [request.timeout for request in transport.requests] == [5.0, 3.0, 1.0]


def test_workers_begin_no_request_after_the_close():
    """W2: a claim of several requests stops when the close is over, and the close does not wait for the rest."""
    transport = BlockingTransport(accept)
    client = background_client(transport, workers=64)
    for number in range(5):
        client.track("u-1", "A", timestamp=1_700_000_000 + number)
    assert transport.entered.wait(DEADLINE)

    threads = [worker.thread for worker in client._engine._workers._workers]

    client.close(0)
    transport.let_through()
    for thread in threads:
        thread.join(DEADLINE)

    assert not any(thread.is_alive() for thread in threads)
    assert len(transport.requests) == 1


def test_a_flush_in_a_hook_is_bounded_by_the_flush_around_it():
    """W2: the inner flush has no limit of its own, and leaves the outer one its own."""
    clock = FakeClock()
    transport = _Slow(clock, 2.0)
    client = manual_client(transport, clock=clock, after=[lambda delivery: client.flush()])
    for number in range(9):
        client.track(f"u-{number}", "A")
    before = clock.now()

    report = client.flush(5)

    assert clock.now() - before <= 5
    assert (report.delivered, report.pending) == (2, 7)


def test_a_short_flush_in_a_hook_does_not_end_the_flush_around_it():
    """W2: when the inner limit is over, the outer flush goes on."""
    clock = FakeClock()
    client = manual_client(_Slow(clock, 2.0), clock=clock, after=[lambda delivery: client.flush(0.5)])
    for number in range(3):
        client.track(f"u-{number}", "A")

    assert client.flush(60).delivered == 3


@pytest.mark.parametrize("part", ["transport", "buffer", "hook"])
def test_everything_is_released_although_one_part_fails(caplog, part):
    """W9: a close that fails half-way still closes the transport and the buffer, and says so; a second close changes nothing."""
    closed = []

    class Transport(ScriptedTransport):
        def close(self):
            closed.append("transport")
            if part == "transport":
                raise OSError("broken")

    client = manual_client(Transport([Response(202)]))
    buffer = client._dependencies.buffer
    original = buffer.close

    def close_buffer():
        closed.append("buffer")
        original()
        if part == "buffer":
            raise OSError("broken")

    buffer.close = close_buffer
    if part == "hook":
        client._dropper.drop = lambda *_: (_ for _ in ()).throw(OSError("broken"))
    client.track("u-1", "A")

    client.close(0)

    (line,) = [record for record in caplog.records if "a part of the client raised" in record.msg]
    assert line.exc_info is not None
    assert sorted(closed) == ["buffer", "transport"]
    client.close()
    assert len(closed) == 2


def test_a_close_that_is_interrupted_while_threads_end_can_be_repeated():
    """W2: after Ctrl-C in the middle, the second close releases the rest and does not wait for threads that have ended."""
    client = background_client(answering(503))
    client.track("u-1", "A")
    engine = client._engine
    stop = engine.stop

    def interrupted():
        stop()
        engine.stop = stop
        raise KeyboardInterrupt

    engine.stop = interrupted
    with pytest.raises(KeyboardInterrupt):
        client.close(0)

    assert client.close(math.inf).dropped == {"closed": 1}
