"""Moves lines from the journals into the tables: each line once, in the order of acceptance, into its contact's lane (rules Q5, O1)."""

from __future__ import annotations

import json
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING

from .journal_lines import SALVAGED, Line, credentials_of, journal_sizes, read_lines
from .workspaces import scoped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .workspaces import Move, SpoolWorkspaces

_KNOWN = "SELECT EXISTS (SELECT 1 FROM messages WHERE message_id = ?), EXISTS (SELECT 1 FROM delivered WHERE message_id = ?)"


class Ingester:
    """
    Moves lines from journals into lanes.

    Args:
        run: Runs a statement in the spool's file.
        folder: Of the journals.
        workspaces: Says which workspace the lines of a journal are for.

    Attributes:
        positions: Journal -> bytes ingested, as of the last look.
        lines: Journal -> lines ingested.
        duplicates: Lines left out because their message id had been accepted before.
        unreadable: Journal -> why it cannot be read; it is skipped, and looked at again with the next news.
        damaged: Journal -> bytes of it that are no lines, and were skipped.
        repeated: Journal -> bytes of it that were ingested before, into a file that was lost.
    """

    def __init__(self, run: Callable[..., sqlite3.Cursor], folder: str, workspaces: SpoolWorkspaces) -> None:
        self._run = run
        self._workspaces = workspaces
        self._folder = folder
        self.positions: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self.duplicates = 0
        self._duplicates_before = 0
        self.unreadable: dict[str, str] = {}
        self.damaged: dict[str, int] = {}
        self.repeated: dict[str, int] = {}
        # Journals that could not be read to their end, with their size at that time: an incomplete line is no news until it grows.
        self._torn: dict[str, int] = {}
        self._before = self.positions, self.lines, self._torn

    def has_news(self) -> bool:
        """Return whether a journal has lines that were not ingested; needs no transaction."""
        return any(self._is_news(name, size) for name, size in journal_sizes(self._folder).items())

    def has_news_of(self, name: str) -> bool:
        """Return whether one journal has lines that were not ingested."""
        size = journal_sizes(self._folder).get(name)
        return size is not None and self._is_news(name, size)

    def _is_news(self, name: str, size: int) -> bool:
        return size not in (self.positions.get(name, 0), self._torn.get(name))

    def torn(self) -> dict[str, int]:
        """Return the journals that end in something that is no line -> their size."""
        return dict(self._torn)

    def forget(self, *names: str) -> None:
        """Forget journals that were removed; needs no transaction."""
        for name in names:
            self.positions.pop(name, None)
            self.lines.pop(name, None)
            self._torn.pop(name, None)
            self.unreadable.pop(name, None)
            self.damaged.pop(name, None)
            self.repeated.pop(name, None)

    def ingest(self, limit: int, most_bytes: int) -> bool:
        """Ingest at most *limit* lines and about *most_bytes*, inside a transaction of the caller; True when there may be more."""
        known = self._known_journals()
        read_until = dict(known)
        self._duplicates_before = self.duplicates
        self._before = self.positions, self.lines, self._torn
        first = journal_sizes(self._folder)
        self._forget_removed(known, first)
        # The second look is for the order: a line that the first look found may be newer than one that another process wrote into a
        # journal which that look had already passed. Lines that are newer than all of the first look wait for the next time.
        sizes = journal_sizes(self._folder) if len(first) > 1 else first
        unread = {name for name, size in first.items() if size > read_until.get(name, (0, 0))[0]}
        batch = Batch(self._run)
        numbers: dict[str, int] = {}
        is_full = False
        for name, line in self._in_order(sizes, read_until):
            # A line that was saved from a removed journal may have been ingested before: the caller sent it once.
            if name not in numbers:
                numbers[name] = self._workspaces.number_of(credentials_of(name))
            is_new = batch.add(line, numbers[name]) is not None
            is_repeat = name.endswith(SALVAGED) or line.end <= self.repeated.get(name, 0)
            self.duplicates += not is_new and not is_repeat
            if line.skipped:
                self.damaged[name] = self.damaged.get(name, 0) + line.skipped
            read_until[name] = (line.end, read_until.get(name, (0, 0))[1] + 1)
            if line.end >= first.get(name, 0):
                unread.discard(name)
            most_bytes -= len(line.body)
            is_full = batch.size >= limit or most_bytes <= 0
            if is_full or not unread:
                break
        batch.finish()
        self._write_journals(read_until, known)
        self.positions = {name: read_until.get(name, (0, 0))[0] for name in sizes}
        self.lines = {name: read_until.get(name, (0, 0))[1] for name in sizes}
        self._torn = {} if is_full else {name: sizes[name] for name in unread}
        return is_full

    def move(self, move: Move, number: int, limit: int) -> bool:
        """
        Move at most *limit* messages to the workspace with that *number*, inside a transaction; True when there may be more.

        Those that a process is delivering stay until it has settled them. Each contact's messages keep their order.
        """
        rows = self._run(
            "SELECT m.seq, m.lane, m.message_id, m.keys, m.upserts, m.accepted_at FROM lanes AS l JOIN messages AS m"
            " ON m.lane = l.lane WHERE l.workspace = ? AND l.leased = 0 AND m.seq > ? ORDER BY m.seq LIMIT ?",
            (move.source, move.after, limit),
        ).fetchall()
        self._duplicates_before = self.duplicates
        self._before = self.positions, self.lines, self._torn
        batch = Batch(self._run)
        for seq, lane, stored_id, keys, upserts, accepted_at in rows:
            message_id = stored_id.removeprefix(scoped(move.source, ""))
            line = Line(accepted_at, bool(upserts), message_id, json.loads(keys), "", 0)
            self.duplicates += not batch.take(line, number, seq=seq, lane=lane)
        batch.finish()
        return len(rows) == limit

    def has_left(self, move: Move) -> bool:
        """Return whether messages of *move* are still being delivered."""
        query = (
            "SELECT 1 FROM lanes AS l JOIN messages AS m ON m.lane = l.lane"
            " WHERE l.workspace = ? AND l.leased > 0 AND m.seq > ? LIMIT 1"
        )
        return self._run(query, move).fetchone() is not None

    def undo(self) -> None:
        """Forget the last ``ingest``, because its transaction failed: the tables have nothing of it. Needs no transaction."""
        self.positions, self.lines, self._torn = self._before
        self.duplicates = self._duplicates_before

    def begin(self) -> None:
        """Forget every position, because another file has the tables now. Needs no transaction."""
        self.positions, self.lines, self._torn = self._before = {}, {}, {}
        self.duplicates = self._duplicates_before

    def is_known(self, message_id: str) -> bool:
        """Return whether a message of the client is in the file, or was delivered; inside a transaction."""
        scoped_id = scoped(self._workspaces.own_number(), message_id)
        return any(self._run(_KNOWN, (scoped_id, scoped_id)).fetchone())

    def position(self, name: str) -> int:
        """Return how many bytes of a journal were ingested; inside a transaction."""
        row = self._run("SELECT position FROM journals WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def _known_journals(self) -> dict[str, tuple[int, int]]:
        """Return name -> bytes and lines ingested so far."""
        rows = self._run("SELECT name, position, lines FROM journals").fetchall()
        return {name: (position, lines) for name, position, lines in rows}

    def _forget_removed(self, known: dict[str, tuple[int, int]], present: dict[str, int]) -> None:
        # The process that removed a journal may have died before it removed the row. A journal's name is never used again.
        for name in known.keys() - present.keys():
            self._run("DELETE FROM journals WHERE name = ?", (name,))

    def _write_journals(
        self, read_until: dict[str, tuple[int, int]], known: dict[str, tuple[int, int]]
    ) -> None:
        for name, (position, lines) in read_until.items():
            if (position, lines) != known.get(name):
                self._run("INSERT OR REPLACE INTO journals VALUES (?, ?, ?)", (name, position, lines))

    def _in_order(
        self, sizes: dict[str, int], read_until: dict[str, tuple[int, int]]
    ) -> Iterable[tuple[str, Line]]:
        streams = [
            self._dated(name, read_lines(self._folder, name, start=read_until.get(name, (0, 0))[0], end=size))
            for name, size in sizes.items()
            if size > read_until.get(name, (0, 0))[0]
        ]
        return ((name, line) for _, name, line in merge(*streams, key=itemgetter(0)))

    def _dated(self, name: str, lines: Iterator[Line]) -> Iterator[tuple[float, str, Line]]:
        """Yield each line with an instant that never goes back within one journal, whatever the clock did."""
        latest = 0.0
        try:
            for line in lines:
                latest = max(latest, line.accepted_at)
                yield latest, name, line
        except OSError as error:
            self.unreadable[name] = error.strerror or str(error)
        else:
            self.unreadable.pop(name, None)


class Batch:
    """The lines of one transaction: each lane is looked up once, and the numbers are written once."""

    def __init__(self, run: Callable[..., sqlite3.Cursor]) -> None:
        self._run = run
        self._lanes: dict[str, int] = {}
        self._grown: dict[int, int] = {}
        self._upserted: dict[int, float] = {}
        self._seq: int
        self._lane: int
        self._seq, self._lane = run("SELECT seq, lane FROM numbers").fetchone()
        self._added = 0
        self.size = 0

    def add(self, line: Line, number: int) -> int | None:
        """
        Put a line into its lane of the workspace with that *number*; return its seq, None if its message id is buffered or was delivered.
        """
        self.size += 1
        message_id = scoped(number, line.message_id)
        if any(self._run(_KNOWN, (message_id, message_id)).fetchone()):
            return None
        lane = self._lane_of(line.keys, line.accepted_at, number)
        self._seq += 1
        self._run(
            "INSERT INTO messages (seq, lane, message_id, keys, upserts, body, accepted_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._seq,
                lane,
                message_id,
                json.dumps(line.keys),
                line.upserts,
                line.body,
                line.accepted_at,
            ),
        )
        self._added += 1
        self._grown[lane] = self._grown.get(lane, 0) + 1
        if line.upserts:
            self._upserted[lane] = line.accepted_at
        return self._seq

    def unite(self, keys: Sequence[str], number: int) -> None:
        """Let the lines that carry one of *keys*, and are for the workspace with that *number*, share a lane."""
        if len(keys) > 1:
            self._lane_of(keys, 0.0, number)

    def finish(self) -> None:
        """Write the numbers; a lane that waits for its contact is due if an upsert of the contact was added."""
        for lane, number in self._grown.items():
            self._run("UPDATE lanes SET size = size + ? WHERE lane = ?", (number, lane))
        for lane, at in self._upserted.items():
            self._run("UPDATE lanes SET due_at = MIN(due_at, ?) WHERE lane = ? AND blocked = 0", (at, lane))
        self._run(
            "UPDATE numbers SET seq = ?, lane = ?, pending = pending + ?",
            (self._seq, self._lane, self._added),
        )

    def take(self, line: Line, number: int, *, seq: int, lane: int) -> bool:
        """Move a buffered message out of *lane* into its lane of the workspace with that *number*; False if its id is known there."""
        run = self._run
        message_id = scoped(number, line.message_id)
        is_new = not any(run(_KNOWN, (message_id, message_id)).fetchone())
        if is_new:
            own_lane = self._lane_of(line.keys, line.accepted_at, number)
            run("UPDATE messages SET lane = ?, message_id = ? WHERE seq = ?", (own_lane, message_id, seq))
            self._grown[own_lane] = self._grown.get(own_lane, 0) + 1
            if line.upserts:
                self._upserted[own_lane] = line.accepted_at
        else:
            run("DELETE FROM messages WHERE seq = ?", (seq,))
            self._added -= 1
        run("UPDATE lanes SET size = size - 1 WHERE lane = ?", (lane,))
        if run("DELETE FROM lanes WHERE lane = ? AND size = 0", (lane,)).rowcount:
            run("DELETE FROM lane_keys WHERE lane = ?", (lane,))
        return is_new

    def _lane_of(self, plain_keys: Sequence[str], due_at: float, number: int) -> int:
        keys = [scoped(number, key) for key in plain_keys] if number else plain_keys
        lanes = {lane for key in keys if (lane := self._known(key)) is not None}
        if not lanes:
            self._lane += 1
            lane = self._lane
            self._run(
                "INSERT INTO lanes (lane, size, leased, blocked, due_at, workspace) VALUES (?, 0, 0, 0, ?, ?)",
                (lane, due_at, number),
            )
        else:
            lane = next(iter(lanes)) if len(lanes) == 1 else self._join(lanes)
        for key in keys:
            if self._lanes.get(key) != lane:
                self._run("INSERT OR REPLACE INTO lane_keys (key, lane) VALUES (?, ?)", (key, lane))
                self._lanes[key] = lane
        return lane

    def _known(self, key: str) -> int | None:
        lane = self._lanes.get(key)
        if lane is None:
            row = self._run("SELECT lane FROM lane_keys WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            lane = int(row[0])
            self._lanes[key] = lane
        return lane

    def _join(self, lanes: set[int]) -> int:
        """Merge the smaller lanes into the largest one, leases included."""
        sizes = {lane: self._size(lane) for lane in sorted(lanes)}
        large = max(sizes, key=sizes.__getitem__)
        for small in sizes:
            if small != large:
                self._merge(small, large)
        return large

    def _size(self, lane: int) -> int:
        row = self._run("SELECT size FROM lanes WHERE lane = ?", (lane,)).fetchone()
        return int(row[0]) + self._grown.get(lane, 0)

    def _merge(self, small: int, large: int) -> None:
        run = self._run
        size, leased, blocked, due_at, waits_since = run(
            "SELECT size, leased, blocked, due_at, waiting_since FROM lanes WHERE lane = ?", (small,)
        ).fetchone()
        run(
            "UPDATE lanes SET size = size + ?, leased = leased + ?, blocked = MAX(blocked, ?),"
            " due_at = MAX(due_at, ?), waiting_since = COALESCE(MIN(waiting_since, ?), waiting_since, ?)"
            " WHERE lane = ?",
            (size, leased, blocked, due_at, waits_since, waits_since, large),
        )
        run("UPDATE messages SET lane = ? WHERE lane = ?", (large, small))
        run("UPDATE lane_keys SET lane = ? WHERE lane = ?", (large, small))
        run("UPDATE claims SET lane = ? WHERE lane = ?", (large, small))
        run("DELETE FROM lanes WHERE lane = ?", (small,))
        self._grown[large] = self._grown.get(large, 0) + self._grown.pop(small, 0)
        if small in self._upserted:
            self._upserted[large] = max(self._upserted.pop(small), self._upserted.get(large, 0.0))
        for key, lane in self._lanes.items():
            if lane == small:
                self._lanes[key] = large
