"""Finds the ids by which a message names its contact: its e-mail address, and the keys of its lane; knows no buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._coercion import address, address_in_id, id_text
from ._edges import is_accident
from ._facts import PLAIN, look_up, object_at
from ._integrations import CONTACT_IDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonValue
    from ._values import Message

    Json = Mapping[str, JsonValue]

# Type -> where its messages may have the contact's e-mail address, the first place first; a place is a field, or an object in a field.
# A group's own traits are the company's, so an address there is nobody's (rules I1, I2, C4, E2).
_TRAITS: tuple[str, str | None] = ("traits", None)
_PROPERTIES: tuple[str, str | None] = ("properties", None)
_CONTEXT_TRAITS: tuple[str, str | None] = ("context", "traits")
_EMAIL_PLACES = {
    "identify": (_TRAITS, _CONTEXT_TRAITS),
    "group": (_CONTEXT_TRAITS,),
    "track": (_PROPERTIES, _CONTEXT_TRAITS, _TRAITS),
    "page": (_PROPERTIES, _CONTEXT_TRAITS, _TRAITS),
    "screen": (_PROPERTIES, _CONTEXT_TRAITS, _TRAITS),
    "alias": (),
}


def email_of(message: Message) -> str | None:
    """
    Return the e-mail address that names the contact of *message*, trimmed; None when there is none (rules I1, I2, C4, E2).

    A ``userId`` names the contact of every message that has one, so only its own text can be the address then. An identify writes
    the address of its traits all the same.

    Raises:
        NotJson: A value in the place of the address is none that JSON knows. Only a message made by hand has one.
    """
    user_id = message.user_id
    if user_id is not None and "@" not in user_id and message.type != "identify":
        return None
    # The fields that hold an address have the same names in a message and in its wire form.
    return _email(message.type, user_id, message.__dict__)


def _email(kind: str, user_id: str | None, message: Json) -> str | None:
    if user_id is None or kind == "identify":
        for name, inner in _EMAIL_PLACES[kind]:
            traits: Json | None = message.get(name)  # type: ignore[assignment]  # an object or None, as the message is valid
            if inner is not None and traits:
                traits = object_at(traits, inner)
            email = address(look_up(traits, "email")) if traits else None
            if email is not None:
                return email
    return None if user_id is None else address_in_id(user_id)


def emails_in(message: Message) -> list[str]:
    """
    Return every e-mail address by which *message* names its person, also beside a ``userId`` that names the contact (rule R11).

    Raises:
        NotJson: As ``email_of`` does.
    """
    fields: Json = message.__dict__
    emails = [None if message.user_id is None else address_in_id(message.user_id)]
    for name, inner in _EMAIL_PLACES[message.type] or (_CONTEXT_TRAITS,):
        traits: Json = fields[name]  # type: ignore[assignment]  # an object, as the message is valid
        if inner is not None:
            traits = object_at(traits, inner)
        emails += [address(value) for key, value in traits.items() if PLAIN[key] == "email"]
    return [email for email in emails if email is not None]


def contact_keys(message: Json, names: frozenset[str]) -> list[str]:
    """
    Return the keys by which *message* shares a lane with others, its own one first (rules R8, O1).

    Args:
        message: Stamped wire form.
        names: Names of this destination in small letters.

    Returns:
        ``contact:..``, ``user:..``, ``email:..`` (small letters), ``anonymous:..``; none for a message about nobody.
    """
    keys: list[str] = []
    kind: str = message["type"]  # type: ignore[assignment]  # stamped, as the ids are too
    user_id: str | None = message.get("userId")  # type: ignore[assignment]
    if "integrations" in message or "context" in message:
        contact_id = _contact_id(message, names)
        if contact_id is not None:
            keys.append(f"contact:{contact_id}")
    if user_id is not None:
        keys.append(f"user:{user_id}")
    if user_id is None or kind == "identify" or "@" in user_id:
        email = _email(kind, user_id, message)
        if email is not None:
            keys.append(f"email:{email.lower()}")
    if kind == "alias":
        _add_anonymous(keys, message.get("previousId"))
    elif not keys:
        _add_anonymous(keys, message.get("anonymousId"))
    return keys


def _add_anonymous(keys: list[str], anonymous_id: JsonValue) -> None:
    if anonymous_id is not None:
        keys.append(f"anonymous:{anonymous_id}")


def _contact_id(message: Json, names: frozenset[str]) -> str | None:
    context = message.get("context")
    for place in (
        message.get("integrations"),
        context,
        context.get("integrations") if isinstance(context, dict) else None,
    ):
        if not isinstance(place, dict):
            continue
        for name, options in place.items():
            if isinstance(options, dict) and options and name.lower() in names:
                ids = {key: value for key, value in options.items() if not is_accident(value)}
                for id_name in CONTACT_IDS:
                    value = look_up(ids, id_name)
                    if value is not None:
                        return id_text(value)
    return None
