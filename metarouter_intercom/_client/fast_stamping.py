"""The quick way for the calls that nearly all callers make (rules Q1, Q2); gives what ``_acceptance`` does, or leaves it to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..messages._contact_keys import contact_keys
from ..messages._integrations import Silence
from ..messages._json_copy import count_characters, fast_copy, is_clean, key_size
from ..messages._message_ids import make_message_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject

# Type, ids, instant and punctuation of a message.
_FRAME = 400
# JSON writes a character as at most six (\u0001).
_WIDEST_CHARACTER = 6
# Sets of keys are few and repeat in every call; beyond so many they are looked at each time.
_KEPT_SHAPES = 5_000
_NOTHING: dict[str, Any] = {}


class Stamped(NamedTuple):
    """
    A message that can be buffered.

    Attributes:
        message: Wire form with message id and instant; shares nothing with the caller's data.
        keys: The contact keys it is known by; the first one is its own.
        upserts: It writes its contact.
    """

    message: JsonObject
    keys: Sequence[str]
    upserts: bool

    @property
    def message_id(self) -> str:
        """The message's id."""
        return str(self.message["messageId"])


# What ``Stamped(...)`` does, at a third of its cost.
_new = tuple.__new__


class _Shapes(dict["tuple[str | None, ...]", int]):
    """
    Keys of facts, None, keys of a context -> an upper bound of their bytes as JSON; -1 when they need a careful look.

    Args:
        silence: Says whether a context says nothing of destinations, so that it carries no proof of identity (R7).
    """

    __slots__ = ("_silence",)

    def __init__(self, silence: Silence) -> None:
        super().__init__()
        self._silence = silence

    def __missing__(self, shape: tuple[str | None, ...]) -> int:
        size = -1
        if shape.count(None) == 1:
            middle = shape.index(None)
            facts, context = key_size(shape[:middle]), key_size(shape[middle + 1 :])
            if facts >= 0 and context >= 0 and self._silence[shape[middle + 1 :]]:  # type: ignore[index]  # texts, as they have a size
                size = facts + context
        if len(self) < _KEPT_SHAPES:
            self[shape] = size
        return size


class FastStamper:
    """
    Stamps a usual identify or track; keeps no message, so it is safe in any thread.

    Args:
        names: Names of this destination in small letters.
        limit: ``max_message_bytes``.
    """

    def __init__(self, names: frozenset[str], limit: int) -> None:
        self._names = names
        self._limit = limit
        self._shapes = _Shapes(Silence(names))

    def stamp(
        self, kind: str, user_id: Any, event: Any, facts: Any, context: Any, now: float
    ) -> Stamped | None:
        """
        Return the call as it is buffered: it has a text id and plain facts; None for any other call.

        Args:
            kind: ``identify`` or ``track``.
            user_id: As it was given; the others alike.
            event: For ``track``.
            facts: Traits or properties.
            context: Of the call.
            now: Unix seconds.
        """
        if type(user_id) is not str or not user_id.isascii() or not user_id.strip():
            return None
        if kind == "track" and (type(event) is not str or not event.strip() or not is_clean(event)):
            return None
        facts, context = _NOTHING if facts is None else facts, _NOTHING if context is None else context
        if type(facts) is not dict or type(context) is not dict:
            return None
        # Copied before they are looked at: another thread may write to them meanwhile.
        facts, context = facts.copy(), context.copy()
        shape = (*facts, None, *context)
        size = self._shapes[shape]
        if size < 0:
            return None
        characters = count_characters((*facts.values(), *context.values()))
        if characters < 0:
            # Objects within objects, or what only the careful way can judge.
            one, other = fast_copy(facts), fast_copy(context)
            if one is None or other is None:
                return None
            facts, context, characters = one[0], other[0], one[1] + other[1]
        if size + (characters + len(user_id) + len(event or "")) * _WIDEST_CHARACTER + _FRAME > self._limit:
            return None
        message: JsonObject = {
            "type": kind,
            "messageId": make_message_id(now),
            "timestamp": now,
            "userId": user_id,
        }
        if kind == "track":
            message["event"] = event
            if facts:
                message["properties"] = facts
            if context:
                message["context"] = context
            if "@" not in user_id:
                return _new(Stamped, (message, (f"user:{user_id}",), False))
            return Stamped(message, contact_keys(message, self._names), False)
        if facts:
            message["traits"] = facts
        if context:
            message["context"] = context
        return Stamped(message, contact_keys(message, self._names), True)
