"""
The pytest plugin: the fixtures ``intercom_client``, ``intercom_sandbox``, ``intercom_clock`` and ``intercom_settings``.

pytest imports this module whenever it starts, in every project of an environment with this package, so the module imports nothing else of
the package until a fixture is used.
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
    """The clock of client and sandbox: starts now, moves only by ``intercom_clock.advance(seconds)`` and by the client's waits."""
    import time

    from metarouter_intercom.testing import FakeClock

    return FakeClock(time.time())


@pytest.fixture
def intercom_settings() -> dict[str, Any]:
    """Settings of ``intercom_client``, none by default. Define a fixture of this name to set your own."""
    return {}


@pytest.fixture
def intercom_sandbox(intercom_clock: FakeClock) -> Workspace:
    """A strict local Intercom in this process, empty: ``contacts()``, ``contact(name)``, ``events(name)``, ``companies()``, ``requests``."""
    from metarouter_intercom.sandbox import Workspace

    return Workspace(now=intercom_clock.now)


@pytest.fixture
def intercom_client(
    *,
    request: pytest.FixtureRequest,
    intercom_sandbox: Workspace,
    intercom_clock: FakeClock,
    intercom_settings: dict[str, Any],
) -> Iterator[Client]:
    """
    A real client that delivers to ``intercom_sandbox`` during each call.

    A test fails at its end if there are dead letters or pending messages. A test that expects dead letters calls
    ``intercom_client.dead_letters.discard()``.
    """
    from metarouter_intercom.testing import connect, undelivered

    client = connect(intercom_sandbox, intercom_clock, **intercom_settings)
    failed_before = request.session.testsfailed
    yield client
    failure = undelivered(client)
    client.close(timeout=0)
    if failure is not None and request.session.testsfailed == failed_before:
        pytest.fail(failure, pytrace=False)
