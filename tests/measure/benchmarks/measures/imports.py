"""What importing the package costs beyond attrs and cattrs, in new interpreters."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from ..figures import Figure
from ..interleaving import ROOT, ratio
from .setup import Setup

_BASE = "import attrs, cattrs"
# What a first call of each peer needs; some packages import their client only when it is named.
_PEERS = {
    "segment-analytics-python": "import segment.analytics",
    "rudder-sdk-python": "import rudderstack.analytics",
    "posthog": "from posthog import Posthog",
    "sentry-sdk": "import sentry_sdk",
    "python-intercom": "from intercom import Intercom",
}
_MAX_MS = 15.0


def measure(setup: Setup) -> list[Figure]:
    """Compare the processor time of imports, each in a new interpreter, in alternating rounds."""
    commands = {
        "base": (setup.python, _BASE),
        "package": (setup.python, f"{_BASE}; import metarouter_intercom"),
        "client": (setup.python, f"{_BASE}; from metarouter_intercom import Client"),
        **{name: (setup.peers, statement) for name, statement in _PEERS.items()},
    }
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(max(setup.rounds, 7) + 1):
        for name, (python, statement) in commands.items():
            milliseconds = _import(python, statement)
            if number > 0:
                spent[name].append(milliseconds)
    package = _beyond("import metarouter_intercom", spent["package"], spent["base"])
    return [
        package._replace(bound="at most 15 ms", holds=package.ours <= _MAX_MS),
        _beyond("with Client, as a first call needs it", spent["client"], spent["base"]),
        *(
            Figure(
                "import",
                "all of it, with Client",
                median(spent["client"]),
                name,
                median(spent[name]),
                "ms",
                ratio(spent["client"], spent[name]),
                best=min(spent["client"]) / min(spent[name]),
            )
            for name in _PEERS
        ),
    ]


def _beyond(what: str, whole: list[float], base: list[float]) -> Figure:
    """Return the time beyond attrs and cattrs, next to the time of those two."""
    beyond = median(one - other for one, other in zip(whole, base, strict=True))
    return Figure(
        "import",
        f"{what}, beyond attrs and cattrs",
        beyond,
        "attrs and cattrs",
        median(base),
        "ms",
        beyond / median(base),
    )


def _import(python: str, statement: str) -> float:
    code = f"import time; t = time.process_time(); {statement}; print((time.process_time() - t) * 1000)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    spent: float = json.loads(done.stdout.splitlines()[-1])
    return spent
