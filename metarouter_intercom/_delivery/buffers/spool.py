"""The spool (rules Q3 to Q5, Q8, O1, W4, X1): messages in a SQLite file that several processes share; knows nothing of Intercom."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ...plugins import Tallies
from ..report import SpoolState
from ..safely import safe_log
from .boot_times import shared_offset
from .database import Database
from .dead_letters import DeadLetterTable, SpoolDeadLetters
from .deliveries import Deliveries
from .delivery_notes import write_note
from .event_seconds import SpoolSeconds
from .file_repair import FileRepair
from .history_table import HistoryTable
from .intake import Intake
from .notices import Notices
from .room import Room
from .schema import BUSY_TIMEOUT, create_file
from .spool_files import find_spool_files
from .store import SpoolStore
from .workspaces import SpoolWorkspaces

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..._intercom.event_seconds import SecondsStore
    from ..._types import JsonObject
    from ...plugins import Acceptance, Claim, HistoryStore, Settlement, Store
    from .file_watch import Fault
    from .journal_lines import Line

_log = safe_log
# With so many lines in our journal, the caller ingests them itself: the workers are late, or there are none.
_MAX_JOURNAL_LINES = 2_000
# Seconds that the ingest in a caller's thread waits for another process; a worker can do it later.
_CALLER_WAITS = 0.02
# Seconds that closing waits for our own threads, and again for other processes.
_CLOSING_WAITS = 0.25
# A mark of everything, for a caller that must not wait until the file can be read.
EVERYTHING = 2**62


class SpoolBuffer(SpoolDeadLetters):
    """
    Implements ``plugins.Buffer`` and ``plugins.DeadLetterStore`` in a file; see there for what each method does.

    ``accept`` appends a line to this process's journal beside the file. The process that claims next ingests the journals of all
    processes into the database, each line exactly once, in the order of acceptance. When a process dies, the next look of another
    one takes over its journal and its leases: the kernel ends the lock that the dead process held.

    Args:
        path: Of the database; its folder must be there. The journals are in ``<path>-intake``.
        limit: How many messages it holds, those of all processes together.
        dead_letters, history: How many dead letters and ended messages it keeps; the oldest are removed first.
        sync: With ``normal`` a message survives the end of the process, with ``full`` also that of the machine.
        lease: Seconds after which the claim of a process that hangs is open to other processes.
        busy_timeout: Seconds that a statement waits while another process has the file locked. Calls that only want to know something
            wait a quarter of a second.
        credentials: The fingerprint of the client's, to which the accepted messages belong (rule Q7); empty for the first one's.
        mapping: The client's mapping settings, to be kept in the file; None keeps what another client wrote.
        must_open: Raise if the files cannot be used now; False tries again with every call.

    Attributes:
        lease: As passed.
        opening_failure: Why the files could not be used at first; None when they could.
        notices: What people should know about the files.

    Raises:
        ConfigurationError: The path cannot be a file.
        SpoolFailed: The file cannot be opened; the text names the remedy.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limit: int,
        dead_letters: int,
        history: int = 0,
        sync: str = "normal",
        lease: float = 60.0,
        busy_timeout: float = BUSY_TIMEOUT,
        credentials: str = "",
        mapping: Mapping[str, str] | None = None,
        must_open: bool = True,
    ) -> None:
        self._credentials, self._mapping = credentials, mapping
        self._files = find_spool_files(path)
        self._path = self.path = self._files.database
        self._limit, self._dead_limit, self._history_limit = limit, dead_letters, history
        self._sync, self.lease = sync, lease
        self._busy_timeout = busy_timeout
        self.opening_failure: SpoolFailed | None = None
        self._begin()
        try:
            self.pending()
        except BaseException as error:
            # In a folder that is not there, the file will never be: the path is wrong.
            is_wrong = not os.path.isdir(os.path.dirname(self._path))
            if must_open or is_wrong or not isinstance(error, SpoolFailed):
                self.close()
                raise
            self.opening_failure = error

    def _begin(self) -> None:
        self._is_closed = False
        self.notices = Notices()
        self._database = Database(self._path, sync=self._sync, busy_timeout=self._busy_timeout)
        self._database.on_other_file = self._meet_other_file
        self._room = Room(self._database, self._files, self.notices)
        self._workspaces = SpoolWorkspaces(self._database, self._credentials, self._mapping)
        self._repair = FileRepair(
            self._database, self._files, self.notices, workspaces=self._workspaces, lease=self.lease
        )
        self._dead = DeadLetterTable(self._database.run, self._dead_limit)
        self._history = HistoryTable(self._database, self._history_limit, self._room.is_plenty)
        self._deliveries = Deliveries(
            self._database,
            self._dead,
            history=self._history,
            room=self._room,
            repair=self._repair,
            notices=self.notices,
            workspaces=self._workspaces,
            lease=self.lease,
        )
        self._store = SpoolStore(self._database, self._workspaces)
        self._event_seconds = SpoolSeconds(self._database, self._workspaces, self._room)
        self._intake: Intake | None = None
        self._is_delivering = False

    @property
    def _own_intake(self) -> Intake:
        """This process's journal; makes it on first use, or if that failed before."""
        if self._is_closed:
            raise self._closed()
        if (intake := self._intake) is None:
            with self._database.lock:
                intake = self._intake = self._intake or self._new_intake()
        return intake

    def _new_intake(self) -> Intake:
        create_file(self._path)
        intake = Intake(
            self._database,
            self._files,
            notices=self.notices,
            room=self._room,
            workspaces=self._workspaces,
            sync=self._sync == "full",
            credentials=self._credentials,
        )
        self._room.prepare()
        return intake

    def _meet_other_file(self, fault: Fault) -> None:
        if self._intake is not None:
            self._repair.meet_other_file(self._intake, fault)

    # --- accepting ------------------------------------------------------------------------------------

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        """Write *message* to the journal; see ``plugins.Buffer``."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        intake = self._intake or self._own_intake
        journal = intake.journal
        lines = journal.end[1] - intake.ingested
        if intake.pending + lines >= self._limit and self._is_full(intake):
            return "full"
        with intake.lock:
            if self._is_closed:
                raise self._closed()
            if self._room.is_tight:
                self._room.check_accepting()
            is_in_place = journal.append(message, keys=keys, upserts=upserts, message_id=message_id, now=now)
            if not is_in_place:
                intake.save()
        if not is_in_place:
            self.notices.publish()
        if lines >= _MAX_JOURNAL_LINES and lines % (_MAX_JOURNAL_LINES // 4) == 0:
            # Ingested here when no worker does it. A thread that uses the database does, before its next claim, so it is not waited for.
            with contextlib.suppress(SpoolFailed), self._database.briefly(_CALLER_WAITS, for_threads=0.0):
                intake.ingest()
        return "accepted"

    def _is_full(self, intake: Intake) -> bool:
        """Count again, but do not wait for a locked file."""
        with contextlib.suppress(SpoolFailed), self._database.briefly(_CALLER_WAITS):
            intake.catch_up()
            intake.read_numbers()
        return intake.waiting >= self._limit

    def _closed(self) -> SpoolFailed:
        return SpoolFailed(f"spool: {self._path} was closed; make a new client")

    # --- delivering -----------------------------------------------------------------------------------

    def claim(self, *, now: float, limit: int) -> Claim | None:
        """Lease the due messages of one lane; see ``plugins.Buffer``."""
        intake = self._own_intake
        try:
            with self._database.turn():
                self._is_delivering = True
                return self._deliveries.claim(intake, now, limit)
        finally:
            self.notices.publish()

    def take_part(self) -> list[Line]:
        """Take messages out of the file's journal that can be delivered from memory only, because there is no room at all."""
        with self._database.turn():
            return self._own_intake.take_part()

    def earliest(self, keys: Collection[str]) -> dict[str, float]:
        """Return those of *keys* that messages in the file carry -> since when they hold back later ones; see ``Deliveries.earliest``."""
        intake = self._own_intake
        with self._database.turn():
            return self._deliveries.earliest(intake, keys)

    def settle(self, claim: Claim, settlements: Sequence[Settlement], *, now: float) -> None:
        """End the lease; see ``plugins.Buffer``."""
        intake = self._own_intake
        try:
            with self._database.turn():
                self._deliveries.settle(intake, claim, settlements, now)
        finally:
            self.notices.publish()

    def note_delivered(self, message_ids: Sequence[str]) -> bool:
        """Let the next process settle what the file cannot settle now; False when that is not possible."""
        return write_note(self._files.folder, self._own_intake.journal.owner, self._credentials, message_ids)

    def renew(self, claim: Claim, *, now: float) -> bool:
        """Lengthen the lease; False when it was lost."""
        with self._database.turn():
            return self._deliveries.renew(claim, now)

    def next_due_at(self, *, now: float) -> float | None:
        """Return when something can be claimed next."""
        intake = self._own_intake
        with self._database.turn():
            return now if intake.ingester.has_news() else self._deliveries.next_due_at(now)

    def make_due(self, *, now: float) -> None:
        """Make every lane due at once."""
        with self._database.briefly():
            self._deliveries.make_due(now)

    def drop(self, keys: Sequence[str]) -> list[JsonObject]:
        """Forget the messages that carry one of *keys* and are not leased."""
        intake = self._own_intake
        with self._database.lock:
            return self._deliveries.drop(intake, keys)

    # --- counting -------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return the seq of the newest message accepted so far; while the file is locked, a mark of everything."""
        intake = self._own_intake
        try:
            with self._database.briefly():
                self._look(intake)
                return self._repair.outside(self._database.fetch_one("SELECT seq FROM numbers")[0])
        except SpoolFailed as error:
            if error.is_passing:
                return EVERYTHING
            raise
        finally:
            self.notices.publish()

    def _look(self, intake: Intake) -> None:
        self._repair.check(intake, self._deliveries.latest_now)
        intake.catch_up()

    def pending(self) -> int:
        """Count the messages of all processes that are not settled; after ``close``, the number at that time."""
        if self._is_closed:
            return self.known_pending
        intake = self._own_intake
        try:
            with self._database.briefly():
                if not self._is_closed:
                    self._look(intake)
                    intake.read_numbers()
                    if not self._is_delivering:
                        # A server that forks outside Python runs no hook before the fork. If it has only loaded the application, no
                        # connection may be open then.
                        self._database.disconnect()
                return intake.waiting
        finally:
            self.notices.publish()

    @property
    def known_pending(self) -> int:
        """How many messages are not settled, as far as is known without a look at the file."""
        return 0 if self._intake is None else self._intake.waiting

    def has_pending(self, up_to: int) -> bool:
        """Return whether a message with ``seq <= up_to`` is not settled yet."""
        with self._database.briefly():
            return self._deliveries.has_pending(self._repair.inside(up_to), self.known_pending)

    def oldest_accepted_at(self) -> float | None:
        """Return when the oldest message that is not settled was accepted; None when there is none, or the spool is closed."""
        if self._is_closed:
            return None
        with self._database.briefly():
            return self._deliveries.oldest_accepted_at()

    def tallies(self) -> Tallies:
        """Return the duplicates found by the ingest, and how many dead letters were removed."""
        duplicates = 0 if self._intake is None else self._intake.ingester.duplicates
        return Tallies(late_duplicates=duplicates, evicted=self._dead.evicted)

    def state(self) -> SpoolState:
        """Return what is known about the files."""
        state = SpoolState(write_ahead=self._deliveries.write_ahead.size, fault=self.notices.latest)
        return state if self._intake is None else self._repair.state(self._intake, state)

    # --- the process ----------------------------------------------------------------------------------

    def store(self) -> Store | None:
        """Return the table that the processes share."""
        return self._store

    def workspaces(self) -> SpoolWorkspaces:
        """What the file knows of the workspaces whose messages it holds."""
        return self._workspaces

    def history(self) -> HistoryStore:
        """Return the table of the last ends of messages, which the processes share."""
        return self._history

    def event_seconds(self) -> SecondsStore:
        """Return the table of the seconds of events, which the processes share."""
        return self._event_seconds

    def after_fork(self) -> None:
        """Make a lock, a journal and a connection of our own; those of the parent are left alone (rule W3)."""
        if self._is_closed:
            return
        self._database.after_fork_in_child()
        if self._intake is not None:
            self._intake.journal.leave()
        self._begin()
        try:
            self.pending()
        except SpoolFailed as error:
            if not error.is_passing:  # the end of a short lock is not waited for here
                raise

    def steady_offset(self, *, monotonic: float, wall: float) -> float:
        """Return what to add to the monotonic clock to get the time of all processes that share the file."""
        return shared_offset(self._database, monotonic=monotonic, wall=wall, stays_open=self._is_delivering)

    def hurry(self) -> None:
        """Wait only briefly for other processes from now on, because ``close`` follows."""
        self._database.hurry()

    def reopen(self) -> None:
        """Open the file again after ``close``, for the messages of late exit handlers."""
        self._begin()

    def close(self) -> None:
        """Ingest the journal, end our leases and release the files; what a locked file does not let us do is left to the next process."""
        if self._is_closed:
            return
        intake = self._intake
        if intake is None:
            self._is_closed = True
            self._database.close()
            return
        is_ingested = False
        try:
            with self._database.briefly(_CLOSING_WAITS):
                try:
                    with intake.lock:
                        self._is_closed = True
                    is_ingested = self._deliveries.end(intake)
                finally:
                    self._database.close()
        except SpoolFailed as error:
            self._is_closed = True
            _log.error(
                "spool %s: closing failed, the next process that opens the file completes it: %s",
                self._path,
                error,
                exc_info=True,
                extra={"fault": str(error)},
            )
        # If the journal was removed and its row is still in the database, the next ingest removes the row.
        intake.journal.close(is_ingested=is_ingested)
        self._room.leave()
        self.notices.publish()
