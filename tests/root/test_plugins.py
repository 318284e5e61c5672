"""The plugin interface: small protocols, which our own parts implement as those of users do, and frozen values."""

from __future__ import annotations

import inspect

import attrs
import pytest

from metarouter_intercom import plugins
from metarouter_intercom._client.clock import SystemClock
from metarouter_intercom._delivery.buffers.capabilities import NoDeadLetters
from metarouter_intercom._delivery.buffers.fail_open_store import FailOpenStore
from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom._delivery.buffers.store import SpoolStore
from metarouter_intercom._delivery.http.transport import HttpTransport
from metarouter_intercom.sandbox import WorkspaceTransport
from metarouter_intercom.testing import FakeClock, ScriptedTransport


def _methods(protocol):
    return {
        name: value for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"
    }


@pytest.mark.parametrize(
    ("protocol", "part"),
    [
        (plugins.Transport, HttpTransport),
        (plugins.Transport, WorkspaceTransport),
        (plugins.Transport, ScriptedTransport),
        (plugins.Clock, FakeClock),
        (plugins.Buffer, MemoryBuffer),
        (plugins.Buffer, SpoolBuffer),
        (plugins.Buffer, FallbackBuffer),
        (plugins.DeadLetterStore, MemoryBuffer),
        (plugins.DeadLetterStore, SpoolBuffer),
        (plugins.DeadLetterStore, FallbackBuffer),
        (plugins.DeadLetterStore, NoDeadLetters),
        (plugins.Store, SpoolStore),
        (plugins.Store, FailOpenStore),
    ],
    ids=lambda kind: kind.__name__,
)
def test_our_parts_implement_the_protocols(protocol, part):
    """P3: each of our parts has every method of its protocol with the same parameters, so users can rely on the protocol alone."""
    expected = {
        name: list(inspect.signature(method).parameters) for name, method in _methods(protocol).items()
    }
    actual = {name: list(inspect.signature(getattr(part, name)).parameters) for name in expected}

    assert actual == expected


def test_the_system_clock_is_a_clock():
    """P3: the default clock has the two methods of the protocol."""
    clock = SystemClock()

    assert clock.now() > 1_700_000_000
    clock.sleep(0)


@pytest.mark.parametrize(
    "value",
    [
        plugins.Request("GET", "/me"),
        plugins.Response(200),
        plugins.Drop("r"),
        plugins.Delivery(message={}, outcome="delivered"),
        plugins.DeadLetter(
            id=1, message={}, reason="r", answer=None, attempts=1, accepted_at=0.0, died_at=0.0
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exchanged_values_are_frozen(value):
    """P1 to P3: a part that gets a value cannot change it for others."""
    name = attrs.fields(type(value))[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)


def test_a_drop_has_a_default_reason():
    """P1: the drop of a hook that gives no reason is counted under a default one."""
    assert plugins.Drop().reason == "before_hook"


def test_a_shelf_is_a_store():
    """P3: the earlier name of the store's protocol still works."""
    assert plugins.Shelf is plugins.Store
