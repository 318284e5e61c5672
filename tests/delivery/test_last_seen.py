"""Events refresh when their contact was last seen: never backwards, not too often, and without a request of their own if one is due (E11)."""

from __future__ import annotations

import pytest

from metarouter_intercom.plugins import Request

from .event_rig import NOON, Rig


@pytest.fixture
def rig():
    """A rig with the setting on, and a contact that was last seen at noon."""
    made = Rig(events_update_last_seen=True)
    made.client.identify("u1", timestamp=NOON)
    made.deliver()
    yield made
    made.client.close(0)


def _seen(rig):
    return rig.workspace.contact("u1").fields["last_seen_at"] - NOON


def _writes(rig):
    return [f"{one.method} {one.path}" for one in rig.workspace.requests if "/contacts" in one.path]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([400], 400), ([299], 0), ([300], 300), ([-400], 0), ([400, 800], 800), ([800, 400], 800), ([0], 0)],
)
def test_an_event_refreshes_the_field_and_never_sets_it_back(rig, seconds, expected):
    """E11: the latest event counts if it is at least ``last_seen_resolution`` later than what is stored."""
    for second in seconds:
        rig.track(second=NOON + second)
        rig.deliver()

    assert _seen(rig) == expected


def test_events_that_are_due_together_are_one_write(rig):
    """E11: the latest of several events is written once."""
    before = len(_writes(rig))
    for second in (500, 900, 700):
        rig.track(second=NOON + second)
    rig.deliver()

    assert _seen(rig) == 900
    assert len(_writes(rig)) == before + 1


def test_a_write_that_is_due_takes_the_time_along(rig):
    """E11: with an identify of the contact there is no request more, and an older identify does not win."""
    before = len(_writes(rig))
    rig.track(second=NOON + 500)
    rig.client.identify("u1", {"name": "Ann"}, timestamp=NOON + 100)
    rig.deliver()

    assert _seen(rig) == 500
    assert len(_writes(rig)) == before + 1


def test_an_old_event_beside_an_identify_sets_nothing_back(rig):
    """E11: the time of an old event does not go along with an identify that says nothing about the field."""
    rig.track(second=NOON - 500)
    rig.client.identify("u1", {"name": "Ann"}, context={"active": False})
    rig.deliver()

    assert _seen(rig) == 0
    assert rig.workspace.contact("u1").fields["name"] == "Ann"


def test_the_moved_second_does_not_count(rig):
    """E11, E10: an event that moved to another second refreshes the field with the time that it had."""
    for number in range(5):
        rig.track(second=NOON + 500, number=number)
    rig.deliver()

    assert _seen(rig) == 500


def test_a_contact_that_this_client_never_wrote_is_asked_for_once():
    """E11: events of the past set nothing back for a contact that other programs have written."""
    rig = Rig(events_update_last_seen=True)
    body = {"role": "user", "external_id": "u1", "last_seen_at": NOON}
    rig.workspace.handle(Request("POST", "/contacts", body))
    for second in (-900, -500, 600):
        rig.track(second=NOON + second)
        rig.deliver()
    rig.client.close(0)

    assert _seen(rig) == 600
    assert [line.split("/")[0] for line in _writes(rig)[1:]] == ["GET ", "GET ", "PUT "]


def test_no_contact_is_created(rig):
    """E11, M2: an event of somebody unknown waits, and its contact is not made."""
    rig.track(user_id="u2")
    rig.client.flush(0)

    assert rig.workspace.contact("u2") is None
    assert rig.client.report().pending == 1
    assert "POST /contacts" not in _writes(rig)[1:]


def test_a_waiting_event_refreshes_once_its_contact_is_there(rig):
    """E11, M2: the time goes along with the identify for which the event has waited."""
    rig.track(second=NOON + 700, user_id="u2")
    rig.client.flush(0)
    rig.client.identify("u2", timestamp=NOON)
    rig.deliver()

    assert rig.workspace.contact("u2").fields["last_seen_at"] == NOON + 700
    assert len(rig.events("u2")) == 1


def test_a_lost_answer_is_written_again(rig):
    """E11, O3: after an answer that was lost the field is written again, because nobody knows what is stored."""
    rig.track(second=NOON + 500)
    rig.deliver("lost")

    assert _seen(rig) == 500
    assert len(rig.events()) == 1
