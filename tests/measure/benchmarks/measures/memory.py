"""How much memory ten thousand buffered messages need."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from ..figures import Figure
from ..interleaving import ROOT, runner_command
from .setup import Setup

_MESSAGES = 10_000
_MAX_MB = 12.0
_PEERS = {"segment": "segment-analytics-python", "rudder": "rudder-sdk-python", "posthog": "posthog"}
_KINDS = {"heap": "Python's own count", "resident": "resident memory"}


def measure(setup: Setup) -> list[Figure]:
    """Compare the memory of new processes, as Python counts it and as the system counts it."""
    figures = []
    for kind, description in _KINDS.items():
        megabytes = {
            name: [_megabytes(runner_command(python, "memory", name, kind, str(_MESSAGES))) for _ in range(3)]
            for name, python in {"ours": setup.python, **dict.fromkeys(_PEERS, setup.peers)}.items()
        }
        ours = median(megabytes["ours"])
        for name, peer in _PEERS.items():
            theirs = median(megabytes[name])
            figures.append(
                Figure(
                    "memory",
                    f"10,000 buffered messages, {description}",
                    ours,
                    peer,
                    theirs,
                    "MB",
                    ours / theirs,
                    "at most 12 MB",
                    ours <= _MAX_MB,
                )
            )
    return figures


def _megabytes(command: list[str]) -> float:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    megabytes: float = json.loads(done.stdout.splitlines()[-1]) / 1e6
    return megabytes
