"""Brings parts to rest while the process forks (rule W3); knows neither clients nor threads."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from importlib import import_module
from typing import Protocol

# What a client may still import after it was made, so that its first calls stay cheap; not what only a setting needs.
_LATE_MODULES = (
    "attrs",
    "cattrs",
    "cattrs.errors",
    "cattrs.gen",
    "ctypes",
    "dataclasses",
    "decimal",
    "email.utils",
    "encodings.idna",
    "fcntl",
    "hashlib",
    "hmac",
    "importlib.metadata",
    "importlib.metadata._adapters",  # which some versions import with the first look for a version
    "metarouter_intercom._client.dead_letters",
    "metarouter_intercom._client.history",
    "metarouter_intercom._delivery.http.adapter",
    "metarouter_intercom._delivery.http.failures",
    "metarouter_intercom._delivery.http.instrumented",
    "metarouter_intercom._delivery.http.replaced",
    "metarouter_intercom._delivery.http.time_limits",
    "metarouter_intercom.errors",
    "metarouter_intercom.operations._money_text",
    "resource",
    "zoneinfo",
)
# Packages of which something is imported when it is first needed, perhaps in a thread.
IMPORTED_LATE = frozenset({"attr", "joserfc", "requests", "urllib3"}).union(
    name.partition(".")[0] for name in _LATE_MODULES
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
_has_late_modules = False


def rest_at_forks(part: Resting) -> None:
    """Bring *part* to rest around every ``os.fork``, as long as somebody holds a reference to it."""
    _parts.add(part)
    prepare_for_forks()


def prepare_for_forks() -> None:
    """Let no child wait for a module that another thread was importing when the process forked."""
    global _is_registered
    if not _is_registered and hasattr(os, "register_at_fork"):
        _is_registered = True
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    if threading.active_count() > 1:
        import_late_modules()
    for part in list(_parts):
        part.before_fork()
        _at_rest.append(part)
    _wait_for_imports()


def import_late_modules() -> None:
    """
    Import what clients import late.

    A thread can begin an import at any moment before the fork, also when nobody imported anything a moment ago. In the child, the lock of
    such a module would stay locked for ever. What is imported already needs no lock.
    """
    global _has_late_modules
    if _has_late_modules:
        return
    for name in _LATE_MODULES:
        # Some systems have no ``fcntl`` and no ``resource``.
        with contextlib.suppress(ImportError):
            import_module(name)
    _has_late_modules = True


def _wait_for_imports() -> None:
    """Wait until no other thread is importing anything else that we may need."""
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
