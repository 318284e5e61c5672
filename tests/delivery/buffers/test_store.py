"""Where the directory keeps what it knows (rule O4): shared, durable, bounded."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.database import Database
from metarouter_intercom._delivery.buffers.store import SpoolStore


@pytest.fixture
def database(tmp_path):
    """The spool's file."""
    made = Database(str(tmp_path / "spool.db"), sync="normal")
    yield made
    made.close()


@pytest.fixture
def store(database):
    """A shelf of three values a kind."""
    return SpoolStore(database, capacity=3)


def test_values_are_kept_by_kind_and_key(store):
    """Two kinds never meet."""
    store.put("contact", "a", "1")
    store.put("company", "a", "2")
    store.forget("company", "a")

    assert (store.get("contact", "a"), store.get("company", "a")) == ("1", None)


def test_values_are_changed_in_one_step(store):
    """A change sees the value before it; None removes."""
    store.update("contact", "a", lambda old: f"{old}!")
    store.update("contact", "a", lambda old: f"{old}!")
    assert store.get("contact", "a") == "None!!"

    store.update("contact", "a", lambda old: None)
    assert store.get("contact", "a") is None


def test_a_change_that_fails_changes_nothing(store):
    """All of it or nothing."""
    store.put("contact", "a", "1")

    def fail(old):
        raise LookupError(old)

    with pytest.raises(LookupError):
        store.update("contact", "a", fail)
    assert store.get("contact", "a") == "1"


def test_the_oldest_values_leave(store):
    """W4: each kind is bounded, and one kind's many values push out no other kind's."""
    store.put("company", "a", "1")
    for number in range(999):
        store.put("contact", f"c{number}", "1")

    found = [number for number in range(999) if store.get("contact", f"c{number}") is not None]
    assert found == [996, 997, 998]
    assert store.get("company", "a") == "1"


def test_a_connection_at_rest_is_opened_again(database, store):
    """W3: between two uses the file may be closed."""
    store.put("contact", "a", "1")
    database.rest()

    assert store.get("contact", "a") == "1"
