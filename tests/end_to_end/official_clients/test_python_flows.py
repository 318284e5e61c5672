"""What Intercom's own Python client does in several calls, one after the other, has its effect in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metarouter_intercom.sandbox import Sandbox

intercom = pytest.importorskip("intercom", reason="python-intercom is not installed")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox with an attribute for each model, whose searches see each write at once."""
    attributes = {"contact": {"plan": "string"}, "company": {"tier": "string"}}
    with Sandbox(attributes=attributes, search_lag=0.0) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[intercom.Intercom]:
    """Intercom's client; it names no API version unless told to."""
    import httpx

    with httpx.Client() as connections:
        yield intercom.Intercom(
            token=sandbox.token,
            base_url=sandbox.url,
            headers={"Intercom-Version": "2.14"},
            httpx_client=connections,
        )


def test_people(sandbox, client):
    """Intercom's client can create, update, find, search, list, merge, archive and delete contacts."""
    made = client.contacts.create(
        request=intercom.CreateContactRequestWithExternalId(
            external_id="u1", email="ann@example.com", custom_attributes={"plan": "free"}
        )
    )
    changed = client.contacts.update(made.id, name="Ann", owner_id=991267459)
    found = client.contacts.search(
        query=intercom.SingleFilterSearchRequest(field="email", operator="=", value="ann@example.com")
    )
    lead = client.contacts.create(request=intercom.CreateContactRequestWithRole(role="lead"))

    assert (changed.name, changed.owner_id, changed.custom_attributes) == ("Ann", 991267459, {"plan": "free"})
    assert [one.id for one in found] == [made.id]
    assert client.contacts.show_contact_by_external_id("u1").id == made.id
    assert {one.id for one in client.contacts.list()} == {made.id, lead.id}
    assert client.contacts.merge_lead_in_user(lead_id=lead.id, contact_id=made.id).id == made.id
    assert client.contacts.archive(made.id).archived is True
    assert client.contacts.unarchive(made.id).archived is False
    assert client.contacts.delete(made.id).deleted is True
    assert sandbox.workspace.violations == []


def test_companies(sandbox, client):
    """Intercom's client can create, look up, attach, list and detach companies."""
    contact = client.contacts.create(request=intercom.CreateContactRequestWithEmail(email="ann@example.com"))
    company = client.companies.create_or_update(
        request=intercom.CreateOrUpdateCompanyRequest(
            company_id="acme", name="Acme", plan="gold", custom_attributes={"tier": "a"}
        )
    )

    assert client.companies.retrieve(company_id="acme").id == company.id
    assert client.companies.attach_contact(contact.id, company_id=company.id).user_count == 1
    assert [one.company_id for one in client.contacts.list_attached_companies(contact.id)] == ["acme"]
    assert client.companies.detach_contact(contact.id, company.id).user_count == 0
    assert sandbox.workspace.violations == []


def test_events(sandbox, client):
    """Intercom's client can submit and summarize events."""
    client.contacts.create(request=intercom.CreateContactRequestWithExternalId(external_id="u1"))

    client.events.create(
        request=intercom.CreateDataEventRequestWithUserId(
            event_name="Bought", created_at=1_700_000_000, user_id="u1", metadata={"order": "5"}
        )
    )

    [summary] = client.events.list(type="user", user_id="u1", summary=True).events
    assert (summary.name, summary.count) == ("Bought", 1)
    assert sandbox.workspace.events("u1")[0].metadata == {"order": "5"}
    assert sandbox.workspace.violations == []


def test_tags_attributes_and_consent(sandbox, client):
    """Intercom's client can create a tag and an attribute and set a subscription."""
    contact = client.contacts.create(request=intercom.CreateContactRequestWithExternalId(external_id="u1"))
    tag = client.tags.create(request=intercom.CreateOrUpdateTagRequest(name="vip"))

    attribute = client.data_attributes.create(
        request=intercom.CreateDataAttributeRequestOne(name="ring", model="contact", data_type="string")
    )
    choice = client.contacts.attach_subscription(contact.id, subscription_id="91", consent_type="opt_out")
    note = client.notes.create(contact.id, body="Hello")

    assert client.tags.tag_contact(contact.id, tag_id=tag.id).name == "vip"
    assert client.notes.find(int(note.id)).body == "<p>Hello</p>"
    segments = client.segments.list().segments
    assert client.segments.find(segments[0].id).name == segments[0].name == "New"
    assert (attribute.full_name, choice.id, note.body) == ("custom_attributes.ring", "91", "<p>Hello</p>")
    assert "ring" in [one.name for one in client.data_attributes.list(model="contact").data]
    assert sandbox.workspace.violations == []


def test_me(sandbox, client):
    """Intercom's client can check its token."""
    assert client.admins.identify().app.id_code == "sandbox1"


def test_refusals_are_its_errors(client):
    """Intercom's client raises its own error classes with the sandbox's code and text."""
    from intercom.core.api_error import ApiError

    client.contacts.create(request=intercom.CreateContactRequestWithExternalId(external_id="u1"))

    with pytest.raises(ApiError) as caught:
        client.contacts.create(request=intercom.CreateContactRequestWithExternalId(external_id="u1"))

    assert caught.value.status_code == 409
