"""Tells the clients of a process about forks and the interpreter's exit (rules W2, W3); knows nothing else of a client."""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import weakref
from collections import deque
from typing import TYPE_CHECKING, Protocol

from . import hosts
from .feedback import watch
from .forks import prepare_for_forks
from .log import redacted
from .safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Callable

_log = safe_log


class ProcessBound(Protocol):
    """Whatever must react to forks and to the interpreter's exit."""

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        ...

    def at_exit(self) -> None:
        """Deliver what can be delivered in a short time."""
        ...

    def after_request(self) -> None:
        """Deliver what is due, because uWSGI has just answered a request and runs no threads."""
        ...


# Each client with the name of its connection.
_registered: weakref.WeakKeyDictionary[ProcessBound, str] = weakref.WeakKeyDictionary()
# Clients with messages in hand. The host may drop its last reference to such a client, but its messages must still be delivered.
_pinned: set[ProcessBound] = set()
_has_hooks = False
# What clients left that nobody holds any more: each function closes files and connections of one.
_unreleased: deque[tuple[str, Callable[[], None]]] = deque()
_is_releasing = False


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
        if hosts.is_ending():
            hosts.note_end()  # an exit handler that an exit handler registers is never called
        watch()
        atexit.register(_at_exit)
        prepare_for_forks()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)
        if hosts.why_no_threads() == "uwsgi":
            _hook_into_uwsgi()


def _hook_into_uwsgi() -> None:
    """Have uWSGI call us after each request and at a worker's end; it looks for these hooks once the application is loaded."""
    uwsgi = sys.modules["uwsgi"]
    for name, hook in (("after_req_hook", _after_request), ("atexit", _at_exit)):
        setattr(uwsgi, name, _after(getattr(uwsgi, name, None), hook))


def _after(first: Callable[[], object] | None, then: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls *first*, if the host has set one, and *then*."""

    def both() -> None:
        try:
            if first is not None:
                first()
        finally:
            then()

    return both


def release_later(connection: str, release: Callable[[], None]) -> None:
    """Call *release* of a connection in another thread: the caller may be the garbage collector, which interrupts any line of any thread."""
    global _is_releasing
    reason = hosts.why_no_threads()
    if reason == "exit":
        return  # the system releases everything in a moment
    _unreleased.append((connection, release))
    if reason is not None:
        _release_all()
    elif not _is_releasing:
        _is_releasing = True
        try:
            # Unlike ``Thread.start`` it does not wait.
            _thread.start_new_thread(_release_all, ())
        except RuntimeError:
            _is_releasing = False  # no more threads: the next client takes this one along


def _release_all() -> None:
    global _is_releasing
    while _unreleased:
        try:
            connection, release = _unreleased.popleft()
        except IndexError:
            return  # another thread was quicker
        try:
            release()
        except BaseException as error:  # also an exit: the other clients must be released too
            _log.error(
                "connection %s: a client that nobody uses any more could not be closed",
                connection,
                exc_info=redacted(error),
            )
        if not _unreleased:
            # Before the last look: whoever adds something from now on starts a thread.
            _is_releasing = False


def _after_request() -> None:
    for client in list(_registered):
        client.after_request()


def _after_fork() -> None:
    global _is_releasing
    _is_releasing = False
    _unreleased.clear()
    for client in list(_registered):
        client.after_fork()


def _at_exit() -> None:
    hosts.note_end()
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
