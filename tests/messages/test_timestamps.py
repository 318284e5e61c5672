"""Reading dates and times (rule R4): which values are one, and which second they are."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import format_datetime
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages import _timestamps
from metarouter_intercom.messages._timestamps import (
    recordable_seconds,
    recordable_time,
    seconds_of_date_text,
    unix_seconds,
    unix_time,
)

from .._support.promises import promised
from .._support.twins import VALUES, assert_twins_agree, change, mostly, usual_with_changes

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
    """R4: datetimes (naive means UTC), dates and numbers are rounded down; from 10^11 on a number counts milliseconds."""
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
def test_texts_that_are_no_time(text):
    """R4: a text that only looks like a date or time is none, because guessing would write a wrong one."""
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
    """R4: texts in the forms of ISO 8601, RFC 2822 and JavaScript, and digits, are read."""
    assert unix_seconds(text) == seconds


@given(_MOMENTS, _ZONES)
@promised
def test_every_way_to_write_a_moment_is_that_moment(moment, zone):
    """R4: one moment is the same second in every form and time zone."""
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
    """R4: no value raises; it is a time in the range of ``datetime``, or none."""
    seconds = unix_seconds(value)

    assert seconds is None or -62_135_596_800 <= seconds <= 253_402_300_799


@pytest.mark.parametrize(
    ("value", "recorded"), [(-1, None), (0, 0), (9_999_999_999.5, 9_999_999_999), (10_000_000_000, None)]
)
def test_what_happened_lies_between_1970_and_2286(value, recorded):
    """I6, R5: a time at which something happened lies between 1970 and 2286, as Intercom records it."""
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
    """A4: a text is a date when it starts ``YYYY-MM-DD`` and is an ISO 8601 time as a whole."""
    assert seconds_of_date_text(text) == seconds


# Each part as every version of Python reads it, and in other forms; Python 3.10 reads fewer forms than later versions.
_ISO_PARTS = [
    (
        ["2024-02-29", "1970-01-01", "2286-11-20", "0001-01-01"],
        ["2024-02-30", "1969-12-31", "20240229", "2024-W09-4", "9999-12-31", "２024-02-29"],
    ),
    (["T", " "], ["t", "_", "\u2009", ""]),
    (["23:59:59", "00:00:00"], ["235959", "23:59:60", "24:00:00", "23:59", "23:59:61", "3:59:59"]),
    (["", ".123", ".123456", ".960"], [".", ",", ",5", ".5", ".123456789", ".1234567890123", ".٣"]),
    (
        ["", "Z", "+01:00", "-05:30", "+00:00", "-23:59"],
        [
            "-0530",
            "+01",
            "z",
            "+01:60",
            "+24:00",
            " +01:00",
            "+01:00:30",
            "+0160",
            " Z",
            ".Z",
            "+",
            "+1:00",
            "+01:00Z",
            "Z+01:00",
            "-00:00.5",
            "+01.5",
        ],
    ),
]


@st.composite
def _iso_texts(draw):
    """Return a time as most producers write it, with at most two of its parts in another form."""
    odd = draw(st.sets(st.integers(0, 9), max_size=2))
    return "".join(
        draw(st.sampled_from(parts[1] if at in odd else parts[0])) for at, parts in enumerate(_ISO_PARTS)
    )


def _second_and_fraction(seconds):
    """Return the whole second and the milliseconds: the last bits of a float depend on the order of its sums."""
    return None if seconds is None else (math.floor(seconds), round(seconds, 3))


def test_both_paths_read_the_same_time():
    """R4: a text is the same time on both paths, on every version of Python."""
    assert_twins_agree(
        lambda text: _second_and_fraction(_timestamps._read_fast(text) if len(text) > 18 else None),
        lambda text: _second_and_fraction(_timestamps._read_full(text.strip())),
        _iso_texts(),
    )


def test_both_paths_read_the_same_date_text():
    """A4: a date among the traits is the same second on both paths."""

    def fast(text):
        seconds = _timestamps._read_fast(text) if len(text) > 18 else None
        return None if seconds is None else seconds_of_date_text(text)

    def full(text):
        starts = _timestamps._DATE_START.match(text)
        return None if starts is None else int(_timestamps._read_iso(text.strip()) // 1)

    assert_twins_agree(fast, full, _iso_texts())


def test_a_message_without_a_time_happens_when_it_is_accepted():
    """R5: a message without a time happens when it is accepted, without a note."""
    wires = usual_with_changes(
        [{"type": "track"}, {"timestamp": None}],
        change(["timestamp", "originalTimestamp", "sentAt", "receivedAt"], mostly(st.none(), VALUES)),
    )

    def fast(wire):
        tells = wire.get("timestamp") is not None or "originalTimestamp" in wire
        return None if tells else _timestamps.message_time(wire, 5.5)

    assert_twins_agree(
        fast, lambda wire: _timestamps.message_time({**wire, "originalTimestamp": None}, 5.5), wires
    )


@pytest.mark.parametrize(
    "tail",
    [
        ".", ".Z", ".+01:00", ".-01:00", ".1234567890123", ".1234567890123Z", "+01:00Z", "+01:00:30", "+01:60", "+0160", "+24:00",
        "+01.5", "-00:00.5", "+1:00", "Z+01:00",
    ],
)  # fmt: skip
def test_tails_that_iso_does_not_have(tail):
    """R4: a text with an empty fraction, one of more than twelve digits, or an offset that ISO 8601 does not have is no time on any version of Python."""
    assert unix_time(f"2024-02-29T23:59:59{tail}") is None
