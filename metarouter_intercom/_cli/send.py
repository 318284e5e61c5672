"""``send``: send a file of messages to Intercom with a progress bar; its spool lets an interrupted run continue."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import attrs
import click
from tqdm import tqdm

from .._client.client import Client
from .._client.mapping_settings import mapping_of
from .._delivery.buffers.spool import SpoolBuffer
from .._delivery.credentials import fingerprint_of
from .exit_codes import ExitCode, Failed, naming_address
from .formatting import echo, is_complete, number_of, report_lines, report_object
from .message_files import read_messages
from .options import connection_options, json_option, setting_option, settings_of
from .progress import Progress, ProgressFile, progress_file
from .rejects import Rejects
from .replay import POLL_SECONDS, Replay, interrupt_text
from .signals import stop_signals

if TYPE_CHECKING:
    from .._delivery.report import Report
    from .._types import JsonObject
    from ..settings import Settings

# Messages that may wait in the spool; then reading pauses.
_MAX_BUFFERED = 20_000
# The messages of files up to this size are counted before sending, which takes some seconds at most.
_MAX_COUNTED_BYTES = 64 * 1024 * 1024


def _read_workers(context: click.Context, option: click.Parameter, value: str) -> int | Literal["auto"]:
    """Return a number of threads, or ``auto``."""
    if value == "auto":
        return "auto"
    try:
        return click.IntRange(1, 64).convert(value, option, context)  # type: ignore[arg-type]  # a text works, as on the command line
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message} Or use auto.", context, option) from error


@click.command(short_help="Send a file of messages; an interrupted run can continue.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--spool",
    type=click.Path(dir_okay=False),
    help="Spool file for messages that were read and not delivered yet; FILE.spool by default.",
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False),
    help="File for rejected messages; FILE.rejects.jsonl by default.",
)
@click.option(
    "--rate-share",
    type=click.FloatRange(0.01, 1.0),
    default=1.0,
    show_default=True,
    help="Share of Intercom's rate limit to use.",
)
@click.option(
    "--workers",
    callback=_read_workers,
    metavar="[auto|1-64]",
    default="auto",
    show_default=True,
    help="Number of requests at the same time; auto uses as many as Intercom's rate limit needs.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an event waits for a contact that does not exist yet.",
)
@click.option("--no-progress", is_flag=True, help="Do not show a progress bar.")
@setting_option
@connection_options
@json_option
def send(
    *,
    file: str,
    spool: str | None,
    rejects: str | None,
    rate_share: float,
    workers: int | Literal["auto"],
    wait: float,
    no_progress: bool,
    overrides: dict[str, Any],
    as_json: bool,
    **connection: Any,
) -> int:
    """
    Send the messages in FILE to Intercom (- for standard input).

    FILE contains JSON lines, a JSON array or Segment batches, plain or gzipped, in UTF-8, UTF-16 or UTF-32. Rejected messages are written
    to a rejects file with their faults; all others are sent.

    After Ctrl-C or a crash, run the same command again: it continues where it stopped, and sends nothing twice. Standard input cannot be
    read again: the next run delivers what was already read, so give it only the messages that follow.
    """
    source = _source(file, spool, rejects)
    settings = settings_of(
        **connection,
        spool=source.spool,
        max_buffered=_MAX_BUFFERED,
        when_full="block",
        block_timeout=POLL_SECONDS,
        rate_limit_share=rate_share,
        workers=workers,
        **{"missing_contact_wait": wait, **overrides},
    )
    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
        size = None if source.is_stream else os.fstat(stream.fileno()).st_size
        stored = _progress(stack, source, _check_key(settings))
        if stored is not None and _was_sent(source, stored, size):
            return ExitCode.DONE
        replay = _replay(stack, source, stored, settings=settings, size=size, hide_bar=no_progress or as_json)
        report = replay.run(stream)
    if as_json:
        click.echo(json.dumps(_summary_object(replay, report)))
    else:
        echo(_summary(replay, report))
    _print_hints(replay, report, source)
    return _exit_code(replay, report)


class _Source(NamedTuple):
    """
    What is sent, and the files beside it.

    Attributes:
        file: As it was given on the command line.
        is_stream: It can be read only once: standard input or a named pipe.
        spool: Path of the spool file.
        rejects: Path of the rejects file.
    """

    file: str
    is_stream: bool
    spool: Path
    rejects: Path


def _source(file: str, spool: str | None, rejects: str | None) -> _Source:
    is_stream = file == "-" or stat.S_ISFIFO(os.stat(file).st_mode)
    name = "stdin" if is_stream else file
    return _Source(file, is_stream, Path(spool or f"{name}.spool"), Path(rejects or f"{name}.rejects.jsonl"))


def _was_sent(source: _Source, stored: ProgressFile, size: int | None) -> bool:
    """
    Tell whether an earlier run sent the whole file, and print it.

    Raises:
        Failed: The spool is missing, although an earlier run read messages into it.
    """
    if stored.progress.sent_bytes == size:
        echo(
            f"{source.file}: the whole file was already sent; its dead letters are kept in {source.spool}: export or retry them "
            f"before you delete it; to send the file again, delete {source.spool} and {stored.path}",
            err=True,
        )
        return True
    if stored.progress.read and not source.spool.exists():
        raise Failed(
            f"{source.spool}: the spool is missing, and with it the messages that were read and not delivered; "
            f"delete {stored.path} to send {source.file} from the beginning",
            ExitCode.FILE,
        )
    return False


def _replay(
    stack: ExitStack,
    source: _Source,
    stored: ProgressFile | None,
    *,
    settings: Settings,
    size: int | None,
    hide_bar: bool,
) -> Replay:
    # Message ids are made from the digest. It starts at random for a stream, so that no two streams share message ids.
    progress = Progress(digest=os.urandom(12).hex()) if stored is None else stored.progress
    rejects = stack.enter_context(closing(Rejects(source.rejects, keep=progress.rejects_bytes)))
    bar = stack.enter_context(_bar(None if source.is_stream else source.file, hide_bar))
    stop = stack.enter_context(stop_signals())
    return Replay(
        file="<stdin>" if source.is_stream else source.file,
        client=_client(settings, source.spool),
        progress=progress,
        save=_save_nothing if stored is None else stored.save,
        rejects=rejects,
        bar=bar,
        stop=stop,
        size=size,
    )


def _check_key(settings: Settings) -> str:
    """Ask Intercom whether it accepts the key, before anything is read from the file; return the id of the workspace."""
    with Client(attrs.evolve(settings, spool=None)) as client, naming_address(settings.address):
        return client.check().app_id


def _client(settings: Settings, spool: Path) -> Client:
    # Not the fallback buffer: it continues in memory when the spool fails, and a crash would then lose messages that count as read.
    buffer = SpoolBuffer(
        spool,
        limit=settings.messages_kept,
        dead_letters=settings.dead_letters_kept,
        sync=settings.spool_sync,
        credentials=fingerprint_of(settings),
        mapping=mapping_of(settings),
    )
    return Client(settings, buffer=buffer)


def _progress(stack: ExitStack, source: _Source, workspace: str) -> ProgressFile | None:
    """Open the progress of the file in *workspace*; None for a stream, which has none."""
    if source.is_stream:
        return None
    return stack.enter_context(closing(progress_file(source.spool, workspace)))


def _save_nothing() -> None:
    """A stream cannot be read again, so its progress is not saved."""


def _summary_object(replay: Replay, report: Report) -> JsonObject:
    numbers: JsonObject = {
        "file": replay.file,
        "read": replay.progress.read,
        "read_before": replay.read_before,
        "read_rejected": replay.progress.rejected,
        "is_finished": replay.is_finished,
    }
    return {**numbers, **report_object(report)}


def _summary(replay: Replay, report: Report) -> str:
    read = number_of(replay.progress.read, "message")
    heading = (
        f"{replay.file}: {read} read{_of_earlier_runs(replay.read_before)}, "
        f"{replay.progress.rejected:,} rejected{_of_earlier_runs(replay.rejected_before)}"
    )
    return "\n".join([heading, *report_lines(report)])


def _of_earlier_runs(number: int) -> str:
    return f" ({number:,} of them by earlier runs)" if number else ""


def _print_hints(replay: Replay, report: Report, source: _Source) -> None:
    """Print on standard error where the messages are that are not in Intercom, and how to continue."""
    if replay.progress.rejected:
        echo(f"rejected messages are in {source.rejects}", err=True)
    if report.dead:
        echo(
            f"to see the dead letters: metarouter-intercom dead-letters list --spool {source.spool}", err=True
        )
    if replay.is_interrupted:
        echo(interrupt_text(replay, report), err=True)


def _exit_code(replay: Replay, report: Report) -> ExitCode:
    if replay.is_interrupted:
        return ExitCode.INTERRUPTED
    if replay.is_finished and is_complete(report) and not replay.progress.rejected:
        return ExitCode.DONE
    return ExitCode.INCOMPLETE


def _bar(file: str | None, hide: bool) -> tqdm[Any]:
    # For tqdm, disable=None means: no bar unless standard error is a terminal.
    disable = True if hide else None
    total = None if hide or file is None or not sys.stderr.isatty() else _count(file)
    return tqdm(total=total, unit="msg", disable=disable, smoothing=0.1, dynamic_ncols=True)


def _count(file: str) -> int | None:
    """Count the messages in *file*; None if that would take long."""
    if os.path.getsize(file) > _MAX_COUNTED_BYTES:
        return None
    with open(file, "rb") as stream:
        return sum(1 for _ in read_messages(stream))
