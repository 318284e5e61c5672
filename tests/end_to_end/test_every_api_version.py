"""A client delivers with each API version that has contacts, 2.17 too."""

from __future__ import annotations

import pytest

from metarouter_intercom import Client
from metarouter_intercom.sandbox import Sandbox, Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock

from .._support.clients import manual_client

_VERSIONS = ("2.0", "2.7", "2.10", "2.11", "2.13", "2.14", "2.15", "2.16", "2.17", "Preview")


def call_everything(client: Client) -> None:
    """Make a call of each kind, each with what Intercom has fields for, and deliver after each."""
    calls = (
        lambda: client.identify("u-1", {"email": "ada@example.com", "plan": "pro", "ownerId": 991267459}),
        lambda: client.identify("u-1", {"name": "Ada", "plan": None, "createdAt": "2024-01-02T03:04:05Z"}),
        lambda: client.group("u-1", "acme", {"name": "Acme", "plan": "gold", "seats": 5}),
        lambda: client.track("u-1", "Order Completed", {"revenue": 5, "currency": "USD"}),
        lambda: client.identify(anonymous_id="a-1", traits={"phone": "+4930123456"}),
        lambda: client.alias("a-1", "u-1"),
        lambda: client.identify("u-2", {"email": "ada@example.com"}),
        lambda: client.track("u-2", "Left"),
    )
    for call in calls:
        call()
        client.flush(timeout=10)


@pytest.mark.parametrize("version", _VERSIONS)
def test_each_version_ends_in_the_same_workspace(version):
    """The same calls end in the same workspace with each API version, and no request is one that Intercom would not expect."""
    ends = []
    for named in ("2.16", version):
        clock = FakeClock(1_767_225_600.0)
        workspace = Workspace(now=clock.now, search_lag=0.0)
        transport = WorkspaceTransport(workspace, version=named)
        client = manual_client(transport, clock=clock, api_version=named, anonymous="lead")
        call_everything(client)
        report = client.flush()
        assert (workspace.violations, dict(report.dead)) == ([], {})
        assert {one.version for one in workspace.requests} == {named}
        ends.append(workspace.snapshot())

    assert ends[0] == ends[1]
    assert ends[0]["contacts"].keys() == {"u-1", "u-2"}
    assert ends[0]["companies"]["acme"]["people"] == ["u-1"]


def test_2_17_over_http():
    """A client with api_version="2.17" names it in each request over HTTP, and all its messages arrive."""
    with Sandbox(search_lag=0.0) as sandbox:
        with Client(api_key=sandbox.token, base_url=sandbox.url, api_version="2.17") as client:
            call_everything(client)
            client.delete("u-2")
        versions = {one.version for one in sandbox.workspace.requests}
        shown = sandbox.workspace.snapshot()["contacts"]

        assert (versions, sandbox.workspace.violations) == ({"2.17"}, [])
        assert "u-1" in shown
        assert "u-2" not in shown
