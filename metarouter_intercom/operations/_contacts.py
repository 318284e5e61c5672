"""Turns identify messages into operations (rules I, V4): who it is, standard fields, attributes, companies; knows no other message."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from .._types import Note
from ..messages._coercion import address, id_text
from ..messages._contact_keys import email_of
from ..messages._edges import accident_note, is_accident, trimmed, trimmed_note
from ..messages._facts import PLAIN, KnownTraits, is_absent, object_at
from ._companies import UNTRUSTED_COMPANY
from ._contact_fields import (
    role_wanted,
    write_consent,
    write_language,
    write_names,
    write_owner,
    write_times,
)
from ._contact_tags import ContactTags
from ._custom_attributes import write_attributes
from ._draft import Draft
from ._fast_traits import FastContacts
from ._fast_values import attach_company, upsert_company, upsert_user, user
from ._flatten import top_level_first
from ._subscriptions import subscriptions_of
from ._values import AttachCompany, Origin, UpsertContact, Who, who_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._types import JsonObject, JsonValue
    from ..messages import Identify
    from ..messages._facts import Trait
    from ..messages._integrations import Options
    from ..settings import Settings
    from ._companies import Companies
    from ._flatten import Flattener
    from ._values import Operation

_KNOWN = KnownTraits(
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
        "custom_attributes",
        "user_hash",
        "intercom_user_jwt",
    ]
)
_OWN_IDS = ("id", "userid")
# Custom attribute, and the place of its value in the context.
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
    """Turns identify messages into operations, always with the same settings."""

    def __init__(self, settings: Settings, flattener: Flattener, companies: Companies) -> None:
        self._flattener = flattener
        self._companies = companies
        self._is_trusted = not settings.require_identity
        # Nobody can prove an anonymous id, so an untrusted sender makes no leads (V4).
        self._makes_leads = settings.anonymous == "lead" and self._is_trusted
        self._needs_full_path = bool(
            settings.collect_context or settings.require_identity or settings.tags_trait
        )
        self._tags = ContactTags(settings)
        self._updates_last_seen = settings.update_last_seen
        self._collects_context = settings.collect_context
        self._fast = FastContacts(settings, _KNOWN.exact, companies.fast)
        # ``Unstable`` is Preview's older name (contract, section 2).
        self._is_preview = settings.api_version.lower() in ("preview", "unstable")

    def translate_identify(
        self, message: Identify, options: Options, notes: list[Note]
    ) -> list[Operation] | None:
        """Return the operations of *message*; None when it is about nobody (R8)."""
        operations = self._translate_fast(message) if options.is_empty else None
        return self._translate_full(message, options, notes) if operations is None else operations

    def _translate_fast(self, message: Identify) -> list[Operation] | None:
        """Return what ``_translate_full`` does, at a quarter of the cost; None leaves *message* to it."""
        user_id, context = message.user_id, message.context
        # A note may say that a company's id could not be kept (C1).
        if message.notes or user_id is None or message.group_id is not None or self._needs_full_path:
            return None
        if not message.traits or "traits" in context or "active" in context or "groupId" in context:
            return None
        contact = self._fast.read(message.traits)
        if contact is None or ("@" in user_id and "email" not in contact.fields):
            return None
        fields, attributes, origins, company = contact
        if self._updates_last_seen and message.timestamp is not None:
            fields["last_seen_at"] = math.floor(message.timestamp)
        who = user(user_id)
        operations: list[Operation] = [upsert_user(who, fields, attributes, origins)]
        if company is not None:
            own_id: str = company.own_id  # type: ignore[assignment]  # a company among an identify's traits has one
            operations += (
                upsert_company(own_id, company.fields, company.attributes, company.path, company.origins),
                attach_company(who, own_id),
            )
        return operations

    def _translate_full(
        self, message: Identify, options: Options, notes: list[Note]
    ) -> list[Operation] | None:
        traits, path = message.traits, "traits"
        if not traits:
            traits, path = object_at(message.context, "traits"), "context.traits"
        draft = Draft(*_KNOWN.sort(traits, notes, path), {}, notes, path)
        email = _email(draft, message)
        who = self._who(message, options, email)
        if who is None:
            return None
        if email is not None and self._may_write(email, message, draft):
            draft.fields["email"] = email
        role = self._role(draft, message, options, who=who)
        write_names(draft, traits)
        write_times(draft, message, updates_last_seen=self._updates_last_seen)
        if not options.is_empty or "unsubscribedfromemails" in draft.known:
            write_consent(draft, options)
        if not options.is_empty or "ownerid" in draft.known:
            write_owner(draft, options, is_trusted=self._is_trusted)
        if not options.is_empty:
            write_language(draft, options, is_preview=self._is_preview)
        companies, company_ids = self._companies.translate_companies(_companies_of(draft), who, notes)
        tags = self._tags.translate_tags(draft, options, who)
        attributes, origins = self._attributes(draft, message, who)
        operations: list[Operation] = [
            UpsertContact(
                who=who,
                role=role,
                fields=draft.fields,
                attributes=attributes,
                traits_path=path,
                origins=origins,
            ),
            *tags,
            *subscriptions_of(options, who, notes),
            *companies,
        ]
        return operations + self._attach_to_group(message, who, company_ids, notes)

    def _attach_to_group(
        self, message: Identify, who: Who, company_ids: set[str], notes: list[Note]
    ) -> list[AttachCompany]:
        """Return what attaches *who* to the company that the message's group id names, unless it is among *company_ids* already (I12)."""
        group_id = message.group_id or _context_group_id(message, notes)
        if group_id is None or group_id in company_ids:
            return []
        path = "groupId" if message.group_id else "context.groupId"
        if self._companies.rights == "off":
            notes.append(Note("V4", path, UNTRUSTED_COMPANY))
            return []
        return [AttachCompany(who=who, company_id=group_id, only_known=True, path=path)]

    def _who(self, message: Identify, options: Options, email: str | None) -> Who | None:
        contact_id = options.contact_id()
        if contact_id is not None or message.user_id is not None:
            return who_of(contact_id, message.user_id)
        if email is not None:
            return Who(email=email)
        if message.anonymous_id is not None and self._makes_leads:
            return Who(anonymous_id=message.anonymous_id)
        return None

    def _may_write(self, email: str, message: Identify, draft: Draft) -> bool:
        """Tell whether the sender may make *email* the contact's address; a proof of a user id alone does not show whose it is (V4)."""
        if self._is_trusted or message.user_id is None:
            return True
        proven = (message.user_id, message.proven_email or "")
        if email.lower() in [text.strip().lower() for text in proven]:
            return True
        path = _path_of_email(email, message)
        draft.notes.append(Note("V4", path, "e-mail address that the proof does not cover"))
        return False

    def _role(
        self, draft: Draft, message: Identify, options: Options, *, who: Who
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

    def _attributes(
        self, draft: Draft, message: Identify, who: Who
    ) -> tuple[JsonObject, Mapping[str, Origin]]:
        """Return the custom attributes, and where they come from."""
        attributes: JsonObject = {}
        origins: dict[str, Origin] = {}
        if who.anonymous_id is not None:
            attributes["anonymous_id"] = who.anonymous_id
            origins["anonymous_id"] = Origin("anonymousId")
        for plain in _OWN_IDS:
            if plain not in draft.known:
                continue
            trait = draft.known.pop(plain)
            own_id = id_text(trait[1])
            if is_absent(trait[1]):
                draft.note("I4", trait[0], "null or blank")
            elif is_accident(trait[1]):
                draft.notes.append(accident_note(f"{draft.path}.{trait[0]}"))
            elif own_id is None or own_id not in (message.user_id, who.contact_id, who.anonymous_id):
                draft.rest.append(trait)
        phones = draft.known.pop("phones", None)
        if phones is not None:
            draft.rest.append(phones)
        write_attributes(draft, attributes, origins, self._flattener)
        if self._collects_context:
            for name, item, path in _context_attributes(message, attributes):
                self._flattener.write_as(
                    name, item, attributes, notes=draft.notes, path=path, origins=origins
                )
        return top_level_first(attributes, origins), origins


def _email(draft: Draft, message: Identify) -> str | None:
    """Return the e-mail address to write, with a note for each value in its place that is none (I2)."""
    email = email_of(message)
    trait = draft.known.pop("email", None)
    if trait is not None:
        key, value = trait
        # This trait is the first place of the address, so it holds none if the address is another one.
        if isinstance(value, str) and trimmed(value) == email:
            return email
        draft.note("I2", key, "null or blank" if is_absent(value) else "no e-mail address")
    if draft.path == "traits":
        for key, value in object_at(message.context, "traits").items():
            if PLAIN[key] == "email" and not is_absent(value) and address(value) is None:
                draft.notes.append(Note("I2", f"context.traits.{key}", "no e-mail address"))
    return email


def _path_of_email(email: str, message: Identify) -> str:
    """Return where *message* has its e-mail address."""
    for key, value in message.traits.items():
        if PLAIN[key] == "email" and address(value) == email:
            return f"traits.{key}"
    return "context.traits.email"


def _companies_of(draft: Draft) -> Iterator[tuple[str, JsonValue]]:
    """Yield each company with its path, ``company`` before ``companies``."""
    for plain in ("company", "companies"):
        trait = draft.known.pop(plain, None)
        if trait is None:
            continue
        key, value = trait
        path = f"{draft.path}.{key}"
        if isinstance(value, list):
            yield from ((f"{path}.{at}", company) for at, company in enumerate(value))
        else:
            yield path, value


def _context_group_id(message: Identify, notes: list[Note]) -> str | None:
    """Return the id in ``context.groupId``, which names a company without changing it (I12)."""
    value = message.context.get("groupId")
    group_id = id_text(value)
    if is_accident(value):
        notes.append(accident_note("context.groupId"))
    elif group_id is None and not is_absent(value):
        notes.append(Note("I12", "context.groupId", "not an id"))
    elif isinstance(value, str) and group_id is not None and group_id != value:
        notes.append(trimmed_note("context.groupId"))
    return group_id


def _context_attributes(message: Identify, attributes: JsonObject) -> list[tuple[str, Trait, str]]:
    """Return name, item and path of each attribute that the context adds to *attributes*; a trait of the same name wins."""
    of_context: list[tuple[str, Trait, str]] = []
    for name, group, key in _CONTEXT_FACTS:
        value = object_at(message.context, group).get(key)
        if not is_absent(value) and name not in attributes:
            of_context.append((name, (key, value), f"context.{group}"))
    return of_context
