"""Every call of python-intercom 5 whose endpoint the sandbox serves, by its name in the client; no test of its own."""

from __future__ import annotations

import intercom
from intercom.unstable.types import SingleFilterSearchRequest as UnstableFilter

_FILTER = {"field": "email", "operator": "=", "value": "ann@example.com"}
_EVENT = {"event_name": "Sold", "created_at": 1_700_000_100, "user_id": "u1", "metadata": {"order": "5"}}
_SUMMARY = {"event_name": "Bought", "count": 2, "first": 1_700_000_000, "last": 1_700_000_100}
_CONTACT = {"external_id": "u9", "email": "new@example.com", "custom_attributes": {"plan": "free"}}
_COMPANY = {"company_id": "new", "name": "New", "plan": "gold", "size": 3, "custom_attributes": {"tier": "a"}}

# Name -> the call with the client and the ids of the workspace.
STABLE = {
    "admins.identify": lambda c, p: c.admins.identify(),
    "admins.list": lambda c, p: c.admins.list(),
    "admins.find": lambda c, p: c.admins.find(int(p.admin)),
    "contacts.create": lambda c, p: c.contacts.create(
        request=intercom.CreateContactRequestWithExternalId(**_CONTACT)
    ),
    "contacts.list": lambda c, p: c.contacts.list(per_page=2),
    "contacts.find": lambda c, p: c.contacts.find(p.user),
    "contacts.update": lambda c, p: c.contacts.update(p.user, name="Bea", owner_id=int(p.admin)),
    "contacts.delete": lambda c, p: c.contacts.delete(p.user),
    "contacts.search": lambda c, p: c.contacts.search(query=intercom.SingleFilterSearchRequest(**_FILTER)),
    "contacts.show_contact_by_external_id": lambda c, p: c.contacts.show_contact_by_external_id("u1"),
    "contacts.merge_lead_in_user": lambda c, p: c.contacts.merge_lead_in_user(
        lead_id=p.lead, contact_id=p.user
    ),
    "contacts.archive": lambda c, p: c.contacts.archive(p.user),
    "contacts.unarchive": lambda c, p: c.contacts.unarchive(p.archived),
    "contacts.block_contact": lambda c, p: c.contacts.block_contact(p.lead),
    "contacts.list_attached_companies": lambda c, p: c.contacts.list_attached_companies(p.user),
    "contacts.list_attached_segments": lambda c, p: c.contacts.list_attached_segments(p.user),
    "contacts.list_attached_subscriptions": lambda c, p: c.contacts.list_attached_subscriptions(p.user),
    "contacts.list_attached_tags": lambda c, p: c.contacts.list_attached_tags(p.user),
    "contacts.attach_subscription": lambda c, p: c.contacts.attach_subscription(
        p.lead, subscription_id="91", consent_type="opt_out"
    ),
    "contacts.detach_subscription": lambda c, p: c.contacts.detach_subscription(p.user, "91"),
    "companies.create_or_update": lambda c, p: c.companies.create_or_update(
        request=intercom.CreateOrUpdateCompanyRequest(**_COMPANY)
    ),
    "companies.retrieve": lambda c, p: c.companies.retrieve(company_id="acme"),
    "companies.list": lambda c, p: c.companies.list(),
    "companies.scroll": lambda c, p: c.companies.scroll(),
    "companies.find": lambda c, p: c.companies.find(p.company),
    "companies.update": lambda c, p: c.companies.update(
        p.company, request=intercom.UpdateCompanyRequestBody(name="Acme 2", plan="silver")
    ),
    "companies.delete": lambda c, p: c.companies.delete(p.spare_company),
    "companies.attach_contact": lambda c, p: c.companies.attach_contact(p.lead, company_id=p.company),
    "companies.detach_contact": lambda c, p: c.companies.detach_contact(p.user, p.spare_company),
    "companies.list_attached_contacts": lambda c, p: c.companies.list_attached_contacts(p.company),
    "companies.list_attached_segments": lambda c, p: c.companies.list_attached_segments(p.company),
    "events.create": lambda c, p: c.events.create(
        request=intercom.CreateDataEventRequestWithUserId(**_EVENT)
    ),
    "events.list": lambda c, p: c.events.list(type="user", user_id="u1", summary=True),
    "events.summaries": lambda c, p: c.events.summaries(
        user_id="u1",
        event_summaries=intercom.CreateDataEventSummariesRequestEventSummaries(**_SUMMARY),
    ),
    "data_attributes.create": lambda c, p: c.data_attributes.create(
        request=intercom.CreateDataAttributeRequestOne(name="shoe", model="contact", data_type="string")
    ),
    "data_attributes.list": lambda c, p: c.data_attributes.list(model="contact"),
    "data_attributes.update": lambda c, p: c.data_attributes.update(
        int(p.attribute), request={"description": "Size of the ring"}
    ),
    "tags.create": lambda c, p: c.tags.create(request=intercom.CreateOrUpdateTagRequest(name="new")),
    "tags.list": lambda c, p: c.tags.list(),
    "tags.find": lambda c, p: c.tags.find(p.tag),
    "tags.delete": lambda c, p: c.tags.delete(p.spare_tag),
    "tags.tag_contact": lambda c, p: c.tags.tag_contact(p.lead, tag_id=p.tag),
    "tags.untag_contact": lambda c, p: c.tags.untag_contact(p.user, p.tag),
    "notes.create": lambda c, p: c.notes.create(p.user, body="Hello", admin_id=p.admin),
    "notes.list": lambda c, p: c.notes.list(p.user),
    "subscription_types.list": lambda c, p: c.subscription_types.list(),
    "visitors.find": lambda c, p: c.visitors.find(user_id="v1"),
    "visitors.update": lambda c, p: c.visitors.update(
        request=intercom.UpdateVisitorRequestWithUserId(user_id="v1", name="Vic")
    ),
    "visitors.merge_to_contact": lambda c, p: c.visitors.merge_to_contact(
        type="user",
        user=intercom.UserWithUserId(user_id="u1"),
        visitor=intercom.VisitorWithUserId(user_id="v1"),
    ),
}

# The client's own name for what it calls in the version Preview.
UNSTABLE = {
    "admins.identify_admin": lambda c, p: c.admins.identify_admin(),
    "admins.list_admins": lambda c, p: c.admins.list_admins(),
    "admins.retrieve_admin": lambda c, p: c.admins.retrieve_admin(int(p.admin)),
    "contacts.create_contact": lambda c, p: c.contacts.create_contact(request=_CONTACT),
    "contacts.list_contacts": lambda c, p: c.contacts.list_contacts(),
    "contacts.show_contact": lambda c, p: c.contacts.show_contact(p.user),
    "contacts.update_contact": lambda c, p: c.contacts.update_contact(
        p.user, name="Bea", language_override="fr"
    ),
    "contacts.delete_contact": lambda c, p: c.contacts.delete_contact(p.user),
    "contacts.search_contacts": lambda c, p: c.contacts.search_contacts(query=UnstableFilter(**_FILTER)),
    "contacts.show_contact_by_external_id": lambda c, p: c.contacts.show_contact_by_external_id("u1"),
    "contacts.merge_contact": lambda c, p: c.contacts.merge_contact(from_=p.lead, into=p.user),
    "contacts.archive_contact": lambda c, p: c.contacts.archive_contact(p.user),
    "contacts.unarchive_contact": lambda c, p: c.contacts.unarchive_contact(p.archived),
    "contacts.block_contact": lambda c, p: c.contacts.block_contact(p.lead),
    "contacts.list_companies_for_a_contact": lambda c, p: c.contacts.list_companies_for_a_contact(p.user),
    "contacts.list_segments_for_a_contact": lambda c, p: c.contacts.list_segments_for_a_contact(p.user),
    "contacts.list_subscriptions_for_a_contact": lambda c, p: c.contacts.list_subscriptions_for_a_contact(
        p.user
    ),
    "contacts.list_tags_for_a_contact": lambda c, p: c.contacts.list_tags_for_a_contact(p.user),
    "subscription_types.attach_subscription_type_to_contact": lambda c, p: (
        c.subscription_types.attach_subscription_type_to_contact(p.lead, id="91", consent_type="opt_out")
    ),
    "subscription_types.detach_subscription_type_to_contact": lambda c, p: (
        c.subscription_types.detach_subscription_type_to_contact(p.user, "91")
    ),
    "subscription_types.list_subscription_types": lambda c, p: c.subscription_types.list_subscription_types(),
    "companies.create_or_update_company": lambda c, p: c.companies.create_or_update_company(request=_COMPANY),
    "companies.retrieve_company": lambda c, p: c.companies.retrieve_company(company_id="acme"),
    "companies.list_all_companies": lambda c, p: c.companies.list_all_companies(),
    "companies.scroll_over_all_companies": lambda c, p: c.companies.scroll_over_all_companies(),
    "companies.retrieve_a_company_by_id": lambda c, p: c.companies.retrieve_a_company_by_id(p.company),
    "companies.update_company": lambda c, p: c.companies.update_company(p.company),
    "companies.delete_company": lambda c, p: c.companies.delete_company(p.spare_company),
    "companies.attach_contact_to_a_company": lambda c, p: c.companies.attach_contact_to_a_company(
        p.lead, company_id=p.company
    ),
    "companies.detach_contact_from_a_company": lambda c, p: c.companies.detach_contact_from_a_company(
        p.user, p.spare_company
    ),
    "companies.list_attached_contacts": lambda c, p: c.companies.list_attached_contacts(p.company),
    "companies.list_attached_segments_for_companies": lambda c, p: (
        c.companies.list_attached_segments_for_companies(p.company)
    ),
    "data_events.create_data_event": lambda c, p: c.data_events.create_data_event(request=_EVENT),
    "data_events.lis_data_events": lambda c, p: c.data_events.lis_data_events(
        filter={"user_id": "u1"}, type="user", summary=True
    ),
    "data_events.data_event_summaries": lambda c, p: c.data_events.data_event_summaries(
        user_id="u1", event_summaries=_SUMMARY
    ),
    "data_attributes.create_data_attribute": lambda c, p: c.data_attributes.create_data_attribute(
        request={"name": "shoe", "model": "contact", "data_type": "string"}
    ),
    "data_attributes.lis_data_attributes": lambda c, p: c.data_attributes.lis_data_attributes(
        model="contact"
    ),
    "data_attributes.update_data_attribute": lambda c, p: c.data_attributes.update_data_attribute(
        int(p.attribute), request={"description": "Size of the ring"}
    ),
    "tags.create_tag": lambda c, p: c.tags.create_tag(request={"name": "new"}),
    "tags.list_tags": lambda c, p: c.tags.list_tags(),
    "tags.find_tag": lambda c, p: c.tags.find_tag(p.tag),
    "tags.delete_tag": lambda c, p: c.tags.delete_tag(p.spare_tag),
    "tags.attach_tag_to_contact": lambda c, p: c.tags.attach_tag_to_contact(p.lead, id=p.tag),
    "tags.detach_tag_from_contact": lambda c, p: c.tags.detach_tag_from_contact(p.user, p.tag),
    "notes.create_note": lambda c, p: c.notes.create_note(p.user, body="Hello", admin_id=p.admin),
    "notes.list_notes": lambda c, p: c.notes.list_notes(p.user),
    "notes.list_company_notes": lambda c, p: c.notes.list_company_notes(p.company),
    "visitors.retrieve_visitor_with_user_id": lambda c, p: c.visitors.retrieve_visitor_with_user_id(
        user_id="v1"
    ),
    "visitors.update_visitor": lambda c, p: c.visitors.update_visitor(
        request={"user_id": "v1", "name": "Vic"}
    ),
    "visitors.convert_visitor": lambda c, p: c.visitors.convert_visitor(
        type="user", user={"user_id": "u1"}, visitor={"user_id": "v1"}
    ),
}

STABLE |= {
    "segments.list": lambda c, p: c.segments.list(),
    "segments.find": lambda c, p: c.segments.find(c.segments.list().segments[0].id),
    "notes.find": lambda c, p: c.notes.find(int(p.note)),
}
UNSTABLE |= {
    "segments.list_segments": lambda c, p: c.segments.list_segments(),
    "segments.retrieve_segment": lambda c, p: c.segments.retrieve_segment(
        c.segments.list_segments().segments[0].id
    ),
    "notes.retrieve_note": lambda c, p: c.notes.retrieve_note(int(p.note)),
}
