"""Q8: what was delivered, and could not be settled because another program has the file locked, is not sent again."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

from .filling import drain, put, settle, take


def _open(path, credentials=""):
    spool = SpoolBuffer(path, limit=100, dead_letters=10, busy_timeout=0.05, credentials=credentials)
    return FallbackBuffer(spool, on_error=lambda error, messages: None)


@pytest.mark.parametrize("credentials", ["", "a" * 32])
def test_the_next_process_settles_what_was_delivered(tmp_path, credentials):
    """A message that was delivered before the file was locked for good is settled by the next process; others are delivered."""
    path = tmp_path / "s.db"
    buffer = _open(path, credentials)
    put(buffer, "m-1")
    put(buffer, "m-2", keys=["user:b"])
    claims = [take(buffer), take(buffer)]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        settle(buffer, claims[0])
        settle(buffer, claims[1], "release")
        buffer.close()
    left = [entry.message["messageId"] for entry in claims[1].entries]

    following = _open(path, credentials)
    delivered = drain(following, now=100.0)
    put(following, claims[0].entries[0].message["messageId"], now=101.0)
    again = drain(following, now=102.0)
    pending = following.pending()
    following.close()

    assert (delivered, again, pending) == (left, [], 0)
    assert not list((tmp_path / "s.db-intake").glob("*.delivered"))
