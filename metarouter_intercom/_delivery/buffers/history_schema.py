"""The step of the spool's schema that makes the table of the history; knows SQL and nothing else."""

STEP = """
    CREATE TABLE history (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        rank INTEGER NOT NULL,
        body TEXT NOT NULL,
        reason TEXT,
        notes TEXT,
        requests TEXT,
        accepted_at REAL NOT NULL,
        ended_at REAL NOT NULL
    );
    """
