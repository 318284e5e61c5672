"""What is known of the workspace (rules O3, O4, M3, M4), in memory and on a shelf that processes share."""

from __future__ import annotations

import pytest

from .._support.flow_driving import NOW, make_cache

_HOUR = 3600.0


class DictStore:
    """A shelf in a dictionary, as the spool keeps one in its file."""

    def __init__(self):
        self.values = {}

    def get(self, kind, key):
        return self.values.get((kind, key))

    def put(self, kind, key, value):
        self.values[kind, key] = value

    def forget(self, kind, key):
        self.values.pop((kind, key), None)

    def update(self, kind, key, change):
        value = change(self.values.get((kind, key)))
        if value is None:
            self.forget(kind, key)
        else:
            self.put(kind, key, value)


@pytest.fixture(params=["memory", "shelf"])
def cache(request):
    """An empty directory, without and with a shelf."""
    return make_cache(DictStore() if request.param == "shelf" else None)


def _knows(cache, facts, *, key="c1", now=NOW, within=_HOUR):
    return cache.was_written("contact", key, facts, now=now, within=within)


# --- ids ------------------------------------------------------------------------------------------------------


def test_ids_are_remembered_until_they_prove_wrong(cache):
    """O4: contacts by their key, companies by the caller's id."""
    cache.remember_contact("user:u1", "c1")
    cache.remember_contact("user:u1", "c1")
    cache.remember_company("k1", "i1")

    assert (cache.contact_id("user:u1"), cache.company_id("k1")) == ("c1", "i1")
    cache.forget_contact("user:u1", "c1")
    cache.forget_company("k1")
    assert (cache.contact_id("user:u1"), cache.company_id("k1")) == (None, None)


def test_forgetting_an_id_forgets_what_was_written(cache):
    """O3: a contact or company that is gone holds nothing."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.remember_written("company", "k1", {"name": "K"}, now=NOW)

    cache.forget_contact("user:u1", "c1")
    cache.forget_company("k1")

    assert _knows(cache, {"name": "Ann"}) is False
    assert cache.was_written("company", "k1", {"name": "K"}, now=NOW, within=_HOUR) is False


def test_memory_is_bounded():
    """O4: those not used for longest leave first, ids and facts alike."""
    cache = make_cache(capacity=2)
    for at in range(3):
        cache.remember_contact(f"user:u{at}", f"c{at}")
        cache.remember_written("contact", f"c{at}", {"name": at}, now=NOW)
        cache.contact_id("user:u0")

    assert [cache.contact_id(f"user:u{at}") for at in range(3)] == ["c0", None, "c2"]
    assert [_knows(cache, {"name": at}, key=f"c{at}") for at in range(3)] == [False, True, True]


def test_processes_share_a_shelf():
    """O4: what one process learns the others know."""
    store = DictStore()
    one, other = make_cache(store), make_cache(store)

    one.remember_contact("user:u1", "c1")
    one.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert other.contact_id("user:u1") == "c1"
    assert _knows(other, {"name": "Ann"}) is True
    other.remember_written("contact", "c1", {"name": "Bea"}, now=NOW)
    assert _knows(one, {"name": "Ann"}) is False


# --- what was last written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, True),
        ({"name": "Ann"}, True),
        ({"name": "Ann", "seats": 5}, True),
        ({"name": "ann"}, False),
        ({"seats": 5.5}, False),
        ({"seats": "5"}, False),
        ({"is_paying": True}, True),
        ({"is_paying": 1}, False),
        ({"phone": None}, True),
        ({"phone": ""}, False),
        ({"email": None}, False),
    ],
)
def test_every_fact_must_be_known(cache, facts, expected):
    """O3: by name, value and type; a cleared field is a fact."""
    written = {"name": "Ann", "seats": 5, "is_paying": True, "phone": None}
    cache.remember_written("contact", "c1", written, now=NOW)

    assert _knows(cache, facts) is expected


def test_nothing_is_known_of_strangers(cache):
    """O3: each contact and each company has facts of its own."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert _knows(cache, {"name": "Ann"}, key="c2") is False
    assert cache.was_written("company", "c1", {"name": "Ann"}, now=NOW, within=_HOUR) is False


@pytest.mark.parametrize(
    ("now", "within", "expected"),
    [
        (NOW, _HOUR, True),
        (NOW + 3599, _HOUR, True),
        (NOW + 3600, _HOUR, False),
        (NOW - 1, _HOUR, False),
        (NOW, 0, False),
    ],
)
def test_facts_age(cache, now, within, expected):
    """O3: ``unchanged_for``; 0 knows nothing, and a clock that was set back is not trusted."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert _knows(cache, {"name": "Ann"}, now=now, within=within) is expected


def test_each_fact_has_its_own_age(cache):
    """O3: a later write of another field does not renew it."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.remember_written("contact", "c1", {"phone": "1"}, now=NOW + 1800)

    assert _knows(cache, {"name": "Ann", "phone": "1"}, now=NOW + 1800) is True
    assert _knows(cache, {"name": "Ann"}, now=NOW + 3600) is False
    assert _knows(cache, {"phone": "1"}, now=NOW + 3600) is True


def test_nothing_is_known_while_a_write_is_under_way(cache):
    """O3: until it is finished nobody knows what the contact holds."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    token = cache.begin_write("contact", "c1", NOW)

    assert _knows(cache, {"name": "Ann"}) is False
    cache.finish_write(token, {"phone": "1"}, NOW)
    assert _knows(cache, {"name": "Ann", "phone": "1"}) is True


def test_a_failed_write_forgets_everything(cache):
    """O3: what it touched is unknown, so all is."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    cache.fail_write(cache.begin_write("contact", "c1", NOW))

    assert _knows(cache, {"name": "Ann"}) is False


@pytest.mark.parametrize("first_ends", [True, False])
def test_writes_at_the_same_time_leave_nothing_known(cache, first_ends):
    """O3: nobody knows which of two came last."""
    one = cache.begin_write("contact", "c1", NOW)
    other = cache.begin_write("contact", "c1", NOW)
    first, second = (one, other) if first_ends else (other, one)
    cache.finish_write(first, {"name": "Ann"}, NOW)
    cache.finish_write(second, {"name": "Bea"}, NOW)

    assert _knows(cache, {"name": "Ann"}) is False
    assert _knows(cache, {"name": "Bea"}) is False
    cache.remember_written("contact", "c1", {"name": "Eve"}, now=NOW)
    assert _knows(cache, {"name": "Eve"}) is True


def test_a_write_whose_process_died_does_not_count_for_ever(cache):
    """O3: after two minutes it has ended somehow."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.begin_write("contact", "c1", NOW)

    cache.remember_written("contact", "c1", {"phone": "1"}, now=NOW + 121)

    assert _knows(cache, {"phone": "1"}, now=NOW + 121) is True
    assert _knows(cache, {"name": "Ann"}, now=NOW + 121) is False


def test_the_end_of_a_write_that_is_forgotten_already(cache):
    """A write may end after its contact was forgotten."""
    token = cache.begin_write("contact", "c1", NOW)
    cache.forget_written("contact", "c1")

    cache.fail_write(token)

    assert _knows(cache, {}) is False


@pytest.mark.parametrize(
    ("value", "expected"), [(1000, 1000), (-5, -5), (0, 0), ("1000", None), (1.5, None), (True, None)]
)
def test_a_number_is_told_whatever_its_age(cache, value, expected):
    """O3: ``last_seen_at`` is compared by distance."""
    cache.remember_written("contact", "c1", {"last_seen_at": value}, now=NOW)

    assert cache.written_number("contact", "c1", "last_seen_at") == expected
    assert cache.written_number("contact", "c1", "other") is None
    assert cache.written_number("contact", "c2", "last_seen_at") is None


# --- who wrote last -------------------------------------------------------------------------------------------


def test_what_a_later_message_wrote_is_not_an_earlier_ones(cache):
    """O1: name by name; the order is that of acceptance."""
    assert cache.superseded("k1", {"name": 1}) == frozenset()
    cache.remember_order("k1", {"name": 5, "plan": 3})
    cache.remember_order("k1", {"name": 4})

    assert cache.superseded("k1", {"name": 4, "plan": 4, "size": 4}) == {"name"}
    assert cache.superseded("k1", {"name": 5}) == frozenset()


# --- attributes and names -------------------------------------------------------------------------------------


def test_attributes_are_learned(cache):
    """M3: None says that nobody has looked yet, an empty set that there are none."""
    assert cache.attributes("contact") is None
    cache.learn_attributes("contact", [])
    assert cache.attributes("contact") == frozenset()
    cache.learn_attributes("contact", ["plan"])
    cache.learn_attributes("contact", ["seats"])

    assert cache.attributes("contact") == {"plan", "seats"}
    assert cache.attributes("company") is None


def test_other_processes_attributes_are_learned_with_our_own():
    """M3: what the shelf knows is read anew after each change."""
    store = DictStore()
    one, other = make_cache(store), make_cache(store)
    one.learn_attributes("contact", ["plan"])
    assert other.attributes("contact") == {"plan"}
    one.learn_attributes("contact", ["seats"])

    other.learn_attributes("contact", ["tier"])

    assert other.attributes("contact") == {"plan", "seats", "tier"}


def test_a_refused_name_is_tried_again_after_an_hour(cache):
    """M3, M4: by model and name."""
    cache.refuse("contact", "plan", NOW)

    assert cache.is_refused("contact", "plan", NOW + 3599) is True
    assert cache.is_refused("contact", "plan", NOW + 3600) is False
    assert cache.is_refused("company", "plan", NOW) is False
    assert cache.is_refused("event", "plan", NOW) is False


# --- merged users and deleted contacts --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["foreign", "folded", "lead"])
def test_a_mark_is_of_one_contact(cache, what):
    """M1, L1, I2: it is of one contact id, not of the key for ever, and says nothing else."""
    cache.mark(what, "user:u1", "c2")

    assert cache.is_marked(what, "user:u1", "c2") is True
    assert cache.is_marked(what, "user:u1", "c3") is False
    assert cache.is_marked(what, "user:u2", "c2") is False
    others = {"foreign", "folded", "lead"} - {what}
    assert [cache.is_marked(other, "user:u1", "c2") for other in sorted(others)] == [False, False]


def test_failures_are_counted_until_they_are_forgotten(cache):
    """M1: a contact that cannot be brought back again and again is deleted."""
    counts = [cache.count_failure("c1"), cache.count_failure("c1"), cache.count_failure("c2")]
    cache.forget_failures("c1")

    assert [*counts, cache.count_failure("c1")] == [1, 2, 1, 1]
