"""``client.history``: what became of messages, and what was sent for each (rule X2)."""

from __future__ import annotations

import pytest

from metarouter_intercom import Client, HistoryEntry, ReadFailed
from metarouter_intercom.plugins import Response
from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import account

_SECRET = "very-secret-key"
_CONTACT = Response(200, {"type": "contact", "id": "c1", "email": "ann@example.com"}, {"x-request-id": "r-1"})
_GONE = {
    "type": "error.list",
    "request_id": "r-9",
    "errors": [{"code": "bad", "message": "No", "field": "event_name"}],
}


@pytest.fixture(params=["memory", "spool"])
def make_client(request, tmp_path):
    """Return a function that makes a client that delivers when it is flushed, with memory or a spool."""
    made = []

    def make(*answers, **settings):
        if request.param == "spool":
            settings["spool"] = tmp_path / "a.spool"
            answers = answers and (account(), *answers)
        client = Client(
            api_key=settings.pop("api_key", _SECRET),
            transport=ScriptedTransport(list(answers)) if answers else None,
            clock=settings.pop("clock", None) or FakeClock(),
            delivery="manual",
            backoff_base=0.001,
            **settings,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0)


def test_a_delivery_and_its_requests_are_there(make_client):
    """X2: an entry has the message, what was sent for it, and what Intercom answered."""
    client = make_client(_CONTACT, Response(202, None, {"x-request-id": "r-2"}))
    client.identify("u1", {"email": "ann@example.com"}, message_id="m1")
    client.track("u1", "Signed Up", message_id="m2")
    client.flush()

    event, identify = client.history
    assert isinstance(event, HistoryEntry)
    assert [(entry.message["messageId"], entry.outcome, entry.reason) for entry in (event, identify)] == [
        ("m2", "delivered", None),
        ("m1", "delivered", None),
    ]
    assert [(sent.method, sent.path, sent.status, sent.code, sent.request_id) for sent in event.requests] == [
        ("POST", "/events", 202, None, "r-2")
    ]
    assert identify.requests[0].answer == {"type": "contact", "id": "c1"}
    assert identify.requests[0].duration >= 0.0
    assert identify.accepted_at <= identify.ended_at
    assert _SECRET not in repr(list(client.history))


def test_a_merged_request_is_in_the_entry_of_each_message(make_client):
    """O2, X2: a write that served several messages is part of what happened to each."""
    client = make_client(_CONTACT)
    client.identify("u1", {"plan_name": "a"}, message_id="m1")
    client.identify("u1", {"plan_name": "b"}, message_id="m2")
    client.flush()

    first, second = client.history
    assert first.requests == second.requests
    assert len(first.requests) == 1


def test_a_dead_letter_tells_every_attempt(make_client):
    """X2: the requests of earlier attempts come first, with why there was no answer, or with the error."""
    clock = FakeClock()
    client = make_client(_CONTACT, ReadFailed("cut"), Response(422, _GONE), clock=clock)
    client.identify("u1")
    client.track("u1", "Signed Up", message_id="m2")
    client.flush(60)

    (entry,) = client.history.find(outcome="dead")
    assert (entry.message["messageId"], entry.reason) == ("m2", "http_422")
    assert [(sent.status, sent.code, sent.reason, sent.request_id) for sent in entry.requests] == [
        (None, None, "read_failed", None),
        (422, "bad", None, "r-9"),
    ]
    assert entry.requests[1].answer == {"message": "No", "field": "event_name"}


def test_a_skip_is_there_with_its_reason(make_client):
    """X2: a message that has nothing to do in Intercom ended as well."""
    client = make_client(_CONTACT)
    client.page("u1", "Docs", "Start")
    client.flush()

    (entry,) = client.history
    assert (entry.outcome, entry.reason, entry.requests) == ("skipped", "page_off", ())


def test_the_history_answers_questions(make_client):
    """X2: a person is found by user id or address, in any letter case; a message by id, event, reason or outcome."""
    with Sandbox() as sandbox:
        client = make_client(api_key=sandbox.token, base_url=sandbox.url)
        client.identify("u1", {"email": "Ann@Example.com"}, message_id="m1")
        client.track("u1", "Signed Up", message_id="m2")
        client.identify("u2", {"email": "bo@example.com"}, message_id="m3")
        client.page("u2", "Docs", "Start", message_id="m4")
        client.flush()

    def ids(**wanted):
        return [entry.message["messageId"] for entry in client.history.find(**wanted)]

    assert sorted(ids()) == ["m1", "m2", "m3", "m4"]
    assert sorted(ids(user_id="u1")) == ["m1", "m2"]
    assert ids(email="ann@example.COM") == ["m1"]
    assert ids(event="Signed Up") == ["m2"]
    assert ids(message_id="m3") == ["m3"]
    assert ids(reason="page_off") == ids(outcome="skipped") == ["m4"]
    assert ids(user_id="u2", outcome="delivered") == ["m3"]
    assert ids(user_id="u3") == []
    assert len(ids(limit=2)) == 2


def test_deleting_a_person_forgets_their_history(make_client):
    """X2: after a deletion nothing about the person is left, also not under an address that only some messages name."""
    with Sandbox() as sandbox:
        client = make_client(api_key=sandbox.token, base_url=sandbox.url)
        client.identify("u1", {"email": "ann@example.com"}, message_id="m1")
        client.identify("u2", {"email": "bo@example.com"}, message_id="m2")
        client.flush()
        client.track("u1", "Signed Up", message_id="m3")
        client.send(
            {"type": "identify", "messageId": "m4", "traits": {"email": "ANN@example.com", "name": "Ann"}}
        )
        client.flush()
        client.delete("u1")

    assert [entry.message["messageId"] for entry in client.history] == ["m2"]


def test_switched_off_it_is_empty(make_client):
    """X2: the setting 0 keeps nothing."""
    client = make_client(_CONTACT, history=0)
    client.identify("u1")
    client.flush()

    assert list(client.history) == []


def test_a_message_of_another_version_is_still_found_and_forgotten(make_client):
    """X2: an entry whose message cannot be read any more is known by its ids."""
    client = make_client(_CONTACT)
    client._dependencies.buffer.bury(
        {"type": "of a later version", "messageId": "m1", "userId": "u1"}, reason="plugin_failed", now=1.0
    )

    assert [entry.reason for entry in client.history.find(user_id="u1")] == ["plugin_failed"]
    client.history.forget(["user:u1"])
    assert list(client.history) == []
