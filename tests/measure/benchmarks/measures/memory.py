"""What ten thousand buffered messages take."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from ..contest import ROOT, module
from ..figures import Figure
from .setup import Setup

_MESSAGES = 10_000
_MOST = 12.0
_NAMES = {"segment": "segment-analytics-python", "rudder": "rudder-sdk-python", "posthog": "posthog"}
_WAYS = {"heap": "Python's own count", "resident": "resident memory"}


def measure(setup: Setup) -> list[Figure]:
    """Compare the memory of fresh processes, by Python's own count and by the system's."""
    figures = []
    for way, told in _WAYS.items():
        taken = {
            who: [_taken(module(python, "memory", who, way, str(_MESSAGES))) for _ in range(3)]
            for who, python in {"ours": setup.python, **dict.fromkeys(_NAMES, setup.peers)}.items()
        }
        ours = median(taken["ours"])
        for who, name in _NAMES.items():
            theirs = median(taken[who])
            figures.append(
                Figure(
                    "memory",
                    f"10,000 buffered messages, {told}",
                    ours,
                    name,
                    theirs,
                    "MB",
                    ours / theirs,
                    "at most 12 MB",
                    ours <= _MOST,
                )
            )
    return figures


def _taken(command: list[str]) -> float:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    megabytes: float = json.loads(done.stdout.splitlines()[-1]) / 1e6
    return megabytes
