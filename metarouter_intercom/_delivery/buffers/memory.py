"""The buffer in memory (rules Q3 to Q5): accepts, leases and settles messages; knows no file, and leaves their order to the lanes."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ...plugins import Claim, Ending, Tallies
from .memory_dead_letters import MemoryDeadLetters
from .memory_history import MemoryHistory
from .memory_lanes import Buffered, MemoryLanes, by_seq, pack, packed, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..._types import JsonObject
    from ...plugins import Acceptance, DeadLetter, HistoryStore, Settlement, Store
    from .memory_lanes import Accepted, Lane

# So many accepted messages may wait to be packed by a worker; beyond them the caller does it, because packed ones are small.
_UNPACKED = 1_000
# A claim first puts accepted messages into their lanes; other workers get the lock after so many messages.
_INGESTED_AT_ONCE = 256
# A clock that goes back by more seconds than this makes everything due: due times noted before mean nothing now.
_SET_BACK = 60.0


class Withdrawn(NamedTuple):
    """A message with the arguments of its ``accept``."""

    message: JsonObject
    keys: tuple[str, ...]
    upserts: bool
    accepted_at: float


class MemoryBuffer:
    """
    Implements ``plugins.Buffer`` and ``plugins.DeadLetterStore`` in memory; everything is lost with the process.

    Args:
        limit: How many messages it holds, leased ones included.
        dead_letters: How many dead letters it keeps; the oldest are removed first.
        history: How many ended messages it remembers.

    Attributes:
        lease: Seconds of a lease: for ever, so nobody renews it.
    """

    lease = math.inf

    def __init__(self, *, limit: int, dead_letters: int, history: int = 0) -> None:
        self._limit = limit
        self._dead_limit = dead_letters
        self._history_limit = history
        self._begin()

    def _begin(self) -> None:
        # Reentrant, because a signal handler may call the client while this thread holds the lock.
        self._lock = threading.RLock()
        # Of ``accept`` alone, so that a caller never waits for a worker that sorts messages into lanes. Taken after the other one.
        self._accept_lock = threading.RLock()
        self._seq = 0
        # Accepted messages that are not in a lane yet.
        self._accepted: deque[Accepted] = deque()
        self._lanes = MemoryLanes()
        self._claim_number = 0
        self._claims: dict[int, tuple[Lane, dict[int, Buffered]]] = {}
        self._dead = MemoryDeadLetters(self._dead_limit)
        self._history = MemoryHistory(self._history_limit)
        # By message id, in the order of acceptance: what was accepted and is not settled, leased messages included.
        self._unsettled: dict[str, Accepted] = {}
        self._latest_now = 0.0

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Copy *message* in; see ``plugins.Buffer``."""
        return self.accept_own(message, keys, upserts, now, pack(message))

    # Positional parameters, because names would make each call slower.
    def accept_own(
        self,
        message: JsonObject,
        keys: Sequence[str],
        upserts: bool,
        now: float,
        body: bytes | JsonObject | None = None,
    ) -> Acceptance:
        """Do what ``accept`` does, for a plain message that nobody else has: unless *body* is its copy, a worker makes one."""
        if body is None:
            body = message if len(self._accepted) < _UNPACKED else pack(message)
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        try:
            with self._accept_lock:
                if message_id in self._unsettled:
                    return "duplicate"
                if len(self._unsettled) >= self._limit:
                    return "full"
                self._seq = seq = self._seq + 1
                accepted = (seq, body, message_id, tuple(keys), upserts, now)
                # In this order: a worker may deliver the message as soon as it is among the accepted ones.
                self._unsettled[message_id] = accepted
                self._accepted.append(accepted)
        except BaseException:
            # A signal handler may have raised between the two.
            with self._lock:
                self._rebuild(())
            raise
        return "accepted"

    def _ingest(self, limit: int = sys.maxsize) -> None:
        """Put at most *limit* accepted messages into their lanes; ``accept`` leaves that to the workers."""
        accepted, add = self._accepted, self._lanes.add
        try:
            # No more than there are now: callers go on adding meanwhile.
            for _ in range(min(limit, len(accepted))):
                item = packed(accepted.popleft())
                self._unsettled[item[2]] = item
                add(Buffered(item))
        except BaseException:
            self._rebuild(())
            raise

    # --- delivering -----------------------------------------------------------------------------------

    def first_due(self, *, now: float, limit: int) -> list[tuple[tuple[str, ...], float]]:
        """Return the keys of each lane of those that are due longest, at most *limit*, and when its first message was accepted."""
        with self._lock:
            self._ingest()
            lanes = self._lanes.first_due(now, limit)
            return [(tuple(lane.keys), lane.messages[0].accepted_at) for lane in lanes]

    def put_off(self, keys: Iterable[str], *, until: float) -> None:
        """Make the lanes that *keys* lead to due no earlier than *until*."""
        with self._lock:
            self._lanes.put_off(self._lanes.with_any_key(keys), until)

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        return self.claim_up_to(None, now=now, limit=limit)

    def claim_up_to(self, up_to: Mapping[str, float] | None, *, now: float, limit: int) -> Claim | None:
        """Do what ``claim`` does if each key of the lane is in *up_to*, with what was accepted until then; None for everything."""
        new_claims: list[int] = []
        try:
            while len(self._accepted) > _INGESTED_AT_ONCE:
                with self._lock:
                    self._ingest(_INGESTED_AT_ONCE)
            with self._lock:
                return self._claim(now, limit, up_to, new_claims)
        except BaseException:
            with self._lock:
                self._rebuild(new_claims)
            raise

    def _claim(
        self, now: float, limit: int, up_to: Mapping[str, float] | None, new_claims: list[int]
    ) -> Claim | None:
        self._ingest()
        if now < self._latest_now - _SET_BACK:
            self._lanes.make_due(now)
            self._latest_now = now
        self._latest_now = max(self._latest_now, now)
        lane = self._lanes.pop_due(now, up_to)
        if lane is None:
            return None
        self._claim_number += 1
        number = self._claim_number
        new_claims.append(number)
        messages = take(lane, limit, up_to)
        lane.leased += 1
        self._claims[number] = (lane, {message.seq: message for message in messages})
        return Claim(number, tuple(message.entry(lane.waits_since) for message in messages))

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        try:
            with self._lock:
                self._settle(claim, settlements, now)
        except BaseException:
            with self._lock:
                self._rebuild((claim.lane,))
            raise

    def _settle(self, claim: Claim, settlements: Sequence[Settlement], now: float) -> None:
        lease = self._claims.get(claim.lane)
        if lease is None:
            return
        lane, leased = lease[0].root(), lease[1]
        forget, remove_one = self._unsettled.pop, self._lanes.remove_one
        remaining: list[Buffered] = []
        due_at = now
        for settlement in settlements:
            message = leased[settlement.seq]
            if settlement.kind in ("ack", "bury"):
                if settlement.kind == "bury":
                    self._bury(message, settlement, now)
                elif settlement.ending is not None:
                    self._remember(message, settlement.ending, now)
                forget(message.message_id, None)
                remove_one(lane)
                continue
            if settlement.kind != "release":
                message.note_attempt(settlement, now)
                due_at = max(due_at, settlement.due_at)
            remaining.append(message)
        settled = {settlement.seq for settlement in settlements}
        remaining.extend(message for message in leased.values() if message.seq not in settled)
        del self._claims[claim.lane]
        kinds = {settlement.kind for settlement in settlements}
        if "wait" not in kinds:
            lane.waits_since = None
        elif lane.waits_since is None:
            lane.waits_since = now
        self._lanes.put_back(lane, remaining, due_at=due_at, now=now, is_blocked="retry" in kinds)

    def _bury(self, message: Buffered, settlement: Settlement, now: float) -> None:
        self._dead.add(
            message.message(),
            reason=settlement.reason or "unknown",
            answer=settlement.answer,
            attempts=message.attempts + 1,
            accepted_at=message.accepted_at,
            died_at=now,
        )
        self._remember(message, settlement.ending or Ending("dead", settlement.reason), now)

    def _remember(self, message: Buffered, ending: Ending, now: float) -> None:
        self._history.add(message.body, ending, accepted_at=message.accepted_at, ended_at=now)

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Return whether the claim is open: a lease in memory does not end by itself."""
        return claim.lane in self._claims

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        with self._lock:
            self._ingest()
            return self._lanes.next_due_at()

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._lock:
            self._ingest()
            self._lanes.make_due(now)

    # --- counting -------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return the seq of the newest message."""
        return self._seq

    def pending(self) -> int:
        """Count the messages that are not settled."""
        return len(self._unsettled)

    def has_pending(self, up_to: int) -> bool:
        """Return whether a message with ``seq <= up_to`` is not settled."""
        with self._accept_lock:
            first = self._first_unsettled()
            return first is not None and first[0] <= up_to

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message that is not settled was accepted."""
        with self._accept_lock:
            first = self._first_unsettled()
            return None if first is None else first[-1]

    def _first_unsettled(self) -> Accepted | None:
        while True:
            try:
                return next(iter(self._unsettled.values()), None)
            except RuntimeError:
                continue  # a worker settled a message between two steps of this line

    def tallies(self) -> Tallies:
        """Return how many dead letters were removed; ``accept`` finds every duplicate at once."""
        return Tallies(evicted=self._dead.evicted)

    # --- taking messages out --------------------------------------------------------------------------

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased."""
        dropped: list[Buffered] = []
        try:
            with self._lock:
                self._ingest()
                self._drop(frozenset(keys), dropped)
        except BaseException:
            with self._lock:
                self._rebuild(())
            raise
        return [message.message() for message in sorted(dropped, key=by_seq)]

    def _drop(self, keys: frozenset[str], dropped: list[Buffered]) -> None:
        for lane in self._lanes.with_any_key(keys):
            going = [message for message in lane.messages if keys.intersection(message.keys)]
            lane.messages = [message for message in lane.messages if not keys.intersection(message.keys)]
            for message in going:
                self._unsettled.pop(message.message_id, None)
                self._lanes.remove_one(lane)
            dropped += going
            self._lanes.schedule(lane)

    def has_claims(self) -> bool:
        """Return whether a claim is open."""
        return bool(self._claims)

    def withdraw(self) -> list[Withdrawn]:
        """Forget the messages that are not leased, and return them in the order of acceptance."""
        with self._lock:
            self._ingest()
            going: list[Buffered] = []
            for lane in self._lanes.every():
                messages, lane.messages = lane.messages, []
                for message in messages:
                    self._unsettled.pop(message.message_id, None)
                    self._lanes.remove_one(lane)
                going += messages
        going.sort(key=by_seq)
        return [
            Withdrawn(message.message(), message.keys, message.upserts, message.accepted_at)
            for message in going
        ]

    # --- after an interruption ------------------------------------------------------------------------

    def _rebuild(self, lost_claims: Sequence[int]) -> None:
        """
        Build the lanes anew from ``_unsettled``, because Ctrl-C or a signal handler that exits interrupted a change of them.

        A message that was on its way between two places has no attempts and is due at once. No worker has *lost_claims*.
        """
        with self._accept_lock:
            self._rebuild_lanes(lost_claims)

    def _rebuild_lanes(self, lost_claims: Sequence[int]) -> None:
        known = {message.seq: message for lane in self._lanes.every() for message in lane.messages}
        for number in lost_claims:
            if (lease := self._claims.pop(number, None)) is not None:
                known.update(lease[1])
        claims = {number: leased for number, (_, leased) in self._claims.items()}
        leased_seqs = {seq for leased in claims.values() for seq in leased}
        self._accepted.clear()
        self._lanes = MemoryLanes()
        for number, leased in claims.items():
            keys = {key: None for message in leased.values() for key in message.keys}
            lane = self._lanes.lane_of(tuple(keys))
            lane.leased += 1
            lane.size += sum(message.message_id in self._unsettled for message in leased.values())
            self._claims[number] = (lane, leased)
        for accepted in sorted(self._unsettled.values()):
            if accepted[0] not in leased_seqs:
                self._lanes.add(known.get(accepted[0]) or Buffered(packed(accepted)))

    # --- dead letters ---------------------------------------------------------------------------------

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._lock:
            self._dead.add(message, reason=reason, answer=None, attempts=0, accepted_at=now, died_at=now)
            self._history.add(pack(message), Ending("dead", reason), accepted_at=now, ended_at=now)

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with self._lock:
            return self._dead.page(reason, after, limit)

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        with self._lock:
            return self._dead.count()

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        with self._lock:
            return self._dead.take(ids, reason)

    def history(self) -> HistoryStore:
        """Return the last ends of messages."""
        return self._history

    # --- the process ----------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return None: nothing here outlives the process."""
        return None

    def after_fork(self) -> None:
        """Start empty: the parent delivers what it holds (rule W3)."""
        self._begin()

    def close(self) -> None:
        """Do nothing: no file and no connection is open."""
