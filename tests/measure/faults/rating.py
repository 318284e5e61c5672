"""Several processes on one workspace: how much of its rate limit they use, and how often it refuses them."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from .host import BLOCK
from .processes import Application, FarEnd, let_pass, now

_LIMIT, _WINDOW = 200, 2.0
_CONTACTS = 500


class Used(NamedTuple):
    """
    What a run used.

    Attributes:
        share: Of the budget of all whole windows, from 0 to 1.
        refused: Answers 429.
        windows: How many whole windows there were.
    """

    share: float
    refused: int
    windows: int


def run_rate(seconds, *, processes=4):
    """Let *processes* processes with plenty to do share a limit of 200 requests in 2 s for about *seconds*."""
    choices = {"app_limit": _LIMIT, "workspace_limit": _LIMIT, "window": _WINDOW, "reset_slack": 0.0}
    with FarEnd("intercom", **choices, log_limit=1_000_000) as far_end:
        plan = {
            "client": "metarouter",
            "address": far_end.address,
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
        # From the first whole window on.
        first = math.floor(now() / _WINDOW) + 1
        let_pass((first * _WINDOW - now()) + seconds + 0.1)
        last = math.floor(now() / _WINDOW)
        shown = far_end.show()
        for application in applications:
            application.signal(9)
            application.end()
    used = [shown["windows"].get(str(number), 0) for number in range(first, last)]
    refused = [at for at in shown["refused"] if first <= at / _WINDOW < last]
    return Used(sum(used) / (len(used) * _LIMIT), len(refused), len(used))
