"""The vocabulary of ids and JSON values; knows nothing of Segment or Intercom beyond their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType, TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"
ReadOnlyJson: TypeAlias = "Mapping[str, JsonValue]"

ExternalId = NewType("ExternalId", str)
"""The caller's own id of a person: Segment's ``userId``, Intercom's ``external_id``."""

ContactId = NewType("ContactId", str)
"""The id Intercom made for a contact."""

CompanyId = NewType("CompanyId", str)
"""The id Intercom made for a company; the caller's own one is a plain ``company_id`` string."""

MessageId = NewType("MessageId", str)
"""Segment's ``messageId``: one message, however often it is sent."""
