"""A call that a signal handler cuts short (rule Q8): it loses and hides nothing of what other calls wrote, wherever it strikes."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading

import pytest

from metarouter_intercom._delivery.buffers import journal as _journal
from metarouter_intercom._delivery.buffers.journal import Journal
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import SpoolFailed

from .filling import drain, put


class _Struck(BaseException):
    """What the handler raises."""


@pytest.fixture
def strikes():
    """Let the handler of SIGALRM raise; the test's end restores the former one."""

    def strike(*_):
        raise _Struck

    before = signal.signal(signal.SIGALRM, strike)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _strike_at(line):
    """Return a trace function that sends the signal at the n-th line of the journal's module."""
    left = [line]

    def trace(frame, event, _argument):
        if frame.f_code.co_filename != _journal.__file__:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                signal.raise_signal(signal.SIGALRM)
        return trace

    return trace, left


def test_a_strike_at_any_line_of_an_append(strikes, tmp_path):
    """Q8: the lines before and after the interrupted one are read, in order, and the interrupted one at most once."""
    at, is_over = 1, False
    while not is_over:
        spool = SpoolBuffer(tmp_path / f"{at}.spool", limit=1000, dead_letters=10)
        put(spool, "before")
        trace, left = _strike_at(at)
        former = sys.gettrace()
        try:
            sys.settrace(trace)
            put(spool, "struck")
        except _Struck:
            pass_on = True
        else:
            pass_on = False
        finally:
            sys.settrace(former)
        put(spool, "after")

        pending = spool.pending()
        delivered = drain(spool)
        assert [name for name in delivered if name != "struck"] == ["before", "after"], at
        assert delivered.count("struck") <= 1
        assert (pending, spool.pending()) == (len(delivered), 0)
        spool.close()
        is_over, at = not pass_on and left[0] > 0, at + 1
    assert at > 10


def test_strikes_at_random_moments(strikes, tmp_path):
    """Q8: no call that returned is lost, however many others were cut short."""
    spool = SpoolBuffer(tmp_path / "analytics.spool", limit=10_000, dead_letters=10)
    accepted = []
    dice = random.Random(10)
    for number in range(400):
        try:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 2e-4))
            put(spool, str(number), text="x" * 5_000)
            accepted.append(str(number))
            signal.setitimer(signal.ITIMER_REAL, 0)
        except _Struck:
            continue
    signal.setitimer(signal.ITIMER_REAL, 0)

    delivered = drain(spool)
    assert set(accepted) <= set(delivered)
    assert delivered == sorted(set(delivered), key=int)
    assert spool.pending() == 0
    spool.close()


@pytest.mark.parametrize("error", [28, 5])
def test_a_write_that_fails_in_mid_line_leaves_the_journal_whole(monkeypatch, tmp_path, error):
    """Q8: a full disk or a broken one may take half a line; the lines around it are kept."""
    spool = SpoolBuffer(tmp_path / "analytics.spool", limit=1000, dead_letters=10)
    put(spool, "before")
    write = os.write

    def fail(file, data):
        write(file, bytes(data)[: len(data) // 2])
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(SpoolFailed, match="cannot write to"):
        put(spool, "half")
    monkeypatch.undo()
    put(spool, "after")

    assert drain(spool) == ["before", "after"]
    spool.close()


def test_a_half_line_that_cannot_be_removed_hides_nothing(monkeypatch, tmp_path):
    """Q8: if even removing a half line fails, the next line goes to a new journal."""
    folder = str(tmp_path / "intake")
    journal = Journal(folder, sync=False)
    first = journal.name
    write = os.write

    def fail(file, data):
        write(file, bytes(data)[:5])
        raise OSError(5, "Input/output error")

    def refuse(file, length):
        raise OSError(5, "Input/output error")

    arguments = {"keys": ["k"], "upserts": False, "now": 1.0}
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(SpoolFailed):
            journal.append({"messageId": "half"}, message_id="half", **arguments)
        patch.setattr(os, "write", write)
        assert journal.append({"messageId": "after"}, message_id="after", **arguments)

    assert journal.name != first
    assert journal.end[1] == 1
    journal.close(is_ingested=True)


def test_threads_append_while_the_main_thread_is_struck(strikes, tmp_path):
    """Q8: a call that is cut short in one thread costs the calls of others nothing."""
    spool = SpoolBuffer(tmp_path / "analytics.spool", limit=10_000, dead_letters=10)

    def accept():
        for number in range(200):
            put(spool, f"other {number}", keys=["user:b"])

    other = threading.Thread(target=accept)
    other.start()
    dice = random.Random(11)
    for number in range(200):
        try:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 2e-4))
            put(spool, f"main {number}")
            signal.setitimer(signal.ITIMER_REAL, 0)
        except _Struck:
            continue
    signal.setitimer(signal.ITIMER_REAL, 0)
    other.join()

    delivered = drain(spool)
    assert [name for name in delivered if name.startswith("other")] == [f"other {n}" for n in range(200)]
    spool.close()
