"""How long to wait before the next attempt (rule T2); pure, draws nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def backoff(failures: int, jitter: float, *, base: float, longest: float) -> float:
    """
    Return the seconds before the next attempt: exponential with full jitter (rule T2).

    Args:
        failures: Attempts that failed so far, at least 1.
        draw: A random number in [0, 1).
        base: Seconds after the first failure, before jitter.
        longest: Bound in seconds.
    """
    return jitter * min(longest, base * 2.0 ** min(failures - 1, 60))
