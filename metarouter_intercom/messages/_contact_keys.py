"""By which keys a buffered message is known to be about one contact (rules R8, O1); pure, cheap, knows no buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._coercion import address, id_text
from ._facts import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonValue

    Json = Mapping[str, JsonValue]


def contact_keys(message: Json, names: frozenset[str]) -> list[str]:
    """
    Return the keys by which *message* shares a lane with others, its own one first.

    Args:
        message: Stamped wire form.
        names: Names of this destination in small letters.

    Returns:
        ``contact:..``, ``user:..``, ``email:..`` (small letters), ``anonymous:..``; none for a message about nobody.
    """
    keys: list[str] = []
    user_id = message.get("userId")
    if "integrations" in message or "context" in message:
        contact_id = _contact_id(message, names)
        if contact_id is not None:
            keys.append(f"contact:{contact_id}")
    kind = message["type"]
    if user_id is not None:
        keys.append(f"user:{user_id}")
        if "@" in user_id and kind != "identify":  # type: ignore[operator]  # a stamped user id is a text
            _add_address(keys, user_id)
    if kind == "identify" or user_id is None:
        _add_email(keys, message, kind)
    if kind == "alias":
        _add(keys, "anonymous", message.get("previousId"))
    elif not keys:
        _add(keys, "anonymous", message.get("anonymousId"))
    return keys


def _add(keys: list[str], kind: str, value: JsonValue) -> None:
    if value is not None:
        keys.append(f"{kind}:{value}")


def _add_address(keys: list[str], value: JsonValue) -> bool:
    found = address(value)
    if found is None:
        return False
    keys.append(f"email:{found.lower()}")
    return True


def _add_email(keys: list[str], message: Json, kind: JsonValue) -> None:
    """Add the first e-mail address of the places where the message's type may have one (I1, I2, C4, E2)."""
    places: list[JsonValue] = []
    context = message.get("context")
    context_traits = context.get("traits") if isinstance(context, dict) else None
    if kind == "identify":
        places = [message.get("traits"), context_traits]
    elif kind == "group":
        places = [context_traits]
    elif kind != "alias":
        places = [message.get("properties"), context_traits, message.get("traits")]
    for place in places:
        if isinstance(place, dict) and place and _add_address(keys, look_up(place, "email")):
            return
    _add_address(keys, message.get("userId"))


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
                value = look_up(options, "contact_id")
                if value is not None:
                    return id_text(value)
    return None
