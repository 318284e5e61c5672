"""The idiom by which fast paths are compared with their full paths fails when it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .._support.promises import promised
from .._support.twins import GONE, Text, assert_twins_agree, exact, usual_with_changes

_NUMBERS = st.integers(0, 1_000)


def test_paths_that_agree_pass():
    """A fast path may leave values to its full path, and agrees on the others."""
    assert_twins_agree(lambda value: value * 2 if value % 2 else None, lambda value: value + value, _NUMBERS)


@pytest.mark.parametrize(
    ("fast", "full"),
    [
        (lambda value: value, lambda value: value + (value == 0)),
        (lambda value: 1, lambda value: True),
        (lambda value: 1, lambda value: 1.0),
        (lambda value: -0.0, lambda value: 0.0),
        (lambda value: "a", lambda value: Text("a")),
        (lambda value: [1], lambda value: (1,)),
        (lambda value: {"a": 1, "b": 2}, lambda value: {"b": 2, "a": 1}),
        (lambda value: {"a": [{"b": 1}]}, lambda value: {"a": [{"b": True}]}),
    ],
)
def test_an_answer_that_differs_fails(fast, full):
    """One value of another type, sign or order is a difference."""
    with pytest.raises(AssertionError):
        assert_twins_agree(fast, full, _NUMBERS)


def test_an_answer_where_the_full_path_refuses_fails():
    """A value that the full path refuses must be left to it."""
    with pytest.raises(AssertionError, match="the full path refuses the value: ZeroDivisionError"):
        assert_twins_agree(lambda value: value, lambda value: 0 // value + value, _NUMBERS)


def test_a_fast_path_that_is_hardly_taken_fails():
    """Agreement on a few values proves nothing, and the failure says how many there were."""
    with pytest.raises(AssertionError, match=r"took the fast path: \d+%, less than 30%"):
        assert_twins_agree(lambda value: value if value < 100 else None, lambda value: value, _NUMBERS)


def test_order_may_mean_nothing():
    """Where the order of keys means nothing, only their values are compared."""
    one, other = {"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}

    assert_twins_agree(lambda value: one, lambda value: other, _NUMBERS, is_ordered=False)


def test_not_a_number_is_itself():
    """NaN, which equals nothing, is no difference between two paths."""
    assert exact({"a": float("nan")}) == exact({"a": float("nan")})


@given(usual_with_changes([{"a": 1, "b": {"c": 2}}], st.sampled_from([(("b", "c"), 3), (("a",), GONE)])))
@promised
def test_changes_are_made_where_they_are_asked_for(value):
    """A usual object comes as it is or with the changes drawn, at any depth."""
    assert value in ({"a": a, "b": {"c": c}} if a else {"b": {"c": c}} for a in (1, None) for c in (2, 3))


def test_a_change_that_leads_nowhere_changes_nothing():
    """A path through something that is no object, or is not there, leaves the value as it is."""
    changes = st.sampled_from([(("a", "b"), 5), (("missing", "b"), 5)])

    assert_twins_agree(lambda value: value, lambda value: {"a": 1}, usual_with_changes([{"a": 1}], changes))
