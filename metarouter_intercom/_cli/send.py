"""``send``: a file of messages into Intercom, with a progress bar, resumable through the spool."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import click
from tqdm import tqdm

from .._client.client import Client
from .._delivery.buffers.spool import SpoolBuffer
from .exit_codes import ExitCode, Failed
from .formatting import echo, is_complete, number_of, report_lines, report_object
from .message_files import read_messages
from .options import connection_options, json_option, settings_of
from .progress import Progress, Record
from .rejects import Rejects
from .replay import LOOK_EVERY, Replay, words_of_interrupt
from .signals import stop_signals

if TYPE_CHECKING:
    from .._delivery.report import Report
    from ..settings import Settings

# Messages that wait in the spool while the file is read on.
_AHEAD = 20_000
# Files up to this size are read once beforehand to count their messages, some seconds at most.
_COUNTED = 64 * 1024 * 1024


@click.command(short_help="Send a file of messages; can be interrupted and goes on where it was.")
@click.argument("file", type=click.Path(allow_dash=True))
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

    FILE holds JSON lines, a JSON array or Segment batches, gzip too. Broken lines are written to a rejects file with their faults; the
    others are sent.

    Interrupted by Ctrl-C or a crash, the same command goes on where it was, and nothing is sent twice. Standard input cannot be read
    again: there, what was read goes out with the next run, and you send only what comes after it.
    """
    job = _job(file, spool, rejects)
    settings = settings_of(
        **connection,
        spool=job.spool,
        max_buffered=_AHEAD,
        when_full="block",
        block_timeout=LOOK_EVERY,
        rate_limit_share=rate_share,
        workers=workers,
        missing_contact_wait=wait,
    )
    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
        size = None if job.is_stream else os.fstat(stream.fileno()).st_size
        _check(settings)
        record = None if job.is_stream else stack.enter_context(closing(Record(_record_path(job.spool))))
        if record is not None and _was_sent(job, record, size):
            return ExitCode.DONE
        replay = _replay(stack, job, record, settings=settings, size=size, hide=no_progress or as_json)
        report = replay.run(stream)
    return _tell(replay, report, job, as_json=as_json)


class _Job(NamedTuple):
    """What is sent, and the files beside it."""

    file: str
    is_stream: bool
    spool: Path
    rejects: Path


def _job(file: str, spool: str | None, rejects: str | None) -> _Job:
    # A pipe can be read once, however it is called.
    is_stream = file == "-" or stat.S_ISFIFO(os.stat(file).st_mode)
    name = "stdin" if is_stream else file
    return _Job(file, is_stream, Path(spool or f"{name}.spool"), Path(rejects or f"{name}.rejects.jsonl"))


def _was_sent(job: _Job, record: Record, size: int | None) -> bool:
    """
    Tell whether nothing is left to do, and say so.

    Raises:
        Failed: The spool is gone that holds what was read and not delivered.
    """
    if record.progress.sent_bytes == size:
        remedy = f"delete {job.spool} and {record.path} to send it once more"
        echo(f"{job.file}: all of it was sent before; {remedy}", err=True)
        return True
    if record.progress.read and not job.spool.exists():
        raise Failed(
            f"{job.spool}: gone, with what was read and not delivered; delete {record.path} to send {job.file} from its beginning",
            ExitCode.FILE,
        )
    return False


def _replay(
    stack: ExitStack, job: _Job, record: Record | None, *, settings: Settings, size: int | None, hide: bool
) -> Replay:
    # Each run over a stream is one of its own, so ids made for its messages must not be met again.
    progress = Progress(digest=os.urandom(12).hex()) if record is None else record.progress
    rejects = stack.enter_context(closing(Rejects(job.rejects, keep=progress.rejects_bytes)))
    bar = stack.enter_context(_bar(None if job.is_stream else job.file, hide))
    stop = stack.enter_context(stop_signals())
    return Replay(
        file="<stdin>" if job.is_stream else job.file,
        client=_client(settings, job.spool),
        progress=progress,
        save=_nowhere if record is None else record.save,
        rejects=rejects,
        bar=bar,
        stop=stop,
        size=size,
    )


def _check(settings: Settings) -> None:
    """Ask Intercom before anything is taken from the file."""
    with Client(attrs.evolve(settings, spool=None)) as client:
        client.check()


def _client(settings: Settings, spool: Path) -> Client:
    # Not the buffer that goes on in memory when the file fails: then the file would be ahead of what survives.
    buffer = SpoolBuffer(
        spool,
        limit=settings.messages_kept,
        dead_letters=settings.dead_letters_kept,
        sync=settings.spool_sync,
    )
    return Client(settings, buffer=buffer)


def _record_path(spool: Path) -> Path:
    return spool.with_name(f"{spool.name}.progress.json")


def _nowhere() -> None:
    """A stream has no place to go on from."""


def _tell(replay: Replay, report: Report, job: _Job, *, as_json: bool) -> ExitCode:
    progress = replay.progress
    if as_json:
        facts = {
            "file": replay.file,
            "read": progress.read,
            "read_before": replay.earlier,
            "read_rejected": progress.rejected,
            "is_finished": replay.is_finished,
        }
        click.echo(json.dumps({**facts, **report_object(report)}))
    else:
        earlier = f" ({replay.earlier:,} of them by earlier runs)" if replay.earlier else ""
        read = number_of(progress.read, "message")
        echo(f"{replay.file}: {read} read{earlier}, {progress.rejected:,} rejected")
        echo("\n".join(report_lines(report)))
    if progress.rejected:
        echo(f"rejected messages are in {job.rejects}", err=True)
    if report.dead:
        echo(
            f"look into what was given up: metarouter-intercom dead-letters list --spool {job.spool}",
            err=True,
        )
    if replay.stop.is_wanted and not replay.is_finished:
        echo(words_of_interrupt(replay, report), err=True)
        return ExitCode.INTERRUPTED
    if replay.is_finished and is_complete(report) and not progress.rejected:
        return ExitCode.DONE
    return ExitCode.INCOMPLETE


def _bar(file: str | None, is_hidden: bool) -> tqdm[Any]:
    # tqdm's own None: no bar where nobody is looking.
    hide = True if is_hidden else None
    total = None if hide or file is None or not sys.stderr.isatty() else _count(file)
    return tqdm(total=total, unit="msg", disable=hide, smoothing=0.1, dynamic_ncols=True)


def _count(file: str) -> int | None:
    """Count the messages of *file*; None where that would take long."""
    if os.path.getsize(file) > _COUNTED:
        return None
    with open(file, "rb") as stream:
        return sum(1 for _ in read_messages(stream))
