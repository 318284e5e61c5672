"""Remembers which messages this process delivered lately, for a file that forgot (rule Q8)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...plugins import Claim, Settlement

# More than a journal has lines before it is replaced.
_REMEMBERED = 4_000


class RecentDeliveries:
    """The messages that are being delivered, and the ids of those that were delivered last; the caller holds the database's lock."""

    def __init__(self) -> None:
        self._claimed: dict[int, Claim] = {}
        self._settled: deque[str] = deque(maxlen=_REMEMBERED)

    def add_claimed(self, claim: Claim) -> None:
        """Note that *claim* is being delivered."""
        self._claimed[claim.lane] = claim

    def add_settled(self, claim: Claim, settlements: Sequence[Settlement]) -> None:
        """Note what became of *claim*."""
        self._claimed.pop(claim.lane, None)
        ended = {one.seq for one in settlements if one.kind in ("ack", "bury")}
        self._settled.extend(str(entry.message["messageId"]) for entry in claim.entries if entry.seq in ended)

    def claims(self) -> list[Claim]:
        """Return what is being delivered."""
        return list(self._claimed.values())

    def settled(self) -> Iterator[str]:
        """Yield the ids of what was delivered."""
        yield from self._settled
