"""The metadata of track, page and screen messages (rules E): the fast path writes what the full path writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import Settings
from metarouter_intercom.messages import Track
from metarouter_intercom.operations import Who
from metarouter_intercom.operations._events import Events
from metarouter_intercom.operations._flatten import Flattener

from .._support.promises import promised
from .._support.twins import VALUES, Text, assert_twins_agree, change, mostly, usual_with_changes

_names = st.sampled_from(
    ["revenue", "currency", "Revenue", "total", "plan", "Plan", "a.b", "a_b", "", "price", "n", "when"]
)
_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["x", "", "19.99", "eur", "2026-03-01", "x" * 300, [], {"a": 1}])
)


_money = mostly(
    st.floats(0, 1e6)
    | st.integers(0, 10**9)
    | st.sampled_from(["19.99", "$1,025.00", "€ 5", "0,500", "5 JPY"]),
    st.sampled_from(["", " ", "free", None, True, 2**53, 10**30, float("nan"), float("inf"), [], Text("5")])
    | st.sampled_from([-1, -0.5, -0.0, "-5", "\u22125", "(5)", "5-", "¥5", "25%", "5 kr", "-5 kr"])
    | st.sampled_from([{"amount": 5, "currency": "EUR"}, {"amount": -5, "currency": "EUR"}, {"amount": 5}]),
)
_currencies = mostly(
    st.sampled_from(["EUR", "jpy", " usd "]), st.sampled_from(["euro", "", None, 978, Text("eur")])
)
_properties = usual_with_changes(
    [
        {"plan": "pro", "seats": 5, "price per seat": 19.99, "trial": False},
        {"revenue": 19.99, "currency": "EUR", "plan": "pro"},
        {"Report Name": "a", "pages": 3, "a!b": 1},
    ],
    mostly(
        change(["plan", "seats", "new", "a.b", "Größe"], VALUES)
        | change(["revenue"], _money)
        | change(["currency"], _currencies),
        change(["Plan", "a_b", "a!b", "A_B", "", "$", "when", "email", "user_hash"], VALUES)
        | change(["Revenue", "total", "price", "item_price"], _money)
        | change(["Currency"], _currencies),
    ),
)
_instants = mostly(
    st.integers(0, 10**10),
    st.sampled_from([1_706_696_100_123, -(10**12), 10**14, 10**17, 10**30, 10**11, -(10**11), 10**11 - 1])
    | st.sampled_from([1_706_696_100.5, 12.5, 1e11, 1e300, float("nan"), True, None, "1706696100123"]),
)
_dated = usual_with_changes(
    [{"due_date": 1_706_696_100, "seen_at": 5, "paidAt": 7, "count": 12.5}],
    change(["due_date", "seen_at", "paidAt", "count", "seen.at", "end/date"], _instants),
)
_rich = usual_with_changes(
    [{"plan": "pro"}],
    mostly(
        change(
            ["plan"], st.sampled_from(["x", "https://a.example", "https://a.example/" + "x" * 300, "x" * 300])
        ),
        change(
            ["order", "plan"],
            st.sampled_from(
                [{"url": "https://a.example", "value": 5}, {"amount": 5.0, "currency": "EUR"}, [1, "x"]]
            ),
        ),
    ),
)
_many = st.integers(8, 12).map(lambda number: {f"k{at}": at for at in range(number)})


@pytest.mark.parametrize(
    "choices",
    [{}, {"default_currency": "JPY"}, {"metadata_limit": 4}, {"dates": "keep"}, {"default_currency": "SEK"}],
    ids=str,
)
@pytest.mark.parametrize("name", ["Seen", "Order Completed"])
def test_both_paths_write_the_same(name, choices):
    """E3 to E8: the metadata of the fast path is that of the full path, in the same order and without a note."""
    chosen = Settings(api_key="k", **choices)
    events = Events(chosen, Flattener(chosen, of_events=True))

    def fast(properties):
        metadata = events.metadata.read_fast(properties)
        return None if metadata is None else (metadata, [])

    def full(properties):
        notes = []
        return events.metadata.read_full(properties, name, email=None, notes=notes), notes

    assert_twins_agree(fast, full, mostly(_properties, _many | _rich))
    assert_twins_agree(fast, full, _dated)


@given(st.lists(st.dictionaries(_names, _values, max_size=12), max_size=6))
@promised
def test_a_remembered_shape_means_the_same_each_time(all_properties):
    """The meaning of names, once worked out, holds for every later message with the same names."""
    chosen = Settings(api_key="k")
    events = Events(chosen, Flattener(chosen, of_events=True))

    for properties in all_properties * 2:
        fresh = Events(chosen, Flattener(chosen, of_events=True))
        assert events.metadata.read_fast(properties) == fresh.metadata.read_fast(properties)


def test_shapes_are_remembered_up_to_a_limit():
    """However many sets of names come, 5,000 are remembered, and every event is written all the same."""
    chosen = Settings(api_key="k")
    events = Events(chosen, Flattener(chosen, of_events=True))

    written = [
        events.translate_event(
            Track(event="x", properties={f"k{count}": count}), "x", who=Who(external_id="u1"), notes=[]
        ).metadata
        for count in range(5_010)
    ]

    assert written == [{f"k{count}": count} for count in range(5_010)]
    assert len(events.metadata._shapes) == 5_000
