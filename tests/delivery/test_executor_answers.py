"""What answers do to the messages of a claim: retries, poison, the circuit and probes (rules T1, T2, T4, T5)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.responses import VERSION_REFUSED
from metarouter_intercom.errors import ConnectFailed, ReadFailed
from metarouter_intercom.operations import DeleteContact, MergeContact, TagCompany, Who
from metarouter_intercom.plugins import Claim, Response

from .._support.flow_driving import conflict, contact, make_cache, missing, ok, refusal
from .executor_harness import ATTACH, NOW, Harness, company_of, event_of, upsert

# --- answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"), [(ConnectFailed("no"), "connect_failed"), (ReadFailed("no"), "read_failed")]
)
def test_no_answer_is_retried(error, reason):
    """T1: whether the request was never sent or may have been applied, it is retried after the back-off."""
    harness = Harness([error])

    assert harness.deliver([event_of()]) == ["retry"]
    settlement = harness.delivered.settlements[0]
    assert (settlement.reason, settlement.due_at, settlement.failed) == (reason, NOW + 0.25, False)


@pytest.mark.parametrize("attempts", [0, 1, 3, 30])
def test_the_back_off_grows(attempts):
    """T2: the back-off is exponential with full jitter."""
    harness = Harness([refusal(500)])
    harness.deliver([event_of()], attempts=attempts)

    assert harness.delivered.settlements[0].due_at == NOW + 0.5 * min(60.0, 0.5 * 2**attempts)


def test_retries_end():
    """T2: after ``retry_for`` the message is a dead letter with the last answer."""
    harness = Harness([refusal(503)], retry_for=60)

    assert harness.deliver([event_of()], accepted_at=NOW - 60) == ["bury"]
    assert harness.delivered.settlements[0].reason == "retry_expired"
    assert harness.delivered.settlements[0].answer["status"] == 503


_PAGE = "<html><h1>Sign in to this network</h1></html>"


@pytest.mark.parametrize(
    "answer",
    [
        *(Response(200, body) for body in (_PAGE, '{"type":"contact","id":"c', "OK")),
        *(Response(200, body) for body in (None, {}, [], {"status": "ok"}, {"type": "company", "id": "k1"})),
        Response(204),
        *(Response(status, _PAGE) for status in (400, 401, 403, 404, 407, 409, 410, 413, 422, 431, 451)),
        *(Response(400, body) for body in (None, {}, {"code": "too_large"}, {"errors": "none"}, ["no"], 5)),
        *(Response(status, {"message": "Access denied"}) for status in (401, 403, 404, 410, 413, 422, 451)),
        *(Response(status) for status in (301, 302, 307, 308, 407, 511)),
        *(Response(status, _PAGE) for status in (502, 503)),
    ],
    ids=lambda answer: f"{answer.status} {answer.body}"[:40],
)
def test_what_is_not_intercoms_is_retried(answer):
    """T6: an answer of a proxy says nothing about the message, and the request may or may not have been applied."""
    harness = Harness([answer])

    assert harness.deliver([upsert(name="Ann")]) == ["retry"]
    assert harness.delivered.settlements[0].reason == "foreign_answer"
    assert harness.cache.contact_id("user:u1") is None
    assert harness.foreign == [answer]


def test_a_proxys_pause_is_kept():
    """T6: nothing is sent before the time that ``Retry-After`` names."""
    harness = Harness([Response(407, _PAGE, {"retry-after": "20"})])
    harness.deliver([upsert(name="Ann")])

    assert harness.circuit.wait_before_send(NOW, probe=True) >= 19.0


def test_retries_of_what_is_not_intercoms_end():
    """T2, T6: after ``retry_for`` the dead letter says which status the proxy answered."""
    harness = Harness([Response(413, _PAGE)], retry_for=60)

    assert harness.deliver([event_of()], accepted_at=NOW - 60) == ["bury"]
    assert harness.delivered.settlements[0].reason == "retry_expired"
    assert harness.delivered.settlements[0].answer["status"] == 413


def test_an_event_waits_for_no_contact_that_a_proxy_misses():
    """T6: a proxy's 404 does not say that the contact is missing."""
    harness = Harness([Response(404, _PAGE)])

    assert harness.deliver([event_of()]) == ["retry"]
    assert harness.delivered.settlements[0].reason == "foreign_answer"


@pytest.mark.parametrize("body", [None, {}])
def test_an_empty_401_holds(body):
    """T1: whoever refuses the credentials, holding the messages loses none of them."""
    harness = Harness([Response(401, body)])

    assert harness.deliver([event_of()]) == ["release"]
    assert harness.delivered.held.status == 401


def test_foreign_answers_trip_the_circuit():
    """T5, T6: where a proxy answers everything, one request at a time is sent."""
    harness = Harness(lambda request: Response(413, _PAGE))

    for _ in range(5):
        harness.deliver([event_of()])

    assert (harness.circuit.state, harness.circuit.reason) == ("tripped", "foreign_answer")


@pytest.mark.parametrize(
    "answer", [Response(200), Response(200, {"status": "ok"}), Response(204), Response(202, _PAGE)]
)
def test_an_event_that_somebody_else_took_is_retried(answer):
    """T6: only Intercom's 202 says that the event is there."""
    harness = Harness([answer])

    assert harness.deliver([event_of()]) == ["retry"]
    assert harness.delivered.settlements[0].reason == "foreign_answer"


@pytest.mark.parametrize(
    ("operation", "before", "body"),
    [
        (company_of(name="K"), [], {"status": "ok"}),
        (
            ATTACH,
            [ok({"type": "contact", "id": "c1"}), ok({"id": "k9", "company_id": "k1"})],
            {"id": "c1", "type": "contact"},
        ),
        (ATTACH, [], {"type": "list", "data": []}),
        (TagCompany(company_id="k1", name="vip"), [], {}),
        (MergeContact(lead=Who(contact_id="l1"), user=Who(contact_id="c1")), [], {"merged": True}),
        (DeleteContact(who=Who(contact_id="c1")), [], {"deleted": True}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_write_needs_intercoms_answer(operation, before, body):
    """T6: whatever is written, a success of somebody else delivers nothing and ends no message."""
    harness = Harness([*before, Response(200, body)])

    assert harness.deliver([operation]) == ["retry"]
    assert harness.delivered.settlements[0].reason == "foreign_answer"


def test_a_search_of_somebody_else_makes_no_duplicate():
    """M1, T6: a search without a list does not say that the contact is missing, so none is created."""
    harness = Harness([Response(200, {"status": "ok"})])

    assert harness.deliver([upsert(who=Who(email="ann@example.com"), email="ann@example.com")]) == ["retry"]
    assert harness.lines == ["POST /contacts/search"]


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_a_success_without_a_body_is_a_success(body):
    """Contract, section 5: Intercom answers events without a body."""
    assert Harness([Response(202, body)]).deliver([event_of()]) == ["ack"]


def test_refused_credentials_hold_everything():
    """T1: refused credentials lose no message and count no attempt."""
    harness = Harness([Response(202), refusal(401, "Access Token Invalid", code="unauthorized")])

    kinds = harness.deliver([event_of("A")], [event_of("B")], [event_of("C")])

    assert kinds == ["ack", "release", "release"]
    assert (harness.delivered.held.status, harness.delivered.held.code) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("operation", "before"),
    [
        (event_of(), []),
        (upsert(name="Ann"), []),
        (
            upsert(attributes={"plan": "pro"}, name="Ann"),
            [refusal(400, "Custom attribute 'plan' does not exist")],
        ),
        (upsert(who=Who(anonymous_id="a1"), name="Ann"), []),
        (upsert(name="Ann"), [conflict("c9", archived=True)]),
        (company_of(name="K"), []),
        (ATTACH, [ok({"type": "contact", "id": "c1"})]),
        (TagCompany(company_id="k1", name="vip"), []),
        (MergeContact(lead=Who(contact_id="l1"), user=Who(contact_id="c1")), []),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_version_holds_whatever_was_sent(operation, before, status):
    """T1: an API version that Intercom refuses ends no message and costs no value, whichever request meets it."""
    refused = refusal(
        status, "Requested resource is not available in current API version.", code=VERSION_REFUSED
    )
    harness = Harness([*before, refused])

    assert harness.deliver([operation]) == ["release"]
    held = harness.delivered.held
    assert (held.kind, held.reason, held.status, held.code) == (
        "held",
        VERSION_REFUSED,
        status,
        VERSION_REFUSED,
    )
    assert harness.delivered.attempts[0].notes == []


def test_a_probe_with_a_refused_version_does_not_release():
    """T1: the answer shows that nothing would pass."""
    harness = Harness([refusal(400, code=VERSION_REFUSED)])
    harness.circuit.hold(VERSION_REFUSED, NOW)

    assert harness.deliver([event_of()], probe=True) == ["release"]
    assert harness.circuit.state == "held"


def test_a_translator_that_raises_costs_its_own_message():
    """P3: a replaced translator may fail for one message; the others are delivered."""
    harness = Harness([Response(202)])
    claim = harness.claim([event_of()], [event_of()])
    del harness.translations["m1"]

    done = harness.executor.deliver(claim)

    assert [(one.kind, one.reason) for one in done.settlements] == [
        ("bury", "translator_failed"),
        ("ack", None),
    ]


def test_a_message_that_cannot_be_read_costs_no_other():
    """A spool may hold messages that another version wrote."""
    harness = Harness([Response(202)])
    claim = harness.claim([event_of()], [event_of()])
    first, second = claim.entries
    broken = first._replace(message={"type": "whatever", "messageId": "m1", "userId": "u1"})

    done = harness.executor.deliver(claim._replace(entries=(broken, second)))

    assert [one.kind for one in done.settlements] == ["bury", "ack"]


# --- poison ---------------------------------------------------------------------------------------------------


def _bad_bea(request):
    return refusal(500) if (request.body or {}).get("name") == "Bea" else contact("c1")


def test_a_500_while_others_pass_counts_against_the_message():
    """T2: it counts towards poison if one message fails while other requests succeed."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), NOW)

    assert harness.deliver([upsert(name="Bea")]) == ["retry"]
    assert harness.delivered.settlements[0].failed is True


def test_a_500_while_nothing_passes_does_not_count():
    """T2: an outage makes no message poison."""
    harness = Harness(_bad_bea)

    harness.deliver([upsert(name="Bea")])

    assert harness.delivered.settlements[0].failed is False


def test_the_tenth_500_ends_the_message():
    """T2: the tenth failure makes a message a dead letter, the ninth does not."""
    ninth, tenth = Harness(_bad_bea), Harness(_bad_bea)
    for harness in (ninth, tenth):
        harness.circuit.answered(Response(200), NOW)

    assert ninth.deliver([upsert(name="Bea")], failures=8) == ["retry"]
    assert tenth.deliver([upsert(name="Bea")], failures=9) == ["bury"]
    assert tenth.delivered.settlements[0].reason == "poison"


@pytest.mark.parametrize("status", [502, 503, 504, 511])
def test_a_proxys_error_is_no_poison(status):
    """T2, T6: the page of a gateway does not come from Intercom, so it ends no message, however often it comes."""
    harness = Harness(lambda request: Response(status, _PAGE))
    harness.circuit.answered(Response(200), NOW)

    assert harness.deliver([upsert(name="Bea")], failures=9) == ["retry"]
    assert harness.delivered.settlements[0].failed is False


def test_a_poisoned_first_message_of_a_merged_write_ends_alone():
    """T2: running it message by message belongs to the same attempt; the later message is delivered."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), NOW)

    kinds = harness.deliver([upsert(name="Bea", phone="1")], [upsert(phone="2")], failures=9)

    assert kinds == ["bury", "ack"]


def test_a_merged_write_is_poisoned_only_when_all_its_messages_are():
    """T2: a message that is new in the merged write does not become a dead letter with the others."""
    harness = Harness(_bad_bea)
    harness.circuit.answered(Response(200), NOW)
    claim = harness.claim([upsert(name="Bea")], [upsert(phone="2")])
    claim = claim._replace(entries=(claim.entries[0]._replace(failures=9), claim.entries[1]))

    done = harness.executor.deliver(claim)

    assert [one.kind for one in done.settlements] == ["retry", "retry"]


@pytest.mark.parametrize(("remembered", "is_counted_again"), [(2, False), (1, True)])
def test_the_memory_of_failing_messages_is_bounded(remembered, is_counted_again):
    """T2: the oldest failures are forgotten first."""
    harness = Harness(_bad_bea, remembered=remembered)
    harness.circuit.answered(Response(200), NOW)
    one, other = harness.claim([upsert(name="Bea")], [upsert(name="Bea")]).entries
    for entry in (one, other):
        harness.executor.deliver(Claim(1, (entry,)))

    again = harness.executor.deliver(Claim(1, (one,)))

    assert again.settlements[0].failed is is_counted_again


# --- the circuit ----------------------------------------------------------------------------------------------


def test_after_a_429_the_request_waits_and_is_sent_again():
    """T4: everyone waits until the reset; that does not count as an attempt."""
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10005"}
    harness = Harness([Response(429, None, headers), Response(202)])

    assert harness.deliver([event_of()]) == ["ack"]
    assert harness.pauses == [5.0]


def test_endless_429s_delay_the_message():
    """T4: after some repeats the claim goes back, so that one worker does not keep the lane for ever."""
    harness = Harness(lambda request: Response(429))

    assert harness.deliver([event_of()]) == ["retry"]
    assert harness.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_circuit_that_stops_passing_releases_the_rest():
    """T5: messages in hand go back untouched, and a write that was not finished leaves no fingerprint."""
    cache = make_cache()
    cache.remember_contact("user:u1", "c1")
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    harness = Harness([], cache=cache)
    harness.circuit.hold("http_401", NOW)

    assert harness.deliver([upsert(name="Bea")], [event_of()]) == ["release", "release"]
    assert cache.was_written("contact", "c1", {"name": "Ann"}, now=NOW, within=60) is False


def test_a_probe_goes_through_a_held_circuit_and_releases_it():
    """T1: the credentials work again, so the rest of the claim is delivered too."""
    harness = Harness([Response(202), Response(202)])
    harness.circuit.hold("http_401", NOW)

    assert harness.deliver([event_of("A")], [event_of("B")], probe=True) == ["ack", "ack"]
    assert harness.circuit.state == "passing"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (missing(), "passing"),
        (refusal(400), "passing"),
        (refusal(401), "held"),
        (refusal(403), "held"),
        (refusal(500), "held"),
    ],
)
def test_what_a_probe_shows(answer, state):
    """T1: any answer about the message shows that the credentials work; a failure shows nothing."""
    harness = Harness([answer])
    harness.circuit.hold("http_401", NOW)

    harness.deliver([event_of()], probe=True)

    assert harness.circuit.state == state


@pytest.mark.parametrize("case", ["unchanged", "refused name"])
def test_a_probe_that_sends_nothing_shows_nothing(case):
    """T1: an operation that needed no request says nothing about the credentials."""
    harness = Harness([])
    harness.cache.remember_contact("user:u1", "c1")
    harness.cache.remember_written(
        "contact", "c1", {"role": "user", "external_id": "u1", "name": "Ann"}, now=NOW
    )
    harness.cache.refuse("event", "seen", NOW)
    harness.circuit.hold("http_401", NOW)

    harness.deliver([upsert(name="Ann") if case == "unchanged" else event_of()], probe=True)

    assert harness.circuit.state == "held"


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyboardInterrupt()])
def test_a_request_that_raises_something_else_is_no_longer_on_its_way(error):
    """T4: if it still counted as on its way, the budget would shrink with each such error."""
    harness = Harness(lambda request: error)
    for _ in range(6):
        with pytest.raises(type(error)):
            harness.executor.deliver(harness.claim([event_of()]))

    assert harness.circuit.wait_before_send(NOW, probe=False) == 0.0
