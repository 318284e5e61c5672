"""Troubles of the machine around an application: clocks that step or stand still, files that vanish, locks, small volumes, links."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HOUR = 3600
# How long another program has the spool locked, in seconds.
LOCKED_FOR = 10.0
# A volume of this size holds about a third of the messages of a full run.
VOLUME = "700k"
_FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


class Unavailable(Exception):
    """This machine cannot make the trouble; the text says why."""


class Trouble(NamedTuple):
    """
    A trouble that is prepared.

    Attributes:
        environment: Environment variables of the application.
        act: Makes the trouble when half of the messages are accepted.
    """

    environment: Mapping[str, str] = {}
    act: object = lambda: None


def clock(before, after):
    """Return a trouble in which the wall clock says *before* at first and *after* later, as libfaketime writes it."""

    @contextlib.contextmanager
    def trouble(plan, folder):
        library = _faketime()
        setting = folder / "faketime"
        setting.write_text(before, encoding="ascii")
        environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(setting),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        yield Trouble(environment, lambda: setting.write_text(after, encoding="ascii"))

    return trouble


def _faketime():
    for pattern in _FAKETIME:
        for path in Path("/").glob(pattern[1:]):
            return str(path)
    if shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "faketime"], capture_output=True)
        for path in Path("/").glob(_FAKETIME[0][1:]):
            return str(path)
    raise Unavailable("libfaketime is not on this machine")


@contextlib.contextmanager
def journals_removed(plan, folder):
    """Somebody removes the spool's journals, as a cleaner of temporary folders does."""

    def act():
        for journal in Path(plan["settings"]["spool"] + "-intake").glob("*.journal"):
            journal.unlink()

    yield Trouble(act=act)


@contextlib.contextmanager
def folder_moved(plan, folder):
    """Somebody moves the spool's folder away, and its messages come back with it afterwards."""
    place = folder / "moved"
    inner = folder / "place"
    inner.mkdir()
    plan["settings"]["spool"] = str(inner / "spool.db")
    yield Trouble(act=lambda: inner.rename(place))


@contextlib.contextmanager
def locked(plan, folder):
    """Another program has the spool's file locked for a while, as some backups do."""
    release = threading.Event()
    holders = []

    def hold():
        with contextlib.closing(
            sqlite3.connect(plan["settings"]["spool"], timeout=60.0, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            release.wait(LOCKED_FOR)
            connection.execute("ROLLBACK")

    def act():
        holders.append(threading.Thread(target=hold))
        holders[-1].start()

    try:
        yield Trouble(act=act)
    finally:
        release.set()
        for holder in holders:
            holder.join()


@contextlib.contextmanager
def small_volume(plan, folder):
    """The spool is on a volume of its own that it can fill."""
    volume = folder / "volume"
    volume.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME}", "tmpfs", str(volume)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        raise Unavailable("mounting a volume is not allowed here")
    plan["settings"]["spool"] = str(volume / "spool.db")
    try:
        yield Trouble()
    finally:
        subprocess.run(["umount", "-l", str(volume)], check=True)


@contextlib.contextmanager
def linked(plan, folder):
    """The application knows the spool by a symbolic link; the next process knows it by its own name."""
    own, link = folder / "own" / "spool.db", folder / "link.db"
    own.parent.mkdir()
    link.symlink_to(own)
    plan["settings"]["spool"] = str(link)
    plan["rest"] = str(own)
    yield Trouble()


TROUBLES = {
    "clock_back": clock("+0", f"-{HOUR}"),
    "clock_forward": clock("+0", f"+{3 * HOUR}"),
    "clock_frozen": clock("2025-11-28 12:00:00", "2025-11-28 12:00:00"),
    "journals_removed": journals_removed,
    "folder_moved": folder_moved,
    "locked": locked,
    "small_volume": small_volume,
    "linked": linked,
}
