"""The command line: ``python -m tests.measure.benchmarks [NAMES] [--json FILE] [--rounds N] [--page FILE] [--show FILE ...]``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from . import peers
from .figures import Figure, table
from .measures import accept, imports, memory, requests, translate, transport
from .measures.setup import Setup
from .page import write_page

_MEASURES = {
    "accept": accept.measure,
    "translate": translate.measure,
    "transport": transport.measure,
    "import": imports.measure,
    "memory": memory.measure,
    "requests": requests.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and tell by the exit code whether every bound held."""
    options = _options(arguments)
    figures: list[Figure] = []
    if options.show:
        for file in options.show:
            found = json.loads(file.read_text())
            figures += (Figure(**figure) for figure in found["figures"])
            versions = found["peers"]
    else:
        python = peers.interpreter(options.peers)
        setup = Setup(sys.executable, python, options.rounds)
        for name in options.names or _MEASURES:
            print(f"measuring {name} ...", file=sys.stderr)
            figures += _MEASURES[name](setup)
        versions = peers.versions(python)
    print(table(figures))
    if options.json is not None:
        found = {
            "python": platform.python_version(),
            "rounds": options.rounds,
            "peers": versions,
            "figures": [figure._asdict() for figure in figures],
        }
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if options.page is not None:
        write_page(options.page, figures, versions)
    return 1 if any(figure.holds is False for figure in figures) else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.measure.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(_MEASURES)}; all of them"
    )
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--page", type=Path, help="write the page of the documentation there")
    parser.add_argument(
        "--show", type=Path, nargs="+", help="measure nothing; take figures from these JSON files"
    )
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contestant (9)")
    parser.add_argument("--peers", type=Path, default=peers.folder(), help="the peers' environment")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in _MEASURES]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(_MEASURES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
