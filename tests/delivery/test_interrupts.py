"""Which modules hold locks, so that a signal handler that interrupts one of them does not wait for a lock (rule W3)."""

from __future__ import annotations

import ast
import re
import threading

import pytest

from metarouter_intercom import Client
from metarouter_intercom._delivery.interrupts import LOCKING, is_interruption
from metarouter_intercom.plugins import Response

from .._support.package_imports import PACKAGE, ROOT, read_imports

_MODULES = {f"{PACKAGE}.{name}" if name else PACKAGE for name in read_imports()}
_LOCKS = frozenset({"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"})
# How the package names its locks: a ``with`` over one of these names, or a call of its ``acquire``.
_HELD = re.compile(r"lock|condition|switch|ending|births|creating|turn\b", re.IGNORECASE)
# Modules outside ``LOCKING`` that make or hold a lock -> why a handler that interrupts them cannot wait for ever.
_WITHOUT_A_GUARD = {
    "_client.lifetime": "closing holds a reentrant lock; the lock of a birth is held only in a forked child",
    "_delivery.engine": "makes the reentrant lock of whoever closes the client",
    "_delivery.hosts": "makes the locks of a fork and of opening files, which others hold",
    "_delivery.wiring": "makes the locks of counters, circuit and workspace cache",
    "_intercom.attribute_creation": "the lock of the attributes is held while a flow runs, as a company's lock is",
    "_intercom.companies": "a company's lock is held while its flow runs, and flows run in the executor, which is guarded",
    "sandbox._serving.http_server": "a server's, whose threads no handler interrupts",
    "sandbox._pages._routes": "a server's, as above",
    "sandbox.server": "a server's, as above",
    "sandbox.service": "a server's, and reentrant",
    "sandbox.transport": "held while a request is answered, in the executor, which is guarded",
}


def _is_covered(name):
    return any(f"{PACKAGE}.{name}.".startswith(f"{locking}.") for locking in LOCKING)


def _locking_modules():
    """Return the modules whose text makes a lock of ``threading`` or holds something that is called like one."""
    names = set()
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if any(map(_locks, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))):
            names.add(name)
    return names


def _locks(node):
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Attribute):
            owner = ast.unparse(called.value)
            return (owner == "threading" and called.attr in _LOCKS) or (
                called.attr == "acquire" and _HELD.search(owner) is not None
            )
        return isinstance(called, ast.Name) and called.id in _LOCKS
    if isinstance(node, ast.With):
        return any(_HELD.search(ast.unparse(_owner(item.context_expr))) for item in node.items)
    return False


def _owner(held):
    return held.func if isinstance(held, ast.Call) else held


@pytest.mark.parametrize("name", LOCKING)
def test_every_guarded_name_is_a_module(name):
    """W3: each name of the guard is a module of the package; a renamed module would no longer be guarded."""
    assert name in _MODULES


def test_every_module_with_a_lock_is_guarded_or_has_a_reason():
    """W3: a module that makes or holds a lock is guarded, or this file says why it need not be."""
    unguarded = {name for name in _locking_modules() if not _is_covered(name)}

    assert unguarded == set(_WITHOUT_A_GUARD)


def test_every_guarded_module_holds_a_lock_or_runs_under_one():
    """W3: only executor, forks and rate limit hold no lock of their own; they run while another one is held."""
    locking = {f"{PACKAGE}.{name}." for name in _locking_modules()}

    without = [name for name in LOCKING if not any(other.startswith(f"{name}.") for other in locking)]

    assert without == [
        f"{PACKAGE}.{name}" for name in ("_delivery.executor", "_delivery.forks", "_delivery.rate_limit")
    ]


def _asked_from(module, function="work"):
    """Return what ``is_interruption`` says to a handler that interrupts *function* of *module*."""
    space = {"__name__": module, "ask": lambda: is_interruption()}
    exec(f"def {function}():\n    return ask()", space)
    return space[function]()


@pytest.mark.parametrize("module", [*LOCKING, f"{PACKAGE}._delivery.buffers.memory"])
def test_a_handler_that_interrupts_a_guarded_module_is_an_interruption(module):
    """W3: if a guarded module is anywhere on the main thread's stack, a lock may be held."""
    assert _asked_from(module)


@pytest.mark.parametrize(
    "module",
    [PACKAGE, f"{PACKAGE}._client.calls", f"{PACKAGE}._gateway", "_delivery.circuit", "somebody.else"],
)
def test_a_handler_that_interrupts_anything_else_is_none(module):
    """W3: code without our locks, also in a module whose name only begins like a guarded one, is no reason to wait."""
    assert not _asked_from(module)


def test_the_end_of_the_interpreter_and_other_threads_are_free():
    """W3: at the interpreter's exit clients are closed with no lock held, and signal handlers run only in the main thread."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(_asked_from(LOCKING[0])))
    thread.start()
    thread.join()

    assert answers == [False]
    assert not _asked_from(f"{PACKAGE}._delivery.lifecycle", "_at_exit")


class _Asking:
    """A transport that asks in each request whether a handler would be an interruption."""

    def __init__(self):
        self.answers = []

    def send(self, request):
        self.answers.append(is_interruption())
        return Response(200, {"id": "i-1", "data": []}, {})

    def close(self):
        """Do nothing."""


def test_a_handler_that_interrupts_a_request_is_an_interruption():
    """W3: the write of a company holds that company's lock, so a handler that closed the client there would wait for ever."""
    transport = _Asking()
    client = Client(api_key="k", transport=transport, delivery="manual")
    client.group("u-1", "c-1", {"name": "Example Ltd"})

    client.flush(1.0)
    client.close(0.0)

    assert transport.answers
    assert all(transport.answers)
