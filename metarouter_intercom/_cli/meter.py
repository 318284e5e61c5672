"""Shows how far a run is: a bar in a terminal, a line now and then elsewhere; says how long it still takes, and what it waits for."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import IO, TYPE_CHECKING, Any

from tqdm import tqdm

from .._delivery.http.transport import HttpTransport
from .formatting import number_of

if TYPE_CHECKING:
    from .._delivery.report import Health, RateBudget
    from ..plugins import Request, Response

# Seconds without any request after which a run waits for something.
_IDLE = 0.5
# Until Intercom has said when a second window begins, a window lasts so many seconds (recorded).
_USUAL_WINDOW = 10.0
# A budget with fewer requests than this is as good as used up: the client keeps some for requests on their way.
_NEARLY_NONE = 8
_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_noinv_fmt}{postfix}]"
_FORMAT_WITHOUT_TOTAL = "{n_fmt} messages [{elapsed}, {rate_noinv_fmt}{postfix}]"


class ObservedTransport(HttpTransport):
    """
    HTTP that counts requests.

    Attributes:
        sent: Requests so far.
        last_refusal: Status of the last answer that was not a success; 0 before.
    """

    sent = 0
    last_refusal = 0
    _last_end = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._number = count(1).__next__
        self._busy: set[int] = set()

    def send(self, request: Request, *more: Any, **options: Any) -> Response:
        """Send *request*, and count it."""
        self.sent = self._number()
        self._busy.add(threading.get_ident())
        try:
            response = super().send(request, *more, **options)
        finally:
            self._busy.discard(threading.get_ident())
            self._last_end = time.monotonic()
        if response.status >= 300:
            self.last_refusal = response.status
        return response

    def is_idle(self) -> bool:
        """Tell whether no request is on its way, and none was for a while."""
        return not self._busy and time.monotonic() - self._last_end > _IDLE


class Bar(tqdm):  # type: ignore[type-arg]  # generic for type checkers only
    """A bar that shows the rate of the whole run, and the time left that its owner sets."""

    left = "?"

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar's format may name."""
        shown = dict(super().format_dict)
        shown["bar_format"] = _FORMAT_WITHOUT_TOTAL if shown["total"] is None else _FORMAT
        return {**shown, "left": self.left}


def make_bar(total: int | None, *, hide: bool, file: IO[str] | None = None) -> Bar:
    """
    Return a bar.

    Args:
        total: Messages in all; None if nobody knows.
        hide: Show none. Without this, one is shown if the stream is a terminal.
        file: Stream to show it on; None for standard error.
    """
    # For tqdm, disable=None means: no bar unless the stream is a terminal. Its rate is that of the whole run if it smooths nothing.
    return Bar(
        total=total, unit="msg", disable=True if hide else None, smoothing=0, dynamic_ncols=True, file=file
    )


class Budget:
    """How long the rate limit makes a run last; knows the windows that it has seen."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._reset: float | None = None
        self._window = _USUAL_WINDOW

    def seconds(self, requests: float, rate: RateBudget, now: float) -> float:
        """
        Return how long *requests* take at least.

        Args:
            requests: Requests that are still needed.
            rate: The rate limit as Intercom's last answer said.
            now: Unix seconds.
        """
        if rate.limit is None or rate.remaining is None or rate.reset is None:
            return 0.0
        if self._reset is not None and 0.5 < rate.reset - self._reset < 120:
            self._window = rate.reset - self._reset
        self._reset = rate.reset
        usable = max(1.0, rate.limit * self._share)
        beyond = requests - self.left(rate)
        if beyond <= 0:
            return 0.0
        full, rest = divmod(beyond, usable)
        return max(0.0, rate.reset - now) + full * self._window + rest / usable

    def left(self, rate: RateBudget) -> float:
        """Return how many requests this client may still send in this window."""
        return max(0.0, (rate.remaining or 0) - (rate.limit or 0) * (1.0 - self._share))


def time_left(
    messages: float, *, per_second: float, requests_each: float, budget: Budget, rate: RateBudget, now: float
) -> float | None:
    """
    Return the seconds that *messages* still take; None if that cannot be said yet.

    Args:
        messages: Messages that are not settled.
        per_second: Messages settled a second, over the whole run.
        requests_each: Requests for each message so far.
        budget: The rate limit.
        rate: What Intercom's last answer said of it.
        now: Unix seconds.
    """
    if per_second <= 0:
        return None
    return max(messages / per_second, budget.seconds(messages * requests_each, rate, now))


def reason_to_wait(
    health: Health, rate: RateBudget, *, left: float, is_idle: bool, last_refusal: int, now: float
) -> str:
    """
    Return what a run with messages to send waits for; an empty text while it sends.

    Args:
        health: The client's.
        rate: What Intercom's last answer said of the rate limit.
        left: Requests that may still be sent in this window.
        is_idle: No request is on its way.
        last_refusal: Status of the last answer that was no success.
        now: Unix seconds.
    """
    if health.status == "held":
        return f"held: Intercom refuses the key ({health.reason})"
    if health.status == "failing":
        return f"Intercom does not answer ({health.reason})" if health.reason else "Intercom does not answer"
    if not is_idle:
        return ""
    if rate.reset is not None and rate.reset > now and left < _NEARLY_NONE:
        return f"waits {math.ceil(rate.reset - now)} s for the rate limit"
    if last_refusal == 429:
        return "waits for the rate limit"
    if last_refusal == 404:
        return "waits for contacts that do not exist yet"
    return "waits before it tries again" if last_refusal else ""


class Lines:
    """
    Progress for a log: one line every so often.

    Args:
        write: Prints a line; None prints nothing.
        every: Seconds between two lines.
    """

    def __init__(self, write: Callable[[str], None] | None, *, every: float) -> None:
        self._write = write
        self._every = every
        self._next_at = time.monotonic() + every

    @property
    def is_due(self) -> bool:
        """Whether it is time for a line."""
        return self._write is not None and time.monotonic() >= self._next_at

    def show(self, done: int, total: float | None, *, per_second: float, left: str, postfix: str) -> None:
        """Print a line."""
        if self._write is None:
            return
        self._next_at = time.monotonic() + self._every
        of = (
            number_of(done, "message")
            if total is None
            else f"{done:,} of {number_of(round(total), 'message')}"
        )
        self._write(f"{of}, {per_second:,.1f} a second, {left} left; {postfix}")


def clock_time(seconds: float | None) -> str:
    """Return seconds as ``1:05:09`` or ``05:09``; a question mark for None."""
    return "?" if seconds is None else str(tqdm.format_interval(seconds))
