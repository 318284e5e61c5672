"""The other libraries, each in its own virtual environment in the user's cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .scenarios import Library

_PACKAGES = {"segment": "segment-analytics-python", "rudder": "rudder-sdk-python", "posthog": "posthog"}


def peer(name):
    """Return the library *name*; install it with pip if it is not installed yet."""
    package = _PACKAGES[name]
    folder = _cache() / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    interpreter = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(interpreter), "-m", "pip", "install", "--quiet", package]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
        (folder / "installed").touch()
    return Library(name, f"{package} {_version(interpreter, package)}", interpreter=str(interpreter))


def names():
    """Return the names of the peers, as ``application.py`` knows them."""
    return tuple(_PACKAGES)


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "metarouter-intercom-faults"


def _version(interpreter, package):
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [str(interpreter), "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
