"""Rate windows: how many requests an app and its workspace have left. Pure; the moment comes in as an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

_REMEMBERED = 60


class RateUse(NamedTuple):
    """
    How much of the budget is used; what is told of is a copy.

    Attributes:
        used: Requests of all apps in the current window.
        limit: Of one window: what all apps may use together.
        number: The current window's.
        window: Seconds.
        ends_in: Seconds until the current window ends.
        admitted: Requests answered in each of the latest windows.
        refused: Requests answered 429 in each of the latest windows.
    """

    used: int
    limit: int
    number: int
    window: float
    ends_in: float
    admitted: Mapping[int, int]
    refused: Mapping[int, int]


class RateWindows:
    """Counts the requests of each app in windows that begin at multiples of *window* seconds."""

    def __init__(self, *, app_limit: int, workspace_limit: int, window: float, reset_slack: float) -> None:
        self._app_limit = app_limit
        self._workspace_limit = workspace_limit
        self._window = window
        self._reset_slack = reset_slack
        self._index = -1
        self._taken: dict[str, int] = {}
        self._taken_together = 0
        self.history: dict[int, int] = {}
        """Requests admitted in each of the latest windows, by the window's number."""
        self.refused: dict[int, int] = {}
        """Requests answered 429 in each of the latest windows."""

    def take(self, app: str, now: float) -> tuple[str | None, dict[str, str]]:
        """
        Use one request of *app*'s budget.

        Returns:
            None and the three headers; or the error text and the headers when nothing is left. The first request of a
            window sees ``Remaining`` equal to ``Limit``, as recorded from the real API.
        """
        self._turn(now)
        headers = self.headers(app, now)
        if self._taken.get(app, 0) >= self._app_limit:
            return "The rate limit for the App has been exceeded", headers
        if self._taken_together >= self._workspace_limit:
            return "The rate limit for the Workspace has been exceeded", headers
        self._taken[app] = self._taken.get(app, 0) + 1
        self._taken_together += 1
        self.history[self._index] = self._taken_together
        return None, headers

    def refuse(self, now: float) -> None:
        """Count one request that was answered 429."""
        self._turn(now)
        self.refused[self._index] = self.refused.get(self._index, 0) + 1

    def use(self, now: float, *, apps: int = 1) -> RateUse:
        """Tell what is used, for *apps* apps that share the workspace."""
        self._turn(now)
        return RateUse(
            used=self._taken_together,
            limit=min(self._workspace_limit, self._app_limit * apps),
            number=self._index,
            window=self._window,
            ends_in=(self._index + 1) * self._window - now,
            admitted=dict(self.history),
            refused=dict(self.refused),
        )

    def index_at(self, now: float) -> int:
        """Return the number of the window that *now* is in."""
        return math.floor(now / self._window)

    def headers(self, app: str, now: float) -> dict[str, str]:
        """Return the three headers without using anything; of both budgets the one with less left is told."""
        self._turn(now)
        budgets = (
            (self._app_limit - self._taken.get(app, 0), self._app_limit),
            (self._workspace_limit - self._taken_together, self._workspace_limit),
        )
        remaining, limit = min(budgets)
        reset_at = (self._index + 1) * self._window + self._reset_slack
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, remaining)),
            "x-ratelimit-reset": str(math.ceil(reset_at)),
        }

    def _turn(self, now: float) -> None:
        index = self.index_at(now)
        if index == self._index:
            return
        self._index = index
        self._taken.clear()
        self._taken_together = 0
        for counted in (self.history, self.refused):
            while len(counted) > _REMEMBERED:
                del counted[min(counted)]
