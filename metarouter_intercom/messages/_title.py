"""A short text that names a message to a person; knows nothing of where it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIELDS = ("type", "event", "groupId", "userId", "anonymousId")


def title_of(message: Mapping[str, Any]) -> str:
    """Return type, event and ids of *message*, which is in wire form; empty if it has none of them."""
    return " ".join(str(message[name]) for name in _FIELDS if message.get(name) not in (None, ""))
