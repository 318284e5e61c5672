"""Processes that are killed while they accept and deliver, one after the other or several on one spool at once."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from random import Random

from .host import BLOCK
from .judging import judge_intercom
from .processes import Application, FarEnd, let_pass, now
from .scenarios import PLENTY, drain

_CONTACTS = 20
# Killed while it accepts: the calls of one life are spread over about a second.
_PER_LIFE = 400
_PAUSE = 0.025


def run_kill_points(points, *, seed):
    """
    Kill a process at *points* random moments, each time going on with a new one on the same spool.

    Returns:
        The findings over all of them.
    """
    jitter = Random(seed)
    accepted, cut_off = {}, {}
    with tempfile.TemporaryDirectory() as folder, FarEnd("intercom", **PLENTY) as far_end:
        plan = _plan(far_end.address, Path(folder))
        for point in range(points):
            application = Application(sys.executable, plan | {"first": point * BLOCK})
            application.wait_for_accepted(jitter.randrange(1, _PER_LIFE))
            # Half of the points hit a process that accepts, half one that only delivers or has just begun to.
            let_pass(jitter.choice([0.0, jitter.uniform(0.0, 0.6)]))
            _kill(application, accepted, cut_off)
        drain(sys.executable, plan)
        shown = far_end.show()
    return judge_intercom(shown, accepted, cut_off, _CONTACTS)


def run_shared_spool(seconds, *, processes, seed):
    """
    Let *processes* processes share one spool for *seconds*, killed and restarted in turn.

    Returns:
        The findings, and how many were killed.
    """
    jitter = Random(seed)
    accepted, cut_off = {}, {}
    lives = 0
    with tempfile.TemporaryDirectory() as folder, FarEnd("intercom", **PLENTY) as far_end:
        plan = _plan(far_end.address, Path(folder))

        def begin():
            nonlocal lives
            lives += 1
            return Application(sys.executable, plan | {"first": (lives - 1) * BLOCK})

        alive = [begin() for _ in range(processes)]
        until = now() + seconds
        while now() < until:
            let_pass(jitter.uniform(0.1, 1.2))
            victim = jitter.randrange(processes)
            alive[victim].wait_for_accepted(1)
            _kill(alive[victim], accepted, cut_off)
            alive[victim] = begin()
        for application in alive:
            application.wait_for_accepted(1)
            _kill(application, accepted, cut_off)
        drain(sys.executable, plan)
        shown = far_end.show()
    return judge_intercom(shown, accepted, cut_off, _CONTACTS), lives


def _plan(address, folder):
    return {
        "client": "metarouter",
        "address": address,
        "settings": {"spool": str(folder / "spool.db")},
        "first": 0,
        "count": _PER_LIFE,
        "pause": _PAUSE,
        "contacts": _CONTACTS,
        "forks": 0,
        "end": "wait",
    }


def _kill(application, accepted, cut_off):
    application.signal(signal.SIGKILL)
    told = application.end()
    accepted.update(told.accepted)
    cut_off.update(told.cut_off)
