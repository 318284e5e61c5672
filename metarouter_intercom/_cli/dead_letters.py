"""``dead-letters``: list, show, retry, discard and export the dead letters in a spool file."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from typing import Any

import click

from .._client.dead_letters import DeadLetters, line_of
from .._client.mapping_settings import read_mapping
from .._delivery.buffers.spool import SpoolBuffer
from ..plugins import DeadLetter
from .exit_codes import ExitCode, Failed
from .formatting import echo, is_complete, number_of, report_lines, report_object
from .known_letters import check_ids, check_reason
from .options import connection_options, json_option, setting_option, settings_of
from .retrying import Retry
from .spool_files import require_spool

_spool_option = click.option(
    "--spool", required=True, type=click.Path(dir_okay=False), help="Spool file of the client."
)
_reason_option = click.option("--reason", help="Only dead letters with this reason.")
_ids_argument = click.argument("ids", type=int, nargs=-1)
_all_option = click.option("--all", "every", is_flag=True, help="All dead letters.")


@click.group("dead-letters", short_help="List, show, retry, discard or export dead letters.")
def dead_letters() -> None:
    """Look at dead letters, the messages that could not be delivered, and retry them."""


def open_spool(path: str) -> SpoolBuffer:
    """
    Open the existing spool at *path*.

    Raises:
        Failed: There is no such file, or it is another kind of file.
        SpoolFailed: The file cannot be read.
    """
    require_spool(path)
    return SpoolBuffer(path, limit=sys.maxsize, dead_letters=sys.maxsize)


def _letters(buffer: SpoolBuffer) -> DeadLetters:
    return DeadLetters(buffer, lambda _: None)


@dead_letters.command("list")
@_spool_option
@_reason_option
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Maximum number to list, oldest first.",
)
@json_option
def list_letters(*, spool: str, reason: str | None, limit: int, as_json: bool) -> None:
    """List dead letters with their reasons."""
    with closing(open_spool(spool)) as buffer:
        check_reason(buffer, reason)
        letters = _letters(buffer)
        listed, counts = letters.list(reason, limit=limit), letters.count()
    if as_json:
        click.echo(json.dumps({"dead": counts, "dead_letters": [line_of(letter) for letter in listed]}))
        return
    for letter in listed:
        echo(_row(letter))
    total = counts.get(reason, 0) if reason else sum(counts.values())
    echo(
        f"{len(listed):,} of {number_of(total, 'dead letter')}"
        + "".join(f"\n  {n:,} x {why}" for why, n in sorted(counts.items()))
    )


def _row(letter: DeadLetter) -> str:
    message = letter.message
    subject = message.get("userId") or message.get("anonymousId") or message.get("groupId") or "-"
    died = datetime.fromtimestamp(letter.died_at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{letter.id:>6}  {died}  {letter.reason:<20}  {message.get('type')!s:<8}  {subject}"


@dead_letters.command(short_help="Show one dead letter with its message and Intercom's last answer.")
@_spool_option
@click.argument("id", type=int)
def show(spool: str, id: int) -> None:
    """Show one dead letter with its message and Intercom's last answer."""
    with closing(open_spool(spool)) as buffer:
        letters = buffer.dead_letters(after=id - 1, limit=1)
    if not letters or letters[0].id != id:
        raise Failed(
            f"{id}: no such dead letter in {spool}; run dead-letters list to see their ids", ExitCode.USAGE
        )
    click.echo(json.dumps(line_of(letters[0]), indent=2))


@dead_letters.command(short_help="Accept dead letters again and deliver them.")
@_spool_option
@_ids_argument
@_all_option
@_reason_option
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the deliveries.",
)
@setting_option
@click.option("--no-progress", is_flag=True, help="Do not show a progress bar.")
@connection_options
@json_option
def retry(
    *,
    spool: str,
    ids: tuple[int, ...],
    every: bool,
    reason: str | None,
    timeout: float,
    overrides: dict[str, Any],
    no_progress: bool,
    as_json: bool,
    **connection: Any,
) -> int:
    """
    Accept dead letters again and deliver them. Choose them by IDS, --reason or --all.

    They are translated under the settings of the client that wrote the spool; --setting overrides them for this run. Hooks and a
    translator of your application are not known here: if it has any, retry with client.dead_letters.retry() instead. A message that
    would be skipped stays a dead letter.
    """
    _require_one_choice(ids, every, reason)
    with closing(open_spool(spool)) as buffer:
        check_ids(buffer, ids)
        check_reason(buffer, reason)
        mapping = read_mapping(buffer.workspaces().mapping(_first(buffer, ids, reason)))
    settings = settings_of(**connection, beneath={**mapping, **overrides}, spool=spool)
    number, report = Retry(settings, hide_bar=no_progress or as_json).run(list(ids) or None, reason, timeout)
    if as_json:
        skipped = dict(number.skipped)
        click.echo(
            json.dumps({"accepted_again": int(number), "stay_skipped": skipped, **report_object(report)})
        )
    else:
        were = number_of(number, "dead letter was", "dead letters were")
        stay = [
            f"  stay: {number_of(count, 'dead letter')} that would be skipped ({why})"
            for why, count in sorted(number.skipped.items())
        ]
        echo("\n".join([f"{were} accepted again", *stay, *report_lines(report)]))
    return ExitCode.DONE if is_complete(report) and not number.skipped else ExitCode.INCOMPLETE


def _first(buffer: SpoolBuffer, ids: tuple[int, ...], reason: str | None) -> int | None:
    """Return the id of the first chosen dead letter, whose workspace's settings count."""
    letters = buffer.dead_letters(reason=reason, limit=1)
    return ids[0] if ids else letters[0].id if letters else None


@dead_letters.command(short_help="Delete dead letters for good.")
@_spool_option
@_ids_argument
@_all_option
@_reason_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def discard(
    *, spool: str, ids: tuple[int, ...], every: bool, reason: str | None, yes: bool, as_json: bool
) -> None:
    """Delete dead letters for good. Choose them by IDS, --reason or --all."""
    _require_one_choice(ids, every, reason)
    with closing(open_spool(spool)) as buffer:
        check_ids(buffer, ids)
        check_reason(buffer, reason)
    # Without any there is nothing to ask, and what may be added meanwhile is kept.
    is_wanted = yes or _is_confirmed(_count(spool, ids, reason))
    with closing(open_spool(spool)) as buffer:
        number = _letters(buffer).discard(list(ids) or None, reason=reason) if is_wanted else 0
    if as_json:
        click.echo(json.dumps({"discarded": number}))
    else:
        echo(f"{number_of(number, 'dead letter was', 'dead letters were')} discarded")


def _count(spool: str, ids: tuple[int, ...], reason: str | None) -> int:
    with closing(open_spool(spool)) as buffer:
        if ids:
            return len(set(ids))
        counts = _letters(buffer).count()
    return sum(counts.values()) if reason is None else counts.get(reason, 0)


def _is_confirmed(number: int) -> bool:
    """
    Ask whether *number* dead letters may be deleted; False if there are none.

    Raises:
        Abort: The answer is no.
        Failed: There is nobody to ask.
    """
    if not number:
        return False
    question = f"This cannot be undone. Delete {number_of(number, 'dead letter')}?"
    try:
        is_confirmed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        echo(err=True)
        raise Failed("add --yes to discard without asking", ExitCode.USAGE) from None
    if not is_confirmed:
        raise click.Abort
    return True


@dead_letters.command(short_help="Write dead letters as JSON lines.")
@_spool_option
@_reason_option
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    default="-",
    help="File to write; standard output by default.",
)
def export(spool: str, reason: str | None, output: str) -> None:
    """Write dead letters as JSON lines. They stay in the spool."""
    with ExitStack() as stack:
        buffer = stack.enter_context(closing(open_spool(spool)))
        check_reason(buffer, reason)
        # The messages contain personal data, so only the owner may read the file.
        file = sys.stdout if output == "-" else stack.enter_context(open(output, "w", opener=_private))
        number = _letters(buffer).export(file, reason=reason)
    echo(f"{number_of(number, 'dead letter was', 'dead letters were')} exported", err=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _require_one_choice(ids: tuple[int, ...], every: bool, reason: str | None) -> None:
    if sum((bool(ids), every, reason is not None)) != 1:
        raise click.UsageError("choose dead letters by IDS, --reason or --all, and by one of them only")
