"""Keeps what hooks, plugins and log handlers raise from ending a worker or a half-done ``close`` (rule W9); knows no message."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Python raises these in the main thread because of a signal. In every other thread only somebody's code raises them.
_OF_SIGNALS = (KeyboardInterrupt, SystemExit)


# An attribute of the thread's object and no thread-local value: gevent may be patched in later, and then a value that belongs to the
# system's thread belongs to all its greenlets.
_OWN = "_is_own_of_metarouter_intercom"


def mark_own_thread() -> None:
    """Note that the calling thread is one of ours: nobody waits there for an exception."""
    setattr(threading.current_thread(), _OWN, True)


def reaches_caller(error: BaseException) -> bool:
    """
    Return whether *error*, which somebody else's code raised below us, must reach the caller of the client.

    In a thread of ours nothing does. In a thread of the host, an exit or Ctrl-C in the main thread does, because a signal handler may
    have raised it, and so does a time limit that the host set on its own thread (gevent, eventlet).
    """
    if isinstance(error, Exception | GeneratorExit):
        return False
    thread = threading.current_thread()
    if getattr(thread, _OWN, False):
        return False
    return not isinstance(error, _OF_SIGNALS) or thread is threading.main_thread()


def run_all(steps: Iterable[Callable[[], object]], on_error: Callable[[BaseException], object]) -> None:
    """
    Run every step, whatever the others raise.

    Args:
        steps: Each is run once.
        on_error: Receives what a step raised, unless that must reach the caller.

    Raises:
        BaseException: The first one that must reach the caller, after the last step.
    """
    interruption: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:
            if reaches_caller(error):
                interruption = interruption or error
            else:
                on_error(error)
    if interruption is not None:
        raise interruption


class SafeLogger:
    """
    Logs to the package's logger, and never raises because of a handler, a filter or an argument.

    What the logging raised costs that line. It is reported on the standard error as ``logging`` does with the errors of its handlers:
    only while ``logging.raiseExceptions`` is set. The report has the constant text of the line and no argument.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def warning(self, text: str, *arguments: object, **options: Any) -> None:
        """Log a warning."""
        self._write(logging.WARNING, text, arguments, options)

    def error(self, text: str, *arguments: object, **options: Any) -> None:
        """Log an error."""
        self._write(logging.ERROR, text, arguments, options)

    def exception(self, text: str, *arguments: object, **options: Any) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self._write(logging.ERROR, text, arguments, {"exc_info": True, **options})

    def _write(self, level: int, text: str, arguments: tuple[object, ...], options: dict[str, Any]) -> None:
        try:
            self._logger.log(level, text, *arguments, stacklevel=3, **options)
        except BaseException as error:
            if reaches_caller(error):
                raise
            _report_lost_line(text, error)


def _report_lost_line(text: str, error: BaseException) -> None:
    if not logging.raiseExceptions or sys.stderr is None:
        return
    # A closed or replaced standard error may raise anything, and there is nobody left to tell.
    with contextlib.suppress(Exception):
        sys.stderr.write(f"metarouter_intercom: logging raised {type(error).__name__}; lost line: {text}\n")


safe_log = SafeLogger("metarouter_intercom")


class LastFault(NamedTuple):
    """
    The faults so far.

    Attributes:
        number: How many.
        text: What raised the last one, and the class of the error; never its text, which may quote a customer's value.
        at: When, in Unix seconds.
    """

    number: int = 0
    text: str | None = None
    at: float | None = None


class Faults:
    """
    Remembers what was raised where nothing should be raised, for ``health()``.

    Attributes:
        last: The last fault and the number of all.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.last = LastFault()

    def add(self, place: str, error: BaseException) -> None:
        """Note that the code at *place* raised *error*."""
        self.last = LastFault(self.last.number + 1, f"{type(error).__name__} in {place}", self._now())
