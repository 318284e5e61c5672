"""From a client's first message to its end: forks, closing and the interpreter's exit; does not know what messages say."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from .._delivery.hosts import PerProcessLock, is_over
from .._delivery.interrupts import is_interruption
from .._delivery.lifecycle import pin, register, release_later, unpin
from .._delivery.log import redacted
from .._delivery.safely import run_all, safe_log
from .._delivery.wiring import build_engine
from ..errors import ClientClosed
from .time_limits import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._delivery.engine import Dependencies, Engine
    from .._delivery.report import Counters
    from .._types import JsonValue
    from ..plugins import Buffer, Transport
    from .dropping import Dropper

# Seconds of a uWSGI worker that delivers after a request, because it has no threads for that.
_AFTER_REQUEST = 1.0
_log = safe_log


class ErrorRelay:
    """Reports the buffer's errors; does not keep the client alive, because threads keep the buffer."""

    def __init__(self) -> None:
        self.lifetime: Callable[[], Lifetime | None] = lambda: None

    def __call__(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Call the ``on_error`` hook, unless the client is gone."""
        lifetime = self.lifetime()
        if lifetime is not None:
            lifetime.engine.report_error(error, messages)


class Owned(NamedTuple):
    """What the client made itself, and so must close: None stands for a part that the caller passed."""

    transport: Transport | None
    buffer: Buffer | None
    relay: ErrorRelay

    def close(self) -> None:
        """Release connections and files."""
        if self.transport is not None:
            self.transport.close()
        if self.buffer is not None:
            self.buffer.close()


class Lifetime:
    """
    How far a client is: new, live, closed, finished; safe to use from any thread.

    Args:
        dependencies: Of the client.
        dropper: Reports the messages that are lost when the client closes.
        owned: What to close when nobody holds the client any more. With a buffer of its own, a client that has messages is kept even
            if the caller forgets it.

    Attributes:
        engine: The engine of this process and of the threading in force.
        has_work: A message was accepted, and no worker has found since that nothing is buffered.
        is_live: The client accepted its first message and is not finished.
        is_closed: The client accepts no more messages.
    """

    # Until the constructor has run: there is nothing to release.
    _is_finished = True

    def __init__(self, dependencies: Dependencies, dropper: Dropper, *, owned: Owned) -> None:
        self._dependencies = dependencies
        self.engine = self._build_engine()
        self.has_work = False
        self.is_live = False
        self.is_closed = False
        self._owned = owned
        self._dropper = dropper
        self._is_pinned_when_live = owned.buffer is not None
        self._is_finished = False
        self._exit_timeout: float | None = seconds_of(dependencies.settings.exit_timeout)
        self._is_ended_at_exit = False
        self._late_seconds = 0.0
        self._replacing = PerProcessLock()
        owned.relay.lifetime = weakref.ref(self)
        register(self, dependencies.settings.name)

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Release what a client with nothing left to deliver holds, when nobody holds the client any more."""
        # While Python takes its modules apart, their names may be gone; so this one is kept here.
        if self._is_finished or _is_finalizing() or self.engine.pid != os.getpid():
            return
        engine, owned = self.engine, self._owned

        def release() -> None:
            engine.stop()
            owned.close()

        release_later(self._dependencies.settings.name, release)

    def _build_engine(self, counters: Counters | None = None) -> Engine:
        rest = weakref.WeakMethod(self.rest)

        def on_idle() -> None:
            if (rest_now := rest()) is not None:
                rest_now()

        return build_engine(self._dependencies, on_idle=on_idle, counters=counters)

    def resume(self) -> None:
        """Deliver the messages that an earlier process left in the spool, before the first call."""
        if not self._dependencies.settings.enabled:
            return
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
        if is_over() and self._dependencies.settings.delivery == "background":
            self._deliver_late()
            return
        self.has_work = True
        if self._is_pinned_when_live:
            pin(self)

    def rest(self) -> None:
        """Let the client go if nobody holds it, because nothing is buffered."""
        if self.has_work:
            # A call that puts a message into the buffer looks at ``has_work`` after that. So it starts the client again, or its
            # message is found here.
            self.has_work = False
            unpin(self)
            if self._is_pinned_when_live and self._dependencies.buffer.pending():
                self.has_work = True
                pin(self)

    def check_process(self) -> None:
        """Replace the engine if this is a forked child, or if gevent or eventlet has replaced ``threading``."""
        # The hook of os.register_at_fork does not run under uWSGI, so every call checks the process (rule W3).
        engine = self.engine
        if os.getpid() != engine.pid:
            self.after_fork()
        elif engine.threading is not threading.Lock:
            self._follow_threading()

    def _follow_threading(self) -> None:
        """
        Build an engine of the threading in force: a lock of the other kind would stop all greenlets at once.

        The buffer stays. Its locks are never held while something waits, so no greenlet is ever switched under them.
        """
        with self._replacing.get():
            old = self.engine
            if old.threading is not threading.Lock:
                # The old engine's threads settle what they have in hand, and rest for ever after.
                self.engine = self._build_engine(old.counters)
                if self.is_live:
                    self._log_late_patch()

    def _log_late_patch(self) -> None:
        connection = self._dependencies.settings.name
        _log.warning(
            "connection %s: gevent or eventlet was patched in after the client had accepted messages; patch before that, "
            "because what was being sent may be late",
            connection,
            extra={"connection": connection},
        )

    def check_open(self) -> None:
        """
        Replace the engine if this is a forked child, and refuse a call of a closed client.

        Raises:
            ClientClosed: The client was closed.
        """
        self.check_process()
        if self.is_closed and self._is_ended_at_exit:
            if sys.is_finalizing():
                raise ClientClosed("the interpreter has ended, so this message is not sent; call before that")
            self._open_again()
        if self.is_closed:
            raise ClientClosed("the client is closed; make a new one, or close it later")

    def flush(self, timeout: float | None) -> None:
        """Deliver what is buffered, for at most *timeout* seconds; do nothing if a signal handler interrupted a call."""
        self.check_process()
        if not self.is_closed and not is_interruption():
            self.engine.flush(timeout, closing=False)
            self.rest()

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
        self._is_finished = True
        self.is_live = self.has_work = False
        # Whatever a step raises, the later ones release what they hold (rule W9).
        run_all(
            (
                self._drop_undelivered,
                engine.freeze,
                lambda: unpin(self),
                self._dependencies.transport.close,
                self._dependencies.buffer.close,
            ),
            self._log_release_error,
        )

    def _log_release_error(self, error: BaseException) -> None:
        connection = self._dependencies.settings.name
        _log.error(
            "connection %s: a part of the client raised an error while it was closed; everything else is released",
            connection,
            exc_info=redacted(error),
            extra={"connection": connection},
        )

    def _drop_undelivered(self) -> None:
        """Drop what is left in memory: each message is counted and reported, their number is logged."""
        if not self._dependencies.is_volatile:
            return
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
        with self._replacing.get():
            if os.getpid() != self.engine.pid:
                self.is_live = self.has_work = False
                unpin(self)
                self.engine.leave()
                self._dependencies.buffer.after_fork()
                self.engine = self._build_engine()

    def at_exit(self) -> None:
        """Close with ``exit_timeout`` seconds for the flush (rule W2), if this process accepted a message."""
        if os.getpid() != self.engine.pid:
            return
        self._is_ended_at_exit = not self.is_closed
        if self.is_live:
            self.close(self._exit_timeout)
        self.is_closed = True

    # --- after the exit handler ------------------------------------------------------------------------

    def _open_again(self) -> None:
        """Accept the messages of exit handlers that run after ours; each is delivered by the call itself."""
        self.is_closed = False
        if not self._is_finished:
            return
        self._is_finished = False
        reopen = getattr(self._dependencies.buffer, "reopen", None)
        if reopen is not None:
            reopen()
        self.engine = self._build_engine(self.engine.counters)

    def _deliver_late(self) -> None:
        """Deliver in the caller's thread what was accepted after the exit handler, all calls together for at most ``exit_timeout``."""
        clock = self._dependencies.clock
        began_at = clock.now()
        left = max(0.0, self._dependencies.settings.exit_timeout - self._late_seconds)
        self.engine.flush(left, closing=True)
        self._late_seconds += clock.now() - began_at
        if self._dependencies.is_volatile:
            self._drop_undelivered()

    def after_request(self) -> None:
        """Deliver for a moment, because uWSGI has answered a request and runs no threads."""
        if self.has_work and os.getpid() == self.engine.pid and not self.is_closed:
            self.flush(_AFTER_REQUEST)
