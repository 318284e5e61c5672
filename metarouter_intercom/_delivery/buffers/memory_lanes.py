"""The lanes of the buffer in memory (rules O1, M2): which messages belong together, and when they are due; knows no claims and no lock."""

from __future__ import annotations

import heapq
import json
import marshal
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from ...plugins import Entry

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from ..._types import JsonObject
    from ...plugins import Settlement

# What ``accept`` stores, and no more, because the caller waits for it: seq, packed message, message id, keys, whether it upserts, when.
Packed: TypeAlias = "tuple[int, bytes, str, tuple[str, ...], bool, float]"
# The same with the message as it is, if nobody else has it: then a worker packs it.
Accepted: TypeAlias = "tuple[int, bytes | JsonObject, str, tuple[str, ...], bool, float]"
# The version of marshal that packs short texts into few bytes, the same on every supported Python; the bytes never leave the process.
_FORMAT = 4

by_seq = attrgetter("seq")


def pack(message: JsonObject) -> bytes:
    """Return a copy of *message* as bytes."""
    try:
        return marshal.dumps(message, _FORMAT)
    except ValueError:
        # A key of a text class of the caller's own; as JSON it is the plain text that it equals.
        return marshal.dumps(json.loads(json.dumps(message)), _FORMAT)


def packed(accepted: Accepted) -> Packed:
    """Return *accepted* with its message as bytes."""
    seq, body, message_id, keys, upserts, accepted_at = accepted
    packed_body = body if isinstance(body, bytes) else pack(body)
    return seq, packed_body, message_id, keys, upserts, accepted_at


class Buffered:
    """One buffered message in its lane. Its body stays packed: that is small, and shares nothing with the caller."""

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

    def __init__(self, accepted: Packed) -> None:
        self.seq, self.body, self.message_id, self.keys, self.upserts, self.accepted_at = accepted
        self.attempts = 0
        self.failures = 0
        self.is_waiting = False
        self.waiting_since: float | None = None

    def message(self) -> JsonObject:
        """Unpack the message; each call returns a new copy."""
        message: JsonObject = marshal.loads(self.body)
        return message

    def note_attempt(self, settlement: Settlement, now: float) -> None:
        """Count an attempt that did not deliver it."""
        self.attempts += 1
        self.failures += settlement.failed
        self.is_waiting = settlement.kind == "wait"
        if self.is_waiting and self.waiting_since is None:
            self.waiting_since = now

    def entry(self, lane_waits_since: float | None) -> Entry:
        """Return what a claim contains of it."""
        since = self.waiting_since
        if since is None and lane_waits_since is not None:
            # It waits behind others for the same contact: since they began to wait, or since it was accepted, whichever is later.
            since = max(lane_waits_since, self.accepted_at)
        return Entry(self.seq, self.message(), self.accepted_at, self.attempts, self.failures, since)


class Lane:
    """
    Messages that share a contact key, in the order of acceptance.

    Attributes:
        messages: Those that are not leased.
        keys: The keys that lead to this lane.
        leased: How many claims of it are open.
        size: The number of its messages, leased ones included.
        due_at: When the first message may be claimed.
        waits_since: Since when it waits for its contact without a break, or None.
        joined: The lane that this one was merged into, or None.
    """

    __slots__ = ("due_at", "joined", "keys", "leased", "messages", "size", "waits_since")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.messages: list[Buffered] = []
        self.leased = 0
        self.size = 0
        self.due_at = 0.0
        self.waits_since: float | None = None
        self.joined: Lane | None = None

    def root(self) -> Lane:
        """Return the lane that this one is part of now."""
        lane = self
        while lane.joined is not None:
            lane = lane.joined
        return lane


class MemoryLanes:
    """Finds the lane of a key, and the lane that is due longest. Its owner holds the lock."""

    def __init__(self) -> None:
        self._by_key: dict[str, Lane] = {}
        # One item for each time a lane became claimable; those that are out of date are skipped.
        self._due: list[tuple[float, int, Lane]] = []
        self._items = 0

    def add(self, buffered: Buffered) -> None:
        """Put a message at the end of its lane."""
        lane = self._by_key.get(buffered.keys[0]) if len(buffered.keys) == 1 else None
        if lane is None:
            lane = self.lane_of(buffered.keys)
        lane.messages.append(buffered)
        lane.size += 1
        now = buffered.accepted_at
        if len(lane.messages) == 1 or (buffered.upserts and lane.due_at > now and _only_waits(lane)):
            lane.due_at = now
            self.schedule(lane)

    def lane_of(self, keys: tuple[str, ...]) -> Lane:
        """Return the lane of *keys*: a new one, or all lanes that these keys lead to, joined into one."""
        by_key = self._by_key
        joined: Lane | None = None
        for key in keys:
            lane = by_key.get(key)
            if lane is None:
                continue
            if joined is None:
                joined = lane
            elif lane is not joined:
                joined = self._join(joined, lane)
        if joined is None:
            joined = Lane()
        for key in keys:
            if by_key.get(key) is not joined:
                by_key[key] = joined
                joined.keys.append(key)
        return joined

    def _join(self, one: Lane, other: Lane) -> Lane:
        """Merge the smaller lane into the larger one, and return the larger."""
        small, large = (one, other) if len(one.messages) < len(other.messages) else (other, one)
        both_filled = bool(small.messages and large.messages)
        due_at = (
            max(small.due_at, large.due_at) if both_filled else (small if small.messages else large).due_at
        )
        large.messages = list(heapq.merge(large.messages, small.messages, key=by_seq))
        large.leased += small.leased
        large.size += small.size
        large.due_at = due_at
        if large.waits_since is None:
            large.waits_since = small.waits_since
        small.joined = large
        small.messages = []
        for key in small.keys:
            self._by_key[key] = large
        large.keys += small.keys
        self.schedule(large)
        return large

    def schedule(self, lane: Lane) -> None:
        """Make it possible to find *lane* by its due time, if it can be claimed at all."""
        if lane.messages and not lane.leased:
            self._items += 1
            heapq.heappush(self._due, (lane.due_at, self._items, lane))

    def pop_due(self, now: float, keys: Container[str] | None = None) -> Lane | None:
        """
        Return the lane that is due longest, and forget when it was due; None when no lane is due.

        Args:
            now: Seconds.
            keys: Only a lane that has no other keys than these, if it is the first one; None for any lane.
        """
        due = self._due
        while due and due[0][0] <= now:
            due_at, _, lane = due[0]
            if keys is not None and _is_current(due_at, lane) and not all(key in keys for key in lane.keys):
                return None
            heapq.heappop(due)
            if _is_current(due_at, lane):
                return lane
        return None

    def first_due(self, now: float, limit: int) -> list[Lane]:
        """Return the lanes that are due longest, at most *limit*."""
        due = self._due
        items: list[tuple[float, int, Lane]] = []
        while due and due[0][0] <= now and len(items) < limit:
            item = heapq.heappop(due)
            if _is_current(item[0], item[2]):
                items.append(item)
        for item in items:
            heapq.heappush(due, item)
        return [lane for _, _, lane in items]

    def put_off(self, lanes: Sequence[Lane], until: float) -> None:
        """Make *lanes* due no earlier than *until*."""
        for lane in lanes:
            if lane.due_at < until:
                lane.due_at = until
                self.schedule(lane)

    def next_due_at(self) -> float | None:
        """Return when the next lane is due; None when no lane can be claimed."""
        due = self._due
        while due and not _is_current(due[0][0], due[0][2]):
            heapq.heappop(due)
        return due[0][0] if due else None

    def put_back(
        self, lane: Lane, messages: list[Buffered], *, due_at: float, now: float, is_blocked: bool
    ) -> None:
        """
        End one lease of *lane*, and put what is left of the claim before what was accepted in the meantime.

        Args:
            lane: Of the claim.
            messages: Those that stay.
            due_at: When the lane is due.
            now: When it is due instead, if it only waits for its contact and contains an upsert that may bring it.
            is_blocked: A message waits for a retry, so no upsert may pass it.
        """
        lane.leased -= 1
        if messages:
            lane.messages = list(heapq.merge(messages, lane.messages, key=by_seq))
        brings_contact = any(message.upserts and not message.is_waiting for message in lane.messages)
        lane.due_at = now if brings_contact and not is_blocked else due_at
        self.schedule(lane)

    def remove_one(self, lane: Lane) -> None:
        """Count a message of *lane* out; a lane without messages is forgotten."""
        lane.size -= 1
        if lane.size == 0:
            for key in lane.keys:
                del self._by_key[key]
            lane.keys.clear()

    def make_due(self, now: float) -> None:
        """Make every lane due that waits for a later time."""
        for lane in self.every():
            if lane.messages and lane.due_at > now:
                lane.due_at = now
                self.schedule(lane)

    def every(self) -> list[Lane]:
        """Return all lanes that hold a message without a lease, and perhaps others."""
        # The lane of a message without keys can be found by its due time only.
        lanes = {id(lane): lane for lane in self._by_key.values()}
        lanes.update((id(lane), lane) for _, _, lane in self._due if lane.joined is None)
        return list(lanes.values())

    def with_any_key(self, keys: Iterable[str]) -> list[Lane]:
        """Return the lanes that *keys* lead to."""
        lanes = (self._by_key.get(key) for key in keys)
        return list({id(lane): lane for lane in lanes if lane is not None}.values())


def take(lane: Lane, limit: int, up_to: Mapping[str, float] | None = None) -> list[Buffered]:
    """
    Take the first *limit* messages out of *lane*. If they all wait for their contact, upserts from behind them come along (rule M2).

    Args:
        lane: It has a message.
        limit: How many.
        up_to: Key -> until when messages were accepted that may be taken.
    """
    messages = lane.messages[:limit]
    if up_to is not None and lane.keys:
        latest = min(up_to[key] for key in lane.keys)
        messages = [message for message in messages if message.accepted_at <= latest]
    if len(lane.messages) > limit and all(message.is_waiting for message in messages):
        messages += [message for message in lane.messages[limit:] if message.upserts][:limit]
    seqs = {message.seq for message in messages}
    lane.messages = [message for message in lane.messages if message.seq not in seqs]
    return messages


def _only_waits(lane: Lane) -> bool:
    return all(message.is_waiting or message.attempts == 0 for message in lane.messages)


def _is_current(due_at: float, lane: Lane) -> bool:
    """Return whether an item of the due times is up to date."""
    return lane.joined is None and not lane.leased and bool(lane.messages) and lane.due_at == due_at
