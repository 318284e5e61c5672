"""What every buffer does (rules Q3 to Q5, O1, M2, X1): one suite for memory and the spool."""

import json
import marshal
import threading

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom.plugins import Settlement

from ..._support.twins import VALUES, assert_twins_agree, change, exact, usual_with_changes
from .filling import drain, names, put, settle, take


def test_messages_come_out_as_they_went_in(buffer):
    """A claimed message equals the accepted one, unusual values included."""
    properties = {
        "a": [1, 2.5, True, None, {"b": "é\u2028"}],
        "big": 2**63,
        "inf": float("inf"),
        "user_id": "x",
    }
    put(buffer, "m1", properties=properties)

    claim = take(buffer)

    assert claim.entries[0].message == {
        "type": "track",
        "messageId": "m1",
        "timestamp": 1.0,
        "properties": properties,
    }
    assert claim.entries[0][2:] == (1.0, 0, 0, None)


def test_later_changes_do_not_reach_the_buffer(buffer):
    """Q1: what the caller does to its data afterwards changes nothing."""
    message = {"type": "track", "messageId": "m", "timestamp": 1.0, "properties": {"a": [1]}}
    buffer.accept(message, keys=["user:a"], upserts=False, now=1.0)
    message["properties"]["a"].append(2)

    assert take(buffer).entries[0].message["properties"] == {"a": [1]}


def test_empty_buffer_has_nothing(buffer):
    """In an empty buffer nothing can be claimed, nothing is due and nothing is pending."""
    assert take(buffer) is None
    assert buffer.next_due_at(now=5.0) is None
    assert buffer.pending() == 0
    assert buffer.mark() == 0
    assert buffer.oldest_accepted_at() is None
    assert not buffer.has_pending(10)


def test_one_contact_keeps_its_order(buffer):
    """O1: messages of one contact come in the order of acceptance."""
    for number in range(5):
        put(buffer, f"m{number}", now=1.0 + number / 10)

    assert names(take(buffer)) == ["m0", "m1", "m2", "m3", "m4"]


def test_one_lane_is_claimed_by_one_at_a_time(buffer):
    """O1: while messages of a contact are leased, later ones of that contact wait; those of others do not."""
    put(buffer, "a1")
    put(buffer, "b1", keys=["user:b"])
    first = take(buffer)
    put(buffer, "a2")

    assert names(first) == ["a1"]
    assert names(take(buffer)) == ["b1"]
    assert take(buffer) is None

    settle(buffer, first)
    assert names(take(buffer)) == ["a2"]


def test_a_shared_key_makes_one_lane(buffer):
    """O1: a track by e-mail and an identify with that e-mail share a lane."""
    put(buffer, "t", keys=["email:a@example.com"])
    put(buffer, "i", keys=["user:a", "email:a@example.com"], upserts=True)
    put(buffer, "u", keys=["user:a"])

    assert names(take(buffer)) == ["t", "i", "u"]


def test_lanes_join_while_one_is_leased(buffer):
    """O1: a message that joins two lanes waits until the claim of one of them is settled."""
    put(buffer, "a1", keys=["user:a"])
    leased = take(buffer)
    put(buffer, "b1", keys=["email:b@example.com"])
    put(buffer, "ab", keys=["user:a", "email:b@example.com"])

    assert take(buffer) is None

    settle(buffer, leased)
    assert names(take(buffer)) == ["b1", "ab"]


def test_three_lanes_join(buffer):
    """O1: one message may join three lanes, and all messages come in the order of acceptance."""
    put(buffer, "a", keys=["user:a"])
    put(buffer, "b", keys=["email:b@example.com"])
    put(buffer, "b2", keys=["email:b@example.com"])
    put(buffer, "c", keys=["contact:c"])
    put(buffer, "all", keys=["contact:c", "user:a", "email:b@example.com"])

    assert drain(buffer) == ["a", "b", "b2", "c", "all"]
    assert buffer.pending() == 0


def test_messages_about_nobody_share_no_lane(buffer):
    """A message without keys waits for no other one."""
    put(buffer, "g1", keys=[])
    put(buffer, "g2", keys=[])

    assert names(take(buffer)) == ["g1"]
    assert names(take(buffer)) == ["g2"]


def test_claims_are_bounded(buffer):
    """W4: a claim has at most *limit* messages, and the rest stays in order."""
    for number in range(5):
        put(buffer, f"m{number}")

    first = take(buffer, limit=2)
    settle(buffer, first)

    assert names(first) == ["m0", "m1"]
    assert drain(buffer, limit=2) == ["m2", "m3", "m4"]


def test_rescheduled_messages_wait(buffer):
    """O1, T2: a message that waits for a retry holds back its own contact and nobody else's."""
    put(buffer, "a1")
    put(buffer, "b1", keys=["user:b"])
    settle(buffer, take(buffer), "retry", due_at=10.0, failed=True)
    put(buffer, "a2", now=3.0)
    put(buffer, "b2", keys=["user:b"], now=3.0)

    assert drain(buffer, now=5.0) == ["b1", "b2"]
    assert buffer.next_due_at(now=5.0) == 10.0
    claim = take(buffer, now=10.0)
    assert names(claim) == ["a1", "a2"]
    assert claim.entries[0].attempts == 1
    assert claim.entries[0].failures == 1


def test_upsert_passes_what_waits_for_its_contact(buffer):
    """M2: what waits for a missing contact never holds back an upsert of that contact."""
    put(buffer, "t")
    settle(buffer, take(buffer), "wait", due_at=60.0)
    put(buffer, "t2", now=3.0)

    assert take(buffer, now=3.0) is None

    put(buffer, "i", upserts=True, now=4.0)
    claim = take(buffer, now=4.0)
    assert names(claim) == ["t", "t2", "i"]
    assert claim.entries[0].waiting_since == 2.0


def test_upsert_behind_a_retry_waits(buffer):
    """O1: an upsert does not pass a message that waits for a retry."""
    put(buffer, "t")
    settle(buffer, take(buffer), "retry", due_at=60.0)
    put(buffer, "i", upserts=True, now=4.0)

    assert take(buffer, now=4.0) is None
    assert names(take(buffer, now=60.0)) == ["t", "i"]


def test_upsert_behind_many_waiting_messages_is_claimed(buffer):
    """M2: however many messages wait, the upsert that brings their contact is claimed with them."""
    for number in range(6):
        put(buffer, f"t{number}")
    for _ in range(3):
        claim = take(buffer, limit=2)
        if claim is not None:
            settle(buffer, claim, "wait", due_at=2.0)
    put(buffer, "i", upserts=True, now=4.0)

    assert names(take(buffer, now=4.0, limit=2)) == ["t0", "t1", "i"]


def test_waiting_behind_others_counts(buffer):
    """M2: a message behind others that wait for the same contact has waited since they began to, or since it was accepted."""
    put(buffer, "t1")
    put(buffer, "t2")
    settle(buffer, take(buffer, limit=1), "wait", due_at=5.0)
    put(buffer, "t3", now=4.0)

    claim = take(buffer, now=5.0)

    assert [entry.waiting_since for entry in claim.entries] == [2.0, 2.0, 4.0]


def test_waiting_ends_with_a_delivery(buffer):
    """M2: after a delivery the lane does not wait any more, so later messages have waited for no time."""
    put(buffer, "t1")
    settle(buffer, take(buffer), "wait", due_at=5.0)
    settle(buffer, take(buffer, now=5.0), now=5.0)
    put(buffer, "t2", now=6.0)

    assert take(buffer, now=6.0).entries[0].waiting_since is None


def test_upsert_accepted_during_the_claim_is_due(buffer):
    """M2: an upsert accepted during the attempt is due at once when the attempt ends in waiting."""
    put(buffer, "t")
    claim = take(buffer)
    put(buffer, "i", upserts=True, now=2.0)
    settle(buffer, claim, "wait", due_at=60.0)

    assert names(take(buffer, now=2.0)) == ["t", "i"]


def test_released_messages_are_untouched(buffer):
    """A released message has no attempt more and is due at once."""
    put(buffer, "m")
    settle(buffer, take(buffer), "release")

    assert take(buffer).entries[0][2:] == (1.0, 0, 0, None)


def test_mixed_settlements(buffer):
    """The messages of one claim may be settled in different ways, all in one step."""
    for name in ("a", "b", "c", "d"):
        put(buffer, name)
    claim = take(buffer)
    kinds = ["ack", "bury", "retry", "release"]
    buffer.settle(
        claim,
        [
            Settlement(entry.seq, kind, due_at=9.0, reason="because")
            for entry, kind in zip(claim.entries, kinds, strict=True)
        ],
        now=2.0,
    )

    assert buffer.pending() == 2
    assert take(buffer, now=8.0) is None
    assert names(take(buffer, now=9.0)) == ["c", "d"]
    assert buffer.count_dead() == {"because": 1}


def test_same_message_id_is_a_duplicate(buffer):
    """Q5: the same message id twice is a counted no-op while the first is buffered."""
    answers = [put(buffer, "m"), put(buffer, "m", keys=["user:z"]), put(buffer, "n")]
    buffer.pending()

    assert answers.count("duplicate") + buffer.tallies().late_duplicates == 1
    assert drain(buffer) == ["m", "n"]
    assert take(buffer) is None
    assert buffer.pending() == 0


def test_limit_counts_what_is_leased_too(make_buffer):
    """Q4: the limit counts waiting and leased messages; an acknowledged one makes room."""
    buffer = make_buffer(limit=2)
    put(buffer, "a")
    put(buffer, "b", keys=["user:b"])
    claim = take(buffer)

    assert put(buffer, "c") == "full"

    settle(buffer, claim)
    assert put(buffer, "c") == "accepted"


def test_pending_and_marks(buffer):
    """W2: a mark separates messages accepted before it from later ones."""
    put(buffer, "a")
    mark = buffer.mark()
    put(buffer, "b", keys=["user:b"])

    assert buffer.has_pending(mark)
    assert buffer.oldest_accepted_at() == 1.0

    settle(buffer, take(buffer))
    assert not buffer.has_pending(mark)
    assert buffer.has_pending(buffer.mark())
    assert buffer.pending() == 1


def test_marks_never_go_back(buffer):
    """A seq is never used twice, so an old mark does not include new messages."""
    put(buffer, "a")
    mark = buffer.mark()
    drain(buffer)
    put(buffer, "b")

    assert buffer.mark() > mark
    assert not buffer.has_pending(mark)


def test_make_due(buffer):
    """T1: when the credentials work again, messages that waited are due at once."""
    put(buffer, "a")
    settle(buffer, take(buffer), "retry", due_at=1000.0)
    buffer.make_due(now=3.0)

    assert names(take(buffer, now=3.0)) == ["a"]


def test_renewed_leases_hold(buffer):
    """An open claim can be renewed; a settled one cannot."""
    put(buffer, "a")
    claim = take(buffer)

    assert buffer.renew(claim, now=30.0)
    settle(buffer, claim)
    assert not buffer.renew(claim, now=31.0)


def test_settling_twice_changes_nothing(buffer):
    """Settling a claim a second time has no effect."""
    put(buffer, "a")
    claim = take(buffer)
    settle(buffer, claim, "bury", reason="x")
    settle(buffer, claim, "bury", reason="x")

    assert buffer.count_dead() == {"x": 1}
    assert buffer.pending() == 0


def test_drop_takes_the_messages_of_a_contact(buffer):
    """D1: the messages of a contact are removed and returned in order; those of others and leased ones stay."""
    put(buffer, "out")
    claim = take(buffer)
    put(buffer, "a1")
    put(buffer, "tie", keys=["email:a@example.com", "user:a"])
    put(buffer, "mail", keys=["email:a@example.com"])
    put(buffer, "b", keys=["user:b"])

    dropped = buffer.drop(["user:a"])

    assert [message["messageId"] for message in dropped] == ["a1", "tie"]
    settle(buffer, claim)
    assert sorted(drain(buffer)) == ["b", "mail"]
    assert buffer.drop(["user:nobody"]) == []


def test_lane_emptied_by_a_drop_works_again(buffer):
    """After a drop, the next message of the contact is delivered."""
    put(buffer, "a")
    buffer.drop(["user:a"])
    put(buffer, "b")

    assert drain(buffer) == ["b"]
    assert buffer.pending() == 0


def test_dead_letters_have_all_facts(buffer):
    """X1: a dead letter has its message, reason, last answer, attempts and instants."""
    put(buffer, "m", now=1.0)
    settle(buffer, take(buffer), "retry", due_at=2.0)
    answer = {"status": 400, "code": "parameter_invalid", "message": "x", "field": None, "request_id": "r"}
    settle(buffer, take(buffer), "bury", now=7.0, reason="http_400", answer=answer)

    letter = buffer.dead_letters()[0]

    assert letter.message["messageId"] == "m"
    assert (letter.reason, letter.answer, letter.attempts) == ("http_400", answer, 2)
    assert (letter.accepted_at, letter.died_at) == (1.0, 7.0)


def test_dead_letters_are_bounded(make_buffer):
    """X1: beyond the limit the oldest are removed, and counted."""
    buffer = make_buffer(dead_letters=2)
    for number in range(5):
        buffer.bury({"messageId": f"m{number}"}, reason="r", now=float(number))

    assert [letter.message["messageId"] for letter in buffer.dead_letters()] == ["m3", "m4"]
    assert buffer.tallies().evicted == 3
    assert buffer.count_dead() == {"r": 2}


def test_dead_letters_are_listed_by_page_and_reason(buffer):
    """X1: dead letters are listed by reason, page by page, oldest first."""
    for number in range(6):
        buffer.bury({"messageId": f"m{number}"}, reason="even" if number % 2 == 0 else "odd", now=1.0)

    first = buffer.dead_letters(reason="odd", limit=2)
    second = buffer.dead_letters(reason="odd", limit=2, after=first[-1].id)

    assert [letter.message["messageId"] for letter in first + second] == ["m1", "m3", "m5"]
    assert len(buffer.dead_letters(limit=4)) == 4


def test_dead_letters_are_taken(buffer):
    """X1: dead letters are removed by id, by reason, or all of them."""
    for number in range(6):
        buffer.bury({"messageId": f"m{number}"}, reason="even" if number % 2 == 0 else "odd", now=1.0)
    first = buffer.dead_letters()[0]

    assert [letter.id for letter in buffer.take_dead(ids=[first.id, 10_000])] == [first.id]
    assert buffer.take_dead(ids=[first.id]) == []
    assert len(buffer.take_dead(reason="odd")) == 3
    assert buffer.take_dead(ids=[buffer.dead_letters()[0].id], reason="odd") == []
    assert len(buffer.take_dead()) == 2
    assert buffer.count_dead() == {}
    assert buffer.tallies().evicted == 0


def test_dead_message_may_come_again(buffer):
    """X1: a buried message may be accepted again under the same message id."""
    put(buffer, "m")
    settle(buffer, take(buffer), "bury", reason="r")

    assert put(buffer, "m") == "accepted"
    assert drain(buffer) == ["m"]


def test_threads_share_a_buffer(buffer):
    """With several threads that accept and deliver, no message is lost or doubled, and each contact's order is kept."""
    per_thread, threads = 60, 4
    delivered = []
    lock = threading.Lock()
    everything = threading.Event()

    def accept(thread):
        for number in range(per_thread):
            put(buffer, f"{thread}-{number}", keys=[f"user:{thread}-{number % 3}"])

    def deliver():
        while not everything.is_set():
            claim = take(buffer, limit=7)
            if claim is None:
                continue
            with lock:
                delivered.extend(names(claim))
                if len(delivered) >= per_thread * threads:
                    everything.set()
            settle(buffer, claim)

    workers = [threading.Thread(target=accept, args=(thread,)) for thread in range(threads)]
    workers += [threading.Thread(target=deliver) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert len(delivered) == len(set(delivered)) == per_thread * threads
    for thread in range(threads):
        for contact in range(3):
            order = [int(n.split("-")[1]) for n in delivered if n.startswith(f"{thread}-")]
            own = [number for number in order if number % 3 == contact]
            assert own == sorted(own)


def test_an_upsert_that_waits_is_not_passed_by_a_later_one(make_buffer):
    """O1, M2: an upsert passes messages that wait for its contact, but never an earlier upsert of the contact."""
    buffer = make_buffer()
    put(buffer, "event", keys=["user:a"], now=1.0)
    put(buffer, "first", keys=["user:a"], upserts=True, now=1.0)
    settle(buffer, take(buffer, now=2.0, limit=2), "wait", now=2.0, due_at=10.0, reason="r")
    put(buffer, "second", keys=["user:a"], upserts=True, now=3.0)

    claimed = names(take(buffer, now=4.0, limit=1))

    assert claimed[:2] == ["event", "first"]


KEYS = st.lists(
    st.sampled_from(["user:a", "user:b", "email:a", "email:b", "contact:c"]), max_size=3, unique=True
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.booleans()),
        st.tuples(st.just("claim"), st.integers(1, 4)),
        st.tuples(
            st.just("settle"),
            st.integers(0, 3),
            st.sampled_from(["ack", "retry", "wait", "bury", "release"]),
        ),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_in_any_sequence_of_calls_nothing_is_lost_or_reordered(make_buffer, steps):
    """Every accepted message ends once, in order for each key; only upserts may pass messages that wait for their contact (M2)."""
    buffer = make_buffer()
    upserts = set()
    now, accepted, open_claims, ended = 1.0, {}, [], []

    def end(claim, kind):
        for entry in claim.entries:
            if kind in ("ack", "bury"):
                ended.append(entry.message["messageId"])
        settle(buffer, claim, kind, now=now, due_at=now + 1, reason="r")

    for step in steps:
        now += 0.5
        if step[0] == "put":
            name = f"m{len(accepted)}"
            accepted[name] = step[1]
            upserts |= {name} if step[2] else set()
            put(buffer, name, keys=step[1], upserts=step[2], now=now)
        elif step[0] == "claim":
            claim = take(buffer, now=now, limit=step[1])
            if claim is not None:
                open_claims.append(claim)
        elif open_claims:
            end(open_claims.pop(step[1] % len(open_claims)), step[2])
    for claim in open_claims:
        end(claim, "ack")
    while (claim := take(buffer, now=now + 1000)) is not None:
        end(claim, "ack")

    assert sorted(ended) == sorted(accepted)
    assert buffer.pending() == 0
    for key in {key for keys in accepted.values() for key in keys}:
        for kind in (True, False):
            own = [int(name[1:]) for name in ended if key in accepted[name] and (name in upserts) is kind]
            assert own == sorted(own)


# --- the fast path is the full path -----------------------------------------------------------------------------


def test_both_paths_pack_a_message_alike():
    """Q1, Q3: a message packed on the fast path is what its JSON text would be."""

    def fast(message):
        buffer = MemoryBuffer(limit=1, dead_letters=1)
        try:
            marshal.dumps(message)
        except ValueError:
            return None
        buffer.accept({**message, "messageId": "m"}, keys=["user:u"], upserts=False, now=1.0)
        return buffer.claim(now=1.0, limit=1).entries[0].message

    messages = usual_with_changes(
        [{"type": "track", "userId": "u", "properties": {"plan": "pro", "a": {"b": [1, 2.5, None]}}}],
        change(["event", ("properties", "plan"), ("properties", "a", "b"), ("properties", "a")], VALUES),
    ).filter(_is_json)

    assert_twins_agree(fast, lambda message: json.loads(json.dumps({**message, "messageId": "m"})), messages)


def _is_json(message):
    """Return whether a stamped message can be *message*."""
    try:
        return exact(json.loads(json.dumps(message))) == exact(message)
    except TypeError:
        return False


def test_both_paths_find_the_same_lane():
    """O1: the fast path for a message with one key finds the lane that the full path finds."""

    def claimed(history):
        buffer, claims = MemoryBuffer(limit=100, dead_letters=1), []
        for number, keys in enumerate(history):
            message = {"type": "track", "messageId": f"m{number}"}
            buffer.accept(message, keys=keys, upserts=False, now=1.0)
            if number % 3 == 2:
                claims.append(buffer.claim(now=1.0, limit=10))
        while (claim := buffer.claim(now=1.0, limit=10)) is not None:
            claims.append(claim)
        return [claim and [entry.message for entry in claim.entries] for claim in claims]

    keys = st.lists(st.sampled_from(["user:a", "user:b", "email:c", "contact:d"]), min_size=1, max_size=2)

    assert_twins_agree(
        lambda history: claimed(history) if any(len(keys) == 1 for keys in history) else None,
        lambda history: claimed([[*keys, keys[0]] for keys in history]),
        st.lists(keys, max_size=9),
    )
