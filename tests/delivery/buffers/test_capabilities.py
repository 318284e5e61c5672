"""Buffers that users wrote: one without dead letters, and one of the time when a store was called a shelf (rule P3)."""

from __future__ import annotations

import pytest

from metarouter_intercom import plugins
from metarouter_intercom._delivery.buffers.capabilities import (
    NoDeadLetters,
    accept_own_of,
    dead_letter_store_of,
    store_of,
)
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.plugins import DeadLetterStore, Response
from metarouter_intercom.testing import ScriptedTransport

from ..._support.clients import manual_client

_DEAD_LETTERS = frozenset({"bury", "dead_letters", "count_dead", "take_dead"})
_QUEUE = frozenset(
    name for name, value in vars(plugins.Buffer).items() if callable(value) and not name.startswith("_")
)


class _Values:
    """A store in a dictionary."""

    def __init__(self):
        self.values = {}

    def get(self, kind, key):
        return self.values.get((kind, key))

    def put(self, kind, key, value):
        self.values[kind, key] = value

    def forget(self, kind, key):
        self.values.pop((kind, key), None)

    def update(self, kind, key, change):
        self.values[kind, key] = change(self.get(kind, key))


class _UsersBuffer:
    """A buffer with the methods *names* and no other; ``shelf`` or ``store`` returns *values*."""

    def __init__(self, names, values=None):
        self._queue = MemoryBuffer(limit=10, dead_letters=10)
        for name in names:
            setattr(
                self, name, (lambda: values) if name in ("shelf", "store") else getattr(self._queue, name)
            )


def _refusing(**choices):
    refusal = {"errors": [{"code": "parameter_invalid", "message": "no good"}]}
    return manual_client(ScriptedTransport(lambda request: Response(400, refusal)), **choices)


def test_a_buffer_needs_no_dead_letters():
    """P3: the protocol of a buffer has what a queue needs, and a buffer with these methods alone is one."""
    buffer = _UsersBuffer(_QUEUE)

    assert not _QUEUE & _DEAD_LETTERS
    assert isinstance(buffer, plugins.Buffer)
    assert not isinstance(buffer, DeadLetterStore)


def test_dead_letters_of_a_buffer_that_keeps_none_are_reported_and_counted(caplog):
    """P3, X1: without a place to keep it, a dead letter goes to the hooks, the log and the counters, and the list stays empty."""
    errors, ends = [], []
    client = _refusing(
        buffer=_UsersBuffer(_QUEUE),
        on_error=lambda error, messages: errors.append([message["messageId"] for message in messages]),
        after=[lambda delivery: ends.append((delivery.outcome, delivery.reason))],
    )

    client.track("u-1", "Bought", message_id="m")
    report = client.flush()

    assert report.dead == {"http_400": 1}
    assert (errors, ends) == ([["m"]], [("dead", "http_400")])
    assert [record.reason for record in caplog.records] == ["http_400"]
    assert report.pending == 0
    assert (list(client.dead_letters), len(client.dead_letters)) == ([], 0)
    assert (client.dead_letters.retry(), client.dead_letters.discard()) == (0, 0)


def test_a_before_hook_that_raises_needs_no_dead_letters():
    """P1, P3: the message is counted as dead, and the call returns, although nothing keeps the message."""

    def hook(message):
        raise LookupError

    client = manual_client(ScriptedTransport([]), buffer=_UsersBuffer(_QUEUE), before=[hook])

    assert client.track("u-1", "Bought", message_id="m") == "m"
    assert client.flush().dead == {"plugin_failed": 1}


def test_no_dead_letters_are_always_none():
    """P3: a store that keeps nothing answers every question with nothing."""
    nothing = dead_letter_store_of(_UsersBuffer(_QUEUE))
    nothing.bury({"messageId": "m"}, reason="r", now=1.0)

    assert isinstance(nothing, NoDeadLetters)
    assert isinstance(nothing, DeadLetterStore)
    assert (nothing.dead_letters(), nothing.count_dead(), nothing.take_dead()) == ([], {}, [])


def test_a_buffer_that_keeps_dead_letters_is_their_store(buffer):
    """X1: the built-in buffers keep their own dead letters."""
    assert dead_letter_store_of(buffer) is buffer


@pytest.mark.parametrize("name", ["store", "shelf"])
def test_a_store_is_found_under_both_names(name):
    """P3: a buffer that was written when ``store`` was called ``shelf`` works as it is."""
    values = _Values()
    buffer = _UsersBuffer((_QUEUE | _DEAD_LETTERS | {name}) - ({"store", "shelf"} - {name}), values)

    client = _refusing(buffer=buffer)
    client.track("u-1", "Bought", message_id="m")
    client.flush()

    assert store_of(buffer) is values
    assert [letter.reason for letter in client.dead_letters] == ["http_400"]


def test_a_built_in_buffer_has_its_own_store(make_buffer):
    """O4: the spool has a store, and memory has none."""
    buffer = make_buffer()

    assert store_of(buffer) is buffer.store()


def test_a_buffer_with_its_own_accept_sees_every_message():
    """P3: what a buffer inherits beside the ``accept`` that it replaces is not called."""

    class Counting(MemoryBuffer):
        def accept(self, *args, **kwargs):
            return super().accept(*args, **kwargs)

    plain, replaced = MemoryBuffer(limit=1, dead_letters=1), MemoryBuffer(limit=1, dead_letters=1)
    replaced.accept = plain.accept

    assert accept_own_of(plain) == plain.accept_own
    assert accept_own_of(Counting(limit=1, dead_letters=1)) is None
    assert accept_own_of(replaced) is None


def test_messages_that_nobody_else_has_are_packed_by_a_worker_or_at_once():
    """Q4: a long backlog is packed as it comes, and every message arrives as it was, in order."""
    buffer = MemoryBuffer(limit=5_000, dead_letters=1)
    messages = [{"messageId": f"m{number}", "properties": {"number": number}} for number in range(1_500)]
    for message in messages:
        assert buffer.accept_own(message, ("user:a",), False, 1.0) == "accepted"
    assert buffer.accept_own(messages[0], ("user:a",), False, 1.0) == "duplicate"
    assert {type(accepted[1]) for accepted in list(buffer._accepted)[1_000:]} == {bytes}

    claim = buffer.claim(now=1.0, limit=5_000)
    assert [entry.message for entry in claim.entries] == messages
    assert {type(accepted[1]) for accepted in buffer._unsettled.values()} == {bytes}
