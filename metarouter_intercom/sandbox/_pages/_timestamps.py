"""Unix seconds as a person reads them. Pure: the current time comes in as an argument."""

from __future__ import annotations

from datetime import datetime, timezone

from markupsafe import Markup

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def _utc(seconds: float) -> datetime | None:
    """Return the time in UTC; None when ``datetime`` cannot represent it."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None


def full(seconds: float | None) -> Markup | str:
    """Return date and time as a ``time`` element; a dash for None."""
    return _element(seconds, "{at.day} {at:%b} {at:%Y}, {at:%H:%M:%S} UTC")


def clock(seconds: float | None) -> Markup | str:
    """Return the time of day as a ``time`` element; a dash for None."""
    return _element(seconds, "{at:%H:%M:%S}")


def ago(seconds: float | None, now: float) -> Markup | str:
    """Return how long ago it was as a ``time`` element, or the date when that is more than a month; a dash for None."""
    past = 0.0 if seconds is None else now - seconds
    if -_MINUTE <= past < _MINUTE:
        return _element(seconds, "just now")
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if unit <= past < 31 * _DAY:
            return _element(seconds, f"{int(past // unit)} {name} ago")
    return _element(seconds, "{at.day} {at:%b} {at:%Y}")


def day(seconds: float) -> str:
    """Return the weekday and the date."""
    at = _utc(seconds)
    return "Date out of range" if at is None else f"{at:%A}, {at.day} {at:%B} {at:%Y}"


def _element(seconds: float | None, template: str) -> Markup | str:
    if seconds is None:
        return "–"
    at = _utc(seconds)
    if at is None:
        return f"{seconds:g}"
    title = f"{at.day} {at:%b} {at:%Y}, {at:%H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", title, template.format(at=at)
    )
