"""Rule R4: what counts as an instant, and which second it is."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import format_datetime
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import _instants as instants
from metarouter_intercom._instants import (
    recordable_seconds,
    recordable_time,
    seconds_of_date_text,
    unix_seconds,
    unix_time,
)

from .promises import promised

_MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(2286, 1, 1), timezones=st.just(timezone.utc)
)
_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


class _Second(IntEnum):
    BILLENNIUM = 1_000_000_000


class _NoOffset(tzinfo):
    def utcoffset(self, moment):
        return None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (datetime(2024, 2, 29, 23, 59, 59, 999_999), 1_709_251_199),
        (datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=2))), 1_709_157_600),
        (datetime(2024, 2, 29, tzinfo=_NoOffset()), None),
        (date(2024, 2, 29), 1_709_164_800),
        (Decimal("1772368200.9"), 1_772_368_200),
        (Decimal("NaN"), None),
        (_Second.BILLENNIUM, 1_000_000_000),
        (True, None),
        (object(), None),
        (10**400, None),
        (-1.5, -2),
        (99_999_999_999, 99_999_999_999),
        (100_000_000_000, 100_000_000),
        (-100_000_000_000, -100_000_000),
    ],
)
def test_values_that_are_no_text(value, seconds):
    """Datetimes (naive means UTC), dates and numbers, rounded down; at and above 10^11 a number counts milliseconds."""
    if seconds is None and isinstance(value, datetime):
        seconds = unix_seconds(value.replace(tzinfo=None))

    assert unix_seconds(value) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "1e9", "12:30", "2024-1-1", "2024-02-30", "2024-02-29T25:00Z", "2024-02-29T23:60Z", "2024-02-29T23:59:61Z",
        "2024-02-29T23:59:59+24:00", "2024-02-29T23:59:59+01:60", "2024-02-29T24:00:01Z", "2024-W09-4", "0000", "2024-02-29 noon",
        "Thu Foo 29 2024 23:59:59 GMT", "Thu Feb 30 2024 23:59:59 GMT", "Feb 29, 2024", "30 Feb 2024 23:59:59 GMT",
        "29 Foo 2024 23:59:59 GMT", "29 Feb 2024 25:59:59 GMT", "２０２４", "٢٠٢٤-٠٢-٢٩", "2024-02-29T23:59:59,Z", "+-5", "1.2.3",
    ],
)  # fmt: skip
def test_texts_that_are_none(text):
    """What only looks like an instant is left out: no guessing."""
    assert unix_time(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024", 1_704_067_200),
        ("2024-02", 1_706_745_600),
        ("2024-02-29", 1_709_164_800),
        ("20240229", 20_240_229),
        ("20240229T235959Z", 1_709_251_199),
        ("2024-02-29T23", 1_709_247_600),
        ("2024-02-29T23:59", 1_709_251_140),
        ("2024-02-29t23:59:59z", 1_709_251_199),
        ("2024-02-29 23:59:59 +01:00", 1_709_247_599),
        ("2024-02-29T23:59:59+0100", 1_709_247_599),
        ("2024-02-29T23:59:59-01", 1_709_254_799),
        ("2024-02-29T23:59:60Z", 1_709_251_199),
        ("2024-02-29T24:00:00Z", 1_709_251_200),
        ("2024-02-29T23:59:59.1234567890Z", 1_709_251_199),
        ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
        ("29 Feb 2024 23:59 -0000", 1_709_251_140),
        ("Thu Feb 29 2024 23:59:59 GMT+0100 (Central European Standard Time)", 1_709_247_599),
        ("Thu Feb 29 2024 23:59:59", 1_709_251_199),
        ("Thu Feb 29 2024", 1_709_164_800),
        (" 1700000000 ", 1_700_000_000),
        ("1700000000123", 1_700_000_000),
        ("-1.5", -2),
    ],
)
def test_texts_of_every_form(text, seconds):
    """ISO 8601 in its forms, RFC 2822, JavaScript, and digits."""
    assert unix_seconds(text) == seconds


@given(_MOMENTS, _ZONES)
@promised
def test_every_way_to_write_a_moment_is_that_moment(moment, zone):
    """One moment, written in ISO, RFC 2822, JavaScript's form or as digits, in any zone, is one second."""
    local = moment.astimezone(zone)
    seconds = int(moment.timestamp() // 1)
    javascript = local.strftime("%a %b %d %Y %H:%M:%S GMT%z (Somewhere)")

    read = [
        unix_seconds(value)
        for value in (moment, local, local.isoformat(), f"{moment.replace(tzinfo=None).isoformat()}Z")
    ]
    read += [unix_seconds(value) for value in (format_datetime(local), javascript, str(seconds), seconds)]

    assert read == [seconds] * 8


@given(st.integers() | st.floats() | st.text() | st.decimals())
@promised
def test_no_value_raises(value):
    """Whatever it is, it is an instant or not."""
    seconds = unix_seconds(value)

    assert seconds is None or -62_135_596_800 <= seconds <= 253_402_300_799


@pytest.mark.parametrize(
    ("value", "recorded"), [(-1, None), (0, 0), (9_999_999_999.5, 9_999_999_999), (10_000_000_000, None)]
)
def test_what_happened_lies_between_1970_and_2286(value, recorded):
    """I6, R5: the times at which something happened are those that Intercom records."""
    assert recordable_seconds(value) == recorded
    assert (recordable_time(value) is None) == (recorded is None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-02-29", 1_709_164_800),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199),
        ("2024-02-29T23:59:59,5+01:00", 1_709_247_599),
        ("2024-02-29 ", 1_709_164_800),
        ("2024-02", None),
        ("2024-02-291", None),
        ("2024-02-29-1", None),
        ("2024-02-29 to 2024-03-01", None),
        ("x", None),
    ],
)
def test_dates_among_the_traits(text, seconds):
    """A4: a text counts as a date when it starts ``YYYY-MM-DD`` and is an instant as a whole."""
    assert seconds_of_date_text(text) == seconds


_isoish = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["2024-02-29", "2024-02-30", "1969-12-31", "20240229", "2024-W09-4"]),
    st.sampled_from(["T", " ", "t"]),
    st.sampled_from(["23:59:59", "235959", "23:59:60", "24:00:00", "23:59"]),
    st.sampled_from(["", ".", ",", ".5", ",5", ".123", ".123456789", ".960"]),
    st.sampled_from(
        ["", "Z", "z", "+01:00", "-0530", "+01", "+01:60", "+24:00", " +01:00", "+01:00:30", "+0160", " Z"]
    ),
)


@given(_isoish)
@promised
def test_the_quick_reader_takes_no_more_than_the_careful_one(text):
    """R4: on every version of Python a text is the same instant, however it is read."""
    quick = instants._of_usual(text) if len(text) > 18 else None

    assert quick is None or quick == pytest.approx(instants._of_iso(text), abs=1e-6)
