"""Which dead letters a command means: unknown ids and reasons are a mistake that it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .exit_codes import ExitCode, Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._delivery.buffers.spool import SpoolBuffer

# The reasons of the package: one of them without dead letters is no mistake. A status has its number: http_400.
REASONS = frozenset(
    {
        "ambiguous_email",
        "conflict",
        "contact_archived",
        "contact_deleted",
        "contact_missing",
        "event_name_limit",
        "internal_error",
        "plugin_failed",
        "poison",
        "retry_expired",
        "translator_failed",
        "unknown",
        "unknown_attribute",
    }
)
_OF_STATUS = re.compile(r"http_\d{3}")
# An error lists so many ids.
_IDS_SHOWN = 20


def check_reason(buffer: SpoolBuffer, reason: str | None) -> None:
    """
    Check that *reason* is one that a dead letter may have.

    Raises:
        Failed: It is not; the line lists those that the spool has.
    """
    if reason is None or reason in REASONS or _OF_STATUS.fullmatch(reason):
        return
    present = sorted(buffer.count_dead())
    if reason not in present:
        raise Failed(f"{reason}: no such reason; {_listed('the reasons here are', present)}", ExitCode.USAGE)


def check_ids(buffer: SpoolBuffer, ids: Sequence[int]) -> None:
    """
    Check that every one of *ids* is a dead letter.

    Raises:
        Failed: Some are not; the line lists those that the spool has.
    """
    unknown = [str(number) for number in ids if not _is_there(buffer, number)]
    if not unknown:
        return
    page = buffer.dead_letters(limit=_IDS_SHOWN + 1)
    present = [str(letter.id) for letter in page[:_IDS_SHOWN]] + ["..."] * (len(page) > _IDS_SHOWN)
    text = (
        f"{', '.join(unknown)}: no such dead letter in {buffer.path}; {_listed('the ids here are', present)}"
    )
    raise Failed(text, ExitCode.USAGE)


def _is_there(buffer: SpoolBuffer, number: int) -> bool:
    letters = buffer.dead_letters(after=number - 1, limit=1)
    return bool(letters) and letters[0].id == number


def _listed(text: str, present: Sequence[str]) -> str:
    return f"{text} {', '.join(present)}" if present else "there are no dead letters"
