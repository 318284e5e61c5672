"""Measures how much of a workspace's rate limit several processes use together, and how often it refuses them."""

from __future__ import annotations

import math
import sys
import time
from typing import NamedTuple

from .application import BLOCK
from .processes import Application, ServerProcess, wait

_LIMIT, _WINDOW = 200, 2.0
_CONTACTS = 500


class Used(NamedTuple):
    """
    How much of the rate limit a run used.

    Attributes:
        share: Share of the limit of all complete windows, from 0 to 1.
        refused: Number of 429 answers.
        windows: Number of complete windows.
    """

    share: float
    refused: int
    windows: int


def run_rate(seconds, *, processes=4):
    """Let *processes* busy processes share a limit of 200 requests in 2 s for about *seconds*."""
    options = {"app_limit": _LIMIT, "workspace_limit": _LIMIT, "window": _WINDOW, "reset_slack": 0.0}
    with ServerProcess("intercom", **options, log_limit=1_000_000) as server:
        plan = {
            "client": "metarouter",
            "address": server.address,
            "settings": {"max_buffered": BLOCK},
            "count": int(seconds * _LIMIT / _WINDOW),
            "contacts": _CONTACTS,
            "forks": 0,
            "end": "wait",
        }
        applications = [
            Application(sys.executable, plan | {"first": number * BLOCK, "apart": True})
            for number in range(processes)
        ]
        for application in applications:
            application.wait_for("waiting")
        # Measure from the start of the next window.
        first = math.floor(time.time() / _WINDOW) + 1
        wait((first * _WINDOW - time.time()) + seconds + 0.1)
        last = math.floor(time.time() / _WINDOW)
        state = server.state()
        for application in applications:
            application.signal(9)
            application.end()
    used = [state["windows"].get(str(number), 0) for number in range(first, last)]
    refused = [at for at in state["refused"] if first <= at / _WINDOW < last]
    return Used(sum(used) / (len(used) * _LIMIT), len(refused), len(used))
