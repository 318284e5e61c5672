"""The page of the documentation, written from the figures of a real run."""

from __future__ import annotations

from pathlib import Path

from .figures import Figure, table


def write_page(file: Path, figures: list[Figure], versions: dict[str, str]) -> None:
    """Write the page; placeholder until the figures hold."""
    file.write_text(table(figures) + repr(versions))
