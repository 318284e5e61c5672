"""The rate strip: what the current window has left, and what the latest windows used. Pure; the moment comes in as an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from .._rate_limit import RateUse

_BARS = 30
_HEIGHT = 28


@attrs.frozen(kw_only=True)
class Bar:
    """One window in the strip's chart; heights in the chart's own unit, from 0 to 28."""

    admitted: int
    refused: int
    height: int
    level: str


@attrs.frozen(kw_only=True)
class Budget:
    """
    What the strip shows.

    Attributes:
        used: Requests of the current window.
        limit: Of one window.
        ends_in: Whole seconds until the window ends.
        bars: The latest windows, the current one last.
    """

    used: int
    limit: int
    window: float
    ends_in: int
    refused: int
    bars: Sequence[Bar]

    @property
    def percent(self) -> float:
        """How much of the current window's budget is used."""
        return round(min(100.0, 100 * self.used / self.limit), 1) if self.limit else 100.0

    @property
    def span(self) -> str:
        """How long a time the chart shows."""
        seconds = len(self.bars) * self.window
        return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"

    @property
    def summary(self) -> str:
        """The chart in words."""
        most = max(bar.admitted for bar in self.bars)
        refused = sum(bar.refused for bar in self.bars)
        told = f"Last {len(self.bars)} windows: at most {most:,} requests in a window"
        return f"{told}, {refused:,} rate-limited (429)" if refused else f"{told}, none rate-limited"


def read_budget(use: RateUse) -> Budget:
    """Return the strip for *use*; the chart's heights grow with the root of the share, so that small numbers can be seen."""
    bars = []
    for number in range(use.number - _BARS + 1, use.number + 1):
        admitted, refused = use.admitted.get(number, 0), use.refused.get(number, 0)
        share = min(1.0, admitted / use.limit) if use.limit else 1.0
        level = "over" if refused else "high" if share >= 0.8 else "calm"
        height = max(2, round(math.sqrt(share) * _HEIGHT)) if admitted or refused else 0
        bars.append(Bar(admitted=admitted, refused=refused, height=height, level=level))
    return Budget(
        used=use.used,
        limit=use.limit,
        window=use.window,
        ends_in=math.ceil(use.ends_in),
        refused=use.refused.get(use.number, 0),
        bars=bars,
    )
