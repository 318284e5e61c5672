"""A signal handler that closes the client and exits may interrupt a call between any two steps: its exit is never lost (W3)."""

from __future__ import annotations

import linecache
import os
import signal
import sys
import threading

import pytest

import metarouter_intercom
from metarouter_intercom import Client
from metarouter_intercom._delivery.buffers import memory as _memory
from metarouter_intercom._delivery.waiting import SettlementSignal, StopLatch
from metarouter_intercom._delivery.workers import PoolSize, Workers
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

_EVERYWHERE = (os.path.dirname(metarouter_intercom.__file__), threading.__file__)
_IN_THE_BUFFER = (os.path.dirname(_memory.__file__),)
_STATUS = 5


class _Interruption:
    """Sends a signal at the n-th line that the main thread runs in *places*."""

    def __init__(self, at, places):
        self.left = at
        self._places = places

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self._places):
            return None
        # A trace function can raise before a lock is released, at a point where no signal handler ever runs.
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and not line.startswith("with "):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGUSR1)
        return self

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)


@pytest.fixture
def on_signal():
    """Set the handler of the signal; the test's end restores the former handler."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def _interrupt_each_line(work, prepare, finish=lambda made: None, places=_EVERYWHERE):
    """Interrupt each line of *work* in *places* once, each time with a new value of *prepare*; return the number of interruptions."""
    at = 1
    while True:
        made = prepare()
        interruption = _Interruption(at, places)
        ended = None
        try:
            with interruption:
                work(made)
        except BaseException as error:
            ended = error
        finish(made)
        if interruption.left > 0:
            assert ended is None
            return at - 1
        assert isinstance(ended, SystemExit), (at, ended)
        assert ended.code == _STATUS
        at += 1


@pytest.mark.parametrize(
    ("spool", "places", "least"),
    [
        pytest.param(False, _EVERYWHERE, 100, id="memory"),
        pytest.param(True, _IN_THE_BUFFER, 20, id="spool"),
    ],
)
def test_wherever_a_handler_interrupts_a_first_call_its_exit_is_not_lost(
    tmp_path, on_signal, spool, places, least
):
    """W3: this includes the start of a thread, whose wait may find its own lock already released."""
    answer = Response(200, {"type": "user", "id": "1"}, {})
    clients = []

    def make():
        path = str(tmp_path / f"{len(clients)}.spool") if spool else None
        transport = ScriptedTransport(lambda request: answer)
        clients.append(Client(api_key="test", transport=transport, spool=path, workers=1))
        return clients[-1]

    def end(*_):
        clients[-1].close(0)
        sys.exit(_STATUS)

    on_signal(end)
    interruptions = _interrupt_each_line(
        lambda client: client.track("u", "Happened"), make, lambda client: client.close(0), places
    )

    assert interruptions >= least


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: SettlementSignal().wait(0.0), id="for a settlement"),
        pytest.param(
            lambda: StopLatch().pause(0.0),
            id="before a request",
        ),
    ],
)
def test_wherever_a_handler_interrupts_a_wait_its_exit_is_not_lost(on_signal, work):
    """W3: no error of a lock replaces what the handler raised."""

    def end(*_):
        sys.exit(_STATUS)

    on_signal(end)

    assert _interrupt_each_line(lambda _: work(), lambda: None) >= 4


def test_a_thread_that_cannot_start_while_an_error_is_handled_is_a_shortage(monkeypatch):
    """W1: an error that the caller is handling at that moment was not raised by a signal handler."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    workers = Workers(
        lambda on_claim: None,
        size=PoolSize(1, 1),
        demand=None,
        interval=1.0,
        name="test",
        stop=StopLatch(),
        on_fault=lambda place, error: None,
    )
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        workers.start()

    assert workers.is_started is False
