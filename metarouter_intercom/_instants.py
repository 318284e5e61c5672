"""Rule R4: what counts as an instant, and which Unix second it is; pure."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timezone

# At or above this a number counts milliseconds: as seconds it would lie beyond the year 5138.
_MILLISECONDS_FROM = 10**11
# datetime's own range, in Unix seconds; beyond it a number is no instant.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?)?"
    r"(?:[Tt ](?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DATE_START = re.compile(r"\d{4}-\d{2}-\d{2}(?![\d-])")
# JavaScript's Date.toString(): "Tue Nov 24 2026 10:39:41 GMT+0100 (Central European Standard Time)".
_JAVASCRIPT = re.compile(
    r"(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?P<year>\d{4})"
    r"(?: (?P<time>\d{2}:\d{2}:\d{2})(?: (?:GMT|UTC)(?P<zone>[+-]\d{4})?)?)?(?: \([^)]*\))?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def unix_time(value: object) -> float | None:
    """
    Return the Unix time of *value* in seconds, fractions kept; None when it is no instant.

    Args:
        value: A ``datetime`` (naive means UTC), a ``date``, a number of seconds or milliseconds, or text: ISO 8601 (a year alone, a
            month, a day, with or without time, fraction and offset), RFC 2822, JavaScript's ``Date.toString()``, or digits.
    """
    if isinstance(value, str):
        return _of_text(value.strip())
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _of_number(value)
    if isinstance(value, datetime):
        return _of_datetime(value)
    if isinstance(value, date):
        return _of_datetime(datetime(value.year, value.month, value.day))
    return None


def unix_seconds(value: object) -> int | None:
    """Return the whole Unix second of *value*, rounded down; None when it is no instant."""
    seconds = unix_time(value)
    return None if seconds is None else math.floor(seconds)


def seconds_of_date_text(text: str) -> int | None:
    """Return the Unix second of a text that starts ``YYYY-MM-DD`` and is an ISO instant as a whole (rule A4); else None."""
    if _DATE_START.match(text) is None:
        return None
    seconds = _of_usual(text) if len(text) > 18 else None
    if seconds is None:
        seconds = _of_iso(text.strip())
    return None if seconds is None else math.floor(seconds)


def _of_number(number: float) -> float | None:
    if not math.isfinite(number):
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return seconds if _EARLIEST <= seconds <= _LATEST else None


def _of_usual(text: str) -> float | None:
    """Read ``YYYY-MM-DDThh:mm:ss`` with or without fraction and offset, as nearly every producer writes it, the quick way."""
    if text[4] != "-" or text[7] != "-" or text[10] not in "T " or not text.isascii():
        return None
    try:
        instant = datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1] in "Zz" else text)
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def _of_text(text: str) -> float | None:
    if len(text) > 18:
        usual = _of_usual(text)
        if usual is not None:
            return usual
    if _NUMBER.fullmatch(text) and text.isascii():
        if len(text) == 4 and text.isdigit():
            return _of_iso(text)
        return _of_number(float(text))
    for read in (_of_iso, _of_javascript, _of_rfc_2822):
        seconds = read(text)
        if seconds is not None:
            return seconds
    return None


def _of_iso(text: str) -> float | None:
    found = _ISO.fullmatch(text)
    if found is None or not text.isascii():
        return None
    part = found.groupdict()
    fraction = (part["fraction"] or "0")[:6].ljust(6, "0")
    hour, is_midnight = (0, True) if part["hour"] == "24" else (int(part["hour"] or 0), False)
    try:
        instant = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            hour,
            int(part["minute"] or 0),
            min(int(part["second"] or 0), 59),
            int(fraction),
        )
        return _of_datetime(instant) + 86_400 * is_midnight - _offset(part["zone"])
    except (ValueError, OverflowError):
        return None


def _of_javascript(text: str) -> float | None:
    found = _JAVASCRIPT.fullmatch(text)
    if found is None or found["month"] not in _MONTHS:
        return None
    hour, minute, second = (int(part) for part in (found["time"] or "00:00:00").split(":"))
    month = _MONTHS.index(found["month"]) + 1
    try:
        instant = datetime(int(found["year"]), month, int(found["day"]), hour, minute, second)
    except ValueError:
        return None
    return _of_datetime(instant) - _offset(found["zone"])


def _of_rfc_2822(text: str) -> float | None:
    # email.utils accepts nearly anything with a number in it, so only what looks like a date gets there.
    if (
        re.fullmatch(r"(?:[A-Za-z]{3},? )?\d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}(?::\d{2})?(?: .*)?", text)
        is None
    ):
        return None
    from email.utils import parsedate_to_datetime

    try:
        return _of_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _of_datetime(instant: datetime) -> float:
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=timezone.utc)
    return aware.timestamp()
