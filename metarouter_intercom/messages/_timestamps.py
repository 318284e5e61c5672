"""Reads dates and times as Unix seconds, and finds when a message happened (rules R4, R5); reads no clock."""

from __future__ import annotations

import math
import re
import sys
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from .._types import Note
from ._facts import is_absent
from ._memo import Memo

if TYPE_CHECKING:
    from collections.abc import Mapping

# From here on a number counts milliseconds: as seconds it would be after the year 5138.
_MILLISECONDS_FROM = 10**11
# The range of datetime, in Unix seconds; a number outside is no time.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
# Intercom's contacts and events take times from 1970 on, in at most ten digits (to the year 2286).
LAST_INSTANT = 9_999_999_999

# The fast path checks each third character from the fifth on: those of "2024-02-29T23:59:59" are "--T::".
_SEPARATORS = ("--T::", "-- ::")
_SECONDS_END = 19
# What the full path accepts after the seconds. Python's own reader accepts more than ISO 8601 has, such as a fraction without digits,
# and each Python version accepts more than the one before.
_TAIL = re.compile(r"(?:\.\d{1,12})?(?:Z|[+-]\d{2}(?::?[0-5]\d)?)?")
_LONGEST_TAIL = len(".123456789012+01:00")
# Milliseconds and one offset make a thousand tails.
_TAILS: Memo[str, bool] = Memo(lambda tail: _TAIL.fullmatch(tail) is not None, limit=5_000)
# From Python 3.11 on ``datetime.fromisoformat`` reads Z.
_READS_Z = sys.version_info >= (3, 11)

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?)?"
    r"(?:[Tt ](?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DATE_START = re.compile(r"\d{4}-\d{2}-\d{2}(?![\d-])")
# JavaScript's Date.toString() writes "Tue Nov 24 2026 10:39:41 GMT+0100 (Central European Standard Time)".
_JAVASCRIPT = re.compile(
    r"(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?P<year>\d{4})"
    r"(?: (?P<time>\d{2}:\d{2}:\d{2})(?: (?:GMT|UTC)(?P<zone>[+-]\d{4})?)?)?(?: \([^)]*\))?"
)
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d{2}:\d{2}(?::\d{2})?(?:\s.*)?", re.ASCII
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def unix_time(value: object) -> float | None:
    """
    Return *value* as Unix seconds with their fraction; None when it is no time.

    Args:
        value: A ``datetime`` (naive means UTC), a ``date``, a number of seconds or milliseconds, or a text: ISO 8601 (a year alone, a
            month, a day, with or without time, fraction and offset), RFC 2822, JavaScript's ``Date.toString()``, or digits.
    """
    if isinstance(value, str):
        seconds = _read_fast(value) if len(value) >= _SECONDS_END else None
        return _read_full(value.strip()) if seconds is None else seconds
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(value if type(value) in (int, float) else float(value))
    if isinstance(value, datetime):
        return _from_datetime(value)
    if isinstance(value, date):
        return _from_datetime(datetime(value.year, value.month, value.day))
    from decimal import Decimal

    if isinstance(value, Decimal) and value.is_finite():
        return _from_number(float(value))
    return None


def recordable_time(value: object) -> float | None:
    """Return *value* as Unix seconds with their fraction; None too before 1970 and after the year 2286, which Intercom does not record."""
    seconds = unix_time(value)
    return seconds if seconds is not None and 0 <= seconds < LAST_INSTANT + 1 else None


def recordable_seconds(value: object) -> int | None:
    """Return *value* as whole Unix seconds, rounded down; None as of ``recordable_time``."""
    seconds = recordable_time(value)
    return None if seconds is None else math.floor(seconds)


def unix_seconds(value: object) -> int | None:
    """Return *value* as whole Unix seconds, rounded down; None when it is no time."""
    seconds = unix_time(value)
    return None if seconds is None else math.floor(seconds)


def message_time(wire: Mapping[str, Any], now: float) -> tuple[float, tuple[Note, ...]]:
    """
    Return when a message happened, in Unix seconds, with a note for each value that is no time (rule R5).

    Args:
        wire: The message in its wire form.
        now: Unix seconds, the answer for a message without a time of its own.
    """
    timestamp = wire.get("timestamp")
    if timestamp is None and "originalTimestamp" not in wire:
        return now, ()
    if is_absent(timestamp):
        timestamp = None
    notes: list[Note] = []
    if timestamp is not None:
        seconds = recordable_time(timestamp)
        if seconds is not None:
            return seconds, ()
        notes.append(Note("R5", "timestamp", "not an instant"))
    original = wire.get("originalTimestamp")
    if is_absent(original):
        return now, tuple(notes)
    seconds = recordable_time(original)
    if seconds is None:
        return now, (*notes, Note("R5", "originalTimestamp", "not an instant"))
    sent, received = unix_time(wire.get("sentAt")), unix_time(wire.get("receivedAt"))
    if timestamp is None and sent is not None and received is not None:
        # Segment's specification of timestamps: the sender's clock is wrong by the time between sending and receiving.
        corrected = recordable_time(received - (sent - seconds))
        return seconds if corrected is None else corrected, tuple(notes)
    return seconds, tuple(notes)


def seconds_of_date_text(text: str) -> int | None:
    """Return the Unix seconds of a text that starts ``YYYY-MM-DD`` and is an ISO 8601 time as a whole (rule A4); else None."""
    if _DATE_START.match(text) is None:
        return None
    seconds = _read_fast(text) if len(text) >= _SECONDS_END else None
    if seconds is None:
        seconds = _read_iso(text.strip())
    return None if seconds is None else math.floor(seconds)


def _read_fast(text: str) -> float | None:
    """
    Return the Unix seconds of ``YYYY-MM-DDThh:mm:ss`` with or without fraction and offset; None leaves *text* to the full path.

    Nearly every producer writes this form, and Python's own reader takes it at a fraction of the full path's cost.
    """
    if text[4:17:3] not in _SEPARATORS or not text.isascii():
        return None
    if len(text) > _SECONDS_END + _LONGEST_TAIL or not _TAILS[text[_SECONDS_END:]]:
        return None
    try:
        moment = datetime.fromisoformat(text if _READS_Z or text[-1] != "Z" else f"{text[:-1]}+00:00")
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def _read_full(text: str) -> float | None:
    if _NUMBER.fullmatch(text) and text.isascii():
        if len(text) == 4 and text.isdigit():
            return _read_iso(text)
        return _from_number(float(text))
    for read in (_read_iso, _read_javascript, _read_rfc_2822):
        seconds = read(text)
        if seconds is not None:
            return seconds
    return None


def _from_number(number: float) -> float | None:
    if not _EARLIEST * 1000 <= number <= _LATEST * 1000:
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return seconds if _EARLIEST <= seconds <= _LATEST else None


def _read_iso(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None or not text.isascii():
        return None
    part = match.groupdict()
    fraction = (part["fraction"] or "0")[:6].ljust(6, "0")
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    # ISO 8601 writes 24:00 for the midnight that ends a day, and 60 for a leap second, which Unix time does not count.
    is_midnight = hour == 24 and minute == second == int(fraction) == 0
    try:
        moment = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            0 if is_midnight else hour,
            minute,
            59 if second == 60 else second,
            int(fraction),
        )
        return _from_datetime(moment) + 86_400 * is_midnight - _offset(part["zone"])
    except (ValueError, OverflowError):
        return None


def _read_javascript(text: str) -> float | None:
    match = _JAVASCRIPT.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    hour, minute, second = (int(part) for part in (match["time"] or "00:00:00").split(":"))
    month = _MONTHS.index(match["month"]) + 1
    try:
        moment = datetime(int(match["year"]), month, int(match["day"]), hour, minute, second)
        return _from_datetime(moment) - _offset(match["zone"])
    except ValueError:
        return None


def _read_rfc_2822(text: str) -> float | None:
    # email.utils accepts nearly any text with a number in it, so only a text that looks like a date gets there.
    if _RFC_2822.fullmatch(text) is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return _from_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset of a time zone")
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


def _from_datetime(moment: datetime) -> float:
    aware = moment if moment.utcoffset() is not None else moment.replace(tzinfo=timezone.utc)
    return aware.timestamp()
