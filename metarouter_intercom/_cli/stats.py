"""``stats``: how many messages and dead letters a spool file contains."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import click

from .._client.clock import SystemClock
from .._delivery.steady_clock import steady_clock
from .._types import JsonObject
from .dead_letters import open_spool
from .formatting import duration, echo, number_of
from .options import json_option


@click.command(short_help="Show how many messages and dead letters a spool file contains.")
@click.argument("spool", type=click.Path(dir_okay=False))
@json_option
def stats(spool: str, as_json: bool) -> None:
    """Show how many messages wait in the spool file SPOOL, and how many dead letters it contains. Changes nothing."""
    with closing(open_spool(spool)) as buffer:
        buffered, dead = buffer.pending(), buffer.count_dead()
        oldest, size = buffer.oldest_accepted_at(), _size(spool)
        now = steady_clock(SystemClock(), buffer).now()
    age = None if oldest is None else round(max(0.0, now - oldest), 3)
    waiting_since = "" if age is None else f", pending since {duration(age)}"
    if as_json:
        numbers: JsonObject = {
            "spool": spool,
            "pending": buffered,
            "buffered": buffered,
            "oldest_age": age,
            "dead": {**dead},
            "bytes": size,
        }
        click.echo(json.dumps(numbers))
        return
    waiting = number_of(buffered, "message waits", "messages wait")
    echo(f"{waiting}{waiting_since}; the file has {size:,} bytes")
    for reason, number in sorted(dead.items()):
        echo(f"  {number_of(number, 'dead letter')} x {reason}")


def _size(spool: str) -> int:
    return sum(os.path.getsize(name) for name in (spool, f"{spool}-wal") if Path(name).exists())
