"""
From the journals of all processes into the database, and what becomes of journals whose process died or whose files vanished.

Knows when to ingest and whom to take over; how a line gets into a lane is the ingester's business.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ..safely import safe_log
from .delivery_notes import notes
from .ingest import Ingester
from .journal import Journal
from .journal_lines import journal_sizes, read_lines
from .journal_owners import lock_dead_owners, owner_of, remove_file, remove_owner, strays
from .moving import move_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .database import Database
    from .journal_lines import Line
    from .lanes import Lanes
    from .notices import Notices
    from .room import Room
    from .spool_files import SpoolFiles
    from .workspaces import SpoolWorkspaces

_log = safe_log
# Lines ingested in one transaction: it takes some 30 ms, in which no other process can write.
_LINES_AT_ONCE = 2_000
# No message is put off for more seconds than this; a later due time was noted before the clock was set back.
_MAX_DELAY = 3600.0


class Intake:
    """
    The journals of one spool, as one process sees them; the caller of every method but ``save`` holds the database's lock.

    Args:
        database: Of the spool.
        files: Of the spool.
        notices: Takes what people should know.
        room: Says how much goes into one transaction.
        workspaces: Says for which workspace a line is.
        sync: Write each line through to the disk.
        credentials: The fingerprint of the client's.

    Attributes:
        lock: Held while something is written to the journal.
        journal: Of this process.
        pending: Messages in the database, as of the last look.
        ingested: Lines of our journal that were ingested, as of the last look; less those set aside that were not.
        saved: Messages that were saved from journals of ours which another program removed or changed.
        lost: Messages in such journals that could not be read any more.

    Raises:
        SpoolFailed: The journals' folder cannot be written to.
    """

    def __init__(
        self,
        database: Database,
        files: SpoolFiles,
        *,
        notices: Notices,
        room: Room,
        workspaces: SpoolWorkspaces,
        sync: bool,
        credentials: str,
    ) -> None:
        self.lock = threading.Lock()
        self.journal = Journal(files.folder, sync=sync, credentials=credentials)
        self.pending = 0
        self.ingested = 0
        self._aside = 0
        self.ingester = Ingester(database.run, files.folder, workspaces)
        self._workspaces = workspaces
        self._database = database
        self._files = files
        self._notices = notices
        self._room = room
        self.saved = self.lost = 0
        self._told: set[tuple[str, str]] = set()
        # The parts of our journal that are not in the database yet, and the contact keys of their lines, as of the last look.
        self._waiting: tuple[list[tuple[str, int, int]], dict[str, float]] = [], {}

    @property
    def waiting(self) -> int:
        """Messages that are not settled, as far as is known without a look at the database."""
        return self.pending + max(0, self.journal.appended - self.ingested)

    # --- ingesting ------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Ingest what is new."""
        if self.ingester.has_news():
            self.ingest()

    def ingest(self) -> None:
        """Move the lines of all journals into the database, in as many transactions as it takes."""
        is_more = True
        while is_more:
            self.settle_end()
            try:
                with self._database.leaving_pages(), self._database.transaction():
                    is_more = self.ingester.ingest(_LINES_AT_ONCE, self._room.bytes_at_once)
                    self.read_numbers()
            except BaseException:
                self.ingester.undo()
                raise
            self._restart_journal()
            is_more = is_more and not self._room.is_tight
        self._tell_skipped()
        if self.journal.salvaged:
            self._remove_salvaged()

    def settle_end(self) -> None:
        """Note what an interrupted call wrote."""
        with self.lock:
            self.journal.settle_end()

    def read_numbers(self) -> None:
        """Note how many messages there are."""
        self.pending, seq = self._database.fetch_one("SELECT pending, seq FROM numbers")
        self._workspaces.open_after(seq)
        self._count_ingested()

    def _count_ingested(self) -> None:
        lines = self.ingester.lines
        self._aside = sum(
            max(0, number - lines.get(name, 0)) for name, number in tuple(self.journal.salvaged.items())
        )
        self.ingested = lines.get(self.journal.name, 0) - self._aside

    def set_aside(self) -> None:
        """Part our journal, so that each part gives back its room when it is ingested."""
        self.settle_end()
        if self.journal.size < 2 * self._room.longest_journal:
            return
        with self._database.transaction(), self.lock:
            self.journal.set_aside(self.ingester.position(self.journal.name), self._room.piece())
            self._count_ingested()

    def move(self) -> None:
        """Move what waited under other credentials to the client's workspace; ``identify`` found out what does (rule Q7)."""
        if move_messages(self._database, self.ingester, self._workspaces, at_once=_LINES_AT_ONCE):
            self.read_numbers()

    def waiting_keys(self) -> Mapping[str, float]:
        """Return the contact keys of the lines of our journal that are not in the database yet -> when the first was accepted."""
        spans = self._waiting_spans()
        if spans != self._waiting[0]:
            keys: dict[str, float] = {}
            for name, start, end in spans:
                with contextlib.suppress(
                    OSError
                ):  # another program took the file: what it held is looked for by the next claim
                    for line in read_lines(self._files.folder, name, start=start, end=end):
                        for key in line.keys:
                            keys[key] = min(line.accepted_at, keys.get(key, line.accepted_at))
            self._waiting = spans, keys
        return self._waiting[1]

    def _waiting_spans(self) -> list[tuple[str, int, int]]:
        sizes, positions = journal_sizes(self._files.folder), self.ingester.positions
        return [
            (name, positions.get(name, 0), sizes[name])
            for name in (self.journal.name, *self.journal.salvaged)
            if sizes.get(name, 0) > positions.get(name, 0)
        ]

    def take_part(self) -> list[Line]:
        """Take some lines out of our journal, because the database cannot take any and there is no room; none if there are no more."""
        self.settle_end()
        with self._database.transaction(), self.lock:
            positions = {
                name: self.ingester.position(name) for name in (self.journal.name, *self.journal.salvaged)
            }
            start = positions[self.journal.name]
            try:
                lines = self.journal.take(start, self._room.longest_journal, positions)
            except OSError:
                lines = []  # it cannot be read now: another program took it
            self._count_ingested()
            return [line for line in lines if not self.ingester.is_known(line.message_id)]

    def _restart_journal(self) -> None:
        with self.lock:
            journal = self.journal
            if self.ingester.positions.get(journal.name) != journal.size:
                return
            if (removed := journal.restart(self._room.longest_journal)) is not None:
                self.ingester.forget(removed)
                self._count_ingested()

    def _remove_salvaged(self) -> None:
        with self.lock:
            for name in tuple(self.journal.salvaged):
                if name in self.ingester.positions and not self.ingester.has_news_of(name):
                    self.journal.remove_salvaged(name)
                    self.ingester.forget(name)

    def _tell_skipped(self) -> None:
        for name, fault in self.ingester.unreadable.items():
            self._tell_once(
                name, f"cannot be read ({fault}); grant this process the right to read it, or remove it"
            )
        for name, number in self.ingester.damaged.items():
            self._tell_once(name, f"is damaged: {number} bytes in it are no message; they were skipped")

    def _tell_strays(self) -> None:
        folder = self._files.folder
        for name in strays(folder):
            self._tell_once(name, "is no plain file; remove it")
        for name in self.ingester.torn():
            if not os.path.exists(os.path.join(folder, f"{owner_of(name)}.lock")):
                self._tell_once(
                    name, "ends in something that is no message, and no process owns it; remove it"
                )

    def _tell_once(self, name: str, fault: str) -> None:
        if (name, fault) in self._told:
            return
        self._told.add((name, fault))
        path = self._files.database
        self._notices.add(
            SpoolFailed(f"spool: {path}: {name} was skipped because it {fault}"),
            lambda: _log.warning(
                "spool %s: %s was skipped because it %s",
                path,
                name,
                fault,
                extra={"journal": name, "fault": fault},
            ),
        )

    @property
    def skipped(self) -> int:
        """How many journals could not be read, completely or in part."""
        return len({name for name, _ in self._told})

    # --- processes that died --------------------------------------------------------------------------

    def take_over(self, now: float, lanes: Lanes) -> None:
        """Take over what dead processes left, and leases that were not renewed in time."""
        self._tell_strays()
        dead = lock_dead_owners(self._files.folder, self.journal.owner)
        try:
            if dead:
                self.ingest()
            noted = list(notes(self._files.folder, dead))
            with self._database.transaction():
                lanes.end_claims(dead, now)
                for _, credentials, message_ids in noted:
                    lanes.acknowledge_noted(message_ids, self._workspaces.number_of(credentials))
                lanes.make_due(now, beyond=now + _MAX_DELAY)
        except BaseException:
            for lock in dead.values():
                os.close(lock)
            raise
        for name, _, _ in noted:
            remove_file(self._files.folder, name)
        for owner, lock in dead.items():
            self._remove_owner(owner, lock)

    def _remove_owner(self, owner: str, lock: int) -> None:
        """Remove the files of a dead process, whose journals were ingested."""
        names = [name for name in journal_sizes(self._files.folder) if owner_of(name) == owner]
        if any(name in self.ingester.unreadable or self.ingester.has_news_of(name) for name in names):
            # What cannot be read or was not ingested yet stays, in case that changes.
            os.close(lock)
            return
        ends = {name: self.ingester.positions.get(name, 0) for name in names}
        for name, position in remove_owner(self._files.folder, owner, lock=lock, ends=ends).items():
            _log.warning(
                "spool %s: journal %s ends in an incomplete line at byte %s",
                self._files.database,
                name,
                position,
                extra={"journal": name, "position": position},
            )
        self.ingester.forget(*ends)

    # --- files that vanished --------------------------------------------------------------------------

    def check_files(self) -> None:
        """Save our journal if it no longer has its name."""
        with self.lock:
            if not self.journal.is_in_place():
                self.save()

    def save(self) -> None:
        """Save the lines of a journal whose files were removed or changed; the caller holds ``lock``, and perhaps not the database's."""
        name = self.journal.name
        expected = self.journal.written - self.ingested - self._aside
        saved = self.journal.replace(self.ingester.positions.get(name, 0))
        self.ingester.forget(name)
        self._count_ingested()
        path, lost = self._files.database, max(0, expected - saved)
        self.saved += saved
        self.lost += lost
        text = f"journal {name} was removed or changed by another program: {saved} messages were saved, {lost} are lost"
        self._notices.add(
            SpoolFailed(f"spool: {path}: {text}; keep other programs away from {self._files.folder}"),
            lambda: _log.warning(
                "spool %s: journal %s was removed or changed by another program (messages saved: %d, lost: %d)",
                path,
                name,
                saved,
                lost,
                extra={"journal": name, "saved": saved, "lost": lost},
            ),
        )
