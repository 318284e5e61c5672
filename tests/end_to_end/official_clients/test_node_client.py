"""
intercom-client 7, for Node.js, calls every endpoint that the sandbox serves.

``INTERCOM_NODE_CLIENT`` names the folder in which ``npm install intercom-client@7`` was run; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.sandbox._routes import ROUTES, match_route

from .people import fill

_FOLDER = os.environ.get("INTERCOM_NODE_CLIENT")
_NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(_FOLDER is None, reason="INTERCOM_NODE_CLIENT names no folder with intercom-client"),
    pytest.mark.skipif(_NODE is None, reason="node is not on this machine"),
]
_CASES = json.loads(
    (Path(__file__).parents[2] / "cases" / "official_clients" / "intercom-client-7.json").read_text("utf-8")
)
_FAULTS = {fault["call"]: fault["error"] for fault in _CASES["faults"]}


class Outcome(NamedTuple):
    """What one call did: the endpoints that it reached, what it raised, and which rules of Intercom's it broke."""

    routes: frozenset[str]
    error: str
    violations: tuple[str, ...]


@pytest.fixture(scope="module")
def outcomes():
    """Make every call once in one process of node, each in a workspace of its own."""
    script = Path(__file__).with_name("node_calls.mjs")
    with subprocess.Popen(
        [_NODE, script, _FOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as node:
        names = json.loads(node.stdout.readline())
        found = {name: _outcome(node, name) for name in names}
        node.stdin.close()
    return found


def _outcome(node, name):
    with Sandbox(attributes={"contact": {"plan": "string"}, "company": {"tier": "string"}}) as sandbox:
        people = fill(sandbox)
        workspace = sandbox.workspace
        requests, violations = len(workspace.requests), len(workspace.violations)
        command = {"url": sandbox.url, "token": sandbox.token, "name": name, "people": people._asdict()}
        node.stdin.write(json.dumps(command) + "\n")
        node.stdin.flush()
        error = json.loads(node.stdout.readline())["error"]
        routes = {
            match_route(one.method, one.path.partition("?")[0])[0] for one in workspace.requests[requests:]
        }
        broken = tuple(one.rule for one in workspace.violations[violations:])
    return Outcome(frozenset(routes), error, broken)


def test_each_call_works(outcomes):
    """Each call succeeds and breaks no rule of Intercom's."""
    working = {name: (one.error, one.violations) for name, one in outcomes.items() if name not in _FAULTS}

    assert working == dict.fromkeys(working, ("", ()))
    assert len(working) >= 45


@pytest.mark.parametrize("name", _FAULTS)
def test_each_fault_of_the_client_is_known(outcomes, name):
    """What does not work is the client's own fault, and is still there; the file says why."""
    assert _FAULTS[name] in outcomes[name].error


def test_every_served_endpoint_is_called(outcomes):
    """Each endpoint of the sandbox is reached by a call, unless the client has none for it."""
    called = frozenset().union(*(outcome.routes for outcome in outcomes.values()))
    excused = set(_CASES["not_in_the_client"])

    assert set(ROUTES) - called == excused & set(ROUTES)
