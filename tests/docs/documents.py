"""Reads the documents: their fenced blocks and the HTML comments above them; runs nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"

_FENCE = re.compile(r"^(?P<marks>`{3,})(?P<language>[^\s`]*)")
_COMMENT = re.compile(r"^<!-- (?P<word>[a-z ]+?)(?:: (?P<detail>.+))? -->$")
_TABLE_CELL = re.compile(r"(?<!\\)\|")


class Block(NamedTuple):
    """
    One fenced block.

    Attributes:
        language: As the fence names it: ``python``, ``sh``, ``text``...
        text: What stands between the fences.
        line: Of its first line in the document, from 1.
        word: Of the HTML comment right above it: ``not run``, ``run``, ``needs``, ``output``, ``command``; empty without one.
        detail: What follows that word.
    """

    language: str
    text: str
    line: int
    word: str = ""
    detail: str = ""


def documents() -> list[Path]:
    """Return the README and every page of the site, as the repository has them."""
    pages = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
    return [TOP / "README.md", *pages]


def name_of(document: Path) -> str:
    """Return the document's path in the repository."""
    return document.relative_to(TOP).as_posix()


def blocks_of(document: Path) -> list[Block]:
    """Return the fenced blocks of *document*, in order."""
    blocks: list[Block] = []
    lines = document.read_text(encoding="utf-8").splitlines()
    comment: tuple[str, str] = ("", "")
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            found = _COMMENT.match(lines[at])
            if found is not None:
                comment = (found["word"], found["detail"] or "")
            elif lines[at].strip():
                comment = ("", "")
            at += 1
            continue
        start = at + 1
        end = lines.index(fence["marks"], start)
        text = "\n".join(lines[start:end]) + "\n"
        blocks.append(Block(fence["language"], text, start + 1, *comment))
        comment = ("", "")
        at = end + 1
    return blocks


def first_cells(document: Path, heading: str) -> list[str]:
    """Return the first column of every table below *heading*, up to the next heading, without backticks; several names in one cell apart."""
    rows: list[str] = []
    is_below = False
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            is_below = line.lstrip("# ") == heading
        elif is_below and line.startswith("|") and not line.startswith("| ---"):
            rows.append(_TABLE_CELL.split(line)[1])
    return [name for cell in rows[1:] for name in re.findall(r"`([^`]+)`", cell)]
