"""What importing the package costs beyond attrs and cattrs, in fresh interpreters."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from ..contest import ROOT
from ..figures import Figure
from .setup import Setup

_BASE = "import attrs, cattrs"
_OURS = f"{_BASE}; from metarouter_intercom import Client"
# Each with what a first call needs: some packages import their client only when it is named.
_PEERS = {
    "segment-analytics-python": "import segment.analytics",
    "rudder-sdk-python": "import rudderstack.analytics",
    "posthog": "from posthog import Posthog",
    "sentry-sdk": "import sentry_sdk",
    "python-intercom": "from intercom import Intercom",
}
_MOST = 15.0


def measure(setup: Setup) -> list[Figure]:
    """Compare processor time of imports, each in a fresh interpreter, in turns."""
    rounds = max(setup.rounds, 7)
    base: list[float] = []
    whole: list[float] = []
    peers: dict[str, list[float]] = {name: [] for name in _PEERS}
    for at in range(rounds + 1):
        once = (
            _import(setup.python, _BASE),
            _import(setup.python, _OURS),
            {name: _import(setup.peers, package) for name, package in _PEERS.items()},
        )
        if at > 0:
            base.append(once[0])
            whole.append(once[1])
            for name, spent in once[2].items():
                peers[name].append(spent)
    beyond = median(one - other for one, other in zip(whole, base, strict=True))
    figures = [
        Figure(
            "import",
            "import, beyond attrs and cattrs",
            beyond,
            "attrs and cattrs",
            median(base),
            "ms",
            beyond / median(base),
            "at most 15 ms",
            beyond <= _MOST,
        )
    ]
    for name, spent in peers.items():
        theirs = median(spent)
        figures.append(
            Figure("import", "import, all of it", median(whole), name, theirs, "ms", median(whole) / theirs)
        )
    return figures


def _import(python: str, statement: str) -> float:
    code = f"import time; t = time.process_time(); {statement}; print((time.process_time() - t) * 1000)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    spent: float = json.loads(done.stdout.splitlines()[-1])
    return spent
