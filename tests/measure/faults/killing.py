"""Kills processes while they accept and deliver: one after the other, or several that share a spool."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from random import Random

from .application import BLOCK
from .judging import judge_intercom
from .processes import Application, ServerProcess, wait
from .scenarios import NO_LIMITS, deliver_rest

_CONTACTS = 20
# The calls of one process are spread over about a second, so that a kill hits it while it accepts.
_PER_PROCESS = 400
_PAUSE = 0.025


def run_kill_points(points, *, seed):
    """
    Kill a process at *points* random moments, and start a new one on the same spool each time.

    Returns:
        The findings of all processes together.
    """
    random = Random(seed)
    accepted, cut_off = {}, {}
    with tempfile.TemporaryDirectory() as folder, ServerProcess("intercom", **NO_LIMITS) as server:
        plan = _plan(server.address, Path(folder))
        for point in range(points):
            application = Application(sys.executable, plan | {"first": point * BLOCK})
            application.wait_for_accepted(random.randrange(1, _PER_PROCESS))
            # Half of the kills hit a process that accepts, the other half one that has started to deliver.
            wait(random.choice([0.0, random.uniform(0.0, 0.6)]))
            _kill(application, accepted, cut_off)
        deliver_rest(sys.executable, plan)
        state = server.state()
    return judge_intercom(state, accepted, cut_off, contacts=_CONTACTS)


def run_shared_spool(kills, *, processes, seed):
    """
    Let *processes* processes share one spool, and kill and restart a random one *kills* times; in the end kill all of them.

    Returns:
        The findings, and how many processes were killed.
    """
    random = Random(seed)
    accepted, cut_off = {}, {}
    started = 0
    with tempfile.TemporaryDirectory() as folder, ServerProcess("intercom", **NO_LIMITS) as server:
        plan = _plan(server.address, Path(folder))

        def start():
            nonlocal started
            started += 1
            return Application(sys.executable, plan | {"first": (started - 1) * BLOCK})

        running = [start() for _ in range(processes)]
        for _ in range(kills):
            wait(random.uniform(0.1, 1.2) / processes)
            victim = random.randrange(processes)
            running[victim].wait_for_accepted(1)
            _kill(running[victim], accepted, cut_off)
            running[victim] = start()
        for application in running:
            application.wait_for_accepted(1)
            _kill(application, accepted, cut_off)
        deliver_rest(sys.executable, plan)
        state = server.state()
    return judge_intercom(state, accepted, cut_off, contacts=_CONTACTS), started


def _plan(address, folder):
    return {
        "client": "metarouter",
        "address": address,
        "settings": {"spool": str(folder / "spool.db")},
        "first": 0,
        "count": _PER_PROCESS,
        "pause": _PAUSE,
        "contacts": _CONTACTS,
        "forks": 0,
        "end": "wait",
    }


def _kill(application, accepted, cut_off):
    application.signal(signal.SIGKILL)
    output = application.end()
    accepted.update(output.accepted)
    cut_off.update(output.cut_off)
