"""
Writes the tables of the reference that are made from the code, between their markers.

    python docs/generate.py            write them
    python docs/generate.py --check    write nothing; exit code 1 if a table is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from generating import commands, mapping, settings

_REFERENCE = Path(__file__).parent / "reference"
_MARKED = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w -]+) -->\n).*?(?P<end><!-- end of generated -->)", re.DOTALL
)
_TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "mapping.md": {
        "messages": mapping.messages,
        "options": mapping.options,
        "contact": mapping.contact_traits,
        "company": mapping.company_traits,
        "event": mapping.event_properties,
        "context": mapping.context_facts,
        "dates": mapping.dates,
        "values": mapping.other_values,
    },
    "settings.md": {"settings": settings.tables},
    "command-line.md": {
        "commands": commands.sections,
        "environment": commands.environment,
        "exit codes": commands.exit_codes,
    },
}


def generated(text: str, tables: dict[str, Callable[[], str]]) -> str:
    """
    Return *text* with every table between its markers made anew.

    Raises:
        SystemExit: The markers in the text are not those of the tables.
    """
    places = [found["name"] for found in _MARKED.finditer(text)]
    if sorted(places) != sorted(tables):
        raise SystemExit(f"the markers {sorted(places)} are not those of the tables {sorted(tables)}")
    return _MARKED.sub(lambda found: f"{found['begin']}\n{tables[found['name']]()}\n{found['end']}", text)


def main(arguments: list[str]) -> int:
    """Write or check every page; returns the exit code."""
    stale = []
    for page, tables in _TABLES.items():
        path = _REFERENCE / page
        before = path.read_text(encoding="utf-8")
        after = generated(before, tables)
        if after == before:
            continue
        stale.append(page)
        if "--check" not in arguments:
            path.write_text(after, encoding="utf-8")
    verb = "out of date; run python docs/generate.py" if "--check" in arguments else "written"
    print(f"{', '.join(stale)}: {verb}" if stale else "every page is up to date")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
