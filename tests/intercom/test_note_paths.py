"""Notes of a write name the trait of each message, not Intercom's attribute."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.note_paths import attribute_path, own_notes
from metarouter_intercom.operations import AttachCompany, UpsertCompany, UpsertContact, Who
from metarouter_intercom.operations._values import FLATTENED, Origin
from metarouter_intercom.plugins import Note

_ADA = Who(external_id="u1")


def _paths(operations, *paths):
    return [note.path for note in own_notes([Note("A6", path, "why") for path in paths], operations)]


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({}, "plan", "traits.plan"),
        (
            {"origins": {"address_city": Origin("traits.address.city", FLATTENED)}},
            "address_city",
            "traits.address.city",
        ),
        ({"origins": {"a_b": Origin("traits.a.b")}}, "a_b", "traits.a.b"),
        ({"traits_path": "context.traits"}, "plan", "context.traits.plan"),
        ({"origins": {"anonymous_id": Origin("anonymousId")}}, "anonymous_id", "anonymousId"),
    ],
)
def test_an_attribute_is_noted_by_its_trait(options, name, expected):
    """The path of the note is the trait's place in the message."""
    upsert = UpsertContact(who=_ADA, role="user", fields={}, attributes={name: 1}, **options)

    assert _paths([upsert], attribute_path(name)) == [expected]


def test_a_message_without_the_trait_gets_no_note():
    """In a merged write, only the messages that have the trait get a note about it."""
    upsert = UpsertCompany(company_id="k1", fields={}, attributes={"tier": "a"}, traits_path="traits.company")

    assert _paths([upsert], "custom_attributes.tier", "custom_attributes.seats") == ["traits.company.tier"]


def test_other_notes_stay_as_they_are():
    """A note about a standard field, and those of operations without attributes, keep their paths."""
    upsert = UpsertContact(who=_ADA, role="user", fields={}, attributes={})
    attach = AttachCompany(who=_ADA, company_id="k1")

    assert _paths([upsert], "owner_id") == ["owner_id"]
    assert _paths([attach], "custom_attributes.anonymous_id") == ["custom_attributes.anonymous_id"]
