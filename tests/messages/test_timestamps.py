"""Reading dates and times (rule R4): which values are one, and which second they are."""

from __future__ import annotations

import math
from collections import UserDict, UserString
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import format_datetime
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages import _time_texts, _timestamps
from metarouter_intercom.messages._timestamps import (
    is_zero_time,
    message_time,
    recordable_seconds,
    recordable_time,
    seconds_of_date_text,
    time_note,
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
        "", "now", "1e9", "12:30", "2024-02-30", "2024-02-29T25:00Z", "2024-02-29T23:60Z", "2024-02-29T23:59:61Z",
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
        ("20240229", 1_709_164_800),
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


@pytest.mark.parametrize(
    "text",
    [
        # BigQuery, Ruby, Go, Snowflake, pandas
        "2024-02-29 23:59:59 UTC", "2024-02-29 23:59:59.123456 UTC", "2024-02-29 23:59:59 GMT", "2024-02-29T23:59:59 Z",
        "2024-02-29 23:59:59UTC", "2024-02-29 23:59:59 +0000 UTC", "2024-02-29 23:59:59 +00:00 UTC", "2024-02-29T23:59:59Z UTC",
        "2024-02-29 23:59:59.987654321 +0000 UTC", "2024-02-29 23:59:59.987654321 +0000 UTC m=+0.000012345", "2024-02-29 23:59:59 +0000",
        "2024-03-01 00:59:59 +0100 CET", "2024-03-01 00:59:59.5 +0100 CET m=+3.25", "2024-03-01 02:59:59 +0300 +03",
        "2024-02-29 18:59:59 -0500 EST", "2024-03-01 00:59:59 UTC+01:00", "2024-03-01 00:59:59 GMT+1", "2024-03-01 00:59:59 UTC+0100",
        # Java and JavaScript
        "2024-02-29T23:59:59Z[UTC]", "2024-03-01T00:59:59+01:00[Europe/Paris]", "2024-02-29T23:59:59[UTC]", "2024-02-29T23:59:59.5[GMT]",
        "2024-02-29T18:59:59-05:00[America/New_York]", "2024-03-01T00:59:59+01:00[Europe/Paris][u-ca=gregory]", "2024-02-29T23:59:59[Z]",
        "2024-03-01T00:59:59+01:00[!Europe/Paris]", "2024-02-29T23:59:59+00:00[Nowhere/Land]", "2024-02-29T23:59:59 [Etc/UTC]",
        # Slashes, and one digit
        "2024/02/29 23:59:59", "2024/2/29 23:59:59", "2024-2-29 23:59:59", "2024-2-29T23:59:59Z", "2024/02/29T23:59:59Z",
        "2024/02/29  23:59:59.5 UTC", "2024-02-29  23:59:59",
        # asctime and its relatives
        "Thu Feb 29 23:59:59 2024", "Thu Feb 29 23:59:59 UTC 2024", "Thu Feb 29 23:59:59 GMT 2024", "Fri Mar  1 00:59:59 +0100 2024",
        "Feb 29 23:59:59 2024", "Fri Mar 01 00:59:59 GMT+01:00 2024", "Thu, Feb 29 23:59:59 2024",
        # Compact
        "20240229235959", "20240229T235959Z", "20240229T235959", "20240229235959Z", "20240229235959.5Z", "20240301005959+0100",
        "20240229235959123",
        # Finer units
        "1709251199", "1709251199999", "1709251199999999", "1709251199999999999", "1709251199.99999999999999",
        # Nothing that is seen
        "\ufeff2024-02-29T23:59:59Z", "2024-02-29 23:59:59\u200b", "\u00a02024-02-29T23:59:59Z\x00",
    ],
)  # fmt: skip
def test_other_writers_forms(text):
    """R4: what other languages and databases write is read, and rounded down to the second."""
    assert unix_seconds(text) == 1_709_251_199


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-1-5", 1_704_412_800),
        ("2024-01-5 9:05:03", 1_704_445_503),
        ("2024/1/5 9:05", 1_704_445_500),
        ("2024/01/05", 1_704_412_800),
        ("2024-01-05 UTC", 1_704_412_800),
        ("2024-01-05Z", 1_704_412_800),
        ("2024-1", 1_704_067_200),
        ("20240105", 1_704_412_800),
        ("202401050905", 1_704_445_500),
        ("19700101", 0),
        ("20991231", 4_102_358_400),
        ("19691231", 19_691_231),
        ("21000101", 21_000_101),
        ("20240230", 20_240_230),
        ("202401052460", 202_401_052),
        ("20240105090560", 20_240_105_090),
        ("5 Jan 2024 9:05:03 GMT", 1_704_445_503),
        ("1970", 0),
        ("0050", -60_589_296_000),
    ],
)
def test_dates_of_other_writers(text, seconds):
    """R4: compact dates from 1970 to 2099 are days, any other digits count as before; one-digit parts and slashes are read."""
    assert unix_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "03/01/2024", "1/3/2024", "3.1.2024 10:20", "01-03-2024", "03/01/24", "2024-03-01 10:20:30 CET", "2024-03-01 10:20:30 IST",
        "Fri Mar 01 10:20:30 PST 2024", "2024-03-01T10:20:30[Nowhere/Land]", "2024-03-01T10:20:30[Europe]", "2024-03-01T10:20:30[../etc]",
        "2024-13-1", "2024/02/30", "2024-3-1 24:05", "Foo Mar  1 10:20:30 24", "2024-03-01T10:20:30+01:00Z", "2024/03-01", "2024 03 01",
        "2024-03-01 10:20:30 m=", "2024-03-01" + " " * 300 + "10:20:30", "20240301T", "20240301246060Z", "0000-00-00 00:00:00",
        "2024-03-01T10:20:30+25:00[Europe/Paris]", "12/2024", "2024-03-01T1:2", "2024-03-01 10:20:30 +0100CET", "Fri Mar 1 10:20:30 +2500 2024",
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_unknown_is_not_read(text):
    """R4: a date whose day nobody knows, or whose zone has several meanings, is not guessed."""
    assert unix_time(text) is None


def test_the_name_of_a_zone_counts_without_an_offset():
    """R4: the time in a named zone is read with the system's time zones; an offset wins over the name."""
    moments = [
        "2024-07-01T10:20:30[Europe/Paris]",
        "2024-07-01 10:20:30 Europe/Paris",
        "2024-07-01T10:20:30+02:00[America/New_York]",
    ]

    in_paris = 1_719_822_030 if "Europe/Paris" in available_timezones() else None
    assert [unix_seconds(text) for text in moments] == [in_paris, in_paris, 1_719_822_030]


def test_a_zone_that_the_system_does_not_have_is_unknown():
    """R4: a system without time zones, or a name that is a folder or a path, gives no zone."""
    names = ["Nowhere/Land", "Europe", "../etc/passwd", "", "UTC", "etc/utc", "gmt"]

    assert [_time_texts._named_zone(name) for name in names] == [None] * 4 + [timezone.utc] * 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (20_240_229, 1_709_164_800),
        (20_240_229.0, 1_709_164_800),
        (Decimal("20240229"), 1_709_164_800),
        (202_402_292_359, 1_709_251_140),
        (20_240_229_235_959, 1_709_251_199),
        (20_240_229.5, 20_240_229),
        (20_240_230, 20_240_230),
        (-20_240_229, -20_240_229),
        (1_709_251_199_999, 1_709_251_199),
        (1_709_251_199_999_999, 1_709_251_199),
        (1_709_251_199_999_999_999, 1_709_251_199),
        (1_709_251_199_999.5, 1_709_251_199),
        (1.709251199e15, 1_709_251_199),
        (1.709251199e18, 1_709_251_199),
        (Decimal("1709251199999999.999"), 1_709_251_199),
        (99_999_999_999_999, 99_999_999_999),
        (100_000_000_000_000, 100_000_000),
        (100_000_000_000_000_000, 100_000_000),
        (-1_500_000_000_000_000, -1_500_000_000),
        (10**22, None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_numbers_of_every_size(value, seconds):
    """R4: a number counts seconds, from 10^11 milliseconds, from 10^14 micro- and from 10^17 nanoseconds, unless it is a compact date."""
    assert unix_seconds(value) == seconds


@given(st.integers(10**17, 9 * 10**18))
@promised
def test_no_unit_rounds_up(nanoseconds):
    """R4: an instant is rounded down to its second, whatever its unit and type."""
    seconds = nanoseconds // 10**9
    milliseconds = nanoseconds // 10**6

    assert unix_seconds(nanoseconds) == unix_seconds(str(nanoseconds)) == seconds
    assert unix_seconds(Decimal(nanoseconds)) == seconds
    assert (
        unix_seconds({"$date": milliseconds})
        == unix_seconds({"$date": {"$numberLong": str(milliseconds)}})
        == seconds
    )
    assert math.floor(unix_time(f"{seconds}.{nanoseconds % 10**9:09}999")) == seconds


@pytest.mark.parametrize(
    "value",
    [
        {"$date": "2024-02-29T23:59:59Z"}, {"$date": "2024-02-29T23:59:59.999Z"}, {"$date": "2024-03-01T00:59:59+0100"},
        {"$date": 1_709_251_199_999}, {"$date": 1_709_251_199_999.0}, {"$date": "1709251199999"}, {"$date": {"$numberLong": "1709251199999"}},
        {"$date": {"$numberLong": 1_709_251_199_999}}, {"$date": {"$numberDouble": "1.709251199E12"}},
        {"$date": {"$numberDecimal": "1709251199000"}}, {"$date": " 2024-02-29T23:59:59Z "},
        {"$date": datetime(2024, 2, 29, 23, 59, 59, tzinfo=timezone.utc)},
    ],
    ids=repr,
)  # fmt: skip
def test_dates_of_mongodb(value):
    """R4: MongoDB's ``{"$date": ...}`` is read in all its spellings; a number in it counts milliseconds."""
    assert unix_seconds(value) == 1_709_251_199


def test_numbers_of_mongodb_count_milliseconds():
    """R4: a number in ``$date`` counts milliseconds whatever its size, and is no compact date."""
    values = [{"$date": number} for number in (0, -1_000, 1_000, 20_240_229)]

    assert [unix_seconds(value) for value in values] == [0, -1, 1, 20_240]


@pytest.mark.parametrize(
    "value",
    [
        {}, {"$date": None}, {"$date": True}, {"$date": []}, {"$date": {}}, {"$date": {"$numberLong": "x"}}, {"$date": {"$numberLong": []}},
        {"$date": {"a": 1}}, {"$date": "soon"}, {"$date": 5, "a": 1}, {"date": 5}, {"$oid": "64a0"}, {"$date": float("nan")},
        {"$date": {"$numberLong": "1", "a": 2}}, [{"$date": 5}],
    ],
    ids=repr,
)  # fmt: skip
def test_objects_that_are_no_time(value):
    """R4: an object that is not a date of MongoDB is no time."""
    assert unix_time(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00", "0001-01-01", "0001-01-01 00:00:00 +0000 UTC", "0001-01-01 00:00:00 UTC", "0001",
        "0001-01-01T00:00:00.0000000", "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00-05:00", "Mon, 01 Jan 0001 00:00:00 GMT",
        "Mon Jan  1 00:00:00 0001", "1/1/0001 12:00:00 AM", "01/01/0001 00:00:00", "01.01.0001 00:00:00", "01-01-0001",
        -62_135_596_800, -62_135_596_800_000, -62_135_596_800_000_000, -6_795_364_578_871_345_152, "-62135596800", datetime.min,
        datetime(1, 1, 1, tzinfo=timezone.utc), date.min, {"$date": "0001-01-01T00:00:00Z"}, {"$date": {"$numberLong": "-62135596800000"}},
    ],
    ids=repr,
)  # fmt: skip
def test_the_zero_times_of_go_and_dotnet(value):
    """R4: the zero time of Go and .NET is no time, in any spelling."""
    assert (unix_time(value), is_zero_time(value)) == (None, True)


@pytest.mark.parametrize(
    "value",
    [
        "0002-01-01",
        "1970-01-01",
        0,
        -1,
        "soon",
        None,
        {},
        "1/1/0010",
        datetime(2, 1, 1),
        "29 Feb 0002 10:00 GMT",
    ],
)
def test_other_times_are_not_zero(value):
    """R4: only the first day of year 1 is a zero time."""
    assert not is_zero_time(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null or blank"),
        ("\u200b", "null or blank"),
        ("0001-01-01T00:00:00Z", "zero time of Go or .NET: counts as no time"),
        ("1969-12-31", "before 1970 or after 2286"),
        (99_999_999_999, "before 1970 or after 2286"),
        (True, "neither text nor number: send 2026-03-01T12:00:00Z or Unix seconds"),
        ({"$date": []}, "neither text nor number: send 2026-03-01T12:00:00Z or Unix seconds"),
        (float("nan"), "number that is no time: send Unix seconds"),
        ("03/01/2024", "ambiguous date, day or month first: send 2026-03-01T12:00:00Z"),
        ("1.3.24 10:20", "ambiguous date, day or month first: send 2026-03-01T12:00:00Z"),
        (
            "2024-03-01T10:20:30[Nowhere/Land]",
            "unknown time zone: send an offset, as in 2026-03-01T12:00:00+01:00",
        ),
        (
            "2024-03-01 10:20 Nowhere/Land",
            "unknown time zone: send an offset, as in 2026-03-01T12:00:00+01:00",
        ),
        ("2024-03-01 10:20:30 IST", "unknown time zone: send an offset, as in 2026-03-01T12:00:00+01:00"),
        (
            "Fri Mar  1 10:20:30 PST 2024",
            "unknown time zone: send an offset, as in 2026-03-01T12:00:00+01:00",
        ),
        ("2024-03-01 10:20:30 PM", "unreadable date: send 2026-03-01T12:00:00Z or Unix seconds"),
        ("soon", "unreadable date: send 2026-03-01T12:00:00Z or Unix seconds"),
        ("2024-02-30", "unreadable date: send 2026-03-01T12:00:00Z or Unix seconds"),
    ],
)
def test_notes_say_what_was_there_and_what_to_send(value, reason):
    """R4: the note on a value that is no time says what it was and what to send instead, and quotes nothing of it."""
    note = time_note("I5", "traits.createdAt", value)

    assert note == ("I5", "traits.createdAt", reason)
    assert unix_seconds("2026-03-01T12:00:00Z") == unix_seconds("2026-03-01T13:00:00+01:00") == 1_772_366_400


_ALL_TIMES = {"timestamp": 1_000, "originalTimestamp": 2_000, "receivedAt": 3_000, "sentAt": 2_500}
_UNREADABLE = [
    "soon",
    "03/01/2024",
    True,
    [1],
    {"a": 1},
    -5,
    99_999_999_999,
    float("nan"),
    "2024-03-01T10:20:30[Nowhere/Land]",
]
_ABSENT = [None, "", " ", "\u200b", "0001-01-01T00:00:00Z", -62_135_596_800]


@given(
    st.fixed_dictionaries(
        {name: st.sampled_from([second, *_UNREADABLE, *_ABSENT]) for name, second in _ALL_TIMES.items()}
    )
)
@promised
def test_the_first_time_that_can_be_read_counts(wire):
    """R5, word by word: the first of four that can be read, else acceptance; each that is there and unreadable before it has a note."""

    def is_there(name):
        return not any(wire[name] is value or wire[name] == value for value in _ABSENT)

    readable = [name for name, second in _ALL_TIMES.items() if wire[name] == second]
    order = list(_ALL_TIMES)

    seconds, notes = message_time(wire, 7.5)

    if not readable:
        assert seconds == 7.5
    elif (
        readable[0] == "originalTimestamp"
        and not is_there("timestamp")
        and {"sentAt", "receivedAt"} <= {*readable}
    ):
        assert seconds == 2_500
    elif readable[0] == "originalTimestamp" and is_there("sentAt") and is_there("receivedAt"):
        # The correction uses times that are not recordable, such as a clock that is set to 1969.
        assert seconds == 2_000 or not is_there("timestamp")
    else:
        assert seconds == _ALL_TIMES[readable[0]]
    tried = order[: order.index(readable[0])] if readable else order
    unreadable = [("R5", name) for name in tried if is_there(name)]
    assert [(note.rule, note.path) for note in notes][: len(unreadable)] == unreadable


class _Day(Enum):
    FIRST = date(2024, 1, 31)


class _Number:
    """Stands for the seconds of ``2024-01-31T10:15:00Z`` without being an int, as NumPy's numbers do."""

    def __index__(self):
        return 1_706_696_100


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "receivedAt", "sentAt"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2024-01-31T10:15:00Z", 1_706_696_100),
        (UserString("2024-01-31 10:15:00 UTC"), 1_706_696_100),
        (PurePosixPath("2024-01-31"), 1_706_659_200),
        (_Day.FIRST, 1_706_659_200),
        (_Number(), 1_706_696_100),
        (UserDict({"$date": 1_706_696_100_000}), 1_706_696_100),
    ],
)
def test_what_stands_for_a_time_is_one(name, value, seconds):
    """Q6, R5: a value that JSON does not have is the time of a message if it stands for one."""
    assert message_time({name: value}, 7.5) == (seconds, ())


@pytest.mark.parametrize("value", [timedelta(days=1), time(5), object(), b"\xff", b"soon", {1}])
def test_what_stands_for_no_time_has_a_note(value):
    """Q6, R5: a span, a time of day and a value that stands for nothing are no time of a message, and a note says so."""
    seconds, notes = message_time({"timestamp": value}, 7.5)

    assert seconds == 7.5
    assert [(note.rule, note.path) for note in notes] == [("R5", "timestamp")]


def test_a_skew_that_cannot_be_worked_out_has_a_note():
    """R5: where the skew would be corrected, a time that cannot be read is noted, and the original time counts."""
    wire = {"originalTimestamp": 2_000, "sentAt": "soon", "receivedAt": [1]}

    seconds, notes = message_time(wire, 7.5)

    assert seconds == 2_000
    assert [(note.rule, note.path) for note in notes] == [("R5", "sentAt"), ("R5", "receivedAt")]


def test_a_correction_into_another_age_is_none():
    """R5: a correction that leaves the years which Intercom records is not made."""
    assert message_time({"originalTimestamp": 5, "sentAt": 9_000, "receivedAt": 100}, 7.5) == (5, ())


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
        ("2024-02-29 23:59:59 UTC", 1_709_251_199),
        ("2024-02-29 23:59:59 +0000 UTC", 1_709_251_199),
        ("2024-02-29T23:59:59[UTC]", 1_709_251_199),
        ("2024-02-29 é", None),
        ("2024-02-29" + "x" * 300, None),
        ("2024-2-29", None),
        ("2024/02/29", None),
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
        lambda text: _second_and_fraction(_time_texts.read_time_fast(text) if len(text) > 18 else None),
        lambda text: _second_and_fraction(_time_texts.read_time_text(text.strip())),
        _iso_texts(),
    )


def test_both_paths_read_the_same_date_text():
    """A4: a date among the traits is the same second on both paths."""

    def fast(text):
        seconds = _time_texts.read_time_fast(text) if len(text) > 18 else None
        return None if seconds is None else seconds_of_date_text(text)

    def full(text):
        starts = _timestamps._DATE_START.match(text)
        return None if starts is None else int(_time_texts.read_iso_text(text.strip()) // 1)

    assert_twins_agree(fast, full, _iso_texts())


def test_a_message_without_a_time_happens_when_it_is_accepted():
    """R5: a message without a time happens when it is accepted, without a note."""
    wires = usual_with_changes(
        [{"type": "track"}, {"timestamp": None}],
        mostly(
            change(["timestamp", "event"], mostly(st.none(), VALUES)),
            change(["originalTimestamp", "sentAt", "receivedAt"], VALUES),
        ),
        most=1,
    )

    def fast(wire):
        tells = wire.get("timestamp") is not None or not _timestamps._OTHER_TIMES.isdisjoint(wire)
        return None if tells else _timestamps.message_time(wire, 5.5)

    assert_twins_agree(fast, lambda wire: _timestamps.message_time({**wire, "sentAt": None}, 5.5), wires)


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
