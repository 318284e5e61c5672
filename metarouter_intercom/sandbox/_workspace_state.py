"""The records of a workspace: contacts, companies, events, tags, attributes. It knows no request and refuses nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import attrs

from metarouter_intercom._types import JsonObject


@attrs.define(eq=False)
class Event:
    """One data event of a contact."""

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
    """A tag. Two names that differ only in case are the same name."""

    id: str
    name: str


@attrs.define(eq=False)
class Attribute:
    """The definition of a custom attribute of contacts or companies."""

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
    A user or a lead. Archived, deleted and merged contacts stay here, because Intercom's responses still mention them.

    Attributes:
        seq: The place in the order of creation, from 1.
        fields: The standard fields, as the API writes them.
        custom: The values of custom attributes by name.
        companies: When the contact was attached to a company, by the company's Intercom id; in the order of attaching.
        tags: When a tag was applied, by the tag's id.
        consents: ``opt_in`` or ``opt_out`` by the id of the subscription type.
        events: In the order of arrival.
        summaries: Counters of events that a caller set, by the event's name.
        merged_into: The Intercom id of the contact that this one was merged into.
        merges: The merge history, as the API shows it.
        versions: What a delayed search sees, as (since, fields), oldest first.
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
        """Whether the API can read and write the contact."""
        return not (self.archived or self.deleted or self.merged_into)


@attrs.define(eq=False)
class Company:
    """
    A company.

    Attributes:
        company_id: The caller's own id.
        people: When a contact was attached, by the contact's Intercom id; in the order of attaching.
        last_request_at: When somebody of the company was last seen, in Unix seconds.
    """

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


class WorkspaceState:
    """All records of one workspace, with indexes by external id, e-mail and ``company_id``."""

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
        """Make an id like those of Intercom's contacts: 24 hexadecimal digits."""
        self._count += 1
        return f"{self._prefix}{self._count:08x}"

    def new_number(self) -> int:
        """Make an id like those of Intercom's tags, notes and attributes: a number."""
        self._count += 1
        return self._count

    def new_uuid(self) -> str:
        """Make an external id like those that Intercom gives to leads."""
        self._count += 1
        return str(uuid.uuid5(self._namespace, str(self._count)))

    # --- contacts ---

    def add(self, contact: Contact) -> None:
        """Store a new contact."""
        self.contacts[contact.id] = contact
        self.index(contact)

    def index(self, contact: Contact) -> None:
        """Add *contact* to the indexes by external id and e-mail."""
        if contact.external_id is not None and contact.role == "user":
            self._users_by_external_id[contact.external_id] = contact.id
        if contact.email:
            self._ids_by_email.setdefault(contact.email.lower(), {})[contact.id] = None

    def unindex(self, contact: Contact) -> None:
        """Remove *contact* from the indexes; call it before its external id, e-mail or role changes."""
        external_id = contact.external_id
        if external_id is not None and self._users_by_external_id.get(external_id) == contact.id:
            del self._users_by_external_id[external_id]
        if contact.email:
            self._ids_by_email.get(contact.email.lower(), {}).pop(contact.id, None)

    def user_by_external_id(self, external_id: str) -> Contact | None:
        """Return the user with that external id, even an archived or deleted one."""
        contact_id = self._users_by_external_id.get(external_id)
        return None if contact_id is None else self.contacts[contact_id]

    def by_email(self, email: str) -> list[Contact]:
        """Return every contact with that e-mail, even archived and deleted ones."""
        return [self.contacts[contact_id] for contact_id in self._ids_by_email.get(email.lower(), ())]

    def live_contacts(self) -> Iterator[Contact]:
        """Yield the contacts that are not archived, deleted or merged."""
        return (contact for contact in self.contacts.values() if contact.is_live)

    # --- companies, tags, attributes ---

    def company_by_own_id(self, company_id: str) -> Company | None:
        """Return the company with that ``company_id``, the caller's own id."""
        intercom_id = self.companies_by_own_id.get(company_id)
        return None if intercom_id is None else self.companies[intercom_id]

    def tag_by_name(self, name: str) -> Tag | None:
        """Return the tag with that name in any case."""
        folded = name.lower()
        return next((tag for tag in self.tags.values() if tag.name.lower() == folded), None)

    def attach(self, contact: Contact, company: Company, now: int) -> None:
        """Attach *contact* to *company*; a second time changes nothing."""
        contact.companies.setdefault(company.id, now)
        company.people.setdefault(contact.id, now)

    def detach(self, contact: Contact, company: Company) -> None:
        """Detach *contact* from *company*."""
        contact.companies.pop(company.id, None)
        company.people.pop(contact.id, None)

    def add_attribute(self, model: str, name: str, data_type: str, *, now: int) -> Attribute:
        """Add a custom attribute."""
        attribute = Attribute(
            id=self.new_number(),
            model=model,
            name=name,
            data_type=data_type,
            created_at=now,
            updated_at=now,
        )
        self.attributes[model, name] = attribute
        return attribute
