"""Names and single values: which trait is which (R3), clean attribute names (A2), coercions (R2, R9, I2); pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._types import Note
from ._memo import Memo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonValue

_SEPARATORS = re.compile(r"[\s_\-.]+")
# Names are few and repeat in every message, so what was worked out once is kept, up to this many.
_KEPT_NAMES = 20_000

# Proofs of identity guard the Messenger; they go nowhere else (rule R7).
PROOFS = frozenset({"userhash", "intercomuserjwt"})
_PROOF_ENDS = tuple(PROOFS)


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


PLAIN = Memo(_plain)
"""Name -> name without case and separators: ``createdAt``, ``created_at``, ``Created At`` are one (R3)."""


def is_proof(name: str) -> bool:
    """Tell whether a value under *name*, or at the end of a flattened *name*, is a proof of identity (R7)."""
    return PLAIN[name].endswith(_PROOF_ENDS)


def look_up(facts: Mapping[str, JsonValue], name: str) -> JsonValue:
    """
    Return the value that is there under *name*, whatever case and separators (R3); None when there is none.

    The exact spelling wins over others of the same name; None and blank texts count as absent.
    """
    value = facts.get(name)
    if not is_absent(value):
        return value
    plain = PLAIN[name]
    for key, value in facts.items():
        if PLAIN[key] == plain and not is_absent(value):
            return value
    return None


def is_absent(value: JsonValue) -> bool:
    """Tell whether *value* counts as absent in a chain of fallbacks: null, or a text with nothing in it."""
    return value is None or (type(value) is str and not value.strip())


def object_at(facts: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    """Return the object under *name*; an empty one when there is none."""
    value = facts.get(name)
    return value if isinstance(value, dict) else {}


class Known(dict[str, "str | None"]):
    """
    The traits of one kind of object that feed fields: name -> plain name, or None for any other trait.

    Args:
        spellings: In Segment's exact spelling, which wins over others (R3); of two spellings of one name, the first.
    """

    __slots__ = ("exact",)

    def __init__(self, spellings: Iterable[str]) -> None:
        super().__init__()
        self.exact: dict[str, str] = {}
        for name in spellings:
            self.exact.setdefault(PLAIN[name], name)

    def __missing__(self, name: str) -> str | None:
        plain = PLAIN[name]
        found = plain if plain in self.exact else None
        if len(self) < _KEPT_NAMES:
            self[name] = found
        return found

    def sort(
        self, facts: Mapping[str, JsonValue], notes: list[Note], path: str
    ) -> tuple[dict[str, tuple[str, JsonValue]], list[tuple[str, JsonValue]]]:
        """
        Sort *facts* into those that feed fields and the rest, in one pass.

        Args:
            facts: The traits.
            notes: Where a second spelling is told.
            path: Of *facts* in the message.

        Returns:
            Plain name -> ``(key, value)``, and the rest in the caller's order.
        """
        found: dict[str, tuple[str, JsonValue]] = {}
        rest: list[tuple[str, JsonValue]] = []
        for item in facts.items():
            plain = self[item[0]]
            if plain is None:
                rest.append(item)
            elif plain not in found:
                found[plain] = item
            else:
                found[plain], loser = self._best(found[plain], item, self.exact[plain])
                notes.append(Note("I10", f"{path}.{loser[0]}", "second spelling of a trait"))
        return found, rest

    def _best(
        self, older: tuple[str, JsonValue], newer: tuple[str, JsonValue], exact: str
    ) -> tuple[tuple[str, JsonValue], tuple[str, JsonValue]]:
        gain = is_absent(older[1]) - is_absent(newer[1])
        return (newer, older) if gain > 0 or (gain == 0 and newer[0] == exact) else (older, newer)
