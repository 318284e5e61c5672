"""The plugin interface: small protocols that our own parts fulfil as anybody's must, and frozen values."""

from __future__ import annotations

import inspect

import attrs
import pytest

from metarouter_intercom import plugins
from metarouter_intercom._client.clock import SystemClock
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
        (plugins.Store, SpoolStore),
    ],
    ids=lambda kind: kind.__name__,
)
def test_our_parts_are_made_as_anybodys_must_be(protocol, part):
    """P3: every method of a protocol is there with the same parameters, so the text of the protocol is the whole truth."""
    wanted = {name: list(inspect.signature(method).parameters) for name, method in _methods(protocol).items()}
    there = {name: list(inspect.signature(getattr(part, name)).parameters) for name in wanted}

    assert there == wanted


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
def test_what_is_exchanged_is_frozen(value):
    """P1 to P3: whoever is handed a value cannot change it for others."""
    name = attrs.fields(type(value))[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)


def test_a_drop_has_a_reason_of_its_own():
    """P1: a hook that gives no reason still leaves one that can be counted."""
    assert plugins.Drop().reason == "before_hook"
