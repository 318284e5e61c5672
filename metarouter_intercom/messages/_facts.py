"""Looks up traits and properties by name, whatever their case and separators (rule R3); knows no field of Intercom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._types import Note
from ._edges import is_blank, trimmed
from ._memo import Memo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonValue

    Trait = tuple[str, JsonValue]

_SEPARATORS = re.compile(r"[\s_\-.]+")

# Proofs of identity guard the Messenger; they are written nowhere else (rule R7).
PROOFS = frozenset({"userhash", "intercomuserjwt"})
_PROOF_ENDS = tuple(PROOFS)


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", trimmed(name)).lower()


PLAIN = Memo(_plain)
"""Name -> plain name, without case and separators: ``createdAt``, ``created_at`` and ``Created At`` are one (R3)."""


def is_proof(name: str) -> bool:
    """Tell whether *name* is that of a proof of identity; a flattened name may end with one (R7)."""
    return PLAIN[name].endswith(_PROOF_ENDS)


def look_up(traits: Mapping[str, JsonValue], name: str) -> JsonValue:
    """
    Return the value under *name*, whatever case and separators (R3); None when there is none.

    The exact spelling wins over others of the same name. None and blank texts count as absent.
    """
    value = traits.get(name)
    if not is_absent(value):
        return value
    plain = PLAIN[name]
    for key, value in traits.items():
        if PLAIN[key] == plain and not is_absent(value):
            return value
    return None


def is_absent(value: JsonValue) -> bool:
    """Tell whether *value* counts as absent in a chain of fallbacks: null, or a blank text."""
    return value is None or (type(value) is str and is_blank(value))


def object_at(values: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    """Return the object under *name*; an empty one when there is none."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


class KnownTraits:
    """
    The traits of one kind of object that feed fields; any other trait becomes a custom attribute.

    Args:
        spellings: Each name as Segment spells it. This exact spelling wins over others (R3); of two that have one plain name, the first
            is the exact one.

    Attributes:
        exact: Plain name -> exact spelling.
        plain: Name of a trait -> its plain name; None for a trait that feeds no field.
    """

    __slots__ = ("exact", "plain")

    def __init__(self, spellings: Iterable[str]) -> None:
        exact: dict[str, str] = {}
        for name in spellings:
            exact.setdefault(PLAIN[name], name)

        def plain_of(name: str) -> str | None:
            plain = PLAIN[name]
            return plain if plain in exact else None

        self.exact = exact
        self.plain: Memo[str, str | None] = Memo(plain_of)

    def sort(
        self, traits: Mapping[str, JsonValue], notes: list[Note], path: str
    ) -> tuple[dict[str, Trait], list[Trait]]:
        """
        Sort *traits* into those that feed fields and the rest, in one pass.

        Args:
            traits: As the caller sent them.
            notes: Receives a note for each second spelling of a known trait.
            path: Of *traits* in the message.

        Returns:
            Plain name -> ``(key, value)`` for those that feed fields, and the rest in the caller's order.
        """
        plain_names = self.plain
        known: dict[str, Trait] = {}
        rest: list[Trait] = []
        for trait in traits.items():
            plain = plain_names[trait[0]]
            if plain is None:
                rest.append(trait)
            elif plain not in known:
                known[plain] = trait
            else:
                known[plain], loser = self._best(known[plain], trait, self.exact[plain])
                notes.append(Note("I10", f"{path}.{loser[0]}", "second spelling of a trait"))
        return known, rest

    def _best(self, older: Trait, newer: Trait, exact: str) -> tuple[Trait, Trait]:
        """Return the trait to use, then the other one: a value wins over none, then the *exact* spelling, then the first one."""
        gain = is_absent(older[1]) - is_absent(newer[1])
        return (newer, older) if gain > 0 or (gain == 0 and newer[0] == exact) else (older, newer)
