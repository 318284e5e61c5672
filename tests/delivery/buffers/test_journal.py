"""The files of the journals (rule Q3): complete lines or none, and a clear error when a folder is gone."""

from __future__ import annotations

import os
import shutil

import pytest

from metarouter_intercom._delivery.buffers.journal import Journal
from metarouter_intercom._delivery.buffers.journal_lines import journal_sizes, read_lines
from metarouter_intercom._delivery.buffers.journal_owners import lock_dead_owners
from metarouter_intercom.errors import SpoolFailed


@pytest.fixture
def folder(tmp_path):
    """Where the journals are."""
    return str(tmp_path / "intake")


@pytest.fixture
def journal(folder):
    """An open journal."""
    opened = Journal(folder, sync=True)
    yield opened
    opened.close(is_ingested=False)


def _append(journal, name, text=""):
    journal.append({"messageId": name, "text": text}, keys=["user:a"], upserts=True, message_id=name, now=1.5)


def test_lines_are_read_as_they_were_written(folder, journal):
    """A message and its keys are read exactly as they were written."""
    _append(journal, "m", "é\n\u2028")

    (line,) = read_lines(folder, journal.name, start=0, end=journal.size)
    assert line[:4] == (1.5, True, "m", ["user:a"])
    assert line.end == journal.size


def test_reading_continues_where_it_ended(folder, journal):
    """Reading from the end of the last line yields each line once."""
    _append(journal, "m")
    position = journal.size
    _append(journal, "n")

    assert [
        line.message_id for line in read_lines(folder, journal.name, start=position, end=journal.size)
    ] == ["n"]


def test_a_removed_journal_has_no_lines(folder):
    """A process removes a journal only after it was ingested to its end, so nothing is left to read."""
    assert list(read_lines(folder, "4711-gone.1.journal", start=0, end=1000)) == []


def test_a_folder_that_is_gone_is_reported(folder, journal):
    """A folder that is gone is an error, because nobody knows which lines were in it."""
    shutil.rmtree(folder)

    with pytest.raises(SpoolFailed, match="cannot write to"):
        journal_sizes(folder)


def test_a_journal_that_cannot_be_replaced_grows(folder, journal):
    """If no new journal can be made, the long one is used on."""
    for number in range(30):
        _append(journal, f"m{number}", "x" * 10_000)
    name = journal.name
    shutil.rmtree(folder)

    assert journal.restart() is None
    assert journal.name == name
    _append(journal, "after")


def test_a_journal_that_is_no_file_is_none(folder, journal, tmp_path):
    """Folders, links and pipes among the journals are none of ours."""
    (tmp_path / "intake" / "4711-odd.1.journal").mkdir()
    (tmp_path / "intake" / "4711-odd.2.journal").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "intake" / "4711-odd.3.journal")

    assert set(journal_sizes(folder)) == {journal.name}


def test_a_lock_that_is_no_file_belongs_to_nobody(folder, journal, tmp_path):
    """A lock that cannot be opened is left alone, and so is that of a living process."""
    (tmp_path / "intake" / "4711-odd.lock").mkdir()
    other = Journal(folder, sync=False)

    assert lock_dead_owners(folder, journal.owner) == {}
    other.close(is_ingested=True)
    assert lock_dead_owners(folder, journal.owner) == {}
