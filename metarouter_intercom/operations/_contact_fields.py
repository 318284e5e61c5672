"""An identify's standard fields, one by one (rules I3 to I9); pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..messages._coercion import text_field, whole_number
from ..messages._facts import is_absent, look_up
from ..messages._timestamps import recordable_seconds, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue
    from ..messages import Identify
    from ..messages._integrations import Options

    Json = Mapping[str, JsonValue]

_SIGNED_UP = ("createdat", "created", "signedupat")
_LAST_SEEN = ("lastrequestat", "lastseenat")
_AVATARS = ("avatar", "photourl", "avatarurl")
_ROLES = ("user", "lead")
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)


class Draft(NamedTuple):
    """What is being made of one message."""

    found: dict[str, tuple[str, JsonValue]]
    rest: list[tuple[str, JsonValue]]
    fields: JsonObject
    notes: list[Note]
    path: str

    def note(self, rule: str, key: str, reason: str) -> None:
        self.notes.append(Note(rule, f"{self.path}.{key}", reason))


def role_wanted(draft: Draft, options: Options, *, is_trusted: bool) -> tuple[JsonValue, str]:
    """Return the role that the option, else the trait asks for, with its path; None for none."""
    path, wanted = options.find("role") or ("", None)
    if wanted is not None and wanted not in _ROLES:
        draft.notes.append(Note("I9", path, "neither user nor lead"))
        wanted = None
    taken = draft.found.pop("role", None)
    if taken is None:
        return wanted, path
    if taken[1] not in _ROLES:
        draft.rest.append(taken)
    elif not is_trusted:
        draft.note("V3", taken[0], "role from an untrusted sender")
    elif wanted is None:
        return taken[1], f"{draft.path}.{taken[0]}"
    elif wanted != taken[1]:
        draft.note("I9", taken[0], "the option came first")
    return wanted, path


def write_names(draft: Draft, traits: Json) -> None:
    """Write name, telephone and avatar (I3, I4); *traits* are all of them, for first and last name."""
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
        _write_clearable(draft, "name", name, taken, "I3")
    if "phone" in found or "phones" in found:
        _write_phone(draft)
    if not found.keys().isdisjoint(_AVATARS):
        _write_avatar(draft)


def _write_phone(draft: Draft) -> None:
    taken = draft.found.pop("phone", None)
    phone = None if taken is None else text_field(taken[1])
    if phone is None:
        phone = _first_phone(draft)
    _write_clearable(draft, "phone", phone, taken, "I4")


def _write_clearable(
    draft: Draft, field: str, value: str | None, taken: tuple[str, JsonValue] | None, rule: str
) -> None:
    """Write a field that null clears; what was sent and is no text is told."""
    if value is not None:
        draft.fields[field] = value
    elif taken is not None and taken[1] is None:
        draft.fields[field] = None
    if taken is not None and taken[1] is None and value is not None:
        draft.note(rule, taken[0], "another trait stands in")
    if taken is not None and taken[1] is not None and text_field(taken[1]) is None:
        draft.note(rule, taken[0], "blank" if is_absent(taken[1]) else "not a text")


def _first_phone(draft: Draft) -> str | None:
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


def _write_avatar(draft: Draft) -> None:
    cleared = ""
    for plain in _AVATARS:
        taken = None if draft.fields.get("avatar") else draft.found.pop(plain, None)
        if taken is None:
            continue
        key, value = taken
        if value is None:
            draft.fields["avatar"], cleared = None, key
        elif isinstance(value, str) and _WEB_ADDRESS.fullmatch(value.strip()):
            if "avatar" in draft.fields:
                draft.note("I4", cleared, "another trait stands in")
            draft.fields["avatar"] = value.strip()
        else:
            draft.note("I4", key, "blank" if is_absent(value) else "no http(s) address")


def write_instants(draft: Draft, message: Identify, *, updates_last_seen: bool) -> None:
    """Write when somebody signed up and was last seen (I5, I6)."""
    for plain in _SIGNED_UP:
        if plain in draft.found and "signed_up_at" not in draft.fields:
            taken = draft.found.pop(plain)
            _write_instant(draft, "signed_up_at", taken, unix_seconds(taken[1]), "I5")
    if not updates_last_seen or message.context.get("active") is False:
        for plain in _LAST_SEEN:
            if plain in draft.found:
                draft.note("I6", draft.found.pop(plain)[0], "last_seen_at is not updated")
        return
    for plain in _LAST_SEEN:
        if plain in draft.found and "last_seen_at" not in draft.fields:
            taken = draft.found.pop(plain)
            seconds = recordable_seconds(taken[1])
            _write_instant(draft, "last_seen_at", taken, seconds, "I6")
    if "last_seen_at" not in draft.fields and message.timestamp is not None:
        draft.fields["last_seen_at"] = math.floor(message.timestamp)


def _write_instant(
    draft: Draft, field: str, taken: tuple[str, JsonValue], seconds: int | None, rule: str
) -> None:
    if seconds is not None:
        draft.fields[field] = seconds
    else:
        draft.note(rule, taken[0], "null or blank" if is_absent(taken[1]) else "not an instant")


def write_consent(draft: Draft, options: Options) -> None:
    """Write whether somebody wants no e-mail: real booleans only (I7)."""
    path, value = options.find("unsubscribedFromEmails", "unsubscribed") or ("", None)
    if value is not None and not isinstance(value, bool):
        draft.notes.append(Note("I7", path, "not a boolean"))
        value = None
    taken = draft.found.pop("unsubscribedfromemails", None)
    if taken is not None:
        if not isinstance(taken[1], bool):
            draft.note("I7", taken[0], "not a boolean")
        elif value is None:
            value = taken[1]
        elif value is not taken[1]:
            draft.note("I7", taken[0], "the option came first")
    if value is not None:
        draft.fields["unsubscribed_from_emails"] = value


def write_owner(draft: Draft, options: Options, *, is_trusted: bool) -> None:
    """Write the owner: a whole number (I8)."""
    path, given = options.find("owner_id") or ("", None)
    owner = whole_number(given)
    if given is not None and owner is None:
        draft.notes.append(Note("I8", path, "not a whole number"))
    taken = draft.found.pop("ownerid", None)
    if taken is not None and not is_trusted:
        draft.note("V3", taken[0], "owner from an untrusted sender")
    elif taken is not None:
        told = whole_number(taken[1])
        if told is None:
            draft.note("I8", taken[0], "not a whole number")
        elif owner is not None and owner != told:
            draft.note("I8", taken[0], "the option came first")
        owner = told if owner is None else owner
    if owner is not None:
        draft.fields["owner_id"] = owner


def write_language(draft: Draft, options: Options, *, is_preview: bool) -> None:
    """Write the language, where the API version has it (R7)."""
    found = options.find("language_override")
    if found is None:
        return
    text = text_field(found[1])
    if not is_preview:
        draft.notes.append(Note("R7", found[0], "only with API version Preview"))
    elif text is None:
        draft.notes.append(Note("R7", found[0], "not a text"))
    else:
        draft.fields["language_override"] = text
