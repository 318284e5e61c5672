"""
Recognises calls that a logging handler makes because of what this package itself logs (rule W8).

Such a call would cause a request, the request a log line, and the line the next call, for ever. Knows frames and log records, no client.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_PACKAGE = __name__.partition(".")[0]
# Loggers below a request of ours. A filter of a logger does not see the records of the loggers below it, so each one is named.
_HTTP_LOGGERS = (
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.util.retry",
    "requests",
    "charset_normalizer",
)
_OWN_THREADS = "metarouter-intercom-"
_MARK = "caused_by_metarouter_intercom"
# The threads (greenlets) that deliver, or log something of ours, at this moment, with how deep they are in it.
_inside: dict[int, int] = {}
_is_watching = False


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """Look closely at the calls that the calling thread makes inside."""
    ident = threading.get_ident()
    _inside[ident] = _inside.get(ident, 0) + 1
    try:
        yield
    finally:
        if _inside[ident] == 1:
            del _inside[ident]
        else:
            _inside[ident] -= 1


def watch() -> None:
    """Note from now on when this package logs, and mark what HTTP libraries log inside its requests."""
    global _is_watching
    if _is_watching:
        return
    _is_watching = True
    own = logging.getLogger(_PACKAGE)
    handle = own.handle

    def handle_inside(record: logging.LogRecord) -> None:
        with inside():
            handle(record)

    own.handle = handle_inside  # type: ignore[method-assign]  # no other hook of a logger surrounds its handlers
    for name in _HTTP_LOGGERS:
        logging.getLogger(name).addFilter(_mark)


def _mark(record: logging.LogRecord) -> bool:
    if threading.get_ident() in _inside:
        setattr(record, _MARK, True)
    return True


class Listeners:
    """Knows which threads are those of a ``logging.handlers.QueueListener``; made anew when threading is replaced."""

    def __init__(self) -> None:
        self._threads = threading.local()

    def is_suspect(self) -> bool:
        """Return whether ``is_feedback`` must look at a call of the calling thread; costs next to nothing."""
        if _inside and threading.get_ident() in _inside:
            return True
        try:
            return self._threads.is_listener  # type: ignore[no-any-return]  # set below, to a boolean
        except AttributeError:
            self._threads.is_listener = answer = _is_listener(sys._getframe(1))
            return answer


def _is_listener(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "_monitor" and frame.f_globals.get("__name__") == "logging.handlers":
            return True
        frame = frame.f_back
    return False


def is_feedback() -> bool:
    """
    Return whether a logging handler calls, and what it handles comes from this package.

    A hook may call the client, also when it does so inside a delivery. Between such a call and the delivery there is no frame of
    ``logging``. In another thread, where a ``QueueListener`` calls the handlers, the record itself says where it comes from.
    """
    frame: FrameType | None = sys._getframe(1)
    is_delivering = threading.get_ident() in _inside
    is_caller = True
    is_logging = False
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name == "logging" or name.startswith("logging."):
            is_caller = False
            is_logging = True
            if _is_ours(frame.f_locals.get("record")):
                return True
        elif name == _PACKAGE or name.startswith(f"{_PACKAGE}."):
            if not is_caller:
                return is_logging and is_delivering
        else:
            is_caller = False
        frame = frame.f_back
    return False


def _is_ours(record: object) -> bool:
    if not isinstance(record, logging.LogRecord):
        return False
    name, thread = record.name, record.threadName or ""
    is_own = name == _PACKAGE or name.startswith(f"{_PACKAGE}.") or thread.startswith(_OWN_THREADS)
    return is_own or getattr(record, _MARK, False)
