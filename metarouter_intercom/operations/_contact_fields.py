"""Writes the standard fields of a contact from an identify, one by one (rules I3 to I9); knows neither ids nor operations."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import text_field, whole_number
from ..messages._edges import trimmed
from ..messages._facts import is_absent, look_up
from ..messages._timestamps import recordable_seconds, time_note, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonValue
    from ..messages import Identify
    from ..messages._facts import Trait
    from ..messages._integrations import Options
    from ._draft import Draft

    Json = Mapping[str, JsonValue]

# Plain names of traits; where several feed one field, the first one wins.
_SIGNED_UP = ("createdat", "created", "signedupat")
_LAST_SEEN = ("lastrequestat", "lastseenat")
_AVATARS = ("avatar", "photourl", "avatarurl")
_ROLES = ("user", "lead")
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)


def role_wanted(draft: Draft, options: Options, *, is_trusted: bool) -> tuple[JsonValue, str]:
    """Return the role that the option, or else the trait, asks for, with its path; None when neither asks for one."""
    path, role = options.find("role") or ("", None)
    if role is not None and role not in _ROLES:
        draft.notes.append(Note("I9", path, "neither user nor lead"))
        role = None
    trait = draft.known.pop("role", None)
    if trait is None:
        return role, path
    key, value = trait
    if value not in _ROLES:
        draft.rest.append(trait)
    elif not is_trusted:
        draft.note("V3", key, "role from an untrusted sender")
    elif role is None:
        return value, f"{draft.path}.{key}"
    elif role != value:
        draft.note("I9", key, "the option came first")
    return role, path


def write_names(draft: Draft, traits: Json) -> None:
    """Write name, telephone and avatar (I3, I4); *traits* are all of them, because first and last name are attributes too."""
    known = draft.known
    trait = known.pop("name", None)
    name = None if trait is None else text_field(trait[1])
    if name is not None:
        draft.fields["name"] = name
    else:
        parts = (text_field(look_up(traits, "firstName")), text_field(look_up(traits, "lastName")))
        name = " ".join(part for part in parts if part) or None
        _write_clearable(draft, "name", name, trait=trait, rule="I3")
    if "phone" in known or "phones" in known:
        _write_phone(draft)
    if not known.keys().isdisjoint(_AVATARS):
        _write_avatar(draft)


def _write_phone(draft: Draft) -> None:
    trait = draft.known.pop("phone", None)
    phone = None if trait is None else text_field(trait[1])
    if phone is None:
        phone = _first_phone(draft)
    _write_clearable(draft, "phone", phone, trait=trait, rule="I4")


def _write_clearable(draft: Draft, field: str, text: str | None, *, trait: Trait | None, rule: str) -> None:
    """
    Write a field that null clears, with a note for a value that is not a text.

    Args:
        draft: Receives the field.
        field: Its name.
        text: What to write; None when no trait has a text for it.
        trait: The trait of this very name, if there is one.
        rule: For the notes.
    """
    if text is not None:
        draft.fields[field] = text
    elif trait is not None and trait[1] is None:
        draft.fields[field] = None
    if trait is None:
        return
    key, value = trait
    if value is None and text is not None:
        draft.note(rule, key, "another trait stands in")
    if value is not None and text_field(value) is None:
        draft.note(rule, key, "blank" if is_absent(value) else "not a text")


def _first_phone(draft: Draft) -> str | None:
    trait = draft.known.pop("phones", None)
    if trait is None:
        return None
    key, value = trait
    phones = value if isinstance(value, list) else [value]
    for at, phone in enumerate(phones):
        text = text_field(phone)
        if text is not None:
            draft.notes.extend(
                Note("I4", f"{draft.path}.{key}.{other}", "only the first phone is used")
                for other in range(len(phones))
                if other != at
            )
            return text
    draft.rest.append(trait)
    return None


def _write_avatar(draft: Draft) -> None:
    cleared = ""
    for plain in _AVATARS:
        trait = None if draft.fields.get("avatar") else draft.known.pop(plain, None)
        if trait is None:
            continue
        key, value = trait
        if value is None:
            draft.fields["avatar"], cleared = None, key
        elif isinstance(value, str) and _WEB_ADDRESS.fullmatch(trimmed(value)):
            if "avatar" in draft.fields:
                draft.note("I4", cleared, "another trait stands in")
            draft.fields["avatar"] = trimmed(value)
        else:
            draft.note("I4", key, "blank" if is_absent(value) else "no http(s) address")


def write_times(draft: Draft, message: Identify, *, updates_last_seen: bool) -> None:
    """Write when the contact signed up and was last seen (I5, I6)."""
    for plain in _SIGNED_UP:
        if plain in draft.known and "signed_up_at" not in draft.fields:
            trait = draft.known.pop(plain)
            _write_time(draft, "signed_up_at", unix_seconds(trait[1]), trait=trait, rule="I5")
    if not updates_last_seen or message.context.get("active") is False:
        for plain in _LAST_SEEN:
            if plain in draft.known:
                draft.note("I6", draft.known.pop(plain)[0], "last_seen_at is not updated")
        return
    for plain in _LAST_SEEN:
        if plain in draft.known and "last_seen_at" not in draft.fields:
            trait = draft.known.pop(plain)
            _write_time(draft, "last_seen_at", recordable_seconds(trait[1]), trait=trait, rule="I6")
    if "last_seen_at" not in draft.fields and message.timestamp is not None:
        draft.fields["last_seen_at"] = math.floor(message.timestamp)


def _write_time(draft: Draft, field: str, seconds: int | None, *, trait: Trait, rule: str) -> None:
    """Write *seconds* into *field*, or note that *trait* is no time."""
    if seconds is not None:
        draft.fields[field] = seconds
    else:
        draft.notes.append(time_note(rule, f"{draft.path}.{trait[0]}", trait[1]))


def write_consent(draft: Draft, options: Options) -> None:
    """Write whether the contact unsubscribed from e-mails; only a real boolean counts (I7)."""
    path, option = options.find("unsubscribedFromEmails", "unsubscribed") or ("", None)
    if option is not None and not isinstance(option, bool):
        draft.notes.append(Note("I7", path, "not a boolean"))
        option = None
    consent = option
    trait = draft.known.pop("unsubscribedfromemails", None)
    if trait is not None:
        key, value = trait
        if not isinstance(value, bool):
            draft.note("I7", key, "not a boolean")
        elif option is None:
            consent = value
        elif option is not value:
            draft.note("I7", key, "the option came first")
    if consent is not None:
        draft.fields["unsubscribed_from_emails"] = consent


def write_owner(draft: Draft, options: Options, *, is_trusted: bool) -> None:
    """Write the owner's id, a whole number (I8)."""
    path, option = options.find("owner_id") or ("", None)
    owner = whole_number(option)
    if option is not None and owner is None:
        draft.notes.append(Note("I8", path, "not a whole number"))
    trait = draft.known.pop("ownerid", None)
    if trait is not None and not is_trusted:
        draft.note("V3", trait[0], "owner from an untrusted sender")
    elif trait is not None:
        trait_owner = whole_number(trait[1])
        if trait_owner is None:
            draft.note("I8", trait[0], "not a whole number")
        elif owner is not None and owner != trait_owner:
            draft.note("I8", trait[0], "the option came first")
        owner = trait_owner if owner is None else owner
    if owner is not None:
        draft.fields["owner_id"] = owner


def write_language(draft: Draft, options: Options, *, is_preview: bool) -> None:
    """Write the language, which only the API version Preview has (R7)."""
    option = options.find("language_override")
    if option is None:
        return
    path, value = option
    text = text_field(value)
    if not is_preview:
        draft.notes.append(Note("R7", path, "only with API version Preview"))
    elif text is None:
        draft.notes.append(Note("R7", path, "not a text"))
    else:
        draft.fields["language_override"] = text
