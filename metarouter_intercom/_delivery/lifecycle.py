"""Tells the clients of a process about forks and the interpreter's exit (rules W2, W3); knows nothing else of a client."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol

from .log import redacted
from .safely import safe_log

_log = safe_log


class ProcessBound(Protocol):
    """Whatever must react to forks and to the interpreter's exit."""

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        ...

    def at_exit(self) -> None:
        """Deliver what can be delivered in a short time."""
        ...


# Each client with the name of its connection.
_registered: weakref.WeakKeyDictionary[ProcessBound, str] = weakref.WeakKeyDictionary()
# Clients with messages in hand. The host may drop its last reference to such a client, but its messages must still be delivered.
_pinned: set[ProcessBound] = set()
_has_hooks = False


def pin(client: ProcessBound) -> None:
    """Keep *client* alive until ``unpin``, so that its messages are delivered although nobody else refers to it."""
    _pinned.add(client)


def unpin(client: ProcessBound) -> None:
    """Undo ``pin``."""
    _pinned.discard(client)


def register(client: ProcessBound, connection: str) -> None:
    """
    Call *client* after forks and at the interpreter's exit, as long as somebody holds a reference to it.

    Args:
        client: Hashable by identity.
        connection: The connection's name, for the log.
    """
    global _has_hooks
    _registered[client] = connection
    if not _has_hooks:
        _has_hooks = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for client in list(_registered):
        client.after_fork()


def _at_exit() -> None:
    for client, connection in list(_registered.items()):
        try:
            client.at_exit()
        except BaseException as error:  # also Ctrl-C: the other clients have messages too
            _log.error(
                "connection %s: the client could not be closed at the interpreter's exit",
                connection,
                exc_info=redacted(error),
                extra={"connection": connection},
            )
