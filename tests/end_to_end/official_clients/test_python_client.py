"""python-intercom 5 calls every endpoint that the sandbox serves, and its models accept every answer."""

from __future__ import annotations

import inspect
import json
import typing
from pathlib import Path
from typing import NamedTuple

import pytest

from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.sandbox._routes import ROUTES, match_route

from .people import fill

pytest.importorskip("intercom", reason="python-intercom is not installed")
import httpx
import intercom
from intercom.core.pagination import SyncPager
from intercom.core.pydantic_utilities import parse_obj_as

from .python_calls import STABLE, UNSTABLE

_CASES = json.loads(
    (Path(__file__).parents[2] / "cases" / "official_clients" / "python-intercom-5.json").read_text("utf-8")
)
_FAULTS = {(fault["version"], fault["call"]): fault["error"] for fault in _CASES["faults"]}
# The client was generated from the description of 2.14.
_CALLS = {("2.14", name): call for name, call in STABLE.items()} | {
    ("Preview", name): call for name, call in UNSTABLE.items()
}


class Outcome(NamedTuple):
    """What one call did: the endpoints that it reached, what went wrong, and which rules of Intercom's it broke."""

    routes: frozenset[str]
    error: str
    violations: tuple[str, ...]


@pytest.fixture(scope="module")
def outcomes():
    """Make every call once, each in a workspace of its own, over HTTP."""
    answers: list[httpx.Response] = []

    def keep(answer):
        answer.read()
        answers.append(answer)

    with httpx.Client(event_hooks={"response": [keep]}) as connections:
        return {key: _outcome(key, call, connections, answers) for key, call in _CALLS.items()}


def _outcome(key, call, connections, answers):
    version, name = key
    answers.clear()
    with Sandbox(attributes={"contact": {"plan": "string"}, "company": {"tier": "string"}}) as sandbox:
        people = fill(sandbox)
        before = len(sandbox.workspace.violations)
        client = intercom.Intercom(
            token=sandbox.token,
            base_url=sandbox.url,
            headers={"Intercom-Version": version},
            httpx_client=connections,
        )
        error = _error(client.unstable if version == "Preview" else client, name, call, people, answers)
        violations = tuple(one.rule for one in sandbox.workspace.violations[before:])
    routes = {match_route(answer.request.method, answer.request.url.path)[0] for answer in answers}
    return Outcome(frozenset(routes), error, violations)


def _error(client, name, call, people, answers):
    """Make the call, and let the client's models check its last answer; return what they report, empty when all is well."""
    method = client
    for part in name.split("."):
        method = getattr(method, part)
    try:
        result = call(client, people)
        if isinstance(result, SyncPager):
            list(result)
        kind = _type_of_answer(method)
        if kind is not None:
            # The client takes answers unchecked. Its types, told to check, find what it would hand on wrong.
            for answer in answers[-1:]:
                parse_obj_as(kind, answer.json())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _type_of_answer(method):
    kind = inspect.signature(method).return_annotation
    return typing.get_args(kind)[1] if typing.get_origin(kind) is SyncPager else kind


@pytest.mark.parametrize("key", [key for key in _CALLS if key not in _FAULTS], ids=" ".join)
def test_each_call_works(outcomes, key):
    """The call succeeds, its answer fits the client's own types, and it breaks no rule of Intercom's."""
    assert outcomes[key].error == ""
    assert outcomes[key].violations == ()


@pytest.mark.parametrize("key", _FAULTS, ids=" ".join)
def test_each_fault_of_the_client_is_known(outcomes, key):
    """What does not work is the client's own fault, and is still there; the file says why."""
    assert _FAULTS[key] in outcomes[key].error


def test_every_served_endpoint_is_called(outcomes):
    """Each endpoint of the sandbox is reached by a call, unless the client has none for it."""
    called = frozenset().union(*(outcome.routes for outcome in outcomes.values()))
    excused = set(_CASES["not_in_the_client"])

    assert set(ROUTES) - called == excused & set(ROUTES)


def test_every_call_of_the_client_is_made():
    """Each call of the client's resources that the sandbox serves is in the table, so that a new one is noticed."""
    client = intercom.Intercom(token="x")
    for made, root in ((STABLE, client), (UNSTABLE, client.unstable)):
        resources = {name.split(".")[0] for name in made}
        known = {
            f"{resource}.{name}"
            for resource in resources
            for name, _ in inspect.getmembers(getattr(root, resource), inspect.ismethod)
            if not name.startswith("_")
        }

        assert {name for name in known - set(made) if not _is_elsewhere(name)} == set()


def _is_elsewhere(name):
    """Tell whether a call is about conversations, tickets, logs or absences, or about an endpoint that the sandbox has not."""
    words = ("conversation", "ticket", "activity_log", "away", "segment", "note")
    return any(word in name for word in words)
