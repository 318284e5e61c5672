"""Whether a file is a spool; opens it for reading only, and knows nothing of what is in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from urllib.request import pathname2url

# How every SQLite file begins.
_START = b"SQLite format 3\0"
# Tables that every version of the spool has.
_TABLES = frozenset({"numbers", "messages", "lanes", "dead"})


def is_spool_file(path: str) -> bool:
    """
    Tell whether the file at *path* is a spool. True also for a database that cannot be looked into, so that opening it says why.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(len(_START))
    if not start:
        # A spool has its folder before it has any content.
        return os.path.isdir(f"{path}-intake")
    if start != _START:
        return False
    address = f"file:{pathname2url(os.path.abspath(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.Error:
        return True
    return {name for (name,) in rows} >= _TABLES
