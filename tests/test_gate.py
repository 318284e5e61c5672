"""The gate: rate limit, circuit and held credentials decide when a request may go out (rules T1, T4, T5)."""

from __future__ import annotations

import contextlib

import pytest

from metarouter_intercom._delivery.circuit import Gate, Paused
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom.plugins import Response


@pytest.fixture
def gate():
    """A gate whose draws are always the highest."""
    return Gate(
        RateLimit(share=1.0),
        lock=contextlib.nullcontext(),
        draw=lambda: 1.0,
        probe_every=60.0,
        base=0.5,
        longest=60.0,
    )


def _break(gate, now=0.0):
    for _ in range(5):
        gate.unanswered("connect_failed", now)


def test_an_open_gate_lets_all_pass(gate):
    """Nothing waits while Intercom answers."""
    assert gate.wait_before_claim(0.0) == (0.0, False)
    assert gate.wait_before_send(0.0, probe=False) == 0.0


def test_a_run_of_failures_shuts_it(gate):
    """T5: five failures in a row stop all but one probe."""
    _break(gate)

    assert gate.state == "broken"
    with pytest.raises(Paused):
        gate.wait_before_send(0.0, probe=False)


def test_a_success_in_between_breaks_the_run(gate):
    """T5: one bad item among good ones does not stop the client."""
    for _ in range(10):
        gate.answered(Response(500), 0.0)
        gate.answered(Response(200), 0.0)

    assert gate.state == "open"


def test_one_probe_at_a_time(gate):
    """T5: after the pause one worker probes, and the others wait for its end."""
    _break(gate)

    assert gate.wait_before_claim(0.1) == (pytest.approx(0.4), False)
    assert gate.wait_before_claim(0.6) == (0.0, True)
    assert gate.wait_before_claim(0.6) == (0.5, False)
    gate.end_probe()
    assert gate.wait_before_claim(0.6) == (0.0, True)


def test_a_failed_probe_doubles_the_pause(gate):
    """T2: the pause grows with each failed probe."""
    _break(gate)
    gate.wait_before_claim(1.0)
    gate.answered(Response(503), 1.0)
    gate.end_probe()

    assert gate.wait_before_claim(1.0) == (pytest.approx(1.0), False)


def test_failures_that_were_on_their_way_do_not_lengthen_the_pause(gate):
    """T5: the requests of all workers fail together; that is one failure of Intercom's, not several."""
    _break(gate)
    for _ in range(4):
        gate.answered(Response(500), 0.1)

    assert gate.wait_before_claim(0.1) == (pytest.approx(0.4), False)


def test_a_redirect_is_no_answer_of_intercoms(gate):
    """T3, T5: redirects are not followed; a run of them means that something stands between us and Intercom."""
    for _ in range(5):
        gate.answered(Response(302, None, {"location": "https://elsewhere.example.com/"}), 0.0)

    assert (gate.state, gate.reason) == ("broken", "http_302")


def test_a_good_probe_opens_it(gate):
    """T5: any answer below 500 shows that Intercom is back."""
    _break(gate)
    gate.wait_before_claim(1.0)
    gate.answered(Response(404), 1.0)

    assert gate.state == "open"
    assert gate.wait_before_claim(1.0) == (0.0, False)


def test_a_429_is_no_failure(gate):
    """T4: a refused rate is no outage."""
    for _ in range(10):
        gate.answered(Response(429), 0.0)

    assert gate.state == "open"


def test_held_credentials_shut_it_until_released(gate):
    """T1: held is told once, probed every minute, and ends when something is accepted."""
    assert gate.hold("http_401", 0.0) is True
    assert gate.hold("http_401", 1.0) is False
    assert (gate.state, gate.reason, gate.since) == ("held", "http_401", 0.0)
    assert gate.wait_before_claim(31.0) == (pytest.approx(30.0), False)
    assert gate.wait_before_claim(61.0) == (0.0, True)

    gate.release()

    assert (gate.state, gate.reason, gate.since) == ("open", None, None)


def test_an_outage_does_not_lift_a_hold(gate):
    """T1: failures while held change nothing."""
    gate.hold("http_401", 0.0)
    _break(gate)

    assert gate.state == "held"


def test_a_person_can_ask_for_the_probe(gate):
    """A flush need not wait for the pause."""
    _break(gate)

    gate.probe_now()

    assert gate.wait_before_claim(0.0) == (0.0, True)


def test_successes_are_counted(gate):
    """T2 needs to know whether others pass."""
    gate.answered(Response(200), 0.0)
    gate.answered(Response(404), 0.0)

    assert gate.successes == 1


def test_a_flush_waits_for_the_end_of_a_probe_that_began_after_it(gate):
    """T1, W2: somebody may just have mended the credentials, and an older probe cannot tell."""
    gate.hold("http_401", 0.0)
    gate.probe_now()
    gate.wait_before_claim(1.0)
    number = gate.probe_now()
    gate.end_probe()

    assert not gate.has_probed(number)
    assert gate.wait_before_claim(1.0) == (0.0, True)
    gate.end_probe()
    assert gate.has_probed(number)


def test_a_flush_waits_for_no_probe_where_nothing_is_held(gate):
    """W2: credentials that are refused during a flush end it at once."""
    number = gate.probe_now()
    gate.hold("http_401", 0.0)

    assert gate.has_probed(number)
