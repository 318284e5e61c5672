"""What ``send`` prints at its end, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .exit_codes import ExitCode
from .formatting import echo, is_complete, number_of, report_lines, report_object
from .replay import Replay, ReplayFile, interrupt_text

if TYPE_CHECKING:
    from .._delivery.report import Report
    from .._types import JsonObject


def print_summary(replay: Replay, report: Report, *, as_json: bool, rejects: Sequence[Path]) -> None:
    """Print the summary, and on standard error where the rejected messages are."""
    if as_json:
        click.echo(json.dumps(_summary_object(replay, report)))
    else:
        echo(_summary(replay, report))
    written = [str(path) for path, file in zip(rejects, replay.files, strict=True) if file.progress.rejected]
    if written:
        echo(f"rejected messages are in {', '.join(written)}", err=True)


def _summary_object(replay: Replay, report: Report) -> JsonObject:
    files: list[JsonObject] = [
        {
            "file": file.name,
            "read": file.progress.read,
            "read_before": file.read_before,
            "read_rejected": file.progress.rejected,
            "is_finished": replay.is_finished,
        }
        for file in replay.files
    ]
    numbers: JsonObject = {
        name: sum(int(str(file[name])) for file in files) for name in ("read", "read_before", "read_rejected")
    }
    one: JsonObject = {"file": files[0]["file"]} if len(files) == 1 else {}
    return {
        **one,
        "files": [*files],
        **numbers,
        "is_finished": replay.is_finished,
        **report_object(report),
    }


def _summary(replay: Replay, report: Report) -> str:
    lines = [_heading(file) for file in replay.files]
    if len(lines) > 1:
        read, rejected = number_of(replay.read, "message"), replay.rejected
        lines.append(f"{number_of(len(lines), 'file')}: {read} read, {rejected:,} rejected")
    return "\n".join([*lines, *report_lines(report)])


def _heading(file: ReplayFile) -> str:
    read = number_of(file.progress.read, "message")
    return (
        f"{file.name}: {read} read{_of_earlier_runs(file.read_before)}, "
        f"{file.progress.rejected:,} rejected{_of_earlier_runs(file.rejected_before)}"
    )


def _of_earlier_runs(number: int) -> str:
    return f" ({number:,} of them by earlier runs)" if number else ""


def print_hints(replay: Replay, report: Report, spool: Path | None) -> None:
    """Print on standard error where the messages are that are not in Intercom, and how to continue."""
    if report.dead and spool is not None:
        echo(f"to see the dead letters: metarouter-intercom dead-letters list --spool {spool}", err=True)
    if replay.is_interrupted:
        echo(interrupt_text(replay, report), err=True)


def exit_code_of(replay: Replay, report: Report) -> ExitCode:
    """Return how the run ended."""
    if replay.is_interrupted:
        return ExitCode.INTERRUPTED
    if replay.is_finished and is_complete(report) and not replay.rejected:
        return ExitCode.DONE
    return ExitCode.INCOMPLETE
