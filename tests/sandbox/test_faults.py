"""Which request meets which fault."""

from __future__ import annotations

from collections import Counter

import pytest

from metarouter_intercom.errors import ConfigurationError, ReadFailed
from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Fault, Faults, Workspace, WorkspaceTransport
from metarouter_intercom.sandbox.faults import FaultCounter, read_faults

EVERY_KIND = {
    "server_error": Fault("status", 500),
    "rate_limited": Fault("status", 429),
    "unavailable": Fault("status", 503),
    "reset": Fault("reset"),
    "lost": Fault("lost"),
    "truncated": Fault("truncated"),
    "malformed": Fault("malformed"),
    "html": Fault("html"),
    "stranger": Fault("stranger"),
    "hang": Fault("hang"),
}


def test_without_rates_nothing_happens():
    """By default every request is answered without a fault and without a delay."""
    faults = Faults()

    assert [faults.decide(number, 0.0) for number in range(1, 50)] == [None] * 49
    assert faults.delay(1) == 0.0


@pytest.mark.parametrize(("name", "fault"), EVERY_KIND.items())
def test_a_rate_of_one_applies_to_every_request(name, fault):
    """A rate of 1 gives every request that rate's fault."""
    assert Faults(**{name: 1.0}).decide(1, 0.0) == fault


def test_rates_are_shares():
    """Of many requests about the values share gets a fault."""
    faults = Faults(seed=3, server_error=0.1, lost=0.2)

    met = Counter(faults.decide(number, 0.0) for number in range(1, 5001))

    assert 400 < met[Fault("status", 500)] < 600
    assert 850 < met[Fault("lost")] < 1150
    assert met.keys() == {None, Fault("status", 500), Fault("lost")}


def test_the_seed_decides():
    """The same seed gives the same faults, and another seed gives others."""
    run = [Faults(seed=1, reset=0.5).decide(number, 0.0) for number in range(1, 101)]

    assert [Faults(seed=1, reset=0.5).decide(number, 0.0) for number in range(1, 101)] == run
    assert [Faults(seed=2, reset=0.5).decide(number, 0.0) for number in range(1, 101)] != run


def test_a_script_comes_first():
    """The first requests get the faults of the script in order."""
    faults = Faults(script=(Fault("html"), None, Fault("status", 401)))

    assert [faults.decide(number, 0.0) for number in range(1, 5)] == [
        Fault("html"),
        None,
        Fault("status", 401),
        None,
    ]


def test_an_outage_ends():
    """Every request before outage_until gets the outage's fault, and none after it."""
    faults = Faults(outage=Fault("status", 503), outage_until=100.0)

    assert (faults.decide(1, 99.9), faults.decide(2, 100.0)) == (Fault("status", 503), None)


def test_latency_is_spread():
    """The delay lies between latency and latency plus spread, and is the same for the same request."""
    faults = Faults(latency=0.1, latency_spread=0.2)

    delays = [faults.delay(number) for number in range(100)]

    assert 0.1 <= min(delays) < max(delays) < 0.3
    assert faults.delay(5) == delays[5]
    assert Faults(latency=0.1).delay(7) == 0.1


def test_only_some_requests_are_concerned():
    """Requests that only does not list get no fault and are not counted."""
    counter = FaultCounter(Faults(script=(Fault("html"),), latency=0.5, only=("POST /events",)))

    assert counter.next("POST", "/contacts", 0.0) == (None, 0.0)
    assert counter.next("POST", "/events", 0.0) == (Fault("html"), 0.5)
    assert counter.next("POST", "/events", 0.0) == (None, 0.5)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_rates_are_between_nothing_and_all(rate):
    """A rate below 0 or above 1 raises an error."""
    with pytest.raises(ValueError, match="lost"):
        Faults(lost=rate)


# --- read from JSON ---------------------------------------------------------------------------------------


def test_faults_are_read_from_json():
    """JSON names the attributes of Faults, and outage_for gives an outage's length."""
    faults = read_faults(
        {"lost": 0.5, "script": [None, 500, "reset"], "outage": 401, "outage_for": 3, "only": ["POST /"]},
        now=100.0,
    )

    assert faults == Faults(
        lost=0.5,
        script=(None, Fault("status", 500), Fault("reset")),
        outage=Fault("status", 401),
        outage_until=103.0,
        only=("POST /",),
    )
    assert read_faults({}, now=0.0) == Faults()


@pytest.mark.parametrize(
    "values",
    [
        {"zodiac": 1},
        {"lost": 2},
        {"lost": "x"},
        {"script": 5},
        {"script": ["explode"]},
        {"outage": True},
        {"outage": {"kind": "html", "status": "x"}},
        {"outage": {"kind": "status", "status": 500}},
        {"outage_for": "x"},
    ],
)
def test_bad_json_is_an_error(values):
    """The error for bad JSON names the attribute that is wrong."""
    with pytest.raises(ConfigurationError):
        read_faults(values, now=0.0)


# --- in process -------------------------------------------------------------------------------------------


def transport(**choices: object) -> WorkspaceTransport:
    """Return a transport to a new workspace."""
    return WorkspaceTransport(Workspace(require_auth=True), **choices)


def test_the_transport_sends_the_right_headers():
    """A request of the transport breaks no rule and sends the workspace's token."""
    sender = transport()

    assert sender.send(Request("POST", "/contacts", {"external_id": "u1"})).status == 200
    assert sender.send(Request("GET", "/me", headers={"Accept": "text/html"})).status == 406
    assert [one.rule for one in sender.workspace.violations] == ["not_acceptable"]
    sender.close()


def test_the_transport_can_use_another_token_and_version():
    """The transport sends the token and the version that it is values."""
    assert transport(token="wrong").send(Request("GET", "/me")).status == 401
    assert transport(version="2.3").send(Request("GET", "/me")).headers["intercom-version"] == "2.3"


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ({1}, TypeError)])
def test_what_json_cannot_hold_cannot_be_sent(value, error):
    """A body that JSON cannot represent raises an error, as over the network."""
    with pytest.raises(error):
        transport().send(Request("POST", "/contacts", {"external_id": value}))


@pytest.mark.parametrize(
    ("kind", "applied"), [("reset", False), ("hang", False), ("lost", True), ("truncated", True)]
)
def test_faults_take_the_response(kind, applied):
    """A fault raises ReadFailed before or after the request is applied."""
    sender = transport(faults=Faults(script=(Fault(kind),)))

    with pytest.raises(ReadFailed, match=kind):
        sender.send(Request("POST", "/contacts", {"external_id": "u1"}))

    assert len(sender.workspace.contacts()) == applied


def test_a_malformed_answer_hides_what_was_applied():
    """The request is applied, and the response's body is not JSON."""
    sender = transport(faults=Faults(script=(Fault("malformed"),)))

    answer = sender.send(Request("POST", "/contacts", {"external_id": "u1"}))

    assert (answer.status, type(answer.body)) == (200, str)
    assert len(sender.workspace.contacts()) == 1


def test_somebody_else_answers():
    """A proxy's page with a status of its own and the answer of another server apply nothing."""
    sender = transport(faults=Faults(script=(Fault("html", 407), Fault("html", 999), Fault("stranger"))))

    answers = [sender.send(Request("POST", "/contacts", {"external_id": "u1"})) for _ in range(3)]

    assert [one.status for one in answers] == [407, 999, 200]
    assert "407 Proxy Authentication Required" in answers[0].body
    assert answers[2].body == {"status": "ok"}
    assert sender.workspace.contacts() == []


def test_faults_answer_instead():
    """Faults can answer a status with Intercom's body or a proxy's page, and then nothing is applied."""
    waited: list[float] = []
    faults = Faults(
        script=(Fault("status", 503), Fault("html"), Fault("status", 429), Fault("status", 418)), latency=2.0
    )
    sender = transport(faults=faults, sleep=waited.append)
    request = Request("POST", "/contacts", {"external_id": "u1"})

    answers = [sender.send(request) for _ in range(4)]

    assert [one.status for one in answers] == [503, 502, 429, 418]
    assert answers[0].body["errors"] == [
        {"code": "service_unavailable", "message": "Sorry, the API service is temporarily unavailable"}
    ]
    assert "<html>" in answers[1].body
    assert answers[2].headers["x-ratelimit-remaining"] == "0"
    assert waited == [2.0] * 4
    assert sender.workspace.contacts() == []
    assert [one.rule for one in sender.workspace.requests] == ["fault"] * 3
    assert sender.send(request).status == 200
