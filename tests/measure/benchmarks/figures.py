"""What a benchmark found: one figure beside its peer, with the bound it is held to."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """
    One measured thing.

    Attributes:
        name: Of the benchmark: ``accept``.
        what: Is measured.
        ours: The median of the rounds.
        peer: Who is measured beside it.
        theirs: The peer's median.
        unit: Of both.
        ratio: Ours to the peer's, the median of the rounds' ratios.
        bound: What is asked for, in words; empty where the peer is only shown.
        holds: Whether it is so; None without a bound.
        best: The ratio of the best rounds of both, which a busy machine disturbs least.
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
