"""The journals themselves (rule Q3): whole lines or none, and a clear error where a folder is gone."""

from __future__ import annotations

import shutil

import pytest

from metarouter_intercom._delivery.buffers import journal as _intake
from metarouter_intercom._delivery.buffers.journal import Intake
from metarouter_intercom.errors import SpoolFailed


@pytest.fixture
def folder(tmp_path):
    """Where the journals are."""
    return str(tmp_path / "intake")


@pytest.fixture
def intake(folder):
    """An open journal."""
    made = Intake(folder, sync=True)
    yield made
    made.close(is_empty=False)


def _append(intake, name, text=""):
    intake.append({"messageId": name, "text": text}, keys=["user:a"], upserts=True, message_id=name, now=1.5)


def test_lines_are_read_as_they_were_written(folder, intake):
    """Nothing of a message or of what stands beside it is changed."""
    _append(intake, "m", "é\n\u2028")

    (line,) = _intake.read(folder, intake.name, 0, intake.size)
    assert line[:4] == (1.5, True, "m", ["user:a"])
    assert line.end == intake.size


def test_reading_goes_on_where_it_ended(folder, intake):
    """Each line once."""
    _append(intake, "m")
    position = intake.size
    _append(intake, "n")

    assert [line.message_id for line in _intake.read(folder, intake.name, position, intake.size)] == ["n"]


def test_a_removed_journal_has_no_lines(folder):
    """Its process sorted it in to its end before it removed it."""
    assert list(_intake.read(folder, "4711-gone.1.journal", 0, 1000)) == []


def test_a_folder_that_went_away_is_told(folder, intake):
    """Nobody can say what stood in it."""
    shutil.rmtree(folder)

    with pytest.raises(SpoolFailed, match="cannot write to"):
        _intake.journals(folder)


def test_a_journal_that_cannot_be_replaced_grows(folder, intake):
    """A long journal is better than none."""
    for number in range(30):
        _append(intake, f"m{number}", "x" * 10_000)
    name = intake.name
    shutil.rmtree(folder)

    assert intake.restart() is None
    assert intake.name == name
    _append(intake, "after")


def test_a_journal_that_is_no_file_is_told(folder, intake, tmp_path):
    """An error of the system becomes one of ours."""
    (tmp_path / "intake" / "4711-odd.1.journal").mkdir()

    with pytest.raises(SpoolFailed, match="cannot write to"):
        list(_intake.read(folder, "4711-odd.1.journal", 0, 100))


def test_a_lock_that_is_no_file_is_nobodys(folder, intake, tmp_path):
    """Who cannot be told dead is left alone, and so is whoever lives."""
    (tmp_path / "intake" / "4711-odd.lock").mkdir()
    other = Intake(folder, sync=False)

    assert _intake.adopt(folder, intake.owner) == {}
    other.close(is_empty=True)
    assert _intake.adopt(folder, intake.owner) == {}
