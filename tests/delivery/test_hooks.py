"""Hooks and replaceable parts of a client, and what they may do (rules P1 to P3)."""

from __future__ import annotations

import threading

import attrs
import pytest

from metarouter_intercom import (
    ClientClosed,
)
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.messages import Identify
from metarouter_intercom.operations import Translation
from metarouter_intercom.plugins import Drop, Response
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import DEADLINE, accept, answering, background_client, in_thread, manual_client
from .._support.flow_driving import refusal

# What an error of a hook may quote. A traceback shows lines of code, so the text stands here and not in the hooks.
_PRIVATE = "ada@example.com, very-private"


# --- hooks (P1, P2) -----------------------------------------------------------------------------------------


def test_before_hooks_change_and_drop_in_order():
    """P1: each hook gets the message that the hook before it returned; a drop ends the message, with its reason."""

    def rename(message):
        return attrs.evolve(message, traits={**message.traits, "name": "Grace"})

    def without_staff(message):
        assert isinstance(message, Identify)
        return (
            Drop("staff") if message.traits.get("name") == "Grace" and message.user_id == "s-1" else message
        )

    dropped, transport = [], answering()
    client = manual_client(
        transport, before=[rename, without_staff], on_drop=lambda message, reason: dropped.append(reason)
    )
    for user in ("u-1", "s-1"):
        client.identify(user, {"name": "Ada"})
    report = client.flush()

    assert [request.body["name"] for request in transport.requests] == ["Grace"]
    assert (report.accepted, report.dropped, dropped) == (2, {"staff": 1}, ["staff"])


@pytest.mark.parametrize("fault", ["raise", "nothing", "too much"])
def test_a_before_hook_that_fails_sends_the_message_to_the_dead_letters(fault, caplog):
    """P1: the dead letter is the message before the hooks, reported and counted; nothing half-filtered is sent, and the call does not raise."""

    def hook(message):
        if fault == "raise":
            raise KeyError(_PRIVATE)
        return None if fault == "nothing" else attrs.evolve(message, traits={"note": "x" * 100_000})

    errors, ends, transport = [], [], ScriptedTransport([])
    client = manual_client(
        transport,
        before=[hook],
        on_error=lambda error, messages: errors.append((error.reason, len(messages))),
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )

    message_id = client.identify("u-1", {"name": "Ada"})
    report = client.flush()

    letter = client.dead_letters.list()[0]
    assert (letter.reason, letter.message["messageId"]) == ("plugin_failed", message_id)
    assert letter.message["traits"] == {"name": "Ada"}
    assert (report.accepted, report.dead) == (1, {"plugin_failed": 1})
    assert errors == [("plugin_failed", 1)]
    assert ends == [("dead", "plugin_failed")]
    assert "ada@example.com" not in caplog.text


def test_the_end_of_every_message_is_reported_once():
    """P2: each accepted message has one end (delivered, merged, skipped, dropped or dead), and the numbers add up."""

    def answer(request):
        return refusal(400) if "bad" in str(request.body) else accept(request)

    def before(message):
        return Drop() if message.user_id == "dropped" else message

    ends: dict[str, list[str]] = {}
    client = manual_client(
        ScriptedTransport(answer),
        max_buffered=8,
        before=[before],
        after=[lambda delivery: ends.setdefault(delivery.message["messageId"], []).append(delivery.outcome)],
    )
    ids = [client.identify("u-1", {"step": step}) for step in range(3)]
    ids += [
        client.track("u-1", "bad"),
        client.page("u-1"),
        client.track("dropped", "A"),
        client.track("u-2", "A"),
    ]
    ids += [client.track(f"u-{number}", "A") for number in range(3, 6)]
    report = client.flush()
    client.close()

    assert sorted(ends) == sorted(ids)
    assert {len(outcomes) for outcomes in ends.values()} == {1}
    ended = report.delivered + sum(
        sum(numbers.values()) for numbers in (report.skipped, report.dropped, report.dead)
    )
    assert (report.accepted, report.pending) == (ended, 0)
    assert (report.merged, report.dead, report.dropped) == (
        2,
        {"http_400": 1},
        {"before_hook": 1, "buffer_full": 1},
    )


def test_hooks_that_raise_change_nothing(caplog):
    """P2: errors of ``after``, ``on_error`` and ``on_drop`` hooks are logged without their texts, and counted."""

    def fail(*_):
        raise RuntimeError(_PRIVATE)

    client = manual_client(
        ScriptedTransport([refusal(400), Response(202)]),
        max_buffered=2,
        after=[fail],
        on_error=fail,
        on_drop=fail,
    )
    for number in range(3):
        client.track(f"u-{number}", "A")
    report = client.flush()

    assert (report.delivered, report.dead, report.dropped) == (1, {"http_400": 1}, {"buffer_full": 1})
    assert report.notes["P2: after-hook raised"] == 3
    lines = " ".join(record.getMessage() for record in caplog.records)
    for hook in ("an after-hook raised", "the on_error hook raised", "the on_drop hook raised"):
        assert hook in lines
    assert "ada@example.com" not in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("delivery", ["background", "manual", "inline"])
@pytest.mark.parametrize("method", ["flush", "close"])
def test_hooks_may_flush_and_close(delivery, method):
    """W2: a hook that flushes or closes neither hangs nor loses a message, although its own thread must deliver."""
    pending, done = [], threading.Event()

    def hook(end):
        pending.append(getattr(client, method)().pending)
        if len(pending) == 1 and method == "close":
            done.set()

    client = background_client(answering(), workers=1, delivery=delivery, after=[hook])
    worker = in_thread(lambda: _send_some(client))
    worker.join(DEADLINE)
    assert not worker.is_alive()
    report = client.close(DEADLINE)

    assert report.delivered == report.accepted
    assert report.pending == 0
    assert len(pending) == report.delivered
    if method == "close":
        assert done.is_set()


def _send_some(client):
    try:
        for number in range(5):
            client.track(f"u-{number}", "A")
    except ClientClosed:
        return
    client.flush(DEADLINE)


def test_an_error_hook_may_flush_while_credentials_are_held():
    """W2, T1: a hook that runs inside the probe does not wait for the end of that probe."""
    answers = [Response(401)]
    seen = []

    def on_error(error, messages):
        seen.append((error.reason, client.flush().pending))

    client = background_client(
        ScriptedTransport(lambda request: answers.pop() if answers else Response(202)),
        workers=1,
        on_error=on_error,
    )
    client.track("u-1", "A")
    client.flush(DEADLINE)
    report = client.close(DEADLINE)

    assert [reason for reason, _ in seen] == ["held"]
    assert report.delivered == 1


def test_hooks_may_send_messages():
    """P2: an after-hook may track an event, for instance that a contact was written."""

    def hook(delivery):
        if delivery.message["type"] == "identify":
            client.track("u-1", "Written")

    transport = answering()
    client = background_client(transport, workers=1, after=[hook])
    client.identify("u-1", {"name": "Ada"})
    client.flush(DEADLINE)
    report = client.close(DEADLINE)

    assert report.delivered == 2


# --- replaceable parts (P3) ---------------------------------------------------------------------------------


def test_every_part_can_be_replaced():
    """P3: the client uses the transport, buffer, translator and clock that it was given."""
    seen = []

    class Recording(MemoryBuffer):
        def accept(self, message, **options):
            seen.append(("buffer", message["event"], options["now"]))
            return super().accept(message, **options)

    def translator(message):
        seen.append(("translator", message.event))
        return Translation(skipped="not_wanted")

    client = manual_client(
        ScriptedTransport([]),
        buffer=Recording(limit=10, dead_letters=10),
        translator=translator,
        clock=FakeClock(5.0),
    )
    client.track("u-1", "A")

    assert client.flush().skipped == {"not_wanted": 1}
    assert seen == [("buffer", "A", 5.0), ("translator", "A")]


def test_messages_in_a_replaced_buffer_are_not_dropped():
    """P3: the client does not drop or log as lost what is left in a replaced buffer: the buffer may keep it."""
    buffer = MemoryBuffer(limit=10, dead_letters=10)
    client = manual_client(answering(503), buffer=buffer)
    client.track("u-1", "A")

    report = client.close(0)

    assert (report.dropped, report.pending, buffer.pending()) == ({}, 1, 1)


def test_a_transport_that_raises_an_unexpected_error_costs_only_that_message(caplog):
    """P3: after a few unexpected errors the message is a dead letter; the others are delivered, and nothing is stuck."""

    def answer(request):
        return ValueError(_PRIVATE) if request.body["event_name"] == "Bad" else Response(202)

    ends, errors = [], []
    client = manual_client(
        ScriptedTransport(answer),
        after=[lambda delivery: ends.append((delivery.message["event"], delivery.outcome))],
        on_error=lambda error, messages: errors.append(error.reason),
    )
    for user, event in (("u-1", "Bad"), ("u-2", "Good"), ("u-3", "Bad"), ("u-4", "Good")):
        client.track(user, event)

    report = client.flush(timeout=600)
    client.track("u-5", "Good")

    assert client.flush(timeout=60).delivered == 3
    assert report.dead == {"internal_error": 2}
    assert sorted(ends) == [("Bad", "dead")] * 2 + [("Good", "delivered")] * 3
    assert errors == ["internal_error"] * 2
    assert "ada@example.com" not in caplog.text


def test_a_translator_that_raises_costs_one_message(caplog):
    """P3: its message becomes a dead letter, the others are delivered."""

    def translator(message):
        if message.event == "Bad":
            raise ValueError(_PRIVATE)
        return Translation(skipped="fine")

    client = manual_client(translator=translator)
    for event in ("Bad", "Good"):
        client.track("u-1", event)

    report = client.flush()

    assert (report.dead, report.skipped) == ({"translator_failed": 1}, {"fine": 1})
    assert "ada@example.com" not in caplog.text


def test_a_hook_of_a_probe_may_flush():
    """T1, T5: the hook runs inside the only probe, so its flush does not wait for a probe."""
    reports = []

    def hook(delivery):
        reports.append(client.flush())

    clock = FakeClock()
    client = manual_client(answering(401), clock=clock, after=[hook])
    client.track("u-1", "A")
    client.flush()
    clock.advance(1)
    client.page("u-2")

    for _ in range(2):  # one probe each; the message that is due longest goes first
        client.flush()

    assert [report.skipped for report in reports] == [{"page_off": 1}]
    assert client.health().status == "held"
