"""What forks and the interpreter's exit mean for the clients of a process (rules W2, W3)."""

from __future__ import annotations

import gc
import weakref

import pytest

from metarouter_intercom._delivery import hosts, lifecycle


class _Client:
    """Records what it is called for; raises *error* at the exit."""

    def __init__(self, error=None):
        self.calls = []
        self._error = error

    def after_fork(self):
        self.calls.append("fork")

    def at_exit(self):
        self.calls.append("exit")
        if self._error is not None:
            raise self._error


@pytest.fixture
def register(monkeypatch):
    """Register clients in a registry of the test's own, so that no client of another test is called, and end no interpreter."""
    monkeypatch.setattr(hosts, "_is_over", False)
    monkeypatch.setattr(lifecycle, "_registered", weakref.WeakKeyDictionary())
    return lifecycle.register


def test_every_client_starts_afresh_in_a_forked_child(register):
    """W3: each registered client is called in the child."""
    clients = [_Client(), _Client()]
    for client in clients:
        register(client, "test")

    lifecycle._after_fork()

    assert [client.calls for client in clients] == [["fork"], ["fork"]]


@pytest.mark.parametrize("error", [OSError("ann@example.com"), KeyboardInterrupt("ann@example.com")])
def test_a_client_that_fails_at_the_exit_stops_no_other_one(register, caplog, error):
    """W2, W5: the others are closed too; the log names the connection and leaves out the error's text."""
    clients = {"good": _Client(), "bad": _Client(error), "last": _Client()}
    for name, client in clients.items():
        register(client, name)

    lifecycle._at_exit()

    assert [client.calls for client in clients.values()] == [["exit"]] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "connection bad: the client could not be closed at the interpreter's exit"
    ]
    assert type(error).__name__ in caplog.text
    assert "ann@example.com" not in caplog.text


def test_a_registered_client_that_nobody_refers_to_is_forgotten(register):
    """W8: the registry alone keeps no client alive."""
    client = _Client()
    register(client, "test")
    reference = weakref.ref(client)

    del client
    gc.collect()

    assert reference() is None


def test_a_pinned_client_stays_alive_until_it_is_unpinned(register):
    """W2: a client with messages in hand is called at the exit although nobody else refers to it."""
    client = _Client()
    register(client, "test")
    reference = weakref.ref(client)
    lifecycle.pin(client)

    del client
    gc.collect()
    is_alive = reference() is not None
    lifecycle.unpin(reference())
    gc.collect()

    assert is_alive
    assert reference() is None
