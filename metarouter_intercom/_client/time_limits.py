"""Reads the time limit that a caller gives to ``flush`` or ``close`` (rule W2); knows no clock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..errors import ConfigurationError


def seconds_of(timeout: object, default: float | None = None) -> float | None:
    """
    Return the time limit in seconds, 0.0 for a negative one; None if there is no limit.

    Args:
        timeout: As the caller gave it. None means *default*.
        default: In seconds; None or infinity means no limit.

    Raises:
        ConfigurationError: It is no number of seconds.
    """
    if timeout is None:
        timeout = default
        if timeout is None:
            return None
    # Anything that converts itself to a float is a number, such as a Decimal or a NumPy number; a text does not.
    if isinstance(timeout, bool) or not hasattr(timeout, "__float__"):
        raise _no_number(timeout)
    try:
        seconds = float(timeout)
    except (TypeError, ValueError, OverflowError):
        raise _no_number(timeout) from None
    if math.isnan(seconds):
        raise _no_number(timeout)
    return None if seconds == math.inf else max(0.0, seconds)


def _no_number(timeout: object) -> ConfigurationError:
    from ..errors import ConfigurationError

    return ConfigurationError(
        f"timeout: {timeout!r} is not a number of seconds; use one such as 2.5, None for the default, or math.inf for no limit"
    )
