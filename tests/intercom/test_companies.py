"""How companies are written and tagged, and contacts attached and detached (rules C, I12, M2, M3, O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.companies import (
    attach_company,
    detach_company,
    tag_company,
    upsert_company,
)
from metarouter_intercom._intercom.context import Part
from metarouter_intercom._intercom.responses import DELIVERED
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.operations import AttachCompany, DetachCompany, TagCompany, UpsertCompany, Who
from metarouter_intercom.plugins import Note, Request

from .._support.flow_driving import (
    ANY,
    NOW,
    attributes,
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

_UNCHANGED = DELIVERED._replace(unchanged=True)
_WHO = Who(external_id="u1")
_ATTACH = AttachCompany(who=_WHO, company_id="k1")
_DETACH = DetachCompany(who=_WHO, company_id="k1")
_POST = "POST /companies"
_LINK = "POST /contacts/c1/companies"
_UNLINK = "DELETE /contacts/c1/companies/i1"
_NO_COMPANY = missing("Company Not Found", "company_not_found")
_LOOK = "GET /companies?company_id=k1"
_FIND = "GET /contacts/find_by_external_id/u1"


def _upsert(attributes=None, **fields):
    return UpsertCompany(company_id="k1", fields=fields, attributes=attributes or {})


def _company(company_id="i1"):
    return ok({"type": "company", "id": company_id, "company_id": "k1"})


def _knowing(contact_id="c1", company_id="i1"):
    cache = make_cache()
    if contact_id is not None:
        cache.remember_contact("user:u1", contact_id)
    if company_id is not None:
        cache.remember_company("k1", company_id)
    return cache


# --- upsert ---------------------------------------------------------------------------------------------------


def test_a_company_costs_one_request_and_is_remembered():
    """A company costs one request; its id and its values are remembered, so the same write again sends nothing (rules O3, O4)."""
    world = make_world()

    result = play(
        upsert_company(_upsert({"tier": "a"}, name="K"), world),
        (_POST, {"company_id": "k1", "name": "K", "custom_attributes": {"tier": "a"}}, _company()),
    )
    again = play(upsert_company(_upsert({"tier": "a"}, name="K"), world))

    assert (result, again, world.cache.company_id("k1")) == (DELIVERED, _UNCHANGED, "i1")


def test_a_success_without_an_id_is_delivered():
    """Every 2xx means delivered, also one without the company's id (rule T1)."""
    world = make_world()

    assert play(upsert_company(_upsert(name="K"), world), (_POST, ANY, ok())) == DELIVERED
    assert world.cache.company_id("k1") is None


def test_unknown_attributes_of_a_company_are_created():
    """Attributes that the workspace lacks are created for companies as for contacts (rule A6)."""
    result = play(
        upsert_company(_upsert({"tier": "a"}), make_world()),
        (_POST, ANY, refusal(400, "Custom attribute 'tier' does not exist")),
        ("GET /data_attributes", None, attributes(model="company")),
        ("POST /data_attributes", {"name": "tier", "model": "company", "data_type": "string"}, ok()),
        (_POST, ANY, _company()),
    )

    assert result == DELIVERED


def test_what_is_left_out_of_a_company_is_noted():
    """A refused attribute is left out with a note each time, and makes no difference to the next write for an hour (rule M3)."""
    world = make_world(unknown_attributes="drop")

    result = play(
        upsert_company(_upsert({"tier": "a"}, name="K"), world),
        (_POST, ANY, refusal(400, "Custom attribute 'tier' does not exist")),
        (_POST, {"company_id": "k1", "name": "K"}, _company()),
    )
    again = play(upsert_company(_upsert({"tier": "a"}, name="K"), world))

    assert [note.rule for note in result.notes] == ["A6"]
    assert again == _UNCHANGED._replace(notes=result.notes)


def test_null_for_a_missing_attribute_changes_nothing():
    """Null for an attribute that does not exist changes nothing, so nothing is sent (rules O3, A1)."""
    world = make_world()
    play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company()))
    world.cache.list_attributes({"company": []}, NOW)

    assert play(upsert_company(_upsert({"tier": None}, name="K"), world)) == _UNCHANGED


@pytest.mark.parametrize(
    ("exchanges", "expected"),
    [
        ([(_POST, ANY, refusal(400, "No"))], ("dead", "http_400")),
        ([(_POST, ANY, refusal(500))], ("retry", "http_500")),
        ([(_POST, ANY, refusal(403))], ("held", "http_403")),
        (
            [(_POST, ANY, refusal(400, "Custom attribute 'tier' does not exist"))],
            ("dead", "unknown_attribute"),
        ),
    ],
)
def test_a_failed_write_leaves_no_fingerprint(exchanges, expected):
    """After a failed write nobody knows what the company holds, so the next write is sent (rules O3, T1)."""
    world = make_world(unknown_attributes="fail")
    play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company()))
    attribute = {"tier": "a"} if expected[1] == "unknown_attribute" else {}

    result = play(upsert_company(_upsert(attribute, name="L"), world), *exchanges)

    assert (result.kind, result.reason) == expected
    assert play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company())) == DELIVERED


@pytest.mark.parametrize("end", ["cut", "closed"])
def test_a_write_without_a_response_leaves_no_fingerprint(end):
    """After a write whose response was lost or not awaited, the next write is sent (rule O3)."""
    world = make_world()
    play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company()))
    flow = upsert_company(_upsert(name="L"), world)
    if end == "cut":
        with pytest.raises(ReadFailed):
            play(flow, (_POST, ANY, ReadFailed("cut")))
    else:
        assert next(flow) == Request("POST", "/companies", {"company_id": "k1", "name": "L"})
        flow.close()

    assert play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company())) == DELIVERED


def _from(seq, cache, attributes=None, **fields):
    operation = _upsert(attributes, **fields)
    others = Part(seq, UpsertCompany(company_id="k2", fields={"name": "Z"}, attributes={}))
    parts = (Part(seq, operation), others, Part(seq, _ATTACH))
    return upsert_company(operation, make_world(cache, parts=parts))


def test_a_message_accepted_later_wins_a_company_that_contacts_share():
    """Contacts are delivered side by side, so an earlier message writes only what no later one has written (rules O1, O2)."""
    cache = make_cache()
    play(_from(2, cache, {"tier": "b"}, name="New"), (_POST, ANY, _company()))

    result = play(
        _from(1, cache, {"tier": "a", "seats": 5}, name="Old", plan="pro"),
        (_POST, {"company_id": "k1", "plan": "pro", "custom_attributes": {"seats": 5}}, _company()),
    )
    nothing_left = play(_from(1, cache, {"tier": "a"}, name="Old"))
    newest = play(_from(3, cache, name="Newest"), (_POST, {"company_id": "k1", "name": "Newest"}, _company()))

    assert (result, nothing_left, newest) == (DELIVERED, _UNCHANGED, DELIVERED)


def test_an_unchanged_write_counts_in_the_order():
    """A write that sends nothing because nothing changed counts as the latest write all the same (rules O1, O3)."""
    cache = make_cache()
    play(_from(1, cache, name="Same"), (_POST, ANY, _company()))
    play(_from(3, cache, name="Same"))

    assert play(_from(2, cache, name="Other")) == _UNCHANGED


# --- tags -----------------------------------------------------------------------------------------------------

_TAG = TagCompany(company_id="k1", name="VIP")


def test_a_company_is_tagged_once():
    """A tag that the company has, whatever its letter case, is not sent again (rules C3, O3)."""
    world = make_world()

    result = play(
        tag_company(_TAG, world), ("POST /tags", {"name": "VIP", "companies": [{"company_id": "k1"}]}, ok())
    )
    again = play(tag_company(TagCompany(company_id="k1", name="vip"), world))

    assert (result, again) == (DELIVERED, _UNCHANGED)


def test_a_deleted_company_is_written_again_before_it_is_tagged():
    """A 404 for a tag forgets what was written, so that the next attempt writes the company again (rule O3)."""
    world = make_world(_knowing())
    play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company()))

    result = play(tag_company(_TAG, world), ("POST /tags", ANY, _NO_COMPANY))

    assert (result.kind, result.reason) == ("retry", "company_missing")
    assert play(upsert_company(_upsert(name="K"), world), (_POST, ANY, _company())) == DELIVERED


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (403, "dead"), (401, "held"), (500, "retry")])
def test_other_responses_to_a_tag_are_classified(status, kind):
    """A 403 for a tag ends that one operation and does not hold the client (rule T1)."""
    assert play(tag_company(_TAG, make_world()), ("POST /tags", ANY, refusal(status))).kind == kind


# --- attach ---------------------------------------------------------------------------------------------------


def test_a_contact_is_attached_once():
    """Attaching costs one request when both ids are known, and none when it was done before (rules C4, O3)."""
    world = make_world(_knowing())

    result = play(attach_company(_ATTACH, world), (_LINK, {"id": "i1"}, _company()))
    again = play(attach_company(_ATTACH, world))

    assert (result, again) == (DELIVERED, _UNCHANGED)


def test_unknown_ids_are_looked_up_first():
    """The contact and the company are looked up when their ids are not known, because Intercom wants its own ids (rule O4)."""
    result = play(
        attach_company(_ATTACH, make_world()),
        (_FIND, None, contact("c1", external_id="u1")),
        (_LOOK, None, _company()),
        (_LINK, {"id": "i1"}, _company()),
    )

    assert result == DELIVERED


def test_an_attach_waits_for_its_contact():
    """An attach waits for a contact that does not exist, because another process may create it (rule M2)."""
    result = play(attach_company(_ATTACH, make_world()), (_FIND, None, missing()))

    assert (result.kind, result.reason) == ("wait", "contact_missing")


@pytest.mark.parametrize(
    ("exchanges", "kind"),
    [
        ([(_FIND, None, refusal(500))], "retry"),
        ([(_FIND, None, contact("c1")), (_LOOK, None, refusal(500))], "retry"),
    ],
)
@pytest.mark.parametrize("flow", [attach_company, detach_company])
def test_a_failed_lookup_is_retried(flow, exchanges, kind):
    """When the look-up of the contact or of the company fails, the message is sent again later (rule T1)."""
    operation = _ATTACH if flow is attach_company else _DETACH

    assert play(flow(operation, make_world()), *exchanges).kind == kind


def test_a_bare_contact_is_created_when_the_settings_say_so():
    """With ``create_missing_contacts`` a missing contact is created and attached (rule M2)."""
    result = play(
        attach_company(_ATTACH, make_world(_knowing(None), create_missing_contacts=True)),
        (_FIND, None, missing()),
        ("POST /contacts", {"role": "user", "external_id": "u1"}, contact("c1")),
        (_LINK, {"id": "i1"}, _company()),
    )

    assert result == DELIVERED


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([("POST /contacts", ANY, refusal(400, "No"))], ("dead", "http_400")),
        ([("POST /contacts", ANY, ok()), (_FIND, None, missing())], ("wait", "contact_missing")),
    ],
)
def test_a_bare_contact_that_fails_ends_the_attach(answers, expected):
    """A failure to create the contact is the result of the attach, and a created contact that is not found yet is waited for (rule M2)."""
    result = play(
        attach_company(_ATTACH, make_world(_knowing(None), create_missing_contacts=True)),
        (_FIND, None, missing()),
        *answers,
    )

    assert (result.kind, result.reason) == expected


def test_a_missing_company_is_retried():
    """A missing company is retried: another process deleted it, or the look-up does not show it yet (rule C4)."""
    result = play(attach_company(_ATTACH, make_world(_knowing(company_id=None))), (_LOOK, None, _NO_COMPANY))

    assert (result.kind, result.reason) == ("retry", "company_missing")


def test_an_unknown_company_of_a_bare_id_is_a_note():
    """A ``groupId`` alone on an identify creates no company and leaves a note (rule I12)."""
    operation = AttachCompany(who=_WHO, company_id="k1", only_known=True)

    result = play(
        attach_company(operation, make_world(_knowing(company_id=None))), (_LOOK, None, _NO_COMPANY)
    )

    assert result == _UNCHANGED._replace(notes=(Note("I12", "groupId", "unknown company"),))


def test_a_wrong_company_id_is_looked_up_again():
    """A 404 ``company_not_found`` forgets the company and everything that was written to it, and looks it up (rule O3)."""
    world = make_world(_knowing())
    world.cache.remember_written("company", "k1", {"name": "K"}, now=NOW)

    result = play(
        attach_company(_ATTACH, world),
        (_LINK, {"id": "i1"}, _NO_COMPANY),
        (_LOOK, None, _company("i2")),
        (_LINK, {"id": "i2"}, _company("i2")),
    )

    assert (result, world.cache.company_id("k1")) == (DELIVERED, "i2")
    assert world.cache.was_written("company", "k1", {"name": "K"}, now=NOW, within=3600) is False


def test_a_company_that_only_the_lookup_knows_is_retried():
    """When the look-up shows a company that cannot be attached to, the company is missing and the message is retried."""
    result = play(
        attach_company(_ATTACH, make_world(_knowing(company_id=None))),
        (_LOOK, None, _company()),
        (_LINK, ANY, _NO_COMPANY),
        (_LOOK, None, _company()),
    )

    assert (result.kind, result.reason) == ("retry", "company_missing")


def test_a_wrong_contact_id_is_looked_up_again():
    """A 404 for the contact forgets its id and looks it up (rules M1, M2)."""
    world = make_world(_knowing())

    result = play(
        attach_company(_ATTACH, world),
        (_LINK, ANY, missing()),
        (_FIND, None, contact("c2", external_id="u1")),
        ("POST /contacts/c2/companies", {"id": "i1"}, _company()),
    )

    assert (result, world.cache.contact_id("user:u1")) == (DELIVERED, "c2")


def test_a_contact_that_only_the_lookup_knows_is_waited_for():
    """When the look-up shows a contact that cannot be attached, the message waits: look-ups show deleted contacts for a while (rule M2)."""
    result = play(
        attach_company(_ATTACH, make_world(_knowing(None))),
        (_FIND, None, contact("c1")),
        (_LINK, ANY, missing()),
        (_FIND, None, contact("c1")),
    )

    assert (result.kind, result.reason) == ("wait", "contact_missing")


def test_a_merged_contact_is_followed():
    """The link of a 410 leads to the contact that this one was merged into, and that one is remembered (rule M1)."""
    world = make_world(_knowing())

    result = play(
        attach_company(_ATTACH, world),
        (_LINK, ANY, merged_into("c2")),
        ("POST /contacts/c2/companies", {"id": "i1"}, merged_into("c3")),
        ("POST /contacts/c3/companies", {"id": "i1"}, merged_into("c4")),
        ("POST /contacts/c4/companies", {"id": "i1"}, _company()),
    )

    assert (result, world.cache.contact_id("user:u1")) == (DELIVERED, "c4")


@pytest.mark.parametrize("gone", [missing(), refusal(410)])
def test_a_named_contact_that_does_not_exist(gone):
    """For a named contact that does not exist another id of the message is used; without one the message waits (rules M1, M2)."""
    alone = AttachCompany(who=Who(contact_id="c7"), company_id="k1")
    named = AttachCompany(who=Who(contact_id="c7", external_id="u1"), company_id="k1")
    link = "POST /contacts/c7/companies"

    waiting = play(attach_company(alone, make_world(_knowing())), (link, ANY, gone))
    attached = play(
        attach_company(named, make_world(_knowing())), (link, ANY, gone), (_LINK, ANY, _company())
    )

    assert (waiting.kind, waiting.reason, attached) == ("wait", "contact_missing", DELIVERED)


def test_a_named_contact_that_was_merged_is_followed():
    """A contact that the message names is followed after a merge, and not remembered, because the message names it each time (rule M1)."""
    operation = AttachCompany(who=Who(contact_id="c7"), company_id="k1")
    world = make_world(_knowing())

    result = play(
        attach_company(operation, world),
        ("POST /contacts/c7/companies", ANY, merged_into("c8")),
        ("POST /contacts/c8/companies", ANY, _company()),
    )

    assert (result, world.cache.contact_id("contact:c7")) == (DELIVERED, None)


def test_too_many_companies_end_the_message():
    """A contact with 1000 companies takes no further one: the dead letter has Intercom's code."""
    answer = refusal(
        400,
        "Contact has reached the maximum of 1000 company associations",
        code="contact_company_limit_exceeded",
    )

    result = play(attach_company(_ATTACH, make_world(_knowing())), (_LINK, ANY, answer))

    assert (result.kind, result.code) == ("dead", "contact_company_limit_exceeded")


@pytest.mark.parametrize(("status", "kind"), [(400, "dead"), (401, "held"), (403, "held"), (500, "retry")])
def test_other_responses_to_an_attach_are_classified(status, kind):
    """An attach is a write of contacts, so a 403 holds the client (rule T1)."""
    attached = play(attach_company(_ATTACH, make_world(_knowing())), (_LINK, ANY, refusal(status)))
    detached = play(detach_company(_DETACH, make_world(_knowing())), (_UNLINK, None, refusal(status)))

    assert (attached.kind, detached.kind) == (kind, kind)


# --- detach ---------------------------------------------------------------------------------------------------

_NOTED = _UNCHANGED._replace(notes=(Note("I12", "groupId", "already detached, or unknown"),))


def test_a_contact_is_detached_once():
    """A detached contact is not detached again, and can be attached and detached afterwards (rules I12, O3)."""
    world = make_world(_knowing())

    result = play(detach_company(_DETACH, world), (_UNLINK, None, _company()))
    again = play(detach_company(_DETACH, world))
    attached = play(attach_company(_ATTACH, world), (_LINK, {"id": "i1"}, _company()))
    detached = play(detach_company(_DETACH, world), (_UNLINK, None, _company()))

    assert (result, again, attached, detached) == (DELIVERED, _UNCHANGED, DELIVERED, DELIVERED)


@pytest.mark.parametrize(
    ("known", "exchanges"),
    [
        ((None, "i1"), [(_FIND, None, missing())]),
        (("c1", None), [(_LOOK, None, _NO_COMPANY)]),
        (("c1", "i1"), [(_UNLINK, None, _NO_COMPANY), (_LOOK, None, _NO_COMPANY)]),
        (("c1", "i1"), [(_UNLINK, None, missing()), (_FIND, None, missing())]),
        (("c1", None), [(_LOOK, None, _company()), (_UNLINK, None, _NO_COMPANY), (_LOOK, None, _company())]),
        (("c1", "i1"), [(_UNLINK, None, _NO_COMPANY), (_LOOK, None, _company())]),
    ],
)
def test_what_is_detached_or_unknown_is_a_success(known, exchanges):
    """Detaching what is detached, or does not exist, is a success with a note (rule I12)."""
    assert play(detach_company(_DETACH, make_world(_knowing(*known))), *exchanges) == _NOTED


def test_what_was_found_detached_is_not_asked_again():
    """A missing membership of existing ones is remembered; a company that was created again is tried under its new id (rule O3)."""
    world = make_world(_knowing())
    play(detach_company(_DETACH, world), (_UNLINK, None, _NO_COMPANY), (_LOOK, None, _company()))
    again = play(detach_company(_DETACH, world))
    created_again = play(
        detach_company(_DETACH, make_world(_knowing())),
        (_UNLINK, None, _NO_COMPANY),
        (_LOOK, None, _company("i2")),
        ("DELETE /contacts/c1/companies/i2", None, _company("i2")),
    )

    assert (again, created_again) == (_UNCHANGED, DELIVERED)


def test_a_named_contact_that_is_gone_is_detached():
    """A named contact that does not exist belongs to no company (rule I12)."""
    operation = DetachCompany(who=Who(contact_id="c7"), company_id="k1")

    result = play(
        detach_company(operation, make_world(_knowing())),
        ("DELETE /contacts/c7/companies/i1", None, missing()),
    )

    assert result == _NOTED


def test_a_merged_contact_is_detached_under_its_new_id():
    """The link of a 410 leads to the contact to detach (rule M1)."""
    result = play(
        detach_company(_DETACH, make_world(_knowing())),
        (_UNLINK, None, merged_into("c2")),
        ("DELETE /contacts/c2/companies/i1", None, _company()),
    )

    assert result == DELIVERED


def test_an_ambiguous_address_ends_the_attach():
    """Several users with one e-mail address end the message (rule I2)."""
    users = [{"id": f"c{at}", "role": "user", "email": "a@example.com"} for at in (1, 2)]
    operation = AttachCompany(who=Who(email="a@example.com"), company_id="k1")

    result = play(
        attach_company(operation, make_world()), ("POST /contacts/search", ANY, search_page(*users))
    )

    assert (result.kind, result.reason) == ("dead", "ambiguous_email")
