"""
The whole plugin interface, and nothing but it: small protocols and the values they exchange.

Everything here is handed to ``Client(...)`` as an argument. There is no registry, no entry point and no base class to inherit from.
All times are float seconds: instants since the Unix epoch, durations as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import attrs

from .._types import JsonObject, JsonValue
from .._types import Note as Note

if TYPE_CHECKING:
    from ..messages import Message
    from ..operations import Translation

__all__ = [
    "Acceptance",
    "After",
    "Before",
    "Buffer",
    "Claim",
    "Clock",
    "DeadLetter",
    "Delivery",
    "Drop",
    "Entry",
    "Note",
    "OnDrop",
    "OnError",
    "Request",
    "Response",
    "Settlement",
    "Shelf",
    "Store",
    "Tallies",
    "Translator",
    "Transport",
]


# --- requests ---------------------------------------------------------------------------------------------


@attrs.frozen
class Request:
    """
    One request to Intercom, free of host and credentials.

    Attributes:
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        path: Begins with a slash; ids in it are already percent-encoded; carries the query string, if any.
        body: What becomes the JSON body; None sends no body.
        headers: Extra headers beyond those that the transport always sends.
    """

    method: str
    path: str
    body: JsonObject | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Response:
    """
    One answer of Intercom, whatever its status.

    Attributes:
        status: The HTTP status.
        body: The parsed JSON body; None when it is empty; the text as a string when it is not JSON.
        headers: Names in small letters.
    """

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


class Transport(Protocol):
    """Turns one request into one response; knows no rule of Intercom's. Called from several threads at once."""

    def send(self, request: Request) -> Response:
        """
        Send *request* once and return the answer, whatever its status.

        Raises:
            ConnectFailed: It was never sent.
            ReadFailed: It was sent, and there is no whole answer.
        """
        ...

    def close(self) -> None:
        """Release connections; a later ``send`` may open new ones."""
        ...


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        ...


# --- messages and what becomes of them --------------------------------------------------------------------


@attrs.frozen
class Drop:
    """A before-hook's answer: this message is not wanted. Counted as dropped under *reason*."""

    reason: str = "before_hook"


Outcome: TypeAlias = Literal["delivered", "skipped", "dropped", "dead"]


@attrs.frozen(kw_only=True)
class Delivery:
    """
    The end of one message, told to after-hooks once.

    Attributes:
        message: The message as it was accepted, Segment's wire form; do not change it.
        outcome: ``delivered`` (its effect is in Intercom), ``skipped``, ``dropped`` or ``dead``.
        reason: Why, for all but ``delivered``.
        notes: What the translator and the flows changed or left out.
        merged: Its contact's write was folded into another message's.
        unchanged: Nothing had to be sent: Intercom has it already.
        attempts: How often its delivery was attempted, this time included.
        answer: For ``dead``: Intercom's last answer ``{status, code, message, field, request_id}``, if there was one.
    """

    message: Mapping[str, JsonValue]
    outcome: Outcome
    reason: str | None = None
    notes: tuple[Note, ...] = ()
    merged: bool = False
    unchanged: bool = False
    attempts: int = 1
    answer: JsonObject | None = None


Before: TypeAlias = "Callable[[Message], Message | Drop]"
"""Sees each message at acceptance, in the caller's thread; may change or drop it. May not do I/O."""

After: TypeAlias = "Callable[[Delivery], None]"
"""Told the end of each message, in a worker's thread."""

OnError: TypeAlias = "Callable[[Exception, Sequence[Mapping[str, JsonValue]]], None]"
"""Told of credentials held and of messages that became dead letters, with those messages."""

OnDrop: TypeAlias = "Callable[[Mapping[str, JsonValue], str], None]"
"""Told of each dropped message with the reason."""


class Translator(Protocol):
    """Turns a message into operations; pure: the same message gives the same operations."""

    def __call__(self, message: Message) -> Translation:
        """Return what should be true in Intercom, with notes; never raise on customer data."""
        ...


# --- buffers ----------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """
    One buffered message, leased.

    Attributes:
        seq: The buffer's own number, above 0 and rising in the order of acceptance; below 0 where that order is not known.
        message: Stamped wire form; ``messageId`` (str) and ``timestamp`` (float, Unix seconds) are always there.
        accepted_at: When.
        attempts: Attempts already made.
        failures: How many of them ended in a 5xx answer for this very message (T2, poison).
        waiting_since: When it first waited for a missing contact (M2), or None.
    """

    seq: int
    message: JsonObject
    accepted_at: float
    attempts: int
    failures: int
    waiting_since: float | None


class Claim(NamedTuple):
    """The due messages of one lane, leased to one worker, in the order of acceptance."""

    lane: int
    entries: tuple[Entry, ...]


class Settlement(NamedTuple):
    """
    What becomes of one leased message.

    Attributes:
        seq: Of the entry.
        kind: ``done`` forgets it; ``again`` keeps it for ``due_at``; ``wait`` keeps it too, but lets an upsert of
            the same contact pass (M2); ``bury`` makes it a dead letter; ``release`` gives it back untouched.
        due_at: For ``again`` and ``wait``.
        reason: For ``bury``, ``again`` and ``wait``: why.
        answer: For ``bury``: Intercom's last answer, ``{status, code, message, field, request_id}``.
        failed: For ``again``: a 5xx answer to this very message (counts towards ``Entry.failures``).
    """

    seq: int
    kind: Literal["ack", "retry", "wait", "bury", "release"]
    due_at: float = 0.0
    reason: str | None = None
    answer: JsonObject | None = None
    failed: bool = False


@attrs.frozen(kw_only=True)
class DeadLetter:
    """
    A message we gave up on.

    Attributes:
        id: The dead letter's own number, for ``retry`` and ``discard``.
        message: As it was accepted, Segment's wire form.
        reason: A short word to count by.
        answer: Intercom's last answer ``{status, code, message, field, request_id}``, or None when there was none.
        attempts: How often it was attempted.
        accepted_at: When it was accepted.
        died_at: When it was given up.
    """

    id: int
    message: JsonObject
    reason: str
    answer: JsonObject | None
    attempts: int
    accepted_at: float
    died_at: float


class Tallies(NamedTuple):
    """
    What a buffer counts by itself.

    Attributes:
        late_duplicates: Duplicates found after ``accept`` had answered ``accepted`` (Q5).
        evicted: Dead letters that left because there were too many (X1).
        unspooled: Messages kept in memory because the spool's file could not take them (Q3).
    """

    late_duplicates: int = 0
    evicted: int = 0
    unspooled: int = 0


Acceptance: TypeAlias = Literal["accepted", "duplicate", "full"]


@runtime_checkable
class Buffer(Protocol):
    """
    Holds accepted messages until they are settled; thread-safe.

    A **lane** is a run of messages that share a contact key, directly or through another message. Messages of one lane are claimed
    by one worker at a time, in the order of acceptance; a lane whose first message is not due yet is not claimed at all, except that
    a message accepted with ``upserts=True`` makes a lane due at once when all that it holds back is waiting (``wait``).
    """

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """
        Copy *message* in; what the caller does to it afterwards changes nothing.

        Args:
            message: Stamped wire form of JSON values (NaN and infinities included).
            keys: The contact keys of the message (``user:..``, ``email:..``, ``contact:..``, ``anonymous:..``), the first one
                its own; may be empty: then it shares a lane with nothing.
            upserts: It writes its contact, so it may bring the contact that others wait for.
            now: The moment of acceptance.

        Returns:
            ``duplicate`` for a ``messageId`` seen before (Q5), ``full`` at the limit (Q4); neither changes the buffer. A buffer
            that finds out only later counts it in its ``tallies``.

        Raises:
            SpoolFailed: The file cannot take it.
        """
        ...

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages, at most *limit*, of the lane that is due longest; None when nothing is due."""
        ...

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease: one settlement for each entry of *claim*, all of them in one step."""
        ...

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; False when it was lost to another process."""
        ...

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next (may be in the past), or None when nothing unclaimed is there."""
        ...

    def mark(self) -> int:
        """Return the seq of the newest message accepted so far; 0 when there was none."""
        ...

    def pending(self) -> int:
        """Count the messages not settled yet, leased ones included."""
        ...

    def has_pending(self, up_to: int) -> bool:
        """Tell whether a message with ``seq <= up_to`` is not settled yet."""
        ...

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted; None when there is none."""
        ...

    def tallies(self) -> Tallies:
        """Return what this buffer counted by itself since it was opened."""
        ...

    def make_due(self, *, now: float) -> None:
        """Make every waiting or rescheduled message due at once, for credentials that were mended."""
        ...

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys* and return them (D1)."""
        ...

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters with an id above *after*, oldest first."""
        ...

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Make a message that was never buffered a dead letter (a before-hook that raised)."""
        ...

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number of the dead letters kept now."""
        ...

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters (all, by ids, by reason) and return them; at most 1,000 a call."""
        ...

    def store(self) -> Store | None:
        """Return where the directory keeps what it knows beyond this process, or None."""
        ...

    def after_fork(self) -> None:
        """In a forked child: forget what the parent holds, reopen what cannot be shared."""
        ...

    def close(self) -> None:
        """Release files; what is buffered durably stays."""
        ...


class Store(Protocol):
    """A small durable key-value store shared by the processes of one spool; values are JSON texts."""

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        ...

    def put(self, kind: str, key: str, value: str) -> None:
        """Store the value, in place of an older one; the oldest of a *kind* leave beyond a bound."""
        ...

    def forget(self, kind: str, key: str) -> None:
        """Remove the value; nothing happens when there is none."""
        ...

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace the value by ``change(value)`` in one step that no other process can come between; None removes."""
        ...


Shelf = Store
"""The earlier name of ``Store``; both names stay."""
