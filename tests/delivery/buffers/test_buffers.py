"""What every buffer does (rules Q3 to Q5, O1, M2, X1): one suite for memory and spool."""

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
    """What is claimed equals what was accepted, odd values included."""
    facts = {"a": [1, 2.5, True, None, {"b": "é\u2028"}], "big": 2**63, "inf": float("inf"), "user_id": "x"}
    put(buffer, "m1", properties=facts)

    claim = take(buffer)

    assert claim.entries[0].message == {
        "type": "track",
        "messageId": "m1",
        "timestamp": 1.0,
        "properties": facts,
    }
    assert claim.entries[0][2:] == (1.0, 0, 0, None)


def test_later_changes_do_not_reach_the_buffer(buffer):
    """Q1: what the caller does to its data afterwards changes nothing."""
    message = {"type": "track", "messageId": "m", "timestamp": 1.0, "properties": {"a": [1]}}
    buffer.accept(message, keys=["user:a"], upserts=False, now=1.0)
    message["properties"]["a"].append(2)

    assert take(buffer).entries[0].message["properties"] == {"a": [1]}


def test_empty_buffer_has_nothing(buffer):
    """Nothing accepted: nothing to claim, nothing due, nothing pending."""
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
    """O1: while a contact's messages are out, later ones of it wait; another contact's do not."""
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


def test_lanes_join_while_one_is_out(buffer):
    """O1: a message that ties two contacts together waits for the claim that is out."""
    put(buffer, "a1", keys=["user:a"])
    out = take(buffer)
    put(buffer, "b1", keys=["email:b@example.com"])
    put(buffer, "ab", keys=["user:a", "email:b@example.com"])

    assert take(buffer) is None

    settle(buffer, out)
    assert names(take(buffer)) == ["b1", "ab"]


def test_three_lanes_join(buffer):
    """O1: one message may tie three runs together, in the order of acceptance."""
    put(buffer, "a", keys=["user:a"])
    put(buffer, "b", keys=["email:b@example.com"])
    put(buffer, "b2", keys=["email:b@example.com"])
    put(buffer, "c", keys=["contact:c"])
    put(buffer, "all", keys=["contact:c", "user:a", "email:b@example.com"])

    assert drain(buffer) == ["a", "b", "b2", "c", "all"]
    assert buffer.pending() == 0


def test_messages_about_nobody_share_no_lane(buffer):
    """A group without anybody is in nobody's way."""
    put(buffer, "g1", keys=[])
    put(buffer, "g2", keys=[])

    assert names(take(buffer)) == ["g1"]
    assert names(take(buffer)) == ["g2"]


def test_claims_are_bounded(buffer):
    """W4: a claim takes at most what it is asked for, and the rest stays in order."""
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


def test_upsert_behind_many_waiting_ones_is_found(buffer):
    """M2: however many wait, the upsert that brings their contact comes along."""
    for number in range(6):
        put(buffer, f"t{number}")
    for _ in range(3):
        claim = take(buffer, limit=2)
        if claim is not None:
            settle(buffer, claim, "wait", due_at=2.0)
    put(buffer, "i", upserts=True, now=4.0)

    assert names(take(buffer, now=4.0, limit=2)) == ["t0", "t1", "i"]


def test_waiting_behind_others_counts(buffer):
    """M2: who waits behind others for the same contact has waited since they began to, or since it came."""
    put(buffer, "t1")
    put(buffer, "t2")
    settle(buffer, take(buffer, limit=1), "wait", due_at=5.0)
    put(buffer, "t3", now=4.0)

    claim = take(buffer, now=5.0)

    assert [entry.waiting_since for entry in claim.entries] == [2.0, 2.0, 4.0]


def test_waiting_ends_with_a_delivery(buffer):
    """M2: once the contact was there the time begins anew."""
    put(buffer, "t1")
    settle(buffer, take(buffer), "wait", due_at=5.0)
    settle(buffer, take(buffer, now=5.0), now=5.0)
    put(buffer, "t2", now=6.0)

    assert take(buffer, now=6.0).entries[0].waiting_since is None


def test_upsert_that_came_while_the_claim_was_out_is_due(buffer):
    """M2: an upsert accepted during the attempt is due at once when the attempt ends in waiting."""
    put(buffer, "t")
    claim = take(buffer)
    put(buffer, "i", upserts=True, now=2.0)
    settle(buffer, claim, "wait", due_at=60.0)

    assert names(take(buffer, now=2.0)) == ["t", "i"]


def test_released_messages_are_untouched(buffer):
    """A message given back has made no attempt and is due at once."""
    put(buffer, "m")
    settle(buffer, take(buffer), "release")

    assert take(buffer).entries[0][2:] == (1.0, 0, 0, None)


def test_mixed_settlements(buffer):
    """A claim's messages may end differently, all in one step."""
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
    """Q4: full is full, whether messages wait or are being delivered; room comes with the end of one."""
    buffer = make_buffer(limit=2)
    put(buffer, "a")
    put(buffer, "b", keys=["user:b"])
    claim = take(buffer)

    assert put(buffer, "c") == "full"

    settle(buffer, claim)
    assert put(buffer, "c") == "accepted"


def test_pending_and_marks(buffer):
    """W2: a mark divides what was accepted before from what came after."""
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
    """A number is never given twice, so an old mark cannot mean new messages."""
    put(buffer, "a")
    mark = buffer.mark()
    drain(buffer)
    put(buffer, "b")

    assert buffer.mark() > mark
    assert not buffer.has_pending(mark)


def test_make_due(buffer):
    """T1: credentials were mended: what waited is due at once."""
    put(buffer, "a")
    settle(buffer, take(buffer), "retry", due_at=1000.0)
    buffer.make_due(now=3.0)

    assert names(take(buffer, now=3.0)) == ["a"]


def test_renewed_leases_hold(buffer):
    """A claim that is being worked on can be kept; one that is settled cannot."""
    put(buffer, "a")
    claim = take(buffer)

    assert buffer.renew(claim, now=30.0)
    settle(buffer, claim)
    assert not buffer.renew(claim, now=31.0)


def test_settling_twice_changes_nothing(buffer):
    """A claim ends once."""
    put(buffer, "a")
    claim = take(buffer)
    settle(buffer, claim, "bury", reason="x")
    settle(buffer, claim, "bury", reason="x")

    assert buffer.count_dead() == {"x": 1}
    assert buffer.pending() == 0


def test_drop_takes_the_messages_of_a_contact(buffer):
    """D1: the buffered messages of a contact go, in order; those of others and leased ones stay."""
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
    """After a drop the contact's next message is delivered as any other."""
    put(buffer, "a")
    buffer.drop(["user:a"])
    put(buffer, "b")

    assert drain(buffer) == ["b"]
    assert buffer.pending() == 0


def test_dead_letters_keep_the_story(buffer):
    """X1: message, reason, last answer, attempts and instants."""
    put(buffer, "m", now=1.0)
    settle(buffer, take(buffer), "retry", due_at=2.0)
    answer = {"status": 400, "code": "parameter_invalid", "message": "x", "field": None, "request_id": "r"}
    settle(buffer, take(buffer), "bury", now=7.0, reason="http_400", answer=answer)

    letter = buffer.dead_letters()[0]

    assert letter.message["messageId"] == "m"
    assert (letter.reason, letter.answer, letter.attempts) == ("http_400", answer, 2)
    assert (letter.accepted_at, letter.died_at) == (1.0, 7.0)


def test_dead_letters_are_bounded(make_buffer):
    """X1: the oldest leave first, and are counted."""
    buffer = make_buffer(dead_letters=2)
    for number in range(5):
        buffer.bury({"messageId": f"m{number}"}, reason="r", now=float(number))

    assert [letter.message["messageId"] for letter in buffer.dead_letters()] == ["m3", "m4"]
    assert buffer.tallies().evicted == 3
    assert buffer.count_dead() == {"r": 2}


def test_dead_letters_are_found_by_page_and_reason(buffer):
    """X1: listed by reason, page by page, oldest first."""
    for number in range(6):
        buffer.bury({"messageId": f"m{number}"}, reason="even" if number % 2 == 0 else "odd", now=1.0)

    first = buffer.dead_letters(reason="odd", limit=2)
    second = buffer.dead_letters(reason="odd", limit=2, after=first[-1].id)

    assert [letter.message["messageId"] for letter in first + second] == ["m1", "m3", "m5"]
    assert len(buffer.dead_letters(limit=4)) == 4


def test_dead_letters_are_taken(buffer):
    """X1: removed by id, by reason, or all."""
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
    """X1: a retried dead letter is accepted under its old message id."""
    put(buffer, "m")
    settle(buffer, take(buffer), "bury", reason="r")

    assert put(buffer, "m") == "accepted"
    assert drain(buffer) == ["m"]


def test_threads_share_a_buffer(buffer):
    """Accepting and delivering in several threads at once loses and doubles nothing, and keeps each contact's order."""
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
def test_whatever_happens_nothing_is_lost_or_reordered(make_buffer, steps):
    """Every accepted message ends once, in order for each key; upserts alone may pass what waits for their contact (M2)."""
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


def test_a_message_is_packed_alike_on_both_paths():
    """Q1, Q3: a message that is packed at once is what its JSON text would have kept."""

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
    """Tell whether acceptance could have made *message*."""
    try:
        return exact(json.loads(json.dumps(message))) == exact(message)
    except TypeError:
        return False


def test_messages_of_one_key_find_their_lane_as_others_do():
    """O1: a message with one key, whose lane is looked up at once, comes out as one whose lane is looked for by every key."""

    def claimed(history):
        buffer, got = MemoryBuffer(limit=100, dead_letters=1), []
        for number, keys in enumerate(history):
            message = {"type": "track", "messageId": f"m{number}"}
            buffer.accept(message, keys=keys, upserts=False, now=1.0)
            if number % 3 == 2:
                got.append(buffer.claim(now=1.0, limit=10))
        while (claim := buffer.claim(now=1.0, limit=10)) is not None:
            got.append(claim)
        return [claim and [entry.message for entry in claim.entries] for claim in got]

    keys = st.lists(st.sampled_from(["user:a", "user:b", "email:c", "contact:d"]), min_size=1, max_size=2)

    assert_twins_agree(
        lambda history: claimed(history) if any(len(keys) == 1 for keys in history) else None,
        lambda history: claimed([[*keys, keys[0]] for keys in history]),
        st.lists(keys, max_size=9),
    )
