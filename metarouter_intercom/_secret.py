"""A text that must not be seen; knows nothing of what it opens."""

from __future__ import annotations


class Secret:
    """
    Holds a key or token and shows it only when asked by name.

    ``repr``, ``str`` and formatting are masked. Two secrets are equal when their texts are, compared in constant time.

    Raises:
        ValueError: The text is empty.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        if not isinstance(value, str | bytes) or not value:
            raise ValueError("secret: empty or not a text; pass the key as str or bytes")
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value.decode()

    def reveal_bytes(self) -> bytes:
        """Return the text itself as UTF-8 bytes."""
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
