"""Writes the page of the documentation from the figures of a run."""

from __future__ import annotations

from pathlib import Path

from .figures import Figure, table

_HEAD = """\
# Benchmarks

This page shows three costs, each next to what is used today: what a call costs your code, how many requests delivery needs, and what the
package costs a process. The benchmarks write this page themselves:

```console
$ python -m tests.measure.benchmarks --page docs/explanation/benchmarks.md
```

`python -m tests.measure.benchmarks --help` lists the options: single benchmarks by name, the number of rounds, the figures as JSON. The first run
installs the peers with pip into a separate environment, outside the project. The exit code is 0 if every bound holds.

Compare the ratios rather than the figures, because the figures depend on the machine. In each round every library runs once, in a process
of its own, so that other work on the machine affects all of them alike. *Ratio* is the median of the rounds' ratios. *Of the best* compares
the best round of each, which a busy machine disturbs least. The figures are medians.
"""

_ABOUT = {
    "accept": """\
## What a call costs your code

One `track()` with six properties and a context of three keys. Meanwhile, accepted messages are really sent in the background to a server on
the same machine. This library checks, copies and packs the message within the call; the figure includes the copy. posthog and sentry-sdk get
the same facts through their own calls.
""",
    "durable": """\
## What a durable call costs your code

The same call with `spool=...`: when it returns, the message is in the file.
""",
    "translate": """\
## What translating costs

A dictionary goes in, and the bodies of its requests come out. Half of the messages are tracks, a third are identifies with a nested address
and a company, the rest are groups; each has the extra fields that an SDK adds. The peer is one round trip of the same messages through
Python's own JSON. The figures are processor time. The second row also writes the bodies as JSON.
""",
    "transport": """\
## What sending costs

Requests one after the other, on one connection, to a server that answers at once. The bare pool sends the same bytes with the same headers and
does not read the answer. This library also writes the JSON, reads the answer and maps errors.
""",
    "spreading": """\
## What it costs that no two events share a second

Delivering the messages of the section on translating to a server that answers at once, with `spread_events` on and off. Nearly every message is
of another person, so each event needs a look-up of its own, and with the spool a transaction of its own. The figures are processor time of one
message.
""",
    "import": """\
## What importing costs

Processor time in new interpreters. `import metarouter_intercom` alone imports very little: each part is imported when it is first used, and
what a client is made of with the first client, requests with the first request. The table also shows what naming the client and making one cost,
next to what the import of a client costs with the peers.
""",
    "memory": """\
## What buffered messages cost in memory

Ten thousand `track()` calls that are not delivered, in new processes. sentry-sdk is not among the peers, because it drops everything beyond a
thousand.
""",
    "requests": """\
## How many requests a day needs

The messages of one day are made from a seed and replayed, on a simulated clock, into two sandbox workspaces. One is written by a client that
delivers once a second (the default `flush_interval`). The other is written as destinations usually do it, with a search and a write for each
message: two requests for an identify, three for a group, one for a track. Both must leave the same contacts, companies and events, or the
benchmark fails; `last_seen_at` may differ by up to `last_seen_resolution`. The client runs with `spread_events=False`, because one by one two
events of one second become one.

On that day 2,000 people of 200 companies make one to three visits. A visit has fifteen pages on average, about twenty seconds apart. Each page
identifies the person, three in eight pages name the company, and each page tracks one or two events. Of a hundred messages, 40 are
identifies, 15 groups and 45 tracks. Most identifies repeat all traits, three in ten send only some of them, and one in thirty contains a
change; so does one group in fifty. On the sparse day a visit has five pages. Each visit still needs its own first write, so less can be saved.

Events cannot be merged, so most of the remaining requests are events. The fewest possible requests are one for each event, each contact, each
company, and each link between a contact and a company. To reach that number, the client would have to know the whole day in advance.
""",
}


def write_page(file: Path, figures: list[Figure], versions: dict[str, str]) -> None:
    """
    Write the page.

    Args:
        file: Path of the page.
        figures: The figures of a run; those with one name are under one heading.
        versions: Peer -> version.
    """
    parts = [_HEAD]
    for name, about in _ABOUT.items():
        shown = [figure for figure in figures if figure.name == name]
        if shown:
            parts += [about, f"{table(shown)}\n"]
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    parts.append(f"Versions of the peers: {listed}.\n")
    file.write_text("\n".join(parts))
