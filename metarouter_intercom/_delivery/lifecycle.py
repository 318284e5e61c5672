"""Tells the clients of a process about forks and the interpreter's exit (rules W2, W3); knows nothing else of a client."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from typing import TYPE_CHECKING, Protocol

from .log import redacted

if TYPE_CHECKING:
    from ..settings import Settings

_log = logging.getLogger("metarouter_intercom")


class ProcessBound(Protocol):
    """Whatever must react to forks and to the interpreter's exit."""

    settings: Settings

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        ...

    def at_exit(self) -> None:
        """Deliver what can be delivered in a short time."""
        ...


_registered: weakref.WeakSet[ProcessBound] = weakref.WeakSet()
# Clients with messages in hand. The host may drop its last reference to such a client, but its messages must still be delivered.
_pinned: set[ProcessBound] = set()
_has_hooks = False


def pin(client: ProcessBound) -> None:
    """Keep *client* alive until ``unpin``, so that its messages are delivered although nobody else refers to it."""
    _pinned.add(client)


def unpin(client: ProcessBound) -> None:
    """Undo ``pin``."""
    _pinned.discard(client)


def register(client: ProcessBound) -> None:
    """Call *client* after forks and at the interpreter's exit, as long as somebody holds a reference to it."""
    global _has_hooks
    _registered.add(client)
    if not _has_hooks:
        _has_hooks = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for client in list(_registered):
        client.after_fork()


def _at_exit() -> None:
    for client in list(_registered):
        try:
            client.at_exit()
        except BaseException as error:  # also Ctrl-C: the other clients have messages too
            name = client.settings.name
            _log.error(
                "connection %s: the client could not be closed at the interpreter's exit",
                name,
                exc_info=redacted(error),
                extra={"connection": name},
            )
