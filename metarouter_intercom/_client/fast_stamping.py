"""The fast path for the calls that nearly all callers make (rules Q1, Q2): stamps as ``stamping`` does, or leaves the call to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..messages._contact_keys import contact_keys
from ..messages._edges import is_plain_id
from ..messages._integrations import Silence
from ..messages._json_copy import count_characters, fast_copy, key_size
from ..messages._memo import Memo
from ..messages._message_ids import make_message_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject

    # Keys of the facts, None, keys of the context.
    Shape = tuple[str | None, ...]

# Bytes of type, ids, instant and punctuation of a message.
_FRAME = 400
# JSON writes a character as at most six (\u0001).
_WIDEST_CHARACTER = 6
# Sets of keys are few and repeat in every call; beyond this number they are checked each time.
_SHAPES_KEPT = 5_000
_NOTHING: dict[str, Any] = {}


class Stamped(NamedTuple):
    """
    A message that can be buffered.

    Attributes:
        message: Wire form with message id and instant; shares nothing with the caller's data.
        keys: The keys of the contact that the message is about, its own key first.
        upserts: Whether the message writes its contact.
    """

    message: JsonObject
    keys: Sequence[str]
    upserts: bool

    @property
    def message_id(self) -> str:
        """The message's id."""
        return str(self.message["messageId"])


# Name of an event -> whether it has text and nothing to take out; applications send the same few again and again.
_plain_events: Memo[str, bool] = Memo(lambda event: bool(event.strip()) and event.isprintable(), 5_000)
# Does what ``Stamped(...)`` does, at a third of its cost.
_new = tuple.__new__


def shape_sizes(silence: Silence) -> Memo[Shape, int]:
    """
    Return a memo: keys of a call -> an upper bound of their bytes as JSON, or -1 when only the full path can judge them.

    Args:
        silence: Keys of a context -> whether it names no destination, and so carries no proof of identity (R7).
    """

    def size(shape: Shape) -> int:
        if shape.count(None) != 1:
            return -1  # The caller used None as a key.
        middle = shape.index(None)
        facts, context = key_size(shape[:middle]), key_size(shape[middle + 1 :])
        if facts < 0 or context < 0:
            return -1
        return facts + context if silence[shape[middle + 1 :]] else -1  # type: ignore[index]  # texts, because they have a size

    return Memo(size, _SHAPES_KEPT)


class FastStamper:
    """
    Stamps an identify or track of the usual kind; keeps no message, so it is safe to use from any thread.

    Args:
        names: Names of this destination in small letters.
        limit: ``max_message_bytes``.
    """

    def __init__(self, names: frozenset[str], limit: int) -> None:
        self._names = names
        self._limit = limit
        self._sizes = shape_sizes(Silence(names))

    # Positional parameters, because names would make each call slower.
    def stamp(
        self, kind: str, user_id: Any, event: Any, facts: Any, context: Any, now: float
    ) -> Stamped | None:
        """
        Return the call as it is buffered if it has a text as its id and plain facts; None for any other call.

        Args:
            kind: ``identify`` or ``track``.
            user_id: As the caller passed it; so are the next three.
            event: Of a ``track``.
            facts: Traits or properties.
            context: Of the call.
            now: Unix seconds.
        """
        if type(user_id) is not str or not is_plain_id(user_id):
            return None
        is_track = kind == "track"
        if is_track and (type(event) is not str or not _plain_events[event]):
            return None
        facts, context = _NOTHING if facts is None else facts, _NOTHING if context is None else context
        if type(facts) is not dict or type(context) is not dict:
            return None
        # Copied before they are checked, because another thread may write to them meanwhile.
        facts, context = facts.copy(), context.copy()
        shape = (*facts, None, *context)
        size = self._sizes[shape]
        if size < 0:
            return None
        characters = count_characters((*facts.values(), *context.values()))
        if characters < 0:
            # There are objects within objects, or values that only the full path can judge.
            copies = fast_copy(facts), fast_copy(context)
            if copies[0] is None or copies[1] is None:
                return None
            (facts, in_facts), (context, in_context) = copies[0], copies[1]
            characters = in_facts + in_context
        if size + (characters + len(user_id) + len(event or "")) * _WIDEST_CHARACTER + _FRAME > self._limit:
            return None
        message_id = make_message_id(now)
        message: JsonObject = {"type": kind, "messageId": message_id, "timestamp": now, "userId": user_id}
        if is_track:
            message["event"] = event
        if facts:
            message["properties" if is_track else "traits"] = facts
        if context:
            message["context"] = context
        if is_track and "@" not in user_id:
            return _new(Stamped, (message, (f"user:{user_id}",), False))
        return _new(Stamped, (message, contact_keys(message, self._names), not is_track))
