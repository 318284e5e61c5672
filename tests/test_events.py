"""Track, page and screen messages (rules E): the quick way writes what the careful one writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import Settings
from metarouter_intercom._attributes import Flattener
from metarouter_intercom._events import Events
from metarouter_intercom.messages import Track
from metarouter_intercom.operations import Who

from .promises import promised

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


@given(st.dictionaries(_names, _values, max_size=12), st.sampled_from(["Seen", "Order Completed"]))
@promised
def test_the_quick_way_writes_the_same(properties, name):
    """Metadata that is written without a look at its rules is what the rules give, and needs no note."""
    chosen = Settings(api_key="k")
    events = Events(chosen, Flattener(chosen, of_events=True))
    careful, notes = {}, []
    events._write_metadata(properties, name, careful, notes)

    quick = events._usual(properties)

    if quick is not None:
        assert list(quick.items()) == list(careful.items())
        assert notes == []


@given(st.lists(st.dictionaries(_names, _values, max_size=12), max_size=6))
@promised
def test_a_remembered_shape_means_the_same_each_time(all_properties):
    """What was worked out for some names holds for every later message with them."""
    chosen = Settings(api_key="k")
    events = Events(chosen, Flattener(chosen, of_events=True))

    for properties in all_properties * 2:
        fresh = Events(chosen, Flattener(chosen, of_events=True))
        assert events._usual(properties) == fresh._usual(properties)


def test_shapes_are_kept_up_to_a_bound():
    """However many sets of names come, so many are kept, and every event is written all the same."""
    chosen = Settings(api_key="k")
    events = Events(chosen, Flattener(chosen, of_events=True))

    written = [
        events.translate(
            Track(event="x", properties={f"k{count}": count}), "x", Who(external_id="u1"), []
        ).metadata
        for count in range(5_010)
    ]

    assert written == [{f"k{count}": count} for count in range(5_010)]
    assert len(events._plans) == 5_000
