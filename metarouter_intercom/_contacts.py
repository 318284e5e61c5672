"""Identify messages: who it is, standard fields, attributes, companies (rules I); pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from ._instants import recordable_seconds, unix_seconds
from ._traits import (
    PROOFS,
    Known,
    address,
    id_text,
    is_absent,
    look_up,
    object_at,
    text_field,
    whole_number,
)
from .operations import AttachCompany, UpsertContact, Who
from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._attributes import Flattener
    from ._companies import Companies
    from ._selection import Options
    from ._types import ContactId, ExternalId, JsonObject, JsonValue
    from .messages import Identify
    from .operations import Operation
    from .settings import Settings

    Json = Mapping[str, JsonValue]

_SIGNED_UP = ("createdat", "created", "signedupat")
_LAST_SEEN = ("lastrequestat", "lastseenat")
_AVATARS = ("avatar", "photourl", "avatarurl")
_KNOWN = Known(
    [
        "email",
        "name",
        "phone",
        "phones",
        "avatar",
        "photoUrl",
        "avatarUrl",
        "createdAt",
        "created",
        "signedUpAt",
        "lastRequestAt",
        "lastSeenAt",
        "unsubscribedFromEmails",
        "ownerId",
        "role",
        "company",
        "companies",
        "id",
        "userId",
        "user_hash",
        "intercom_user_jwt",
    ]
)
_OWN_IDS = ("id", "userid")
_CONTEXT_FACTS = (
    ("device_type", "device", "type"),
    ("device_manufacturer", "device", "manufacturer"),
    ("device_model", "device", "model"),
    ("os_name", "os", "name"),
    ("os_version", "os", "version"),
    ("app_name", "app", "name"),
    ("app_version", "app", "version"),
)


class _Draft(NamedTuple):
    """What is being made of one message."""

    found: dict[str, tuple[str, JsonValue]]
    rest: list[tuple[str, JsonValue]]
    fields: JsonObject
    notes: list[Note]
    path: str

    def note(self, rule: str, key: str, reason: str) -> None:
        self.notes.append(Note(rule, f"{self.path}.{key}", reason))


class Contacts:
    """Turns identify messages into operations; built once for each settings."""

    def __init__(self, settings: Settings, flattener: Flattener, companies: Companies) -> None:
        self._settings = settings
        self._flattener = flattener
        self._companies = companies
        self._makes_leads = settings.anonymous == "lead"

    def translate(self, message: Identify, options: Options, notes: list[Note]) -> list[Operation] | None:
        """Return the operations of *message*; None when it is about nobody (R8)."""
        traits, path = message.traits, "traits"
        if not traits:
            traits, path = object_at(message.context, "traits"), "context.traits"
        draft = _Draft(*_KNOWN.sort(traits, notes, path), {}, notes, path)
        email = self._email(draft, message)
        who = self._who(message, options, email)
        if who is None:
            return None
        if email is not None:
            draft.fields["email"] = email
        role = self._role(draft, message, options, who)
        self._names(draft, traits)
        self._instants(draft, message)
        if not options.is_empty or "unsubscribedfromemails" in draft.found:
            self._consent(draft, options)
        if not options.is_empty or "ownerid" in draft.found:
            self._owner(draft, options)
        if not options.is_empty:
            self._language(draft, options)
        companies, done = self._companies.of_identify(_companies_of(draft), who, notes)
        attributes = self._attributes(draft, message, who)
        operations: list[Operation] = [
            UpsertContact(who=who, role=role, fields=draft.fields, attributes=attributes),
            *companies,
        ]
        bare = message.group_id or id_text(message.context.get("groupId"))
        if bare is not None and bare not in done:
            operations.append(AttachCompany(who=who, company_id=bare, only_known=True))
        return operations

    def _email(self, draft: _Draft, message: Identify) -> str | None:
        found: str | None = None
        taken = draft.found.pop("email", None)
        if taken is not None:
            found = address(taken[1])
            if found is None:
                draft.note("I2", taken[0], "null or blank" if is_absent(taken[1]) else "no e-mail address")
        if found is None and draft.path == "traits":
            given = look_up(object_at(message.context, "traits"), "email")
            found = address(given)
            if found is None and given is not None:
                draft.notes.append(Note("I2", "context.traits.email", "no e-mail address"))
        return found or (address(message.user_id) if message.user_id is not None else None)

    def _who(self, message: Identify, options: Options, email: str | None) -> Who | None:
        contact_id = id_text(options.get("contact_id"))
        if contact_id is not None or message.user_id is not None:
            return Who(contact_id=_contact(contact_id), external_id=_external(message.user_id))
        if email is not None:
            return Who(email=email)
        if message.anonymous_id is not None and self._makes_leads:
            return Who(anonymous_id=message.anonymous_id)
        return None

    def _role(
        self, draft: _Draft, message: Identify, options: Options, who: Who
    ) -> Literal["user", "lead"] | None:
        wanted = options.get("role")
        path = "integrations.Intercom.role"
        if wanted is not None and wanted not in ("user", "lead"):
            draft.notes.append(Note("I9", path, "neither user nor lead"))
            wanted = None
        taken = draft.found.pop("role", None)
        if taken is not None and taken[1] not in ("user", "lead"):
            draft.rest.append(taken)
        elif taken is not None and self._settings.require_identity:
            draft.note("V3", taken[0], "role from an untrusted sender")
        elif taken is not None and wanted is None:
            wanted, path = taken[1], f"{draft.path}.{taken[0]}"
        if message.user_id is not None:
            if wanted == "lead":
                draft.notes.append(Note("I9", path, "a message with a userId is about a user"))
            return "user"
        if who.anonymous_id is not None:
            if wanted == "user":
                draft.notes.append(Note("I9", path, "a user needs a userId or an e-mail address"))
            return "lead"
        if wanted == "lead":
            return "lead"
        return None if who.email is None and "email" not in draft.fields and wanted is None else "user"

    def _names(self, draft: _Draft, traits: Json) -> None:
        found = draft.found
        taken = found.pop("name", None)
        name = None if taken is None else text_field(taken[1])
        is_own = name is not None
        if name is None:
            parts = (text_field(look_up(traits, "firstName")), text_field(look_up(traits, "lastName")))
            name = " ".join(part for part in parts if part) or None
        if is_own:
            draft.fields["name"] = name
        else:
            self._write_clearable(draft, "name", name, taken, "I3")
        if "phone" in found or "phones" in found:
            self._phone(draft)
        if not found.keys().isdisjoint(_AVATARS):
            self._avatar(draft)

    def _phone(self, draft: _Draft) -> None:
        taken = draft.found.pop("phone", None)
        phone = None if taken is None else text_field(taken[1])
        if phone is None and (taken is None or taken[1] is not None):
            phone = self._first_phone(draft)
        self._write_clearable(draft, "phone", phone, taken, "I4")

    def _write_clearable(
        self, draft: _Draft, field: str, value: str | None, taken: tuple[str, JsonValue] | None, rule: str
    ) -> None:
        """Write a field that null clears; what was sent and is no text is told."""
        if value is not None:
            draft.fields[field] = value
        elif taken is not None and taken[1] is None:
            draft.fields[field] = None
        if taken is not None and taken[1] is not None and text_field(taken[1]) is None:
            draft.note(rule, taken[0], "blank" if is_absent(taken[1]) else "not a text")

    def _first_phone(self, draft: _Draft) -> str | None:
        taken = draft.found.pop("phones", None)
        if taken is None:
            return None
        key, value = taken
        phones = value if isinstance(value, list) else [value]
        for at, phone in enumerate(phones):
            found = text_field(phone)
            if found is not None:
                draft.notes.extend(
                    Note("I4", f"{draft.path}.{key}.{other}", "only the first phone is used")
                    for other in range(len(phones))
                    if other != at
                )
                return found
        draft.rest.append(taken)
        return None

    def _avatar(self, draft: _Draft) -> None:
        for plain in _AVATARS:
            taken = None if draft.fields.get("avatar") else draft.found.pop(plain, None)
            if taken is None:
                continue
            key, value = taken
            if value is None:
                draft.fields.setdefault("avatar", None)
            elif isinstance(value, str) and value.strip().lower().startswith(("http://", "https://")):
                draft.fields["avatar"] = value.strip()
            else:
                draft.note("I4", key, "blank" if is_absent(value) else "no http(s) address")

    def _instants(self, draft: _Draft, message: Identify) -> None:
        for plain in _SIGNED_UP:
            if plain in draft.found and "signed_up_at" not in draft.fields:
                taken = draft.found.pop(plain)
                self._write_instant(draft, "signed_up_at", taken, unix_seconds(taken[1]), "I5")
        if not self._settings.update_last_seen or message.context.get("active") is False:
            for plain in _LAST_SEEN:
                if plain in draft.found:
                    draft.note("I6", draft.found.pop(plain)[0], "last_seen_at is not updated")
            return
        for plain in _LAST_SEEN:
            if plain in draft.found and "last_seen_at" not in draft.fields:
                taken = draft.found.pop(plain)
                seconds = recordable_seconds(taken[1])
                self._write_instant(draft, "last_seen_at", taken, seconds, "I6")
        if "last_seen_at" not in draft.fields and message.timestamp is not None:
            draft.fields["last_seen_at"] = math.floor(message.timestamp)

    def _write_instant(
        self, draft: _Draft, field: str, taken: tuple[str, JsonValue], seconds: int | None, rule: str
    ) -> None:
        if seconds is not None:
            draft.fields[field] = seconds
        else:
            draft.note(rule, taken[0], "null or blank" if is_absent(taken[1]) else "not an instant")

    def _consent(self, draft: _Draft, options: Options) -> None:
        value = options.get("unsubscribedFromEmails", "unsubscribed")
        if value is not None and not isinstance(value, bool):
            draft.notes.append(Note("I7", "integrations.Intercom.unsubscribedFromEmails", "not a boolean"))
        taken = draft.found.pop("unsubscribedfromemails", None)
        if not isinstance(value, bool) and taken is not None:
            value = taken[1]
            if not isinstance(value, bool):
                draft.note("I7", taken[0], "not a boolean")
        if isinstance(value, bool):
            draft.fields["unsubscribed_from_emails"] = value

    def _owner(self, draft: _Draft, options: Options) -> None:
        given = options.get("owner_id")
        owner = whole_number(given)
        if given is not None and owner is None:
            draft.notes.append(Note("I8", "integrations.Intercom.owner_id", "not a whole number"))
        taken = draft.found.pop("ownerid", None)
        if taken is not None and self._settings.require_identity:
            draft.note("V3", taken[0], "owner from an untrusted sender")
        elif taken is not None and owner is None:
            owner = whole_number(taken[1])
            if owner is None:
                draft.note("I8", taken[0], "not a whole number")
        if owner is not None:
            draft.fields["owner_id"] = owner

    def _language(self, draft: _Draft, options: Options) -> None:
        language = options.get("language_override")
        if language is not None:
            text = text_field(language)
            if text is not None and self._settings.api_version.lower() in ("preview", "unstable"):
                draft.fields["language_override"] = text
            else:
                draft.notes.append(
                    Note("R7", "integrations.Intercom.language_override", "only with API version Preview")
                )

    def _attributes(self, draft: _Draft, message: Identify, who: Who) -> JsonObject:
        attributes: JsonObject = {}
        if who.anonymous_id is not None:
            attributes["anonymous_id"] = who.anonymous_id
        for plain in _OWN_IDS:
            if plain not in draft.found:
                continue
            taken = draft.found.pop(plain)
            own = id_text(taken[1])
            if is_absent(taken[1]):
                draft.note("I4", taken[0], "null or blank")
            elif own is None or own not in (message.user_id, who.contact_id, who.anonymous_id):
                draft.rest.append(taken)
        phones = draft.found.pop("phones", None)
        if phones is not None:
            draft.rest.append(phones)
        for plain, (key, _) in draft.found.items():
            if plain in PROOFS:
                draft.note("R7", key, "a proof of identity")
            else:
                draft.note("I10", key, "another trait came first")
        if draft.rest:
            self._flattener.write(draft.rest, attributes, draft.notes, draft.path)
        if self._settings.collect_context:
            self._flattener.write(_context_facts(message, attributes), attributes, draft.notes, "context")
        return attributes


def _companies_of(draft: _Draft) -> Iterator[tuple[str, JsonValue]]:
    """Yield each company with its path, ``company`` before ``companies``."""
    for plain in ("company", "companies"):
        taken = draft.found.pop(plain, None)
        if taken is None:
            continue
        path = f"{draft.path}.{taken[0]}"
        if isinstance(taken[1], list):
            yield from ((f"{path}.{at}", value) for at, value in enumerate(taken[1]))
        else:
            yield path, taken[1]


def _context_facts(message: Identify, attributes: JsonObject) -> list[tuple[str, JsonValue]]:
    facts: list[tuple[str, JsonValue]] = []
    for name, group, key in _CONTEXT_FACTS:
        value = object_at(message.context, group).get(key)
        if not is_absent(value) and name not in attributes:
            facts.append((name, value))
    return facts


def _contact(value: str | None) -> ContactId | None:
    return value  # type: ignore[return-value]  # a NewType is its base at run time


def _external(value: str | None) -> ExternalId | None:
    return value  # type: ignore[return-value]  # as above
