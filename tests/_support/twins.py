"""The test of a fast path: it must give the same results as its full path, and enough examples must take it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

# Examples per pair of paths, the same ones each time; ``PROMISE_EXAMPLES=5000`` searches longer with new ones, as in ``promises``.
EXAMPLES = 300
_IS_THOROUGH = "PROMISE_EXAMPLES" in os.environ
_MANY = int(os.environ.get("PROMISE_EXAMPLES", EXAMPLES))


def assert_twins_agree(fast, full, strategy, *, share=0.3, is_ordered=True):
    """
    Check that *fast* returns what *full* returns, and that enough examples take the fast path.

    Args:
        fast: Takes a value and returns the result of the fast path; None leaves the value to the full path.
        full: Takes the same value and returns the result of the full path. If it raises, *fast* must return None.
        strategy: Draws the values; use ``usual_with_changes``, so that both paths are taken.
        share: Minimum share of the examples that must take the fast path.
        is_ordered: False if the order of an object's keys does not matter.
    """
    seen = taken = 0

    @settings(max_examples=_MANY, deadline=None, derandomize=not _IS_THOROUGH, database=None)
    @given(strategy)
    def agree(value):
        nonlocal seen, taken
        seen += 1
        answer = fast(value)
        if answer is None:
            return
        taken += 1
        try:
            expected = full(value)
        except Exception as error:
            raise AssertionError(
                f"the fast path answers {answer!r}, the full path refuses the value: {error!r}"
            ) from error
        assert exact(answer, is_ordered=is_ordered) == exact(expected, is_ordered=is_ordered)

    agree()
    measured = taken / seen
    assert measured >= share, (
        f"{taken} of {seen} examples took the fast path: {measured:.0%}, less than {share:.0%}; draw more usual values"
    )


def exact(value, *, is_ordered=True):
    """Return a form of *value* that is equal for two values only if types, order and every digit are the same; NaN equals NaN."""
    kind = type(value)
    if isinstance(value, Mapping):
        items = [
            (exact(key, is_ordered=is_ordered), exact(member, is_ordered=is_ordered))
            for key, member in value.items()
        ]
        return kind, items if is_ordered else sorted(items, key=repr)
    if isinstance(value, list | tuple):
        return kind, [exact(member, is_ordered=is_ordered) for member in value]
    if attrs.has(kind):
        fields = [
            (field.name, exact(getattr(value, field.name), is_ordered=is_ordered))
            for field in attrs.fields(kind)
        ]
        return kind, fields
    return kind, repr(value)


# --- values that are nearly usual ---------------------------------------------------------------------------

GONE: Any = object()
"""The new value of a place that is to be removed."""


def usual_with_changes(usual, changes, *, most=2):
    """
    Return a strategy that draws usual objects with at most *most* changes.

    Args:
        usual: A list of usual objects.
        changes: Draws one change: the path of a place, as a tuple of keys, and its new value. ``GONE`` removes the place; a path that
            does not exist changes nothing.
        most: Maximum number of changes.
    """
    return st.builds(_with_changes, st.sampled_from(usual), st.lists(changes, max_size=most))


def mostly(usual, odd):
    """Return a strategy that draws from *usual* three times as often as from *odd*."""
    return st.integers(0, 3).flatmap(lambda number: usual if number else odd)


def change(paths, values):
    """Return a strategy of changes: one of *paths* (a tuple of keys, or one key) gets one of *values*."""
    places = [path if isinstance(path, tuple) else (path,) for path in paths]
    return st.tuples(st.sampled_from(places), values)


def _with_changes(value, changes):
    for path, new in changes:
        value = _with_change(value, path, new)
    return value


def _with_change(value, path, new):
    if not isinstance(value, dict):
        return value
    key, *inner = path
    if inner:
        return {**value, key: _with_change(value[key], inner, new)} if key in value else value
    if new is GONE:
        return {other: member for other, member in value.items() if other != key}
    return {**value, key: new}


class Text(str):
    """A text of the caller's own class."""


class Whole(int):
    """A whole number of the caller's own class."""


class Fraction(float):
    """A number of the caller's own class."""


class Facts(dict):
    """An object of the caller's own class."""


_MOMENT = datetime(2026, 3, 1, tzinfo=timezone.utc)


def _long_text(power):
    return "x" * 5**power


def _nested(levels, value):
    """Return *value* nested in *levels* objects."""
    for _ in range(levels):
        value = {"in": value}
    return value


PLAIN_VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["pro", " Bremen ", "Größe", "x" * 255, "a@example.com", "2026", "12-5", "user"]),
    st.integers(-1_000, 10**9),
    st.floats(-1e6, 1e6),
    st.booleans(),
)
"""Values that most applications send."""

ODD_VALUES = st.one_of(
    st.sampled_from(
        [
            None,
            "",
            " ",
            "\u00a0",
            "\x00\x1f",
            "\ud800",
            "😀" * 40,
            "x" * 256,
            "٣",
            "2026-03-01",
            "2026-03-01T10:00:00Z",
            "2024-02-29T23:59:59.Z",
            "9999-12-31",
            "1234-x",
            Text("own"),
            Text(" "),
        ]
    ),
    st.sampled_from([2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 10**30]),
    st.sampled_from([Whole(7), Fraction(0.5), -0.0, 1e300, float("nan"), float("inf"), -float("inf")]),
    st.sampled_from([[], [1], ["a", None], {}, {"a": {}}, {"a": {"b": {"c": {"d": {"e": 1}}}}}]),
    st.builds(_nested, st.integers(0, 4), st.integers(0, 7).map(_long_text)),
    st.sampled_from(
        [
            {"a": "x"},
            {"a b": 1, "a_b": 2},
            {"user_hash": "x"},
            {"": 1},
            {1: "a"},
            {Text("own"): 1},
            Facts(a=1),
            (1, 2),
            b"x",
            {1},
            _MOMENT,
        ]
    ),
)
"""Values that a fast path may have to leave to its full path."""

VALUES = mostly(PLAIN_VALUES, ODD_VALUES)
"""Mostly plain values, so that most examples take the fast path."""
