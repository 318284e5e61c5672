"""The table of the boots of the machines that use a spool (rule W7), in its SQL; knows nothing else of the file."""

from __future__ import annotations

STEP = """
    CREATE TABLE boots (
        boot TEXT PRIMARY KEY,
        offset REAL NOT NULL
    ) WITHOUT ROWID;
    """
