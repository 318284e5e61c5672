"""``send``: send files of messages to Intercom with a progress bar; an interrupted run can continue."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .._client.client import Client
from .._client.mapping_settings import mapping_of
from .._delivery.buffers.spool import SpoolBuffer
from .._delivery.credentials import fingerprint_of
from .exit_codes import ExitCode, Failed, naming_address
from .file_options import FILE_OPTIONS, file_options, files_argument, sources_of
from .formatting import echo, number_of
from .message_files import read_messages
from .meter import Bar, Lines, ObservedTransport, make_bar
from .options import connection_options, json_option, setting_option, settings_of
from .progress import Locked, ProgressFile
from .rejects import CsvRejects, Rejects
from .replay import LINE_SECONDS, POLL_SECONDS, Replay, ReplayFile
from .send_report import exit_code_of, print_hints, print_summary
from .send_state import SendState, is_spool, lock_spool
from .signals import stop_signals
from .sources import Source

if TYPE_CHECKING:
    from ..settings import Settings

# Messages that may wait in the spool; then reading pauses.
_MAX_BUFFERED = 20_000
# The messages of files up to this size in all are counted before sending, which takes some seconds at most.
_MAX_COUNTED_BYTES = 64 * 1024 * 1024


def _read_workers(context: click.Context, option: click.Parameter, value: str) -> int | Literal["auto"]:
    """Return a number of threads, or ``auto``."""
    if value == "auto":
        return "auto"
    try:
        return click.IntRange(1, 64).convert(value, option, context)  # type: ignore[arg-type]  # a text works, as on the command line
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message} Or use auto.", context, option) from error


@click.command(short_help="Send files of messages; an interrupted run can continue.")
@files_argument
@file_options
@click.option("--restart", is_flag=True, help="Send the files from the beginning, whatever earlier runs did.")
@click.option(
    "--spool",
    type=click.Path(dir_okay=False),
    help="Spool file for messages that were read and not delivered yet; by default one in your state folder, removed at the end.",
)
@click.option(
    "--rejects",
    type=click.Path(),
    help="File for rejected messages, or a folder; beside each file by default: FILE.rejects.jsonl, or FILE.rejects.csv for CSV.",
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
@click.option("--no-progress", is_flag=True, help="Do not show how far the run is.")
@setting_option
@connection_options
@json_option
def send(
    *,
    files: tuple[str, ...],
    restart: bool,
    spool: str | None,
    rejects: str | None,
    rate_share: float,
    workers: int | Literal["auto"],
    wait: float,
    no_progress: bool,
    overrides: dict[str, Any],
    as_json: bool,
    **options: Any,
) -> int:
    """
    Send the messages in FILES to Intercom, in the order given (- for standard input; patterns such as 'events-*.jsonl' work in quotes too).

    A file contains JSON lines, a JSON array, Segment batches, or CSV, plain or gzipped, in UTF-8, UTF-16 or UTF-32. Rejected messages are
    written to a rejects file with their faults; all others are sent.

    After Ctrl-C or a crash, run the same command again: it continues where it stopped, and sends nothing twice. Standard input cannot be
    read again: the next run delivers what was already read, so give it only the messages that follow.

    \b
    Examples:
      metarouter-intercom send events.jsonl
      metarouter-intercom send '2026-*/*.jsonl.gz' --rate-share 0.3
      metarouter-intercom send people.csv --type identify --columns id=userId,plan=traits.plan,age=traits.age:number
    """
    sources = sources_of(files, **{name: options.pop(name) for name in FILE_OPTIONS})
    rejects_paths = _rejects_paths(sources, rejects)
    settings = settings_of(
        **options,
        beneath={"missing_contact_wait": wait, **overrides},
        max_buffered=_MAX_BUFFERED,
        when_full="block",
        block_timeout=POLL_SECONDS,
        rate_limit_share=rate_share,
        workers=workers,
    )
    state = SendState(_workspace(settings), spool)
    with ExitStack() as stack:
        records = _records(stack, state, sources, restart=restart)
        if not records:
            return ExitCode.DONE
        run = _Run(stack, state, settings, hide=no_progress or as_json)
        run_spool = run.choose_spool([record for _, record in records])
        replay = run.replay(records, run_spool, rejects_paths)
        report = replay.run()
        left = run.finish(replay, records, run_spool)
    print_summary(replay, report, as_json=as_json, rejects=[file.rejects.path for file in replay.files])
    print_hints(replay, report, run_spool if left else None)
    return exit_code_of(replay, report)


def _records(
    stack: ExitStack, state: SendState, sources: Sequence[Source], *, restart: bool
) -> list[tuple[Source, ProgressFile]]:
    """Return the sources that are still to be sent, with their records; *stack* releases those."""
    opened = [
        (source, stack.enter_context(closing(state.open_record(source, restart=restart))))
        for source in sources
    ]
    return [(source, record) for source, record in opened if not _was_sent(source, record, state)]


def _workspace(settings: Settings) -> str:
    """
    Ask Intercom whether it accepts the key, before anything is read from the files; return what tells the workspace from others.

    A sandbox at another address is another workspace, although all sandboxes have one id.
    """
    with Client(settings) as client, naming_address(settings.address):
        account = client.check()
    return f"{account.app_id} {settings.base_url or ''}".strip()


def _rejects_paths(sources: Sequence[Source], rejects: str | None) -> dict[str, Path]:
    """
    Return identity of a file -> path of its rejects file.

    Raises:
        Failed: Several files cannot have one rejects file.
    """
    if rejects is not None and not os.path.isdir(rejects):
        if len(sources) > 1:
            raise Failed(
                f"--rejects {rejects}: no folder; with several files, name a folder that exists",
                ExitCode.USAGE,
            )
        return {source.identity: Path(rejects) for source in sources}
    paths: dict[str, Path] = {}
    for source in sources:
        name = f"{source.old_name}.rejects.{'csv' if source.form.is_csv and source.form.header else 'jsonl'}"
        path = Path(name) if rejects is None else Path(rejects) / os.path.basename(name)
        while path in paths.values():
            path = path.with_name(f"{path.stem}-2{path.suffix}")
        paths[source.identity] = path
    return paths


def _was_sent(source: Source, record: ProgressFile, state: SendState) -> bool:
    """Tell whether an earlier run sent the whole file, and print it."""
    if source.is_stream or record.progress.sent_bytes is None or record.progress.sent_bytes != source.size():
        return False
    letters = ""
    if is_spool(record.spool):
        spool = Path(record.spool)
        if _is_needed(spool, state):
            letters = f"its dead letters are kept in {spool}: export or retry them; "
    number = record.progress.rejected
    rejected = f"{number_of(number, 'message was', 'messages were')} rejected; " if number else ""
    echo(
        f"{source.name}: the whole file was already sent; {rejected}{letters}to send the file again, add --restart",
        err=True,
    )
    return True


def _is_needed(spool: Path, state: SendState) -> bool:
    """Tell whether the spool of a file that was sent has something left, or is in use for another file of its run; remove it if not."""
    try:
        lock = lock_spool(spool)
    except Locked:
        return True
    try:
        if _dead_letters(spool):
            return True
        state.remove_spool(spool)
    finally:
        os.close(lock)
    return False


def _dead_letters(spool: Path) -> int:
    with closing(_buffer(spool)) as buffer:
        return sum(buffer.count_dead().values()) + buffer.pending()


def _buffer(spool: Path, settings: Settings | None = None) -> SpoolBuffer:
    # Not the fallback buffer: it continues in memory when the spool fails, and a crash would then lose messages that count as read.
    if settings is None:
        return SpoolBuffer(spool, limit=sys.maxsize, dead_letters=sys.maxsize)
    return SpoolBuffer(
        spool,
        limit=settings.messages_kept,
        dead_letters=settings.dead_letters_kept,
        sync=settings.spool_sync,
        credentials=fingerprint_of(settings),
        mapping=mapping_of(settings),
    )


class _Run:
    """What one run opens; *stack* closes it."""

    def __init__(self, stack: ExitStack, state: SendState, settings: Settings, *, hide: bool) -> None:
        self._stack = stack
        self._state = state
        self._settings = settings
        self._hide = hide
        self._stop = stack.enter_context(stop_signals())

    def choose_spool(self, records: Sequence[ProgressFile]) -> Path:
        """Return the spool of this run: that of an earlier run over these files, if there is one, with all that is left of others."""
        earlier = list(dict.fromkeys(record.spool for record in records if is_spool(record.spool)))
        first, *others = [Path(spool) for spool in earlier] or [self._state.new_spool()]
        self._lock(first)
        for spool in others:
            self._lock(spool)
            self._deliver_rest(spool)
        return first

    def replay(
        self, records: Sequence[tuple[Source, ProgressFile]], spool: Path, rejects_paths: dict[str, Path]
    ) -> Replay:
        """Return the run, ready to start."""
        for source, record in records:
            record.spool = str(spool)
            record.progress.sent_bytes = None
            record.save_all(source.name)
        client, transport = self._client(spool)
        total = self._count([source for source, _ in records])
        return Replay(
            files=[self._file(source, record, rejects_paths[source.identity]) for source, record in records],
            client=client,
            bar=self._bar(total),
            lines=self._lines(),
            stop=self._stop,
            transport=transport,
        )

    def finish(self, replay: Replay, records: Sequence[tuple[Source, ProgressFile]], spool: Path) -> bool:
        """Remove the spool if nothing is left in it; False if it was removed."""
        if not replay.is_finished or _dead_letters(spool):
            return True
        for source, record in records:
            record.spool = ""
            record.save_all(source.name)
        self._state.remove_spool(spool)
        return spool.exists()

    def _lock(self, spool: Path) -> None:
        self._stack.callback(os.close, lock_spool(spool))

    def _deliver_rest(self, spool: Path) -> None:
        """Deliver what another run has read, before this run sends anything that comes after it."""
        client, transport = self._client(spool)
        replay = Replay(
            files=(),
            client=client,
            bar=self._bar(None),
            stop=self._stop,
            transport=transport,
            lines=self._lines(),
        )
        report = replay.run()
        if report.pending:
            raise Failed(
                f"{spool}: {number_of(report.pending, 'message')} of an earlier run could not be delivered yet; "
                "run the same command again to continue",
                ExitCode.INTERRUPTED if self._stop.is_set else ExitCode.INCOMPLETE,
            )
        if _dead_letters(spool):
            echo(f"dead letters of an earlier run stay in {spool}", err=True)
        else:
            self._state.remove_spool(spool)

    def _client(self, spool: Path) -> tuple[Client, ObservedTransport]:
        transport = self._stack.enter_context(closing(ObservedTransport(self._settings)))
        return Client(self._settings, buffer=_buffer(spool, self._settings), transport=transport), transport

    def _file(self, source: Source, record: ProgressFile, path: Path) -> ReplayFile:
        keep = record.progress.rejects_bytes
        form = source.form
        rejects: Rejects
        if form.is_csv and form.header:
            table = (form.header, form.options.delimiter or ",")
            rejects = CsvRejects(
                path, keep=keep, other_folder=self._state.rejects_folder, table=lambda: table
            )
        else:
            rejects = Rejects(path, keep=keep, other_folder=self._state.rejects_folder)
        return ReplayFile(
            name=source.name,
            open_stream=source.open,
            form=form,
            progress=record.progress,
            save=_save_nothing if source.is_stream else record.save,
            rejects=self._stack.enter_context(closing(rejects)),
            size=source.size(),
        )

    def _bar(self, total: int | None) -> Bar:
        return self._stack.enter_context(make_bar(total, hide=self._hide))

    def _lines(self) -> Lines:
        is_shown = not self._hide and not sys.stderr.isatty()
        return Lines((lambda line: echo(line, err=True)) if is_shown else None, every=LINE_SECONDS)

    def _count(self, sources: Sequence[Source]) -> int | None:
        """Count the messages for a bar; None if that would take long."""
        if self._hide or not sys.stderr.isatty() or any(source.is_stream for source in sources):
            return None
        if sum(source.size() or 0 for source in sources) > _MAX_COUNTED_BYTES:
            return None
        number = 0
        for source in sources:
            with source.open() as stream:
                number += sum(1 for _ in read_messages(stream, source.form))
        return number


def _save_nothing() -> None:
    """A stream cannot be read again, so its progress is not saved."""
