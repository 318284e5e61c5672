"""Brings parts to rest while the process forks (rule W3); knows neither clients nor threads."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


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


def _in_parent() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_parent()


def _in_child() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_child()
