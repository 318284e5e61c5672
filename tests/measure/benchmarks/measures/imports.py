"""What importing the package and making a client cost, in new interpreters."""

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
_MAX_OF_SEGMENT = 0.5


def measure(setup: Setup) -> list[Figure]:
    """Compare the processor time of imports, each in a new interpreter, in alternating rounds."""
    commands = {
        "base": (setup.python, _BASE),
        "package": (setup.python, f"{_BASE}; import metarouter_intercom"),
        "client": (setup.python, "from metarouter_intercom import Client"),
        "made": (
            setup.python,
            "from metarouter_intercom import Client; Client(api_key='key', delivery='manual')",
        ),
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
        *(_beside("importing Client", spent["client"], name, spent[name]) for name in _PEERS),
        *(_beside("importing and making a client", spent["made"], name, spent[name]) for name in _PEERS),
    ]


def _beside(what: str, ours: list[float], peer: str, theirs: list[float]) -> Figure:
    figure = Figure(
        "import",
        what,
        median(ours),
        peer,
        median(theirs),
        "ms",
        ratio(ours, theirs),
        best=min(ours) / min(theirs),
    )
    if what == "importing Client" and peer == "segment-analytics-python":
        return figure._replace(bound="at most 0.5", holds=figure.ratio <= _MAX_OF_SEGMENT)
    return figure


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
