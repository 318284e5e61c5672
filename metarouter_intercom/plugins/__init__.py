"""
All that you can hand to ``Client(...)``: small protocols, and the values that they exchange; imports nothing that acts.

There is no registry, no entry point and no base class: an object with the methods of a protocol is enough.
All times are float seconds: instants are Unix seconds, durations are plain seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from .._types import JsonObject, JsonValue
from .._types import Note as Note
from ._values import (
    Claim,
    DeadLetter,
    Ending,
    Entry,
    HistoryEntry,
    Request,
    Response,
    SentRequest,
    Settlement,
    Tallies,
)

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
    "DeadLetterStore",
    "Delivery",
    "Drop",
    "Ending",
    "Entry",
    "HistoryEntry",
    "HistoryStore",
    "Note",
    "OnDrop",
    "OnError",
    "Request",
    "Response",
    "SentRequest",
    "Settlement",
    "Shelf",
    "Store",
    "Tallies",
    "Translator",
    "Transport",
]


# --- requests ---------------------------------------------------------------------------------------------


class Transport(Protocol):
    """Turns one request into one response; knows no rule of Intercom's. Several threads call it at once."""

    def send(self, request: Request) -> Response:
        """
        Send *request* once and return the answer, whatever its status.

        Raises:
            ConnectFailed: The request was not sent.
            ReadFailed: The request was sent, but there is no complete answer.
        """
        ...

    def close(self) -> None:
        """Release connections; a later ``send`` may open new ones."""
        ...


class Clock(Protocol):
    """
    Where time comes from.

    A clock may also have ``monotonic()``, which returns seconds that pass evenly, whatever happens to the Unix time. Then everything that
    waits, is due or has an age is measured by that, and ``now`` only dates messages (rule W7). Without it, ``now`` is taken for both.
    """

    def now(self) -> float:
        """Return the Unix time in seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        ...


# --- messages and what becomes of them --------------------------------------------------------------------


@attrs.frozen
class Drop:
    """A before-hook returns this to drop the message; the message is counted as dropped, with *reason*."""

    reason: str = "before_hook"


Outcome: TypeAlias = Literal["delivered", "skipped", "dropped", "dead"]


@attrs.frozen(kw_only=True)
class Delivery:
    """
    The end of one message; each after-hook gets it once.

    Attributes:
        message: The message as it was accepted, in Segment's wire form; do not change it.
        outcome: ``delivered`` (its effect is in Intercom), ``skipped``, ``dropped`` or ``dead``.
        reason: Why, for every outcome except ``delivered``.
        notes: What the translator and the flows changed or left out.
        merged: True when the write of its contact was merged into another message's.
        unchanged: True when nothing had to be sent because Intercom had it already.
        attempts: How often its delivery was attempted, this time included.
        answer: For ``dead``: Intercom's last answer ``{status, code, message, field, request_id}``, or None when there was none.
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
"""Called with each message when it is accepted, in the caller's thread; may change or drop it. Must not do I/O."""

After: TypeAlias = "Callable[[Delivery], None]"
"""Called at the end of each message, in a worker's thread."""

OnError: TypeAlias = "Callable[[Exception, Sequence[Mapping[str, JsonValue]]], None]"
"""
Called when Intercom refuses the credentials and when messages become dead letters, with those messages; and once, without messages, when
an answer is not Intercom's.
"""

OnDrop: TypeAlias = "Callable[[Mapping[str, JsonValue], str], None]"
"""Called with each dropped message and the reason."""


class Translator(Protocol):
    """Turns a message into operations; pure: the same message gives the same operations."""

    def __call__(self, message: Message) -> Translation:
        """Return what should be true in Intercom, with notes; never raise on customer data."""
        ...


# --- buffers ----------------------------------------------------------------------------------------------


Acceptance: TypeAlias = Literal["accepted", "duplicate", "full"]


@runtime_checkable
class Buffer(Protocol):
    """
    Holds accepted messages until they are settled.

    The client accepts messages in the threads of its callers. Worker threads repeat three steps: ``claim`` the due messages of one
    lane, deliver them, ``settle`` them. A message leaves the buffer only when it is settled with ``ack`` or ``bury``, or by ``drop``.

    **Lanes and order.** Messages that share a contact key are in one lane, directly or through other messages: with the keys ``[a]``,
    ``[b]`` and ``[a, b]`` all three are. Such a third message joins two lanes, also when one of them is leased; the joined lane is then
    not claimed until every lease in it has ended. Within a lane the order is that of acceptance, always: what is put back after a
    claim comes before what was accepted in the meantime. A lane that is empty may be forgotten.

    **Due times.** A new lane is due from the ``now`` of its first message, and a settled one at once, unless the claim had a ``retry``
    or ``wait``. Then the lane is due at their ``due_at``, the largest one if there are several. Until then nothing of the lane is
    claimed, not even new messages. There is one exception: if the lane waits only for its contact (``wait``, and no ``retry`` in the
    same claim) and has a message with ``upserts=True`` that does not itself wait, the lane is due at once. This applies to upserts
    that are in the lane already and to those accepted later.

    **Leases.** A lane with an open claim is not claimed by anybody else. In a buffer that several processes share, a lease ends by
    itself when its process dies or does not renew it for 60 seconds, so that another process can claim the messages. The client
    renews the leases of its open claims in a thread of its own, each about every 15 seconds, also while a request lasts. A buffer with
    another length says so in an attribute ``lease``, in seconds; ``math.inf`` for a lease that does not end by itself, as in the
    memory of one process, and then ``renew`` is not called.

    **Clock.** Every ``now`` looks like Unix seconds but passes evenly: it never goes back, and steps of the wall clock do not touch it
    (rule W7). A buffer that several processes share may have a method ``steady_offset(*, monotonic, wall)``, called once a client, that
    returns what to add to the machine's monotonic clock, so that all of them reckon in one time; without it each process reckons in its
    own. A replaced clock without ``monotonic`` may jump: when it goes back by more than a minute, make all lanes due.

    **Errors.** Each method takes effect completely or not at all. If the place where the messages are kept fails, raise ``SpoolFailed``,
    with ``is_passing=True`` when another attempt may work soon. An error of ``accept`` reaches the caller, who must then know that the
    message was not accepted. After an error of another method a worker calls it again later.

    **Threads and signals.** All methods are called from several threads at once, and the buffer does its own locking. ``accept`` runs in
    the caller's thread, so it must be quick and never wait for a network without a bound. Ctrl-C can interrupt any step of
    any method: a message that was accepted must still be there afterwards. ``settle`` may then be called again for the same claim.

    **Forks.** The client calls ``after_fork`` once in a forked child before anything else. Locks, connections and messages in memory
    belong to the parent: the child must neither use nor close them.
    """

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """
        Copy *message* into the buffer. What the caller does to it afterwards changes nothing.

        Args:
            message: Segment's wire form, of JSON values (NaN, infinities and integers of any size included). ``messageId`` is a text.
            keys: The contact keys of the message (``user:..``, ``email:..``, ``contact:..``, ``anonymous:..``), its own first;
                ``company:..`` for a group call that names nobody. May be empty: then the message shares a lane with no other one.
            upserts: The message writes its contact, so it may bring the contact that others wait for.
            now: The moment of acceptance.

        Returns:
            ``accepted`` once the message is kept as safely as this buffer keeps messages. ``duplicate`` for a ``messageId`` that is
            buffered, or that was recently delivered, as far as the buffer remembers. ``full`` at the buffer's limit, leased messages
            included. The last two change nothing. A buffer that finds a duplicate only later leaves it out then and counts it in
            ``tallies().late_duplicates``.

        Raises:
            SpoolFailed: The message cannot be kept.
        """
        ...

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """
        Lease the first *limit* messages of the lane that is due longest, or return None when no lane is due.

        If those *limit* messages all wait for their contact, up to *limit* upserts from behind them are added to the claim: the
        contact must be found however many messages wait for it.
        """
        ...

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """
        End the lease of *claim*, with one settlement for each of its entries, all in one step.

        A claim that was settled already is left alone. If the lease was lost to another process, only ``ack`` takes effect: that message
        is delivered. What becomes of the others is for the new holder of the lease to say.
        """
        ...

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease of *claim*; False when it was settled or lost to another process."""
        ...

    def next_due_at(self, *, now: float) -> float | None:
        """Return when the next lane can be claimed (may be in the past), or None when there is none without a lease."""
        ...

    def mark(self) -> int:
        """Return the ``seq`` of the newest message accepted so far; 0 when there was none. It never goes back."""
        ...

    def pending(self) -> int:
        """Count the messages that are not settled yet, leased ones included; of all processes, if they share the buffer."""
        ...

    def has_pending(self, up_to: int) -> bool:
        """Return whether a message with ``seq <= up_to`` is not settled yet; ``flush`` waits until this is False."""
        ...

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message that is not settled was accepted; None when there is none."""
        ...

    def tallies(self) -> Tallies:
        """Return what this buffer counted by itself since it was opened."""
        ...

    def make_due(self, *, now: float) -> None:
        """Make every lane that waits for a later time due now; called when the credentials work again."""
        ...

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased, and return them in order; for the deletion of a contact."""
        ...

    def store(self) -> Store | None:
        """Return where the workspace cache keeps what must outlive this process, or None to keep it in memory. Called once a process."""
        ...

    def after_fork(self) -> None:
        """In a forked child: make new locks and connections, and forget messages in memory: the parent delivers those."""
        ...

    def close(self) -> None:
        """Release connections and leases; what is kept durably stays. ``pending`` and ``tallies`` may still be called."""
        ...


@runtime_checkable
class DeadLetterStore(Protocol):
    """
    Keeps the messages that were given up, with their reasons; thread-safe, with errors as of ``Buffer``.

    A buffer that has these four methods as well keeps its own dead letters: those settled with ``bury``, and those that ``bury`` gets.
    The built-in buffers do. With a buffer that lacks them, a dead letter still goes to the hooks, the log and the counters, and is
    then gone: ``client.dead_letters`` stays empty.
    """

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter with 0 attempts (its before-hook raised)."""
        ...

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return at most *limit* dead letters with an id above *after*, oldest first; None as *reason* means every reason."""
        ...

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number of the dead letters kept now."""
        ...

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove the dead letters with these *ids* and this *reason* (None: all) and return them; at most 1,000 a call."""
        ...


class HistoryStore(Protocol):
    """
    Keeps how the last messages ended (rule X2); thread-safe, with errors as of ``Buffer``.

    A buffer that keeps a history has one more method, ``history()``, that returns such a store. It adds one entry for each ``ack``
    with an ``ending`` and for each ``bury``, in the step that settles them, and one for each message that goes straight to its dead
    letters. At its limit, the oldest delivered messages leave first, then the oldest skipped ones, and dead letters last. With a
    buffer without a history, ``client.history`` is empty.
    """

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return at most *limit* entries with their numbers, newest first: those with a number below *before*, or the newest ones."""
        ...

    def forget(self, numbers: Sequence[int]) -> None:
        """Remove the entries with these numbers; unknown ones are left alone."""
        ...


class Store(Protocol):
    """
    A small durable key-value store that the processes of one buffer share; thread-safe. Values are JSON texts.

    The workspace cache keeps Intercom's ids and fingerprints in it: losing a value costs requests, never correctness. A wrong
    value does harm, so raise ``SpoolFailed`` rather than lose a change without a sign.
    """

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        ...

    def put(self, kind: str, key: str, value: str) -> None:
        """Store the value in place of an older one. Beyond a bound the oldest values of the same *kind* are removed."""
        ...

    def forget(self, kind: str, key: str) -> None:
        """Remove the value; nothing happens when there is none."""
        ...

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace the value by ``change(value)``, where None means no value, in one step that no other process can interrupt."""
        ...


Shelf = Store
"""The earlier name of ``Store``; both names work."""
