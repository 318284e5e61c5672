"""Where the directory keeps what it knows (rule O4): shared, durable, bounded."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers.database import Database
from metarouter_intercom._delivery.buffers.store import SpoolShelf


@pytest.fixture
def database(tmp_path):
    """The spool's file."""
    made = Database(str(tmp_path / "spool.db"), sync="normal")
    yield made
    made.close()


@pytest.fixture
def shelf(database):
    """A shelf of three values a kind."""
    return SpoolShelf(database, capacity=3)


def test_values_are_kept_by_kind_and_key(shelf):
    """Two kinds never meet."""
    shelf.put("contact", "a", "1")
    shelf.put("company", "a", "2")
    shelf.forget("company", "a")

    assert (shelf.get("contact", "a"), shelf.get("company", "a")) == ("1", None)


def test_values_are_changed_in_one_step(shelf):
    """A change sees the value before it; None removes."""
    shelf.update("contact", "a", lambda old: f"{old}!")
    shelf.update("contact", "a", lambda old: f"{old}!")
    assert shelf.get("contact", "a") == "None!!"

    shelf.update("contact", "a", lambda old: None)
    assert shelf.get("contact", "a") is None


def test_a_change_that_fails_changes_nothing(shelf):
    """All of it or nothing."""
    shelf.put("contact", "a", "1")

    def fail(old):
        raise LookupError(old)

    with pytest.raises(LookupError):
        shelf.update("contact", "a", fail)
    assert shelf.get("contact", "a") == "1"


def test_the_oldest_values_leave(shelf):
    """W4: each kind is bounded, and one kind's many values push out no other kind's."""
    shelf.put("company", "a", "1")
    for number in range(999):
        shelf.put("contact", f"c{number}", "1")

    found = [number for number in range(999) if shelf.get("contact", f"c{number}") is not None]
    assert found == [996, 997, 998]
    assert shelf.get("company", "a") == "1"


def test_a_connection_at_rest_is_opened_again(database, shelf):
    """W3: between two uses the file may be closed."""
    shelf.put("contact", "a", "1")
    database.rest()

    assert shelf.get("contact", "a") == "1"
