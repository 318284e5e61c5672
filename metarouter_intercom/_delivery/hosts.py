"""What the host process allows: which threading is in force, and whether threads of ours would run at all (rule W8); knows no client."""

from __future__ import annotations

import os
import sys
import threading

# The exit handler ran, or cannot run any more: what is accepted from now on is delivered by the call itself.
_is_over = False
_NO_THREADS_TO_NAME = {
    "exit": "the interpreter ends",
    "uwsgi": "uWSGI runs without threads: set enable-threads = true",
    "subinterpreter": "this subinterpreter allows no daemon threads",
}


def note_end() -> None:
    """Note that the exit handler runs, once, or that it will not run any more."""
    global _is_over
    _is_over = True


def is_over() -> bool:
    """Return whether no exit handler of this package will run any more."""
    return _is_over or sys.is_finalizing()


def is_ending() -> bool:
    """Return whether the interpreter is ending; threads that start now may never run."""
    # ``threading`` marks the main thread as ended before it calls any exit handler.
    return is_over() or not threading.main_thread().is_alive()


def why_no_threads() -> str | None:
    """Return why threads would not run here: ``exit``, ``uwsgi`` or ``subinterpreter``; None if they do."""
    if is_ending():
        return "exit"
    if _is_uwsgi_without_threads():
        return "uwsgi"
    return None if _allows_daemon_threads() else "subinterpreter"


def explanation(reason: str) -> str:
    """Return *reason* of ``why_no_threads`` in words, with the remedy if there is one."""
    return _NO_THREADS_TO_NAME[reason]


def is_threading_replaced(lock: object) -> bool:
    """Return whether gevent or eventlet has replaced ``threading`` since *lock* was ``threading.Lock``."""
    return threading.Lock is not lock


def park_if_replaced(lock: object) -> None:
    """
    Let the calling thread rest for ever if gevent or eventlet has replaced ``threading`` since *lock* was ``threading.Lock``.

    Such a thread must not end: ``threading`` would not find it in its books and print an error.
    """
    if is_threading_replaced(lock):
        parked = lock()  # type: ignore[operator]  # a lock of the system
        parked.acquire()
        parked.acquire()


class PerProcessLock:
    """
    A lock for each process, and for each kind of threading in one process.

    A lock that another thread holds during a fork is never released in the child. A lock from before gevent or eventlet replaced
    ``threading`` would stop every greenlet, not one.
    """

    def __init__(self) -> None:
        self._locks: dict[tuple[int, object], threading.Lock] = {}

    def get(self) -> threading.Lock:
        """Return the lock of this process and of the threading in force."""
        return self._locks.setdefault((os.getpid(), threading.Lock), threading.Lock())


def _is_uwsgi_without_threads() -> bool:
    uwsgi = sys.modules.get("uwsgi")
    # Inside uWSGI the module is built in; a module of that name from elsewhere has no options.
    if uwsgi is None or not hasattr(uwsgi, "opt") or _is_green():
        return False
    has_threads = getattr(uwsgi, "has_threads", None)
    if has_threads is not None:
        return not has_threads
    return not {"enable-threads", "threads"} & set(uwsgi.opt)


def _is_green() -> bool:
    """Return whether threads are greenlets, which need no permission of the host."""
    return not getattr(threading.Lock, "__module__", "").startswith(("_thread", "builtins"))


def _allows_daemon_threads() -> bool:
    try:
        threading.Thread(daemon=True)
    except RuntimeError:
        return False
    return True
