"""How a lead is merged into a user (rule L1), and how a contact is deleted (rule D1)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.flows import flow_of
from metarouter_intercom._intercom.merge_and_delete import delete_contact, merge_contact
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.operations import (
    AttachCompany,
    DeleteContact,
    MergeContact,
    SubmitEvent,
    UpsertContact,
    Who,
)
from metarouter_intercom.plugins import Note

from .._support.flow_driving import (
    ANY,
    NOW,
    contact,
    make_cache,
    make_world,
    merged_into,
    missing,
    ok,
    play,
    refusal,
    search_page,
)

_USER = Who(external_id="u1")
_MAIL = Who(email="Ann@Example.com")
_LEAD = Who(anonymous_id="a1")
_SEARCH = "POST /contacts/search"
_UNCHANGED = DELIVERED._replace(unchanged=True)
_MERGE = MergeContact(lead=_LEAD, user=_USER)


def _knowing(**known):
    cache = make_cache()
    for key, contact_id in (known or {"user:u1": "c1"}).items():
        cache.remember_contact(key, contact_id)
    return cache


def _knowing_both():
    return _knowing(**{"user:u1": "c1", "anonymous:a1": "c5"})


# --- merging ---------------------------------------------------------------------------------------------------


def test_a_lead_is_merged_into_the_user():
    """The merge names both by Intercom's ids, and afterwards the lead's key leads to the user (rule L1)."""
    cache = _knowing_both()

    result = play(
        merge_contact(_MERGE, make_world(cache)),
        (
            "POST /contacts/merge",
            {"from": "c5", "into": "c1", "skip_duplicate_validation": True},
            contact("c1"),
        ),
    )

    assert (result, cache.contact_id("anonymous:a1")) == (DELIVERED, "c1")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.15", {}),
        ("2.16", {"skip_duplicate_validation": True}),
        ("2.17", {"skip_duplicate_validation": True}),
        ("Preview", {"skip_duplicate_validation": True}),
    ],
)
def test_the_check_for_duplicates_is_skipped(version, expected):
    """From version 2.16 on the merge asks Intercom to skip its check for duplicates (rule L1)."""
    result = play(
        merge_contact(_MERGE, make_world(_knowing_both(), api_version=version)),
        ("POST /contacts/merge", {"from": "c5", "into": "c1", **expected}, contact("c1")),
    )

    assert result == DELIVERED


def test_a_merge_forgets_what_was_written_to_the_user():
    """A merge changes the user, so what was written to it is forgotten (rule O3)."""
    cache = _knowing_both()
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    play(merge_contact(_MERGE, make_world(cache)), ("POST /contacts/merge", ANY, contact("c1")))

    assert cache.was_written("contact", "c1", {"name": "Ann"}, now=NOW, within=3600) is False


def test_unknown_ids_are_looked_up_first():
    """The lead is looked up by its attribute and the user by its external id (rules L1, O4)."""
    result = play(
        merge_contact(_MERGE, make_world()),
        (
            _SEARCH,
            ANY,
            search_page({"id": "c5", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}),
        ),
        ("GET /contacts/find_by_external_id/u1", None, contact("c1", external_id="u1")),
        ("POST /contacts/merge", ANY, contact("c1")),
    )

    assert result == DELIVERED


def test_a_lead_that_does_not_exist_counts_as_merged():
    """A lead that does not exist is a success with a note (rule L1)."""
    result = play(merge_contact(_MERGE, make_world(_knowing())), (_SEARCH, ANY, search_page()))

    assert result == _UNCHANGED._replace(notes=(Note("L1", "previousId", "no such lead"),))


def test_a_lead_that_is_the_user_already_counts_as_merged():
    """A repeated alias does nothing (rule L1)."""
    cache = _knowing()
    cache.remember_contact("anonymous:a1", "c1")

    assert play(merge_contact(_MERGE, make_world(cache))).unchanged is True


def test_a_lead_that_became_another_user_counts_as_merged():
    """A lead that was merged into one user is not merged into another, because Intercom does not merge two users (rule L1)."""
    cache = _knowing_both()
    cache.remember_contact("user:u2", "c2")
    again = MergeContact(lead=_LEAD, user=Who(external_id="u2"))
    play(merge_contact(_MERGE, make_world(cache)), ("POST /contacts/merge", ANY, contact("c1")))

    assert play(merge_contact(again, make_world(cache))).unchanged is True


_FOUND = search_page({"id": "c9", "role": "user", "custom_attributes": {"anonymous_id": "a1"}})
_GONE = merged_into("c9")
_SEEN = SubmitEvent(who=_LEAD, event_name="Seen", created_at=1, metadata={})
_NAME = UpsertContact(who=_LEAD, role="lead", fields={"name": "Ann"}, attributes={})
_SEEN_AT = UpsertContact(who=_LEAD, role=None, fields={"last_seen_at": 1}, attributes={}, only_known=True)


@pytest.mark.parametrize(
    ("operation", "is_known", "exchanges"),
    [
        (_NAME, True, [("PUT /contacts/c5", ANY, _GONE), ("PUT /contacts/c9", ANY, contact("c9"))]),
        (_NAME, False, [(_SEARCH, ANY, _FOUND), ("PUT /contacts/c9", ANY, contact("c9"))]),
        (_SEEN, True, [("POST /events", ANY, _GONE), ("POST /events", ANY, ok(status=202))]),
        (_SEEN, False, [(_SEARCH, ANY, _FOUND), ("POST /events", ANY, ok(status=202))]),
        (
            AttachCompany(who=_LEAD, company_id="k"),
            True,
            [("POST /contacts/c5/companies", ANY, _GONE), ("POST /contacts/c9/companies", ANY, ok())],
        ),
        (_SEEN_AT, True, [("GET /contacts/c5", ANY, _GONE)]),
    ],
)
def test_a_lead_that_other_requests_found_to_be_a_user_is_not_merged(operation, is_known, exchanges):
    """L1: whichever request shows that a visitor is a user by now, an alias does not ask to merge that user into another one."""
    cache = _knowing(**{"user:u2": "c2", **({"anonymous:a1": "c5"} if is_known else {})})
    cache.remember_company("k", "k1")
    again = MergeContact(lead=_LEAD, user=Who(external_id="u2"))
    play(flow_of(operation, make_world(cache)), *exchanges)

    assert cache.contact_id("anonymous:a1") == "c9"
    assert play(merge_contact(again, make_world(cache))).unchanged is True


def test_a_user_with_the_attribute_was_a_lead_once():
    """A user with the anonymous id was merged by another process, and is remembered under it (rule L1)."""
    world = make_world(_knowing())
    user = {"id": "c7", "role": "user", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(merge_contact(_MERGE, world), ("POST /contacts/search", ANY, search_page(user)))
    again = play(merge_contact(_MERGE, world))

    assert (result.unchanged, again.unchanged) == (True, True)
    assert world.cache.contact_id("anonymous:a1") == "c7"


def test_a_lead_without_an_id_counts_as_merged():
    """A search result without an id is no lead."""
    lead = {"role": "lead", "custom_attributes": {"anonymous_id": "a1"}}

    result = play(
        merge_contact(_MERGE, make_world(_knowing())), ("POST /contacts/search", ANY, search_page(lead))
    )

    assert result.unchanged is True


def test_a_merge_waits_for_its_user():
    """A merge waits for a user that does not exist, because another process may create it (rule M2)."""
    result = play(
        merge_contact(_MERGE, make_world()),
        (
            _SEARCH,
            ANY,
            search_page({"id": "c5", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}),
        ),
        ("GET /contacts/find_by_external_id/u1", None, missing()),
    )

    assert (result.kind, result.reason) == ("wait", "contact_missing")


@pytest.mark.parametrize(
    "exchanges",
    [
        [(_SEARCH, ANY, refusal(500))],
        [
            (
                _SEARCH,
                ANY,
                search_page({"id": "c5", "role": "lead", "custom_attributes": {"anonymous_id": "a1"}}),
            ),
            ("GET /contacts/find_by_external_id/u1", None, refusal(500)),
        ],
    ],
)
def test_a_failed_lookup_is_retried(exchanges):
    """When the look-up of the lead or of the user fails, the merge is sent again later (rule T1)."""
    assert play(merge_contact(_MERGE, make_world()), *exchanges).kind == "retry"


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (missing(), "delivered"),
        (merged_into("c1"), "delivered"),
        (merged_into("c8"), "delivered"),
        (contact("c5"), "retry"),
        (refusal(500), "retry"),
        (refusal(401), "held"),
    ],
)
@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("lead", [_LEAD, Who(contact_id="c5")])
def test_a_merge_of_a_contact_that_does_not_exist(lead, status, look, expected):
    """A missing lead was merged before and only the response was lost; a missing user is looked up again (rule L1)."""
    cache = _knowing_both()

    result = play(
        merge_contact(MergeContact(lead=lead, user=_USER), make_world(cache)),
        ("POST /contacts/merge", ANY, refusal(status)),
        ("GET /contacts/c5", None, look),
    )

    assert result.kind == expected
    assert cache.contact_id("user:u1") == (None if look.status == 200 else "c1")


def test_the_user_behind_a_lost_merge_is_remembered():
    """The link of the merged lead leads to the user, which is remembered under the lead's key (rules L1, O4)."""
    cache = _knowing_both()

    play(
        merge_contact(_MERGE, make_world(cache)),
        ("POST /contacts/merge", ANY, missing()),
        ("GET /contacts/c5", None, merged_into("c1")),
    )

    assert cache.contact_id("anonymous:a1") == "c1"


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (500, "retry"), (403, "held")])
def test_other_responses_to_a_merge_are_classified(status, kind):
    """Any other status means what the table of statuses says, with Intercom's own code (rule T1)."""
    result = play(
        merge_contact(_MERGE, make_world(_knowing_both())),
        ("POST /contacts/merge", ANY, refusal(status, code="invalid_merge")),
    )

    assert (result.kind, result.code) == (kind, "invalid_merge")


# --- deleting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("archive", "request_line"), [(False, "DELETE /contacts/c1"), (True, "POST /contacts/c1/archive")]
)
def test_a_contact_is_deleted_by_intercoms_id(archive, request_line):
    """The contact is deleted or archived by Intercom's id, and what was remembered of it is forgotten (rule D1)."""
    cache = _knowing()
    cache.remember_written("contact", "c1", {"name": "Ann"}, now=NOW)

    result = play(
        delete_contact(DeleteContact(who=_USER, archive=archive), make_world(cache)),
        (request_line, None, ok({"id": "c1", "deleted": True})),
    )

    assert (result, cache.contact_id("user:u1")) == (DELIVERED, None)
    assert cache.was_written("contact", "c1", {"name": "Ann"}, now=NOW, within=3600) is False


def test_a_contact_that_does_not_exist_counts_as_deleted():
    """A contact that does not exist is a success with a note (rule D1)."""
    result = play(
        delete_contact(DeleteContact(who=_USER), make_world()),
        ("GET /contacts/find_by_external_id/u1", None, missing()),
    )

    assert result == _UNCHANGED._replace(notes=(Note("D1", "contact", "not there"),))


@pytest.mark.parametrize("gone", [missing(), refusal(410)])
def test_a_wrong_remembered_id_is_looked_up_again(gone):
    """After a 404 or 410 the contact is looked up, so that an outdated id does not leave the person undeleted (rule D1)."""
    result = play(
        delete_contact(DeleteContact(who=_USER), make_world(_knowing())),
        ("DELETE /contacts/c1", None, gone),
        ("GET /contacts/find_by_external_id/u1", None, contact("c2", external_id="u1")),
        ("DELETE /contacts/c2", None, ok()),
    )

    assert result == DELIVERED


def test_a_contact_that_others_delete_meanwhile_counts_as_deleted():
    """A contact that disappears between the look-up and the deletion is deleted (rule D1)."""
    result = play(
        delete_contact(DeleteContact(who=_USER), make_world(_knowing())),
        ("DELETE /contacts/c1", None, missing()),
        ("GET /contacts/find_by_external_id/u1", None, contact("c2", external_id="u1")),
        ("DELETE /contacts/c2", None, missing()),
    )

    assert (result.kind, result.unchanged) == ("delivered", True)


def test_several_users_with_that_address_are_left_alone():
    """When several users have the address, none is deleted (rule D1)."""
    users = [{"id": f"c{at}", "role": "user", "email": "ann@example.com"} for at in (1, 2)]

    result = play(delete_contact(DeleteContact(who=_MAIL), make_world()), (_SEARCH, ANY, search_page(*users)))

    assert (result.kind, result.reason) == ("dead", "ambiguous_email")


def test_an_unreadable_response_does_not_mean_deleted():
    """Only a 404 says that there is no such contact (rule D1)."""
    result = play(
        delete_contact(DeleteContact(who=_USER), make_world()),
        ("GET /contacts/find_by_external_id/u1", None, ok({})),
    )

    assert (result.kind, result.reason) == ("retry", "unreadable_answer")


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (500, "retry"), (401, "held"), (403, "held")])
def test_other_responses_to_a_deletion_are_classified(status, kind):
    """Any other status means what the table of statuses says, so that the caller learns of it (rule T1)."""
    result = play(
        delete_contact(DeleteContact(who=_USER), make_world(_knowing())),
        ("DELETE /contacts/c1", None, refusal(status)),
    )

    assert result.kind == kind
