"""The environment in which the peers are installed; pip creates it outside the project when it is first needed."""

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
    """Return the folder of the environment; each version of Python has its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "metarouter-intercom" / f"peers-{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter(place: Path) -> str:
    """Return the interpreter of the environment in *place*; create the environment if it does not exist."""
    path = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not path.exists():
        print(f"installing the peers into {place} ...", file=sys.stderr)
        venv.create(place, with_pip=True)
        subprocess.run([path, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return str(path)


def versions(python: str) -> dict[str, str]:
    """Return peer -> installed version."""
    listing = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    )
    installed = {package["name"].lower(): package["version"] for package in json.loads(listing.stdout)}
    return {name: installed[name] for name in PEERS}
