"""
The pytest plugin: the fixtures ``intercom_client``, ``intercom_sandbox``, ``intercom_clock`` and ``intercom_settings``.

pytest imports it at every start of every project that has this package installed, so it imports nothing of the package until a fixture
is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from metarouter_intercom import Client
    from metarouter_intercom.sandbox import Workspace
    from metarouter_intercom.testing import FakeClock


@pytest.fixture
def intercom_clock() -> FakeClock:
    """The time of client and sandbox: it begins now and moves only by ``intercom_clock.advance(seconds)`` and by back-off."""
    import time

    from metarouter_intercom.testing import FakeClock

    return FakeClock(time.time())


@pytest.fixture
def intercom_settings() -> dict[str, Any]:
    """Settings of ``intercom_client``; none. Define a fixture of this name to have your own."""
    return {}


@pytest.fixture
def intercom_sandbox(intercom_clock: FakeClock) -> Workspace:
    """A strict Intercom in this process, empty: ``contacts()``, ``contact(name)``, ``events(name)``, ``companies()``, ``requests``."""
    from metarouter_intercom.sandbox import Workspace

    return Workspace(now=intercom_clock.now)


@pytest.fixture
def intercom_client(
    request: pytest.FixtureRequest,
    intercom_sandbox: Workspace,
    intercom_clock: FakeClock,
    intercom_settings: dict[str, Any],
) -> Iterator[Client]:
    """
    A real client that delivers into ``intercom_sandbox`` within the call.

    Messages that were given up fail a test that has not failed already; ``intercom_client.dead_letters.discard()`` says that they
    were expected.
    """
    from metarouter_intercom.testing import connect, undelivered

    client = connect(intercom_sandbox, intercom_clock, **intercom_settings)
    failed_before = request.session.testsfailed
    yield client
    told = undelivered(client)
    client.close(timeout=0)
    if told is not None and request.session.testsfailed == failed_before:
        pytest.fail(told, pytrace=False)
