"""Files that cannot be used (rule Q3): each is a clear error that names the file, the fault and the remedy."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile

import pytest

from metarouter_intercom._delivery.buffers.schema import STEPS, connect
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import ConfigurationError, SpoolFailed

from ..._support.file_sizes import longest_file
from .filling import drain, put


def _open(path):
    return SpoolBuffer(path, limit=1000, dead_letters=10, busy_timeout=0.05)


def test_a_folder_that_is_not_there(tmp_path):
    """A path in a folder that does not exist is an error that says what to choose instead."""
    with pytest.raises(SpoolFailed, match=r"nowhere/spool\.db .*choose a file in a folder"):
        _open(tmp_path / "nowhere" / "spool.db")


def test_a_folder_instead_of_a_file(tmp_path):
    """A path of a folder is an error that says so."""
    with pytest.raises(ConfigurationError, match="is a folder; use the path of a file"):
        _open(tmp_path)


def test_a_file_that_is_no_database(tmp_path):
    """A file that is no database is an error, and stays unchanged."""
    path = tmp_path / "spool.db"
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 100)

    with pytest.raises(SpoolFailed, match="not a database; move the file away"):
        _open(path)
    assert path.read_bytes().startswith(b"something else")


def test_a_database_with_broken_pages(tmp_path):
    """The step that meets a broken page raises, and says that the fault does not pass by itself."""
    path = tmp_path / "spool.db"
    _open(path).close()
    schema = path.stat().st_size
    spool = _open(path)
    for number in range(200):
        put(spool, f"m{number}", keys=[f"user:{number}"], properties={"text": "x" * 500})
    spool.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:schema] + b"\xff" * (len(whole) - schema))

    broken = _open(path)
    with pytest.raises(SpoolFailed, match="move the file away") as caught:
        drain(broken)
    broken.close()
    assert caught.value.is_passing is False


def test_a_folder_that_may_not_be_written_to():
    """Without the right to write, opening is an error that says so."""
    code = (
        "import os, sys\n"
        "from metarouter_intercom._delivery.buffers.spool import SpoolBuffer\n"
        "from metarouter_intercom.errors import SpoolFailed\n"
        "os.chdir(sys.argv[1])\n"
        "os.chmod('.', 0o555)\n"
        "os.getuid() or os.setuid(65534)\n"
        "for name in ('new.db', 'old.db'):\n"
        "    try:\n"
        "        SpoolBuffer(name, limit=10, dead_letters=10)\n"
        "    except SpoolFailed as error:\n"
        "        print(error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        _open(f"{folder}/old.db").close()
        os.chmod(f"{folder}/old.db", 0o444)
        printed = subprocess.run(
            [sys.executable, "-c", code, folder], check=True, capture_output=True, text=True
        )
        os.chmod(folder, 0o755)

    assert [line.split(" (")[1].split(")")[0] for line in printed.stdout.splitlines()] == [
        "Permission denied",
        "this process may not read and write it",
    ]


def test_a_journal_folder_that_is_a_file(tmp_path):
    """A file where the journals' folder should be is an error that names the path."""
    (tmp_path / "spool.db-intake").write_text("in the way")

    with pytest.raises(SpoolFailed, match=r"cannot write to .*spool\.db-intake"):
        _open(tmp_path / "spool.db")


def test_a_full_disk_leaves_the_journal_whole(tmp_path):
    """A message that does not fit on the disk is refused, and those before and after it are kept."""
    spool = _open(tmp_path / "spool.db")
    put(spool, "before")
    with longest_file(2_000), pytest.raises(SpoolFailed, match="free space there"):
        put(spool, "too large", properties={"text": "x" * 3_000})
    put(spool, "after")

    assert drain(spool) == ["before", "after"]
    spool.close()


def test_a_newer_file_is_left_alone(tmp_path):
    """A file of a newer version is an error that says to upgrade."""
    path = str(tmp_path / "spool.db")
    connect(path, sync="normal", steps=[*STEPS, "CREATE TABLE more (x)"]).close()

    with pytest.raises(SpoolFailed, match="newer version; upgrade"):
        _open(path)


def test_an_older_file_is_brought_up_to_date(tmp_path):
    """A migration keeps the messages."""
    path = tmp_path / "spool.db"
    spool = _open(path)
    put(spool, "m")
    spool.close()
    newer = connect(
        str(path), sync="normal", steps=[*STEPS, "CREATE TABLE more (x); INSERT INTO more VALUES (1)"]
    )

    assert newer.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
    assert newer.execute("SELECT COUNT(*), (SELECT x FROM more) FROM messages").fetchone() == (1, 1)
    newer.close()


def test_a_migration_that_fails_changes_nothing(tmp_path):
    """A migration is made completely or not at all."""
    path = tmp_path / "spool.db"
    _open(path).close()

    with pytest.raises(SpoolFailed, match="syntax error"):
        connect(str(path), sync="normal", steps=[*STEPS, "CREATE TABLE more (x); NONSENSE"])

    plain = sqlite3.connect(path)
    assert plain.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert plain.execute("SELECT name FROM sqlite_master WHERE name = 'more'").fetchall() == []
    plain.close()
