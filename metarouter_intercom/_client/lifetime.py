"""From a client's first message to its end: forks, closing and the interpreter's exit; does not know what messages say."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .._delivery.engine import build_engine
from .._delivery.interrupts import is_interruption
from .._delivery.lifecycle import pin, register, unpin
from ..errors import ClientClosed
from .time_limits import seconds_of

if TYPE_CHECKING:
    from .._delivery.engine import Dependencies
    from .dropping import Dropper

_log = logging.getLogger("metarouter_intercom")


class Lifetime:
    """
    How far a client is: new, live, closed, finished; safe to use from any thread.

    Args:
        dependencies: Of the client.
        dropper: Reports the messages that are lost when the client closes.
        is_pinned_when_live: Keep the client until it is closed, even if the caller forgets it.

    Attributes:
        engine: The engine of this process; a forked child replaces it.
        is_live: The client accepted its first message and is not finished.
        is_closed: The client accepts no more messages.
    """

    def __init__(self, dependencies: Dependencies, dropper: Dropper, *, is_pinned_when_live: bool) -> None:
        self.engine = build_engine(dependencies)
        self.is_live = False
        self.is_closed = False
        self._dependencies = dependencies
        self._dropper = dropper
        self._is_pinned_when_live = is_pinned_when_live
        self._is_finished = False
        self._exit_timeout: float | None = seconds_of(dependencies.settings.exit_timeout)
        self._fork_locks: dict[int, threading.Lock] = {}
        register(self, dependencies.settings.name)

    def resume(self) -> None:
        """Deliver the messages that an earlier process left in the spool, before the first call."""
        if self._dependencies.settings.spool is not None and self._dependencies.buffer.pending():
            self.start()
            self.engine.resume()

    def start(self) -> None:
        """
        Note that the client has a message to deliver.

        Raises:
            ClientClosed: The client was closed while the call ran.
        """
        if self._is_finished:
            raise ClientClosed(
                "the client was closed during this call, so its message may be lost; close the client later"
            )
        self.is_live = True
        if self._is_pinned_when_live:
            pin(self)

    def check_process(self) -> None:
        """Replace the engine if this is a forked child."""
        # The hook of os.register_at_fork does not run under uWSGI, so every call checks the process (rule W3).
        if os.getpid() != self.engine.pid:
            self.after_fork()

    def check_open(self) -> None:
        """
        Replace the engine if this is a forked child, and refuse a call of a closed client.

        Raises:
            ClientClosed: The client was closed.
        """
        self.check_process()
        if self.is_closed:
            raise ClientClosed("the client is closed; make a new one, or close it later")

    def flush(self, timeout: float | None) -> None:
        """Deliver what is buffered, for at most *timeout* seconds; do nothing if a signal handler interrupted a call."""
        self.check_process()
        if not self.is_closed and not is_interruption():
            self.engine.flush(timeout, closing=False)

    def close(self, timeout: float | None) -> None:
        """
        Accept no more, flush for at most *timeout* seconds, end threads and connections.

        If a signal handler interrupted a call, only accepting stops: the rest happens at the interpreter's exit.
        """
        self.check_process()
        engine = self.engine
        if is_interruption():
            self.is_closed = True
            self._exit_timeout = timeout
            return
        if self.is_closed and engine.is_delivering():
            return  # A hook closes the client that is already closing: waiting for that would never end.
        if engine.ending.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            try:
                self._finish(timeout)
            finally:
                engine.ending.release()

    def _finish(self, timeout: float | None) -> None:
        if self._is_finished:
            return
        self.is_closed = True
        engine = self.engine
        try:
            engine.flush(timeout, closing=True)
        except Exception:
            # Of a buffer that fails. A KeyboardInterrupt is none: after it, a second close does what this one did not.
            self._release()
            raise
        self._release()

    def _release(self) -> None:
        """End the threads and release connections and files; whatever one step raises, the others are done too."""
        engine = self.engine
        engine.stop()
        with ExitStack() as steps:  # it does them in reverse order
            steps.callback(self._dependencies.buffer.close)
            steps.callback(self._dependencies.transport.close)
            steps.callback(unpin, self)
            steps.callback(engine.freeze)
            self._is_finished = True
            self.is_live = False
            if self._dependencies.is_volatile:
                self._drop_undelivered()

    def _drop_undelivered(self) -> None:
        """Drop what is left in memory: each message is counted and reported, their number is logged."""
        pending = self._dependencies.buffer.pending()
        if not pending:
            return
        connection = self._dependencies.settings.name
        _log.error(
            "connection %s: closed with undelivered messages in memory: %d lost",
            connection,
            pending,
            extra={"connection": connection, "pending": pending},
        )
        for message in self.engine.abandon():
            self._dropper.drop(self.engine, message, "closed")

    def after_fork(self) -> None:
        """Start again in a forked child, with an empty memory and with threads, locks and connections of its own (rule W3)."""
        # Several threads of a child may be here at once. A lock that the parent held when it forked stays locked in the child for
        # ever, so each process has its own.
        with self._fork_locks.setdefault(os.getpid(), threading.Lock()):
            if os.getpid() != self.engine.pid:
                self.is_live = False
                unpin(self)
                self._dependencies.buffer.after_fork()
                self.engine = build_engine(self._dependencies)

    def at_exit(self) -> None:
        """Close with ``exit_timeout`` seconds for the flush (rule W2), if this process accepted a message."""
        if self.is_live and os.getpid() == self.engine.pid:
            self.close(self._exit_timeout)
