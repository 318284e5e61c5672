"""What has to be at rest in the moment of a fork (rule W3); knows neither clients nor threads."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Resting(Protocol):
    """A part that a fork must not cut in the middle of what it does."""

    def before_fork(self) -> None:
        """Come to rest, and stay at rest until one of the other two is called."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Let go of what only the parent may use."""
        ...


_parts: weakref.WeakSet[Resting] = weakref.WeakSet()
# Those that rest now; a part made in between must not be woken.
_at_rest: list[Resting] = []
_is_registered = False


def rest_at_forks(part: Resting) -> None:
    """Bring *part* to rest around every ``os.fork``, for as long as somebody holds it."""
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
