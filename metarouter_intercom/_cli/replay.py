"""One run over one file: read and accept its messages, wait for the deliveries, show the progress. Knows no command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import attrs

from .._delivery.workspace import OTHER_WORKSPACE
from .._intercom.responses import VERSION_REFUSED
from ..errors import BufferFull, RejectedMessage
from ..messages._message_ids import file_message_id
from ..messages._wire_ids import names_itself
from .exit_codes import ExitCode, Failed
from .formatting import echo, number_of
from .message_files import FileEntry, read_messages
from .other_workspaces import left_to_deliver
from .progress import Progress, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tqdm import tqdm

    from .._client.client import Client
    from .._delivery.report import Report
    from ..errors import Problem
    from .rejects import Rejects
    from .signals import StopFlag

# Seconds between two updates of the bar, and the longest time without a look at the stop flag.
POLL_SECONDS = 0.25
# How many rejected messages are printed; all of them are in the rejects file.
_MAX_PRINTED = 20
_CONTINUE = "what was read is kept; run the same command again to continue"


@attrs.define(kw_only=True)
class Replay:
    """
    Sends one file.

    Attributes:
        file: Name of the file in printed lines.
        client: Delivers in the background from a spool.
        progress: What earlier runs have read; this run updates it.
        save: Writes the progress to disk.
        rejects: Receives rejected messages.
        bar: Shows the progress.
        stop: Checked between two messages.
        size: Bytes of the file; None for a stream.
        is_finished: The whole file was read, and no message is pending.
        read_before: Messages that earlier runs have read.
        rejected_before: How many of them were rejected.
    """

    file: str
    client: Client
    progress: Progress
    save: Callable[[], None]
    rejects: Rejects
    bar: tqdm[Any]
    stop: StopFlag
    size: int | None
    is_finished: bool = attrs.field(default=False, init=False)
    read_before: int = attrs.field(init=False)
    rejected_before: int = attrs.field(init=False)
    _unreadable: int = attrs.field(default=0, init=False)
    _shown_at: float = attrs.field(default=0.0, init=False)
    _is_shown: bool = attrs.field(default=False, init=False)
    _is_told_of_others: bool = attrs.field(default=False, init=False)
    _is_estimated: bool = attrs.field(default=False, init=False)

    @read_before.default
    def _read_so_far(self) -> int:
        return self.progress.read

    @rejected_before.default
    def _rejected_so_far(self) -> int:
        return self.progress.rejected

    @property
    def is_interrupted(self) -> bool:
        """An interrupt ended the run before everything was delivered."""
        return self.stop.is_set and not self.is_finished

    def run(self, stream: IO[bytes]) -> Report:
        """
        Read *stream* from where the last run stopped, and wait until every message is settled or an interrupt comes.

        The returned report is the client's, and counts as rejected also what is no message (``unreadable``).

        Raises:
            Failed: The file is not the one that earlier runs have read, or Intercom refuses the key.
        """
        try:
            is_read = self._read(stream)
            while is_read and self._is_left(self.client.flush(POLL_SECONDS)) and not self.stop.is_set:
                self._check_key()
                self._show()
        finally:
            report = self.client.close(timeout=0)
        self.is_finished = is_read and not report.pending
        if self.is_finished:
            self.progress.sent_bytes = self.size
            self.save()
        self._show(report=report)
        if self._unreadable:
            return attrs.evolve(report, rejected={**report.rejected, "unreadable": self._unreadable})
        return report

    def _read(self, stream: IO[bytes]) -> bool:
        """Read to the end of *stream*; False if an interrupt came first."""
        entries = self._unread(read_messages(stream))
        while True:
            entry = self._next(entries)
            if entry is None:
                # No entry means the end of a file. A stream may also have been interrupted while it was read.
                return self.size is not None or not self.stop.is_set
            if self.stop.is_set:
                return False
            digest = digest_of(self.progress.digest, entry)
            if entry.message is None:
                self._reject(entry, [entry.problem])
                self._unreadable += 1
            elif not self._accept(entry, entry.message, file_message_id(digest)):
                return False
            self.progress.digest = digest
            self.progress.read += 1
            self.save()
            self._show(stream)

    def _next(self, entries: Iterator[FileEntry]) -> FileEntry | None:
        self.stop.raises = self.size is None
        try:
            return next(entries, None)
        except KeyboardInterrupt:
            return None
        finally:
            self.stop.raises = False

    def _unread(self, entries: Iterator[FileEntry]) -> Iterator[FileEntry]:
        """Skip what earlier runs have read, after checking that it has not changed."""
        digest, number = "", 0
        while number < self.progress.read:
            entry = next(entries, None)
            if entry is None:
                break
            digest = digest_of(digest, entry)
            number += 1
        if self.progress.read and digest != self.progress.digest:
            raise Failed(
                f"{self.file}: not the file that was sent with this spool before; "
                "use another --spool to send it from the beginning",
                ExitCode.FILE,
            )
        yield from entries

    def _accept(self, entry: FileEntry, message: dict[str, Any], message_id: str) -> bool:
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
                self._reject(entry, error.problems)
            return True
        return False

    def _reject(self, entry: FileEntry, problems: Sequence[Problem]) -> None:
        self.progress.rejects_bytes = self.rejects.write(entry, problems)
        self.progress.rejected += 1
        if self.progress.rejected > _MAX_PRINTED:
            return
        with self.bar.external_write_mode():
            for one in problems:
                echo(f"{entry.where(self.file, one.path)}: {one.fault}; {one.remedy}", err=True)
            if self.progress.rejected == _MAX_PRINTED:
                echo(f"more rejected messages are only written to {self.rejects.path}", err=True)

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

    def _show(self, stream: IO[bytes] | None = None, report: Report | None = None) -> None:
        """Update the bar, at most every ``POLL_SECONDS`` unless this is the final *report*."""
        now = time.monotonic()
        if self.bar.disable or (report is None and now - self._shown_at < POLL_SECONDS):
            return
        self._shown_at = now
        numbers = self.client.report() if report is None else report
        settled = max(0, self.progress.read - numbers.pending)
        if not self._is_shown:
            # The bar starts at what earlier runs have done, so that its rate is the rate of this run.
            self._is_shown, self.bar.initial, self.bar.n = True, settled, settled
        if self.size is not None and (self.bar.total is None or self._is_estimated):
            self._estimate(stream, self.size)
        is_failing = report is None and self.client.health().status == "failing"
        self.bar.set_postfix(
            {
                "errors": self.progress.rejected + sum(numbers.dead.values()),
                **({"Intercom": "does not answer"} if is_failing else {}),
            },
            refresh=False,
        )
        self.bar.update(settled - self.bar.n)

    def _estimate(self, stream: IO[bytes] | None, size: int) -> None:
        """Estimate from the bytes read how many messages a file contains that is too large to be counted first."""
        self._is_estimated = True
        position = size if stream is None else stream.tell()
        if position:
            self.bar.total = max(self.progress.read, round(self.progress.read * size / position))


def interrupt_text(replay: Replay, report: Report) -> str:
    """Return the line that is printed after an interrupt: where the messages are, and how to continue."""
    read = number_of(replay.progress.read, "message")
    text = f"{replay.file}: {read} read, of which {report.pending:,} wait in the spool"
    if replay.size is None:
        return (
            f"{text} and are delivered by the next run; "
            "standard input cannot be read again: send only what comes after these messages"
        )
    return f"{text}; {_CONTINUE}"
