"""Where a spool's files are: one place for all names of one file (rule Q8); knows nothing of what is in them."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ...errors import ConfigurationError
from ...settings._spool_path import spool_path_fault


class SpoolFiles(NamedTuple):
    """
    The paths of one spool, without symbolic links.

    Attributes:
        database: The SQLite file.
        folder: Of the journals.
    """

    database: str
    folder: str


def find_spool_files(path: str | os.PathLike[str]) -> SpoolFiles:
    """
    Resolve *path* once: what the process does to its working directory or to symbolic links afterwards changes nothing.

    Two names of one file lead to the same journals, so that no message is left behind under the other name.

    Raises:
        ConfigurationError: It cannot be a file.
    """
    if fault := spool_path_fault(path):
        raise ConfigurationError(fault)
    given = os.fspath(path)
    expanded = os.path.expanduser(given)
    if given.startswith("~") and expanded == given and not os.path.lexists(given):
        raise ConfigurationError(
            f"spool: {given!r} names an unknown home folder; use an absolute path, or ./ before the ~"
        )
    database = os.path.realpath(expanded)
    _check_kind(database)
    # The name is part of the file format: a spool of an earlier version has its journals there.
    return SpoolFiles(database, f"{database}-intake")


def _check_kind(database: str) -> None:
    try:
        mode = os.lstat(database).st_mode
    except OSError:
        return  # It is not there yet, or the error of opening it says more.
    if not stat.S_ISREG(mode):
        kind = (
            "a folder"
            if stat.S_ISDIR(mode)
            else "a symbolic link to itself"
            if stat.S_ISLNK(mode)
            else "no plain file"
        )
        raise ConfigurationError(
            f"spool: {database} is {kind}; use the path of a file, such as analytics.spool"
        )
