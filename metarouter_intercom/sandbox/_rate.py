"""Rate windows: how many requests an app and its workspace have left. Pure; the moment comes in as an argument."""

from __future__ import annotations

import math


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
        index = math.floor(now / self._window)
        if index == self._index:
            return
        self._index = index
        self._taken.clear()
        self._taken_together = 0
        while len(self.history) > 60:
            del self.history[min(self.history)]
