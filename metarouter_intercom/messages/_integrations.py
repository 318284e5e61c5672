"""Is a message for Intercom, and with which options? (rules R6, R7, V3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ._coercion import id_text
from ._facts import PLAIN, PROOFS, is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._types import JsonValue
    from ._values import Message

    Json = Mapping[str, JsonValue]

_ALL = "all"
_CHOICES = ("integrations", "providers")
# Sets of keys are few and repeat in every message; beyond so many they are looked through each time.
_KEPT_SHAPES = 5_000
_OWN_NAME = "intercom"
_DISTRUSTED = frozenset(PLAIN[name] for name in ("contact_id", "role", "owner_id"))
_KNOWN = _DISTRUSTED | PROOFS | {"unsubscribedfromemails", "unsubscribed", "languageoverride"}


def own_names(aliases: Iterable[str]) -> frozenset[str]:
    """Return the names of this destination in small letters: Intercom's and those that setting ``integration_names`` adds (R6)."""
    return frozenset((_OWN_NAME, *(name.lower() for name in aliases)))


def is_selected(message: Message, names: frozenset[str]) -> bool:
    """
    Tell whether *message* is meant for Intercom (R6).

    Args:
        message: Any message.
        names: Names of this destination in small letters.
    """
    choices = message.integrations or _choices(message.context)
    if not choices:
        return True
    own: JsonValue = _MISSING
    rest: JsonValue = True
    for name, choice in choices.items():
        small = name.lower()
        if small in names and own is not True and not isinstance(own, dict):
            own = choice
        elif small == _ALL:
            rest = choice
    if own is True or isinstance(own, dict):
        return True
    if own is False or own is None:
        return False
    return rest is not False


_MISSING = "missing"
_NONE: Json = {}


def _choices(context: Json) -> Json:
    for name in _CHOICES:
        if name in context:
            value = context[name]
            if isinstance(value, dict) and value:
                return value
    return _NONE


class Options:
    """
    The options for Intercom that a message carries (R7), looked up in their order of precedence.

    Args:
        message: Any message.
        names: Names of this destination in small letters.
        is_trusted: False leaves out what a stranger must not decide, with a note (V3).
        notes: Where that is told, and options that mean nothing here.
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
            self._sift(is_trusted)

    def find(self, *names: str) -> tuple[str, JsonValue] | None:
        """Return path and value of the first option that is there under one of *names*; None when there is none."""
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
        found = self.find("contact_id")
        if found is None:
            return None
        contact_id = id_text(found[1])
        if contact_id is None:
            self._notes.append(Note("R7", found[0], "not an id"))
        return contact_id

    def _sift(self, is_trusted: bool) -> None:
        kept: list[tuple[str, Json]] = []
        for path, options in self._places:
            left: dict[str, JsonValue] = {}
            for key, value in options.items():
                plain = PLAIN[key]
                if plain not in _KNOWN:
                    self._notes.append(Note("R7", f"{path}.{key}", "no option that is known"))
                elif plain in _DISTRUSTED and not is_trusted:
                    self._notes.append(Note("V3", f"{path}.{key}", "option of an untrusted sender"))
                else:
                    left[key] = value
            kept.append((path, left))
        self._places = kept


def _option_places(message: Message, names: frozenset[str]) -> list[tuple[str, Json]]:
    """Return the option objects of *message* with their paths, first the ones that win (R7)."""
    found: list[tuple[str, Json]] = []
    context = message.context
    for path, place in (
        ("integrations", message.integrations),
        ("context", context),
        ("context.integrations", context.get("integrations")),
    ):
        if place and isinstance(place, dict):
            for name, value in place.items():
                if type(value) is dict and name.lower() in names:
                    found.append(
                        (f"{path}.{name}", value)
                    )  # a comprehension costs more where there is nothing to find
    return found


class Silence(dict["tuple[str, ...]", bool]):
    """
    Keys of a context -> whether it surely says nothing of destinations (R6, R7); most messages' context does not.

    Args:
        names: Names of this destination in small letters.
    """

    __slots__ = ("_names",)

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, keys: tuple[str, ...]) -> bool:
        is_silent = not any(key in _CHOICES or key.lower() in self._names for key in keys)
        if len(self) < _KEPT_SHAPES:
            self[keys] = is_silent
        return is_silent


NO_OPTIONS = Options.of_nothing()
"""The options of a message that carries none."""


def option_objects(message: Message, names: frozenset[str]) -> Sequence[Json]:
    """Return the option objects of *message*, first the ones that win (R7)."""
    return [options for _, options in _option_places(message, names)]
