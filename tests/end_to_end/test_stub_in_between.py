"""A server between the client and Intercom says 200 to requests that it did not pass on, or hides what Intercom answered (rule T6)."""

from __future__ import annotations

import random

import pytest

from metarouter_intercom import Client
from metarouter_intercom.plugins import Response
from metarouter_intercom.sandbox import Sandbox, Workspace

_PEOPLE = 12
_BODIES = ({"status": "ok"}, [], {}, None, {"type": "weather", "id": "1"}, {"errors": []}, "ok")


class _Behind(Workspace):
    """Answers every fourth request like a stub, on average; half of these requests reach Intercom, and their answer is replaced."""

    def __init__(self, **options):
        super().__init__(**options)
        self._random = random.Random(5)

    def handle_bytes(self, method, path, headers, content):
        draw = self._random.random()
        stub = Response(200, self._random.choice(_BODIES), {"server": "stub"})
        if draw < 0.125:
            return stub
        answer = super().handle_bytes(method, path, headers, content)
        return stub if draw < 0.25 else answer


@pytest.mark.parametrize("is_spooled", [False, True], ids=["memory", "spool"])
def test_a_stub_delivers_nothing_and_buries_nothing(tmp_path, caplog, is_spooled):
    """Every message takes effect once in Intercom, none is a dead letter, and the stub is reported once."""
    errors = []
    workspace = _Behind(app_limit=10**6, workspace_limit=10**6)
    with Sandbox(workspace=workspace) as sandbox:
        client = Client(
            api_key=sandbox.token,
            base_url=sandbox.url,
            spool=tmp_path / "a.spool" if is_spooled else None,
            backoff_base=0.001,
            backoff_max=0.005,
            on_error=lambda error, messages: errors.append(error),
        )
        for person in range(_PEOPLE):
            user = f"u-{person}"
            client.identify(user, {"email": f"{user}@example.com", "plan": "pro"})
            client.group(user, "acme", {"name": "Acme", "tags": ["vip"]})
            client.track(user, "Signed Up", {"number": person}, timestamp=1_700_000_000 + person)
        report = client.close(timeout=60)

    assert (report.delivered, report.dead, report.pending) == (3 * _PEOPLE, {}, 0)
    for person in range(_PEOPLE):
        user = f"u-{person}"
        assert workspace.contact(user).custom["plan"] == "pro"
        assert [event.metadata for event in workspace.events(user)] == [{"number": person}]
    assert [error.reason for error in errors] == ["foreign_answer"]
    assert caplog.text.count("is not Intercom's") == 1
