"""An hour's traffic in a few minutes while faults come and go: what the process holds at the end must be what it held at the beginning."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import NamedTuple

from .judging import judge_intercom
from .processes import Application, ServerProcess, now, wait
from .scenarios import NO_LIMITS, deliver_rest

# Messages of an hour of a busy backend; they are sent evenly over the soak.
MESSAGES = 36_000
_CONTACTS = 500
# What goes wrong, one after the other in random order, each for a few seconds and with pauses in between.
_FAULTS = (
    {"outage": 500, "outage_for": 600.0},
    {"outage": 503, "outage_for": 600.0},
    {"outage": 429, "outage_for": 600.0},
    {"outage": 401, "outage_for": 600.0},
    {"outage": "hang", "outage_for": 600.0, "hang_seconds": 3.0},
    {"outage": "reset", "outage_for": 600.0},
    {"outage": "stranger", "outage_for": 600.0},
    {"outage": {"kind": "html", "status": 407}, "outage_for": 600.0},
    {"lost": 0.2, "truncated": 0.1, "malformed": 0.1},
    {"html": 0.2, "server_error": 0.2, "latency": 0.05},
    {"latency": 0.25},
)
# Before the first and the last look: threads that have nothing to do end after 10 s.
_REST = 13.0
# Growth that is no leak: caches fill up to their bounds, and the allocator keeps free pages. In MiB.
_MEMORY_ALLOWED = 24.0


class Holdings(NamedTuple):
    """What a process holds: threads, open descriptors, MiB of memory, and files beside the spool."""

    threads: int
    descriptors: int
    memory: float
    files: int


class Soak(NamedTuple):
    """The findings of a soak, what the process held at the beginning and at the end, and how many faults it met."""

    findings: object
    first: Holdings
    last: Holdings
    faults: int

    def leaks(self):
        """Return what the process holds more of at the end."""
        first, last = self.first, self.last
        leaks = {
            name: (getattr(first, name), getattr(last, name)) for name in ("threads", "descriptors", "files")
        }
        leaks = {name: pair for name, pair in leaks.items() if pair[1] > pair[0]}
        if last.memory > first.memory + _MEMORY_ALLOWED:
            leaks["memory"] = (first.memory, last.memory)
        return leaks


def run_soak(seconds, *, spooled, seed, messages=MESSAGES):
    """Send *messages* messages over *seconds* with faults that come and go; return a ``Soak``."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder, ServerProcess("intercom", **NO_LIMITS) as server:
        spool = Path(folder) / "spool.db"
        plan = _plan(server.address, spool if spooled else None, messages=messages, seconds=seconds)
        application = Application(sys.executable, plan)
        application.wait_for("waiting")
        wait(_REST)
        first = _holdings(application.pid, Path(folder))
        application.tell("go")
        faults = 0
        end = now() + seconds
        while now() < end and not application.has_written("sent"):
            server.set_faults(**random.choice(_FAULTS))
            faults += 1
            wait(random.uniform(1.0, 6.0))
            server.set_faults()
            wait(random.uniform(1.0, 4.0))
        server.set_faults()
        application.wait_for("flushed", 900.0)
        wait(_REST)
        last = _holdings(application.pid, Path(folder))
        application.tell("end")
        output = application.end()
        if spooled:
            deliver_rest(sys.executable, plan | {"soak": False})
        state = server.state()
    findings = judge_intercom(state, output.accepted, output.cut_off, contacts=_CONTACTS)
    return Soak(findings, first, last, faults)


def _plan(address, spool, *, messages, seconds):
    settings = {"auth_probe": 1.0, "max_buffered": 200_000}
    return {
        "client": "metarouter",
        "address": address,
        "settings": settings if spool is None else settings | {"spool": str(spool)},
        "first": 0,
        "count": messages,
        # ``send_all`` pauses after ten messages.
        "pause": seconds / messages * 10,
        "contacts": _CONTACTS,
        "forks": 0,
        "end": "soak",
        "soak": True,
    }


def _holdings(pid, folder):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    values = dict(line.split(":", 1) for line in status.splitlines())
    return Holdings(
        threads=int(values["Threads"]),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        memory=int(values["VmRSS"].split()[0]) / 1024,
        files=sum(len(files) for _, _, files in os.walk(folder)),
    )
