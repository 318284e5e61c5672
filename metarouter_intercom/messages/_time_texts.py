"""Reads the texts that name a date or a time (rule R4): which forms there are, and which second each means; knows no other value."""

from __future__ import annotations

import math
import re
import sys
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING

from ._memo import Memo

if TYPE_CHECKING:
    from decimal import Decimal

# The zero times of Go and .NET: midnight of the first day of year 1, in any time zone, in Unix seconds.
ZERO_UNTIL = -62_135_596_800 + 86_400 * 2
# The range of datetime, in Unix seconds; a number outside is no time.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
# From here on a number counts milliseconds, microseconds or nanoseconds: in the coarser unit it would be after the year 5138.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
_LARGEST = _LATEST * 10**9
# Numbers that are a compact date, a date with hour and minute, with seconds, or with milliseconds, between 1970 and 2099.
_COMPACT = (
    (1970_01_01, 2099_12_31),
    (1970_01_01_0000, 2099_12_31_2359),
    (1970_01_01_000000, 2099_12_31_235959),
    (1970_01_01_000000_000, 2099_12_31_235959_999),
)
# No form of a date is longer, and the patterns below take long for long blanks.
_LONGEST = 200

# The fast path checks each third character from the fifth on: those of "2024-02-29T23:59:59" are "--T::".
_SEPARATORS = ("--T::", "-- ::")
SECONDS_END = 19
# What the full path accepts after the seconds. Python's own reader accepts more than ISO 8601 has, such as a fraction without digits,
# and each Python version accepts more than the one before.
_TAIL = re.compile(r"(?:\.\d{1,12})?(?:Z|[+-]\d{2}(?::?[0-5]\d)?)?")
_LONGEST_TAIL = len(".123456789012+01:00")
# Milliseconds and one offset make a thousand tails.
_TAILS: Memo[str, bool] = Memo(lambda tail: _TAIL.fullmatch(tail) is not None, limit=5_000)
# From Python 3.11 on ``datetime.fromisoformat`` reads Z.
_READS_Z = sys.version_info >= (3, 11)

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.(\d{1,30}))?")
_FRACTION = r"(?:[.,](?P<fraction>\d{1,12}))?"
_OFFSET = r"[+-]\d{2}(?::?\d{2})?"
# What may stand behind the time: an offset, the name of UTC, or both, as Go, Ruby and BigQuery write them ("+0000 UTC"). Go adds the
# local abbreviation, which an offset makes superfluous, and the reading of its monotonic clock; Java and JavaScript's Temporal add the
# name of the zone in brackets. An abbreviation alone ("IST") names several zones, so it is not read.
_ZONE = (
    rf"\s*(?P<zone>[Zz]|(?:UTC|GMT|UT)?{_OFFSET}|(?:UTC|GMT)[+-]\d)?"
    r"(?:(?(zone)\s+|\s*)(?P<utc>UTC|GMT|UT)|(?(zone)\s(?:[A-Z]{2,5}|[+-]\d{2}(?:\d{2})?)))?"
    r"(?:\sm=[+-]\d{1,20}(?:\.\d{1,20})?)?"
    r"(?:\s?\[!?(?P<region>[A-Za-z][\w+/-]{0,60})\]|\s(?P<place>[A-Z][A-Za-z_]{1,30}(?:/[A-Z][\w+-]{1,30}){1,2}))?"
    r"(?:\[!?[a-z0-9-]{1,20}=[A-Za-z0-9-]{1,40}\])*"
)
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?)?"
    r"(?:[Tt ](?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})"
    + _FRACTION
    + r")?)?"
    + _ZONE
    + ")?"
)
# One-digit months, days and hours, and slashes where the year comes first, which is never ambiguous.
_LOOSE = re.compile(
    r"(?P<year>\d{4})(?P<sep>[-/])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})"
    r"(?:(?:[Tt]|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})"
    + _FRACTION
    + ")?"
    + _ZONE
    + ")?"
)
_ONE_DIGIT_MONTH = re.compile(r"(\d{4}-)(\d)")
_DAY_IN_UTC = re.compile(r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}) ?(?:Z|UTC|GMT)")
# LDAP's generalized time: a compact date with a time zone.
_COMPACT_IN_ZONE = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
    + _FRACTION
    + rf"(?P<zone>[Zz]|{_OFFSET})"
)
# JavaScript's Date.toString() writes "Tue Nov 24 2026 10:39:41 GMT+0100 (Central European Standard Time)".
_JAVASCRIPT = re.compile(
    r"(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?P<year>\d{4})"
    r"(?: (?P<time>\d{2}:\d{2}:\d{2})(?: (?:GMT|UTC)(?P<zone>[+-]\d{4})?)?)?(?: \([^)]*\))?"
)
# C's asctime() writes "Sun Mar  1 12:30:00 2026"; the command date, Go, Ruby and Java put a time zone before the year.
_ASCTIME = re.compile(
    r"(?:[A-Z][a-z]{2},? )?(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<time>\d{1,2}:\d{2}:\d{2})"
    rf"(?: (?:UTC|GMT|Z)?(?P<zone>{_OFFSET})?)? (?P<year>\d{{4}})"
)
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+(?P<year>\d{4})\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s.*)?",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# .NET writes its zero time as a person in some country writes dates; the day and the month are both 1, so nothing is ambiguous.
_ZERO = re.compile(r"0?1[/.-]0?1[/.-]0001(?:\D.*)?")
_AMBIGUOUS = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-](?:\d{2}|\d{4})(?:\D.*)?")
_NAMED_ZONE = re.compile(
    r".*\d.*(?:\[[A-Za-z][\w+/-]*\]|\s[A-Z][A-Za-z_]+(?:/[A-Z][\w+-]+)+|:\d{2}\s(?![AP]M)[A-Z]{2,5}(?: \d{4})?)"
)


def read_time_fast(text: str) -> float | None:
    """
    Return the Unix seconds of ``YYYY-MM-DDThh:mm:ss`` with or without fraction and offset; None leaves *text* to the full path.

    Nearly every producer writes this form, and Python's own reader takes it at a fraction of the full path's cost.
    """
    if text[4:17:3] not in _SEPARATORS or not text.isascii():
        return None
    if len(text) > SECONDS_END + _LONGEST_TAIL or not _TAILS[text[SECONDS_END:]]:
        return None
    try:
        moment = datetime.fromisoformat(text if _READS_Z or text[-1] != "Z" else f"{text[:-1]}+00:00")
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def read_time_text(text: str) -> float | None:
    """Return the Unix seconds of *text*, which has no blanks at its ends, in any of the forms of R4; None when it has none of them."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    digits = _NUMBER.fullmatch(text)
    if digits is not None:
        if len(text) == 4 and text.isdigit():
            return read_iso_text(text)
        fraction = digits[1] or ""
        return seconds_of_number(int(f"{digits[0].partition('.')[0]}{fraction}"), scale=10 ** len(fraction))
    for read in (read_iso_text, _read_compact_in_zone, _read_named_month, _read_rfc_2822):
        seconds = read(text)
        if seconds is not None:
            return seconds
    return float(_EARLIEST) if _ZERO.fullmatch(text) else None


def seconds_of_number(number: float | Decimal, *, scale: int = 1, unit: int | None = None) -> float | None:
    """
    Return *number* as Unix seconds: it counts seconds, milliseconds, microseconds or nanoseconds, or is a compact date (R4).

    Args:
        number: Of any size; a ``Decimal`` is finite.
        scale: What *number* must be divided by first.
        unit: How many of what it counts make a second; None finds that out from its size.
    """
    if not -_LARGEST * scale <= number <= _LARGEST * scale:
        return None
    if unit is None:
        seconds = _compact(number) if scale == 1 else None
        if seconds is not None:
            return seconds
        size = abs(number) if isinstance(number, int | float) else number.copy_abs()
        unit = next((counts for start, counts in _UNITS if size >= start * scale), 1)
    if unit * scale == 1 and isinstance(number, int | float):
        seconds = number
    else:
        numerator, denominator = number.as_integer_ratio()
        whole, rest = divmod(numerator, denominator * unit * scale)
        seconds = whole + rest / (denominator * unit * scale)
        if seconds >= whole + 1:
            # The nearest float is the next second, and times are rounded down.
            seconds = math.nextafter(whole + 1, whole)
    return seconds if _EARLIEST <= seconds <= _LATEST else None


def _compact(number: float | Decimal) -> float | None:
    """Return the Unix seconds of a compact date between 1970 and 2099; None when *number* names no such day and time."""
    if not any(first <= number <= last for first, last in _COMPACT) or number != int(number):
        return None
    digits = str(int(number)).ljust(17, "0")
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    try:
        moment = datetime(int(digits[:4]), int(digits[4:6]), int(digits[6:8]), hour, minute, second)
    except ValueError:
        return None
    return seconds_of_datetime(moment) + int(digits[14:]) / 1000


def read_iso_text(text: str) -> float | None:
    """Return the Unix seconds of an ISO 8601 time, or of one of its looser forms (R4); None for any other text."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    text = _ONE_DIGIT_MONTH.sub(r"\g<1>0\2", text) if len(text) == len("2026-3") else text
    day = _DAY_IN_UTC.fullmatch(text)
    if day is not None:
        text = day[1]
    match = _ISO.fullmatch(text) or _LOOSE.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    try:
        return _seconds_of(part, _zone_of(part))
    except (ValueError, OverflowError):
        return None


def _seconds_of(part: dict[str, str | None], zone: tzinfo | int) -> float:
    """Return the Unix seconds of the *part*s of a date; *zone* is a time zone, or the seconds that it is ahead of UTC."""
    fraction = (part["fraction"] or "0")[:6].ljust(6, "0")
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    # ISO 8601 writes 24:00 for the midnight that ends a day, and 60 for a leap second, which Unix time does not count.
    is_midnight = hour == 24 and minute == second == int(fraction) == 0
    moment = datetime(
        int(part["year"] or 0),
        int(part["month"] or 1),
        int(part["day"] or 1),
        0 if is_midnight else hour,
        minute,
        59 if second == 60 else second,
        int(fraction),
    )
    if isinstance(zone, int):
        return seconds_of_datetime(moment) + 86_400 * is_midnight - zone
    return moment.replace(tzinfo=zone).timestamp() + 86_400 * is_midnight


def _zone_of(part: dict[str, str | None]) -> tzinfo | int:
    """Return the time zone of the *part*s of a date; an offset wins over a name, and without either it is UTC."""
    name = part.get("region") or part.get("place")
    if name is None or part["zone"] is not None or part.get("utc") is not None:
        return _offset(part["zone"])
    zone = _ZONES[name]
    if zone is None:
        raise ValueError("not the name of a time zone that is known here")
    return zone


def _named_zone(name: str) -> tzinfo | None:
    """Return the time zone *name*; None when the system does not know it, or has no time zones at all."""
    if name.upper() in ("UTC", "GMT", "UT", "Z", "ETC/UTC", "ETC/GMT"):
        return timezone.utc
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)
    except (ImportError, KeyError, ValueError, OSError):
        return None


_ZONES: Memo[str, tzinfo | None] = Memo(_named_zone, 1_000)


def _read_compact_in_zone(text: str) -> float | None:
    match = _COMPACT_IN_ZONE.fullmatch(text)
    if match is None:
        return None
    try:
        return _seconds_of(match.groupdict(), _offset(match["zone"]))
    except (ValueError, OverflowError):
        return None


def _read_named_month(text: str) -> float | None:
    match = _JAVASCRIPT.fullmatch(text) or _ASCTIME.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    hour, minute, second = (int(part) for part in (match["time"] or "00:00:00").split(":"))
    month = _MONTHS.index(match["month"]) + 1
    try:
        moment = datetime(int(match["year"]), month, int(match["day"]), hour, minute, second)
        return seconds_of_datetime(moment) - _offset(match["zone"])
    except ValueError:
        return None


def _read_rfc_2822(text: str) -> float | None:
    # email.utils accepts nearly any text with a number in it, so only a text that looks like a date gets there.
    match = _RFC_2822.fullmatch(text)
    if match is None:
        return None
    if match["year"].startswith("00"):
        # email.utils takes 0001 for 2001.
        return float(_EARLIEST) if match["year"] == "0001" else None
    from email.utils import parsedate_to_datetime

    try:
        return seconds_of_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _offset(zone: str | None) -> int:
    """Return how many seconds *zone* is ahead of UTC."""
    zone = (zone or "Z").removeprefix("UTC").removeprefix("GMT").removeprefix("UT")
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    digits = (digits.zfill(2) if len(digits) < 2 else digits).ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset of a time zone")
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


def seconds_of_datetime(moment: datetime) -> float:
    """Return *moment* as Unix seconds; a naive one is in UTC."""
    aware = moment if moment.utcoffset() is not None else moment.replace(tzinfo=timezone.utc)
    return aware.timestamp()


def is_ambiguous(text: str) -> bool:
    """Tell whether *text* looks like a date of which nobody knows which number is the day (``03/01/2024``)."""
    return _AMBIGUOUS.fullmatch(text) is not None


def has_zone_name(text: str) -> bool:
    """Tell whether *text* looks like a time with the name of a time zone, such as ``[Europe/Paris]`` or ``IST``."""
    return len(text) <= _LONGEST and _NAMED_ZONE.fullmatch(text) is not None
