"""``send``: a file of messages into Intercom, with a progress bar, resumable through the spool."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click
from tqdm import tqdm

from .._client import Client
from ..errors import BufferFull, RejectedMessage
from ._errors import ExitCode, Failed
from ._input import Found, read_messages
from ._options import connection_options, json_option, settings_of
from ._progress import Progress, start_progress
from ._words import is_complete, report_lines, report_object

if TYPE_CHECKING:
    from .._report import Report
    from .._types import JsonObject

# Messages between two records of the progress: fewer than the spool remembers of what it delivered.
_RECORD_EVERY = 1_000
_SHOW_EVERY = 200
# Messages that wait in the spool while the file is read on.
_AHEAD = 20_000
# Seconds between two looks at the numbers while waiting.
_LOOK_EVERY = 0.25
_ALL_AT_ONCE = 256 * 1024 * 1024


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--spool",
    type=click.Path(dir_okay=False),
    help="Where what was read is kept; FILE.spool when it is not given.",
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False),
    help="Where broken messages are written; FILE.rejects.jsonl when it is not given.",
)
@click.option(
    "--rate-share",
    type=click.FloatRange(0.01, 1.0),
    default=1.0,
    show_default=True,
    help="Part of Intercom's rate limit to use.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at the same time."
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an event waits for a contact that is not there.",
)
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@connection_options
@json_option
def send(
    file: str,
    spool: str | None,
    rejects: str | None,
    rate_share: float,
    workers: int,
    wait: float,
    no_progress: bool,
    as_json: bool,
    **connection: Any,
) -> int:
    """
    Send the messages of FILE (or of standard input: -).

    FILE holds JSON lines, a JSON array or Segment batches, gzip too. Interrupted by Ctrl-C or a crash, the same command goes on
    where it was: nothing is sent twice. Broken lines are written to a rejects file with their faults; the others are sent.
    """
    is_stream = file == "-"
    kept = Path(spool) if spool else (None if is_stream else Path(f"{file}.spool"))
    settings = settings_of(
        **connection,
        spool=kept,
        max_buffered=_AHEAD,
        when_full="block",
        block_timeout=_LOOK_EVERY,
        rate_limit_share=rate_share,
        workers=workers,
        missing_contact_wait=wait,
    )
    with ExitStack() as stack:
        stream = (
            sys.stdin.buffer if is_stream else stack.enter_context(open(file, "rb"))
        )  # closed by the stack
        progress = _progress(stream, None if is_stream else kept)
        if progress.is_done:
            click.echo(
                f"{file} was sent completely before; delete {kept} and {progress.path} to send it once more",
                err=True,
            )
            return ExitCode.DONE
        where = Path(rejects) if rejects else Path("rejects.jsonl" if is_stream else f"{file}.rejects.jsonl")
        bar = stack.enter_context(_bar(None if is_stream else file, no_progress or as_json))
        run = _Run(Client(settings), progress, _Rejects(where, anew=progress.index == 0), bar)
        run.client.check()
        report = run.send(stream)
        show = json.dumps(report_object(report)) if as_json else "\n".join(report_lines(report))
    click.echo(show)
    if run.rejected.number:
        click.echo(f"rejected messages are in {where}", err=True)
    return _code(report, progress)


def _code(report: Report, progress: Progress) -> ExitCode:
    if progress.is_done and is_complete(report) and not progress.rejected:
        return ExitCode.DONE
    return ExitCode.INCOMPLETE


class _Rejects:
    """The file of broken messages, made when the first one is met; a resumed run adds to it."""

    def __init__(self, path: Path, *, anew: bool) -> None:
        self._path = path
        self._mode = "w" if anew else "a"
        self._file: TextIO | None = None
        self.number = 0

    def write(self, found: Found, path: str, fault: str, remedy: str) -> None:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if self._mode == "w" else os.O_APPEND)
            self._file = os.fdopen(os.open(self._path, flags, 0o600), "w", encoding="utf-8")
        told: JsonObject = {"line": found.line, "path": path, "fault": fault, "remedy": remedy}
        told |= {"text": found.text} if found.message is None else {"message": found.message}
        self._file.write(json.dumps(told) + "\n")
        self.number += 1

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()


class _Run:
    """One run over one file."""

    def __init__(self, client: Client, progress: Progress, rejected: _Rejects, bar: tqdm[Any]) -> None:
        self.client = client
        self.rejected = rejected
        self._progress = progress
        self._bar = bar

    def send(self, stream: BinaryIO) -> Report:
        """Read *stream* from where it was left and wait until everything is settled."""
        try:
            self._read(stream)
            self._record()
            while self.client.flush(_LOOK_EVERY).pending and not self._is_refused():
                self._show()
            report = self.client.close(0)
            self._progress.is_done = not report.pending
        except KeyboardInterrupt:
            report = self.client.close(0)
            self._bar.close()
            click.echo(_words_of_interrupt(report, self._progress), err=True)
            raise
        finally:
            self._record()
        self._show(report)
        return report

    def _read(self, stream: BinaryIO) -> None:
        for index, found in enumerate(read_messages(stream)):
            if index < self._progress.index:
                continue
            if found.message is None:
                self._reject(found, "message", found.fault or "", "send one JSON object a line")
            else:
                self._accept(found, index)
            self._progress.index = index + 1
            if self._progress.index % _RECORD_EVERY == 0:
                self._record()
            if self._progress.index % _SHOW_EVERY == 0:
                self._show()

    def _accept(self, found: Found, index: int) -> None:
        message = {"messageId": self._progress.message_id(index), **(found.message or {})}
        while True:
            try:
                self.client.send(message)
            except BufferFull:
                self._show()
                if self._is_refused():
                    raise Failed(f"the key is refused now; {_RESUME}", ExitCode.SETTINGS) from None
                continue
            except RejectedMessage as error:
                for problem in error.problems:
                    self._reject(found, *problem)
            return

    def _reject(self, found: Found, path: str, fault: str, remedy: str) -> None:
        self.rejected.write(found, path, fault, remedy)
        self._progress.rejected += 1
        self._bar.write(f"line {found.line}: {path}: {fault}; {remedy}", file=sys.stderr)

    def _is_refused(self) -> bool:
        return self.client.health().status == "held"

    def _record(self) -> None:
        self.rejected.flush()
        self._progress.save()

    def _show(self, report: Report | None = None) -> None:
        now = self.client.report() if report is None else report
        errors = self._progress.rejected + sum(now.dead.values())
        self._bar.set_postfix(errors=errors, refresh=False)
        self._bar.update(max(0, self._progress.index - now.pending) - self._bar.n)


_RESUME = "what was read is kept; run the same command again to go on"


def _words_of_interrupt(report: Report, progress: Progress) -> str:
    kept = "lost" if progress.path is None else "kept in the spool"
    return f"{progress.index:,} messages were read, {report.pending:,} of them are {kept}; {_RESUME}"


def _progress(stream: BinaryIO, spool: Path | None) -> Progress:
    if spool is None:
        # Standard input cannot be read again, so each run is one of its own.
        return Progress(path=None, head=os.urandom(8).hex(), head_bytes=0)
    return start_progress(stream, spool.with_name(f"{spool.name}.progress.json"))


def _bar(file: str | None, is_hidden: bool) -> tqdm[Any]:
    # tqdm's own None: no bar where nobody is looking.
    hide = True if is_hidden else None
    total = None if hide or file is None or not sys.stderr.isatty() else _count(file)
    return tqdm(total=total, unit="msg", disable=hide, smoothing=0.1, dynamic_ncols=True)


def _count(file: str) -> int | None:
    """Count the messages of *file*; None where that would take long."""
    if os.path.getsize(file) > _ALL_AT_ONCE:
        return None
    with open(file, "rb") as stream:
        return sum(1 for _ in read_messages(stream))
