"""The results of a benchmark: our figure next to the figure of a peer, with the bound that it must keep."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """
    One row of the table.

    Attributes:
        name: Name of the benchmark, such as ``accept``.
        what: What is measured.
        ours: Our median over all rounds.
        peer: Name of the peer.
        theirs: The median of the peer.
        unit: Unit of both medians.
        ratio: Median over all rounds of our figure divided by the peer's.
        bound: The bound in words; empty without a bound.
        holds: Whether the bound holds; None without a bound.
        best: Ratio of the best rounds of both, which other work on the machine affects least.
    """

    name: str
    what: str
    ours: float
    peer: str
    theirs: float
    unit: str
    ratio: float
    bound: str = ""
    holds: bool | None = None
    best: float | None = None


HEADERS = ("what", "ours", "peer", "peer's", "ratio", "of the best", "bound", "holds")


def row(figure: Figure) -> tuple[str, ...]:
    """Return the cells of one row of the table."""
    holds = {True: "yes", False: "NO", None: ""}[figure.holds]
    return (
        figure.what,
        f"{_short(figure.ours)} {figure.unit}",
        figure.peer,
        f"{_short(figure.theirs)} {figure.unit}",
        _times(figure.ratio),
        "" if figure.best is None else _times(figure.best),
        figure.bound,
        holds,
    )


def table(figures: list[Figure]) -> str:
    """Return the figures as a table for a terminal and for Markdown alike."""
    cells = [HEADERS, *(row(figure) for figure in figures)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADERS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _times(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 1 else f"{ratio:.2f}"


def _short(number: float) -> str:
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
