"""Decides which numbers are instants by the names that they have (rules A4, E7); knows no text and no trait."""

from __future__ import annotations

# A number under a name that ends so is an instant.
DATE_ENDINGS = ("_at", "At", "_date")
# Numbers from here on count milliseconds, microseconds or nanoseconds: as seconds they would be after the year 5138 (rule R4).
FINE_FROM = 10**11
# Down to here a number may be the zero time of Go or .NET, or count milliseconds; the numbers between are plain ones.
OLDEST = -62_135_424_000
# From where on a number counts parts of a second, and how many of them a second has.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (FINE_FROM, 10**3))
# The range of datetime, in Unix seconds; a number outside is no time.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


def seconds_of_number(number: int | float) -> int | float:
    """Return *number*, under the name of a date, as whole Unix seconds, rounded down; as it is if it is no time, such as NaN."""
    size = abs(number)
    parts = next((parts for start, parts in _UNITS if size >= start), 1)
    seconds = number // parts
    return int(seconds) if _EARLIEST <= seconds <= _LATEST else number
