"""Locks of other programs (rule Q8) hold no call beyond its own time limit, and what they delay is delivered afterwards."""

from __future__ import annotations

import sqlite3
import time

import pytest

# A machine that is busy with other tests may take so many seconds more.
_SLACK = 6.0


@pytest.fixture
def locked(make_stand):
    """A stand whose spool another program has locked, with 20 messages in it."""
    stand = make_stand()
    stand.track(*range(20))
    stand.wire.wait_for_request()
    other = sqlite3.connect(stand.path, isolation_level=None, timeout=30)
    other.execute("BEGIN EXCLUSIVE")
    yield stand, other
    other.close()


def _seconds(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_no_call_waits_for_the_end_of_a_lock(locked):
    """Q8: before this rule ``flush(1)`` took 48 seconds, and the interpreter's exit 45."""
    stand, _ = locked
    client = stand.client

    assert _seconds(lambda: stand.track(*range(20, 30))) < _SLACK
    for call in (client.stats, client.health, client.report):
        assert _seconds(call) < _SLACK
    assert _seconds(lambda: client.flush(1)) < 1 + _SLACK
    stats = client.stats()
    assert (stats.pending, stats.spool.is_exact, stats.unspooled) == (30, False, 0)
    assert _seconds(lambda: client.close(1)) < 1 + _SLACK


def test_after_the_lock_everything_is_delivered(locked):
    """Q8: a short lock is nothing to tell people about, and costs nothing but time."""
    stand, other = locked
    stand.track(*range(20, 30))
    stand.wire.answer()
    stand.client.flush(0.5)
    other.execute("ROLLBACK")
    report = stand.client.flush(30)

    stand.assert_delivered(30)
    assert (report.pending, stand.errors) == (0, [])
    assert stand.client.stats().spool.is_exact


def test_a_client_starts_while_the_file_is_locked(make_stand):
    """Q8: a backup that runs when the host starts does not keep it from starting."""
    first = make_stand()
    first.wire.answer()
    first.track(0)
    first.client.close(30)
    other = sqlite3.connect(first.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    stand = make_stand(first.path)
    stand.track(*range(5))
    other.close()
    stand.wire.answer()
    stand.client.flush(30)

    stand.assert_delivered(5)
    assert stand.client.stats().unspooled == 0


def test_a_reader_that_keeps_the_write_ahead_file_long_is_told_once(make_stand, monkeypatch):
    """Q8: the file grows as long as the reader reads; people are told its size once, and it shrinks when the reader ends."""
    monkeypatch.setattr("metarouter_intercom._delivery.buffers.write_ahead._LONG", 0)
    stand = make_stand(workers=1)
    write_ahead = stand.client._dependencies.buffer._spool._deliveries.write_ahead
    write_ahead._limit = 200_000
    stand.wire.answer()
    stand.track(0)
    stand.client.flush(30)
    reader = sqlite3.connect(stand.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM delivered").fetchone()

    number = 1
    while not stand.errors:
        stand.track(*range(number, number + 50), text="x" * 9_000)
        number += 50
        stand.client.flush(30)
    assert "has grown to" in stand.errors[0]
    assert stand.client.stats().spool.write_ahead > 200_000
    reader.close()
    while write_ahead.size > 200_000:
        stand.track(number)
        number += 1
        stand.client.flush(30)

    stand.assert_delivered(number)
    assert len(stand.errors) == 1
