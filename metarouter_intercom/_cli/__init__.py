"""The installed command ``metarouter-intercom``; says what to install when the extra ``[cli]`` is missing."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with one of its documented codes."""
    try:
        import click  # noqa: F401  # only to say clearly what is missing
        import tqdm  # noqa: F401  # as above
    except ImportError:
        sys.stderr.write(
            'metarouter-intercom: the command line needs click and tqdm; run pip install "metarouter-intercom[cli]"\n'
        )
        sys.exit(2)
    from .commands import run

    run()
