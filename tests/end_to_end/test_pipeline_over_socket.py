"""
The whole way over real sockets: mixed messages of many people through four workers to a sandbox that is strict.

1,000 messages of 100 people by default; 10,000 of 1,000 people, with the figures, by
``METAROUTER_FULL=1 python -m pytest tests/end_to_end/test_pipeline_over_socket.py --log-cli-level=INFO``.
"""

from __future__ import annotations

import logging
import os
import random
import time
from typing import Any

import pytest

from metarouter_intercom import Client, Report
from metarouter_intercom.sandbox import Faults, Sandbox, Workspace

_IS_FULL = os.environ.get("METAROUTER_FULL") == "1"
_PEOPLE, _MESSAGES = (1_000, 10_000) if _IS_FULL else (100, 1_000)
# Everybody's first instant; message number n happened n seconds later, so that no two events are one for Intercom.
_BEGIN = 1_760_000_000
# The last write wins, so whatever is merged or unchanged shows in instants of sight alone.
_SIGHTS = ("last_seen_at", "last_request_at")
# Together one answer in twenty.
_FIVE_PERCENT = Faults(seed=7, server_error=0.015, rate_limited=0.005, reset=0.015, lost=0.015)
_log = logging.getLogger(__name__)


def _messages() -> list[dict[str, Any]]:
    """
    Return the same mixed messages each time: half tracks, a third identifies, some with companies, the rest groups.

    Whoever was never identified is so in the end, so that earlier events and companies wait for their contact (rule M2).
    """
    jitter = random.Random(2)
    people = [jitter.randrange(_PEOPLE) for _ in range(_MESSAGES)]
    last = {person: number for number, person in enumerate(people)}
    identified: set[int] = set()
    messages = []
    for number, person in enumerate(people):
        is_due = last[person] == number and person not in identified
        message = _message(jitter, number, person, 0.5 if is_due else jitter.random())
        if message["type"] == "identify":
            identified.add(person)
        messages.append(message)
    return messages


def _message(jitter: random.Random, number: int, person: int, kind: float) -> dict[str, Any]:
    message: dict[str, Any] = {
        "userId": f"person-{person}",
        "messageId": f"message-{number}",
        "timestamp": _BEGIN + number,
    }
    if kind < 0.5:
        properties = {"number": number, "plan": "pro", "revenue": 9.5, "currency": "EUR"}
        return message | {"type": "track", "event": f"Event {jitter.randrange(20)}", "properties": properties}
    if kind < 0.85:
        traits: dict[str, Any] = {
            "name": f"Person {person}",
            "email": f"person-{person}@example.com",
            "step": number,
            "address": {"city": "London", "postalCode": jitter.choice(["N1", "E2", "SW3"])},
            "plan": jitter.choice(["free", "pro"]),
        }
        if jitter.random() < 0.3:
            traits["company"] = {"id": f"company-{person % 37}", "name": f"Company {person % 37}"}
        return message | {"type": "identify", "traits": traits}
    company = jitter.randrange(50)
    facts = {"name": f"Company {company}", "employees": company * 10, "plan": "pro"}
    return message | {"type": "group", "groupId": f"company-{company}", "traits": facts}


def _deliver(messages: list[dict[str, Any]], faults: Faults) -> tuple[Workspace, Report]:
    """Send *messages* into a fresh workspace and return it with the report."""
    # No rate limit in the way, but windows as short as their header can tell, for the 429 that faults bring.
    workspace = Workspace(app_limit=10**6, workspace_limit=10**6, window=1.0, reset_slack=0.0)
    with Sandbox(workspace=workspace) as sandbox:
        client = Client(
            api_key=sandbox.token, base_url=sandbox.url, workers=4, max_buffered=2 * _MESSAGES,
            flush_interval=0.05, backoff_base=0.02, backoff_max=0.2,
        )  # fmt: skip
        begun = time.perf_counter()
        sandbox.faults = faults
        for message in messages:
            client.send(message)
        report = client.close(600)
        seconds = time.perf_counter() - begun
    _log.info(
        "%d messages of %d people: %.1f s, %d requests (%.0f/s), %d attempts put off, %d events repeated on the wire",
        len(messages), _PEOPLE, seconds, workspace.handled, workspace.handled / seconds, report.retried,
        workspace.repeated_events,
    )  # fmt: skip
    return workspace, report


@pytest.fixture(scope="module")
def messages():
    """The messages that both runs send."""
    return _messages()


@pytest.fixture(scope="module")
def undisturbed(messages):
    """The run in which nothing goes wrong."""
    return _deliver(messages, Faults())


def _numbers_in_order(messages, person):
    return [
        one["properties"]["number"] for one in messages if one["type"] == "track" and one["userId"] == person
    ]


def _people(messages):
    return sorted({message["userId"] for message in messages})


def test_everything_arrives_once(messages, undisturbed):
    """Nothing is lost, nothing is dead, nothing pending; what is merged counts as delivered."""
    workspace, report = undisturbed

    assert (report.accepted, report.delivered, report.pending) == (_MESSAGES, _MESSAGES, 0)
    assert (report.dead, report.dropped) == ({}, {})
    assert sum(len(workspace.events(person)) for person in _people(messages)) == sum(
        message["type"] == "track" for message in messages
    )


def test_no_request_breaks_a_rule_of_intercoms(undisturbed):
    """The sandbox, as strict as Intercom is documented to be, has nothing to complain of."""
    workspace, _ = undisturbed

    assert workspace.violations == []


def test_everybodys_messages_arrive_in_their_order(messages, undisturbed):
    """O1: the events of each person in the order of acceptance, and of each trait the last value."""
    workspace, _ = undisturbed
    last = {
        message["userId"]: message["traits"]["step"] for message in messages if message["type"] == "identify"
    }
    snapshot = workspace.snapshot()["contacts"]

    for person in _people(messages):
        arrived = [event.metadata["number"] for event in workspace.events(person)]
        assert arrived == _numbers_in_order(messages, person)
    assert {person: snapshot[person]["custom_attributes"]["step"] for person in last} == last


def test_one_answer_in_twenty_may_fail(messages, undisturbed):
    """500, 429, resets and answers lost after the request was applied: the same workspace in the end."""
    workspace, report = _deliver(messages, _FIVE_PERCENT)

    assert (report.accepted, report.delivered, report.dead) == (_MESSAGES, _MESSAGES, {})
    assert report.retried > 0
    assert workspace.snapshot(without=_SIGHTS) == undisturbed[0].snapshot(without=_SIGHTS)
    assert workspace.violations == []
