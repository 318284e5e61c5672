"""Writes the results as JSON and as a table in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

from .scenarios import END_TIMEOUT

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "faults.md"
_BEGIN, _END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
_HEAD = (
    "| scenario | client | messages | lost | repeated on the wire | doubled in Intercom |\n"
    "| --- | --- | ---: | ---: | ---: | ---: |\n"
)


def write_page(rows, facts, page=PAGE):
    """
    Replace the results in *page*.

    Args:
        rows: Dictionaries with ``scenario``, ``client``, ``messages``, ``lost``, ``repeated``, ``doubled``, ``hung``, ``counted``.
        facts: Sentences for the list below the table.
        page: A Markdown file with the two markers.
    """
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    table = _HEAD + "".join(_row(row) for row in rows)
    listing = "".join(f"- {fact}\n" for fact in facts)
    page.write_text(f"{before}{_BEGIN}\n{table}\n{listing}\n{_END}{after}", encoding="utf-8")


def _row(row):
    lost = f"{row['lost']:,}" + (f" (no end within {END_TIMEOUT:.0f} s)" if row["hung"] else "")
    if row["lost"] and row["counted"] >= row["lost"]:
        lost += " (counted and logged)"
    doubled = "–" if row["doubled"] is None else f"{row['doubled']:,}"
    return (
        f"| {row['scenario']} | {row['client']} | {row['messages']:,} | {lost} |"
        f" {row['repeated']:,} | {doubled} |\n"
    )


def read_json(paths):
    """Return the rows and facts of several runs, in the order of *paths*."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [row for run in runs for row in run["rows"]], [fact for run in runs for fact in run["facts"]]


def write_json(rows, facts, path):
    """Write rows and facts as JSON."""
    path.write_text(json.dumps({"rows": rows, "facts": facts}, indent=1) + "\n", encoding="utf-8")
