"""The store of the workspace cache (rule O4): shared, durable, bounded."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.database import Database
from metarouter_intercom._delivery.buffers.store import SpoolStore
from metarouter_intercom._delivery.buffers.workspaces import SpoolWorkspaces


@pytest.fixture
def database(tmp_path):
    """The spool's file."""
    opened = Database(str(tmp_path / "spool.db"), sync="normal")
    yield opened
    opened.close()


@pytest.fixture
def store(database):
    """A store of three values of each kind."""
    return SpoolStore(database, SpoolWorkspaces(database, ""), capacity=3)


def test_values_are_kept_by_kind_and_key(store):
    """The same key of another kind is another value."""
    store.put("contact", "a", "1")
    store.put("company", "a", "2")
    store.forget("company", "a")

    assert (store.get("contact", "a"), store.get("company", "a")) == ("1", None)


def test_values_are_changed_in_one_step(store):
    """A change gets the value before it; None removes the value."""
    store.update("contact", "a", lambda old: f"{old}!")
    store.update("contact", "a", lambda old: f"{old}!")
    assert store.get("contact", "a") == "None!!"

    store.update("contact", "a", lambda old: None)
    assert store.get("contact", "a") is None


def test_a_change_that_fails_changes_nothing(store):
    """A change that raises leaves the value as it was."""
    store.put("contact", "a", "1")

    def fail(old):
        raise LookupError(old)

    with pytest.raises(LookupError):
        store.update("contact", "a", fail)
    assert store.get("contact", "a") == "1"


def test_the_oldest_values_are_removed(store):
    """W4: each kind has its own bound, so many values of one kind remove none of another."""
    store.put("company", "a", "1")
    for number in range(999):
        store.put("contact", f"c{number}", "1")

    kept = [number for number in range(999) if store.get("contact", f"c{number}") is not None]
    assert kept == [996, 997, 998]
    assert store.get("company", "a") == "1"


def test_a_closed_connection_is_opened_again(database, store):
    """W3: a connection that was closed between two uses is opened by the next one."""
    store.put("contact", "a", "1")
    database.disconnect()

    assert store.get("contact", "a") == "1"
