"""The command ``metarouter-intercom``, and the only package that uses click; says what to install if the extra ``[cli]`` is missing."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with one of the documented exit codes."""
    try:
        import click  # noqa: F401  # imported only to report clearly that it is missing
        import platformdirs  # noqa: F401  # the same
        import tqdm  # noqa: F401  # the same
    except ImportError:
        sys.stderr.write(
            'metarouter-intercom: the command line needs click, platformdirs and tqdm; run pip install "metarouter-intercom[cli]"\n'
        )
        sys.exit(2)
    from .commands import run

    run()
