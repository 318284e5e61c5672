"""Moments as a person reads them. Pure; the present comes in as an argument."""

from __future__ import annotations

from datetime import datetime, timezone

from markupsafe import Markup

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def moment(seconds: float) -> datetime | None:
    """Return the instant in UTC, or None when no calendar holds it."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None


def full(seconds: float | None) -> Markup | str:
    """Return the whole instant as a ``time`` element; a dash for None."""
    return _element(seconds, "{at.day} {at:%b} {at:%Y}, {at:%H:%M:%S} UTC")


def clock(seconds: float | None) -> Markup | str:
    """Return the time of day."""
    return _element(seconds, "{at:%H:%M:%S}")


def ago(seconds: float | None, now: float) -> Markup | str:
    """Return how long ago it was; the date when that is more than a month."""
    past = 0.0 if seconds is None else now - seconds
    if -_MINUTE <= past < _MINUTE:
        return _element(seconds, "just now")
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if unit <= past < 31 * _DAY:
            return _element(seconds, f"{int(past // unit)} {name} ago")
    return _element(seconds, "{at.day} {at:%b} {at:%Y}")


def day(seconds: float) -> str:
    """Return the day's name and date."""
    at = moment(seconds)
    return "Date out of range" if at is None else f"{at:%A}, {at.day} {at:%B} {at:%Y}"


def _element(seconds: float | None, form: str) -> Markup | str:
    if seconds is None:
        return "–"
    at = moment(seconds)
    if at is None:
        return f"{seconds:g}"
    told = f"{at.day} {at:%b} {at:%Y}, {at:%H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", told, form.format(at=at)
    )
