"""The page of the documentation, written from the figures of a real run."""

from __future__ import annotations

from pathlib import Path

from .figures import Figure, table

_HEAD = """\
# Benchmarks

What a call costs its caller, what delivery costs Intercom's rate limit, and what the package costs a process, each beside what is used
today. This page is written by the benchmarks themselves:

```console
$ python -m tests.benchmarks --page docs/explanation/benchmarks.md
```

`python -m tests.benchmarks --help` shows the choices: single benchmarks by name, the number of rounds, the figures as JSON. The first
run installs the peers with pip into an environment of their own, outside the project. The exit code is 0 when every bound holds.

Read the ratios, not the figures: a figure is as good as the machine it comes from. In each round every contestant has its turn, in a
process of its own, so that what else the machine does meets all of them alike. *Ratio* is the median of the rounds' own ratios, *of the
best* compares the best round of each, which a busy machine disturbs least. The figures below are medians.
"""

_ABOUT = {
    "accept": """\
## What a call costs its caller

`track()` with six properties and a context of three keys, while everything accepted is really sent in the background to a server on
the same machine. Ours checks, copies and packs the message; the copy is part of the figure. posthog and sentry-sdk get the same facts by
the calls that they have for that.
""",
    "durable": """\
## What durability costs the caller

The same call with `spool=...`: when it returns, the message is in the file.
""",
    "translate": """\
## What translating costs

A dictionary in, the bodies of its requests out: half of the messages track, a third identify with a nested address and a company, the rest
group, each with what an SDK puts around it. Beside it, one round trip of the same messages through Python's own JSON. Processor time. The
second row writes the bodies as JSON too.
""",
    "transport": """\
## What sending costs

Requests one after the other on one connection to a server that answers at once. The bare pool sends the same bytes with the same headers
and does not look at the answer; ours also writes the JSON, reads the answer, and maps its errors.
""",
    "import": """\
## What importing costs

Processor time in fresh interpreters. `import metarouter_intercom` alone imports next to nothing: its parts come with their first use, requests
with the first request. What a first call needs is shown too, and compared with what a first call of the peers needs.
""",
    "memory": """\
## What waiting messages take

Ten thousand `track()` calls that nobody delivers, in fresh processes. sentry-sdk is not among the peers: it drops what is more than a
thousand.
""",
    "requests": """\
## How many requests a day takes

A day's messages, drawn from a seed and replayed on a clock of its own into two sandbox workspaces: by a client that delivers once a
second, as the default `flush_interval` has it, and as destinations usually do it, with a search and a write for each message (two requests
for an identify, three for a group, one for a track). Both leave the same contacts, companies and events, or the benchmark fails;
`last_seen_at` may lie up to `last_seen_resolution` apart, as the setting says.

The day: 2,000 people of 200 companies come on one to three visits. A visit is a row of pages, fifteen on average, some twenty seconds
apart. Each page identifies the person, three in eight name the company, and something is tracked once or twice: 40, 15 and 45 of a hundred
messages. Most identifies repeat all traits, three in ten send a few of them, one in thirty brings a change; so does one group in fifty.
The sparse day has visits of five pages: each visit still needs its own first write, so that less can be saved.

Events cannot be merged, so they are most of what is left. The fewest possible are one request for each event, contact, company and
contact's belonging to a company; that would take knowing in the morning what the evening brings.
""",
}


def write_page(file: Path, figures: list[Figure], versions: dict[str, str]) -> None:
    """
    Write the page.

    Args:
        file: Where.
        figures: Of a run; those of one name stand under one heading.
        versions: Peer -> version.
    """
    parts = [_HEAD]
    for name, about in _ABOUT.items():
        shown = [figure for figure in figures if figure.name == name]
        if shown:
            parts += [about, f"{table(shown)}\n"]
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    parts.append(f"The peers' versions: {listed}.\n")
    file.write_text("\n".join(parts))
