"""What the People page and the page of one person show. It reads the workspace and knows no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import attrs

from metarouter_intercom._types import JsonValue

from .._settings import SubscriptionType
from .._workspace_state import Company, Contact, Event, Note
from ..workspace import Workspace
from ._paging import Page, make_page
from ._timestamps import day
from ._value_display import DisplayValue, show_attribute, show_metadata

PEOPLE_PER_PAGE = 25
EVENTS_PER_PAGE = 50
_COMPANIES_SHOWN = 2
_ANONYMOUS = "Unnamed"
_DATES = ("signed_up_at", "last_seen_at")
_LABELS = {
    "phone": "Phone",
    "avatar": "Avatar",
    "owner_id": "Owner",
    "signed_up_at": "Signed up",
    "last_seen_at": "Last seen",
    "unsubscribed_from_emails": "Unsubscribed from emails",
    "language_override": "Language override",
    "email_verified": "Email verified",
}


class Link(NamedTuple):
    """A link to the page of a company, by its Intercom id."""

    id: str
    name: str


class NamedValue(NamedTuple):
    """A value with the name that the page shows."""

    name: str
    value: DisplayValue


@attrs.frozen(kw_only=True)
class PeopleFilter:
    """Which people to list: search words, a role, a company's Intercom id. An empty one does not filter."""

    words: str = ""
    role: str = ""
    company: str = ""

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.words or self.role or self.company)


@attrs.frozen(kw_only=True)
class PersonRow:
    """
    One row of the list of people.

    Attributes:
        name: The name, or what else identifies the contact.
        companies: The first companies.
        more_companies: The number of further companies.
        events: The number of events.
        last_event: The name of the latest event; empty when there is none.
    """

    id: str
    name: str
    email: str
    external_id: str
    role: str
    companies: Sequence[Link]
    more_companies: int
    created_at: int
    last_seen_at: int | None
    events: int
    last_event: str


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One event of the history; ``at`` is in Unix seconds."""

    id: str
    name: str
    at: int
    metadata: Sequence[NamedValue]


@attrs.frozen(kw_only=True)
class PersonView:
    """
    Everything that the page of one person shows.

    Attributes:
        subscriptions: Subscription types with the contact's choice, in words.
        notes: Text, author and time in Unix seconds of each note, the newest first.
        event_names: Names of events with their number, the most frequent first.
        history: A page of the events, the newest first.
    """

    row: PersonRow
    fields: Sequence[NamedValue]
    attributes: Sequence[NamedValue]
    companies: Sequence[Link]
    tags: Sequence[str]
    subscribed: bool
    subscriptions: Sequence[tuple[str, str]]
    notes: Sequence[tuple[str, str, int]]
    event_names: Sequence[tuple[str, int]]
    history: Page[HistoryEntry]

    @property
    def days(self) -> list[tuple[str, list[HistoryEntry]]]:
        """The events of the history's page by days, the newest first."""
        by_day = groupby(self.history.items, lambda entry: day(entry.at))
        return [(name, list(entries)) for name, entries in by_day]


# --- the People page ---------------------------------------------------------------------------------------------


def contacts_of(workspace: Workspace, company_id: str) -> list[Contact]:
    """Return the contacts of a company, or all when *company_id* is empty, in the order of creation."""
    state = workspace.state
    if not company_id:
        return list(state.contacts.values())
    company = state.companies.get(company_id)
    people = () if company is None else company.people
    return sorted((state.contacts[contact_id] for contact_id in people), key=lambda contact: contact.seq)


def list_people(contacts: Sequence[Contact], wanted: PeopleFilter, number: int) -> Page[Contact]:
    """
    Return page *number* of the live contacts that match, the newest first.

    It needs no lock: it reads single fields of contacts, which other threads may change meanwhile.
    """
    words = wanted.words.lower().split()
    matching = [
        contact
        for contact in reversed(contacts)
        if contact.is_live
        and (not wanted.role or contact.role == wanted.role)
        and (not words or _has_words(contact, words))
    ]
    return make_page(matching, number, PEOPLE_PER_PAGE)


def _has_words(contact: Contact, words: Iterable[str]) -> bool:
    fields = contact.fields
    searched = (fields.get("name"), contact.email, contact.external_id, fields.get("phone"), contact.id)
    text = "\n".join(str(value) for value in searched if value).lower()
    return all(word in text for word in words)


def person_row(workspace: Workspace, contact: Contact) -> PersonRow:
    """Return the row of *contact*."""
    companies = workspace.state.companies
    shown = [companies[company_id] for company_id in list(contact.companies)[:_COMPANIES_SHOWN]]
    last_event = max(contact.events, key=lambda event: event.created_at, default=None)
    last_seen_at = contact.fields.get("last_seen_at")
    return PersonRow(
        id=contact.id,
        name=contact_name(contact),
        email=contact.email or "",
        external_id=contact.external_id or "",
        role=contact.role,
        companies=[company_link(company) for company in shown],
        more_companies=len(contact.companies) - len(shown),
        created_at=contact.created_at,
        last_seen_at=last_seen_at if isinstance(last_seen_at, int) else None,
        events=len(contact.events),
        last_event="" if last_event is None else last_event.name,
    )


def contact_name(contact: Contact) -> str:
    """Return the contact's name, else its e-mail, else a user's external id, else a placeholder."""
    name = contact.fields.get("name")
    if isinstance(name, str) and name.strip():
        return name
    id_text = contact.email or (contact.external_id if contact.role == "user" else "")
    return id_text or f"{_ANONYMOUS} {contact.role}"


def company_link(company: Company) -> Link:
    """Return the link to *company*."""
    name = company.fields.get("name")
    return Link(company.id, name if isinstance(name, str) and name.strip() else company.company_id)


# --- the page of one person -------------------------------------------------------------------------------------------


def person_view(workspace: Workspace, contact: Contact, number: int) -> PersonView:
    """Return what the page of *contact* shows, with page *number* of the history."""
    state = workspace.state
    # Reversed after sorting, so that among events of the same second the last to arrive comes first.
    newest_first = sorted(contact.events, key=lambda event: event.created_at)[::-1]
    counts: dict[str, int] = {}
    for event in contact.events:
        counts[event.name] = counts.get(event.name, 0) + 1
    return PersonView(
        row=person_row(workspace, contact),
        fields=_fields(contact, _admin_names(workspace)),
        attributes=custom_attributes(workspace, "contact", contact.custom),
        companies=[company_link(state.companies[company_id]) for company_id in contact.companies],
        tags=[state.tags[tag_id].name for tag_id in contact.tags],
        subscribed=contact.fields.get("unsubscribed_from_emails") is not True,
        subscriptions=[
            (kind.name, _consent(kind, contact.consents.get(kind.id)))
            for kind in workspace.settings.subscription_types
        ],
        notes=note_lines(workspace, contact.notes),
        event_names=sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])),
        history=make_page(newest_first, number, EVENTS_PER_PAGE).map(_entry),
    )


def note_lines(workspace: Workspace, notes: Sequence[Note]) -> list[tuple[str, str, int]]:
    """Return text, author and time of the notes of a contact or company, the newest first."""
    admins = _admin_names(workspace)
    return [
        (note.body, admins.get(note.admin_id or "", "Unknown admin"), note.created_at)
        for note in reversed(notes)
    ]


def _admin_names(workspace: Workspace) -> dict[str, str]:
    return {admin.id: admin.name for admin in workspace.settings.admins}


def _fields(contact: Contact, admins: dict[str, str]) -> list[NamedValue]:
    fields: list[tuple[str, JsonValue, str | None]] = [
        ("User ID", contact.external_id, None),
        ("Intercom ID", contact.id, None),
        ("Email", contact.email, None),
    ]
    for name, label in _LABELS.items():
        value = contact.fields.get(name)
        if name == "owner_id" and isinstance(value, str):
            value = admins.get(value, value)
        if value is not None:
            fields.append((label, value, "date" if name in _DATES else None))
    fields += [("Created", contact.created_at, "date"), ("Updated", contact.updated_at, "date")]
    return [NamedValue(label, show_attribute(value, kind)) for label, value, kind in fields]


def custom_attributes(workspace: Workspace, model: str, values: dict[str, JsonValue]) -> list[NamedValue]:
    """Return the custom attributes of a contact or company, sorted by name."""
    named_values = []
    for name, value in sorted(values.items()):
        attribute = workspace.state.attributes.get((model, name))
        data_type = None if attribute is None else attribute.data_type
        named_values.append(NamedValue(name, show_attribute(value, data_type)))
    return named_values


def _consent(kind: SubscriptionType, choice: str | None) -> str:
    if choice is None:
        return "subscribed by default" if kind.consent_type == "opt_out" else "not asked yet"
    return "opted in" if choice == "opt_in" else "opted out"


def _entry(event: Event) -> HistoryEntry:
    return HistoryEntry(
        id=event.id,
        name=event.name,
        at=event.created_at,
        metadata=[NamedValue(key, show_metadata(key, value)) for key, value in event.metadata.items()],
    )
