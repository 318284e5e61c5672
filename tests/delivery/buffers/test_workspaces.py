"""Q7: a spool keeps apart what it has of several workspaces."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarouter_intercom._delivery.buffers.schema import STEPS, connect
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom._delivery.buffers.workspace_tables import TABLES
from metarouter_intercom._intercom.event_seconds import Slot

from .filling import drain, names, put, settle, take

_A, _B, _A_ELSEWHERE = "a" * 16 + "1" * 16, "b" * 16 + "1" * 16, "a" * 16 + "2" * 16


@pytest.fixture
def open_spool(tmp_path):
    """Return a function that opens one spool for credentials; all are closed afterwards."""
    made = []

    def open_spool(credentials, **options):
        made.append(
            SpoolBuffer(tmp_path / "s.db", limit=1000, dead_letters=100, credentials=credentials, **options)
        )
        return made[-1]

    yield open_spool
    for spool in made:
        spool.close()


def test_each_workspace_has_its_own_messages(open_spool):
    """Only the messages of the identified workspace are claimed, due and waited for; all are counted."""
    first, second = open_spool(_A), open_spool(_B)
    put(first, "m-1")
    put(second, "m-2", now=2.0)
    first.workspaces().identify("w-1", adopt=False)
    second.workspaces().identify("w-2", adopt=False)
    second.pending()

    assert second.workspaces().waiting() == {"w-1": 1}
    assert drain(second, now=5.0) == ["m-2"]
    assert (second.next_due_at(now=5.0), second.has_pending(100), second.pending()) == (None, False, 1)
    assert drain(first, now=5.0) == ["m-1"]


def test_an_id_is_a_duplicate_in_its_own_workspace(open_spool):
    """Q5: a buffered or delivered message id is a duplicate in its workspace, and news in another one."""
    for credentials, workspace in ((_A, "w-1"), (_B, "w-2"), (_A, "w-1"), (_B, "w-2")):
        spool = open_spool(credentials)
        put(spool, "m-1")
        spool.workspaces().identify(workspace, adopt=False)
        put(spool, "m-2")
        delivered = drain(spool, now=5.0)
        spool.close()
        if credentials == _A:
            expected = delivered
        assert delivered == expected
    assert expected == []


def test_values_and_seconds_are_remembered_for_each_workspace(open_spool):
    """Ids, fingerprints and seconds of events of one workspace are unknown in another, and known again on the way back."""
    known = []
    for credentials, workspace in ((_A, "w-1"), (_B, "w-2"), (_A, "w-1")):
        spool = open_spool(credentials)
        store, seconds = spool.store(), spool.event_seconds()
        store.put("contact", "user:u-1", "too early")
        spool.workspaces().identify(workspace, adopt=False)
        known.append(store.get("contact", "user:u-1"))
        store.put("contact", "user:u-1", f"id in {workspace}")
        slot = seconds.assign([Slot(owner=len(known), place=11, name=5, second=100)], {})[len(known)]
        known.append(slot.second)
        spool.close()

    assert known == [None, 100, None, 100, "id in w-1", 101]


def test_keys_of_one_workspace_share_everything(open_spool):
    """A second key of a workspace joins what the first one left: each contact keeps its order, wherever a message was accepted."""
    old, new = open_spool(_A), open_spool(_B)
    put(old, "m-1", keys=["user:a"], now=1.0)
    put(new, "m-2", keys=["user:a"], now=2.0)
    put(old, "m-3", keys=["user:a"], now=3.0)
    put(old, "m-4", keys=["user:b"], now=4.0)
    put(new, "m-1", keys=["user:a"], now=5.0)
    old.workspaces().identify("w-1", adopt=False)
    new.workspaces().identify("w-1", adopt=False)

    assert sorted([names(take(new, now=9.0)), names(take(new, now=9.0))]) == [["m-1", "m-2", "m-3"], ["m-4"]]
    assert (new.pending(), new.tallies().late_duplicates) == (4, 1)


def test_what_moves_takes_nobody_along(open_spool):
    """While messages of a first key move to the workspace of a second one, a third key's messages get a place of their own."""
    first, second = open_spool(_A), open_spool(_B)
    put(first, "m-1")
    first.pending()
    second.workspaces().identify("w-1", adopt=False)
    first.workspaces().identify("w-1", adopt=False)
    third = open_spool("c" * 32)
    put(third, "m-2")
    third.pending()

    assert drain(first, now=5.0) == ["m-1"]
    assert first.workspaces().waiting() == {None: 1}


def test_messages_in_hand_move_when_they_are_settled(open_spool):
    """What another process is delivering stays in its lane until it is settled; then it moves, and is not delivered twice."""
    waiting, spool = open_spool(_B), open_spool(_A)
    put(waiting, "m-1")
    claim = take(waiting)
    spool.workspaces().identify("w-1", adopt=True)

    assert take(spool) is None
    assert spool.has_pending(100)
    assert spool.next_due_at(now=2.0) == 3.0
    settle(waiting, claim, "release")
    assert names(take(spool, now=4.0)) == ["m-1"]
    assert spool.workspaces().moves == ()


@pytest.mark.parametrize(
    ("is_refused", "credentials", "moves"),
    [(False, _B, False), (True, _B, True), (False, _A_ELSEWHERE, True)],
)
def test_what_nobody_knows_belongs_to_its_key(open_spool, is_refused, credentials, moves):
    """Messages without a known workspace are for the same key at any address, and for everybody once their key was refused."""
    unknown = open_spool(_A)
    put(unknown, "m-1")
    unknown.pending()
    if is_refused:
        unknown.workspaces().refuse()
    spool = open_spool(credentials)
    spool.workspaces().identify("w-1", adopt=False)

    assert spool.workspaces().waiting() == ({} if moves else {None: 1})
    assert drain(spool, now=5.0) == (["m-1"] if moves else [])


def test_dead_letters_know_their_workspace(open_spool):
    """A dead letter belongs to the workspace for which its message was accepted, and adoption takes it over."""
    first = open_spool(_A)
    put(first, "m-1")
    settle(first, take(first), "bury", reason="poison")
    first.workspaces().identify("w-1", adopt=False)
    second = open_spool(_B)
    second.workspaces().identify("w-2", adopt=False)
    second.bury({"messageId": "m-2"}, reason="plugin_failed", now=1.0)

    assert [second.workspaces().owner_of_letter(number) for number in (1, 2, 3)] == [
        (False, "w-1"),
        (True, "w-2"),
        (True, None),
    ]
    second.workspaces().identify("w-2", adopt=True)
    assert second.workspaces().owner_of_letter(1) == (True, "w-2")


def test_deletion_drops_in_its_own_workspace(open_spool):
    """The messages of a contact of the same name in another workspace stay."""
    first, second = open_spool(_A), open_spool(_B)
    put(first, "m-1")
    put(second, "m-2")
    first.workspaces().identify("w-1", adopt=False)
    second.workspaces().identify("w-2", adopt=False)

    assert [message["messageId"] for message in second.drop(["user:a"])] == ["m-2"]
    assert drain(first, now=5.0) == ["m-1"]


def test_a_spool_of_an_earlier_version_belongs_to_the_first_that_opens_it(open_spool, tmp_path):
    """Messages, ids and dead letters of a file without workspaces are the first workspace's; the next one finds none of them."""
    connect(str(tmp_path / "s.db"), sync="normal", steps=STEPS[: STEPS.index(TABLES)]).close()
    database = sqlite3.connect(tmp_path / "s.db")
    database.executescript(
        """
        INSERT INTO lanes VALUES (1, 1, 0, 0, 1.0, NULL);
        INSERT INTO lane_keys VALUES ('user:a', 1);
        INSERT INTO messages (seq, lane, message_id, keys, upserts, body, accepted_at)
            VALUES (1, 1, 'm-1', '["user:a"]', 0, '{"messageId": "m-1", "type": "track"}', 1.0);
        INSERT INTO delivered (message_id) VALUES ('m-0');
        INSERT INTO shelf (kind, key, value) VALUES ('contact', 'user:a', 'id-1');
        INSERT INTO dead (reason, body, attempts, accepted_at, died_at) VALUES ('poison', '{}', 1, 1.0, 2.0);
        UPDATE numbers SET seq = 1, lane = 1, pending = 1, dead = 1;
        """
    )
    database.close()

    first, second = open_spool(_A), open_spool(_B)
    put(first, "m-0", now=2.0)
    first.workspaces().identify("w-1", adopt=False)
    second.workspaces().identify("w-2", adopt=False)

    assert second.workspaces().waiting() == {"w-1": 1}
    assert (first.store().get("contact", "user:a"), second.store().get("contact", "user:a")) == ("id-1", None)
    assert (first.workspaces().owner_of_letter(1)[0], second.workspaces().owner_of_letter(1)[0]) == (
        True,
        False,
    )
    assert drain(first, now=5.0) == ["m-1"]
    assert first.tallies().late_duplicates == 1


def test_the_settings_of_the_mapping_are_kept_for_each_workspace(open_spool):
    """The settings of the last client of a workspace count; a program that only reads changes none."""
    for credentials, workspace, value in ((_A, "w-1", "1"), (_B, "w-2", "2"), (_A, "w-1", "3")):
        spool = open_spool(credentials, mapping={"dates": value})
        put(spool, f"m-{value}")
        settle(spool, take(spool, now=5.0), "bury", reason="poison")
        spool.workspaces().identify(workspace, adopt=False)
        spool.close()

    reader = open_spool("")
    reader.workspaces().identify(None, adopt=False)
    assert [reader.workspaces().mapping(number) for number in (1, 2, 3, None)] == [
        {"dates": "3"},
        {"dates": "2"},
        {"dates": "3"},
        {"dates": "3"},
    ]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from(["put", "put", "deliver", "retry", "identify", "open"]),
        st.sampled_from("xyz"),
    ),
    max_size=30,
)


def test_messages_that_are_to_move_go_to_no_other_workspace(open_spool):
    """Q7: if their client ends before it has moved its messages, the next one of its workspace delivers them, and no other one."""
    first, same, other = (open_spool(name * 16 + "1" * 16) for name in "abc")
    put(first, "m")
    same.workspaces().identify("w-1", adopt=False)
    assert take(same) is None
    first.workspaces().identify("w-1", adopt=False)
    other.workspaces().identify("w-2", adopt=False)

    assert take(other) is None
    same.workspaces().identify("w-1", adopt=False)
    assert drain(same) == ["m"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_in_any_sequence_each_message_reaches_its_workspace_once(tmp_path_factory, steps):
    """Whatever three clients do in whatever order, each message comes out once, in its workspace, in the order of its client and contact."""
    workspaces = {"A": "w-1", "B": "w-1", "C": "w-2"}
    path = tmp_path_factory.mktemp("steps") / "s.db"
    spools, accepted, delivered = {}, {"w-1": [], "w-2": []}, {"w-1": [], "w-2": []}

    def spool_of(name):
        if name not in spools:
            spools[name] = SpoolBuffer(
                path, limit=1000, dead_letters=10, credentials=name.lower() * 16 + "1" * 16
            )
        return spools[name]

    def deliver(name, kind, now):
        spool = spool_of(name)
        spool.workspaces().identify(workspaces[name], adopt=False)
        claim = take(spool, now=now)
        if claim is not None:
            if kind == "ack":
                delivered[workspaces[name]] += names(claim)
            settle(spool, claim, kind, now=now)
        return claim

    for number, (name, step, contact) in enumerate(steps):
        now = 10.0 + number
        if step == "put":
            put(spool_of(name), f"{name}{contact}-{number}", keys=[f"user:{contact}"], now=now)
            accepted[workspaces[name]].append(f"{name}{contact}-{number}")
        elif step == "open" and name in spools:
            spools.pop(name).close()
        elif step == "identify":
            spool_of(name).workspaces().identify(workspaces[name], adopt=False)
        elif step in ("deliver", "retry"):
            deliver(name, "ack" if step == "deliver" else "release", now)
    for name in ("A", "B", "C"):
        while deliver(name, "ack", 1000.0) is not None:
            pass
    pending = spool_of("A").pending()
    for spool in spools.values():
        spool.close()

    assert pending == 0
    for workspace, ids in accepted.items():
        assert sorted(delivered[workspace]) == sorted(ids)
        for start in {one[:2] for one in ids}:
            of_contact = [one for one in delivered[workspace] if one.startswith(start)]
            assert of_contact == sorted(of_contact, key=lambda one: int(one[3:]))
