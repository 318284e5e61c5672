"""The state of a workspace as one plain value that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metarouter_intercom._types import JsonObject, JsonValue

from ._workspace_state import Company, Contact, WorkspaceState


def take_snapshot(state: WorkspaceState, *, without: Collection[str] = ()) -> JsonObject:
    """
    Return contacts and companies by the caller's own ids; free of generated ids and of Intercom's own instants.

    Args:
        without: Standard fields to leave out, ``last_seen_at`` for instance.
    """
    contacts: JsonObject = {}
    for contact in state.contacts.values():
        if contact.is_live or (contact.archived and not contact.deleted):
            shown = _show_contact(state, contact, without)
            name = _name(contact)
            nth = 1
            key = name
            while key in contacts:
                nth += 1
                key = f"{name} #{nth}"
            contacts[key] = shown
    companies: JsonObject = {
        company.company_id: _show_company(state, company, without) for company in state.companies.values()
    }
    return {"contacts": _sorted(contacts), "companies": _sorted(companies)}


def _name(contact: Contact) -> str:
    """Name a contact by what the caller gave it; a lead's external id is Intercom's."""
    if contact.role == "user" and contact.external_id is not None:
        return contact.external_id
    told = contact.email or contact.custom.get("anonymous_id") or contact.fields.get("name") or "nameless"
    return f"{contact.role}:{told}"


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
        "custom_attributes": _sorted(dict(contact.custom)),
        "companies": _texts(state.companies[one].company_id for one in contact.companies),
        "tags": _texts(state.tags[one].name for one in contact.tags),
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
        "custom_attributes": _sorted(dict(company.custom)),
        "tags": _texts(state.tags[one].name for one in company.tags),
        "people": _texts(_name(state.contacts[one]) for one in company.people),
    }


def _texts(values: Iterable[str]) -> list[JsonValue]:
    return [*sorted(values)]


def _sorted(values: JsonObject) -> JsonObject:
    return dict(sorted(values.items()))
