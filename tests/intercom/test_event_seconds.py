"""The seconds of events in memory: one for each event, bounded, and moved along when two keys turn out to be one contact (rule E10)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom._intercom.event_seconds import MemorySeconds, Slot, resolved

_USERS = (11, 13)


def _memory(capacity=1_000):
    return MemorySeconds(lock=contextlib.nullcontext(), capacity=capacity)


def _slot(owner, second=0, place=11, name=1):
    return Slot(owner, place, name, second)


@given(
    wishes=st.lists(
        st.builds(Slot, st.integers(), st.sampled_from(_USERS), st.integers(1, 2), st.integers(0, 9))
    )
)
def test_no_two_events_have_one_second(wishes):
    """E10: each event of a contact and name has a second of its own, not before the one that it asked for and not far after it."""
    slots = _memory().assign(wishes, {})

    assert len({slot[1:] for slot in slots.values()}) == len(slots)
    first_wishes = {wish.owner: wish for wish in reversed(wishes)}
    assert all(0 <= slot.second - first_wishes[owner].second <= 300 for owner, slot in slots.items())


@given(
    wishes=st.lists(
        st.builds(
            Slot,
            st.integers(1, 20),
            st.sampled_from(["u1", "u2", ("email:a",), ("contact:c",)]),
            st.sampled_from(["paid", "left"]),
            st.integers(0, 3),
        )
    ),
    links=st.dictionaries(st.just(("email:a",)), st.sampled_from(["u1", ("contact:c",)]), max_size=1),
)
def test_one_by_one_memory_gives_what_it_gives_to_all(wishes, links):
    """E10: the short way of one event in memory and the way of a whole claim give the same seconds."""
    single, together = _memory(), _memory()
    single.link(links)
    slots = {wish.owner: single.take(wish) for wish in wishes}

    assert slots == together.assign(wishes, links)


@pytest.mark.parametrize("kept", [10, 40])
def test_memory_forgets_the_least_recently_used(kept):
    """E10, W4: memory is bounded, and an event that is retried again and again is not the one that leaves."""
    memory = _memory(capacity=kept)
    memory.assign([_slot(1), _slot(2)], {})
    for owner in range(3, 200):
        memory.known([_slot(1)])
        memory.take(Slot(owner, "u1", "Paid", owner))

    assert set(memory.known([_slot(owner) for owner in range(200)])) == {1, *range(201 - kept, 200)}
    assert memory.take(_slot(900)) is not None


def test_memory_bounds_links_and_what_they_move():
    """E10, W4: links are bounded as events are, and a forgotten event is not moved."""
    memory = _memory(capacity=3)
    memory.link({2 * number: 11 for number in range(100, 110)})
    for owner in range(1, 6):
        memory.take(_slot(owner, owner, place=20))
    memory.link({20: 11})

    assert memory.news_of({200: 11}) == {200: 11}
    assert [memory.known([_slot(owner)]).get(owner) for owner in (1, 5)] == [None, _slot(5, 5)]


def test_links_lead_two_steps_at_most():
    """E10: an address leads to a contact and from there to a user; no longer chain is followed, so a circle ends."""
    assert resolved(20, {20: 22, 22: 11}) == 11
    assert resolved(20, {20: 22, 22: 24, 24: 11}) == 24
    assert resolved(20, {20: 22, 22: 20}) == 20


def test_what_a_store_assigned_is_remembered_within_the_bounds():
    """E10, W4: memory keeps what the spool assigned, and forgets the oldest of it too."""
    memory = _memory(capacity=2)
    memory.remember({owner: _slot(owner, owner) for owner in (1, 2, 3)}, {})

    assert [memory.known([_slot(owner)]).get(owner) for owner in (1, 2, 3)] == [
        None,
        _slot(2, 2),
        _slot(3, 3),
    ]


def test_a_claim_of_many_is_bounded_too():
    """E10, W4: a claim of more events than memory holds leaves the last ones."""
    memory = _memory(capacity=2)
    memory.assign([_slot(owner, owner) for owner in range(1, 6)], {})

    assert sorted(memory.known([_slot(owner) for owner in range(1, 6)])) == [4, 5]


def test_a_new_link_forgets_what_the_store_may_have_moved():
    """E10: once a key leads to a user, the events under that key are asked for again."""
    memory = _memory()
    memory.assign([_slot(1, place=20), _slot(2, place=22)], {})
    memory.remember({}, {20: 11})

    assert memory.known([_slot(1), _slot(2)]) == {2: _slot(2, place=22)}


def test_events_of_one_key_leave_one_by_one():
    """E10, W4: events that leave memory take nothing of the others under their key with them; one without a free second holds none."""
    memory = _memory(capacity=3)
    memory.assign([_slot(1, 1, place=20), _slot(2, 2, place=20), Slot(3, None, 1, 3)], {})
    memory.assign([_slot(4, 4), _slot(5, 5), _slot(6, 6)], {})

    assert sorted(memory.known([_slot(owner) for owner in range(1, 7)])) == [4, 5, 6]
    assert memory.take(_slot(7, 1, place=20)) == _slot(7, 1, place=20)
