"""The records of a workspace: contacts, companies, events, tags, attributes. It knows no request and refuses nothing."""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
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
        deleted_at: When the contact was permanently deleted, in Unix seconds.
        merges: The merge history, as the API shows it.
        versions: What a delayed search sees, as (since, the contact as it was then), oldest first.
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
    deleted_at: float = 0.0
    blocked: bool = False
    merged_into: str | None = None
    merges: list[JsonObject] = attrs.field(factory=list)
    versions: list[tuple[float, Contact]] = attrs.field(factory=list)

    @property
    def is_live(self) -> bool:
        """Whether the API can read and write the contact."""
        return not (self.archived or self.deleted or self.merged_into)

    def copy(self) -> Contact:
        """Return the contact as it is now, without events and versions; later changes do not show in it."""
        return attrs.evolve(
            self,
            fields=dict(self.fields),
            custom=dict(self.custom),
            companies=dict(self.companies),
            tags=dict(self.tags),
            notes=list(self.notes),
            consents=dict(self.consents),
            events=[],
            merges=list(self.merges),
            versions=[],
        )


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
        # By app: the scroll's name, the time of its last request, and where it goes on.
        self.scrolls: dict[str, tuple[str, float, int]] = {}
        # The indexes also hold values that a contact had before; whoever reads them compares with the contact.
        self._ids_by_external_id: dict[str, dict[str, None]] = {}
        self._ids_by_email: dict[str, dict[str, None]] = {}
        self._deleted: deque[Contact] = deque()
        self._contact_count = 0
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

    def next_seq(self) -> int:
        """Return the place of the next contact in the order of creation."""
        self._contact_count += 1
        return self._contact_count

    def add(self, contact: Contact) -> None:
        """Store a new contact."""
        self.contacts[contact.id] = contact
        self.index(contact)

    def index(self, contact: Contact) -> None:
        """Add *contact* to the indexes by external id and e-mail; call it again when one of them has changed."""
        if contact.external_id is not None:
            self._ids_by_external_id.setdefault(contact.external_id, {})[contact.id] = None
        if contact.email:
            self._ids_by_email.setdefault(contact.email.lower(), {})[contact.id] = None

    def by_external_id(self, external_id: str) -> list[Contact]:
        """Return every contact with that external id: leads, and archived, deleted and merged contacts too."""
        found = (
            self.contacts.get(contact_id) for contact_id in self._ids_by_external_id.get(external_id, ())
        )
        return [contact for contact in found if contact is not None and contact.external_id == external_id]

    def user_by_external_id(self, external_id: str) -> Contact | None:
        """Return the user with that external id: the live one, or without one an archived or deleted one."""
        users = [contact for contact in self.by_external_id(external_id) if contact.role == "user"]
        return next((user for user in users if user.is_live), users[-1] if users else None)

    def by_email(self, email: str) -> list[Contact]:
        """Return every contact with that e-mail, even archived and deleted ones."""
        folded = email.lower()
        return [contact for contact in self.once_by_email(email) if (contact.email or "").lower() == folded]

    def once_by_email(self, email: str) -> list[Contact]:
        """Return every contact that has that e-mail or had it before."""
        found = (self.contacts.get(contact_id) for contact_id in self._ids_by_email.get(email.lower(), ()))
        return [contact for contact in found if contact is not None]

    def mark_deleted(self, contact: Contact, now: float) -> None:
        """Delete *contact* for good; it is kept until ``forget_deleted``, because its external id and e-mail stay taken."""
        contact.deleted, contact.deleted_at = True, now
        contact.events.clear()
        self._deleted.append(contact)

    def forget_deleted(self, until: float) -> None:
        """Forget the contacts that were deleted at *until* or before."""
        while self._deleted and self._deleted[0].deleted_at <= until:
            self.contacts.pop(self._deleted.popleft().id, None)

    def remember(self, contact: Contact, *, now: float, lag: float) -> None:
        """Store what a search that lags *lag* seconds behind will see of the contact as it is now."""
        seen = [since for since, _ in contact.versions if since <= now - lag]
        contact.versions = [version for version in contact.versions if not seen or version[0] >= seen[-1]]
        contact.versions.append((now, contact.copy()))

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
