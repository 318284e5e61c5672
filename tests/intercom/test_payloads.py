"""From operations to the bodies of Intercom's requests (rules I8, I9, E2)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.payloads import (
    company_body,
    contact_body,
    event_body,
    note_unstorable_times,
    version_number,
)
from metarouter_intercom.operations import SubmitEvent, UpsertCompany, UpsertContact, Who
from metarouter_intercom.plugins import Note


def _contact(role="user", attributes=None, **fields):
    return UpsertContact(who=Who(external_id="u1"), role=role, fields=fields, attributes=attributes or {})


@pytest.mark.parametrize(
    ("version", "owner"),
    [
        ("2.3", 7),
        ("2.9", 7),
        ("2.15", 7),
        ("2.16", "7"),
        ("2.17", "7"),
        ("3.0", "7"),
        ("Preview", "7"),
        ("Unstable", "7"),
    ],
)
def test_owners_by_version(version, owner):
    """An owner is a number up to version 2.15 and a text from 2.16 on (rule I8)."""
    assert contact_body(_contact(owner_id=7), api_version=version)["owner_id"] == owner


def test_a_lead_has_no_external_id():
    """A lead's body has no external id, because Intercom assigns it; a body without a role has none either way (rule I9)."""
    assert contact_body(_contact(role="lead"), api_version="2.16") == {"role": "lead"}
    assert contact_body(_contact(role=None), api_version="2.16") == {"external_id": "u1"}


def test_the_body_of_a_contact():
    """Fields are beside role and external id, attributes are in an object of their own, and null and false are sent."""
    body = contact_body(
        _contact(attributes={"plan": None}, name=None, unsubscribed_from_emails=False), api_version="2.16"
    )

    assert body == {
        "role": "user",
        "external_id": "u1",
        "name": None,
        "unsubscribed_from_emails": False,
        "custom_attributes": {"plan": None},
    }


def test_the_body_of_a_company():
    """A company is written by the caller's id (rules C1, C2)."""
    bare = UpsertCompany(company_id="c1", fields={"size": 0}, attributes={})
    whole = UpsertCompany(company_id="c1", fields={}, attributes={"tier": "gold"})

    assert company_body(bare) == {"company_id": "c1", "size": 0}
    assert company_body(whole) == {"company_id": "c1", "custom_attributes": {"tier": "gold"}}


@pytest.mark.parametrize("seconds", [-1, -6_128_956_800, -62_135_596_800])
def test_companies_may_be_older_than_1970(seconds):
    """A company's time before 1970 is written, and a contact's is left out with a note (rules I5, C2)."""
    company = UpsertCompany(company_id="c1", fields={"remote_created_at": seconds}, attributes={})
    contact, notes = _contact(signed_up_at=seconds), []
    note_unstorable_times(company, notes)
    note_unstorable_times(contact, notes)

    assert company_body(company) == {"company_id": "c1", "remote_created_at": seconds}
    assert "signed_up_at" not in contact_body(contact, api_version="2.16")
    assert notes == [Note("M3", "signed_up_at", "before 1970 or after 2286")]


@pytest.mark.parametrize(
    ("seconds", "is_storable"),
    [(-(10**11), False), (0, True), (9_999_999_999, True), (10_000_000_000, False), (None, True)],
)
def test_times_that_intercom_cannot_store(seconds, is_storable):
    """A time before the calendar, or of more than ten digits, is left out of the body with one note (rules I5, C2)."""
    contact = _contact(signed_up_at=seconds)
    company = UpsertCompany(company_id="c1", fields={"remote_created_at": seconds}, attributes={})
    notes = []
    for operation in (contact, company, contact):
        note_unstorable_times(operation, notes)

    expected = (
        []
        if is_storable
        else [Note("M3", name, "before 1970 or after 2286") for name in ("signed_up_at", "remote_created_at")]
    )
    assert ("signed_up_at" in contact_body(contact, api_version="2.16")) is is_storable
    assert ("remote_created_at" in company_body(company)) is is_storable
    assert notes == expected


@pytest.mark.parametrize(
    ("who", "known", "identifier"),
    [
        ({"external_id": "u1", "email": "a@b.co"}, "c1", {"id": "c1"}),
        ({"contact_id": "c2", "external_id": "u1"}, None, {"id": "c2"}),
        ({"external_id": "u1", "email": "a@b.co"}, None, {"user_id": "u1"}),
        ({"email": "a@b.co"}, None, {"email": "a@b.co"}),
    ],
)
def test_an_event_has_one_identifier(who, known, identifier):
    """An event has Intercom's id when it is known, else the user id, else the e-mail address (rule E2)."""
    event = SubmitEvent(who=Who(**who), event_name="x", created_at=5, metadata={})

    assert event_body(event, contact_id=known) == {**identifier, "event_name": "x", "created_at": 5}


def test_metadata_keeps_its_order():
    """Metadata is sent in the mapping's order, because Intercom keeps the first keys (rule E8)."""
    event = SubmitEvent(who=Who(external_id="u1"), event_name="x", created_at=5, metadata={"z": 1, "a": 2})

    assert list(event_body(event)["metadata"]) == ["z", "a"]


def test_versions_are_compared_as_numbers():
    """2.9 is older than 2.16, and Preview is newer than any number."""
    assert version_number("2.9") < version_number("2.16") < version_number("Preview")
