"""The numbers that a client reports, and the counters behind them; knows no message, only how many there were."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

import attrs

from .._intercom.account import Account
from .._intercom.attribute_budget import AttributeCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from .._types import Note

__all__ = [
    "Account",
    "AttributeCount",
    "Counters",
    "Health",
    "RateBudget",
    "Report",
    "SpoolState",
    "Stats",
    "WorkersHealth",
]


@attrs.frozen(kw_only=True)
class Report:
    """
    What happened to the messages of this client since it was made.

    Attributes:
        accepted: Messages taken from callers, without rejected ones and duplicates.
        delivered: Messages whose effect is in Intercom, including merged and unchanged ones.
        merged: Delivered messages whose write became part of a later message's write.
        unchanged: Delivered messages for which nothing had to be sent.
        retried: Attempts that failed and are repeated later.
        held: Messages that wait until a person corrects the credentials or the API version.
        pending: Messages not settled yet, including held ones; in a shared spool also those of other processes.
        duplicates: Messages whose ``messageId`` had been accepted before.
        evicted: Dead letters that were removed because there were more than ``max_dead_letters``.
        unspooled: Messages kept in memory because the spool's file could not take them.
        skipped: Reason -> messages that have nothing to change in Intercom.
        dropped: Reason -> messages lost on purpose.
        rejected: Reason -> messages that were never accepted.
        dead: Reason -> messages that became dead letters.
        notes: ``rule: reason`` -> values changed, shortened or left out.
    """

    accepted: int = 0
    delivered: int = 0
    merged: int = 0
    unchanged: int = 0
    retried: int = 0
    held: int = 0
    pending: int = 0
    duplicates: int = 0
    evicted: int = 0
    unspooled: int = 0
    skipped: Mapping[str, int] = attrs.field(factory=dict)
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    rejected: Mapping[str, int] = attrs.field(factory=dict)
    dead: Mapping[str, int] = attrs.field(factory=dict)
    notes: Mapping[str, int] = attrs.field(factory=dict)


class RateBudget(NamedTuple):
    """
    Intercom's rate limit as its last answers said; None for what no answer has said yet.

    Attributes:
        limit: Requests a window.
        remaining: Requests left in the window.
        reset: Unix seconds at which the next window begins.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


@attrs.frozen(kw_only=True)
class Stats(Report):
    """
    A report, and the state of this moment.

    Attributes:
        name: The connection's.
        buffered: Messages in the buffer; the same as ``pending``.
        oldest_age: Seconds since the oldest buffered message was accepted; None when there is none.
        rate: Intercom's rate limit.
        spool: What is known about the spool's files; None in memory.
    """

    name: str = "default"
    buffered: int = 0
    oldest_age: float | None = None
    rate: RateBudget = attrs.field(factory=RateBudget)
    spool: SpoolState | None = None


class SpoolState(NamedTuple):
    """
    What is known about the files of a spool, since this process opened it.

    Attributes:
        is_exact: Whether the file could be read just now; if not, ``pending`` is the last known number.
        saved: Messages that were saved from files which another program removed, moved or replaced.
        lost: Messages in such files that could not be read any more.
        skipped: Files in the journals' folder that cannot be read, or are damaged.
        write_ahead: Bytes of the write-ahead file.
        fault: What was wrong last; None when nothing ever was.
        is_failing: Whether the file cannot be used now, so that new messages are kept in memory.
    """

    is_exact: bool = True
    saved: int = 0
    lost: int = 0
    skipped: int = 0
    write_ahead: int = 0
    fault: str | None = None
    is_failing: bool = False


class WorkersHealth(NamedTuple):
    """
    The threads that deliver, and what went wrong in them.

    Attributes:
        threads: How many there are now; 0 before the first message, and for ``inline`` and ``manual`` delivery.
        faults: How often a hook, a plugin or this library raised an error during a delivery. Each costs at most that message's turn.
        last_fault: The class of the last such error and where it was raised; None if there was none.
        last_fault_at: When, in Unix seconds.
    """

    threads: int = 0
    faults: int = 0
    last_fault: str | None = None
    last_fault_at: float | None = None


class Health(NamedTuple):
    """
    Whether deliveries work.

    Attributes:
        status: ``ok``; ``failing`` (Intercom does not answer, or answers with 5xx: one probe at a time; or, with the reason ``spool``, the
            spool's file cannot be used and new messages are kept in memory); ``held`` (the credentials
            or the API version are refused: only probes are sent until you correct them); ``closed``.
        reason: Why; None for ``ok``.
        since: Since when, in Unix seconds; None for ``ok``.
        spool: What was wrong last with the spool's files; None when nothing ever was.
        attributes: How many of the workspace's custom attributes are used, and how many this client may still create; None as long
            as nothing had to be created, and after ``close()``.
        workers: The threads that deliver; None after ``close()``.
    """

    status: Literal["ok", "failing", "held", "closed"]
    reason: str | None = None
    since: float | None = None
    attributes: AttributeCount | None = None
    workers: WorkersHealth | None = None
    spool: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether deliveries work."""
        return self.status == "ok"


_BY_REASON = ("skipped", "dropped", "rejected", "dead", "notes")
_LOCKED = ("delivered", "merged", "unchanged", "retried", "duplicates")
_PLAIN = ("accepted", *_LOCKED)


class Counters:
    """The counters of one client; every method but ``add_accepted`` holds *lock*."""

    __slots__ = ("_accepted", "_lock", *_LOCKED, *_BY_REASON)

    delivered: int
    merged: int
    unchanged: int
    retried: int
    duplicates: int
    skipped: Counter[str]
    dropped: Counter[str]
    rejected: Counter[str]
    dead: Counter[str]
    notes: Counter[str]

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        # One call of a C function raises it, so the caller of the client waits for no lock.
        self._accepted = itertools.count(1)
        for name in _LOCKED:
            setattr(self, name, 0)
        for name in _BY_REASON:
            setattr(self, name, Counter())

    def add_accepted(self) -> int:
        """Raise ``accepted`` by one, and return it."""
        return next(self._accepted)

    @property
    def accepted(self) -> int:
        """How many messages were accepted."""
        return int(repr(self._accepted).removeprefix("count(").removesuffix(")")) - 1

    def add(self, name: str, number: int = 1) -> None:
        """Raise the plain counter *name*."""
        with self._lock:
            setattr(self, name, getattr(self, name) + number)

    def add_reason(self, name: str, reason: str, number: int = 1) -> None:
        """Raise the counter of *reason* under *name*."""
        with self._lock:
            getattr(self, name)[reason] += number

    def add_notes(self, notes: Iterable[Note]) -> None:
        """Count each of *notes* by rule and reason."""
        with self._lock:
            self.notes.update(f"{note.rule}: {note.reason}" for note in notes)

    def numbers(self) -> dict[str, int | dict[str, int]]:
        """Return a copy of all counters, all of the same moment."""
        with self._lock:
            plain: dict[str, int | dict[str, int]] = {name: getattr(self, name) for name in _PLAIN}
            return plain | {name: dict(getattr(self, name)) for name in _BY_REASON}

    def pending(self) -> int:
        """Return how many messages were accepted and have not ended."""
        with self._lock:
            ended = sum(sum(getattr(self, name).values()) for name in ("skipped", "dropped", "dead"))
            return max(0, self.accepted - self.delivered - ended)
