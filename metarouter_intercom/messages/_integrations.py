"""Decides whether a message is for Intercom, and finds the options it carries (rules R6, R7, V3); knows no operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ._coercion import id_text
from ._edges import accident_note, is_accident, trimmed
from ._facts import PLAIN, PROOFS, is_absent
from ._memo import Memo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._types import JsonValue
    from ._values import Message

    Json = Mapping[str, JsonValue]

_ALL = "all"
_CHOICES = ("integrations", "providers")
# How many sets of names of a context to remember: an application sends the same few again and again.
_MOST_CONTEXTS = 5_000
_OWN_NAME = "intercom"
# Intercom's own id of the contact; RudderStack calls it ``id``. The first of these names that is there decides (R7).
CONTACT_IDS = ("contact_id", "id")
_PLAIN_CONTACT_IDS = frozenset(PLAIN[name] for name in CONTACT_IDS)
# A person's own choices, such as a consent, are not among them.
_TRUSTED_ONLY = _PLAIN_CONTACT_IDS | {PLAIN[name] for name in ("role", "owner_id", "tags")}
# What a text says when somebody switches a destination off (R6); any other text that is not blank switches it on.
_OFF_TEXTS = frozenset({"false", "no", "off", "0", "f", "n", "null", "none", "nil"})
_KNOWN = (
    _TRUSTED_ONLY | PROOFS | {"subscriptions", "unsubscribedfromemails", "unsubscribed", "languageoverride"}
)


def own_names(aliases: Iterable[str]) -> frozenset[str]:
    """Return the names of this destination in small letters: Intercom's and those that setting ``integration_names`` adds (R6)."""
    return frozenset((_OWN_NAME, *(name.lower() for name in aliases)))


def is_selected(message: Message, names: frozenset[str], notes: list[Note]) -> bool:
    """
    Tell whether *message* is meant for Intercom (R6).

    Args:
        message: Any message.
        names: Names of this destination in small letters.
        notes: Receives a note for each switch that is a text.
    """
    choices, path = message.integrations, "integrations"
    if not choices:
        choices, path = choices_in(message.context)
    if not choices:
        return True
    own: JsonValue = _MISSING
    rest: JsonValue = True
    for name, choice in choices.items():
        small = name.lower()
        if small not in names and small != _ALL:
            continue
        if type(choice) is str:
            choice = _switch(choice)
            notes.append(Note("R6", f"{path}.{name}", "a text as a switch: send true or false"))
            if choice is _MISSING:
                continue
        if small in names and own is not True and not isinstance(own, dict):
            own = choice
        elif small == _ALL:
            rest = choice
    if own is True or isinstance(own, dict):
        return True
    if own is False or own is None:
        return False
    return rest is not False


def _switch(text: str) -> JsonValue:
    """Return the boolean that *text* says; ``_MISSING`` for a blank one."""
    word = trimmed(text).lower()
    return word not in _OFF_TEXTS if word else _MISSING


_MISSING = "missing"
_NONE: Json = {}


def choices_in(context: Json) -> tuple[Json, str]:
    """Return what *context* says about destinations, with its path; the object is empty when it says nothing."""
    for name in _CHOICES:
        if name in context:
            value = context[name]
            if isinstance(value, dict) and value:
                return value, f"context.{name}"
    return _NONE, ""


class Options:
    """
    The options for Intercom that a message carries (R7), looked up in their order of precedence.

    Args:
        message: Any message.
        names: Names of this destination in small letters.
        is_trusted: False leaves out the options that only a trusted sender may use, with a note (V3).
        notes: Receives a note for each option that is left out or unknown.
    """

    __slots__ = ("_notes", "_places")

    @classmethod
    def of_nothing(cls) -> Options:
        """Return empty options."""
        empty = cls.__new__(cls)
        empty._notes, empty._places = [], []
        return empty

    @property
    def is_empty(self) -> bool:
        """Whether the message carries none."""
        return not self._places

    def __init__(
        self, message: Message, names: frozenset[str], *, is_trusted: bool, notes: list[Note]
    ) -> None:
        self._places = _option_places(message, names)
        self._notes = notes
        if self._places:
            self._leave_out(is_trusted)

    def find(self, *names: str) -> tuple[str, JsonValue] | None:
        """Return path and value of the first option under one of *names*; None when there is none."""
        for path, options in self._places:
            for name in names:
                keys = [key for key in options if PLAIN[key] == PLAIN[name] and not is_absent(options[key])]
                if keys:
                    key = name if name in keys else keys[0]
                    return f"{path}.{key}", options[key]
        return None

    def contact_id(self) -> str | None:
        """Return Intercom's own id of the contact, where the message names it (R8)."""
        if not self._places:
            return None
        option = self.find(*CONTACT_IDS)
        if option is None:
            return None
        path, value = option
        contact_id = id_text(value)
        if contact_id is None:
            self._notes.append(Note("R7", path, "not an id"))
        return contact_id

    def _leave_out(self, is_trusted: bool) -> None:
        """Leave out the options that are unknown, or that this sender may not use."""
        places: list[tuple[str, Json]] = []
        for path, options in self._places:
            allowed: dict[str, JsonValue] = {}
            for key, value in options.items():
                plain = PLAIN[key]
                if plain in _TRUSTED_ONLY and not is_trusted:
                    self._notes.append(Note("V3", f"{path}.{key}", "option of an untrusted sender"))
                elif plain in _PLAIN_CONTACT_IDS and is_accident(value):
                    self._notes.append(accident_note(f"{path}.{key}"))
                elif plain not in _KNOWN:
                    self._notes.append(Note("R7", f"{path}.{key}", "no option that is known"))
                else:
                    allowed[key] = value
            places.append((path, allowed))
        self._places = places


def _option_places(message: Message, names: frozenset[str]) -> list[tuple[str, Json]]:
    """Return the option objects of *message* with their paths, in the order of precedence (R7)."""
    places: list[tuple[str, Json]] = []
    context = message.context
    for path, holder in (
        ("integrations", message.integrations),
        ("context", context),
        ("context.integrations", context.get("integrations")),
    ):
        if holder and isinstance(holder, dict):
            # No comprehension: most messages carry no option, and an empty comprehension costs more than an empty loop.
            for name, value in holder.items():
                if type(value) is dict and name.lower() in names:
                    places.append((f"{path}.{name}", value))
    return places


class Silence(Memo["tuple[str, ...]", bool]):
    """
    Names in a context -> whether they prove that the context says nothing of destinations (R6, R7), as most contexts do.

    Args:
        names: Names of this destination in small letters.
    """

    __slots__ = ()

    def __init__(self, names: frozenset[str]) -> None:
        def is_silent(keys: tuple[str, ...]) -> bool:
            return not any(key in _CHOICES or key.lower() in names for key in keys)

        super().__init__(is_silent, _MOST_CONTEXTS)


NO_OPTIONS = Options.of_nothing()
"""The options of a message that carries none."""


def option_objects(message: Message, names: frozenset[str]) -> Sequence[Json]:
    """Return the option objects of *message* in the order of precedence (R7)."""
    return [options for _, options in _option_places(message, names)]
