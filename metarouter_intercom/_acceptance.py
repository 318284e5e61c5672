"""From a call to a stamped message (rules Q1, Q2, P1); knows no buffer and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import _codec
from .plugins import Drop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import JsonObject
    from .plugins import Before
    from .settings import Settings


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

    def stamp(self, call: Mapping[str, object], now: float) -> Stamped:
        """
        Read *call*, in Segment's wire form, and return it as it is buffered.

        Raises:
            RejectedMessage: It can never be delivered (rules R1, R2, E1, C1, V, too large).
            Dropped: A before-hook does not want it.
            HookRaised: A before-hook failed.
        """
        stamped = self._stamped(_codec.accept(call, self._settings, now))
        return self._hooked(stamped) if self._before else stamped

    def restamp(self, message: JsonObject) -> Stamped:
        """Return a message that was accepted before (a dead letter) as it is buffered."""
        return self._stamped(message)

    def _stamped(self, message: JsonObject) -> Stamped:
        return Stamped(message, _codec.contact_keys(message, self._settings), message["type"] == "identify")

    def _hooked(self, stamped: Stamped) -> Stamped:
        message = _codec.read_stamped(stamped.message)
        for hook in self._before:
            try:
                answer = hook(message)
            except Exception as error:
                raise HookRaised(stamped) from error
            if isinstance(answer, Drop):
                raise Dropped(stamped, answer.reason)
            message = answer
        return self._stamped(_codec.write_message(message))
