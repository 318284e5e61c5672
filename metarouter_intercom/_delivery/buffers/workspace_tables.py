"""The tables of the workspaces of a spool (rule Q7): one step of its schema."""

from __future__ import annotations

TABLES = """
    CREATE TABLE workspaces (
        number INTEGER PRIMARY KEY,
        id TEXT UNIQUE,
        used INTEGER NOT NULL DEFAULT 0,
        moved_to INTEGER
    );
    INSERT INTO workspaces (number) VALUES (0);
    CREATE TABLE credentials (
        fingerprint TEXT PRIMARY KEY,
        workspace INTEGER NOT NULL,
        is_refused INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE mapping_settings (
        workspace INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (workspace, name)
    ) WITHOUT ROWID;
    ALTER TABLE lanes ADD COLUMN workspace INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE dead ADD COLUMN workspace INTEGER NOT NULL DEFAULT 0;
    DROP INDEX lanes_due;
    CREATE INDEX lanes_due ON lanes (workspace, leased, due_at);
"""
