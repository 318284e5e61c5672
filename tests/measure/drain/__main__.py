"""The command line of the drain: ``python -m tests.measure.drain --help``."""

from __future__ import annotations

import argparse
import sys

from .runs import Load, describe, run

_HELP = {
    "messages": "tracks in the buffer at the beginning",
    "contacts": "their contacts",
    "delay": "seconds before each answer",
    "limit": "requests a window",
    "window": "seconds of a window",
    "seconds": "how long to measure",
    "counted_from": "from this second on, the speed counts",
    "alone": "how long to measure the host without the client, in seconds",
    "workers": "a fixed number of threads; without it, the client's default",
}


def main(arguments=None) -> int:
    """Run in memory and with the spool; the exit code is 1 if less than 90 % of the limit was used."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.drain",
        description="Deliver a backlog with default settings to a server that answers late and has a rate limit.",
    )
    for name, default in Load()._asdict().items():
        kind = int if default is None else type(default)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=_HELP[name])
    parser.add_argument("--only", choices=("memory", "spool"))
    options = vars(parser.parse_args(arguments))
    only = options.pop("only")
    worst = 1.0
    for kind in ("memory", "spool"):
        if only in (None, kind):
            drain = run(Load(**options), is_spooled=kind == "spool")
            worst = min(worst, drain.share)
            print(f"{kind}: {describe(drain)}", flush=True)
    return 0 if worst >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
