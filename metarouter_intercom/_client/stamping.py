"""From a call to a stamped message (rules Q1, Q2, C1, P1); knows no buffer and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._delivery.safely import reaches_caller
from ..errors import Problem, RejectedMessage
from ..messages import _codec
from ..messages._contact_keys import contact_keys
from ..messages._integrations import own_names
from ..messages._json_copy import Copier, json_size
from ..messages._message_shapes import PROVEN_EMAIL, UNTRUSTED
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

# Calls that the fast path takes: type -> the name of the facts, and all keys that such a call may have.
_FAST_CALLS = {
    "track": ("properties", frozenset({"type", "userId", "event", "properties", "context"})),
    "identify": ("traits", frozenset({"type", "userId", "traits", "context"})),
}
_OBJECTS = ("context", "integrations", "traits", "properties")
_TEXTS = ("userId", "anonymousId", "groupId", "previousId", "messageId", "event", "name", "category")


def _names_visitor(keys: Sequence[str]) -> bool:
    """Tell whether *keys* are those of a message that names an anonymous id and nobody else."""
    return keys[0].startswith("anonymous:")


class HookRaised(Exception):
    """A before-hook raised; carries the message as it was before the hooks."""

    def __init__(self, stamped: Stamped) -> None:
        super().__init__("a before-hook raised")
        self.stamped = stamped


class Dropped(Exception):
    """A before-hook dropped the message; carries the message as it was before the hooks."""

    def __init__(self, stamped: Stamped, reason: str) -> None:
        super().__init__(reason)
        self.stamped = stamped
        self.reason = reason


class Stamper:
    """
    Checks, stamps and copies messages; keeps none, so it is safe to use from any thread.

    Args:
        settings: Of the client.
        before: Hooks (P1).

    Attributes:
        fast: Stamps calls of the usual kind as ``stamp`` does; None if hooks or checks of identity need the full path for every call.
    """

    def __init__(self, settings: Settings, before: Sequence[Before]) -> None:
        self._settings = settings
        self._before = tuple(before)
        self._names = own_names(settings.integration_names)
        self._limit = settings.max_message_bytes
        self._skips_visitors = settings.anonymous == "skip"
        self._how = settings.company_id_from_name
        self._checks_identity = bool(settings.identity_secret) or settings.require_identity
        needs_full_path = self._checks_identity or self._before
        self.fast = None if needs_full_path else FastStamper(self._names, self._limit)

    def stamp(self, call: Mapping[str, Any], now: float) -> Stamped:
        """
        Read *call*, in Segment's wire form, and return it as it is buffered.

        Raises:
            RejectedMessage: The message can never be delivered: an id, the event, a value, the company or an identity is wrong, or it
                is too large (rules R1, R2, E1, C1, V1, V2, V4, Q2).
            Dropped: A before-hook dropped it.
            HookRaised: A before-hook failed.
        """
        stamped = self._stamp_plain(call, now) if type(call) is dict else None
        if stamped is None:
            stamped = self._stamp_full(call, now)
        return self._run_hooks(stamped) if self._before else stamped

    def restamp(self, message: JsonObject) -> Stamped:
        """Return a message that was accepted before (a dead letter) as it is buffered."""
        return self._with_keys(message)

    def _stamp_plain(self, call: dict[Any, Any], now: float) -> Stamped | None:
        """Stamp a plain dict on the fast path; None leaves it to the full path."""
        kind = call.get("type")
        shape = _FAST_CALLS.get(kind) if type(kind) is str else None
        if self.fast is None or shape is None or not call.keys() <= shape[1]:
            return None
        return self.fast.stamp(
            str(kind), call.get("userId"), call.get("event"), call.get(shape[0]), call.get("context"), now
        )

    def _stamp_full(self, call: Mapping[str, Any], now: float) -> Stamped:
        """Stamp any call, without the hooks."""
        try:
            message = _codec.read_message(call, now=now)
        except RejectedMessage:
            raise
        except Exception as error:
            # The caller's own classes run here, and they may do anything.
            fault = f"reading it raised {type(error).__name__}"
            raise RejectedMessage([Problem("message", fault, "send a plain object")]) from error
        wire = self._copy(message)
        self._check_company(wire)
        if self._checks_identity:
            stamped = _codec.read_stamped(wire)
            proven_email = check_proofs(stamped, self._settings, names=self._names, now=now)
            if self._settings.require_identity:
                wire[UNTRUSTED] = True
            if proven_email is not None:
                wire[PROVEN_EMAIL] = proven_email
        return self._with_keys(self._finish(wire))

    def _with_keys(self, message: JsonObject) -> Stamped:
        if self._settings.require_identity or UNTRUSTED in message:
            return Stamped(message, _keys_of_untrusted(message), message["type"] == "identify")
        keys = contact_keys(message, self._names)
        if message["type"] == "group" and (not keys or (self._skips_visitors and _names_visitor(keys))):
            # It is about nobody, so its place is among the other calls about its company (O1).
            own_id = company_id(message.get("groupId"), message.get("traits", {}), self._how)  # type: ignore[arg-type]  # an object, as read
            keys = [] if own_id is None else [f"company:{own_id}"]
        return Stamped(message, keys, message["type"] == "identify")

    def _check_company(self, wire: JsonObject) -> None:
        if wire["type"] != "group" or "groupId" in wire:
            return
        traits = wire.get("traits", {})
        if company_id(None, traits, self._how) is None:  # type: ignore[arg-type]  # an object, as read
            fault = "missing, and there is no traits.name to make an id from"
            raise RejectedMessage([Problem("groupId", fault, "send the company's id")])

    def _copy(self, message: Message) -> JsonObject:
        """Return the wire form of *message* as a copy that shares nothing with the caller's data."""
        wire = _codec.write_message(message)
        copier = Copier()
        for name in _OBJECTS:
            if name in wire:
                wire[name] = copier.copy_object(wire[name], name)  # type: ignore[arg-type]  # objects, as read
        for name in _TEXTS:
            if name in wire:
                wire[name] = copier.text(str(wire[name]), name)
        if copier.notes:
            wire["notes"] = [*wire.get("notes", []), *(list(note) for note in copier.notes)]  # type: ignore[misc, list-item]  # written by us
        return wire

    def _finish(self, wire: JsonObject) -> JsonObject:
        """Leave the proofs of identity out of *wire* (R7), then reject it if it is too large (Q2)."""
        for name in ("context", "integrations"):
            options = wire.get(name)
            if isinstance(options, dict):
                wire[name] = without_proofs(options, self._names)
        # Notes are ours, and a message must not become too large by them.
        size = json_size({name: value for name, value in wire.items() if name != "notes"})
        if size > self._limit:
            fault = f"{size} bytes as JSON, more than the {self._limit} of max_message_bytes"
            raise RejectedMessage([Problem("message", fault, "send less")], reason="too_large")
        return wire

    def _run_hooks(self, stamped: Stamped) -> Stamped:
        message = _codec.read_stamped(stamped.message)
        try:
            for hook in self._before:
                answer = hook(message)
                if isinstance(answer, Drop):
                    raise Dropped(stamped, answer.reason)
                message = answer
            return self._with_keys(self._finish(self._copy(message)))
        except Dropped:
            raise
        except BaseException as error:
            if reaches_caller(error):
                raise
            raise HookRaised(stamped) from error


def _keys_of_untrusted(message: JsonObject) -> list[str]:
    """
    Return the keys that an untrusted message proves (V3, V4): neither its options nor an address that the proof does not cover name one.

    Otherwise a sender could put messages into the lane of somebody else, whose messages would then wait behind them.
    """
    keys = contact_keys(message, frozenset())
    if "userId" not in message:
        return keys
    proven = [str(message.get(name, "")).strip().lower() for name in ("userId", PROVEN_EMAIL)]
    return [key for key in keys if not key.startswith("email:") or key.removeprefix("email:") in proven]
