"""The command line of the benchmarks: ``python -m tests.measure.benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from . import peers
from .figures import Figure, table
from .measures import accept, imports, memory, requests, spreading, translate, transport
from .measures.setup import Setup
from .page import write_page

_MEASURES = {
    "accept": accept.measure,
    "translate": translate.measure,
    "transport": transport.measure,
    "spreading": spreading.measure,
    "import": imports.measure,
    "memory": memory.measure,
    "requests": requests.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; the exit code is 0 if every bound holds, else 1."""
    options = _options(arguments)
    figures: list[Figure] = []
    if options.show:
        for file in options.show:
            run = json.loads(file.read_text())
            figures += (Figure(**figure) for figure in run["figures"])
            versions = run["peers"]
    else:
        python = peers.interpreter(options.peers)
        setup = Setup(sys.executable, python, options.rounds)
        for name in options.names or _MEASURES:
            print(f"measuring {name} ...", file=sys.stderr)
            figures += _MEASURES[name](setup)
        versions = peers.versions(python)
    print(table(figures))
    if options.json is not None:
        run = {
            "python": platform.python_version(),
            "rounds": options.rounds,
            "peers": versions,
            "figures": [figure._asdict() for figure in figures],
        }
        options.json.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    if options.page is not None:
        write_page(options.page, figures, versions)
    return 1 if any(figure.holds is False for figure in figures) else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.benchmarks",
        description="Measure what the library costs, next to its peers, and print a table.",
        epilog="The exit code is 0 if every bound holds, else 1.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"benchmarks to run: {', '.join(_MEASURES)}; by default all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the page of the documentation to this file"
    )
    parser.add_argument(
        "--show",
        type=Path,
        metavar="FILE",
        nargs="+",
        help="measure nothing; read the figures from these JSON files",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="NUMBER", default=9, help="rounds of each library (default 9)"
    )
    parser.add_argument(
        "--peers",
        type=Path,
        default=peers.folder(),
        help="folder of the environment in which the peers are installed",
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in _MEASURES]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(_MEASURES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
