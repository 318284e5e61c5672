"""What every measure is given."""

from __future__ import annotations

from typing import NamedTuple


class Setup(NamedTuple):
    """
    How to measure.

    Attributes:
        python: Our interpreter.
        peers: The interpreter of the peers' environment.
        rounds: How often each contestant has its turn.
    """

    python: str
    peers: str
    rounds: int
