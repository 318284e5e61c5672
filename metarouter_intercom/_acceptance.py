"""From a call to a stamped message (rules Q1, Q2, C1, P1); knows no buffer and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import _codec
from ._companies import company_id
from ._copies import Copier, is_clean, json_size, quick_copy
from ._keys import contact_keys
from ._proofs import check_proofs, without_proofs
from ._selection import Silence
from .errors import Problem, RejectedMessage
from .messages import Group
from .plugins import Drop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import JsonObject
    from .messages import Message
    from .plugins import Before
    from .settings import Settings

# What a quick call may carry.
_USUAL = frozenset({"type", "userId", "event", "properties", "traits", "context"})
_OBJECTS = ("properties", "traits", "context")
# Type, ids, instant and punctuation of a message.
_FRAME = 400


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


class HookRaised(Exception):
    """A before-hook raised; carries the message as it was before the hooks."""

    def __init__(self, stamped: Stamped) -> None:
        super().__init__("a before-hook raised")
        self.stamped = stamped


class Dropped(Exception):
    """A before-hook does not want the message."""

    def __init__(self, stamped: Stamped, reason: str) -> None:
        super().__init__(reason)
        self.stamped = stamped
        self.reason = reason


class Acceptance:
    """Checks, stamps and copies messages; keeps no state, so it is safe in any thread."""

    def __init__(self, settings: Settings, before: Sequence[Before]) -> None:
        self._settings = settings
        self._before = tuple(before)
        self._names = frozenset(name.lower() for name in settings.integration_names)
        self._silence = Silence(self._names)
        self._limit = settings.max_message_bytes
        self._proves = bool(settings.identity_secret) or settings.require_identity

    def stamp(self, call: Mapping[str, Any], now: float) -> Stamped:
        """
        Read *call*, in Segment's wire form, and return it as it is buffered.

        Raises:
            RejectedMessage: It can never be delivered (rules R1, R2, E1, C1, V, too large).
            Dropped: A before-hook does not want it.
            HookRaised: A before-hook failed.
        """
        stamped = None
        if not self._proves and type(call) is dict and call.keys() <= _USUAL:
            stamped = self._quick(call, now)
        if stamped is None:
            stamped = self._stamped(self._careful(call, now))
        return self._hooked(stamped) if self._before else stamped

    def restamp(self, message: JsonObject) -> Stamped:
        """Return a message that was accepted before (a dead letter) as it is buffered."""
        return self._stamped(message)

    def _stamped(self, message: JsonObject) -> Stamped:
        return Stamped(message, contact_keys(message, self._names), message["type"] == "identify")

    def _quick(self, call: Mapping[str, Any], now: float) -> Stamped | None:
        """
        Return the usual call as it is buffered: a text id, facts of the usual kind, nothing else; None for any other.

        It is what ``_careful`` makes of the same call, at a fifth of the cost.
        """
        kind, user_id = call.get("type"), call.get("userId")
        if type(user_id) is not str or not user_id.isascii() or not user_id.strip():
            return None
        message: JsonObject = {
            "type": kind,
            "messageId": _codec.make_message_id(now),
            "timestamp": now,
            "userId": user_id,
        }
        size = len(user_id) * 6 + _FRAME
        if kind == "track":
            event = call.get("event")
            if type(event) is not str or not event.strip() or not is_clean(event):
                return None
            message["event"] = event
            size += len(event) * 6
        elif kind != "identify":
            return None
        for name in _OBJECTS:
            facts = call.get(name)
            if facts is not None:
                copied = quick_copy(facts) if type(facts) is dict else None
                if copied is None:
                    return None
                if facts:
                    message[name] = copied[0]
                    size += copied[1]
        if size > self._limit:
            return None
        if kind == "track" and "@" not in user_id and self._silence[tuple(call.get("context") or ())]:
            return Stamped(message, (f"user:{user_id}",), False)
        return self._stamped(message)

    def _careful(self, call: Mapping[str, Any], now: float) -> JsonObject:
        message = _codec.read_message(call, now=now)
        self._check_company(message)
        if self._proves:
            check_proofs(message, self._settings, self._names, now)
        return self._copied(message)

    def _check_company(self, message: Message) -> None:
        if not isinstance(message, Group):
            return
        if company_id(message.group_id, message.traits, self._settings.company_id_from_name) is None:
            fault = "missing, and no traits.name stands in" if message.group_id is None else "unusable"
            raise RejectedMessage([Problem("groupId", fault, "send the company's id")])

    def _copied(self, message: Message) -> JsonObject:
        """Return the wire form of *message* as a copy, without proofs of identity."""
        wire = _codec.write_message(message)
        copier = Copier()
        for name in ("context", "integrations", "traits", "properties"):
            if name in wire:
                wire[name] = copier.copy_object(wire[name], name)  # type: ignore[arg-type]  # objects, as read
        for name in (
            "userId",
            "anonymousId",
            "groupId",
            "previousId",
            "messageId",
            "event",
            "name",
            "category",
        ):
            if isinstance(wire.get(name), str):
                wire[name] = copier.text(str(wire[name]), name)
        if copier.problems:
            raise RejectedMessage(copier.problems)
        for name in ("context", "integrations"):
            facts = wire.get(name)
            if isinstance(facts, dict):
                wire[name] = without_proofs(facts, self._names)
        if copier.notes:
            wire["notes"] = [*wire.get("notes", []), *(list(note) for note in copier.notes)]  # type: ignore[misc, list-item]  # written by us
        size = json_size(wire)
        if size > self._limit:
            fault = f"{size} bytes as JSON, more than the {self._limit} of max_message_bytes"
            raise RejectedMessage([Problem("message", fault, "send less")], reason="too_large")
        return wire

    def _hooked(self, stamped: Stamped) -> Stamped:
        message = _codec.read_stamped(stamped.message)
        try:
            for hook in self._before:
                answer = hook(message)
                if isinstance(answer, Drop):
                    raise Dropped(stamped, answer.reason)
                message = answer
            return self._stamped(self._copied(message))
        except Dropped:
            raise
        except Exception as error:
            raise HookRaised(stamped) from error
