"""Which files are spools, and that looking changes none of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from metarouter_intercom._delivery.buffers.recognition import is_spool_file
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer


@pytest.mark.parametrize("is_open", [True, False])
def test_a_spool_is_recognised(tmp_path, is_open):
    """A spool is recognised, also while another process has it open."""
    path = tmp_path / "a.spool"
    buffer = SpoolBuffer(path, limit=10, dead_letters=10)
    if not is_open:
        buffer.close()

    assert is_spool_file(str(path))
    buffer.close()


@pytest.mark.parametrize("content", [b"", b'{"type": "identify"}\n', b"SQLite format 3\0", b"\x1f\x8b"])
def test_another_file_is_none(tmp_path, content):
    """An empty file and a file of messages are no spools; of a broken database the spool itself says what is wrong."""
    path = tmp_path / "file"
    path.write_bytes(content)

    assert is_spool_file(str(path)) is content.startswith(b"SQLite")
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_none(tmp_path):
    """A database without the spool's tables is no spool, and stays as it is."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE messages (body TEXT)")
    before = path.read_bytes()

    assert not is_spool_file(str(path))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["other.db"]
