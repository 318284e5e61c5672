"""The buffer in memory (rules Q3 to Q5, O1, M2): messages packed as bytes, lanes by contact key."""

from __future__ import annotations

import heapq
import json
import marshal
import sys
import threading
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ...plugins import Claim, DeadLetter, Entry, Tallies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._types import JsonObject
    from ...plugins import Acceptance, Settlement, Store

# The version of marshal with short texts in few bytes, the same on every supported Python; the bytes never leave the process.
_FORMAT = 4
_seq = attrgetter("seq")
# While a claim sorts what was accepted, callers wait for the lock: it is let go after so many messages.
_SORTED_AT_ONCE = 256
# A clock that is set back further than this makes everything due: instants noted before mean nothing now.
_SET_BACK = 60.0

# What the caller pays for, and no more: seq, body, message id, keys, whether it upserts, when.
_Accepted: TypeAlias = "tuple[int, bytes, str, tuple[str, ...], bool, float]"


class _Held:
    """One buffered message, sorted into its lane; its body is packed, so that it costs little and shares nothing with the caller."""

    __slots__ = (
        "accepted_at",
        "attempts",
        "body",
        "failures",
        "is_waiting",
        "keys",
        "message_id",
        "seq",
        "upserts",
        "waiting_since",
    )

    def __init__(self, accepted: _Accepted) -> None:
        self.seq, self.body, self.message_id, self.keys, self.upserts, self.accepted_at = accepted
        self.attempts = 0
        self.failures = 0
        self.is_waiting = False
        self.waiting_since: float | None = None

    def message(self) -> JsonObject:
        message: JsonObject = marshal.loads(self.body)
        return message

    def entry(self, lane_waits_since: float | None) -> Entry:
        since = self.waiting_since
        if since is None and lane_waits_since is not None:
            # It waits behind others for the same contact: its time runs since they began to wait, or it came.
            since = max(lane_waits_since, self.accepted_at)
        return Entry(self.seq, self.message(), self.accepted_at, self.attempts, self.failures, since)


class _Lane:
    """
    Messages that share a contact key, in the order of acceptance.

    Attributes:
        held: Those that are not leased.
        keys: By which it is found.
        leased: How many of its claims are out.
        size: Its messages, leased ones included.
        due_at: When the first one may be claimed.
        waits_since: Since when it waits for its contact without a break, or None.
        joined: The lane that this one was folded into, or None.
    """

    __slots__ = ("due_at", "held", "joined", "keys", "leased", "size", "waits_since")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.held: list[_Held] = []
        self.leased = 0
        self.size = 0
        self.due_at = 0.0
        self.waits_since: float | None = None
        self.joined: _Lane | None = None


class Withdrawn(NamedTuple):
    """A message with what it was accepted with."""

    message: JsonObject
    keys: tuple[str, ...]
    upserts: bool
    accepted_at: float


class MemoryBuffer:
    """
    Implements ``plugins.Buffer`` in memory; everything is lost with the process.

    Args:
        limit: Messages, leased ones included.
        dead_letters: How many are kept; the oldest leave first.
    """

    def __init__(self, *, limit: int, dead_letters: int) -> None:
        self._limit = limit
        self._dead_limit = dead_letters
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._seq = 0
        self._unsorted: deque[_Accepted] = deque()
        self._lanes: dict[str, _Lane] = {}
        self._due: list[tuple[float, int, _Lane]] = []
        self._tickets = 0
        self._claims: dict[int, tuple[_Lane, dict[int, _Held]]] = {}
        self._dead: deque[DeadLetter] = deque(maxlen=self._dead_limit)
        self._dead_id = 0
        self._dead_taken = 0
        self._live: dict[str, _Accepted] = {}
        self._latest = 0.0

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Copy *message* in; see ``plugins.Buffer``."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        try:
            body = marshal.dumps(message, _FORMAT)
        except ValueError:
            # A key of a class of the caller's own; as JSON it is the plain text that it equals.
            body = marshal.dumps(json.loads(json.dumps(message)), _FORMAT)
        with self._lock:
            if message_id in self._live:
                return "duplicate"
            if len(self._live) >= self._limit:
                return "full"
            self._seq = seq = self._seq + 1
            accepted = (seq, body, message_id, tuple(keys), upserts, now)
            self._unsorted.append(accepted)
            self._live[message_id] = accepted
        return "accepted"

    def _sort(self, number: int = sys.maxsize) -> None:
        """Put what was accepted, at most *number*, into its lanes; the caller's call need not wait for that."""
        try:
            while self._unsorted and number > 0:
                number -= 1
                self._sort_in(_Held(self._unsorted.popleft()))
        except BaseException:
            self._mend(())
            raise

    def _sort_in(self, held: _Held) -> None:
        lane = self._lanes.get(held.keys[0]) if len(held.keys) == 1 else None
        if lane is None:
            lane = self._lane_of(held.keys)
        lane.held.append(held)
        lane.size += 1
        now = held.accepted_at
        if len(lane.held) == 1 or (held.upserts and lane.due_at > now and self._only_waits(lane)):
            lane.due_at = now
            self._offer(lane)

    def _lane_of(self, keys: tuple[str, ...]) -> _Lane:
        """Return the lane of *keys*, joined from all the lanes that hold one of them."""
        lanes = self._lanes
        found: _Lane | None = None
        for key in keys:
            lane = lanes.get(key)
            if lane is None:
                continue
            if found is None:
                found = lane
            elif lane is not found:
                found = self._join(found, lane)
        if found is None:
            found = _Lane()
        for key in keys:
            if lanes.get(key) is not found:
                lanes[key] = found
                found.keys.append(key)
        return found

    def _join(self, one: _Lane, other: _Lane) -> _Lane:
        """Fold the smaller lane into the larger one."""
        small, large = (one, other) if len(one.held) < len(other.held) else (other, one)
        had_both = bool(small.held and large.held)
        due_at = max(small.due_at, large.due_at) if had_both else (small if small.held else large).due_at
        large.held = list(heapq.merge(large.held, small.held, key=_seq))
        large.leased += small.leased
        large.size += small.size
        large.due_at = due_at
        if large.waits_since is None:
            large.waits_since = small.waits_since
        small.joined = large
        small.held = []
        for key in small.keys:
            self._lanes[key] = large
        large.keys += small.keys
        self._offer(large)
        return large

    def _only_waits(self, lane: _Lane) -> bool:
        return all(other.is_waiting or other.attempts == 0 for other in lane.held)

    def _offer(self, lane: _Lane) -> None:
        if lane.held and not lane.leased:
            self._tickets += 1
            heapq.heappush(self._due, (lane.due_at, self._tickets, lane))

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        made: list[int] = []
        try:
            while len(self._unsorted) > _SORTED_AT_ONCE:
                with self._lock:
                    self._sort(_SORTED_AT_ONCE)
            with self._lock:
                return self._claim(now, limit, made)
        except BaseException:
            with self._lock:
                self._mend(made)
            raise

    def _claim(self, now: float, limit: int, made: list[int]) -> Claim | None:
        self._sort()
        if now < self._latest - _SET_BACK:
            self._make_due(now)
            self._latest = now
        self._latest = max(self._latest, now)
        while self._due and self._due[0][0] <= now:
            due_at, _, lane = heapq.heappop(self._due)
            if not self._is_current(due_at, lane):
                continue
            self._tickets += 1
            number = self._tickets
            made.append(number)
            taken = self._take(lane, limit)
            lane.leased += 1
            self._claims[number] = (lane, {held.seq: held for held in taken})
            return Claim(number, tuple(held.entry(lane.waits_since) for held in taken))
        return None

    def _take(self, lane: _Lane, limit: int) -> list[_Held]:
        """Take the first *limit* messages; the upserts behind a longer row of waiting ones come along (rule M2)."""
        taken = lane.held[:limit]
        if len(lane.held) > limit and all(held.is_waiting for held in taken):
            taken += [held for held in lane.held[limit:] if held.upserts][:limit]
        chosen = {held.seq for held in taken}
        lane.held = [held for held in lane.held if held.seq not in chosen]
        return taken

    def _is_current(self, due_at: float, lane: _Lane) -> bool:
        return lane.joined is None and not lane.leased and bool(lane.held) and lane.due_at == due_at

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        try:
            with self._lock:
                self._settle(claim, settlements, now)
        except BaseException:
            with self._lock:
                self._mend((claim.lane,))
            raise

    def _settle(self, claim: Claim, settlements: Sequence[Settlement], now: float) -> None:
        lease = self._claims.get(claim.lane)
        if lease is None:
            return
        lane, leased = _root(lease[0]), lease[1]
        back: list[_Held] = []
        due_at = now
        for settlement in settlements:
            held = leased[settlement.seq]
            if settlement.kind in ("ack", "bury"):
                if settlement.kind == "bury":
                    self._bury(held, settlement, now)
                self._forget(held, lane)
                continue
            self._put_back(held, settlement, now)
            if settlement.kind != "release":
                due_at = max(due_at, settlement.due_at)
            back.append(held)
        settled = {settlement.seq for settlement in settlements}
        back.extend(held for held in leased.values() if held.seq not in settled)
        del self._claims[claim.lane]
        kinds = {settlement.kind for settlement in settlements}
        is_blocked = "retry" in kinds
        if "wait" not in kinds:
            lane.waits_since = None
        elif lane.waits_since is None:
            lane.waits_since = now
        self._return(lane, back, due_at, now, is_blocked=is_blocked)

    def _put_back(self, held: _Held, settlement: Settlement, now: float) -> None:
        if settlement.kind == "release":
            return
        held.attempts += 1
        held.failures += settlement.failed
        held.is_waiting = settlement.kind == "wait"
        if held.is_waiting and held.waiting_since is None:
            held.waiting_since = now

    def _return(self, lane: _Lane, back: list[_Held], due_at: float, now: float, *, is_blocked: bool) -> None:
        """Put what is left of a claim before what came meanwhile; an upsert passes what only waits for its contact."""
        lane.leased -= 1
        if back:
            lane.held = list(heapq.merge(back, lane.held, key=_seq))
        brings_contact = any(held.upserts and not held.is_waiting for held in lane.held)
        lane.due_at = now if brings_contact and not is_blocked else due_at
        self._offer(lane)

    def _forget(self, held: _Held, lane: _Lane) -> None:
        self._live.pop(held.message_id, None)
        lane.size -= 1
        if lane.size == 0:
            for key in lane.keys:
                del self._lanes[key]
            lane.keys.clear()

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Leases in memory do not end."""
        return claim.lane in self._claims

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        with self._lock:
            self._sort()
            while self._due and not self._is_current(self._due[0][0], self._due[0][2]):
                heapq.heappop(self._due)
            return self._due[0][0] if self._due else None

    def mark(self) -> int:
        """Return the seq of the newest message."""
        return self._seq

    def pending(self) -> int:
        """Count what is not settled."""
        return len(self._live)

    def has_pending(self, up_to: int) -> bool:
        """Tell whether a message with ``seq <= up_to`` is not settled."""
        with self._lock:
            first = next(iter(self._live.values()), None)
            return first is not None and first[0] <= up_to

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest unsettled message was accepted."""
        with self._lock:
            first = next(iter(self._live.values()), None)
            return None if first is None else first[-1]

    def tallies(self) -> Tallies:
        """Return how many dead letters had to leave; duplicates are found at once."""
        return Tallies(evicted=self._dead_id - self._dead_taken - len(self._dead))

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._lock:
            self._sort()
            self._make_due(now)

    def _make_due(self, now: float) -> None:
        for lane in self._all_lanes():
            if lane.held and lane.due_at > now:
                lane.due_at = now
                self._offer(lane)

    def _all_lanes(self) -> list[_Lane]:
        # Those of messages about nobody have no key.
        found = {id(lane): lane for lane in self._lanes.values()}
        found.update((id(lane), lane) for _, _, lane in self._due if lane.joined is None)
        return list(found.values())

    def has_claims(self) -> bool:
        """Tell whether a claim is out."""
        return bool(self._claims)

    def withdraw(self) -> list[Withdrawn]:
        """Forget the messages that are not leased, and return them in the order of acceptance."""
        with self._lock:
            self._sort()
            lanes = self._all_lanes()
            going = sorted((held for lane in lanes for held in lane.held), key=_seq)
            for lane in lanes:
                held_now, lane.held = lane.held, []
                for held in held_now:
                    self._forget(held, lane)
            return [Withdrawn(held.message(), held.keys, held.upserts, held.accepted_at) for held in going]

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the unleased messages that carry one of *keys*."""
        dropped: list[_Held] = []
        try:
            with self._lock:
                self._sort()
                self._drop(frozenset(keys), dropped)
        except BaseException:
            with self._lock:
                self._mend(())
            raise
        return [held.message() for held in sorted(dropped, key=_seq)]

    def _drop(self, wanted: frozenset[str], dropped: list[_Held]) -> None:
        for lane in {id(lane): lane for key in wanted if (lane := self._lanes.get(key)) is not None}.values():
            going = [held for held in lane.held if wanted.intersection(held.keys)]
            lane.held = [held for held in lane.held if not wanted.intersection(held.keys)]
            for held in going:
                self._forget(held, lane)
            dropped += going
            self._offer(lane)

    def _mend(self, revoked: Sequence[int]) -> None:
        """
        Sort everything anew, after Ctrl-C or a signal's handler that exits struck in the midst of a change.

        What was accepted and not settled is in ``_live``; where it stood in its lane, and until when that had to wait, is given up.

        Args:
            revoked: Claims that nobody has any more.
        """
        known = {held.seq: held for lane in self._all_lanes() for held in lane.held}
        for number in revoked:
            if (lease := self._claims.pop(number, None)) is not None:
                known.update(lease[1])
        claims = {number: tuple(leased.values()) for number, (_, leased) in self._claims.items()}
        leased = {held.seq for own in claims.values() for held in own}
        self._unsorted.clear()
        self._lanes, self._due = {}, []
        for number, own in claims.items():
            lane = self._lane_of(tuple({key: None for held in own for key in held.keys}))
            lane.leased += 1
            lane.size += sum(held.message_id in self._live for held in own)
            self._claims[number] = (lane, self._claims[number][1])
        for accepted in sorted(self._live.values()):
            if accepted[0] not in leased:
                self._sort_in(known.get(accepted[0]) or _Held(accepted))

    # --- dead letters ---------------------------------------------------------------------------------

    def _bury(self, held: _Held, settlement: Settlement, now: float) -> None:
        self._dead_id += 1
        self._dead.append(
            DeadLetter(
                id=self._dead_id,
                message=held.message(),
                reason=settlement.reason or "unknown",
                answer=settlement.answer,
                attempts=held.attempts + 1,
                accepted_at=held.accepted_at,
                died_at=now,
            )
        )

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep a message that was never buffered as a dead letter."""
        with self._lock:
            self._dead_id += 1
            self._dead.append(
                DeadLetter(
                    id=self._dead_id,
                    message=message,
                    reason=reason,
                    answer=None,
                    attempts=0,
                    accepted_at=now,
                    died_at=now,
                )
            )

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with self._lock:
            found = [letter for letter in self._dead if letter.id > after and reason in (None, letter.reason)]
        return found[:limit]

    def count_dead(self) -> dict[str, int]:
        """Return reason -> number."""
        counts: dict[str, int] = {}
        with self._lock:
            for letter in self._dead:
                counts[letter.reason] = counts.get(letter.reason, 0) + 1
        return counts

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Remove dead letters and return them."""
        with self._lock:
            taken = [
                letter
                for letter in self._dead
                if (ids is None or letter.id in ids) and reason in (None, letter.reason)
            ][:1000]
            gone = {letter.id for letter in taken}
            self._dead_taken += len(taken)
            self._dead = deque(
                (letter for letter in self._dead if letter.id not in gone), maxlen=self._dead_limit
            )
        return taken

    def store(self) -> Store | None:
        """Memory keeps nothing beyond the process."""
        return None

    def after_fork(self) -> None:
        """Begin empty: what the parent holds, the parent delivers (rule W3)."""
        self._begin()

    def close(self) -> None:
        """Nothing is open."""


def _root(lane: _Lane) -> _Lane:
    while lane.joined is not None:
        lane = lane.joined
    return lane
