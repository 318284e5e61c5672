"""Recognises what ``dead-letters export`` writes, so that ``send`` takes it back (rule X1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages._message_shapes import PROVEN_EMAIL, UNTRUSTED

if TYPE_CHECKING:
    from .._types import JsonObject

# What acceptance adds to a message; it is added anew.
_INTERNAL = frozenset({"notes", PROVEN_EMAIL})


def is_exported(value: JsonObject) -> bool:
    """Tell whether *value* is a dead letter with its message, and not itself a message."""
    return (
        "type" not in value
        and isinstance(value.get("message"), dict)
        and {"reason", "died_at"} <= value.keys()
    )


def exported_message(letter: JsonObject) -> JsonObject | None:
    """Return the message as its sender sent it; None if the sender is not trusted, because a file cannot say so (rule V4)."""
    message = letter["message"]
    assert isinstance(message, dict)
    if message.get(UNTRUSTED):
        return None
    return {name: value for name, value in message.items() if name not in _INTERNAL}
