"""Claims and settles the messages of a spool (rules O1, Q8); every method runs while its caller holds the database's lock."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, TypeVar

from ...errors import SpoolFailed
from .lanes import Lanes
from .write_ahead import WriteAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ..._types import JsonObject
    from ...plugins import Claim, Settlement
    from .database import Database
    from .dead_letters import DeadLetterTable
    from .file_repair import FileRepair
    from .history_table import HistoryTable
    from .intake import Intake
    from .notices import Notices
    from .room import Room
    from .workspaces import SpoolWorkspaces

_T = TypeVar("_T")
# Seconds between two looks for processes that died.
_TAKE_OVER_EVERY = 1.0
# A clock that goes back by more seconds than this makes everything due: due times noted before mean nothing now.
_SET_BACK = 60.0
# Messages that are delivered, or forgotten in one transaction, while there is hardly any room.
_FEW = 5


class Deliveries:
    """
    What one process delivers from a spool.

    Args:
        database: Of the spool.
        dead: Its table of dead letters.
        history: Its table of the ends of messages.
        room: On its volume.
        repair: Of its files.
        notices: Takes what people should know.
        workspaces: Says which messages this process may deliver.
        lease: Seconds after which the claim of a process that hangs is open to other processes.

    Attributes:
        latest_now: The latest moment that a claim was made at.
        write_ahead: The file beside the database.
    """

    def __init__(
        self,
        database: Database,
        dead: DeadLetterTable,
        *,
        history: HistoryTable,
        room: Room,
        repair: FileRepair,
        notices: Notices,
        workspaces: SpoolWorkspaces,
        lease: float,
    ) -> None:
        self.latest_now = 0.0
        self.write_ahead = WriteAhead(database, notices)
        self._database = database
        self._dead = dead
        self._history = history
        self._room = room
        self._repair = repair
        self._workspaces = workspaces
        self._lanes = Lanes(database, lease)
        self._taken_over_at: float | None = None

    def claim(self, intake: Intake, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        return self._with_room(intake, lambda: self._claim(intake, now, limit))

    def _with_room(self, intake: Intake, step: Callable[[], _T]) -> _T:
        """Run *step*, and again if room could be made for it."""
        try:
            return step()
        except SpoolFailed as error:
            if not self._is_room_made(intake, error):
                raise
        try:
            return step()
        except SpoolFailed as error:
            if not error.is_full:
                raise
            self._room.forget()
            return step()

    def _is_room_made(self, intake: Intake, error: SpoolFailed) -> bool:
        if not self._room.is_made(error):
            return False
        intake.set_aside()
        return True

    def _claim(self, intake: Intake, now: float, limit: int) -> Claim | None:
        self._repair.check(intake, now)
        self._follow_clock(now)
        if self._taken_over_at is None or abs(now - self._taken_over_at) >= _TAKE_OVER_EVERY:
            self._taken_over_at = now
            self._room.recover()
            if self._room.is_tight:
                intake.set_aside()
            self.write_ahead.check()
            intake.take_over(now, self._lanes)
            self._write_history()
        # On a full disk, what is in the database is delivered first: that makes room for more.
        if not self._room.is_tight or not self._is_due(now):
            intake.catch_up()
        intake.move()
        if not self._is_due(now):
            return None
        if self._room.is_tight:
            limit = min(limit, _FEW)
        with self._database.transaction():
            self._workspaces.own()
            claim = self._lanes.claim(intake.journal.owner, now, limit, self._workspaces.claimable())
        if claim is None:
            return None
        claim = claim._replace(lane=self._repair.outside(claim.lane))
        self._repair.recent.add_claimed(claim)
        return claim

    def _is_due(self, now: float) -> bool:
        due_at = self.due_at()
        return due_at is not None and due_at <= now

    def _follow_clock(self, now: float) -> None:
        if now < self.latest_now - _SET_BACK:
            with self._database.transaction():
                self._lanes.make_all_due(now)
            self.latest_now = now
        self.latest_now = max(self.latest_now, now)

    def due_at(self) -> float | None:
        """Return when the next lane that this process may deliver is due."""
        with self._database.translated_errors():
            return self._lanes.due_at(self._workspaces.claimable())

    def next_due_at(self, now: float) -> float | None:
        """Return when something can be claimed next."""
        due_at = self.due_at()
        if not self._workspaces.moves and not self._room.is_tight:
            return due_at
        # What another process is delivering moves when it has settled that; and where room is short, each look may give some back.
        return min(now + _TAKE_OVER_EVERY, math.inf if due_at is None else due_at)

    def earliest(self, intake: Intake, keys: Collection[str]) -> dict[str, float]:
        """
        Return those of *keys* that messages of the client carry -> since when they hold back later ones of the same contact (rule O1).

        Minus infinity for what is in the database, otherwise when the first message in our journal was accepted.
        """
        with self._database.translated_errors():
            held = self._lanes.held_keys(keys, self._workspaces.own_number())
        waiting = intake.waiting_keys()
        return {key: waiting[key] for key in keys if key in waiting} | dict.fromkeys(held, -math.inf)

    def has_pending(self, up_to: int | None, in_journals: int) -> bool:
        """
        Return whether a message with ``seq <= up_to`` waits that this process may deliver, or that moves to its workspace.

        Args:
            up_to: None for everything in the file.
            in_journals: How many messages are known to wait, for a file that has none yet.
        """
        seq: int | None = self._database.fetch_one("SELECT MIN(seq) FROM messages")[0]
        if seq is None:
            return up_to is None and in_journals > 0
        with self._database.translated_errors():
            return self._lanes.has_messages(2**62 if up_to is None else up_to, self._workspaces.awaited())

    def settle(self, intake: Intake, claim: Claim, settlements: Sequence[Settlement], now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        current, ends = self._repair.translated(claim, settlements)
        try:
            self._settle(intake, current, ends, now)
        except SpoolFailed as error:
            if not self._is_room_made(intake, error):
                raise
            self._settle_in_parts(intake, current, ends, now)
        self._repair.forget(claim)
        self._repair.recent.add_settled(claim, settlements)

    def _settle_in_parts(
        self, intake: Intake, claim: Claim, settlements: Sequence[Settlement], now: float
    ) -> None:
        """Forget few messages at a time, because each transaction needs room for what it changes; the last one ends the lease."""
        message_ids = {entry.seq: str(entry.message["messageId"]) for entry in claim.entries}
        acks = [one for one in settlements if one.kind == "ack"]
        for start in range(0, len(acks), _FEW):
            with self._database.transaction():
                self._lanes.acknowledge(acks[start : start + _FEW], message_ids, self._workspaces.own())
            self._database.checkpoint()
        self._settle(intake, claim, [one for one in settlements if one.kind != "ack"], now)

    def _settle(self, intake: Intake, claim: Claim, settlements: Sequence[Settlement], now: float) -> None:
        with self._database.transaction():
            lane = self._lanes.end_lease(claim.lane)
            message_ids = {entry.seq: str(entry.message["messageId"]) for entry in claim.entries}
            self._history.add_buffered(settlements, now, is_lease_ours=lane is not None)
            acks = [one for one in settlements if one.kind == "ack"]
            self._lanes.acknowledge(acks, message_ids, self._workspaces.own())
            # When the lease was lost, the process that has it now settles the other messages.
            if lane is not None:
                buried = [one for one in settlements if one.kind == "bury"]
                for one in buried:
                    self._dead.bury_buffered(one, now)
                self._lanes.remove([one.seq for one in buried])
                self._lanes.put_back(lane, settlements, now)
            intake.read_numbers()

    def renew(self, claim: Claim, now: float) -> bool:
        """Lengthen the lease; False when it was lost."""
        with self._database.transaction():
            return self._lanes.renew(self._repair.inner(claim.lane), now)

    def make_due(self, now: float) -> None:
        """Make every lane due at once."""
        with self._database.transaction():
            self._lanes.make_all_due(now)

    def drop(self, intake: Intake, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased."""
        intake.catch_up()
        with self._database.transaction():
            bodies = self._lanes.drop(keys, self._workspaces.own())
            intake.read_numbers()
        return [json.loads(body) for body in bodies]

    def _write_history(self) -> None:
        with self._database.transaction():
            self._history.write()

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message was accepted; None when there is none."""
        query = "SELECT (SELECT accepted_at FROM messages ORDER BY seq LIMIT 1)"
        accepted_at: float | None = self._database.fetch_one(query)[0]
        return accepted_at

    def end(self, intake: Intake) -> bool:
        """Ingest our journal, end the claims of this process and write what it knows of ended messages; False if a line is left."""
        self._repair.check(intake, self.latest_now)
        intake.ingest()
        with self._database.transaction():
            self._lanes.end_claims(intake.journal.owners, float("-inf"))
        self._write_history()
        return intake.ingester.positions.get(intake.journal.name, 0) == intake.journal.size
