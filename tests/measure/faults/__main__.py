"""The command line of the faults: ``python -m tests.measure.faults --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ..drain import runs as drain
from . import killing, ordering, rate_limit, soak, table
from .peers import names, peer
from .scenarios import OURS, SCENARIOS, run
from .troubles import Unavailable

_SPOOL, _MEMORY = OURS


class Results(NamedTuple):
    """
    The results so far.

    Attributes:
        rows: Rows of the table; see ``table.write_page``.
        facts: Sentences for the list below the table.
        broken: What our client lost, doubled or disordered against its promises.
    """

    rows: list
    facts: list
    broken: list

    def add_row(self, scenario, library, findings, *, hung=False, counted=0, logs=(), must_keep=True):
        """Add and print a row; note whether our client broke a promise, if it *must_keep* every message."""
        row = {
            "scenario": scenario,
            "client": library.title,
            **findings._asdict(),
            "hung": hung,
            "counted": counted,
            "logs": sorted(set(logs))[:5],
        }
        self.rows.append(row)
        print(", ".join(f"{name}: {value}" for name, value in row.items() if name != "logs"), flush=True)
        if library in OURS and must_keep:
            self.broken.extend(_broken(row, library))
        return row

    def add_fact(self, fact):
        """Add and print a fact."""
        self.facts.append(fact)
        print(fact, flush=True)


def main(arguments=None) -> int:
    """Run; the exit code is 1 if our client lost, doubled or disordered anything against its promises."""
    options = _parser().parse_args(arguments)
    if options.page_of:
        table.write_page(*table.read_json(options.page_of))
        return 0
    chosen = options.only or [*SCENARIOS, *_LONG]
    results = Results([], [], [])
    _run_scenarios([name for name in chosen if name in SCENARIOS], options, results)
    for name, run_long in _LONG.items():
        if name in chosen:
            run_long(options, results)
    if options.json:
        table.write_json(results.rows, results.facts, options.json)
    if options.write:
        table.write_page(results.rows, results.facts)
    for broken in results.broken:
        print(f"BROKEN: {broken}")
    return 1 if results.broken else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.faults",
        description="Inject faults and show what each library loses. Without options: all scenarios at full size, all libraries.",
        epilog="The exit code is 1 if our client lost, doubled or disordered anything against its promises.",
    )
    scenarios = [*SCENARIOS, *_LONG]
    libraries = ["spool", "memory", *names()]
    add = parser.add_argument
    add(
        "--only",
        nargs="+",
        choices=scenarios,
        metavar="NAME",
        help=f"scenarios to run: {', '.join(scenarios)}",
    )
    add(
        "--clients",
        nargs="+",
        choices=libraries,
        default=libraries,
        metavar="NAME",
        help=f"libraries to run: {', '.join(libraries)} (spool and memory are ours)",
    )
    add("--messages", type=int, default=1000, help="messages per scenario")
    add("--kills", type=int, default=200, help="kills of the scenarios kill_points and shared_spool")
    add("--seconds", type=float, default=600.0, help="duration of the scenario soak")
    add("--contacts", type=int, default=1000, help="contacts of the scenario order, 60 messages each")
    add("--seed", type=int, default=1, help="seed of everything random")
    add("--json", type=Path, metavar="FILE", help="also write the results to this file")
    add(
        "--page-of",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="run nothing; write the page of the documentation from these JSON files",
    )
    add("--write", action="store_true", help="write the results to the page of the documentation")
    return parser


def _run_scenarios(chosen, options, results):
    if not chosen:
        return
    libraries = [
        library for name, library in (("spool", _SPOOL), ("memory", _MEMORY)) if name in options.clients
    ]
    libraries += [peer(name) for name in names() if name in options.clients]
    for name in chosen:
        scenario = SCENARIOS[name]
        for library in libraries:
            if not scenario.concerns(library):
                continue
            try:
                outcome = run(scenario, library, messages=options.messages)
            except Unavailable as why:
                results.add_fact(f"Not run: {scenario.title}, {library.title}: {why}.")
                continue
            results.add_row(
                scenario.title,
                library,
                outcome.findings,
                hung=outcome.hung,
                counted=outcome.counted,
                logs=outcome.logs,
                must_keep=scenario.lives or library.spooled,
            )


def _broken(row, library):
    wrong = {name: row[name] for name in ("lost", "doubled", "disordered") if row[name]}
    if not library.spooled and row["counted"] >= row["lost"]:
        wrong.pop("lost", None)
    if row["hung"]:
        wrong["hung"] = 1
    return [f"{row['scenario']}, {row['client']}: {wrong}"] if wrong else []


def _kill_points(options, results):
    findings = killing.run_kill_points(options.kills, seed=options.seed)
    title = f"kill -9 at {options.kills} random moments, accepting and delivering"
    row = results.add_row(title, _SPOOL, findings)
    results.facts.append(
        f"Killed {options.kills} times: {row['disordered']} messages out of their contact's order."
    )


def _shared_spool(options, results):
    for processes in (2, 4):
        findings, killed = killing.run_shared_spool(
            options.kills, processes=processes, seed=options.seed + processes
        )
        title = f"{processes} processes at a time on one spool, killed {killed} times"
        row = results.add_row(title, _SPOOL, findings)
        results.facts.append(
            f"{processes} processes on one spool: {row['disordered']} messages out of their contact's order."
        )


def _order(options, results):
    messages = list(ordering.messages_of(options.contacts, 20, seed=options.seed))
    expected = ordering.deliver_one_by_one(messages)
    for is_spooled in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            spool = Path(folder) / "spool.db" if is_spooled else None
            actual, report = ordering.deliver_under_faults(messages, spool=spool, seed=options.seed)
        differences = ordering.differences(expected, actual)
        fact = (
            f"Order, {'spool' if is_spooled else 'memory'}: {len(messages):,} messages of {options.contacts:,} contacts under"
            f" random faults ({report.retried:,} retries): {len(differences)} differences from delivery one by one."
        )
        results.add_fact(fact)
        if differences or report.dead:
            results.broken.append(f"{fact} {differences[:5]} {report.dead}")


def _rate(_options, results):
    used = rate_limit.run_rate(30.0)
    fact = (
        f"Rate: four processes on a limit of 200 requests in 2 s used {used.share:.1%} of {used.windows} windows;"
        f" {used.refused} answers were 429."
    )
    results.add_fact(fact)
    if used.share < 0.97 or used.refused > 2:
        results.broken.append(fact)


def _soak(options, results):
    for library in OURS:
        ended = soak.run_soak(options.seconds, spooled=library.spooled, seed=options.seed)
        title = f"an hour's traffic in {options.seconds:.0f} s while {ended.faults} faults come and go"
        results.add_row(title, library, ended.findings)
        fact = f"Soak, {library.title}: at the beginning {ended.first}, at the end {ended.last}."
        results.add_fact(fact)
        if ended.leaks():
            results.broken.append(f"{fact} {ended.leaks()}")


def _drain(_options, results):
    load = drain.Load()
    for is_spooled in (False, True):
        outcome = drain.run(load, is_spooled=is_spooled)
        fact = (
            f"Drain, {'spool' if is_spooled else 'memory'}: {load.messages:,} tracks of {load.contacts:,} contacts at"
            f" {load.limit:,} requests in {load.window} s and {load.delay * 1000:.0f} ms a request: {drain.describe(outcome)}."
        )
        results.add_fact(fact)
        if outcome.share < 0.9 or outcome.refused > 1:
            results.broken.append(fact)


_LONG = {
    "kill_points": _kill_points,
    "shared_spool": _shared_spool,
    "order": _order,
    "rate": _rate,
    "soak": _soak,
    "drain": _drain,
}


if __name__ == "__main__":
    sys.exit(main())
