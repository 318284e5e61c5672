"""``stats``: what stands in a spool file."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path

import click

from .._types import JsonObject
from .dead_letters import open_spool
from .formatting import echo, number_of
from .options import json_option


@click.command(short_help="Show what waits in a spool file, and what was given up.")
@click.argument("spool", type=click.Path(dir_okay=False))
@json_option
def stats(spool: str, as_json: bool) -> None:
    """Show what waits in the spool file SPOOL and what was given up; changes nothing."""
    with closing(open_spool(spool)) as buffer:
        buffered, dead = buffer.pending(), buffer.count_dead()
        oldest = buffer.oldest_accepted_at()
        facts: JsonObject = {
            "spool": spool,
            "buffered": buffered,
            "oldest_age": None if oldest is None else round(max(0.0, time.time() - oldest), 3),
            "dead": {**dead},
            "bytes": _size(spool),
        }
    if as_json:
        click.echo(json.dumps(facts))
        return
    age = "" if oldest is None else f", the oldest since {facts['oldest_age']} s"
    waiting = number_of(buffered, "message waits", "messages wait")
    echo(f"{waiting}{age}; the file has {facts['bytes']:,} bytes")
    for reason, number in sorted(dead.items()):
        echo(f"  {number_of(number, 'dead letter')} x {reason}")


def _size(spool: str) -> int:
    return sum(os.path.getsize(name) for name in (spool, f"{spool}-wal") if Path(name).exists())
