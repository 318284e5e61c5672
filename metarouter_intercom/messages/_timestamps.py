"""Reads dates and times as Unix seconds, and finds when a message happened (rules R4, R5); reads no clock."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .._types import Note
from ._coercion import number
from ._edges import trimmed
from ._facts import is_absent
from ._stand_ins import plain_of
from ._time_texts import (
    SECONDS_END,
    ZERO_UNTIL,
    has_zone_name,
    is_ambiguous,
    read_iso_text,
    read_time_fast,
    read_time_text,
    seconds_of_datetime,
    seconds_of_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Intercom's contacts and events take times from 1970 on, in at most ten digits (to the year 2286).
LAST_INSTANT = 9_999_999_999
_DATE_START = re.compile(r"\d{4}-\d{2}-\d{2}(?![\d-])")
_DIGITS = re.compile(r"[+-]?\d{5,30}", re.ASCII)
# What Go answers for the nanoseconds of its zero time, which do not fit into 64 bits, in whole seconds.
_ZERO_IN_NANOSECONDS = -6_795_364_579
_MILLISECONDS = 1000

# In the order in which they are tried.
_TIMES = ("timestamp", "originalTimestamp", "receivedAt", "sentAt")
_OTHER_TIMES = frozenset(_TIMES[1:])
# What MongoDB's extended JSON wraps a number in.
_MONGO_NUMBERS = ("$numberLong", "$numberInt", "$numberDouble", "$numberDecimal")


def unix_time(value: object) -> float | None:
    """
    Return *value* as Unix seconds with their fraction; None when it is no time, or the zero time of Go or .NET (R4).

    Args:
        value: A ``datetime`` (naive means UTC), a ``date``, a number of seconds, milliseconds, microseconds or nanoseconds, a compact
            date, MongoDB's ``{"$date": ...}``, or a text: ISO 8601 and its looser forms, RFC 2822, asctime, JavaScript's
            ``Date.toString()``, or digits.
    """
    if isinstance(value, str):
        seconds = read_time_fast(value) if len(value) >= SECONDS_END else None
        if seconds is None:
            seconds = read_time_text(trimmed(value))
        elif seconds > 0:
            # The zero times are long before 1970.
            return seconds
    else:
        seconds = _time_of_other(value)
    return None if seconds is None or _is_zero(seconds) else seconds


def is_zero_time(value: object) -> bool:
    """Tell whether *value* is the zero time of Go or .NET, which stands for no time at all (R4)."""
    seconds = read_time_text(trimmed(value)) if isinstance(value, str) else _time_of_other(value)
    return seconds is not None and _is_zero(seconds)


def _is_zero(seconds: float) -> bool:
    return seconds < ZERO_UNTIL or math.floor(seconds) == _ZERO_IN_NANOSECONDS


def _time_of_other(value: object) -> float | None:
    """Return the Unix seconds of a value that is no text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return seconds_of_number(int(value))
    if isinstance(value, float):
        return seconds_of_number(float(value))
    if isinstance(value, datetime):
        return seconds_of_datetime(value)
    if isinstance(value, date):
        return seconds_of_datetime(datetime(value.year, value.month, value.day))
    if isinstance(value, dict):
        return _time_of_mongo(value)
    from decimal import Decimal

    return seconds_of_number(value) if isinstance(value, Decimal) and value.is_finite() else None


def _time_of_mongo(value: Mapping[object, object]) -> float | None:
    """Return the Unix seconds of MongoDB's ``{"$date": ...}``: ISO text, or milliseconds as a number, as digits or wrapped (R4)."""
    if len(value) != 1 or "$date" not in value:
        return None
    moment = value["$date"]
    if isinstance(moment, dict) and len(moment) == 1:
        moment = next((moment[name] for name in _MONGO_NUMBERS if name in moment), None)
        moment = number(moment) if isinstance(moment, str | int | float) else None
    elif isinstance(moment, str):
        text = trimmed(moment)
        if _DIGITS.fullmatch(text) is None:
            return read_time_text(text)
        moment = int(text)
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        return seconds_of_number(moment, unit=_MILLISECONDS)
    return seconds_of_datetime(moment) if isinstance(moment, datetime) else None


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


def time_note(rule: str, path: str, value: Any) -> Note:
    """Return the note that says why *value*, at *path* in the message, is not the time that *rule* asks for."""
    if is_absent(value):
        return Note(rule, path, "null or blank")
    if is_zero_time(value):
        return Note(rule, path, "zero time of Go or .NET: counts as no time")
    if unix_time(value) is not None:
        return Note(rule, path, "before 1970 or after 2286")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Note(rule, path, "number that is no time: send Unix seconds")
    text = trimmed(value) if isinstance(value, str) else ""
    if not text:
        return Note(rule, path, "neither text nor number: send 2026-03-01T12:00:00Z or Unix seconds")
    if is_ambiguous(text):
        return Note(rule, path, "ambiguous date, day or month first: send 2026-03-01T12:00:00Z")
    if has_zone_name(text):
        return Note(rule, path, "unknown time zone: send an offset, as in 2026-03-01T12:00:00+01:00")
    return Note(rule, path, "unreadable date: send 2026-03-01T12:00:00Z or Unix seconds")


def message_time(wire: Mapping[str, Any], now: float) -> tuple[float, tuple[Note, ...]]:
    """
    Return when a message happened, in Unix seconds, with a note for each value that was tried and is no time (rule R5).

    Args:
        wire: The message in its wire form.
        now: Unix seconds, the answer for a message without a time of its own.
    """
    timestamp = wire.get("timestamp")
    if timestamp is not None:
        seconds = (
            read_time_fast(timestamp) if type(timestamp) is str and len(timestamp) >= SECONDS_END else None
        )
        if seconds is not None and 0 < seconds < LAST_INSTANT:
            return seconds, ()
        seconds = recordable_time(timestamp)
        if seconds is not None:
            return seconds, ()
    elif _OTHER_TIMES.isdisjoint(wire):
        return now, ()
    notes: list[Note] = []
    for name in _TIMES:
        value = wire.get(name)
        if _is_no_time(value):
            continue
        seconds = recordable_time(value)
        if seconds is None and not isinstance(value, timedelta):
            # An instant may come as NumPy's number, as bytes or as a lazy text (Q6); a span of time is none.
            seconds = recordable_time(plain_of(value))
        if seconds is None:
            notes.append(time_note("R5", name, value))
            continue
        if name == "originalTimestamp" and _is_no_time(timestamp):
            seconds = _without_skew(seconds, wire, notes)
        return seconds, tuple(notes)
    return now, tuple(notes)


def _is_no_time(value: Any) -> bool:
    """Tell whether *value* counts as absent where a time is looked for."""
    return is_absent(value) or is_zero_time(value)


def _without_skew(seconds: float, wire: Mapping[str, Any], notes: list[Note]) -> float:
    """
    Return the originalTimestamp *seconds* corrected by the time between ``sentAt`` and ``receivedAt``, if both are there (R5).

    Segment's specification of timestamps: the sender's clock is wrong by that time.
    """
    sent_at, received_at = wire.get("sentAt"), wire.get("receivedAt")
    if _is_no_time(sent_at) or _is_no_time(received_at):
        return seconds
    sent, received = unix_time(sent_at), unix_time(received_at)
    for name, value, moment in (("sentAt", sent_at, sent), ("receivedAt", received_at, received)):
        if moment is None:
            notes.append(time_note("R5", name, value))
    if sent is None or received is None:
        return seconds
    corrected = received - (sent - seconds)
    return corrected if 0 <= corrected < LAST_INSTANT + 1 else seconds


def seconds_of_date_text(text: str) -> int | None:
    """Return the Unix seconds of a text that starts ``YYYY-MM-DD`` and is an ISO 8601 time as a whole (rule A4); else None."""
    if _DATE_START.match(text) is None:
        return None
    seconds = read_time_fast(text) if len(text) >= SECONDS_END else None
    if seconds is None:
        seconds = read_iso_text(text.strip())
    return None if seconds is None else math.floor(seconds)
