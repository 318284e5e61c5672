"""A short text that names a message to a person; knows nothing of where it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIELDS = (
    ("type",),
    ("event",),
    ("groupId", "group_id"),
    ("userId", "user_id"),
    ("anonymousId", "anonymous_id"),
)


def title_of(message: Mapping[str, Any]) -> str:
    """Return type, event and ids of *message*, which is in wire form; empty if it has none of them."""
    values = (message.get(name) for names in _FIELDS for name in names)
    return " ".join(str(value) for value in values if value not in (None, ""))
