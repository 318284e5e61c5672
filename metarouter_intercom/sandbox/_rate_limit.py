"""Rate windows: how many requests an app and its workspace have left. Pure: the time comes in as an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

_REMEMBERED_WINDOWS = 60


class RateUse(NamedTuple):
    """
    How much of the rate budget is used; a copy that later requests do not change.

    Attributes:
        used: Requests of all apps in the current window.
        limit: Requests that all apps together may make in one window.
        number: The number of the current window.
        window: The length of a window in seconds.
        ends_in: Seconds until the current window ends.
        admitted: Requests that were not answered 429, by the window's number; at most the latest 60 windows.
        refused: Requests answered 429, by the window's number; at most the latest 60 windows.
    """

    used: int
    limit: int
    number: int
    window: float
    ends_in: float
    admitted: Mapping[int, int]
    refused: Mapping[int, int]


class RateWindows:
    """
    Counts the requests of each app in windows that begin at multiples of *window* seconds.

    Attributes:
        admitted: Requests within the limits, by the window's number; at most the latest 60 windows.
        refused: Requests answered 429, by the window's number; at most the latest 60 windows.
    """

    def __init__(self, *, app_limit: int, workspace_limit: int, window: float, reset_slack: float) -> None:
        self._app_limit = app_limit
        self._workspace_limit = workspace_limit
        self._window = window
        self._reset_slack = reset_slack
        self._number = -1
        self._used_by_app: dict[str, int] = {}
        self._used = 0
        self.admitted: dict[int, int] = {}
        self.refused: dict[int, int] = {}

    def take(self, app: str, now: float) -> tuple[str | None, dict[str, str]]:
        """
        Use one request of *app*'s budget.

        Returns:
            None and the three headers, or Intercom's error text and the headers when the budget is used up. The headers do
            not count this request: in recordings of the real API, ``Remaining`` equals ``Limit`` for the first request of a
            window.
        """
        self._enter_window(now)
        headers = self.headers(app, now)
        if self._used_by_app.get(app, 0) >= self._app_limit:
            return "The rate limit for the App has been exceeded", headers
        if self._used >= self._workspace_limit:
            return "The rate limit for the Workspace has been exceeded", headers
        self._used_by_app[app] = self._used_by_app.get(app, 0) + 1
        self._used += 1
        self.admitted[self._number] = self._used
        return None, headers

    def count_refused(self, now: float) -> None:
        """Count one request that was answered 429."""
        self._enter_window(now)
        self.refused[self._number] = self.refused.get(self._number, 0) + 1

    def usage(self, now: float, *, apps: int = 1) -> RateUse:
        """Return what is used when *apps* apps share the workspace."""
        self._enter_window(now)
        return RateUse(
            used=self._used,
            limit=min(self._workspace_limit, self._app_limit * apps),
            number=self._number,
            window=self._window,
            ends_in=(self._number + 1) * self._window - now,
            admitted=dict(self.admitted),
            refused=dict(self.refused),
        )

    def window_number(self, now: float) -> int:
        """Return the number of the window that *now* is in."""
        return math.floor(now / self._window)

    def headers(self, app: str, now: float) -> dict[str, str]:
        """Return the three headers without using a request; they describe the budget, of app or workspace, with less left."""
        self._enter_window(now)
        budgets = (
            (self._app_limit - self._used_by_app.get(app, 0), self._app_limit),
            (self._workspace_limit - self._used, self._workspace_limit),
        )
        remaining, limit = min(budgets)
        reset_at = (self._number + 1) * self._window + self._reset_slack
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, remaining)),
            "x-ratelimit-reset": str(math.ceil(reset_at)),
        }

    def _enter_window(self, now: float) -> None:
        """Begin a new count when *now* is in another window than before."""
        number = self.window_number(now)
        if number == self._number:
            return
        self._number = number
        self._used_by_app.clear()
        self._used = 0
        for counts in (self.admitted, self.refused):
            while len(counts) > _REMEMBERED_WINDOWS:
                del counts[min(counts)]
