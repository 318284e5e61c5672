"""The promise of rule E10: whatever is sent, repeated, lost or cut short, each distinct event is in the workspace exactly once."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarouter_intercom import Client
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import SpoolFailed
from metarouter_intercom.operations import SubmitEvent, Translation, Who
from metarouter_intercom.plugins import Request

from .event_rig import NOON, Rig

MOVED = "E10: another event has this second: moved to the next free one"
FULL = "E10: another event has this second, and none of the next 300 is free"
REPEATED = "E10: an event with this messageId was sent with another time"


@pytest.fixture(params=["memory", "spool"])
def make_rig(request, tmp_path):
    """Return a function that makes a rig on memory, or on a spool of its own."""
    rigs, names = [], itertools.count()

    def make(**options):
        spool = None if request.param == "memory" else tmp_path / f"{next(names)}.db"
        rigs.append(Rig(spool, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.client.close(0)


@pytest.fixture
def rig(make_rig):
    """A rig whose workspace has the contact u1."""
    made = make_rig()
    made.identify()
    made.deliver()
    return made


# --- events that would collapse -----------------------------------------------------------------------------


def test_events_of_one_day_all_arrive_in_their_order(rig):
    """E10: events whose times are days get one second each, in the order in which they came, with a note for each that moved."""
    for number in range(5):
        rig.track(second="2024-01-01", number=number)
    rig.deliver()

    assert [event.metadata["number"] for event in rig.workspace.events("u1")] == [0, 1, 2, 3, 4]
    assert rig.events() == [("Paid", 0), ("Paid", 1), ("Paid", 2), ("Paid", 3), ("Paid", 4)]
    assert rig.notes == {MOVED: 4}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Paid", "PAID"),
        ("Paid", "paid"),
        ("a.b", "A-B"),
        ("a$b", "a-b"),
        ("Größe", "GRÖSSE"),
        ("Paid", " Paid "),
    ],
)
def test_names_are_compared_as_intercom_does(rig, first, second):
    """E10: names that Intercom takes for one are one, whatever their case, and dots and dollars are hyphens."""
    rig.track(first, n=1)
    rig.track(second, n=2)
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1]
    assert rig.workspace.repeated_events == 0


def test_other_names_and_other_people_keep_their_second(rig):
    """E10: only events of one contact and one name have to make room for each other."""
    rig.identify("u2")
    rig.track(n=1)
    rig.track("Refunded", n=2)
    rig.track(user_id="u2", n=3)
    rig.deliver()

    assert rig.events() == [("Paid", 0), ("Refunded", 0)]
    assert rig.events("u2") == [("Paid", 0)]
    assert rig.notes == {}


def test_an_event_whose_own_second_was_given_away_moves_too(rig):
    """E10: a moved event keeps the second that it got, so a later event with that second moves as well, with a note."""
    for number, second in enumerate([0, 0, 1, 1]):
        rig.track(second=NOON + second, number=number)
    rig.deliver()

    assert [event.metadata["number"] for event in rig.workspace.events("u1")] == [0, 1, 2, 3]
    assert [second for _, second in rig.events()] == [0, 1, 2, 3]
    assert rig.notes == {MOVED: 3}


def test_no_event_moves_farther_than_300_seconds(rig):
    """E10: the event that finds 301 seconds taken is sent as it is, and a note says so; a later attempt sends it alike."""
    for number in range(303):
        rig.track(number=number)
    rig.deliver()
    rig.track(number=302)
    rig.deliver("refused")

    assert [second for _, second in rig.events()] == [*range(301)]
    assert rig.workspace.repeated_events == 3
    assert rig.notes == {MOVED: 300, FULL: 3}


def test_spreading_can_be_switched_off(make_rig):
    """E10: with ``spread_events=False`` every event keeps its second, and Intercom keeps one of two."""
    rig = make_rig(spread_events=False)
    rig.identify()
    rig.track(n=1)
    rig.track(n=2)
    rig.deliver()

    assert rig.events() == [("Paid", 0)]


def test_inline_delivery_spreads_too(make_rig):
    """E10, W1: a call that delivers by itself gives its event a second of its own."""
    rig = make_rig()
    rig.client.close(0)
    client = Client(api_key="key", transport=rig.line, clock=rig.clock, delivery="inline")
    client.identify("u1")
    for number in range(3):
        client.track("u1", "Paid", {"number": number}, timestamp=NOON)

    assert [second for _, second in rig.events()] == [0, 1, 2]


def test_properties_beyond_intercoms_limit_tell_events_apart(rig):
    """E10, E8: two purchases are two events even if they differ only in a property that Intercom does not keep."""
    many = {f"p{number}": number for number in range(10)}
    rig.track(**many, order=1)
    rig.track(**many, order=2)
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1]


# --- events that are the same -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"n": 1},
        {"list": [{"a": 1, "b": [True, None]}], "text": "ü"},
        {"deep": {"b": 1, "a": {"y": 2.5, "x": "\udc80"}}},
        {"-1": -1, "-2": -2},
    ],
)
def test_the_same_content_is_a_repeat_where_the_library_made_the_id(rig, properties):
    """E10: equal name, second and properties are one event if the caller gave no messageId, whatever the order of the keys."""
    backwards = dict(reversed(properties.items()))
    rig.track(n=0)
    rig.track(**properties)
    rig.deliver()
    rig.track(**backwards)
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1]
    assert rig.workspace.repeated_events == 1


def test_callers_ids_tell_equal_contents_apart(rig):
    """E10: two messageIds of the caller are two events, even if they agree in everything else."""
    rig.track(message_id="a")
    rig.track(message_id="b")
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1]


def test_one_message_id_is_one_event_at_any_time(make_rig):
    """E10: a messageId that comes again later, with another time, asks for the second of the first, and a note says so."""
    rig = make_rig()
    if rig.client.settings.spool is not None:
        pytest.skip("a spool recognises delivered ids before that (rule Q5)")
    rig.identify()
    rig.track(message_id="a")
    rig.deliver()
    rig.track(second=NOON + 5_000, message_id="a")
    rig.deliver()

    assert rig.events() == [("Paid", 0)]
    assert rig.notes == {REPEATED: 1}


def test_a_file_sent_twice_stays_a_repeat(rig):
    """E10: each event of a file that is sent again lands on the second that it had the first time."""
    file = [(second, number) for number, second in enumerate([0, 0, 1, 0, 7, 7])]
    for second, number in [*file, *file]:
        rig.track(second=NOON + second, number=number)
    rig.deliver()
    rig.restart()
    once = rig.events()
    for second, number in file:
        rig.track(second=NOON + second, number=number)
    rig.deliver()

    assert rig.events() == once
    assert len(once) == len(file)


def test_several_events_of_one_message_are_different(make_rig):
    """E10, P3: a translator that makes several events of one message gets a second for each."""

    def translate(message):
        event = {"who": Who(external_id="u1"), "event_name": "Paid", "created_at": NOON}
        return Translation(tuple(SubmitEvent(**event, metadata={"n": n}) for n in range(3)))

    rig = make_rig(translator=translate)
    rig.workspace.handle(_create("u1"))
    rig.track()
    rig.deliver("lost", "ok", "lost")

    assert [second for _, second in rig.events()] == [0, 1, 2]


def test_a_second_that_no_file_can_hold_is_sent_as_it_is(make_rig):
    """E10, P3: an event of a translator with an absurd time is refused by Intercom, and stops nothing."""
    far = SubmitEvent(who=Who(external_id="u1"), event_name="Paid", created_at=2**70, metadata={})
    rig = make_rig(translator=lambda message: Translation((far,)))
    rig.workspace.handle(_create("u1"))
    rig.track()
    rig.deliver()

    assert rig.client.report().pending == 0


def _create(user_id):
    return Request("POST", "/contacts", {"role": "user", "external_id": user_id})


# --- attempts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["lost", "refused", "crash"])
def test_every_attempt_asks_for_the_same_second(rig, fate):
    """E10: a retry asks for the second of the first attempt, whether Intercom has applied that one or not."""
    if fate == "crash" and rig.client.settings.spool is None:
        pytest.skip("what is in memory is lost with the process")
    for number in range(4):
        rig.track(number=number)
    rig.deliver("ok", fate)
    rig.track(number=4)
    rig.deliver()

    assert [event.metadata["number"] for event in rig.workspace.events("u1")] == [0, 1, 2, 3, 4]
    assert [second for _, second in rig.events()] == [0, 1, 2, 3, 4]


def test_dead_letters_keep_their_second(make_rig):
    """E10, X1: an event that is retried from the dead letters asks for the second that it had."""
    rig = make_rig(retry_for=100.0)
    rig.identify()
    rig.track(number=0)
    rig.track(number=1)
    rig.deliver("ok", *["lost"] * 20)
    rig.line.plan = []
    rig.track(number=2)
    rig.deliver()
    assert rig.client.dead_letters.count() == {"retry_expired": 1}

    rig.restart() if rig.client.settings.spool is not None else None
    rig.client.dead_letters.retry()
    rig.deliver()

    assert sorted(event.metadata["number"] for event in rig.workspace.events("u1")) == [0, 1, 2]


def test_an_event_that_waits_for_its_contact_keeps_its_second(make_rig):
    """E10, M2: the second of an event is the same before and after its contact and Intercom's id are known."""
    rig = make_rig()
    rig.track(number=0)
    rig.track(number=1)
    rig.client.flush(0)
    rig.identify()
    rig.track(number=2)
    rig.deliver("lost")

    assert [(event.metadata["number"], event.created_at - NOON) for event in rig.workspace.events("u1")] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]


# --- one person under several keys --------------------------------------------------------------------------


def test_an_address_of_an_identify_names_its_user(rig):
    """E10: an event by e-mail address makes room for those of the user who has the address, and they for it."""
    rig.identify(email="Ann@Example.com")
    rig.track(n=0)
    rig.deliver()
    rig.track(user_id=None, email="ann@example.com", n=1)
    rig.track(n=2)
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1, 2]


def test_events_that_wait_under_two_keys_do_not_collapse_when_they_meet(make_rig):
    """E10: events of one second under a user id and an address move apart once an identify says that it is one person."""
    rig = make_rig()
    rig.track(n=0)
    rig.track(user_id=None, email="ann@example.com", n=1)
    rig.client.flush(0)
    rig.clock.sleep(60)
    rig.client.flush(0)
    rig.identify(email="ann@example.com")
    rig.deliver()

    assert sorted(second for _, second in rig.events()) == [0, 1]


def test_intercoms_id_names_the_same_contact(rig):
    """E10: an event that names the contact by Intercom's id makes room for those that name it by the user id."""
    contact_id = rig.workspace.contact("u1").id
    rig.track(n=0)
    rig.deliver()
    rig.track(user_id=None, context={"Intercom": {"contact_id": contact_id}}, n=1)
    rig.deliver()

    assert [second for _, second in rig.events()] == [0, 1]


def test_a_lead_takes_its_seconds_along_into_its_user(make_rig):
    """E10, L1: after the merge, events of the user and of the visitor make room for those that the lead had."""
    rig = make_rig(anonymous="lead")
    rig.identify()
    rig.client.identify(anonymous_id="a1", traits={"name": "Ann"})
    rig.client.track(event="Paid", anonymous_id="a1", properties={"n": 0}, timestamp=NOON)
    rig.deliver()
    rig.client.alias(previous_id="a1", user_id="u1")
    rig.deliver()
    rig.track(n=1)
    rig.client.track(event="Paid", anonymous_id="a1", properties={"n": 2}, timestamp=NOON)
    rig.deliver()

    assert sorted(second for _, second in rig.events()) == [0, 1, 2]


# --- the spool ----------------------------------------------------------------------------------------------


def test_two_processes_on_one_spool_know_each_others_seconds(tmp_path):
    """E10, Q3: a client on the same spool file, or on it later, spreads against what the other one has sent."""
    rig = Rig(tmp_path / "s.db")
    rig.identify()
    rig.track(n=0)
    rig.deliver()
    other = Client(
        api_key="key", transport=rig.line, clock=rig.clock, delivery="manual", spool=tmp_path / "s.db"
    )
    other.track("u1", "Paid", {"n": 1}, timestamp=NOON)
    other.flush(0)
    rig.track(n=2)
    rig.deliver()
    other.close(0)
    rig.client.close(0)

    assert [second for _, second in rig.events()] == [0, 1, 2]


class _FailingSeconds:
    """The seconds of a spool whose file fails while ``fails`` is true."""

    def __init__(self, seconds):
        self._seconds = seconds
        self.fails = False

    def assign(self, wishes, links, unsaved=()):
        if self.fails:
            raise SpoolFailed("spool: the disk is full")
        return self._seconds.assign(wishes, links, unsaved)


class _HalfBroken(SpoolBuffer):
    def event_seconds(self):
        self.seconds = _FailingSeconds(super().event_seconds())
        return self.seconds


def test_a_file_that_fails_does_not_stop_the_delivery(tmp_path, caplog):
    """E10: while the file fails seconds are kept in memory, are written to it afterwards, and one warning tells."""
    buffers = []

    def make():
        buffers.append(_HalfBroken(tmp_path / "s.db", limit=100, dead_letters=100))
        return buffers[-1]

    rig = Rig(buffer=make)
    rig.identify()
    rig.track(number=0)
    rig.deliver()
    buffers[-1].seconds.fails = True
    for number in (1, 2):
        rig.track(number=number)
        rig.deliver("lost")
    buffers[-1].seconds.fails = False
    rig.track(number=3)
    rig.deliver()
    rig.restart()
    for number in range(4):
        rig.track(number=number)
    rig.deliver()
    rig.client.close(0)

    assert [second for _, second in rig.events()] == [0, 1, 2, 3]
    warnings = [record for record in caplog.records if "seconds of events" in record.msg]
    assert [record.fault for record in warnings] == ["spool: the disk is full"]


# --- any sequence -------------------------------------------------------------------------------------------

# Each event is named by its number: by user id or address, with an id of the caller's or of the library's, and its possible times.
_EVENTS = [
    {"name": name, "is_named": is_named, "by_email": by_email, "second": second}
    for name in ("Paid", "PAID")
    for is_named in (False, True)
    for by_email in (False, True)
    for second in (0, 0, 1)
]
_FATES = st.lists(st.sampled_from(["ok", "lost", "refused", "crash"]), max_size=4)
_STEPS = st.lists(
    st.one_of(
        st.lists(st.integers(0, len(_EVENTS) - 1), min_size=1, max_size=6),
        st.tuples(st.just("deliver"), _FATES),
        st.just("restart"),
        st.just("identify"),
    ),
    max_size=12,
)


@pytest.mark.parametrize("kind", ["memory", "spool"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_each_event_is_there_once_after_any_sequence(tmp_path_factory, kind, steps):
    """E10: after any events, repeats, lost answers, refusals, crashes and restarts each distinct event is in the workspace once."""
    rig = Rig(tmp_path_factory.mktemp("e10") / "s.db" if kind == "spool" else None)
    sent = set()
    for step in [["x"], "identify", *steps, "identify"]:
        if step == "identify":
            rig.identify(email="ann@example.com")
        elif step == "restart":
            rig.deliver()
            if kind == "spool":
                rig.restart()
        elif step[0] == "deliver":
            rig.deliver(*(fate for fate in step[1] if fate != "crash" or kind == "spool"))
        elif step != ["x"]:
            for number in step:
                _track(rig, number)
                sent.add(number)
    rig.deliver()
    rig.client.close(0)

    arrived = Counter(event.metadata["number"] for event in rig.workspace.events("u1"))
    assert arrived == dict.fromkeys(sent, 1)


def _track(rig, number):
    event = _EVENTS[number]
    who = {"user_id": None, "email": "ann@example.com"} if event["by_email"] else {}
    message_id = f"m{number}" if event["is_named"] else None
    rig.track(event["name"], NOON + event["second"], message_id=message_id, number=number, **who)
