"""The connection to a spool's file gives back room that it no longer needs."""

from __future__ import annotations

import os

import pytest

from metarouter_intercom._delivery.buffers.database import Database

_MANY = 400


@pytest.fixture
def database(tmp_path):
    """A database with many large rows."""
    opened = Database(str(tmp_path / "spool.db"), sync="normal")
    with opened.transaction():
        opened.run("CREATE TABLE rows (number INTEGER PRIMARY KEY, text TEXT)")
        opened.run_many("INSERT INTO rows (text) VALUES (?)", [("x" * 4000,)] * _MANY)
    opened.checkpoint()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("kept", "most", "shrinks"),
    [(10, 2**20, True), (_MANY - 10, 2**30, False), (100, 4096, False)],
    ids=["hardly anything is used", "most is used", "much is used"],
)
def test_room_is_given_back(database, kept, most, shrinks):
    """Q8: after the messages were delivered, their room goes back to the volume; copying a large database would take too long."""
    with database.transaction():
        database.run("DELETE FROM rows WHERE number > ?", (kept,))
    database.checkpoint()
    before = os.path.getsize(database.path)

    database.shrink(most)

    assert (os.path.getsize(database.path) < before) == shrinks
    assert database.fetch_one("SELECT COUNT(*), MAX(number) FROM rows") == (kept, kept)
