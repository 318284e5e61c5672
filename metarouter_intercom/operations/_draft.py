"""Holds what is being made of the traits of one person or company; knows neither which trait feeds which field nor any message."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..messages._facts import PROOFS

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..messages._facts import Trait


class Draft(NamedTuple):
    """
    The traits of one person or company, sorted, and what was made of them so far.

    Attributes:
        known: Plain name -> ``(key, value)`` of a trait that feeds a field. Whoever uses one takes it out.
        rest: ``(key, value)`` of the traits that become custom attributes.
        fields: Standard fields, by Intercom's names.
        notes: Those of the whole message.
        path: Of the traits in the message.
    """

    known: dict[str, Trait]
    rest: list[Trait]
    fields: JsonObject
    notes: list[Note]
    path: str

    def note(self, rule: str, key: str, reason: str) -> None:
        """Note that *rule* changed the trait *key* or left it out."""
        self.notes.append(Note(rule, f"{self.path}.{key}", reason))

    def note_unused(self) -> None:
        """Note for each trait in *known* why no field took it."""
        for plain, (key, _) in self.known.items():
            if plain in PROOFS:
                self.note("R7", key, "a proof of identity")
            else:
                self.note("I10", key, "another trait came first")
