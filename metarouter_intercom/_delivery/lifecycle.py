"""What a fork and the interpreter's exit mean for the clients of a process (rules W2, W3)."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from typing import TYPE_CHECKING, Protocol

from .log import redacted

if TYPE_CHECKING:
    pass


class ProcessBound(Protocol):
    """What has to know of forks and of the interpreter's end."""

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        ...

    def at_exit(self) -> None:
        """Deliver what can be delivered in a short time."""
        ...


_log = logging.getLogger("metarouter_intercom")
_bound: weakref.WeakSet[ProcessBound] = weakref.WeakSet()


# Those with messages in hand: nobody else may hold them any more, and the messages still have to go out.
_kept: set[ProcessBound] = set()


_is_registered = False


def pin(client: ProcessBound) -> None:
    """Hold *client* until ``let_go``, so that its messages are delivered although nobody else holds it."""
    _kept.add(client)


def unpin(client: ProcessBound) -> None:
    """End what ``keep`` began."""
    _kept.discard(client)


def register(client: ProcessBound) -> None:
    """Tell *client* of forks and of the interpreter's end, for as long as somebody holds it."""
    global _is_registered
    _bound.add(client)
    if not _is_registered:
        _is_registered = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for client in list(_bound):
        client.after_fork()


def _at_exit() -> None:
    for client in list(_bound):
        try:
            client.at_exit()
        except BaseException as error:  # also an impatient Ctrl-C: the other clients have messages too
            _log.error("a client could not be closed at the interpreter's end", exc_info=redacted(error))
