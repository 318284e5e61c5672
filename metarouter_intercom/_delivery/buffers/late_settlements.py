"""What the spool's file could not settle at its time; knows nothing of messages in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..safely import safe_log
from .file_faults import extra_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...errors import SpoolFailed
    from ...plugins import Claim, Settlement
    from .spool import SpoolBuffer

_log = safe_log


class LateSettlements:
    """
    Settles before the next claim what the file could not take, so that nothing is delivered twice.

    Args:
        spool: The file.
        path: Of the file, for the log.
    """

    def __init__(self, spool: SpoolBuffer, path: str) -> None:
        self._spool = spool
        self._path = path
        self._waiting: list[tuple[Claim, Sequence[Settlement]]] = []

    def add(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """Keep what the file did not take."""
        self._waiting.append((claim, settlements))

    def settle(self, now: float) -> None:
        """
        Settle what waits.

        Raises:
            SpoolFailed: The file still fails; what it did not take waits on.
        """
        while self._waiting:
            self._spool.settle(*self._waiting[0], now=now)
            self._waiting.pop(0)

    def leave(self, error: SpoolFailed) -> None:
        """Leave what was delivered to the next process, which settles it; say so if even that is not possible."""
        delivered = [
            str(entry.message["messageId"])
            for claim, settlements in self._waiting
            for entry in claim.entries
            if any(one.seq == entry.seq and one.kind == "ack" for one in settlements)
        ]
        if not self._spool.note_delivered(delivered):
            _log.warning(
                "spool %s: delivered messages could not be settled and will be sent again (claims: %d): %s",
                self._path,
                len(self._waiting),
                error,
                extra=extra_of(error) | {"claims": len(self._waiting)},
            )
