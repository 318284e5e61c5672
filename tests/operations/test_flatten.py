"""Flattening traits and properties (rules A, E6, E7): whatever comes in, attributes are flat, clean and bounded."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import Settings
from metarouter_intercom.messages import Identify
from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.messages._facts import is_proof
from metarouter_intercom.operations import translate
from metarouter_intercom.operations._dates import seconds_of_number
from metarouter_intercom.operations._flatten import Flattener, _Nested
from metarouter_intercom.operations._values import FLATTENED, SCALAR, Origin

from .._support.promises import FACTS, promised
from .._support.twins import VALUES, assert_twins_agree, mostly


def _written(facts, *, of_events=False, **choices):
    out, notes = {}, []
    Flattener(Settings(api_key="k", **choices), of_events=of_events).write(
        facts.items(), out, notes=notes, path="traits"
    )
    return out, [tuple(note) for note in notes]


def _nested(levels):
    value = 1
    for _ in range(levels):
        value = {"n": value}
    return value


def test_values_deeper_than_five_levels_become_json_text():
    """A5: five levels become names, deeper values JSON text, and a value too deep for that is left out with a note."""
    out, notes = _written({"five": _nested(5), "six": _nested(6), "endless": _nested(150)})

    assert out == {"five_n_n_n_n_n": 1, "six_n_n_n_n_n": '{"n":1}'}
    assert notes == [("A5", "traits.endless.n.n.n.n.n", "no JSON can hold it")]


def test_json_text_is_never_cut():
    """A5: JSON over 255 characters is left out with a note; at 255 it stays."""
    fits, too_long = {"x": "a" * 247}, {"x": "a" * 248}

    out, notes = _written({"fits": fits, "long": too_long}, nested="stringify")

    assert len(out["fits"]) == 255
    assert json.loads(out["fits"]) == fits
    assert notes == [("A5", "traits.long", "as JSON longer than 255 characters")]


def test_proofs_are_no_part_of_json_text():
    """R7: a proof of identity is left out of JSON text, at any level."""
    out, notes = _written({"a": [{"user_hash": "x", "b": 1}, {"c": {"userHash": "y"}}]}, nested="stringify")

    assert out == {"a": '[{"b":1},{"c":{}}]'}
    assert notes == [("R7", "traits.a", "a proof of identity")]


@pytest.mark.parametrize(("of_events", "name"), [(False, "born_at"), (True, "born_date")])
def test_dates_inside_objects_have_their_ending(of_events, name):
    """A4, E7: dates end in ``_at`` as attributes and in ``_date`` as metadata, at any depth."""
    out, _ = _written({"a": {"b": {"born": "1990-05-17"}}}, of_events=of_events)

    assert out == {f"a_b_{name}": 642_902_400}


def test_metadata_names_are_one_in_any_letter_case():
    """E8: names of metadata that differ only in letter case are one name; those of custom attributes are two."""
    facts = {"Plan": 1, "plan": 2, "o": {"A": 1, "a": 2}}

    assert _written(facts)[0] == {"Plan": 1, "plan": 2, "o_A": 1, "o_a": 2}
    assert _written(facts, of_events=True)[0] == {"Plan": 1, "o_A": 1}


def test_metadata_has_no_booleans_and_no_null():
    """E7: booleans become text and null is left out, inside objects too."""
    out, notes = _written({"o": {"yes": True, "no": False, "none": None, "nan": math.nan}}, of_events=True)

    assert out == {"o_yes": "true", "o_no": "false"}
    assert [path for _, path, _ in notes] == ["traits.o.none", "traits.o.nan"]


def test_a_name_in_use_keeps_its_value():
    """A2: a name that is already in use keeps its value."""
    out, notes = {"plan": "old"}, []
    Flattener(Settings(api_key="k"), of_events=False).write(
        [("plan", "new"), ("p.", 1)], out, notes=notes, path="traits"
    )

    assert out == {"plan": "old", "p_": 1}
    assert [tuple(note) for note in notes] == [("A2", "traits.plan", "another value has this name")]


@given(
    st.integers(-(2**70), 2**70) | st.sampled_from([2**53, 2**53 + 1, -(2**53), -(2**53) - 1]), st.booleans()
)
@promised
def test_a_whole_number_keeps_all_of_its_digits(number, of_events):
    """A8: Intercom gets a number that a float can hold, or else the digits as text, with a note; inside objects too."""
    out, notes = _written({"n": number, "o": {"n": number}}, of_events=of_events)

    is_large = abs(number) > 2**53
    assert out == {"n": str(number), "o_n": str(number)} if is_large else {"n": number, "o_n": number}
    assert all(type(value) is (str if is_large else int) for value in out.values())
    assert [(rule, path) for rule, path, _ in notes] == [("A8", "traits.n"), ("A8", "traits.o.n")] * is_large


def test_a_number_of_thousands_of_digits_costs_that_number():
    """A8: Python writes no such number as text, so it is left out with a note, and the rest of the message stays."""
    message = Identify(user_id="u1", timestamp=1.0, traits={"n": 10**5_000, "plan": "pro"})

    translation = translate(message, Settings(api_key="k"))

    assert translation.operations[0].attributes == {"plan": "pro"}
    assert [note.path for note in translation.notes] == ["traits.n"]


_items = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers() | st.text(max_size=40), max_size=3)
    | st.integers(),
    min_size=1,
    max_size=8,
)


@given(_items, st.sampled_from(["flatten", "stringify"]), st.booleans())
@promised
def test_a_list_makes_one_attribute_or_none(items, nested, is_inside):
    """A5: on a contact or company a list makes one attribute, never one for each position: all of it, or a note that says why not."""
    facts = {"o": {"l": items}} if is_inside and nested == "flatten" else {"l": items}

    out, notes = _written(facts, nested=nested)

    if not any(isinstance(item, dict) for item in items):
        return
    if out:
        assert [json.loads(text) for text in out.values()] == [items]
        assert notes == []
    else:
        assert [rule for rule, _, _ in notes] == ["A5"]


@given(FACTS, st.sampled_from(["flatten", "stringify", "drop"]))
@promised
def test_every_attribute_has_the_origin_of_its_trait(facts, nested):
    """A7: each attribute comes from a trait of the message, and only members of flattened objects count as flattened."""
    out, notes, origins = {}, [], {}
    Flattener(Settings(api_key="k", nested=nested), of_events=False).write(
        facts.items(), out, notes=notes, path="traits", origins=origins
    )

    assert origins.keys() <= out.keys()
    for name in out:
        path, rank = origins.get(name, Origin(f"traits.{name}"))
        key = next(key for key in facts if path in (f"traits.{key}",) or path.startswith(f"traits.{key}."))
        is_nested = isinstance(facts[key], dict | list)
        assert (rank == SCALAR) or is_nested
        assert rank != FLATTENED or (nested == "flatten" and path != f"traits.{key}")


@given(
    FACTS,
    st.sampled_from(["flatten", "stringify", "drop"]),
    st.sampled_from(["seconds", "keep"]),
    st.booleans(),
)
@promised
def test_whatever_comes_in_is_flat_clean_and_bounded(facts, nested, dates, of_events):
    """A1 to A5, E7: whatever comes in, names have no forbidden character, and values are scalars, texts of at most 255 characters and finite numbers."""
    out, _ = _written(facts, of_events=of_events, nested=nested, dates=dates)

    assert all(name.strip() and not set(name) & set("~`!@#$%^&*'{}|\".\x00\n") for name in out)
    assert all(type(value) in (str, int, float, bool, type(None)) for value in out.values())
    assert all(len(value) <= 255 for value in out.values() if isinstance(value, str))
    assert all(math.isfinite(value) for value in out.values() if isinstance(value, float))
    assert not of_events or not any(isinstance(value, bool) or value is None for value in out.values())


_long_links = [f"{scheme}shop.example/{'x' * 250}" for scheme in ("https://", " http://", "HTTPS://")]
_instants = (
    st.sampled_from([1.5, -1.5, 1_706_696_100.5])
    | st.sampled_from(_long_links)
    | st.integers(-(10**20), 10**20)
)


@pytest.mark.parametrize("ending", ["_at", "At", "_date"])
@pytest.mark.parametrize("of_events", [False, True])
@given(st.datetimes(datetime(1980, 1, 1), datetime(2286, 1, 1)), st.sampled_from([1, 10**3, 10**6, 10**9]))
@promised
def test_an_instant_in_any_unit_is_its_second(ending, of_events, moment, unit):
    """A4, E7: seconds, milliseconds, microseconds and nanoseconds of one moment become the same second, at any depth."""
    seconds = int(moment.replace(tzinfo=timezone.utc).timestamp())
    number = seconds * unit
    facts = {
        f"x{ending}": number,
        "o": {"p": {f"y{ending}": number}},
        f"f{ending}": seconds + 0.5,
        "plain": seconds,
    }

    out, notes = _written(facts, of_events=of_events)

    assert out == {f"x{ending}": seconds, f"o_p_y{ending}": seconds, f"f{ending}": seconds, "plain": seconds}
    assert notes == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_instant(number):
    """A1: NaN and infinities are left out under the name of a date too."""
    out, notes = _written({"ends_at": number, "o": {"endedAt": number}, "n": 1})

    assert out == {"n": 1}
    assert notes == [("A1", path, "not a finite number") for path in ("traits.ends_at", "traits.o.endedAt")]


@pytest.mark.parametrize("number", [10**30, -(10**30), 1e40])
def test_a_number_beyond_every_calendar_stays_what_it_is(number):
    """A4: a number that is no moment up to the year 9999, in any unit, is not made one."""
    assert seconds_of_number(number) == number


@pytest.mark.parametrize("link", _long_links)
def test_links_of_events_are_whole_or_not_there(link):
    """E7: a link over 255 characters is left out of metadata with a note; an attribute is cut as any text (A3)."""
    facts = {"l": link, "o": {"l": link}, "m": [link, "x"], "n": ["x" * 200, link[:100], "y"]}

    out, notes = _written(facts, of_events=True)

    assert out == {"m": "x", "n": "x" * 200}
    assert notes == [
        ("E7", "traits.l", "a link longer than 255 characters"),
        ("E7", "traits.o.l", "a link longer than 255 characters"),
        ("E7", "traits.m.0", "a link longer than 255 characters"),
        ("E7", "traits.n", "cut at 255 characters"),
    ]
    assert _written({"l": link})[1] == [("A3", "traits.l", "cut at 255 characters")]


def test_metadata_keys_beyond_the_limit_are_noted_where_they_were():
    """E8: each value beyond the limit is left out with a note that has its own path, at any depth."""
    out, notes = _written(
        {"a": 1, "o": {"b": 2, "c": [{"d": 3}], "e": True}, "f": "x"}, of_events=True, metadata_limit=2
    )

    assert out == {"a": 1, "o_b": 2}
    assert notes == [
        ("E8", path, "beyond the limit of metadata keys")
        for path in ("traits.o.c.0.d", "traits.o.e", "traits.f")
    ]


# --- the fast path is the full path -----------------------------------------------------------------------------

_member_names = mostly(
    st.sampled_from(["city", "floor", "a.b", "Größe", "at", "SeenAt", "end_date"]),
    st.text(max_size=3) | st.sampled_from(["user_hash", "$", "", "since"]),
)


def _full(flattener, of_events, name, value, place="x"):
    """Return the attributes and notes that the full path makes of one scalar."""
    out, notes = {}, []
    names = set() if of_events else out
    if is_proof(name):
        notes.append("a proof")
    else:
        _Nested(flattener, out, names, notes=notes).put_scalar(name, value, f"traits.{place}")
    return out, notes


@pytest.mark.parametrize("name", ["x", "x_at", "xAt", "x_date", "x at"])
@pytest.mark.parametrize("dates", ["seconds", "keep"])
@pytest.mark.parametrize("of_events", [False, True])
def test_scalars_are_written_alike_on_both_paths(of_events, dates, name):
    """A1, A3, A4, E7: a scalar on the fast path is written as on the full path, with the same notes."""
    flattener = Flattener(Settings(api_key="k", dates=dates), of_events=of_events)

    def fast(value):
        if isinstance(value, dict | list):
            return None
        out, notes = {}, []
        try:
            flattener.write([(name, value)], out, notes=notes, path="traits")
        except NotJson:
            return None
        return out, notes

    assert_twins_agree(fast, lambda value: _full(flattener, of_events, name, value, name), VALUES | _instants)


@pytest.mark.parametrize("dates", ["seconds", "keep"])
@pytest.mark.parametrize("of_events", [False, True])
def test_members_are_written_alike_on_both_paths(of_events, dates):
    """A2 to A5, E7, R7: a member of an object that needs no note is written as on the full path."""
    flattener = Flattener(Settings(api_key="k", dates=dates), of_events=of_events)

    def fast(member):
        name, value = member
        if isinstance(value, dict | list):
            return None
        out, notes = {}, []
        try:
            flattener.write([("x", {name: value})], out, notes=notes, path="traits")
        except NotJson:
            return None
        return None if notes else (out, notes)

    assert_twins_agree(
        fast,
        lambda member: _full(flattener, of_events, f"x_{member[0]}", member[1]),
        st.tuples(_member_names, VALUES | _instants),
    )
