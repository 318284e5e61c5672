"""From a call to a stamped message (rules Q1, Q2, C1, P1); knows no buffer and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Problem, RejectedMessage
from ..messages import _codec
from ..messages._contact_keys import contact_keys
from ..messages._integrations import own_names
from ..messages._json_copy import Copier, json_size
from ..operations._companies import company_id
from ..plugins import Drop
from .fast_stamping import FastStamper, Stamped
from .identity_check import check_proofs, without_proofs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._types import JsonObject
    from ..messages import Message
    from ..plugins import Before
    from ..settings import Settings

# What a usual call may carry: type -> the name of its facts, and all of its keys.
_USUAL = {
    "track": ("properties", frozenset({"type", "userId", "event", "properties", "context"})),
    "identify": ("traits", frozenset({"type", "userId", "traits", "context"})),
}
_TEXTS = ("userId", "anonymousId", "groupId", "previousId", "messageId", "event", "name", "category")


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


class Stamper:
    """Checks, stamps and copies messages; keeps no state, so it is safe in any thread."""

    def __init__(self, settings: Settings, before: Sequence[Before]) -> None:
        self._settings = settings
        self._before = tuple(before)
        self._names = own_names(settings.integration_names)
        # A stranger's word for a contact's id counts for nothing (V3).
        self._key_names = frozenset[str]() if settings.require_identity else self._names
        self._limit = settings.max_message_bytes
        self._fast_stamper = FastStamper(self._names, self._limit)
        self._proves = bool(settings.identity_secret) or settings.require_identity
        self._looks_twice = self._proves or bool(self._before)

    def stamp(self, call: Mapping[str, Any], now: float) -> Stamped:
        """
        Read *call*, in Segment's wire form, and return it as it is buffered.

        Raises:
            RejectedMessage: It can never be delivered (rules R1, R2, E1, C1, V, too large).
            Dropped: A before-hook does not want it.
            HookRaised: A before-hook failed.
        """
        stamped = self._stamped_fast(call, now) if type(call) is dict else None
        if stamped is None:
            stamped = self._stamped(self._careful(call, now))
        return self._hooked(stamped) if self._before else stamped

    def restamp(self, message: JsonObject) -> Stamped:
        """Return a message that was accepted before (a dead letter) as it is buffered."""
        return self._stamped(message)

    def _stamped(self, message: JsonObject) -> Stamped:
        return Stamped(message, contact_keys(message, self._key_names), message["type"] == "identify")

    def stamp_fast(
        self, kind: str, user_id: Any, event: Any, facts: Any, context: Any, now: float
    ) -> Stamped | None:
        """Return what ``stamp`` makes of an identify or track that tells no more than this; None leaves it to that."""
        if self._looks_twice:
            return None
        return self._fast_stamper.stamp(kind, user_id, event, facts, context, now)

    def _stamped_fast(self, call: dict[Any, Any], now: float) -> Stamped | None:
        kind = call.get("type")
        usual = _USUAL.get(kind) if type(kind) is str else None
        if usual is None or not call.keys() <= usual[1]:
            return None
        return self.stamp_fast(
            str(kind), call.get("userId"), call.get("event"), call.get(usual[0]), call.get("context"), now
        )

    def _careful(self, call: Mapping[str, Any], now: float) -> JsonObject:
        try:
            message = _codec.read_message(call, now=now)
        except RejectedMessage:
            raise
        except Exception as error:
            # The caller's own classes run here, and they may do anything.
            fault = f"reading it raised {type(error).__name__}"
            raise RejectedMessage([Problem("message", fault, "send a plain object")]) from error
        wire = self._copied(message)
        self._check_company(wire)
        if self._proves:
            check_proofs(_codec.read_stamped(wire), self._settings, self._names, now)
        return self._bounded(wire)

    def _check_company(self, wire: JsonObject) -> None:
        if wire["type"] != "group" or "groupId" in wire:
            return
        traits = wire.get("traits", {})
        if company_id(None, traits, self._settings.company_id_from_name) is None:  # type: ignore[arg-type]  # an object, as read
            raise RejectedMessage(
                [Problem("groupId", "missing, and no traits.name stands in", "send the company's id")]
            )

    def _copied(self, message: Message) -> JsonObject:
        """Return the wire form of *message* as a copy that shares nothing with the caller's data."""
        wire = _codec.write_message(message)
        copier = Copier()
        for name in ("context", "integrations", "traits", "properties"):
            if name in wire:
                wire[name] = copier.copy_object(wire[name], name)  # type: ignore[arg-type]  # objects, as read
        for name in _TEXTS:
            if name in wire:
                wire[name] = copier.text(str(wire[name]), name)
        if copier.problems:
            raise RejectedMessage(copier.problems)
        if copier.notes:
            wire["notes"] = [*wire.get("notes", []), *(list(note) for note in copier.notes)]  # type: ignore[misc, list-item]  # written by us
        return wire

    def _bounded(self, wire: JsonObject) -> JsonObject:
        """Return *wire* without proofs of identity (R7), unless it is too large (Q2)."""
        for name in ("context", "integrations"):
            facts = wire.get(name)
            if isinstance(facts, dict):
                wire[name] = without_proofs(facts, self._names)
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
            return self._stamped(self._bounded(self._copied(message)))
        except Dropped:
            raise
        except Exception as error:
            raise HookRaised(stamped) from error
