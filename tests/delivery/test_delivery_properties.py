"""The promise of rule O2: merged, unchanged or with faults, the workspace ends in the same state as message by message."""

from __future__ import annotations

from contextlib import nullcontext
from random import Random
from typing import NamedTuple

import pytest

from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.circuit import Circuit
from metarouter_intercom._delivery.executor import Executor
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom.operations._translator import DefaultTranslator
from metarouter_intercom.sandbox import Faults, Workspace, WorkspaceTransport
from metarouter_intercom.sandbox.faults import NO_FAULTS
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import FakeClock

from .._support.flow_driving import make_cache

_BEGIN = 1_767_225_600.0
_USERS = ("u1", "u2", "u3")
_LEADS = ("a1", "a2")
_EMAILS = ("ann@example.com", "Bea@example.com")
_NOBODY = "u9"
"""A user for whom no identify is ever sent."""

_TRAITS = {
    "name": ["Ann", "Bea", None],
    "phone": ["1", "2", None],
    "plan": ["free", "pro", None],
    "seats": [1, 2, 2.5],  # the workspace takes whole numbers here
    "mixed": ["12", 12, True, None],
    "ownerId": [991267459, 991267460, 5],  # 5 is no admin
}
_COMPANY = {
    "name": ["K", "L"],
    "plan": ["a", "b"],
    "tier": ["x", "y", None],
    "tags": [["VIP"], ["VIP", "Old"]],
}


_OPTIONS = {
    "tags": [["VIP"], ["vip", "Old"], {"remove": ["VIP"]}, {"add": ["Old"], "remove": ["vip", "New"]}],
    "subscriptions": [
        {"Newsletters": False},
        {"91": True},
        {"newsletters": True, "93": True},
        {"Text messages": False},
    ],
}


# The type of an attribute must not depend on which contact's value comes first.
_ATTRIBUTES = {"contact": {"seats": "integer", "mixed": "string"}}


def _some(random, choices):
    return {name: random.choice(values) for name, values in choices.items() if random.random() < 0.3}


def _who(random):
    if random.random() < 0.3:
        return {"anonymousId": random.choice(_LEADS)}
    return {"userId": random.choice(_USERS)}


def _company(random):
    removed = {"remove": True} if random.random() < 0.2 else {}
    return {"id": random.choice(["k1", "k2"]), **_some(random, _COMPANY), **removed}


_KINDS = ("identify", "identify", "identify", "email", "group", "track", "track")


def _message(random, leads):
    """Return a message; an alias is only about one of *leads*, the identified leads: for any other lead it only leaves a note."""
    kind = random.choice([*_KINDS, "alias"] if leads else _KINDS)
    if kind == "identify":
        companies = {"companies": [_company(random)]} if random.random() < 0.3 else {}
        return {"type": "identify", **_who(random), "traits": {**_some(random, _TRAITS), **companies}}
    if kind == "email":
        return {
            "type": "identify",
            "traits": {**_some(random, _TRAITS), "email": random.choice(_EMAILS)},
        }
    if kind == "alias":
        return {"type": "alias", "previousId": random.choice(leads), "userId": random.choice(_USERS)}
    who = {"userId": _NOBODY} if random.random() < 0.1 else _who(random)
    if kind == "group":
        company = _company(random)
        return {"type": "group", **who, "groupId": company["id"], "traits": company}
    return {
        "type": "track",
        **who,
        "event": random.choice(["Seen", "Done"]),
        "properties": {"size": random.randrange(4)},
    }


def _messages(random):
    """Return messages with ids and timestamps, so that every run sends the same."""
    messages = []
    for at in range(random.randint(2, 20)):
        identified = {one.get("anonymousId") for one in messages if one["type"] == "identify"}
        message = _message(random, [lead for lead in _LEADS if lead in identified])
        stamp = {"messageId": f"m{at}", "timestamp": _BEGIN + at * 10 - random.randrange(30)}
        if message["type"] == "identify":
            # From a source of its own, so that the other values stay those of the seed.
            options = _some(Random(repr((at, message))), _OPTIONS)
            message = {**message, "integrations": {"Intercom": options}}
        messages.append({**message, **stamp})
    return messages


class _Run(NamedTuple):
    """How a run ended: the workspace, and the reasons of the dead letters."""

    workspace: Workspace
    dead: dict[str, int]

    @property
    def writes(self):
        reads = ("/contacts/search", "/data_attributes")
        return sum(
            one.status < 300 and one.method != "GET" and one.path not in reads
            for one in self.workspace.requests
        )

    @property
    def state(self):
        """
        The workspace's contacts and companies, with two things made equal that depend on whose message comes first.

        Events are sorted by time, because a merge adds a lead's events; tags are in small letters, because a tag has the letter case of
        whoever makes it.
        """
        snapshot = self.workspace.snapshot()
        for record in (*snapshot["contacts"].values(), *snapshot["companies"].values()):
            record["tags"] = sorted(tag.lower() for tag in record["tags"])
        for contact in snapshot["contacts"].values():
            contact["events"].sort(key=lambda event: (event["created_at"], event["event_name"]))
        return snapshot


def _run(messages, *, deliver_every, faults=NO_FAULTS, seed=0, **options):
    """Accept the messages, deliver what is due after every *deliver_every* of them, and go on until everything has ended."""
    clock = FakeClock(_BEGIN + 1000)
    # Without a lag: a lead has no id of the caller's, so while a search does not see it, nothing can tell that a lost answer made it.
    workspace = Workspace(now=clock.now, attributes=_ATTRIBUTES, log_limit=100_000, search_lag=0.0)
    choices = Settings(api_key="key", anonymous="lead", last_seen_resolution=0, retry_for=1e9, **options)
    buffer = MemoryBuffer(limit=1000, dead_letters=1000)
    jitter = Random(seed).random
    circuit = Circuit(
        RateLimit(share=1.0), lock=nullcontext(), jitter=jitter, probe_every=60.0, base=0.5, longest=60.0
    )
    executor = Executor(
        choices,
        translator=DefaultTranslator(choices),
        cache=make_cache(),
        transport=WorkspaceTransport(workspace, faults=faults),
        circuit=circuit,
        clock=clock,
        pause=clock.sleep,
        jitter=jitter,
        lock_of=nullcontext,
        on_foreign=lambda response: None,
    )
    stamper = Stamper(choices, ())
    for at, message in enumerate(messages, start=1):
        stamped, keys, upserts = stamper.stamp(message, clock.now())
        assert buffer.accept(stamped, keys=keys, upserts=upserts, now=clock.now()) == "accepted"
        if at % deliver_every == 0:
            _deliver_due(buffer, executor, circuit, clock)
    for _ in range(3000):
        if not buffer.pending():
            break
        clock.sleep(_deliver_due(buffer, executor, circuit, clock))
    assert buffer.pending() == 0, "some messages never end"
    return _Run(workspace, buffer.count_dead())


def _deliver_due(buffer, executor, circuit, clock):
    """Deliver claim after claim; return the seconds until something is due again."""
    while True:
        seconds, probe = circuit.wait_before_claim(clock.now())
        if seconds:
            return seconds
        claim = buffer.claim(now=clock.now(), limit=100)
        if claim is not None:
            done = executor.deliver(claim, probe=probe)
            buffer.settle(claim, done.settlements, now=clock.now())
        if probe:
            circuit.end_probe()
        if claim is None:
            due_at = buffer.next_due_at(now=clock.now())
            return 0.0 if due_at is None else max(0.01, due_at - clock.now())


def _one_by_one(messages, **options):
    return _run(messages, deliver_every=1, merge_across_events=False, unchanged_for=0, **options)


# In these an alias waits for its user, and what was accepted after it must not overtake it.
_ALIASES_THAT_WAIT = (48, 80, 99, 131, 307, 333, 349, 381, 383, 387, 509, 514, 619, 654, 666, 910)


@pytest.mark.parametrize("seed", [*range(40), *_ALIASES_THAT_WAIT])
def test_the_workspace_ends_as_with_messages_one_by_one(seed):
    """O1, O2, O3, T1: merging, unchanged writes, retries, refusals and lost answers do not change where the workspace ends."""
    random = Random(seed)
    messages = _messages(random)
    options = {"update_last_seen": random.random() < 0.5}
    every = random.choice([1, 3, 100])
    faults = Faults(seed=seed, server_error=0.03, rate_limited=0.02, reset=0.03, lost=0.05, truncated=0.03)
    expected = _one_by_one(messages, **options)
    merged = _run(messages, deliver_every=every, **options)
    with_faults = _run(messages, deliver_every=every, faults=faults, seed=seed, **options)

    assert merged.state == expected.state
    assert with_faults.state == expected.state
    assert merged.dead == with_faults.dead == expected.dead
    assert [*merged.workspace.violations, *with_faults.workspace.violations] == []


def test_merging_saves_requests():
    """O2, O3: merging needs less than two thirds of the writes for the same workspace."""
    runs = []
    for seed in range(10):
        messages = _messages(Random(seed))
        runs.append((_one_by_one(messages).writes, _run(messages, deliver_every=100).writes))

    one_by_one, merged = (sum(column) for column in zip(*runs, strict=True))
    assert merged < one_by_one * 2 / 3
