"""The other libraries, each in a virtual environment of its own in the user's cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .scenarios import Contender

_PACKAGES = {"segment": "segment-analytics-python", "rudder": "rudder-sdk-python", "posthog": "posthog"}


def rival(name):
    """Return the contender *name*, installed from the package index when it is not there yet."""
    package = _PACKAGES[name]
    folder = _cache() / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    interpreter = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(interpreter), "-m", "pip", "install", "--quiet", package]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
        (folder / "installed").touch()
    return Contender(name, f"{package} {_version(interpreter, package)}", interpreter=str(interpreter))


def names():
    """Return the rivals by the names that ``host.py`` knows."""
    return tuple(_PACKAGES)


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "metarouter-intercom-faults"


def _version(interpreter, package):
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [str(interpreter), "-c", asked], check=True, capture_output=True, text=True
    ).stdout.strip()
