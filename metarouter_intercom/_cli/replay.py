"""One run over one or more files: read and accept their messages, wait for the deliveries, show the progress. Knows no command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import attrs

from .._delivery.workspace import OTHER_WORKSPACE
from .._intercom.responses import VERSION_REFUSED
from ..errors import BufferFull, RejectedMessage
from ..messages._message_ids import file_message_id
from ..messages._wire_ids import names_itself
from .exit_codes import ExitCode, Failed
from .file_entries import FileEntry
from .formatting import echo, number_of
from .message_files import FileForm, read_messages
from .meter import Bar, Budget, Lines, ObservedTransport, clock_time, reason_to_wait, time_left
from .other_workspaces import left_to_deliver
from .progress import Progress, digest_of

if TYPE_CHECKING:
    from .._client.client import Client
    from .._delivery.report import Report
    from ..errors import Problem
    from .rejects import Rejects
    from .signals import StopFlag

# Seconds between two updates of the bar, and the longest time without a look at the stop flag.
POLL_SECONDS = 0.25
# Seconds between two lines where there is no terminal.
LINE_SECONDS = 30.0
# How many rejected messages are printed; all of them are in the rejects files.
_MAX_PRINTED = 20
_CONTINUE = "what was read is kept; run the same command again to continue"


@attrs.define(kw_only=True)
class ReplayFile:
    """
    One file of a run.

    Attributes:
        name: Name of the file in printed lines.
        open_stream: Opens it, as a context manager.
        form: How it is read.
        progress: What earlier runs have read; the run updates it.
        save: Writes the progress to disk.
        rejects: Receives rejected messages.
        size: Bytes of the file; None for a stream.
        is_read: The whole file was read.
        read_before: Messages that earlier runs have read.
        rejected_before: How many of them were rejected.
    """

    name: str
    open_stream: Callable[[], Any]
    form: FileForm = attrs.field(factory=FileForm)
    progress: Progress
    save: Callable[[], None]
    rejects: Rejects
    size: int | None
    is_read: bool = attrs.field(default=False, init=False)
    read_before: int = attrs.field(init=False)
    rejected_before: int = attrs.field(init=False)

    @read_before.default
    def _read_so_far(self) -> int:
        return self.progress.read

    @rejected_before.default
    def _rejected_so_far(self) -> int:
        return self.progress.rejected

    def entries(self, stream: IO[bytes]) -> Iterator[FileEntry]:
        """Yield what earlier runs have not read, after checking that what they have read has not changed."""
        entries = read_messages(stream, self.form)
        digest, number = "", 0
        while number < self.progress.read:
            entry = next(entries, None)
            if entry is None:
                break
            digest = digest_of(digest, entry)
            number += 1
        if self.progress.read and digest != self.progress.digest:
            raise Failed(
                f"{self.name}: not the file that was sent before; add --restart to send it from the beginning",
                ExitCode.FILE,
            )
        yield from entries


@attrs.define(kw_only=True)
class Replay:
    """
    Sends files, one after the other.

    Attributes:
        files: What is sent.
        client: Delivers in the background from a spool.
        bar: Shows the progress.
        lines: Shows it where there is no terminal.
        stop: Checked between two messages.
        transport: Counts the requests; None if nobody does.
        is_finished: Every file was read, and no message is pending.
    """

    files: Sequence[ReplayFile]
    client: Client
    bar: Bar
    stop: StopFlag
    lines: Lines = attrs.field(factory=lambda: Lines(None, every=LINE_SECONDS))
    transport: ObservedTransport | None = None
    is_finished: bool = attrs.field(default=False, init=False)
    _unreadable: int = attrs.field(default=0, init=False)
    _printed: int = attrs.field(default=0, init=False)
    _started_at: float = attrs.field(factory=time.monotonic, init=False)
    _shown_at: float = attrs.field(default=0.0, init=False)
    _settled_before: int | None = attrs.field(default=None, init=False)
    _is_estimated: bool = attrs.field(default=False, init=False)
    _is_told_of_others: bool = attrs.field(default=False, init=False)
    _budget: Budget = attrs.field(init=False)

    @_budget.default
    def _budget_of_settings(self) -> Budget:
        return Budget(self.client.settings.rate_limit_share)

    @property
    def is_interrupted(self) -> bool:
        """An interrupt ended the run before everything was delivered."""
        return self.stop.is_set and not self.is_finished

    @property
    def read(self) -> int:
        """Messages that were read, by earlier runs too."""
        return sum(file.progress.read for file in self.files)

    @property
    def rejected(self) -> int:
        """How many of them were rejected."""
        return sum(file.progress.rejected for file in self.files)

    def run(self) -> Report:
        """
        Read the files from where the last run stopped, and wait until every message is settled or an interrupt comes.

        The returned report is the client's, and counts as rejected also what is no message (``unreadable``).

        Raises:
            Failed: A file is not the one that earlier runs have read, or Intercom refuses the key.
        """
        try:
            is_read = all(self._read_file(file) for file in self.files)
            while is_read and self._is_left(self.client.flush(POLL_SECONDS)) and not self.stop.is_set:
                self._check_key()
                self._show()
        finally:
            report = self.client.close(timeout=0)
        self.is_finished = is_read and not report.pending
        if self.is_finished:
            for file in self.files:
                file.progress.sent_bytes = file.size
                file.save()
        self._show(report=report)
        if self._unreadable:
            return attrs.evolve(report, rejected={**report.rejected, "unreadable": self._unreadable})
        return report

    def _read_file(self, file: ReplayFile) -> bool:
        """Read to the end of *file*; False if an interrupt came first."""
        with file.open_stream() as stream:
            entries = file.entries(stream)
            while True:
                entry = self._next(file, entries)
                if entry is None:
                    # No entry means the end of a file. A stream may also have been interrupted while it was read.
                    file.is_read = file.size is not None or not self.stop.is_set
                    return file.is_read
                if self.stop.is_set or not self._take(file, entry):
                    return False
                self._show(file, stream)

    def _take(self, file: ReplayFile, entry: FileEntry) -> bool:
        progress = file.progress
        digest = digest_of(progress.digest, entry)
        if entry.message is None:
            self._reject(file, entry, [entry.problem])
            self._unreadable += 1
        elif not self._accept(file, entry, entry.message, file_message_id(digest)):
            return False
        progress.digest = digest
        progress.read += 1
        file.save()
        return True

    def _next(self, file: ReplayFile, entries: Iterator[FileEntry]) -> FileEntry | None:
        self.stop.raises = file.size is None
        try:
            return next(entries, None)
        except KeyboardInterrupt:
            return None
        finally:
            self.stop.raises = False

    def _accept(self, file: ReplayFile, entry: FileEntry, message: dict[str, Any], message_id: str) -> bool:
        """Send the message with the client, and wait while the buffer is full; False if an interrupt came first."""
        if not names_itself(message):
            # The same id whenever the file is read, so that the client recognises a message that it has accepted before.
            message = {**message, "messageId": message_id}
        while not self.stop.is_set:
            try:
                self.client.send(message)
            except BufferFull:
                self._check_key()
                self._show()
                continue
            except RejectedMessage as error:
                self._reject(file, entry, error.problems)
            return True
        return False

    def _reject(self, file: ReplayFile, entry: FileEntry, problems: Sequence[Problem]) -> None:
        file.progress.rejects_bytes = file.rejects.write(entry, problems)
        file.progress.rejected += 1
        self._printed += 1
        if self._printed > _MAX_PRINTED:
            return
        with self.bar.external_write_mode():
            for one in problems:
                echo(f"{entry.where(file.name, one.path)}: {one.fault}; {one.remedy}", err=True)
            if self._printed == _MAX_PRINTED:
                where = file.rejects.path if len(self.files) == 1 else "the rejects files"
                echo(f"more rejected messages are only written to {where}", err=True)

    def _is_left(self, report: Report) -> bool:
        """Return whether messages wait that this run can deliver; says once that others wait for another workspace."""
        left = left_to_deliver(self.client, report)
        if left < report.pending and not self._is_told_of_others:
            self._is_told_of_others = True
            with self.bar.external_write_mode():
                waiting = number_of(report.pending - left, "message waits", "messages wait")
                echo(
                    f"{waiting} in the spool for another workspace: use its key, or --setting adopt_spool=true",
                    err=True,
                )
        return bool(left)

    def _check_key(self) -> None:
        health = self.client.health()
        if health.reason == OTHER_WORKSPACE:
            return
        if health.status == "held" and health.reason == VERSION_REFUSED:
            version = self.client.settings.api_version
            raise Failed(
                f"Intercom refuses the API version {version} ({health.reason}); fix the setting api_version; {_CONTINUE}",
                ExitCode.SETTINGS,
            )
        if health.status == "held":
            raise Failed(
                f"Intercom no longer accepts the key ({health.reason}); fix the key; {_CONTINUE}",
                ExitCode.SETTINGS,
            )

    def _show(
        self, file: ReplayFile | None = None, stream: IO[bytes] | None = None, report: Report | None = None
    ) -> None:
        """Update the bar, at most every ``POLL_SECONDS`` unless this is the final *report*."""
        now = time.monotonic()
        is_line = report is None and self.lines.is_due
        if report is None and now - self._shown_at < POLL_SECONDS:
            return
        if self.bar.disable and not is_line and self._settled_before is not None:
            return
        self._shown_at = now
        numbers = self.client.report() if report is None else report
        settled = max(0, self.read - numbers.pending)
        if self._settled_before is None:
            # The bar starts at what earlier runs have done, so that its rate is the rate of this run.
            self._settled_before = self.bar.initial = self.bar.n = settled
        if self.bar.total is None or self._is_estimated:
            self._estimate(file, stream)
        per_second = (settled - self._settled_before) / max(0.001, now - self._started_at)
        left, waits = ("00:00", "") if report is not None else self._outlook(settled, per_second)
        errors = self.rejected + sum(numbers.dead.values())
        if is_line:
            postfix = f"{number_of(errors, 'error')}{'; ' if waits else ''}{waits}"
            self.lines.show(settled, self.bar.total, per_second=per_second, left=left, postfix=postfix)
        self.bar.left = left
        self.bar.set_postfix_str(f"errors={errors}{', ' if waits else ''}{waits}", refresh=False)
        # Also without progress, so that the bar says what it waits for.
        self.bar.n = max(self.bar.n, settled)
        self.bar.refresh()

    def _outlook(self, settled: int, per_second: float) -> tuple[str, str]:
        """Return the time left, and what the run waits for."""
        rate, now = self.client.stats().rate, time.time()
        transport = self.transport
        done = settled - (self._settled_before or 0)
        each = 1.0 if transport is None or not done else transport.sent / done
        seconds = None
        if self.bar.total is not None:
            seconds = time_left(
                max(0, self.bar.total - settled),
                per_second=per_second,
                requests_each=each,
                budget=self._budget,
                rate=rate,
                now=now,
            )
        waits = reason_to_wait(
            self.client.health(),
            rate,
            left=self._budget.left(rate),
            is_idle=transport is not None and transport.is_idle(),
            last_refusal=0 if transport is None else transport.last_refusal,
            now=now,
        )
        return clock_time(seconds), waits

    def _estimate(self, file: ReplayFile | None, stream: IO[bytes] | None) -> None:
        """Estimate from the bytes read how many messages there are, if the files are too large to be counted first."""
        sizes = [one.size for one in self.files]
        if None in sizes:
            return
        self._is_estimated = True
        position = sum(one.size or 0 for one in self.files if one.is_read)
        if file is not None and stream is not None and not file.is_read:
            position += stream.tell()
        if position:
            self.bar.total = max(self.read, round(self.read * sum(one or 0 for one in sizes) / position))


def interrupt_text(replay: Replay, report: Report) -> str:
    """Return the line that is printed after an interrupt: where the messages are, and how to continue."""
    name = replay.files[0].name if len(replay.files) == 1 else number_of(len(replay.files), "file")
    text = f"{name}: {number_of(replay.read, 'message')} read, of which {report.pending:,} wait in the spool"
    if any(file.size is None for file in replay.files):
        return (
            f"{text} and are delivered by the next run; "
            "standard input cannot be read again: send only what comes after these messages"
        )
    return f"{text}; {_CONTINUE}"
