"""The test kit: what it accepts, records and answers, and that its failures say what was sent instead."""

from __future__ import annotations

import inspect
import unittest
from datetime import datetime, timezone
from decimal import Decimal
from typing import ClassVar
from unittest.mock import ANY

import pytest

from metarouter_intercom import (
    BufferFull,
    Client,
    ConfigurationError,
    ConnectFailed,
    DeliveryFailed,
    RejectedMessage,
    Settings,
    testing,
)
from metarouter_intercom.plugins import Drop, Request, Response
from metarouter_intercom.sandbox import Workspace
from metarouter_intercom.testing import FakeClock, IntercomTestMixin, RecordingClient, ScriptedTransport


def _failure(assertion, *arguments, **named):
    with pytest.raises(AssertionError) as caught:
        assertion(*arguments, **named)
    return str(caught.value)


@pytest.fixture
def client():
    with RecordingClient(clock=FakeClock()) as made:
        yield made


# --- the recording client ------------------------------------------------------------------------------------------


def test_every_accepted_message_is_recorded_in_wire_form(client):
    """`sent` contains the accepted messages in order, each with a message id and a timestamp."""
    client.identify("u-1", {"plan": "pro"})
    message_id = client.track("u-1", "Signed Up", message_id="m-1")

    assert message_id == "m-1"
    assert [one["type"] for one in client.sent] == ["identify", "track"]
    assert client.sent[1] == {
        "type": "track",
        "messageId": "m-1",
        "timestamp": 1_767_225_600.0,
        "userId": "u-1",
        "event": "Signed Up",
    }


@pytest.mark.parametrize("name", ["identify", "track", "group", "page", "screen", "alias", "send"])
def test_calls_have_the_signatures_of_the_client(name):
    """The recording client is a client: each call is the client's own method."""
    assert inspect.signature(getattr(RecordingClient, name)) == inspect.signature(getattr(Client, name))
    assert getattr(RecordingClient, name) is getattr(Client, name)


def test_what_the_client_rejects_is_rejected(client):
    """A message that the client rejects is rejected with the same problems and is not recorded."""
    with Client(api_key="key", delivery="manual") as real, pytest.raises(RejectedMessage) as expected:
        real.track("u-1", "  ", {"when": object()})

    with pytest.raises(RejectedMessage) as caught:
        client.track("u-1", "  ", {"when": object()})

    assert caught.value.problems == expected.value.problems
    assert client.sent == []


def test_settings_decide_as_in_the_client():
    """Settings decide what is rejected, given by name or as one object."""
    with RecordingClient(max_message_bytes=300, on_invalid="log") as by_name:
        by_name.identify("u-1", {"bio": "x" * 300})
    with (
        RecordingClient(Settings(api_key="key", max_message_bytes=300)) as whole,
        pytest.raises(RejectedMessage),
    ):
        whole.identify("u-1", {"bio": "x" * 300})

    assert by_name.report().rejected == {"too_large": 1}
    assert by_name.sent == whole.sent == []


def test_a_repeated_message_id_is_recorded_once(client):
    """The second message with one id is counted as a duplicate, as in the client (rule Q5)."""
    client.track("u-1", "Signed Up", message_id="m-1")
    client.track("u-1", "Signed Up", message_id="m-1")

    assert len(client.sent) == client.report().duplicates == 1


def test_before_hooks_run_as_in_the_client():
    """A message that a hook drops is not recorded and is reported to on_drop (rule P1)."""
    dropped = []
    with RecordingClient(
        before=[lambda _: Drop("unwanted")], on_drop=lambda message, reason: dropped.append(reason)
    ) as client:
        client.track("u-1", "Signed Up")

    assert client.sent == []
    assert dropped == ["unwanted"]


def test_a_recording_client_never_fills_up(client):
    """The recording client has no limit and loses nothing."""
    for number in range(12_000):
        client.track("u-1", f"Event {number}")

    assert len(client.sent) == 12_000
    assert client.flush().dropped == {}


def test_flush_check_and_delete_answer_at_once():
    """Code that calls flush, check or delete works as with a connected client."""
    with RecordingClient(app_id="9iefb489", region="eu") as client:
        client.track("u-1", "Signed Up")
        account = client.check()
        client.delete("u-1")
        client.delete(email="grace@example.com")

        assert (account.app_id, account.region) == ("9iefb489", "eu")
        assert client.deleted == ["u-1", "grace@example.com"]
        assert client.flush().pending == 0
        assert client.health().is_ok


def test_clear_forgets_messages_deletions_and_ids(client):
    """After `clear` the client is like a new one: a message id is accepted again."""
    client.track("u-1", "Signed Up", message_id="m-1")
    client.delete("u-1")

    client.clear()

    client.assert_nothing_sent()
    client.track("u-1", "Signed Up", message_id="m-1")
    assert (len(client.sent), client.deleted) == (1, [])


# --- assertions ----------------------------------------------------------------------------------------------------


def test_assertions_return_the_message_they_found(client):
    """An assertion compares the named facts only, and returns the message for further assertions."""
    client.identify("u-1", {"plan": "pro", "seats": 3})
    client.track(7, "Signed Up", {"source": "ad"})
    client.group("u-1", "c-1", {"name": "Example Shipping"})
    client.page("u-1", "Docs", "Pricing", {"path": "/pricing"})
    client.alias("anon-1", "u-1")

    assert client.assert_identified("u-1", {"plan": "pro"})["traits"] == {"plan": "pro", "seats": 3}
    assert client.assert_identified("u-1", plan="pro", seats=3) == client.sent[0]
    assert client.assert_tracked(7, "Signed Up", source="ad") == client.sent[1]
    assert client.assert_grouped("u-1", "c-1", {"name": "Example Shipping"}) == client.sent[2]
    assert client.assert_paged("u-1", name="Pricing", properties={"path": "/pricing"}) == client.sent[3]
    assert client.assert_aliased("anon-1", "u-1") == client.sent[4]


def test_expected_values_may_have_the_types_of_the_call(client):
    """Datetimes, decimals, tuples and `ANY` match the JSON values of the messages."""
    born = datetime(2026, 3, 1, tzinfo=timezone.utc)
    client.identify("u-1", {"createdAt": born, "score": Decimal("9.5"), "tags": ("a", "b"), "plan": "pro"})

    client.assert_identified("u-1", createdAt=born, score=Decimal("9.5"), tags=("a", "b"), plan=ANY)
    client.assert_identified("u-1", createdAt="2026-03-01T00:00:00+00:00", score=9.5, tags=["a", "b"])


@pytest.mark.parametrize(("sent", "expected"), [(1, True), (True, 1), (0, False), (1.0, True), (None, False)])
def test_a_boolean_is_no_number(client, sent, expected):
    """True does not match 1 in an assertion, because Intercom tells them apart."""
    client.identify("u-1", {"value": sent})

    text = _failure(client.assert_identified, "u-1", value=expected)

    assert f"traits.value: {sent!r} instead of {expected!r}" in text


def test_a_failure_says_what_was_sent_instead(client):
    """A failure names what was expected, and how each message of that type differs, fewest differences first."""
    client.identify("u-2", {"plan": "pro"})
    client.identify("u-1", {"plan": "free"})
    client.track("u-1", "Signed Up")

    text = _failure(client.assert_identified, "u-1", {"plan": "pro", "seats": 3})

    assert text.splitlines() == [
        "no identify with userId='u-1', traits.plan='pro', traits.seats=3 was sent; of 3 messages sent:",
        "  identify 'u-2': userId: 'u-2' instead of 'u-1'; traits.seats: absent instead of 3",
        "  identify 'u-1': traits.plan: 'free' instead of 'pro'; traits.seats: absent instead of 3",
        "  and 1 message of other types: track",
    ]


def test_a_failure_with_nothing_sent_says_so(client):
    """If nothing was sent, the failure says so."""
    text = _failure(client.assert_tracked, "u-1", "Signed Up")

    assert text == "no track with userId='u-1', event='Signed Up' was sent; nothing was sent at all"


def test_times_is_the_exact_number(client):
    """`times` is the exact number of matching messages; 0 expects none."""
    client.track("u-1", "Clicked")
    client.track("u-1", "Clicked")

    client.assert_tracked("u-1", "Clicked", times=2)
    assert client.assert_tracked("u-1", "Signed Up", times=0) == {}
    text = _failure(client.assert_tracked, "u-1", "Clicked", times=1)

    assert text.splitlines() == [
        "2 instead of 1 times: track with userId='u-1', event='Clicked'; of 2 messages sent:",
        "  track 'u-1' 'Clicked': agrees",
        "  track 'u-1' 'Clicked': agrees",
    ]


def test_nothing_sent_lists_what_was(client):
    """`assert_nothing_sent` fails with a list of what was sent, by everybody or by one user."""
    for number in range(25):
        client.track("u-1", f"Event {number}")

    client.assert_nothing_sent("u-2")
    text = _failure(client.assert_nothing_sent, "u-1")

    assert text.splitlines()[0] == "25 messages of userId='u-1' sent, none was expected:"
    assert text.splitlines()[-1] == "  and 5 more"


# --- the scripted transport ----------------------------------------------------------------------------------------


def _scripted_client(script):
    transport = ScriptedTransport(script)
    return transport, Client(api_key="key", transport=transport, clock=FakeClock(), delivery="manual")


def test_answers_come_in_order_and_requests_are_recorded():
    """A script of answers and errors is used in order, and every request is recorded."""
    transport, client = _scripted_client([Response(503), ConnectFailed("no route"), Response(202)])
    client.track("u-1", "Signed Up")

    report = client.flush()

    assert (report.delivered, report.retried) == (1, 2)
    assert {(one.method, one.path) for one in transport.requests} == {("POST", "/events")}
    transport.assert_finished()


def test_a_function_answers_by_the_request():
    """A function instead of a list is called for each request."""
    transport, client = _scripted_client(lambda request: Response(202, {"echo": request.path}))
    client.track("u-1", "Signed Up")
    client.track("u-2", "Signed Up")

    assert client.flush().delivered == 2
    assert len(transport.requests) == 2


def test_an_unexpected_request_fails_the_test_that_made_it():
    """A request beyond the script ends the flush with an error that shows the requests so far, and no handler of exceptions hides it."""
    _, client = _scripted_client([Response(503)])
    client.track("u-1", "Signed Up", timestamp=1)

    with pytest.raises(testing.UnexpectedRequest) as caught:
        client.flush()

    lines = str(caught.value).splitlines()
    assert not isinstance(caught.value, Exception)
    assert lines[0].startswith("request 2 is beyond the script of 1 answers: POST /events with the body {")
    assert lines[1:] == [
        "requests so far:",
        "  1 POST /events -> 503",
        "  2 POST /events -> no answer",
        "add an answer, or give a function instead of a list",
    ]


def test_an_answer_of_a_wrong_type_is_reported():
    """A function that returns neither a response nor an exception is an error."""
    transport = ScriptedTransport(lambda request: None)

    with pytest.raises(testing.UnexpectedRequest, match="is a NoneType; give a Response or an error"):
        transport.send(Request("GET", "/me"))


def test_unused_answers_are_reported():
    """`assert_finished` fails with a list of the answers that were not used."""
    transport = ScriptedTransport([Response(200), ConnectFailed("no route"), Response(202)])
    before = _failure(transport.assert_finished)
    transport.send(Request("GET", "/me"))

    text = _failure(transport.assert_finished)

    assert before.splitlines()[1] == "no request came"
    assert text.splitlines() == [
        "2 of 3 answers were not used: ConnectFailed, 202",
        "requests so far:",
        "  1 GET /me -> 200",
    ]


# --- the clock -----------------------------------------------------------------------------------------------------


def test_time_passes_only_when_it_is_advanced():
    """The clock moves only if code sleeps or a test advances it."""
    clock = FakeClock(100)

    clock.sleep(2.5)
    clock.advance(10)

    assert (clock.now(), clock.sleeps, repr(clock)) == (112.5, [2.5], "FakeClock(now=112.5)")


def test_time_does_not_go_back():
    """Advancing by a negative number is an error."""
    with pytest.raises(ValueError, match="time does not go back"):
        FakeClock().advance(-1)


# --- Intercom in process -------------------------------------------------------------------------------------------


def test_calls_are_delivered_when_they_return():
    """With inline delivery, contact, company and event are in the workspace when the call returns."""
    with testing.intercom() as (client, workspace, _):
        client.identify(
            "u-1", {"name": "Grace Example", "company": {"id": "c-1", "name": "Example Shipping"}}
        )
        client.track("u-1", "Signed Up")

        assert [one["name"] for one in workspace.contacts()] == ["Grace Example"]
        assert [one.name for one in workspace.events("u-1")] == ["Signed Up"]
        assert [one["company_id"] for one in workspace.companies()] == ["c-1"]
        assert workspace.violations == []


def test_retries_pass_without_waiting():
    """Back-off and rate limit windows take no time, because client and workspace share the fake clock."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, app_limit=5)
    with testing.intercom(workspace, clock) as session:
        for number in range(20):
            session.client.identify(f"u-{number}", {"name": "Grace Example"})

    assert len(workspace.contacts()) == 20
    assert sum(clock.sleeps) > 10


def test_dead_letters_fail_the_session_at_the_end():
    """A dead letter that the test did not discard is a failure, because the message is not in Intercom."""

    def app():
        with testing.intercom(delivery="manual") as (client, _, _):
            client.track("u-nobody", "Signed Up")

    lines = _failure(app).splitlines()

    assert lines[0] == "messages did not reach Intercom:"
    assert lines[1] == "  track Signed Up u-nobody: contact_missing (404 not_found User Not Found)"
    assert lines[2] == "a test that expects this says so with client.dead_letters.discard()"


def test_the_failure_shows_the_answer_of_intercom():
    """The reason of a refused message is shown with status, code and message of Intercom's answer."""

    def app():
        with testing.intercom(Workspace(event_name_limit=0), delivery="manual") as (client, _, _):
            client.identify("u-1", {"name": "Grace Example"})
            client.track("u-1", "Signed Up")

    line = _failure(app).splitlines()[1]

    assert line.startswith("  track Signed Up u-1: event_name_limit (422 ")
    assert line.endswith(" Cannot have more than 0 active event names)")


def test_dead_letters_can_be_expected():
    """A test that discards dead letters, or allows them, does not fail because of them."""
    with testing.intercom(delivery="manual") as (client, _, _):
        client.track("u-nobody", "Signed Up")
        client.flush()
        assert client.dead_letters.discard() == 1
    with testing.intercom(delivery="manual", allow_dead_letters=True) as (client, _, _):
        client.track("u-nobody", "Signed Up")

    assert client.report().dead == {"contact_missing": 1}


def test_inline_delivery_raises_at_the_call():
    """With inline delivery, a call that Intercom refuses raises."""
    with testing.intercom(allow_dead_letters=True) as (client, _, _), pytest.raises(DeliveryFailed) as caught:
        client.track("u-nobody", "Signed Up")

    assert caught.value.reason == "contact_missing"


def test_held_messages_fail_the_session():
    """Messages that wait for working credentials are a failure, because they are not in Intercom."""

    def app():
        with testing.intercom(api_key="another", delivery="manual") as (client, _, _):
            client.identify("u-1", {"name": "Grace Example"})

    assert "  1 still pending: " in _failure(app)


def test_an_error_of_the_test_itself_is_not_hidden():
    """If the test itself fails, the session adds no failure."""

    def app():
        with testing.intercom(delivery="manual") as (client, _, _):
            client.track("u-nobody", "Signed Up")
            raise KeyError("the test's own")

    with pytest.raises(KeyError):
        app()


def test_the_app_may_close_the_client():
    """An application that closes its client in a test is no error."""
    with testing.intercom() as (client, workspace, _):
        client.identify("u-1", {"name": "Grace Example"})
        client.close()

    assert len(workspace.contacts()) == 1


def test_background_delivery_is_refused():
    """Background delivery is refused, because its threads wait in real time and a test would hang."""
    with pytest.raises(ConfigurationError, match="use 'inline' or 'manual' in tests"):
        testing.connect(Workspace(), delivery="background")


def test_a_full_buffer_can_be_provoked():
    """Settings reach the client, so that a test can reach its limits."""
    client = testing.connect(Workspace(), delivery="manual", max_buffered=1, when_full="raise")
    client.identify("u-1")

    with pytest.raises(BufferFull):
        client.identify("u-2")
    assert client.close().delivered == 1


# --- unittest ------------------------------------------------------------------------------------------------------


def _run(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


def test_the_mixin_serves_unittest():
    """A TestCase with the mixin has a new session in each test."""

    class SignUpTest(IntercomTestMixin, unittest.TestCase):
        intercom_settings: ClassVar = {"page_events": "Viewed {name} Page"}

        def test_page(self):
            client, workspace, _ = self.intercom
            client.identify("u-1", {"name": "Grace Example"})
            client.page("u-1", None, "Pricing")
            self.assertEqual([one.name for one in workspace.events("u-1")], ["Viewed Pricing Page"])  # noqa: PT009

        def test_empty(self):
            self.assertEqual(self.intercom.workspace.contacts(), [])  # noqa: PT009

    result = _run(SignUpTest)

    assert (result.testsRun, result.errors, result.failures) == (2, [], [])


@pytest.mark.parametrize(("allowed", "failures"), [(False, 1), (True, 0)])
def test_the_mixin_fails_on_dead_letters(allowed, failures):
    """A test case with dead letters fails, unless its class allows them."""

    class SignUpTest(IntercomTestMixin, unittest.TestCase):
        intercom_settings: ClassVar = {"delivery": "manual"}
        allow_dead_letters = allowed

        def test_track(self):
            self.intercom.client.track("u-nobody", "Signed Up")

    result = _run(SignUpTest)

    assert len(result.failures) == failures
    assert result.errors == []
