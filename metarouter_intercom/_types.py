"""The types that every layer uses: ids, JSON values, secrets and notes; knows Segment and Intercom by name only."""

from __future__ import annotations

from typing import NamedTuple, NewType, TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

ExternalId = NewType("ExternalId", str)
"""The caller's own id of a person: Segment's ``userId``, Intercom's ``external_id``."""

ContactId = NewType("ContactId", str)
"""The id that Intercom made for a contact."""

CompanyId = NewType("CompanyId", str)
"""The id that Intercom made for a company. The caller's own id of a company is a plain ``str``."""


class Note(NamedTuple):
    """
    One value that was changed, shortened or left out of a message, and why.

    Attributes:
        rule: The name of the mapping or delivery rule: ``A3``, ``I2``, ``M3``.
        path: The value's place in the message as JSON: ``traits.address.city``.
        reason: A short text that is the same for every message, so that you can count by it.
    """

    rule: str
    path: str
    reason: str


class Secret:
    """
    A key or token that is shown only by ``reveal()`` and ``reveal_bytes()``.

    ``repr``, ``str`` and formatting give ``Secret('***')``. Two secrets are equal when their texts are; the comparison takes the same
    time wherever the texts differ.

    Raises:
        ValueError: The text is empty.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        if not isinstance(value, str | bytes) or not value:
            raise ValueError("secret: empty or not a text; pass the key as str or bytes")
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """Return the key or token."""
        return self._value.decode()

    def reveal_bytes(self) -> bytes:
        """Return the key or token as UTF-8 bytes."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest

        return compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self._value)
