"""A client and the sandbox: messages whose e-mail address or user id somebody else has, or had (rule M1)."""

from __future__ import annotations

import pytest

from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock

from .._support.clients import manual_client

_MAIL = "ann@example.com"


def _strict():
    """Return a client and a workspace that refuses to create a second user with an address, and lets an update write it."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, unique_emails=True)
    return manual_client(WorkspaceTransport(workspace), clock=clock), workspace


def _addresses(workspace):
    return {
        contact.external_id: contact.email for contact in workspace.state.contacts.values() if contact.is_live
    }


@pytest.mark.parametrize("is_archived", [False, True], ids=["live", "archived"])
@pytest.mark.parametrize("count", [1, 3])
def test_two_users_may_share_an_address(is_archived, count):
    """A family, or a person with two accounts: the second user is written too, and the first one stays as it was."""
    client, workspace = _strict()
    client.identify("u-1", {"email": _MAIL, "name": "Ann"})
    client.flush()
    if is_archived:
        client.delete("u-1", archive=True)

    for number in range(count):
        client.identify(f"u-2{number}", {"email": _MAIL, "name": "Bea"})
        client.track(f"u-2{number}", "Signed Up")
    report = client.flush()

    assert (report.dead, report.pending) == ({}, 0)
    assert _addresses(workspace) == {
        **({} if is_archived else {"u-1": _MAIL}),
        **{f"u-2{number}": _MAIL for number in range(count)},
    }
    assert [len(workspace.events(f"u-2{number}")) for number in range(count)] == [1] * count
    assert workspace.violations == []


def test_an_archived_user_with_a_shared_address_comes_back():
    """The contact with our user id is archived, and another one has the address: both are there in the end."""
    client, workspace = _strict()
    client.identify("u-1", {"name": "Ann"})
    client.identify("u-2", {"email": _MAIL})
    client.flush()
    client.delete("u-1", archive=True)

    client.identify("u-1", {"email": _MAIL})

    assert client.flush().dead == {}
    assert _addresses(workspace) == {"u-1": _MAIL, "u-2": _MAIL}


def test_a_contact_that_only_has_the_address_becomes_the_user():
    """Whoever was known by the address alone is the same person once a user id comes with it (rules I2, M1)."""
    client, workspace = _strict()
    client.identify(None, {"email": _MAIL, "name": "Ann"})
    client.flush()

    client.identify("u-1", {"email": _MAIL})

    assert client.flush().dead == {}
    assert _addresses(workspace) == {"u-1": _MAIL}
