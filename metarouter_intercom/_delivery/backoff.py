"""How long to wait before the next attempt (rule T2); pure, and draws no random number itself."""

from __future__ import annotations


def backoff(failures: int, jitter: float, *, base: float, longest: float) -> float:
    """
    Return the seconds before the next attempt: exponential with full jitter (rule T2).

    Args:
        failures: Attempts that failed so far, at least 1.
        jitter: A random number in [0, 1).
        base: Seconds after the first failure, before jitter.
        longest: The upper bound in seconds, before jitter.
    """
    return jitter * min(longest, base * 2.0 ** min(failures - 1, 60))
