"""Markdown for the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a line break in a cell becomes a blank, and a bar is escaped."""
    lines = [_row(headings), _row(["---"] * len(headings))]
    return "\n".join([*lines, *map(_row, rows)]) + "\n"


def code(text: str) -> str:
    """Return *text* as code."""
    marks = "``" if "`" in text else "`"
    return f"{marks}{text}{marks}"


def as_json(value: object) -> str:
    """Return *value* as JSON in code; a long text is shortened in the middle."""
    text = json.dumps(value, ensure_ascii=False)
    return code(re.sub(r"(\w)\1{40,}", lambda run: f"{run[1] * 3}…{run[1] * 3}", text))


def from_rst(text: str) -> str:
    """Return a docstring's text as Markdown."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in cells) + " |"
