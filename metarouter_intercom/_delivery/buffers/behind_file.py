"""
The messages in memory behind a spool's file, and their way back into it (rules O1, Q3).

What the file holds of a contact was accepted before what memory holds of the same one, and is delivered before it.
"""

from __future__ import annotations

import json
import math
import threading
from operator import attrgetter
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Claim
from .memory import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..._types import JsonObject
    from ...plugins import Acceptance
    from .memory import MemoryBuffer
    from .spool import SpoolBuffer

# Seconds between two attempts to move messages from memory into the file.
_MOVE_EVERY = 1.0
# Seconds until the next attempt while messages from memory are being delivered.
_SHORT_PAUSE = 0.1
# So many messages in memory are enough to deliver from there for a while, and so many leave no room there for more.
_TAKEN = 200
_MOST_TAKEN = 5_000
# So many contacts are looked for in the file before one claim, and one of whom it holds messages again after so many seconds.
_LOOKED_FOR = 100
_LOOK_AGAIN_AFTER = 0.5


class BehindFile:
    """
    Puts messages into memory, and from there into the file, so that none overtakes another.

    Args:
        spool: The file.
        memory: For what it cannot take.

    Attributes:
        is_used: New messages go into memory.
        is_move_waiting: The move into the file waits for messages from memory that are being delivered; no more are claimed until then.
        move_at: When the next move is due.
        unspooled: How many messages the file could not take.
    """

    def __init__(self, spool: SpoolBuffer, memory: MemoryBuffer) -> None:
        self._spool = spool
        self._memory = memory
        self._lock = threading.Lock()
        self._moves = 0
        # The ids of the messages that were moved last, which are counted already.
        self._moved: set[object] = set()
        # As of the last look, each contact whose messages are due has earlier ones in the file.
        self._is_blocked = False
        self.is_used = False
        self.is_move_waiting = False
        self.move_at = 0.0
        self.unspooled = 0

    def use(self) -> None:
        """Put new messages into memory from now on."""
        with self._lock:
            self.is_used = True

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Put *message*, and later ones, into memory."""
        with self._lock:
            self.is_used = True
            acceptance = self._memory.accept(message, keys=keys, upserts=upserts, now=now)
            self.unspooled += acceptance == "accepted"
            return acceptance

    def pending(self) -> int:
        """Count the messages in memory, and not in the middle of a move into the file."""
        with self._lock:
            return self._memory.pending()

    # --- into the file, and out of it -----------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Return whether messages should be moved now; the upper bound is for a clock that was set back."""
        return self.is_used and not now < self.move_at <= now + _MOVE_EVERY

    def move(self, now: float) -> SpoolFailed | None:
        """Move the messages into the file if none of them is being delivered, and return why it does not take them all."""
        with self._lock:
            self.is_move_waiting = self._memory.has_claims()
            if self.is_move_waiting:
                self.move_at = now + _SHORT_PAUSE
                return None
            self.move_at = now + _MOVE_EVERY
            error = self._move_all()
            self.is_used = error is not None
            return error

    def move_all(self) -> SpoolFailed | None:
        """Move what is not being delivered, whatever is; return why the file does not take the rest."""
        with self._lock:
            return self._move_all()

    def _move_all(self) -> SpoolFailed | None:
        failure: SpoolFailed | None = None
        self._moves += 1
        going = self._memory.withdraw()
        if going:
            self._moved = {withdrawn.message["messageId"] for withdrawn in going}
        for withdrawn in going:
            acceptance: Acceptance = "full"
            if failure is None:
                message, keys, upserts, accepted_at = withdrawn
                try:
                    acceptance = self._spool.accept(message, keys=keys, upserts=upserts, now=accepted_at)
                except SpoolFailed as error:
                    failure = error
            if acceptance == "full":
                self._put_back(withdrawn)
                failure = failure or SpoolFailed("spool: full; messages stay in memory until it has room")
        return failure

    def _put_back(self, withdrawn: Withdrawn) -> None:
        message, keys, upserts, accepted_at = withdrawn
        self._memory.accept(message, keys=keys, upserts=upserts, now=accepted_at)

    def take_part(self) -> list[JsonObject]:
        """
        Take some messages out of the full file into memory, to deliver them from there; none when memory has enough that can be.

        Raises:
            SpoolFailed: That is not possible.
        """
        with self._lock:
            if self._memory.pending() >= (_MOST_TAKEN if self._is_blocked else _TAKEN):
                return []
            lines = self._spool.take_part()
            taken = [
                Withdrawn(json.loads(line.body), tuple(line.keys), line.upserts, line.accepted_at)
                for line in lines
            ]
            # They were accepted before most of those in memory.
            others = self._memory.withdraw() if lines else []
            for withdrawn in sorted(taken + others, key=attrgetter("accepted_at")):
                self._put_back(withdrawn)
            self.unspooled += sum(line.message_id not in self._moved for line in lines)
            self.is_used = self.is_used or bool(lines)
        return [withdrawn.message for withdrawn in taken]

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int, is_readable: bool) -> Claim | None:
        """
        Lease the due messages of a contact of whom the file holds none; the claim has negative numbers.

        Args:
            now: As for ``plugins.Buffer.claim``.
            limit: As there.
            is_readable: The file can be read; if it cannot, nobody knows when its messages will be delivered, and nothing waits for them.
        """
        moves = self._moves
        up_to = self._free_keys(now) if is_readable else None
        with self._lock:
            # After a move, the file may hold what was looked for before.
            is_current = moves == self._moves
            claim = self._memory.claim_up_to(up_to, now=now, limit=limit) if is_current else None
        return None if claim is None else negative(claim)

    def claim_from_full(self, *, now: float, limit: int, take: Callable[[], bool]) -> Claim | None:
        """
        Lease while the file can be read only, because there is no room.

        Args:
            now: As for ``plugins.Buffer.claim``.
            limit: As there.
            take: Calls ``take_part``; False when that brought nothing.
        """
        while True:
            claim = self.claim(now=now, limit=limit, is_readable=True)
            if claim is not None:
                return claim
            if not take():
                # There is no room in memory either, to put the messages in order: better in another one than never.
                is_stuck = self._is_blocked and self._memory.pending() >= _MOST_TAKEN
                return self.claim(now=now, limit=limit, is_readable=False) if is_stuck else None

    def _free_keys(self, now: float) -> Mapping[str, float] | None:
        """
        Return the keys of contacts of whom the file holds nothing earlier -> since when it holds something; put off the others.

        Only of those that are first in memory.
        """
        lanes = self._memory.first_due(now=now, limit=_LOOKED_FOR)
        keys = {key for lane, _ in lanes for key in lane}
        try:
            earliest = self._spool.earliest(keys)
        except SpoolFailed:
            return None
        held = {key for lane, at in lanes for key in lane if earliest.get(key, at) < at}
        if lanes:
            self._is_blocked = not any(held.isdisjoint(lane) for lane, _ in lanes)
        self._memory.put_off(held, until=now + _LOOK_AGAIN_AFTER)
        return {key: earliest.get(key, math.inf) for key in keys - held}


def negative(claim: Claim) -> Claim:
    """Negate the numbers of a claim, and back: a claim of memory has negative ones, so that it is not mistaken for one of the file."""
    entries = tuple(entry._replace(seq=-entry.seq) for entry in claim.entries)
    return Claim(-claim.lane, entries)
