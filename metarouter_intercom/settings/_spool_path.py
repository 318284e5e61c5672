"""Which values can be the path of a spool; looks at no file."""

from __future__ import annotations

import os
import re

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:", re.ASCII)
# The longest name that most file systems allow, without the ending of the journals' folder and of files beside the spool.
_LONGEST_NAME = 255 - len("-intake.replaced")


def spool_path_fault(value: object) -> str | None:
    """Return why *value* names no file, with the remedy; None when it may name one."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        return (
            f"spool: a path of the type {type(value).__name__} cannot be used; pass a str or a pathlib.Path"
        )
    fault = _fault_of(value)
    return (
        None
        if fault is None
        else f"spool: {value!r} {fault}; use the path of a file, such as analytics.spool"
    )


def _fault_of(path: str) -> str | None:
    if not path.strip():
        return "is empty"
    if path.startswith(":memory:"):
        return "is not kept in a file, so nothing would outlive the process"
    if _URI.match(path):
        return "is a URI"
    if "\0" in path:
        return "contains a NUL character"
    if path.endswith(os.sep) or os.path.basename(path) in (os.curdir, os.pardir):
        return "is a folder"
    try:
        name = os.fsencode(os.path.basename(path))
    except UnicodeEncodeError:
        return "contains characters that no file name can have"
    return "has too long a name" if len(name) > _LONGEST_NAME else None
