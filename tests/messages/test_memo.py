"""Remembering what was worked out for a key, up to a limit."""

from __future__ import annotations

import sys

import pytest

from metarouter_intercom import Settings
from metarouter_intercom.messages import _json_copy, _time_texts
from metarouter_intercom.messages._facts import PLAIN, KnownTraits
from metarouter_intercom.messages._integrations import Silence
from metarouter_intercom.messages._memo import Memo
from metarouter_intercom.operations._attribute_names import CLEAN, FOLDED, INNER
from metarouter_intercom.operations._metadata import Metadata


class _Upper:
    """Makes capitals of a name, and counts how often."""

    def __init__(self):
        self.made = []

    def __call__(self, name):
        self.made.append(name)
        return name.upper()


def test_a_value_is_worked_out_once():
    """The first look-up of a key makes its value, and each later one returns the same."""
    upper = _Upper()
    memo = Memo(upper)

    values = [memo["a"], memo["b"], memo["a"], memo["a"]]

    assert values == ["A", "B", "A", "A"]
    assert upper.made == ["a", "b"]


def test_beyond_the_limit_a_value_is_made_each_time():
    """However many keys come, only so many are remembered; the others get the same value, worked out again."""
    upper = _Upper()
    memo = Memo(upper, limit=2)

    values = [memo[name] for name in "abcacb"]

    assert values == ["A", "B", "C", "A", "C", "B"]
    assert upper.made == ["a", "b", "c", "c"]
    assert memo == {"a": "A", "b": "B"}


def test_a_value_of_none_is_remembered():
    """None is a value like any other."""
    keys = []
    memo = Memo(keys.append)

    assert (memo["a"], memo["a"]) == (None, None)
    assert keys == ["a"]


def test_a_key_that_cannot_be_worked_out_is_not_remembered():
    """What the function raises reaches the caller, and the next look-up tries again."""
    memo = Memo(lambda text: int(text))

    with pytest.raises(ValueError, match="invalid literal"):
        memo["x"]

    assert memo == {}


def test_a_known_key_costs_no_call():
    """Looking up a remembered key runs no Python function, because it happens several times for each message."""
    memo = Memo(str.upper)
    memo["a"]
    calls = []

    def profile(frame, event, argument):
        if event == "call":
            calls.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        value = memo["a"]
    finally:
        sys.setprofile(None)

    assert (value, calls) == ("A", [])


def test_names_are_remembered_up_to_a_limit():
    """However many names come, 20,000 are remembered; the others are worked out each time."""
    made = []
    names = Memo(lambda name: made.append(name) or name.upper())
    known = KnownTraits(["a"]).plain
    for count in range(20_010):
        names[f"n{count}"]
        known[f"n{count}"]

    assert len(names) == len(known) == 20_000
    assert names["n20005"] == "N20005"
    assert (names["n1"], made.count("n1"), made.count("n20005")) == ("N1", 1, 2)


def _metadata_shapes():
    return Metadata(Settings(api_key="k"), None)._shapes


@pytest.mark.parametrize(
    ("memo", "limit"),
    [
        pytest.param(PLAIN, 20_000, id="plain names"),
        pytest.param(CLEAN, 20_000, id="clean names"),
        pytest.param(FOLDED, 20_000, id="names without case"),
        pytest.param(INNER, 20_000, id="flattened names"),
        pytest.param(KnownTraits(["a"]).plain, 20_000, id="known traits"),
        pytest.param(_json_copy._key_sizes, 5_000, id="sizes of keys"),
        pytest.param(_time_texts._TAILS, 5_000, id="ends of times"),
        pytest.param(Silence(frozenset({"intercom"})), 5_000, id="contexts"),
        pytest.param(_metadata_shapes(), 5_000, id="properties"),
    ],
)
def test_each_memo_is_bounded(memo, limit):
    """A program that makes up names for ever does not fill memory with them."""
    assert (isinstance(memo, Memo), memo._limit) == (True, limit)
