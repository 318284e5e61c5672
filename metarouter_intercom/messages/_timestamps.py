"""Rules R4 and R5: what counts as an instant, which Unix second it is, and when a message happened; pure."""

from __future__ import annotations

import math
import re
import sys
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from .._types import Note
from ._facts import is_absent

if TYPE_CHECKING:
    from collections.abc import Mapping

# At or above this a number counts milliseconds: as seconds it would lie beyond the year 5138.
_MILLISECONDS_FROM = 10**11
# datetime's own range, in Unix seconds; beyond it a number is no instant.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
# Nobody was seen and nothing happened before 1970, and eleven digits are milliseconds gone wrong: Intercom's contacts and
# events hold neither.
LAST_INSTANT = 9_999_999_999

# Each third character of a usual text, from the fifth on: "2024-02-29T23:59:59".
_SHAPES = ("--T::", "-- ::")
# What may follow its seconds, as the full path has it: Python's own reader takes more than ISO 8601 has, such as a fraction without
# digits or after the offset, and each version more than the one before.
_USUAL_TAIL = re.compile(r"(?:\.\d{1,12})?(?:Z|[+-]\d{2}(?::?[0-5]\d)?)?")
# Of milliseconds and one offset there are a thousand; beyond so many they are looked at each time.
_KEPT_TAILS = 5_000
_LONGEST_TAIL = 16
# From 3.11 on ``datetime.fromisoformat`` knows Z.
_READS_Z = sys.version_info >= (3, 11)

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?)?"
    r"(?:[Tt ](?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_DATE_START = re.compile(r"\d{4}-\d{2}-\d{2}(?![\d-])")
# JavaScript's Date.toString(): "Tue Nov 24 2026 10:39:41 GMT+0100 (Central European Standard Time)".
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
    Return the Unix time of *value* in seconds, fractions kept; None when it is no instant.

    Args:
        value: A ``datetime`` (naive means UTC), a ``date``, a number of seconds or milliseconds, or text: ISO 8601 (a year alone, a
            month, a day, with or without time, fraction and offset), RFC 2822, JavaScript's ``Date.toString()``, or digits.
    """
    if isinstance(value, str):
        usual = _of_usual(value) if len(value) > 18 else None
        return _of_text(value.strip()) if usual is None else usual
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _of_number(value if type(value) in (int, float) else float(value))
    if isinstance(value, datetime):
        return _of_datetime(value)
    if isinstance(value, date):
        return _of_datetime(datetime(value.year, value.month, value.day))
    from decimal import Decimal

    if isinstance(value, Decimal) and value.is_finite():
        return _of_number(float(value))
    return None


def recordable_time(value: object) -> float | None:
    """Return the Unix time of *value* where Intercom records what happened: None too before 1970 and beyond the year 2286."""
    seconds = unix_time(value)
    return seconds if seconds is not None and 0 <= seconds < LAST_INSTANT + 1 else None


def recordable_seconds(value: object) -> int | None:
    """Return the whole Unix second of *value*, rounded down, where Intercom records what happened; see ``recordable_time``."""
    seconds = recordable_time(value)
    return None if seconds is None else math.floor(seconds)


def unix_seconds(value: object) -> int | None:
    """Return the whole Unix second of *value*, rounded down; None when it is no instant."""
    seconds = unix_time(value)
    return None if seconds is None else math.floor(seconds)


def message_time(wire: Mapping[str, Any], now: float) -> tuple[float, tuple[Note, ...]]:
    """Return when the message happened (rule R5), with a note for each value that is no instant."""
    given = wire.get("timestamp")
    if given is None and "originalTimestamp" not in wire:
        return now, ()
    if is_absent(given):
        given = None
    notes: list[Note] = []
    if given is not None:
        found = recordable_time(given)
        if found is not None:
            return found, ()
        notes.append(Note("R5", "timestamp", "not an instant"))
    original = wire.get("originalTimestamp")
    if is_absent(original):
        return now, tuple(notes)
    found = recordable_time(original)
    if found is None:
        return now, (*notes, Note("R5", "originalTimestamp", "not an instant"))
    sent, received = unix_time(wire.get("sentAt")), unix_time(wire.get("receivedAt"))
    if given is None and sent is not None and received is not None:
        # Segment's specification of timestamps: the sender's clock is off by what lies between sending and receiving.
        corrected = recordable_time(received - (sent - found))
        return found if corrected is None else corrected, tuple(notes)
    return found, tuple(notes)


def seconds_of_date_text(text: str) -> int | None:
    """Return the Unix second of a text that starts ``YYYY-MM-DD`` and is an ISO instant as a whole (rule A4); else None."""
    if _DATE_START.match(text) is None:
        return None
    seconds = _of_usual(text) if len(text) > 18 else None
    if seconds is None:
        seconds = _of_iso(text.strip())
    return None if seconds is None else math.floor(seconds)


def _of_number(number: float) -> float | None:
    if not _EARLIEST * 1000 <= number <= _LATEST * 1000:
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return seconds if _EARLIEST <= seconds <= _LATEST else None


class _Tails(dict[str, bool]):
    """What follows the seconds of a usual text -> whether Python's own reader takes it as ISO 8601 means it; few, and seen again."""

    __slots__ = ()

    def __missing__(self, rest: str) -> bool:
        is_usual = _USUAL_TAIL.fullmatch(rest) is not None
        if len(rest) <= _LONGEST_TAIL and len(self) < _KEPT_TAILS:
            self[rest] = is_usual
        return is_usual


_TAILS = _Tails()


def _of_usual(text: str) -> float | None:
    """Read ``YYYY-MM-DDThh:mm:ss`` with or without fraction and offset, as nearly every producer writes it, the quick way."""
    if text[4:17:3] not in _SHAPES or not text.isascii():
        return None
    if not _TAILS[text[19:]]:
        return None
    try:
        instant = datetime.fromisoformat(text if _READS_Z or text[-1] != "Z" else f"{text[:-1]}+00:00")
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def _of_text(text: str) -> float | None:
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
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    # ISO 8601 has 24:00 for the midnight at a day's end, and 60 for a leap second, which Unix time does not count.
    is_midnight = hour == 24 and minute == second == int(fraction) == 0
    try:
        instant = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            0 if is_midnight else hour,
            minute,
            59 if second == 60 else second,
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
        return _of_datetime(instant) - _offset(found["zone"])
    except ValueError:
        return None


def _of_rfc_2822(text: str) -> float | None:
    # email.utils accepts nearly anything with a number in it, so only what looks like a date gets there.
    if _RFC_2822.fullmatch(text) is None:
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
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("no offset of a time zone")
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


def _of_datetime(instant: datetime) -> float:
    aware = instant if instant.utcoffset() is not None else instant.replace(tzinfo=timezone.utc)
    return aware.timestamp()
