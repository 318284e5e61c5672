"""Identify messages: who it is, standard fields, attributes, companies (rules I); pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from .._types import Note
from ..messages._coercion import address, id_text
from ..messages._facts import PROOFS, Known, is_absent, look_up, object_at
from ._contact_fields import (
    Draft,
    role_wanted,
    write_consent,
    write_instants,
    write_language,
    write_names,
    write_owner,
)
from ._fast_traits import UsualContacts
from ._values import AttachCompany, UpsertCompany, UpsertContact, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._types import ContactId, ExternalId, JsonObject, JsonValue
    from ..messages import Identify
    from ..messages._integrations import Options
    from ..settings import Settings
    from ._companies import Companies
    from ._flatten import Flattener
    from ._values import Operation

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


class Contacts:
    """Turns identify messages into operations; built once for each settings."""

    def __init__(self, settings: Settings, flattener: Flattener, companies: Companies) -> None:
        self._flattener = flattener
        self._companies = companies
        self._makes_leads = settings.anonymous == "lead"
        self._is_trusted = not settings.require_identity
        self._updates_last_seen = settings.update_last_seen
        self._collects_context = settings.collect_context
        self._usual_contacts = UsualContacts(settings, _KNOWN.exact, companies.usual)
        # ``Unstable`` is Preview's older name (contract, section 2).
        self._is_preview = settings.api_version.lower() in ("preview", "unstable")

    def translate(self, message: Identify, options: Options, notes: list[Note]) -> list[Operation] | None:
        """Return the operations of *message*; None when it is about nobody (R8)."""
        usual = self._usual(message) if options.is_empty else None
        return self._careful(message, options, notes) if usual is None else usual

    def _usual(self, message: Identify) -> list[Operation] | None:
        """Return what ``_careful`` does for the usual message, at a quarter of its cost; None for any other."""
        user_id, context = message.user_id, message.context
        if user_id is None or message.group_id is not None or self._collects_context:
            return None
        if not message.traits or "traits" in context or "active" in context or "groupId" in context:
            return None
        found = self._usual_contacts.read(message.traits)
        if found is None or ("@" in user_id and "email" not in found.fields):
            return None
        fields, attributes, company = found
        if self._updates_last_seen and message.timestamp is not None:
            fields["last_seen_at"] = math.floor(message.timestamp)
        who = Who(external_id=_external(user_id))
        operations: list[Operation] = [
            UpsertContact(who=who, role="user", fields=fields, attributes=attributes)
        ]
        if company is not None:
            own_id: str = company.own_id  # type: ignore[assignment]  # an identify's company has one
            operations += (
                UpsertCompany(company_id=own_id, fields=company.fields, attributes=company.attributes),
                AttachCompany(who=who, company_id=own_id),
            )
        return operations

    def _careful(self, message: Identify, options: Options, notes: list[Note]) -> list[Operation] | None:
        traits, path = message.traits, "traits"
        if not traits:
            traits, path = object_at(message.context, "traits"), "context.traits"
        draft = Draft(*_KNOWN.sort(traits, notes, path), {}, notes, path)
        email = self._email(draft, message)
        who = self._who(message, options, email)
        if who is None:
            return None
        if email is not None:
            draft.fields["email"] = email
        role = self._role(draft, message, options, who)
        write_names(draft, traits)
        write_instants(draft, message, updates_last_seen=self._updates_last_seen)
        if not options.is_empty or "unsubscribedfromemails" in draft.found:
            write_consent(draft, options)
        if not options.is_empty or "ownerid" in draft.found:
            write_owner(draft, options, is_trusted=self._is_trusted)
        if not options.is_empty:
            write_language(draft, options, is_preview=self._is_preview)
        companies, done = self._companies.of_identify(_companies_of(draft), who, notes)
        attributes = self._attributes(draft, message, who)
        operations: list[Operation] = [
            UpsertContact(who=who, role=role, fields=draft.fields, attributes=attributes),
            *companies,
        ]
        bare = message.group_id or _bare_company(message, notes)
        if bare is not None and bare not in done:
            operations.append(AttachCompany(who=who, company_id=bare, only_known=True))
        return operations

    def _email(self, draft: Draft, message: Identify) -> str | None:
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
        contact_id = options.contact_id()
        if contact_id is not None or message.user_id is not None:
            return Who(contact_id=_contact(contact_id), external_id=_external(message.user_id))
        if email is not None:
            return Who(email=email)
        if message.anonymous_id is not None and self._makes_leads:
            return Who(anonymous_id=message.anonymous_id)
        return None

    def _role(
        self, draft: Draft, message: Identify, options: Options, who: Who
    ) -> Literal["user", "lead"] | None:
        wanted, path = role_wanted(draft, options, is_trusted=self._is_trusted)
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

    def _attributes(self, draft: Draft, message: Identify, who: Who) -> JsonObject:
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
        if self._collects_context:
            self._flattener.write(_context_facts(message, attributes), attributes, draft.notes, "context")
        return attributes


def _companies_of(draft: Draft) -> Iterator[tuple[str, JsonValue]]:
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


def _bare_company(message: Identify, notes: list[Note]) -> str | None:
    """Return the id in ``context.groupId``, which names a company without changing it (I12)."""
    given = message.context.get("groupId")
    found = id_text(given)
    if found is None and not is_absent(given):
        notes.append(Note("I12", "context.groupId", "not an id"))
    return found


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
