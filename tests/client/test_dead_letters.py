"""What users do with dead letters (rule X1): list, retry, discard, export."""

from __future__ import annotations

import io
import json

import pytest

from metarouter_intercom import BufferFull, ClientClosed, ConfigurationError
from metarouter_intercom._client.dead_letters import DeadLetters
from metarouter_intercom.operations import Translation
from metarouter_intercom.plugins import DeadLetter, Response
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import answering, in_workspace, manual_client

_REFUSAL = {
    "request_id": "r-1",
    "errors": [{"code": "parameter_invalid", "message": "no good", "field": "event_name"}],
}


@pytest.fixture(params=["memory", "spool"])
def make(request, tmp_path):
    """Return a function that makes a client over either buffer."""
    made = []

    def make(transport=None, **choices):
        spool = tmp_path / "a.spool" if request.param == "spool" else None
        made.append(manual_client(transport, spool=spool, **choices))
        return made[-1]

    yield make
    for client in made:
        client.close(0)


def _client_with_dead(make, *users, **choices):
    """Return a client with a dead letter for each of *users*, whose transport then takes everything."""
    answers = [Response(400, _REFUSAL) for _ in users]
    client = make(
        ScriptedTransport(in_workspace(lambda request: answers.pop(0) if answers else Response(202))),
        **choices,
    )
    for user in users:
        client.track(user, "Bought", {"n": 1}, message_id=f"m-{user}")
        client.flush()
    return client


def test_a_dead_letter_keeps_all_that_is_known(make):
    """X1: a dead letter has the message, the reason, Intercom's answer, the attempts and the instants."""
    clock = FakeClock()
    client = _client_with_dead(make, "u-1", clock=clock)

    (letter,) = client.dead_letters

    assert letter.message["messageId"] == "m-u-1"
    assert letter.message["properties"] == {"n": 1}
    assert letter.reason == "http_400"
    assert letter.answer == {
        "status": 400,
        "code": "parameter_invalid",
        "message": "no good",
        "field": "event_name",
        "request_id": "r-1",
    }
    assert (letter.attempts, letter.accepted_at, letter.died_at) == (1, clock.now(), clock.now())


def test_they_are_counted_and_listed(make):
    """X1: dead letters are counted by reason, and listed oldest first, by reason, up to a limit."""
    client = _client_with_dead(make, "u-1", "u-2", "u-3")

    assert len(client.dead_letters) == 3
    assert client.dead_letters.count() == {"http_400": 3}
    assert [letter.message["userId"] for letter in client.dead_letters.list(limit=2)] == ["u-1", "u-2"]
    assert client.dead_letters.list("other") == []


@pytest.mark.parametrize(
    ("choice", "left"),
    [({}, []), ({"reason": "http_400"}, []), ({"reason": "other"}, ["u-1", "u-2", "u-3"])],
)
def test_they_can_be_retried(make, choice, left):
    """X1: all or those with a reason are retried; each is delivered with the same id and instant."""
    client = _client_with_dead(make, "u-1", "u-2", "u-3")
    before = {letter.message["messageId"]: letter.message["timestamp"] for letter in client.dead_letters}

    number = client.dead_letters.retry(**choice)
    report = client.flush()

    assert number == report.delivered == 3 - len(left)
    assert [letter.message["userId"] for letter in client.dead_letters] == left
    sent = {request.body["created_at"] for request in client._dependencies.transport.requests[3:]}
    assert sent <= {int(instant) for instant in before.values()}


def test_some_can_be_retried_by_id(make):
    """X1: with ids, only those dead letters are retried."""
    client = _client_with_dead(make, "u-1", "u-2", "u-3")
    second = client.dead_letters.list()[1]

    assert client.dead_letters.retry([second.id, 999]) == 1
    client.flush()
    assert [letter.message["userId"] for letter in client.dead_letters] == ["u-1", "u-3"]


def test_a_retry_that_fails_at_once_is_not_repeated(make):
    """X1: a retry ends even if inline delivery makes new dead letters meanwhile; none is lost and none is there twice."""
    client = make(answering(400, _REFUSAL), delivery="inline", on_error=lambda error, messages: None)
    for user in ("u-1", "u-2"):
        with pytest.raises(Exception, match="no good"):
            client.track(user, "Bought")

    assert client.dead_letters.retry() == 2
    assert sorted(letter.message["userId"] for letter in client.dead_letters) == ["u-1", "u-2"]


def test_what_would_be_skipped_stays_a_dead_letter(make, caplog):
    """X1: a letter that the client would skip stays, is counted by reason and logged once; the others are accepted."""
    client = _client_with_dead(make, "u-1", "u-2", "u-3", ignore_user_ids=[])
    strict = client._dependencies.translator
    client._dependencies = client._dependencies._replace(
        translator=lambda message: (
            Translation(skipped="ignored_contact") if message.user_id == "u-2" else strict(message)
        )
    )
    caplog.clear()

    retried = client.dead_letters.retry()

    assert (retried, retried.skipped) == (2, {"ignored_contact": 1})
    assert [letter.message["userId"] for letter in client.dead_letters] == ["u-2"]
    assert [record.getMessage() for record in caplog.records] == [
        "connection testing: 1 dead letters stay, because this client would skip them (ignored_contact)"
    ]


def test_a_translator_that_raises_is_left_to_the_delivery(make):
    """X1: a letter whose translation fails is accepted again, and the delivery reports the failure."""
    client = _client_with_dead(make, "u-1")

    def broken(message):
        raise KeyError("name")

    client._dependencies = client._dependencies._replace(translator=broken)

    assert client.dead_letters.retry() == 1


def test_ids_that_are_not_there_are_ignored(make):
    """X1: another process may have been faster, so unknown ids change nothing and are not counted."""
    client = _client_with_dead(make, "u-1")

    assert client.dead_letters.discard([7, 8]) == client.dead_letters.retry([7, 8]) == 0
    assert len(client.dead_letters) == 1


def test_a_message_that_cannot_be_accepted_stays_a_dead_letter(make):
    """X1: if the buffer has no room for a message, it stays a dead letter and is not dropped."""
    client = _client_with_dead(make, "u-1", "u-2", max_buffered=1)

    with pytest.raises(BufferFull):
        client.dead_letters.retry()

    assert [letter.message["userId"] for letter in client.dead_letters] == ["u-2"]
    assert (client.report().pending, client.report().dropped) == (1, {})


def test_a_client_that_sends_nothing_retries_nothing():
    """X1, W1: a client that is not enabled keeps the dead letters and raises an error that names the remedy."""
    client = manual_client(before=[lambda message: None], enabled=False)
    client.track("u-1", "Bought")

    with pytest.raises(ConfigurationError, match="enabled"):
        client.dead_letters.retry()

    assert client.dead_letters.count() == {"plugin_failed": 1}


def test_a_closed_client_retries_nothing():
    """X1: a closed client raises ClientClosed and keeps the dead letters, because it would not deliver them."""
    client = manual_client(answering(400, _REFUSAL))
    client.track("u-1", "Bought")
    client.close()

    with pytest.raises(ClientClosed):
        client.dead_letters.retry()

    assert len(client.dead_letters) == 1


def test_they_can_be_discarded(make):
    """X1: dead letters are discarded by id, by reason or all; ``discard`` returns how many and counts no loss."""
    client = _client_with_dead(make, "u-1", "u-2", "u-3")
    first = client.dead_letters.list()[0]

    assert client.dead_letters.discard([first.id]) == 1
    assert client.dead_letters.discard(reason="other") == 0
    assert client.dead_letters.discard() == 2
    assert (len(client.dead_letters), client.report().dropped) == (0, {})


def test_they_can_be_exported(make):
    """X1: an export writes a JSON line with all that is known for each dead letter, and keeps the dead letters."""
    client = _client_with_dead(make, "u-1", "u-2")
    file = io.StringIO()

    number = client.dead_letters.export(file)

    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert number == len(lines) == len(client.dead_letters) == 2
    assert [line["message"]["userId"] for line in lines] == ["u-1", "u-2"]
    assert list(lines[0]) == ["id", "reason", "answer", "attempts", "accepted_at", "died_at", "message"]
    assert client.dead_letters.export(file, reason="other") == 0


class _ManyDead:
    """A buffer with very many dead letters that notes which pages are read."""

    def __init__(self, number):
        self.pages = []
        self._number = number

    def dead_letters(self, *, reason=None, after=0, limit=100):
        self.pages.append((after, limit))
        last = min(self._number, after + limit)
        return [
            DeadLetter(id=id, message={}, reason="r", answer=None, attempts=1, accepted_at=0.0, died_at=0.0)
            for id in range(after + 1, last + 1)
        ]


def test_very_many_are_read_page_by_page():
    """X1: iterating reads dead letters in pages of a thousand, so that they are never all in memory."""
    buffer = _ManyDead(2_500)

    ids = [letter.id for letter in DeadLetters(buffer, lambda message: None)]

    assert ids == list(range(1, 2_501))
    assert buffer.pages == [(0, 1_000), (1_000, 1_000), (2_000, 1_000), (2_500, 1_000)]
