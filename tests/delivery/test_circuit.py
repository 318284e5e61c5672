"""When a request may go out: rate limit, circuit and held credentials (rules T1, T4, T5)."""

from __future__ import annotations

import contextlib

import pytest

from metarouter_intercom._delivery.circuit import Circuit, Paused
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom.plugins import Response


@pytest.fixture
def circuit():
    """A circuit whose jitter is always the highest."""
    return Circuit(
        RateLimit(share=1.0),
        lock=contextlib.nullcontext(),
        jitter=lambda: 1.0,
        probe_every=60.0,
        base=0.5,
        longest=60.0,
    )


def _trip(circuit, now=0.0):
    for _ in range(5):
        circuit.unanswered("connect_failed", now)


def test_a_passing_circuit_delays_nothing(circuit):
    """Nothing waits while Intercom answers."""
    assert circuit.wait_before_claim(0.0) == (0.0, False)
    assert circuit.wait_before_send(0.0, probe=False) == 0.0


def test_several_failures_in_a_row_trip_it(circuit):
    """T5: after five failures in a row only one probe at a time is sent."""
    _trip(circuit)

    assert circuit.state == "tripped"
    with pytest.raises(Paused):
        circuit.wait_before_send(0.0, probe=False)


def test_a_success_in_between_keeps_it_passing(circuit):
    """T5: one bad message among good ones does not stop the client."""
    for _ in range(10):
        circuit.answered(Response(500), 0.0)
        circuit.answered(Response(200), 0.0)

    assert circuit.state == "passing"


def test_one_probe_at_a_time(circuit):
    """T5: after the pause one worker probes, and the others wait until the probe ends."""
    _trip(circuit)

    assert circuit.wait_before_claim(0.1) == (pytest.approx(0.4), False)
    assert circuit.wait_before_claim(0.6) == (0.0, True)
    assert circuit.wait_before_claim(0.6) == (0.5, False)
    circuit.end_probe()
    assert circuit.wait_before_claim(0.6) == (0.0, True)


def test_a_failed_probe_doubles_the_pause(circuit):
    """T2: the pause grows with each failed probe."""
    _trip(circuit)
    circuit.wait_before_claim(1.0)
    circuit.answered(Response(503), 1.0)
    circuit.end_probe()

    assert circuit.wait_before_claim(1.0) == (pytest.approx(1.0), False)


def test_failures_of_requests_on_their_way_do_not_lengthen_the_pause(circuit):
    """T5: the requests of all workers fail together; that is one failure of Intercom, not several."""
    _trip(circuit)
    for _ in range(4):
        circuit.answered(Response(500), 0.1)

    assert circuit.wait_before_claim(0.1) == (pytest.approx(0.4), False)


def test_redirects_trip_it(circuit):
    """T3, T5: redirects are not followed; several in a row mean that something stands between us and Intercom."""
    for _ in range(5):
        circuit.answered(Response(302, None, {"location": "https://elsewhere.example.com/"}), 0.0)

    assert (circuit.state, circuit.reason) == ("tripped", "http_302")


def test_a_good_probe_lets_everything_pass(circuit):
    """T5: any answer below 500 shows that Intercom works again."""
    _trip(circuit)
    circuit.wait_before_claim(1.0)
    circuit.answered(Response(404), 1.0)

    assert circuit.state == "passing"
    assert circuit.wait_before_claim(1.0) == (0.0, False)


def test_a_429_is_no_failure(circuit):
    """T4: a request that the rate limit refuses is no sign of an outage."""
    for _ in range(10):
        circuit.answered(Response(429), 0.0)

    assert circuit.state == "passing"


def test_held_credentials_block_everything_until_released(circuit):
    """T1: held credentials are news once, are probed every minute, and end when Intercom accepts something."""
    assert circuit.hold("http_401", 0.0) is True
    assert circuit.hold("http_401", 1.0) is False
    assert (circuit.state, circuit.reason, circuit.since) == ("held", "http_401", 0.0)
    assert circuit.wait_before_claim(31.0) == (pytest.approx(30.0), False)
    assert circuit.wait_before_claim(61.0) == (0.0, True)

    circuit.release()

    assert (circuit.state, circuit.reason, circuit.since) == ("passing", None, None)


def test_an_outage_does_not_end_a_hold(circuit):
    """T1: failures while the credentials are held change nothing."""
    circuit.hold("http_401", 0.0)
    _trip(circuit)

    assert circuit.state == "held"


def test_a_person_can_ask_for_the_probe(circuit):
    """T5: a flush does not wait for the end of the pause."""
    _trip(circuit)

    circuit.probe_now()

    assert circuit.wait_before_claim(0.0) == (0.0, True)


def test_successes_are_counted(circuit):
    """T2: poison is found by the number of other requests that succeed."""
    circuit.answered(Response(200), 0.0)
    circuit.answered(Response(404), 0.0)

    assert circuit.successes == 1


def test_a_flush_waits_for_the_end_of_a_probe_that_began_after_it(circuit):
    """T1, W2: a person may just have corrected the credentials, and an older probe does not show that."""
    circuit.hold("http_401", 0.0)
    circuit.probe_now()
    circuit.wait_before_claim(1.0)
    number = circuit.probe_now()
    circuit.end_probe()

    assert not circuit.has_probed(number)
    assert circuit.wait_before_claim(1.0) == (0.0, True)
    circuit.end_probe()
    assert circuit.has_probed(number)


def test_a_flush_waits_for_no_probe_if_nothing_is_held(circuit):
    """W2: a flush ends at once when the credentials are refused during it."""
    number = circuit.probe_now()
    circuit.hold("http_401", 0.0)

    assert circuit.has_probed(number)
