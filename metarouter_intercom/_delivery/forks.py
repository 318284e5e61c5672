"""Brings parts to rest while the process forks (rule W3); knows neither clients nor threads."""

from __future__ import annotations

import os
import sys
import weakref
from importlib import import_module
from typing import Protocol

# Packages of which something is imported when it is first needed, perhaps in a thread.
IMPORTED_LATE = frozenset(
    {
        "attr",
        "attrs",
        "cattrs",
        "ctypes",
        "dataclasses",
        "decimal",
        "email",
        "fcntl",
        "hashlib",
        "hmac",
        "joserfc",
        "metarouter_intercom",
        "requests",
        "resource",
        "urllib3",
        "zoneinfo",
    }
)


class Resting(Protocol):
    """A part that must not be in the middle of its work when the process forks."""

    def before_fork(self) -> None:
        """Come to rest, and stay at rest until one of the other two methods is called."""
        ...

    def after_fork_in_parent(self) -> None:
        """Continue."""
        ...

    def after_fork_in_child(self) -> None:
        """Forget what only the parent may use."""
        ...


_parts: weakref.WeakSet[Resting] = weakref.WeakSet()
# The parts that rest now. A part that is made between the two hooks never rested, so it must not be woken.
_at_rest: list[Resting] = []
_is_registered = False


def rest_at_forks(part: Resting) -> None:
    """Bring *part* to rest around every ``os.fork``, as long as somebody holds a reference to it."""
    global _is_registered
    _parts.add(part)
    if not _is_registered and hasattr(os, "register_at_fork"):
        _is_registered = True
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    for part in list(_parts):
        part.before_fork()
        _at_rest.append(part)
    _wait_for_imports()


def _wait_for_imports() -> None:
    """Wait until no other thread is importing what we need: in the child, the lock of such a module would stay locked for ever."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in IMPORTED_LATE and getattr(
            getattr(module, "__spec__", None), "_initializing", False
        ):
            # Python finds out if the two threads wait for each other, and lets one of them go on.
            import_module(name)


def _in_parent() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_parent()


def _in_child() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_child()
