"""The seconds of events in the spool's table: the same as in memory, and bounded (rule E10)."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarouter_intercom._delivery.buffers.database import Database
from metarouter_intercom._delivery.buffers.event_seconds import SpoolSeconds
from metarouter_intercom._delivery.buffers.schema import STEPS, connect
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom._delivery.buffers.workspaces import SpoolWorkspaces
from metarouter_intercom._intercom.event_seconds import MemorySeconds, Slot

_USERS, _ALIASES = (11, 13), (20, 22, 24)


def _memory(capacity=1_000):
    return MemorySeconds(lock=contextlib.nullcontext(), capacity=capacity)


@pytest.fixture
def open_seconds(tmp_path):
    """Return a function that opens the table of one file; every connection is closed afterwards."""
    databases = []

    def open_them(name="s.db", **options):
        databases.append(Database(str(tmp_path / name), sync="normal"))
        return SpoolSeconds(databases[-1], SpoolWorkspaces(databases[-1], ""), **options)

    yield open_them
    for database in databases:
        database.close()


def _slot(owner, second=0, place=11, name=1):
    return Slot(owner, place, name, second)


# Alias -> where a link may lead from it: never in a circle.
_LINKS = st.dictionaries(st.sampled_from(_ALIASES), st.sampled_from(_USERS), max_size=1)
_CLAIM = st.lists(
    st.builds(
        Slot,
        st.integers(1, 12),
        st.sampled_from(_USERS + _ALIASES),
        st.integers(1, 2),
        st.integers(0, 2),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(claims=st.lists(st.tuples(_CLAIM, _LINKS), max_size=8))
def test_memory_and_the_file_give_the_same_seconds(tmp_path_factory, claims):
    """E10: for any claims and links memory and the file agree, and an event keeps its second as long as no link takes it away."""
    database = Database(str(tmp_path_factory.mktemp("twins") / "s.db"), sync="normal")
    stored, memory = SpoolSeconds(database, SpoolWorkspaces(database, "")), _memory()
    for wishes, links in claims:
        in_file = stored.assign(wishes, links)

        assert in_file == memory.assign(wishes, links)
        assert stored.assign(wishes, {}) == in_file == memory.assign(wishes, {})
    database.close()


def test_one_event_and_many_are_assigned_alike(open_seconds):
    """E10: the short way of a claim with one event and the way of a claim with many give the same seconds."""
    one_by_one, together = open_seconds("a.db"), open_seconds("b.db")
    wishes = [_slot(owner, owner % 3) for owner in range(500)]
    single = {}
    for wish in wishes:
        single.update(one_by_one.assign([wish], {}))

    assert together.assign(wishes, {}) == single


def test_a_file_remembers_across_connections(open_seconds):
    """E10: a second is kept when the method returns, for other processes and after a crash."""
    first = open_seconds().assign([_slot(1), _slot(2)], {20: 11})

    again = open_seconds()
    assert again.assign([_slot(2), _slot(1)], {}) == first
    assert again.assign([_slot(3, place=20)], {})[3] == _slot(3, 2)


def test_what_a_failing_file_missed_is_written_first(open_seconds):
    """E10: seconds that were assigned while the file failed are taken before new ones are given out."""
    seconds = open_seconds()

    assert seconds.assign([_slot(5)], {}, [_slot(4)]) == {5: _slot(5, 1)}
    assert seconds.assign([_slot(4, 9)], {}) == {4: _slot(4, 0)}


def test_the_file_forgets_the_oldest(open_seconds, tmp_path):
    """E10, W4: the tables are bounded by their number of rows."""
    seconds = open_seconds(capacity=100)
    for start in range(0, 4_000, 50):
        seconds.assign([_slot(owner, owner) for owner in range(start, start + 50)], {start * 2: 11})
    for owner in range(4_000, 6_000):
        seconds.assign([_slot(owner, owner)], {})

    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as plain:
        rows = [
            plain.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]
            for t in ("event_seconds", "event_places")
        ]
    assert 100 <= rows[0] <= 1_200
    assert rows[1] <= 100


def test_an_older_spool_gets_the_tables(tmp_path):
    """Q3: a spool of the version before, with messages in it, is opened and brought up to date."""
    path = tmp_path / "s.db"
    connect(str(path), sync="normal", steps=STEPS[:1]).close()
    buffer = SpoolBuffer(path, limit=10, dead_letters=10)

    assert buffer.event_seconds().assign([_slot(1)], {}) == {1: _slot(1)}
    buffer.close()
