"""What the pages tell of contacts: the list of people, and one person with the history of events. Reads the workspace only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import attrs

from metarouter_intercom._types import JsonValue

from .._settings import SubscriptionType
from .._workspace_state import Company, Contact, Event
from ..workspace import Workspace
from ._paging import Page, paged
from ._timestamps import day
from ._value_display import Shown, show_attribute, show_metadata

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
    """Leads to a page by Intercom's id."""

    id: str
    name: str


class Fact(NamedTuple):
    """One named value."""

    name: str
    value: Shown


@attrs.frozen(kw_only=True)
class PeopleFilter:
    """Which people to list: words to search for, a role, a company's id; empty means any."""

    words: str = ""
    role: str = ""
    company: str = ""

    @property
    def is_set(self) -> bool:
        """Tell whether anything is filtered."""
        return bool(self.words or self.role or self.company)


@attrs.frozen(kw_only=True)
class PersonRow:
    """One line of the list of people."""

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
    """One event of the history."""

    id: str
    name: str
    at: int
    metadata: Sequence[Fact]


@attrs.frozen(kw_only=True)
class Person:
    """Everything the page of one person shows."""

    row: PersonRow
    fields: Sequence[Fact]
    attributes: Sequence[Fact]
    companies: Sequence[Link]
    tags: Sequence[str]
    subscribed: bool
    subscriptions: Sequence[tuple[str, str]]
    notes: Sequence[tuple[str, str, int]]
    event_names: Sequence[tuple[str, int]]
    history: Page[HistoryEntry]

    @property
    def days(self) -> list[tuple[str, list[HistoryEntry]]]:
        """The history's page by days, newest first."""
        return [
            (name, list(entries)) for name, entries in groupby(self.history.items, lambda one: day(one.at))
        ]


# --- the list ---------------------------------------------------------------------------------------------


def candidates(workspace: Workspace, company_id: str) -> list[Contact]:
    """Return all contacts, or those of one company, in the order of creation."""
    state = workspace.state
    if not company_id:
        return list(state.contacts.values())
    company = state.companies.get(company_id)
    people = () if company is None else company.people
    return sorted((state.contacts[one] for one in people), key=lambda one: one.seq)


def list_people(contacts: Sequence[Contact], wanted: PeopleFilter, number: int) -> Page[Contact]:
    """
    Return a page of the live ones of *contacts* that fit, the newest first.

    It reads single fields only, so that it may run while the workspace changes.
    """
    words = wanted.words.lower().split()
    fitting = [
        one
        for one in reversed(contacts)
        if one.is_live
        and (not wanted.role or one.role == wanted.role)
        and (not words or _has_words(one, words))
    ]
    return paged(fitting, number, PEOPLE_PER_PAGE)


def _has_words(contact: Contact, words: Iterable[str]) -> bool:
    fields = contact.fields
    told = (
        fields.get("name"),
        contact.email,
        contact.external_id,
        fields.get("phone"),
        contact.id,
    )
    text = "\n".join(str(one) for one in told if one).lower()
    return all(word in text for word in words)


def person_row(workspace: Workspace, contact: Contact) -> PersonRow:
    """Return the line of *contact*."""
    attached = [workspace.state.companies[one] for one in list(contact.companies)[:_COMPANIES_SHOWN]]
    last = max(contact.events, key=lambda event: event.created_at, default=None)
    seen = contact.fields.get("last_seen_at")
    return PersonRow(
        id=contact.id,
        name=contact_name(contact),
        email=contact.email or "",
        external_id=contact.external_id or "",
        role=contact.role,
        companies=[company_link(one) for one in attached],
        more_companies=len(contact.companies) - len(attached),
        created_at=contact.created_at,
        last_seen_at=seen if isinstance(seen, int) else None,
        events=len(contact.events),
        last_event="" if last is None else last.name,
    )


def contact_name(contact: Contact) -> str:
    """Return what to call *contact*: its name, else what else tells it apart."""
    name = contact.fields.get("name")
    if isinstance(name, str) and name.strip():
        return name
    known = contact.email or (contact.external_id if contact.role == "user" else "")
    return known or f"{_ANONYMOUS} {contact.role}"


def company_link(company: Company) -> Link:
    """Return the link to *company*."""
    name = company.fields.get("name")
    return Link(company.id, name if isinstance(name, str) and name.strip() else company.company_id)


# --- one person -------------------------------------------------------------------------------------------


def person(workspace: Workspace, contact: Contact, number: int) -> Person:
    """Return what the page of *contact* shows, with page *number* of the history."""
    state = workspace.state
    # Of events in one second, the one that came last stands first.
    newest_first = sorted(contact.events, key=lambda event: event.created_at)[::-1]
    names: dict[str, int] = {}
    for event in contact.events:
        names[event.name] = names.get(event.name, 0) + 1
    admins = {admin.id: admin.name for admin in workspace.settings.admins}
    return Person(
        row=person_row(workspace, contact),
        fields=_fields(contact, admins),
        attributes=custom_facts(workspace, "contact", contact.custom),
        companies=[company_link(state.companies[one]) for one in contact.companies],
        tags=[state.tags[one].name for one in contact.tags],
        subscribed=contact.fields.get("unsubscribed_from_emails") is not True,
        subscriptions=[
            (kind.name, _consent(kind, contact.consents.get(kind.id)))
            for kind in workspace.settings.subscription_types
        ],
        notes=[
            (note.body, admins.get(note.admin_id or "", "Unknown admin"), note.created_at)
            for note in reversed(contact.notes)
        ],
        event_names=sorted(names.items(), key=lambda pair: (-pair[1], pair[0])),
        history=paged(newest_first, number, EVENTS_PER_PAGE).showing(_entry),
    )


def _fields(contact: Contact, admins: dict[str, str]) -> list[Fact]:
    told: list[tuple[str, JsonValue, str | None]] = [
        ("User ID", contact.external_id, None),
        ("Intercom ID", contact.id, None),
        ("Email", contact.email, None),
    ]
    for name, label in _LABELS.items():
        value = contact.fields.get(name)
        if name == "owner_id" and isinstance(value, str):
            value = admins.get(value, value)
        if value is not None:
            told.append((label, value, "date" if name in _DATES else None))
    told += [("Created", contact.created_at, "date"), ("Updated", contact.updated_at, "date")]
    return [Fact(label, show_attribute(value, kind)) for label, value, kind in told]


def custom_facts(workspace: Workspace, model: str, values: dict[str, JsonValue]) -> list[Fact]:
    """Return the custom attributes of a contact or company by name, dates as dates."""
    known = workspace.state.attributes
    return [
        Fact(name, show_attribute(value, known[model, name].data_type if (model, name) in known else None))
        for name, value in sorted(values.items())
    ]


def _consent(kind: SubscriptionType, chosen: str | None) -> str:
    if chosen is None:
        return "subscribed by default" if kind.consent_type == "opt_out" else "not asked yet"
    return "opted in" if chosen == "opt_in" else "opted out"


def _entry(event: Event) -> HistoryEntry:
    return HistoryEntry(
        id=event.id,
        name=event.name,
        at=event.created_at,
        metadata=[Fact(key, show_metadata(key, value)) for key, value in event.metadata.items()],
    )
