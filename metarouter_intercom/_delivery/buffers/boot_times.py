"""
One time for all processes that share a spool (rule W7): the machine's monotonic clock, with an offset that the file keeps.

A step of the wall clock changes neither, so due times, leases and the order of acceptance mean the same before and after it. The
monotonic clock begins anew with each boot, and so each boot has an offset of its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import SpoolFailed

if TYPE_CHECKING:
    from .database import Database

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# A container may have a monotonic clock of its own.
_TIME_NAMESPACE = "/proc/self/ns/time"
# Where the system does not tell one boot from another, boots are told apart by the monotonic clock, which is near 0 after each.
_UNKNOWN_BOOT = "unknown"
_LATEST = "SELECT MAX((SELECT COALESCE(MAX(accepted_at), 0) FROM messages), (SELECT COALESCE(MAX(died_at), 0) FROM dead))"


def boot_name() -> str:
    """Return what names this boot, and the monotonic clock of this process."""
    try:
        # As bytes: a process may have given up the right to read the modules of Python's text encodings.
        with open(_BOOT_ID, "rb") as file:
            boot = file.read().decode().strip()
    except (OSError, ValueError):
        return _UNKNOWN_BOOT
    try:
        return f"{boot} {os.readlink(_TIME_NAMESPACE)}"
    except OSError:
        return boot


def steady_offset(database: Database, boot: str, *, monotonic: float, wall: float) -> float:
    """
    Return what to add to the monotonic clock; the first process of a boot decides it. The caller holds the database's lock.

    Args:
        database: The spool's.
        boot: See ``boot_name``.
        monotonic: The monotonic clock now.
        wall: The wall clock now, in Unix seconds. If it is behind what the file knows, time goes on from there.
    """
    with database.transaction():
        row = database.run("SELECT offset FROM boots WHERE boot = ?", (boot,)).fetchone()
        latest = float(database.run(_LATEST).fetchone()[0])
        if row is not None and (boot != _UNKNOWN_BOOT or monotonic + row[0] >= latest):
            return float(row[0])
        offset = max(wall, latest) - monotonic
        # Earlier boots are over; other containers keep theirs.
        database.run("DELETE FROM boots WHERE boot NOT LIKE ?", (f"{boot.partition(' ')[0]}%",))
        database.run("INSERT OR REPLACE INTO boots VALUES (?, ?)", (boot, offset))
        return offset


def shared_offset(database: Database, *, monotonic: float, wall: float, stays_open: bool) -> float:
    """
    Return what to add to the monotonic clock to get the time of all processes that share the file; see ``steady_offset``.

    Args:
        database: The spool's.
        monotonic: The monotonic clock now.
        wall: The wall clock now, in Unix seconds.
        stays_open: Keep the connection, because messages are being delivered.
    """
    try:
        with database.briefly():
            offset = steady_offset(database, boot_name(), monotonic=monotonic, wall=wall)
            if not stays_open:
                database.disconnect()
            return offset
    except SpoolFailed:
        # Nobody reads or writes the file now; what does so later reckons in nearly the same time.
        return wall - monotonic
