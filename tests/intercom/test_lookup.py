"""How a contact or a company is found by the ids of a message (rules M1, O4)."""

from __future__ import annotations

import itertools

import pytest

from metarouter_intercom._intercom.lookup import find_company, find_contact, lead_by_email, user_by_email
from metarouter_intercom.operations import Who

from .._support.flow_driving import (
    ANY,
    contact,
    make_cache,
    make_world,
    missing,
    ok,
    play,
    refusal,
    search_page,
)

_SEARCH = "POST /contacts/search"


def _query(field, value, after=None):
    pagination = {"per_page": 150} if after is None else {"per_page": 150, "starting_after": after}
    return {"query": {"field": field, "operator": "=", "value": value}, "pagination": pagination}


def test_an_id_that_the_message_names_needs_no_request():
    """Intercom's own id in a message is used without a request (rule R8)."""
    assert play(find_contact(Who(contact_id="c1"), make_world())) == "c1"


def test_a_remembered_id_needs_no_request():
    """A remembered id is used without a request, whatever the contact is known by (rule O4)."""
    cache = make_cache()
    cache.remember_contact("email:ann@example.com", "c1")

    assert play(find_contact(Who(email="Ann@Example.com"), make_world(cache))) == "c1"


@pytest.mark.parametrize("version", ["2.13", "2.16", "2.17", "Preview"])
def test_an_external_id_is_looked_up_directly(version):
    """From version 2.13 on an external id is looked up directly, and the contact is remembered (rule M1)."""
    world = make_world(api_version=version)

    actual = play(
        find_contact(Who(external_id="a/b c"), world),
        ("GET /contacts/find_by_external_id/a%2Fb%20c", None, contact("c1", external_id="a/b c")),
    )

    assert (actual, world.cache.contact_id("user:a/b c")) == ("c1", "c1")


@pytest.mark.parametrize("version", ["2.12", "2.7"])
def test_an_external_id_is_searched_in_older_versions(version):
    """Before version 2.13 an external id is searched, and only an exact match counts (rule M1)."""
    actual = play(
        find_contact(Who(external_id="u1"), make_world(api_version=version)),
        (
            _SEARCH,
            _query("external_id", "u1"),
            search_page({"id": "c0", "external_id": "U1"}, {"id": "c1", "external_id": "u1"}),
        ),
    )

    assert actual == "c1"


@pytest.mark.parametrize(("status", "kind"), [(500, "retry"), (401, "held"), (400, "dead"), (403, "dead")])
@pytest.mark.parametrize("version", ["2.12", "2.16"])
def test_a_failed_lookup_is_classified(version, status, kind):
    """A failed look-up ends as its status says; a 403 for a read ends that one operation (rule T1)."""
    place = _SEARCH if version == "2.12" else "GET /contacts/find_by_external_id/u1"

    result = play(
        find_contact(Who(external_id="u1"), make_world(api_version=version)), (place, ANY, refusal(status))
    )

    assert result.kind == kind


@pytest.mark.parametrize(
    ("who", "exchange"),
    [
        (Who(external_id="u1"), ("GET /contacts/find_by_external_id/u1", None, missing())),
        (Who(email="a@example.com"), (_SEARCH, ANY, search_page())),
        (Who(anonymous_id="a1"), (_SEARCH, ANY, search_page())),
        (
            Who(anonymous_id="a1"),
            (_SEARCH, ANY, search_page({"role": "lead", "custom_attributes": {"anonymous_id": "a1"}})),
        ),
    ],
)
def test_a_contact_that_does_not_exist_is_none(who, exchange):
    """A look-up that finds nobody returns None."""
    assert play(find_contact(who, make_world()), exchange) is None


def test_a_search_reads_page_after_page():
    """A search reads pages of 150 contacts, each with the cursor of the page before."""
    user = {"id": "c9", "role": "user", "email": "a@example.com"}
    lead = {"id": "c1", "role": "lead", "email": "a@example.com"}

    actual = play(
        user_by_email("A@example.com"),
        (_SEARCH, _query("email", "a@example.com"), search_page(lead, after="p2")),
        (_SEARCH, _query("email", "a@example.com", "p2"), search_page(lead, after="p3")),
        (_SEARCH, _query("email", "a@example.com", "p3"), search_page(user)),
    )

    assert actual == user


def test_a_search_ends_after_a_few_pages():
    """A search reads four pages at most, so that a cursor without an end cannot occupy a worker."""
    actual = play(user_by_email("a@example.com"), *[(_SEARCH, ANY, search_page(after="p"))] * 4)

    assert actual is None


@pytest.mark.parametrize(
    "pages", [None, "odd", {"next": "odd"}, {"next": {"starting_after": ""}}, {"next": {"starting_after": 5}}]
)
def test_a_page_without_a_cursor_is_the_last(pages):
    """Anything but a text in place of the cursor ends the search."""
    answer = ok({"data": [{"id": "c1", "role": "user", "email": "a@example.com"}, "odd"], "pages": pages})

    assert play(user_by_email("a@example.com"), (_SEARCH, ANY, answer))["id"] == "c1"


# --- companies ------------------------------------------------------------------------------------------------


def test_a_remembered_company_needs_no_request():
    """A remembered company needs no request (rule O4)."""
    cache = make_cache()
    cache.remember_company("k1", "i1")

    assert play(find_company("k1", make_world(cache))) == "i1"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "company", "id": "i1", "company_id": "k&1"},
        {"type": "list", "data": [{"id": "i0", "company_id": "K&1"}, {"id": "i1", "company_id": "k&1"}]},
        {"type": "company.list", "companies": [{"id": "i1", "company_id": "k&1"}]},
    ],
)
def test_a_company_is_one_object_or_a_list(body):
    """The response may be one company or a list, and only an exact match counts."""
    world = make_world()

    actual = play(find_company("k&1", world), ("GET /companies?company_id=k%261", None, ok(body)))

    assert (actual, world.cache.company_id("k&1")) == ("i1", "i1")


@pytest.mark.parametrize(
    "answer",
    [
        missing("Company Not Found", "company_not_found"),
        ok({"type": "list", "data": []}),
        ok({"id": "i9", "company_id": "other"}),
    ],
)
def test_a_company_that_does_not_exist_is_none(answer):
    """Neither an empty response nor another company is the one that was asked for."""
    assert play(find_company("k1", make_world()), ("GET /companies?company_id=k1", None, answer)) is None


@pytest.mark.parametrize(("status", "kind"), [(500, "retry"), (401, "held"), (403, "dead")])
def test_a_failed_lookup_of_a_company_is_classified(status, kind):
    """A failed look-up of a company ends as its status says (rule T1)."""
    result = play(find_company("k1", make_world()), ("GET /companies?company_id=k1", None, refusal(status)))

    assert result.kind == kind


# --- several leads --------------------------------------------------------------------------------------------


def _lead(contact_id, **fields):
    return {
        "id": contact_id,
        "role": "lead",
        "email": "ann@example.com",
        "custom_attributes": {"anonymous_id": "a1"},
        **fields,
    }


_LEADS = [_lead("c2", created_at=200), _lead("c9", created_at=100), _lead("c1", created_at=300), _lead("c0")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_of_several_leads_the_oldest_is_meant(order):
    """In whatever order Intercom lists them, every attempt writes to the same lead (rules I9, R8)."""
    listed = [_LEADS[place] for place in order]

    by_email = play(lead_by_email("ann@example.com"), (_SEARCH, ANY, search_page(*listed)))
    by_anonymous_id = play(
        find_contact(Who(anonymous_id="a1"), make_world()), (_SEARCH, ANY, search_page(*listed))
    )

    assert (by_email["id"], by_anonymous_id) == ("c9", "c9")


def test_the_oldest_lead_may_be_on_a_later_page():
    """All pages of the search are read before the oldest is chosen."""
    lead = play(
        lead_by_email("ann@example.com"),
        (_SEARCH, ANY, search_page(_LEADS[0], after="p2")),
        (_SEARCH, ANY, search_page(_LEADS[1])),
    )

    assert lead["id"] == "c9"


@pytest.mark.parametrize("created_at", [None, True, "yesterday", [], 100])
def test_leads_of_the_same_age_stay_in_intercoms_order(created_at):
    """Without a time, or with the same one, the first lead that Intercom lists is meant: it lists the oldest first (recorded)."""
    leads = [_lead(name, created_at=created_at) for name in ("c5", "c4", "c6")]

    assert play(lead_by_email("ann@example.com"), (_SEARCH, ANY, search_page(*leads)))["id"] == "c5"


def test_the_user_whom_a_lead_became_is_meant_before_older_leads():
    """A user with the anonymous id is the same person, and a message goes to the user (rule R8)."""
    user = _lead("c7", role="user", created_at=900)

    assert (
        play(find_contact(Who(anonymous_id="a1"), make_world()), (_SEARCH, ANY, search_page(*_LEADS, user)))
        == "c7"
    )
