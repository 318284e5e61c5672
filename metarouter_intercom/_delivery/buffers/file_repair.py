"""Notices that the files of a spool were removed, moved or replaced, and goes on with what is saved from them (rule Q8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Claim
from ..safely import safe_log
from .journal_owners import is_dead
from .recent import RecentDeliveries
from .replacement import Own, Replaced, Replacement, lease
from .workspaces import scoped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...plugins import Settlement
    from ..report import SpoolState
    from .database import Database
    from .file_watch import Fault
    from .intake import Intake
    from .notices import Notices
    from .replacement import MovedClaim
    from .spool_files import SpoolFiles
    from .workspaces import SpoolWorkspaces

_log = safe_log
# Numbers of claims and messages that callers have from different files are so far apart that they cannot be mistaken for each other.
_APART = 2**44


class FileRepair:
    """
    The files of one spool in one process; the caller of every method holds the database's lock.

    Args:
        database: Of the spool.
        files: Of the spool.
        notices: Takes what people should know.
        workspaces: Are told when another file has other numbers.
        lease: Seconds that a claim lasts.

    Attributes:
        saved: Messages that were moved from files that vanished.
        lost: Messages that could not be read any more.
        recent: What this process delivered lately.
    """

    def __init__(
        self,
        database: Database,
        files: SpoolFiles,
        notices: Notices,
        *,
        workspaces: SpoolWorkspaces,
        lease: float,
    ) -> None:
        self.saved = self.lost = 0
        self._database = database
        self._files = files
        self._notices = notices
        self._workspaces = workspaces
        self._lease = lease
        self._replacement = Replacement(database, files.folder)
        self._generation = 0
        self._moved: dict[int, MovedClaim] = {}
        self.recent = RecentDeliveries()
        self._is_replacing = False
        workspaces.inner = self.inner

    def check(self, intake: Intake, now: float) -> None:
        """
        Put right what is wrong with the files.

        Raises:
            SpoolFailed: That is not possible now; the open files stay in use.
        """
        fault = self._database.watch.fault()
        if fault is not None and self._database.connection is not None:
            self._is_replacing = True
            try:
                self._replace(intake, now)
            finally:
                self._is_replacing = False
        elif fault == "replaced":
            self._open_replaced()
        self._workspaces.reopen()
        intake.check_files()

    def state(self, intake: Intake, state: SpoolState) -> SpoolState:
        """Return *state* with the numbers of this process's files."""
        return state._replace(
            saved=self.saved + intake.saved, lost=self.lost + intake.lost, skipped=intake.skipped
        )

    def meet_other_file(self, intake: Intake, fault: Fault) -> None:
        """Note that another file has the name since the last time that ours was open: the journals may have what it lacks."""
        intake.ingester.begin()
        self._workspaces.leave()
        if not self._is_replacing:
            intake.ingester.repeated[intake.journal.name] = intake.journal.size
            self._tell(Replaced(fault, 0, 0, None))

    def _open_replaced(self) -> None:
        """Open a file that somebody put in place of ours while it was closed; one that is no spool gets another name."""
        try:
            self._database.run("PRAGMA user_version")
        except SpoolFailed as error:
            if "not a database" not in str(error):
                raise
            self._replacement.move_aside()

    def _replace(self, intake: Intake, now: float) -> None:
        journal = intake.journal
        folder = self._files.folder
        own = Own(journal.owner, journal.owners, now + self._lease, lambda owner: not is_dead(folder, owner))
        replaced = self._replacement.replace(pending=intake.pending, own=own)
        if replaced is None:
            return
        if replaced.claims is not None:
            before = self._generation * _APART
            self._moved = {
                **{number: self._followed(claim, replaced.claims) for number, claim in self._moved.items()},
                **{before + number: claim for number, claim in replaced.claims.items()},
            }
            self._generation += 1
            self._workspaces.leave()
        intake.ingester.begin()
        intake.read_numbers()
        if replaced.lost:
            replaced = self._recover(intake, replaced, own)
        self.saved += replaced.saved
        self.lost += replaced.lost
        self._tell(replaced)

    def _recover(self, intake: Intake, replaced: Replaced, own: Own) -> Replaced:
        """Ingest what our journal still has once more, except for what was delivered; what is being delivered stays claimed."""
        with self._database.transaction():
            number = self._workspaces.own()
            self._database.run_many(
                "INSERT OR IGNORE INTO delivered (message_id) VALUES (?)",
                ((scoped(number, message_id),) for message_id in self.recent.settled()),
            )
        intake.ingester.repeated[intake.journal.name] = intake.journal.size
        intake.ingest()
        with self._database.transaction():
            number = self._workspaces.own()
            claims = {claim.lane: self._found(claim, number) for claim in self.recent.claims()}
            self._moved.update((lane, lease(self._database.run, seqs, own)) for lane, seqs in claims.items())
        # What this process is delivering, and has in memory only, is not lost either.
        saved = intake.pending + sum(
            len(claim.entries) - len(claims[claim.lane]) for claim in self.recent.claims()
        )
        return replaced._replace(saved=saved, lost=max(0, replaced.lost - saved))

    def _found(self, claim: Claim, number: int) -> dict[int, int]:
        """Return seq in the earlier file -> in the new one of those messages of *claim* that were ingested again."""
        seqs = {}
        for entry in claim.entries:
            message_id = scoped(number, str(entry.message["messageId"]))
            row = self._database.run(
                "SELECT seq FROM messages WHERE message_id = ?", (message_id,)
            ).fetchone()
            if row is not None:
                seqs[entry.seq] = int(row[0])
        return seqs

    def _followed(self, claim: MovedClaim, claims: dict[int, MovedClaim]) -> MovedClaim:
        """Follow a claim of an even earlier file into the newest one."""
        newest = claims.get(claim.number)
        if newest is None:
            return claim._replace(seqs={})
        return newest._replace(
            seqs={seq: newest.seqs[middle] for seq, middle in claim.seqs.items() if middle in newest.seqs}
        )

    def _tell(self, replaced: Replaced) -> None:
        path = self._files.database
        fault, saved, lost = replaced.fault, replaced.saved, replaced.lost
        self._notices.add(
            SpoolFailed(
                f"spool: {path}: another program {_DEEDS[fault]}: {saved} messages were saved, {lost} are lost; "
                "keep other programs away from the spool while it is in use"
            ),
            lambda: _log.warning(
                "spool %s: another program changed its files: %s (messages saved: %d, lost: %d)",
                path,
                fault,
                saved,
                lost,
                extra={"fault": fault, "saved": saved, "lost": lost},
            ),
        )

    # --- numbers --------------------------------------------------------------------------------------

    def outside(self, number: int) -> int:
        """Return a number of the file as callers get it."""
        return number + self._generation * _APART

    def inside(self, number: int) -> int | None:
        """Return a caller's number as it is in the file; None when it is from an earlier file."""
        return number % _APART if number // _APART == self._generation else None

    def translated(self, claim: Claim, settlements: Sequence[Settlement]) -> tuple[Claim, list[Settlement]]:
        """Return a claim and its settlements with the numbers of the file that is in use now."""
        number = self.inside(claim.lane)
        if number is not None:
            return claim._replace(lane=number), list(settlements)
        moved = self._moved.get(claim.lane)
        seqs = {} if moved is None else moved.seqs
        # A message that is not in the new file has a seq that no message has; what was delivered is remembered by its id.
        entries = tuple(entry._replace(seq=seqs.get(entry.seq, -entry.seq)) for entry in claim.entries)
        return Claim(-1 if moved is None else moved.number, entries), [
            one._replace(seq=seqs.get(one.seq, -one.seq)) for one in settlements
        ]

    def forget(self, claim: Claim) -> None:
        """Forget a claim that was settled."""
        self._moved.pop(claim.lane, None)

    def inner(self, claim: int) -> int:
        """Return the number of a caller's claim in the file that is in use now."""
        number = self.inside(claim)
        if number is not None:
            return number
        moved = self._moved.get(claim)
        return -1 if moved is None else moved.number


_DEEDS = {
    "removed": "removed or moved the file",
    "replaced": "put another file in its place",
    "emptied": "emptied the file",
    "write-ahead": "removed a file beside it",
}
