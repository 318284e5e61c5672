"""Copying a caller's data (rules Q1, Q2, Q6): a value that has a JSON form gets it, and any other is left out with a note."""

from __future__ import annotations

import itertools
import json
import uuid
from collections import UserDict
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages import _json_copy
from metarouter_intercom.messages._edges import trimmed
from metarouter_intercom.messages._json_copy import (
    Copier,
    count_characters,
    fast_copy,
    is_clean,
    json_size,
    key_size,
)
from metarouter_intercom.messages._memo import Memo
from metarouter_intercom.plugins import Note

from .._support.promises import FACTS, promised
from .._support.twins import (
    PLAIN_VALUES,
    VALUES,
    Text,
    assert_twins_agree,
    change,
    mostly,
    usual_with_changes,
)


class _Plan(str, Enum):
    PRO = "pro"


class _Seats(IntEnum):
    TEN = 10


class _Share(float):
    pass


class _Text(str):
    def __str__(self):
        raise RuntimeError("never asked")


@pytest.mark.parametrize(
    ("value", "copied"),
    [
        (_Plan.PRO, "pro"),
        (_Seats.TEN, 10),
        (_Share(0.5), 0.5),
        (_Text("x"), "x"),
        (datetime(2026, 3, 1, 12), "2026-03-01T12:00:00+00:00"),
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1))), "2026-03-01T12:00:00+01:00"),
        (date(2026, 3, 1), "2026-03-01"),
        (time(12, 30), "12:30:00"),
        (Decimal("19.99"), 19.99),
        (Decimal("20.00"), 20),
        (Decimal("1E+30"), 1e30),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, "a"), [1, "a"]),
        ({3, 1, 2}, [1, 2, 3]),
        ({_Plan.PRO: 1, 2: 3, 0.5: 4, None: 5, True: 6, False: 7, _Seats.TEN: 8},
         {"pro": 1, "2": 3, "0.5": 4, "null": 5, "true": 6, "false": 7, "10": 8}),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
    ],
)  # fmt: skip
def test_values_with_a_json_form(value, copied):
    """Q2: dates and times become ISO text (naive means UTC), numbers plain numbers, enums their values, and keys texts as JSON writes them."""
    copier = Copier()

    facts = copier.copy_object({"x": value}, "traits")

    assert facts == {"x": copied}
    assert type(facts["x"]) is type(copied)
    assert copier.notes == []


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_decimals_that_are_no_number(value):
    """A1: a decimal that is not a finite number becomes NaN, so that the translator leaves it out with a note."""
    facts = Copier().copy_object({"x": value}, "traits")

    assert facts["x"] != facts["x"]


class _Raising:
    model_fields = ()

    def __init__(self, how):
        self._how = how

    def model_dump(self):
        if self._how is not None:
            raise self._how("no")
        return self


class _EndlessMapping(Mapping):
    def __getitem__(self, key):
        return 1

    def __iter__(self):
        return itertools.count()

    def __len__(self):
        return 1


def _chained(levels):
    value = "end"
    for _ in range(levels):
        value = UserDict(x=value)
    return value


@pytest.mark.parametrize(
    ("value", "left", "note"),
    [
        ([{"b": b"\xff"}], [{}], ("traits.a.0.b", "bytes that are not UTF-8")),
        ({"n": 2**256, "m": 1}, {"m": 1}, ("traits.a.n", "a whole number of more than 256 bits")),
        ({(1,): 2, "k": 3}, {"k": 3}, ("traits.a", "a key that is a tuple")),
        ({10**5000: 2, "k": 3}, {"k": 3}, ("traits.a", "a key that is an int")),
        ([1, Decimal("1E+400000000")], [1], ("traits.a.1", "a Decimal: reading it raised Overflow")),
        ([object()], [], ("traits.a.0", "an object")),
        ([1, 2j], [1], ("traits.a.1", "a complex")),
        ([int], [], ("traits.a.0", "a class")),
        ([len], [], ("traits.a.0", "a builtin_function_or_method")),
        ([(number for number in ())], [], ("traits.a.0", "a generator")),
        ([iter([1])], [], ("traits.a.0", "a list_iterator")),
        ([range(10**12)], [], ("traits.a.0", "more than 100,000 values in a range")),
        ([_EndlessMapping()], [], ("traits.a.0", "more than 100,000 values in a KeysView")),
        ([_Raising(LookupError)], [], ("traits.a.0", "a _Raising: reading it raised LookupError")),
        ([_Raising(RecursionError)], [], ("traits.a.0", "a _Raising: reading it raised RecursionError")),
        ([_Raising(None)], [], ("traits.a.0", "a _Raising that contains itself")),
    ],
)  # fmt: skip
def test_values_without_a_json_form(value, left, note):
    """Q6: a value that stands for nothing in JSON costs itself alone, and its note names path and type or what it raised."""
    copier = Copier()

    copied = copier.copy_object({"a": value, "kept": 1}, "traits")

    assert copied == {"a": left, "kept": 1}
    assert copier.notes == [Note("Q6", note[0], f"left out: {note[1]}")]


@pytest.mark.parametrize("number", [2**64, -(2**64), 2**70, 10**40, 2**256 - 1])
def test_whole_numbers_that_no_reader_keeps(number):
    """Q6: a whole number of more than 64 bits becomes the text of its digits, with a note."""
    copier = Copier()

    assert copier.copy_object({"n": number}, "traits") == {"n": str(number)}
    assert copier.notes == [Note("Q6", "traits.n", "a whole number of more than 64 bits became a text")]


def test_an_object_that_holds_itself():
    """Q6: a cycle is left out at the place where it closes; the same object in two places is no cycle."""
    shared = {"city": "Berlin"}
    cycle = {"home": shared, "work": shared}
    cycle["self"] = [cycle]
    copier = Copier()

    copied = copier.copy_object(cycle, "traits")

    assert copier.notes == [Note("Q6", "traits.self.0", "left out: a dict that contains itself")]
    assert copied == {"home": {"city": "Berlin"}, "work": {"city": "Berlin"}, "self": []}


@pytest.mark.parametrize("levels", [101, 300])
def test_a_hundred_levels(levels):
    """Q6: a hundred levels are copied, what is deeper is left out, and the path of its note is cut at 200 characters."""

    def nested(levels):
        value = {}
        for _ in range(levels - 1):
            value = {"level": value}
        return value

    deepest, deeper, chained = Copier(), Copier(), Copier()
    copied = deepest.copy_object(nested(100), "traits")
    deeper.copy_object(nested(levels), "traits")
    chained.copy_object({"a": _chained(levels)}, "traits")

    assert copied == nested(100)
    assert deepest.notes == []
    assert [note.reason for note in deeper.notes] == ["left out: a dict nested deeper than 100 levels"]
    assert len(deeper.notes[0].path) == 200
    assert len(chained.notes) == 1


def test_lists_that_hold_one_another_again_and_again():
    """Q6: the work is bounded however many values a few lists stand for."""
    laughs = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    copier = Copier()

    copied = copier.copy_object({"a": laughs, "b": 1}, "traits")

    assert copied["b"] == 1
    assert copier.notes[0].reason == "left out: a list after 1,000,000 other values"


def test_up_to_a_hundred_notes():
    """Q6: a message carries at most a hundred notes of its copy, and one more that says that there were others."""
    copier = Copier()

    copied = copier.copy_object({f"k{number:03}": object() for number in range(300)} | {"kept": 1}, "traits")

    assert copied == {"kept": 1}
    assert [note.path for note in copier.notes] == [f"traits.k{number:03}" for number in range(101)]
    assert copier.notes[-1].reason == "this value and others were changed or left out"


def test_characters_that_are_no_text():
    """Q2: half of a surrogate pair is replaced and two halves are joined, with a note, in keys too."""
    copier = Copier()

    copied = copier.copy_object({"a\ud800": "b\udc00c", "smile": "\ud83d\ude00"}, "traits")

    assert copied == {"a\ufffd": "b\ufffdc", "smile": "😀"}
    assert {note.path for note in copier.notes} == {"traits", "traits.a\ufffd", "traits.smile"}


def test_two_keys_of_one_name():
    """Q2: of two keys that become one text the first is used, and the other gets a note."""
    copier = Copier()

    copied = copier.copy_object({1: "a", "1": "b"}, "traits")

    assert copied == {"1": "a"}
    assert copier.notes == [Note("Q2", "traits.1", "another value has this name")]


def test_a_number_is_no_object():
    """The copy of a value that is not an object is an empty object."""
    assert Copier().copy_object(5, "traits") == {}


@given(FACTS)
@promised
def test_json_is_copied_as_it_is(facts):
    """Q1: JSON values are copied unchanged, and the copy shares nothing with the caller's data."""
    if (
        "\\ud" in repr(facts)
        or "\\x00" in repr(facts)
        or _has_odd_keys(facts)
        or any(abs(number) >= 2**64 for number in _integers(facts))
    ):
        return
    copier = Copier()

    copied = copier.copy_object(facts, "traits")

    assert repr(copied) == repr(facts)
    assert copied is not facts
    assert copier.notes == []


def _has_odd_keys(value):
    """Tell whether a name in *value* has something at its ends that is taken off (R10)."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    keys = value if isinstance(value, dict) else ()
    return any(trimmed(key) != key for key in keys) or any(map(_has_odd_keys, members))


def _integers(value):
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _integers(member)
    elif isinstance(value, int):
        yield value


def test_sizes_of_keys_are_remembered_up_to_a_limit():
    """However many sets of keys come, 5,000 sizes are remembered; the others are worked out each time."""
    sizes = Memo(_json_copy._size_of_keys, _json_copy._MOST_KEY_SETS)
    for count in range(5_010):
        assert sizes[(f"k{count:04}",)] == sizes[("other",)]

    assert len(sizes) == 5_000
    assert sizes[("a\ud800",)] == sizes[(1,)] == -1


@pytest.mark.parametrize(
    ("text", "clean"), [("abc", True), ("ü😀", True), ("a\ud800", False), ("a\x00", False)]
)
def test_clean_texts(text, clean):
    """A text is clean when it can be written as UTF-8 and holds no NUL."""
    assert is_clean(text) is clean


def test_sizes_are_bytes_of_compact_json():
    """Q2: the size of a message is that of its compact JSON in UTF-8."""
    message = {"type": "track", "event": "ü", "properties": {"a": [1, None]}}

    assert json_size(message) == len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("\ufeffemail", "email"), (" plan ", "plan"), ("plan\u200b", "plan"), ("\u202aplan\u202c", "plan"), ("pl\x00an", "plan"),
        ("so\u00adft", "so\u00adft"), ("\u200b", "\u200b"), (" ", " "),
    ],
)  # fmt: skip
def test_names_lose_what_nobody_sees(name, kept):
    """R10: invisible characters at the ends of a trait's name are taken off at any depth; a name of nothing else is left to A2."""
    copied = Copier().copy_object({name: 1, "in": {name: [{name: 2}]}}, "traits")

    assert copied == {kept: 1, "in": {kept: [{kept: 2}]}}
    assert fast_copy({name: 1}) is None or kept == name


@pytest.mark.parametrize("values", [{"plan": 1, "plan\u200b": 2}, {"\ufeffplan": 2, "plan": 1}])
def test_an_exact_name_wins(values):
    """R3, R10: of two names that are one without what nobody sees, the exact one wins, and the other gets a note."""
    copier = Copier()

    assert copier.copy_object(values, "traits") == {"plan": 1}
    assert copier.notes == [Note("Q2", "traits.plan", "another value has this name")]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\x00a", "a\x00\x00", "ü\x00"])
def test_nul_is_taken_out_of_every_text(text):
    """R10: no text keeps a NUL, and a note says so."""
    copier = Copier()

    copied = copier.copy_object({"a": [{"b": text}]}, "traits")

    assert copied == {"a": [{"b": text.replace("\x00", "")}]}
    assert copier.notes == [Note("R10", "traits.a.0.b", "NUL characters were taken out")]
    assert fast_copy({"a": text}) is None
    assert count_characters((text,)) == -1


# --- the fast path is the full path -----------------------------------------------------------------------------

_KEYS = mostly(
    st.text("abü-_", max_size=4),
    st.text(max_size=4)
    | st.sampled_from(
        ["\ud800", " a", "a\u200b", "\ufeffb", "a\x00", "\u200b", 1, None, 0.5, True, Text("own"), "😀" * 9]
    ),
)
_FACTS = usual_with_changes(
    [
        {"plan": "pro", "seats": 5, "address": {"city": "Bremen", "geo": {"lat": 53.1}}},
        {"a": {"b": {"c": {"d": 1}}}},
        {},
    ],
    mostly(
        change(["plan", "new", ("address", "city"), ("address", "geo", "lat"), ("a", "b", "c", "d")], VALUES),
        change(
            [("\ud800",), (1,), (Text("own"),), ("address", 5), ("a", "b", "c", "d"), ("a", "b", "\udc00")],
            PLAIN_VALUES,
        ),
    ),
)


def _copied(facts):
    """Return the copy of *facts* on the full path; raise when it needs a note."""
    copier = Copier()
    copied = copier.copy_object(facts, "traits")
    if copier.notes:
        raise ValueError(copier.notes)
    return copied


def test_both_paths_copy_the_same():
    """Q1, Q2: the copy of the fast path is that of the full path, which needs no note for it."""

    def fast(facts):
        copied = fast_copy(facts)
        return None if copied is None else copied[0]

    assert_twins_agree(fast, _copied, _FACTS)


def test_the_size_of_a_fast_copy_is_no_less_than_it_is():
    """Q2: the bound of the fast path is never less than the bytes of the copy as JSON."""

    def fast(facts):
        copied = fast_copy(facts)
        return None if copied is None else max(copied[1], json_size(copied[0]))

    assert_twins_agree(fast, lambda facts: fast_copy(facts)[1], _FACTS)


def test_the_characters_of_values_are_counted():
    """Q1, Q2: flat values are counted only if their copy equals them, and every character of their texts counts."""

    def fast(values):
        characters = count_characters(tuple(values))
        return None if characters < 0 else (dict(enumerate(values)), characters)

    def full(values):
        copied = _copied({str(at): value for at, value in enumerate(values)})
        texts = [value for value in copied.values() if isinstance(value, str)]
        return dict(enumerate(copied.values())), len("".join(texts))

    assert_twins_agree(fast, full, st.lists(VALUES, max_size=4))


def test_the_size_of_names_is_no_less_than_it_is():
    """Q2: keys have a bound only if a copy keeps them, and it is never less than their bytes as JSON."""

    def fast(keys):
        size = key_size(tuple(keys))
        return None if size < 0 else (keys, max(size, json_size(dict.fromkeys(keys))))

    def full(keys):
        return list(_copied(dict.fromkeys(keys))), key_size(tuple(keys))

    assert_twins_agree(fast, full, st.lists(_KEYS, max_size=4, unique_by=repr))


def test_clean_texts_are_those_that_can_be_written():
    """Q2: an ASCII text is clean, as an attempt to write it as UTF-8 shows."""
    assert_twins_agree(
        lambda text: is_clean(text) if text.isascii() else None,
        lambda text: text.encode("utf-8").replace(b"\x00", b"").decode("utf-8") == text,
        mostly(st.text(st.characters(max_codepoint=127)), st.text() | st.just("\ud800")),
    )
