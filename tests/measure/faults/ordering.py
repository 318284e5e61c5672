"""Checks that under random faults each contact ends up as if its messages had been delivered one by one."""

from __future__ import annotations

import itertools
from random import Random

from metarouter_intercom import Client
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport

from .application import BASE
from .processes import ServerProcess
from .scenarios import NO_LIMITS

FAULTS = {
    "server_error": 0.03,
    "unavailable": 0.01,
    "rate_limited": 0.005,
    "reset": 0.02,
    "lost": 0.02,
    "truncated": 0.01,
    "malformed": 0.01,
    "html": 0.01,
}
_PLANS = ("free", "team", "business", "enterprise")
_KINDS = ("identify", "track", "group")


def messages_of(contacts, each, *, seed):
    """Yield *each* messages of each kind for each contact in random order; the first message of a contact is an identify."""
    random = Random(seed)
    unsent = {f"person-{number}": list(_KINDS) * each for number in range(contacts)}
    for kinds in unsent.values():
        random.shuffle(kinds)
        kinds.append(kinds.pop(kinds.index("identify")))
    order = [person for person, kinds in unsent.items() for _ in kinds]
    random.shuffle(order)
    for number, person in enumerate(order):
        kind = unsent[person].pop()
        message = {"type": kind, "userId": person, "timestamp": BASE + number}
        if kind == "identify":
            traits = {"name": f"Name {random.randrange(5)}", "plan": random.choice(_PLANS), "step": number}
            message["traits"] = {name: traits[name] for name in random.sample(sorted(traits), 2)}
        elif kind == "track":
            message |= {"event": random.choice(["Opened", "Paid", "Left"]), "properties": {"step": number}}
        else:
            company = random.randrange(max(1, contacts // 5))
            message |= {
                "groupId": f"company-{company}",
                "traits": {"name": f"Company {company}", "step": number},
            }
        yield message


def deliver_one_by_one(messages):
    """Deliver the messages one by one, in order and without faults; return the final snapshot."""
    workspace = Workspace(**NO_LIMITS)
    with Client(
        api_key="sandbox-token",
        delivery="inline",
        merge_across_events=False,
        unchanged_for=0,
        transport=WorkspaceTransport(workspace),
    ) as client:
        for message in messages:
            client.send(message)
    return workspace.snapshot(without={"last_seen_at"})


def deliver_under_faults(messages, *, spool, seed):
    """Deliver the messages in the background under random faults; return the final snapshot and the report of the client."""
    # Short rate limit windows, because a request refused with 429 waits for the end of its window.
    with ServerProcess("intercom", **NO_LIMITS, window=1.0, reset_slack=0.0) as server:
        server.set_faults(seed=seed, **FAULTS)
        with Client(
            api_key="sandbox-token",
            base_url=server.address,
            spool=spool,
            max_buffered=1_000_000,
            backoff_base=0.05,
            backoff_max=1.0,
        ) as client:
            for message in messages:
                client.send(message)
            report = client.flush()
        state = server.state()
    return {name: state[name] for name in ("contacts", "companies")}, report


def differences(one, other):
    """Return at most 20 differences of two snapshots, each with its path."""
    return list(itertools.islice(_differences(one, other, ""), 20))


def _differences(one, other, path):
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _differences(one.get(name), other.get(name), f"{path}/{name}")
    elif one != other:
        yield f"{path}: {one!r} != {other!r}"
