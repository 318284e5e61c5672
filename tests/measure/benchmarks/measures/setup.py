"""The settings of a run, the same for every benchmark."""

from __future__ import annotations

from typing import NamedTuple


class Setup(NamedTuple):
    """
    How to measure.

    Attributes:
        python: Interpreter of this environment.
        peers: Interpreter of the peers' environment.
        rounds: Rounds of each library.
    """

    python: str
    peers: str
    rounds: int
