"""
Run the faults and tell what was lost: ``python -m tests.measure.faults --help``.

Without options: every scenario at its full size, our client with both buffers beside the others. ``--only`` names scenarios,
``--clients`` clients; ``--write`` puts the results into the documentation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import killing, ordering, rating, table
from .rivals import names, rival
from .scenarios import OURS, SCENARIOS, run

_LONG = ("kill_points", "shared_spool", "order", "rate")


def main(arguments=None) -> int:
    """Run; the exit code is 1 when our client lost, doubled or disordered anything that its rules promise to keep."""
    chosen = _parser().parse_args(arguments)
    if chosen.page_of:
        table.write_page(*table.read_json(chosen.page_of))
        return 0
    wanted = chosen.only or [*SCENARIOS, *_LONG]
    rows, facts, faults = [], [], []
    contenders = [one for one in OURS if _key(one) in chosen.clients]
    if SCENARIOS.keys() & set(wanted):
        contenders += [rival(name) for name in names() if name in chosen.clients]
    for name in wanted:
        if name in SCENARIOS:
            for contender in contenders:
                row = _scenario(name, contender, chosen.messages)
                faults += _broken(row, SCENARIOS[name].lives or contender.spooled, contender)
                rows.append(row)
                _tell(row)
    for name, run_long in (
        ("kill_points", _kill_points),
        ("shared_spool", _shared_spool),
        ("order", _order),
        ("rate", _rate),
    ):
        if name in wanted:
            run_long(chosen, rows, facts, faults)
    if chosen.json:
        table.write_json(rows, facts, chosen.json)
    if chosen.write:
        table.write_page(rows, facts)
    for fault in faults:
        print(f"BROKEN: {fault}")
    return 1 if faults else 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tests.measure.faults", description=__doc__)
    everything = [*SCENARIOS, *_LONG]
    parser.add_argument("--only", nargs="+", choices=everything, metavar="NAME", help=", ".join(everything))
    clients = ["spool", "memory", *names()]
    parser.add_argument("--clients", nargs="+", choices=clients, default=clients, help="all by default")
    parser.add_argument("--messages", type=int, default=1000, help="in each of the scenarios")
    parser.add_argument("--kills", type=int, default=200, help="kill points")
    parser.add_argument("--seconds", type=float, default=60.0, help="of killing with a shared spool")
    parser.add_argument("--contacts", type=int, default=1000, help="of the order scenario, 60 messages each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument(
        "--page-of", type=Path, nargs="+", help="only write the page, of the JSON of earlier runs"
    )
    parser.add_argument("--write", action="store_true", help="write the results into the documentation")
    return parser


def _key(contender):
    return "spool" if contender.spooled else "memory"


def _scenario(name, contender, messages):
    outcome = run(SCENARIOS[name], contender, messages=messages)
    return {
        "scenario": SCENARIOS[name].title,
        "client": contender.title,
        **outcome.findings._asdict(),
        "hung": outcome.hung,
        "counted": outcome.counted,
        "logs": sorted(set(outcome.logs))[:5],
    }


def _row(scenario, client, findings):
    return {
        "scenario": scenario,
        "client": client,
        **findings._asdict(),
        "hung": False,
        "counted": 0,
        "logs": [],
    }


def _broken(row, must_keep, contender):
    if contender not in OURS or not must_keep:
        return []
    wrong = {name: row[name] for name in ("lost", "doubled", "disordered") if row[name]}
    if not contender.spooled and row["counted"] >= row["lost"]:
        wrong.pop("lost", None)
    if row["hung"]:
        wrong["hung"] = 1
    return [f"{row['scenario']}, {row['client']}: {wrong}"] if wrong else []


def _kill_points(chosen, rows, facts, faults):
    title = f"kill -9 at {chosen.kills} random moments, accepting and delivering"
    row = _row(title, OURS[0].title, killing.run_kill_points(chosen.kills, seed=chosen.seed))
    rows.append(row)
    _tell(row)
    faults += _broken(row, True, OURS[0])
    facts.append(f"Killed {chosen.kills} times: {row['disordered']} messages out of their contact's order.")


def _shared_spool(chosen, rows, facts, faults):
    for processes in (2, 3, 4):
        seconds = chosen.seconds
        findings, lives = killing.run_shared_spool(seconds, processes=processes, seed=chosen.seed + processes)
        title = f"{processes} processes on one spool, {lives} of them killed in {seconds:.0f} s"
        row = _row(title, OURS[0].title, findings)
        rows.append(row)
        _tell(row)
        faults += _broken(row, True, OURS[0])
        facts.append(
            f"{processes} processes on one spool: {row['disordered']} messages out of their contact's order."
        )


def _order(chosen, rows, facts, faults):
    messages = list(ordering.messages_of(chosen.contacts, 20, seed=chosen.seed))
    wanted = ordering.deliver_one_by_one(messages)
    for is_spooled in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            spool = Path(folder) / "spool.db" if is_spooled else None
            got, report = ordering.deliver_under_faults(messages, spool=spool, seed=chosen.seed)
        found = ordering.differences(wanted, got)
        fact = (
            f"Order, {'spool' if is_spooled else 'memory'}: {len(messages):,} messages of {chosen.contacts:,} contacts under"
            f" random faults ({report.retried:,} attempts put off): {len(found)} differences from delivery one by one."
        )
        facts.append(fact)
        print(fact, flush=True)
        if found or report.dead:
            faults.append(f"{fact} {found[:5]} {report.dead}")


def _rate(chosen, rows, facts, faults):
    used = rating.run_rate(30.0)
    fact = (
        f"Rate: four processes on a limit of 200 requests in 2 s used {used.share:.1%} of {used.windows} windows;"
        f" {used.refused} answers were 429."
    )
    facts.append(fact)
    print(fact, flush=True)
    if used.share < 0.97 or used.refused > 2:
        faults.append(fact)


def _tell(row):
    print(", ".join(f"{name}: {value}" for name, value in row.items() if name != "logs"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
