"""The contacts and companies of a workspace as one JSON value that is equal for two equal runs. It changes no record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metarouter_intercom._types import JsonObject, JsonValue

from ._workspace_state import Company, Contact, WorkspaceState


def take_snapshot(state: WorkspaceState, *, without: Collection[str] = ()) -> JsonObject:
    """
    Return contacts and companies by the caller's own ids, without generated ids and without the times that Intercom sets.

    Args:
        without: Standard fields to leave out, such as ``last_seen_at``.
    """
    contacts: JsonObject = {}
    for contact in state.contacts.values():
        if contact.is_live or (contact.archived and not contact.deleted):
            shown = _show_contact(state, contact, without)
            name = _name(contact)
            number = 1
            key = name
            while key in contacts:
                number += 1
                key = f"{name} #{number}"
            contacts[key] = shown
    companies: JsonObject = {
        company.company_id: _show_company(state, company, without) for company in state.companies.values()
    }
    return {"contacts": _sorted(contacts), "companies": _sorted(companies)}


def _name(contact: Contact) -> str:
    """Return a name for the contact that is the same in each run; a lead's external id is not, because Intercom makes it."""
    if contact.role == "user" and contact.external_id is not None:
        return contact.external_id
    name = contact.email or contact.custom.get("anonymous_id") or contact.fields.get("name") or "nameless"
    return f"{contact.role}:{name}"


def _show_contact(state: WorkspaceState, contact: Contact, without: Collection[str]) -> JsonObject:
    fields: JsonObject = {
        name: value for name, value in contact.fields.items() if name not in without and value is not None
    }
    events: list[JsonValue] = [
        {"event_name": event.name, "created_at": event.created_at, "metadata": dict(event.metadata)}
        for event in contact.events
    ]
    shown: JsonObject = {
        "role": contact.role,
        "email": contact.email or "",
        "fields": _sorted(fields),
        "custom_attributes": _set(contact.custom),
        "companies": _sorted_texts(state.companies[company].company_id for company in contact.companies),
        "tags": _sorted_texts(state.tags[tag].name for tag in contact.tags),
        "consents": dict(sorted(contact.consents.items())),
        "events": events,
        "event_count": len(events),
        "archived": contact.archived,
    }
    return shown


def _show_company(state: WorkspaceState, company: Company, without: Collection[str]) -> JsonObject:
    fields = {name: value for name, value in company.fields.items() if name not in without}
    return {
        "fields": _sorted(fields),
        "custom_attributes": _set(company.custom),
        "tags": _sorted_texts(state.tags[tag].name for tag in company.tags),
        "people": _sorted_texts(_name(state.contacts[contact]) for contact in company.people),
    }


def _sorted_texts(values: Iterable[str]) -> list[JsonValue]:
    return [*sorted(values)]


def _set(values: JsonObject) -> JsonObject:
    """Return the values that are set: a cleared attribute counts as one that was never written."""
    return _sorted({name: value for name, value in values.items() if value is not None})


def _sorted(values: JsonObject) -> JsonObject:
    return dict(sorted(values.items()))
