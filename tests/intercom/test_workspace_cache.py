"""What is known of the workspace (rules O3, O4, M3, M4), in memory and in a store that processes share."""

from __future__ import annotations

import pytest

from metarouter_intercom.errors import ReadFailed

from .._support.flow_driving import NOW, make_cache

_HOUR = 3600.0


class DictStore:
    """A store in a dictionary, in place of the spool's file."""

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


@pytest.fixture(params=["memory", "store"])
def cache(request):
    """An empty workspace cache, without and with a store."""
    return make_cache(DictStore() if request.param == "store" else None)


def _was_written(cache, values, *, key="c1", now=NOW, within=_HOUR):
    return cache.was_written("contact", key, values, now=now, within=within)


# --- ids ------------------------------------------------------------------------------------------------------


def test_ids_are_remembered_until_they_are_forgotten(cache):
    """Contacts are remembered by their key and companies by the caller's id (rule O4)."""
    cache.remember_contact("user:u1", "c1")
    cache.remember_contact("user:u1", "c1")
    cache.remember_company("k1", "i1")

    assert (cache.contact_id("user:u1"), cache.company_id("k1")) == ("c1", "i1")
    cache.forget_contact("user:u1", "c1")
    cache.forget_company("k1")
    assert (cache.contact_id("user:u1"), cache.company_id("k1")) == (None, None)


def test_forgetting_an_id_forgets_what_was_written(cache):
    """Nothing is known of a contact or company that is gone (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.remember_written("company", "k1", {"name": "K"}, now=NOW)

    cache.forget_contact("user:u1", "c1")
    cache.forget_company("k1")

    assert _was_written(cache, {"name": "Ann"}) is False
    assert cache.was_written("company", "k1", {"name": "K"}, now=NOW, within=_HOUR) is False


def test_memory_is_bounded():
    """The least recently used ids and records leave memory first (rule O4)."""
    cache = make_cache(capacity=2)
    for at in range(3):
        cache.remember_contact(f"user:u{at}", f"c{at}")
        cache.remember_written("contact", f"c{at}", {"name": at}, now=NOW)
        cache.contact_id("user:u0")

    assert [cache.contact_id(f"user:u{at}") for at in range(3)] == ["c0", None, "c2"]
    assert [_was_written(cache, {"name": at}, key=f"c{at}") for at in range(3)] == [False, True, True]


def test_processes_share_a_store():
    """What one process learns the others know (rule O4)."""
    store = DictStore()
    one, other = make_cache(store), make_cache(store)

    one.remember_contact("user:u1", "c1")
    one.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert other.contact_id("user:u1") == "c1"
    assert _was_written(other, {"name": "Ann"}) is True
    other.remember_written("contact", "c1", {"name": "Bea"}, now=NOW)
    assert _was_written(one, {"name": "Ann"}) is False


# --- what was last written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
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
def test_every_value_must_be_known(cache, values, expected):
    """Values are compared by name, value and type, and a cleared field has the value null (rule O3)."""
    written = {"name": "Ann", "seats": 5, "is_paying": True, "phone": None}
    cache.remember_written("contact", "c1", written, now=NOW)

    assert _was_written(cache, values) is expected


def test_nothing_is_known_of_other_keys(cache):
    """Each contact and each company has a record of its own (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert _was_written(cache, {"name": "Ann"}, key="c2") is False
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
def test_values_expire(cache, now, within, expected):
    """A value is known for ``unchanged_for`` seconds; 0 knows nothing, and a clock that was set back is not trusted (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    assert _was_written(cache, {"name": "Ann"}, now=now, within=within) is expected


def test_each_value_has_its_own_age(cache):
    """A later write of another field does not renew a value (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.remember_written("contact", "c1", {"phone": "1"}, now=NOW + 1800)

    assert _was_written(cache, {"name": "Ann", "phone": "1"}, now=NOW + 1800) is True
    assert _was_written(cache, {"name": "Ann"}, now=NOW + 3600) is False
    assert _was_written(cache, {"phone": "1"}, now=NOW + 3600) is True


def test_nothing_is_known_while_a_write_is_under_way(cache):
    """Until a write is finished nobody knows what the contact holds (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    token = cache.begin_write("contact", "c1", NOW)

    assert _was_written(cache, {"name": "Ann"}) is False
    cache.finish_write(token, {"phone": "1"}, NOW)
    assert _was_written(cache, {"name": "Ann", "phone": "1"}) is True


def test_a_failed_write_forgets_everything(cache):
    """After a failed write nothing is known of the contact (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    cache.fail_write(cache.begin_write("contact", "c1", NOW))

    assert _was_written(cache, {"name": "Ann"}) is False


@pytest.mark.parametrize("is_applied", [True, False])
def test_a_recorded_write_is_known_when_its_values_are_set(cache, is_applied):
    """A block that sets the values of its write makes them known; a block that does not leaves nothing known (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    with cache.recorded_write("contact", "c1", NOW) as record:
        if is_applied:
            record.values = {"phone": "1"}

    assert _was_written(cache, {"name": "Ann"}) is is_applied
    assert _was_written(cache, {"phone": "1"}) is is_applied


def test_a_recorded_write_that_raises_leaves_nothing_known(cache):
    """An error in the block goes on to the caller, and nobody knows what the contact holds (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    with pytest.raises(ReadFailed), cache.recorded_write("contact", "c1", NOW):
        raise ReadFailed("cut")

    assert _was_written(cache, {"name": "Ann"}) is False


@pytest.mark.parametrize("first_ends", [True, False])
def test_overlapping_writes_leave_nothing_known(cache, first_ends):
    """Nobody knows which of two overlapping writes Intercom applied last (rule O3)."""
    one = cache.begin_write("contact", "c1", NOW)
    other = cache.begin_write("contact", "c1", NOW)
    first, second = (one, other) if first_ends else (other, one)
    cache.finish_write(first, {"name": "Ann"}, NOW)
    cache.finish_write(second, {"name": "Bea"}, NOW)

    assert _was_written(cache, {"name": "Ann"}) is False
    assert _was_written(cache, {"name": "Bea"}) is False
    cache.remember_written("contact", "c1", {"name": "Eve"}, now=NOW)
    assert _was_written(cache, {"name": "Eve"}) is True


def test_a_write_whose_process_died_does_not_count_for_ever(cache):
    """A write that began more than two minutes ago counts as ended (rule O3)."""
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)
    cache.begin_write("contact", "c1", NOW)

    cache.remember_written("contact", "c1", {"phone": "1"}, now=NOW + 121)

    assert _was_written(cache, {"phone": "1"}, now=NOW + 121) is True
    assert _was_written(cache, {"name": "Ann"}, now=NOW + 121) is False


def test_a_write_may_end_after_its_contact_was_forgotten(cache):
    """The end of a write whose contact was forgotten leaves nothing known."""
    token = cache.begin_write("contact", "c1", NOW)
    cache.forget_written("contact", "c1")

    cache.fail_write(token)

    assert _was_written(cache, {}) is False


@pytest.mark.parametrize(
    ("value", "expected"), [(1000, 1000), (-5, -5), (0, 0), ("1000", None), (1.5, None), (True, None)]
)
def test_a_written_number_is_known_whatever_its_age(cache, value, expected):
    """A whole number is known without expiry, because ``last_seen_at`` is compared by distance (rule O3)."""
    cache.remember_written("contact", "c1", {"last_seen_at": value}, now=NOW)

    assert cache.written_number("contact", "c1", "last_seen_at") == expected
    assert cache.written_number("contact", "c1", "other") is None
    assert cache.written_number("contact", "c2", "last_seen_at") is None


# --- which message wrote last -------------------------------------------------------------------------------------------


def test_a_later_message_supersedes_an_earlier_one(cache):
    """For each name the message that was accepted last wins (rule O1)."""
    assert cache.superseded("k1", {"name": 1}) == frozenset()
    cache.remember_order("k1", {"name": 5, "plan": 3})
    cache.remember_order("k1", {"name": 4})

    assert cache.superseded("k1", {"name": 4, "plan": 4, "size": 4}) == {"name"}
    assert cache.superseded("k1", {"name": 5}) == frozenset()


# --- attributes and names -------------------------------------------------------------------------------------


def test_attributes_are_learned(cache):
    """None means that the attributes were never looked up, an empty set that there are none (rule M3)."""
    assert cache.attributes("contact") is None
    cache.learn_attribute("contact", "early")
    assert cache.attributes("contact") is None
    cache.list_attributes({"contact": []}, NOW)
    assert cache.attributes("contact") == frozenset()
    cache.learn_attribute("contact", "plan")
    cache.learn_attribute("contact", "seats")

    assert cache.attributes("contact") == {"plan", "seats"}
    assert cache.attributes("company") is None


def test_a_list_replaces_what_was_known(cache):
    """An attribute that was archived is in no later list, so it is unknown again (rule A7)."""
    cache.list_attributes({"contact": ["old", "plan"], "company": ["tier"]}, NOW)
    cache.list_attributes({"contact": ["plan"], "company": ["tier"]}, NOW)

    assert (cache.attributes("contact"), cache.attributes("company")) == ({"plan"}, {"tier"})


def test_attributes_of_both_models_are_counted_together(cache):
    """Contacts and companies share one limit; as long as one of the two was not listed, the number is unknown (rule A7)."""
    cache.list_attributes({"contact": ["plan"]}, NOW)
    assert cache.attribute_count() is None
    cache.list_attributes({"company": ["tier", "seats"]}, NOW)

    assert cache.attribute_count() == 3


def test_a_list_is_fresh_for_some_minutes(cache):
    """A list is read again after five minutes, and after the clock was set back (rule A7)."""
    assert cache.is_list_fresh(NOW) is False
    cache.list_attributes({"contact": [], "company": []}, NOW)

    ages = (0, 299, 300, -1)

    assert [cache.is_list_fresh(NOW + age) for age in ages] == [True, True, False, False]


def test_what_was_created_for_a_message_is_counted(cache):
    """Each message has a number of its own, which stays when it is sent again (rule A7)."""
    cache.count_created("m1")
    cache.count_created("m1")

    assert (cache.created_by("m1"), cache.created_by("m2")) == (2, 0)


def test_other_processes_attributes_are_learned_with_our_own():
    """What other processes stored is read again after each change (rule M3)."""
    store = DictStore()
    one, other = make_cache(store), make_cache(store)
    one.list_attributes({"contact": ["plan"], "company": []}, NOW)
    assert other.attributes("contact") == {"plan"}
    one.learn_attribute("contact", "seats")

    other.learn_attribute("contact", "tier")

    assert other.attributes("contact") == {"plan", "seats", "tier"}


def test_another_processes_list_is_as_fresh_as_our_own():
    """Processes that share a store list the attributes once for all of them (rule A7)."""
    store = DictStore()
    one, other = make_cache(store), make_cache(store)
    other.list_attributes({"contact": ["old"], "company": []}, NOW - 1_000)
    other.attributes("contact")

    one.list_attributes({"contact": ["plan"], "company": []}, NOW)

    assert other.is_list_fresh(NOW) is True
    assert other.attributes("contact") == {"plan"}


def test_a_refused_name_is_tried_again_after_an_hour(cache):
    """A refusal lasts an hour, for one name of one model (rules M3, M4)."""
    cache.refuse("contact", "plan", NOW)

    assert cache.is_refused("contact", "plan", NOW + 3599) is True
    assert cache.is_refused("contact", "plan", NOW + 3600) is False
    assert cache.is_refused("company", "plan", NOW) is False
    assert cache.is_refused("event", "plan", NOW) is False


# --- marks and failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["foreign", "folded", "lead"])
def test_a_mark_is_of_one_contact(cache, what):
    """A mark belongs to one contact id under one key, and is no other mark (rules M1, L1, I2)."""
    cache.mark(what, "user:u1", "c2")

    assert cache.is_marked(what, "user:u1", "c2") is True
    assert cache.is_marked(what, "user:u1", "c3") is False
    assert cache.is_marked(what, "user:u2", "c2") is False
    others = {"foreign", "folded", "lead"} - {what}
    assert [cache.is_marked(other, "user:u1", "c2") for other in sorted(others)] == [False, False]


def test_failures_are_counted_until_they_are_forgotten(cache):
    """Failures are counted for each contact until they are forgotten (rule M1)."""
    counts = [cache.count_failure("c1"), cache.count_failure("c1"), cache.count_failure("c2")]
    cache.forget_failures("c1")

    assert [*counts, cache.count_failure("c1")] == [1, 2, 1, 1]
