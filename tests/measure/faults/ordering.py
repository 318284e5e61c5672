"""Under random faults each contact ends up as if its messages had been delivered one by one."""

from __future__ import annotations

import itertools
from random import Random

from metarouter_intercom import Client
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport

from .host import BASE
from .processes import FarEnd
from .scenarios import PLENTY

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
    """Yield *each* messages of every kind for every contact, mixed, in the order of acceptance; an identify is each one's first."""
    jitter = Random(seed)
    left = {f"person-{number}": list(_KINDS) * each for number in range(contacts)}
    for kinds in left.values():
        jitter.shuffle(kinds)
        kinds.append(kinds.pop(kinds.index("identify")))
    order = [person for person, kinds in left.items() for _ in kinds]
    jitter.shuffle(order)
    for number, person in enumerate(order):
        kind = left[person].pop()
        message = {"type": kind, "userId": person, "timestamp": BASE + number}
        if kind == "identify":
            traits = {"name": f"Name {jitter.randrange(5)}", "plan": jitter.choice(_PLANS), "step": number}
            message["traits"] = {name: traits[name] for name in jitter.sample(sorted(traits), 2)}
        elif kind == "track":
            message |= {"event": jitter.choice(["Opened", "Paid", "Left"]), "properties": {"step": number}}
        else:
            company = jitter.randrange(max(1, contacts // 5))
            message |= {
                "groupId": f"company-{company}",
                "traits": {"name": f"Company {company}", "step": number},
            }
        yield message


def deliver_one_by_one(messages):
    """Deliver each message alone, in order, without faults; returns the final snapshot."""
    workspace = Workspace(**PLENTY)
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
    """Deliver all in the background while requests meet random faults; returns the final snapshot and the client's report."""
    # Short windows: a refused rate waits for the end of one.
    with FarEnd("intercom", **PLENTY, window=1.0, reset_slack=0.0) as far_end:
        far_end.faults(seed=seed, **FAULTS)
        with Client(
            api_key="sandbox-token",
            base_url=far_end.address,
            spool=spool,
            max_buffered=1_000_000,
            backoff_base=0.05,
            backoff_max=1.0,
        ) as client:
            for message in messages:
                client.send(message)
            report = client.flush()
        shown = far_end.show()
    return {name: shown[name] for name in ("contacts", "companies")}, report


def differences(one, other):
    """Return the paths at which two snapshots differ, at most 20."""
    return list(itertools.islice(_differences(one, other, ""), 20))


def _differences(one, other, path):
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _differences(one.get(name), other.get(name), f"{path}/{name}")
    elif one != other:
        yield f"{path}: {one!r} != {other!r}"
