"""Runs the tests of the pure core and fails unless they cover every branch; tests/house/test_architecture.py says what is pure."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from tests.house import test_architecture as architecture  # noqa: E402  # found beside this folder

# They meet the package over a socket, in other processes or in a browser, or are about something else.
_APART = ("sandbox", "cli", "end_to_end", "docs", "measure", "delivery/buffers")


def pure_paths() -> list[Path]:
    """Return the files of the modules that decide and do not act."""
    return [path for module, path in architecture._paths().items() if architecture._is_pure(module)]


def main() -> int:
    """Run and report; returns the exit code."""
    ignored = [f"--ignore=tests/{name}" for name in _APART]
    tests = [
        sys.executable,
        "-m",
        "coverage",
        "run",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *ignored,
    ]
    ended = subprocess.run(tests, cwd=TOP).returncode
    included = ",".join(str(path.relative_to(TOP)) for path in pure_paths())
    report = [sys.executable, "-m", "coverage", "report", "--fail-under=100", f"--include={included}"]
    return subprocess.run(report, cwd=TOP).returncode or ended


if __name__ == "__main__":
    sys.exit(main())
