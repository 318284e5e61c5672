"""What the rate strip of each page shows: the use of the current window and a chart of the latest ones. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from .._rate_limit import RateUse

_BARS = 30
# Of the chart's SVG, in its own unit; the template has the same number.
_HEIGHT = 28


@attrs.frozen(kw_only=True)
class Bar:
    """
    One window in the chart.

    Attributes:
        admitted: Requests within the limits.
        refused: Requests answered 429.
        height: From 0 to 28, in the chart's own unit.
        level: The CSS class: ``calm``, ``high`` from 80 % of the budget, ``over`` when requests were refused.
    """

    admitted: int
    refused: int
    height: int
    level: str


@attrs.frozen(kw_only=True)
class RateStrip:
    """
    What the rate strip shows.

    Attributes:
        used: Requests in the current window.
        limit: The most requests in one window.
        window: The length of a window in seconds.
        ends_in: Whole seconds until the current window ends.
        refused: Requests of the current window answered 429.
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
        """The used share of the current window's budget, from 0 to 100."""
        return round(min(100.0, 100 * self.used / self.limit), 1) if self.limit else 100.0

    @property
    def span(self) -> str:
        """How much time the chart covers."""
        seconds = len(self.bars) * self.window
        return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"

    @property
    def summary(self) -> str:
        """The chart as a sentence, for screen readers."""
        most = max(bar.admitted for bar in self.bars)
        refused = sum(bar.refused for bar in self.bars)
        text = f"Last {len(self.bars)} windows: at most {most:,} requests in a window"
        return f"{text}, {refused:,} rate-limited (429)" if refused else f"{text}, none rate-limited"


def rate_strip(use: RateUse) -> RateStrip:
    """Return the strip for *use*. A bar's height is proportional to the root of its share, so that small shares are visible."""
    bars = []
    for number in range(use.number - _BARS + 1, use.number + 1):
        admitted, refused = use.admitted.get(number, 0), use.refused.get(number, 0)
        share = min(1.0, admitted / use.limit) if use.limit else 1.0
        level = "over" if refused else "high" if share >= 0.8 else "calm"
        height = max(2, round(math.sqrt(share) * _HEIGHT)) if admitted or refused else 0
        bars.append(Bar(admitted=admitted, refused=refused, height=height, level=level))
    return RateStrip(
        used=use.used,
        limit=use.limit,
        window=use.window,
        ends_in=math.ceil(use.ends_in),
        refused=use.refused.get(use.number, 0),
        bars=bars,
    )
