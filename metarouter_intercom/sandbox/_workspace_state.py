"""What the workspace holds: contacts, companies, events, tags, attributes. Knows no request and no rule of refusal."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import attrs

from metarouter_intercom._types import JsonObject


@attrs.define(eq=False)
class Event:
    """One data event of a contact, in the order in which it arrived."""

    id: str
    name: str
    created_at: int
    metadata: JsonObject


@attrs.define(eq=False)
class Note:
    """A note on a contact or a company."""

    id: str
    body: str
    created_at: int
    admin_id: str | None


@attrs.define(eq=False)
class Tag:
    """A tag; names are unique without regard to case."""

    id: str
    name: str


@attrs.define(eq=False)
class Attribute:
    """A custom data attribute of one model."""

    id: int
    model: str
    name: str
    data_type: str
    created_at: int
    updated_at: int
    description: str | None = None
    options: list[str] | None = None
    messenger_writable: bool = False
    archived: bool = False


@attrs.define(eq=False)
class Contact:
    """
    A user or a lead, whatever became of it.

    ``archived``, ``deleted`` and ``merged_into`` contacts stay known, because Intercom's answers still speak of them.
    ``fields`` are the standard fields as the API writes them; ``versions`` are what lagging searches see: (since, fields,
    custom attributes).
    """

    id: str
    seq: int
    role: str
    external_id: str | None
    email: str | None
    created_at: int
    updated_at: int
    fields: JsonObject = attrs.field(factory=dict)
    custom: JsonObject = attrs.field(factory=dict)
    companies: dict[str, int] = attrs.field(factory=dict)
    tags: dict[str, int] = attrs.field(factory=dict)
    notes: list[Note] = attrs.field(factory=list)
    consents: dict[str, str] = attrs.field(factory=dict)
    events: list[Event] = attrs.field(factory=list)
    summaries: dict[str, JsonObject] = attrs.field(factory=dict)
    archived: bool = False
    deleted: bool = False
    blocked: bool = False
    merged_into: str | None = None
    merges: list[JsonObject] = attrs.field(factory=list)
    versions: list[tuple[float, JsonObject]] = attrs.field(factory=list)

    @property
    def is_live(self) -> bool:
        """Tell whether the contact can be read and written."""
        return not (self.archived or self.deleted or self.merged_into)


@attrs.define(eq=False)
class Company:
    """A company; ``people`` are the ids of its attached contacts, in the order of attaching."""

    id: str
    company_id: str
    created_at: int
    updated_at: int
    fields: JsonObject = attrs.field(factory=dict)
    custom: JsonObject = attrs.field(factory=dict)
    tags: dict[str, int] = attrs.field(factory=dict)
    people: dict[str, int] = attrs.field(factory=dict)
    notes: list[Note] = attrs.field(factory=list)
    last_request_at: int | None = None


class State:
    """All records of one workspace with the indexes that answer the API's questions."""

    def __init__(self, seed: int) -> None:
        self.contacts: dict[str, Contact] = {}
        self.companies: dict[str, Company] = {}
        self.companies_by_own_id: dict[str, str] = {}
        self.tags: dict[str, Tag] = {}
        self.attributes: dict[tuple[str, str], Attribute] = {}
        self.visitors: dict[str, JsonObject] = {}
        self.jobs: dict[str, JsonObject] = {}
        self.event_names: set[str] = set()
        self.event_keys: set[tuple[str, str, int]] = set()
        self.repeated_events = 0
        self.scroll: tuple[str, float, int] | None = None
        self._users_by_external_id: dict[str, str] = {}
        self._ids_by_email: dict[str, dict[str, None]] = {}
        digest = hashlib.sha256(str(seed).encode()).hexdigest()
        self._prefix = digest[:16]
        self._namespace = uuid.UUID(digest[:32])
        self._count = 0

    # --- ids ---

    def new_id(self) -> str:
        """Make an id as Intercom's contacts have: 24 hexadecimal digits."""
        self._count += 1
        return f"{self._prefix}{self._count:08x}"

    def new_number(self) -> int:
        """Make an id as tags, notes and attributes have: a plain number."""
        self._count += 1
        return self._count

    def new_uuid(self) -> str:
        """Make an external id as Intercom assigns it to a lead."""
        self._count += 1
        return str(uuid.uuid5(self._namespace, str(self._count)))

    # --- contacts ---

    def add(self, contact: Contact) -> None:
        """Keep a new contact."""
        self.contacts[contact.id] = contact
        self.index(contact)

    def index(self, contact: Contact) -> None:
        """Make *contact* findable by external id and e-mail."""
        if contact.external_id is not None and contact.role == "user":
            self._users_by_external_id[contact.external_id] = contact.id
        if contact.email:
            self._ids_by_email.setdefault(contact.email.lower(), {})[contact.id] = None

    def unindex(self, contact: Contact) -> None:
        """Forget how *contact* is found; call it before these fields change."""
        external_id = contact.external_id
        if external_id is not None and self._users_by_external_id.get(external_id) == contact.id:
            del self._users_by_external_id[external_id]
        if contact.email:
            self._ids_by_email.get(contact.email.lower(), {}).pop(contact.id, None)

    def user_by_external_id(self, external_id: str) -> Contact | None:
        """Return the user, archived and deleted ones included."""
        found = self._users_by_external_id.get(external_id)
        return None if found is None else self.contacts[found]

    def by_email(self, email: str) -> list[Contact]:
        """Return every contact with that e-mail, archived and deleted ones included."""
        return [self.contacts[found] for found in self._ids_by_email.get(email.lower(), ())]

    def live_contacts(self) -> Iterator[Contact]:
        """Go through the contacts that are neither archived, deleted nor merged away."""
        return (contact for contact in self.contacts.values() if contact.is_live)

    # --- companies, tags, attributes ---

    def company_by_own_id(self, company_id: str) -> Company | None:
        """Return the company with the caller's id."""
        found = self.companies_by_own_id.get(company_id)
        return None if found is None else self.companies[found]

    def tag_by_name(self, name: str) -> Tag | None:
        """Return the tag of that name, whatever its case."""
        wanted = name.lower()
        return next((tag for tag in self.tags.values() if tag.name.lower() == wanted), None)

    def attach(self, contact: Contact, company: Company, now: int) -> None:
        """Make *contact* one of *company*'s people."""
        contact.companies.setdefault(company.id, now)
        company.people.setdefault(contact.id, now)

    def detach(self, contact: Contact, company: Company) -> None:
        """Undo ``attach``."""
        contact.companies.pop(company.id, None)
        company.people.pop(contact.id, None)

    def add_attribute(self, model: str, name: str, data_type: str, now: int) -> Attribute:
        """Make a custom attribute known."""
        made = Attribute(
            id=self.new_number(),
            model=model,
            name=name,
            data_type=data_type,
            created_at=now,
            updated_at=now,
        )
        self.attributes[model, name] = made
        return made
