"""The peers' own environment: made with pip where it is not there yet, outside the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

PEERS = (
    "segment-analytics-python",
    "rudder-sdk-python",
    "posthog",
    "sentry-sdk",
    "python-intercom",
    "requests",
)


def folder() -> Path:
    """Return where the environment is kept: one for each version of Python."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "metarouter-intercom" / f"peers-{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter(place: Path) -> str:
    """Return the interpreter of the environment at *place*, which is made when it is not there."""
    found = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not found.exists():
        print(f"installing the peers into {place} ...", file=sys.stderr)
        venv.create(place, with_pip=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return str(found)


def versions(python: str) -> dict[str, str]:
    """Return peer -> version, as installed."""
    asked = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    )
    installed = {package["name"].lower(): package["version"] for package in json.loads(asked.stdout)}
    return {name: installed[name] for name in PEERS}
