"""One run over one file: read, accept, reject, wait for the deliveries, and show how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import attrs

from ..errors import BufferFull, Problem, RejectedMessage
from .exit_codes import ExitCode, Failed
from .formatting import echo, number_of
from .message_files import Found, read_messages
from .progress import Progress, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tqdm import tqdm

    from .._client.client import Client
    from .._delivery.report import Report
    from .rejects import Rejects
    from .signals import Stop

# Seconds between two looks at the numbers, and the longest wait between two looks for an interrupt.
LOOK_EVERY = 0.25
# Broken messages that are shown; all of them are in the rejects file.
_MOST_SHOWN = 20
RESUME = "what was read is kept; run the same command again to go on"


@attrs.define(kw_only=True)
class Replay:
    """
    Sends one file.

    Attributes:
        file: How the file is called in messages to a person.
        client: Delivers in the background from a spool.
        progress: Where an earlier run was.
        save: Writes the progress down.
        rejects: Takes broken messages.
        bar: Shows the progress.
        stop: Asked between two messages.
        size: Bytes of the file; None for a stream.
        is_finished: All of the file was read and nothing is pending any more.
        earlier: Messages that were read by earlier runs.
    """

    file: str
    client: Client
    progress: Progress
    save: Callable[[], None]
    rejects: Rejects
    bar: tqdm[Any]
    stop: Stop
    size: int | None
    is_finished: bool = attrs.field(default=False, init=False)
    earlier: int = attrs.field(init=False)
    _shown_at: float = attrs.field(default=0.0, init=False)
    _is_shown: bool = attrs.field(default=False, init=False)
    _is_estimated: bool = attrs.field(default=False, init=False)

    @earlier.default
    def _read_earlier(self) -> int:
        return self.progress.read

    def run(self, stream: IO[bytes]) -> Report:
        """
        Read *stream* on from where it was left and wait until everything is settled, or somebody wants an end.

        Raises:
            Failed: The file is not the one that was begun, or the key is refused.
        """
        try:
            is_read = self._read(stream)
            while is_read and self.client.flush(LOOK_EVERY).pending and not self.stop.is_wanted:
                self._check_key()
                self._show()
        finally:
            report = self.client.close(timeout=0)
        self.is_finished = is_read and not report.pending
        if self.is_finished:
            self.progress.sent_bytes = self.size
            self.save()
        self._show(report=report)
        return report

    def _read(self, stream: IO[bytes]) -> bool:
        """Read to the end of *stream*; False when that was interrupted."""
        messages = self._unread(read_messages(stream))
        while True:
            found = self._next(messages)
            if found is None:
                # Of a stream an interrupt may have cut the reading off; a file is at its end.
                return self.size is not None or not self.stop.is_wanted
            if self.stop.is_wanted:
                return False
            digest = digest_of(self.progress.digest, found)
            if found.message is None:
                self._reject(found, [Problem("", found.fault or "unreadable", "send one JSON object a line")])
            elif not self._accept(found, found.message, f"file-{digest}"):
                return False
            self.progress.digest = digest
            self.progress.read += 1
            self.save()
            self._show(stream)

    def _next(self, messages: Iterator[Found]) -> Found | None:
        self.stop.is_waiting = self.size is None
        try:
            return next(messages, None)
        except KeyboardInterrupt:
            return None
        finally:
            self.stop.is_waiting = False

    def _unread(self, messages: Iterator[Found]) -> Iterator[Found]:
        """Pass over what was read before, and make sure that it is still the same."""
        digest, number = "", 0
        while number < self.progress.read:
            found = next(messages, None)
            if found is None:
                break
            digest = digest_of(digest, found)
            number += 1
        if self.progress.read and digest != self.progress.digest:
            raise Failed(
                f"{self.file}: not the file that was begun with this spool; give another --spool to send it from its beginning",
                ExitCode.FILE,
            )
        yield from messages

    def _accept(self, found: Found, message: dict[str, Any], message_id: str) -> bool:
        """Give the message to the client, waiting for room; False when that was interrupted."""
        given = message.get("messageId")
        if given is None or (isinstance(given, str) and not given.strip()):
            # The same id each time the file is read, so that a repeat is recognised.
            message = {**message, "messageId": message_id}
        while not self.stop.is_wanted:
            try:
                self.client.send(message)
            except BufferFull:
                self._check_key()
                self._show()
                continue
            except RejectedMessage as error:
                self._reject(found, error.problems)
            return True
        return False

    def _reject(self, found: Found, problems: Any) -> None:
        self.progress.rejects_bytes = self.rejects.write(found, problems)
        self.progress.rejected += 1
        shown = self.progress.rejected
        if shown > _MOST_SHOWN:
            return
        with self.bar.external_write_mode():
            for one in problems:
                echo(f"{found.where(self.file, one.path)}: {one.fault}; {one.remedy}", err=True)
            if shown == _MOST_SHOWN:
                echo(f"further ones are written to {self.rejects.path} only", err=True)

    def _check_key(self) -> None:
        if self.client.health().status == "held":
            raise Failed(
                f"Intercom refuses the key now ({self.client.health().reason}); mend it, {RESUME}",
                ExitCode.SETTINGS,
            )

    def _show(self, stream: IO[bytes] | None = None, report: Report | None = None) -> None:
        now = time.monotonic()
        if self.bar.disable or (report is None and now - self._shown_at < LOOK_EVERY):
            return
        self._shown_at = now
        told = self.client.report() if report is None else report
        done = max(0, self.progress.read - told.pending)
        if not self._is_shown:
            # What earlier runs did is no speed of this one.
            self._is_shown, self.bar.initial, self.bar.n = True, done, done
        if self.size is not None and (self.bar.total is None or self._is_estimated):
            self._estimate(stream, self.size)
        health = "" if told is report else self.client.health().status
        self.bar.set_postfix(
            {
                "errors": self.progress.rejected + sum(told.dead.values()),
                **({"Intercom": "does not answer"} if health == "failing" else {}),
            },
            refresh=False,
        )
        self.bar.update(done - self.bar.n)

    def _estimate(self, stream: IO[bytes] | None, size: int) -> None:
        """Judge by the bytes how many messages a file has that is too long to be counted beforehand."""
        self._is_estimated = True
        position = size if stream is None else stream.tell()
        if position:
            self.bar.total = max(self.progress.read, round(self.progress.read * size / position))


def words_of_interrupt(replay: Replay, report: Report) -> str:
    """Return what a person has to know after an interrupt."""
    told = f"{replay.file}: {number_of(replay.progress.read, 'message')} read, of which {report.pending:,} wait in the spool"
    if replay.size is None:
        return f"{told} and go out with the next run; standard input cannot be read again: send only what comes after"
    return f"{told}; {RESUME}"
