"""Is a message for Intercom, and with which options? (rules R6, R7, V3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._traits import PLAIN, look_up
from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import JsonValue
    from .messages import Message

    Json = Mapping[str, JsonValue]

_ALL = "all"
_CHOICES = ("integrations", "providers")
# Sets of keys are few and repeat in every message; beyond so many they are looked through each time.
_KEPT_SHAPES = 5_000
_DISTRUSTED = ("contact_id", "role", "owner_id")


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
        notes: Where that is told.
    """

    __slots__ = ("_objects",)

    @classmethod
    def of_nothing(cls) -> Options:
        """Return empty options."""
        empty = cls.__new__(cls)
        empty._objects = ()
        return empty

    @property
    def is_empty(self) -> bool:
        """Whether the message carries none."""
        return not self._objects

    def __init__(
        self, message: Message, names: frozenset[str], *, is_trusted: bool, notes: list[Note]
    ) -> None:
        self._objects = _option_objects(message, names)
        if self._objects and not is_trusted:
            self._distrust(notes)

    def get(self, *names: str) -> JsonValue:
        """Return the first option that is there under one of *names*; None when there is none."""
        if not self._objects:
            return None
        for options in self._objects:
            value = look_up(options, *names)
            if value is not None:
                return value
        return None

    def _distrust(self, notes: list[Note]) -> None:
        plain = {PLAIN[name]: name for name in _DISTRUSTED}
        kept: list[Json] = []
        for options in self._objects:
            kept.append({key: value for key, value in options.items() if PLAIN[key] not in plain})
            notes.extend(
                Note("V3", f"integrations.Intercom.{key}", "option of an untrusted sender")
                for key in options
                if PLAIN[key] in plain
            )
        self._objects = kept


def _option_objects(message: Message, names: frozenset[str]) -> Sequence[Json]:
    objects: list[Json] = []
    context = message.context
    for place in (message.integrations, context, context.get("integrations")):
        if place and isinstance(place, dict):
            for name, value in place.items():
                if type(value) is dict and name.lower() in names:
                    objects.append(value)  # a comprehension costs more where there is nothing to find
    return objects


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
    return _option_objects(message, names)
