"""Decides when the next request may go, from the headers of the answers (rule T4); pure except for its own state, and no limit is built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .other_clients import OtherClients

if TYPE_CHECKING:
    from collections.abc import Mapping

# The longest wait that a header can ask for, in seconds: windows are short, and a wrong header must not stop a client for a day.
_LONGEST_WAIT = 120.0
# After a reset the clients of a workspace start spread over so many seconds.
_SPREAD = 0.05
# What is left for each other client at the end of a budget, and for each request of ours that is on its way: an answer shows only the
# requests that Intercom had counted then.
_PER_CLIENT, _PER_REQUEST = 1.0, 2.0
# Seconds after which to ask again, if answers that are still on their way may show that there is room.
_ASK_AGAIN = 0.02
# A request that finds out is on its way for so many seconds before another one tries, once more for each that hangs.
_HANGS_AFTER = 0.75
# Back-off for a 429 without headers, in seconds: doubled from the first to the last.
_FIRST_WAIT, _LAST_WAIT = 1.0, 60.0
# A difference between two clocks below these seconds is no difference: headers have whole seconds.
_SAME_CLOCK = 2.0
# So many answers show a smaller difference as well.
_ENOUGH_DATES = 8
# If a window has not ended when our clock says so, it is asked again after so many seconds.
_NOT_YET = 0.5


class RateLimit:
    """
    The request budget of one workspace as one client sees it; not thread-safe, the owner holds a lock.

    An answer's ``Remaining`` is what was left *before* its request. The lowest one of a window is the newest: of our requests, it counts
    all that were answered with a higher one, and its own. The requests that are still on their way are taken off, and given back when
    their answers show that they were counted already.

    Other clients use the same budget, and this client sees their requests only in the headers. So the closer the budget comes to its
    end, the fewer requests this client has on their way at once, and it stops before the last requests of the others can meet an
    empty budget.

    Args:
        share: The part of the limit that this client may use, above 0 and at most 1.

    Attributes:
        window: The reset that the last answer named, in the server's time: it tells one window from another. None before that.
    """

    def __init__(self, *, share: float) -> None:
        self._share = share
        self._limit: int | None = None
        # What the newest answer left, without our requests that it may not count: those on their way, and those that brought no news.
        self._left = 0
        self._in_flight = 0
        self._lost = 0
        self._sent_at = 0.0
        # The window's end in our clock's time; None before an answer said it.
        self._reset: float | None = None
        self.window: int | None = None
        # Answers of an earlier window that may still come.
        self._late = 0
        # What to add to Intercom's time to get ours: the least that the answers of this window and of the one before allow.
        self._skew: float | None = None
        self._skew_before: float | None = None
        self._dates = 0
        self._has_answer = False
        # After a 429.
        self._blocked_until = 0.0
        self._refusals = 0
        self._others = OtherClients()

    def before(self, now: float, jitter: float) -> float:
        """
        Return how long to wait before a request; 0 reserves the request.

        Args:
            now: Seconds of the delivery's clock.
            jitter: A random number in [0, 1).

        Returns:
            Seconds after which to ask again; 0.0 when the request may go.
        """
        if now < self._blocked_until:
            return self._blocked_until - now + jitter * _SPREAD
        if self._in_flight and (self._refusals or not self._has_answer):
            # Nobody knows how small the budget is, or whether the refusals are over, so one request finds out. If it hangs, others try.
            is_hanging = now - self._sent_at >= _HANGS_AFTER * self._in_flight
            return self._send(now) if is_hanging else _ASK_AGAIN * (0.5 + jitter)
        if self._limit is None:
            return self._send(now)
        if self._reset is not None and now >= self._reset:
            self._begin_window()
        free = self._left - self._lost - self._left_for_others()
        if free < 1.0 and self._reset is not None:
            return max(_ASK_AGAIN, self._reset - now) + jitter * _SPREAD
        # For each request of ours on its way, the others have theirs, which no answer has shown yet.
        ours = free / (1.0 + _PER_REQUEST * self._others.number)
        return self._send(now) if self._in_flight < max(1.0, ours) else _ASK_AGAIN * (0.5 + jitter)

    def after(self, headers: Mapping[str, str], status: int, now: float) -> None:
        """
        Learn from the end of a request.

        Args:
            headers: The answer's, names in lower case.
            status: The answer's; 0 when there was none.
            now: Seconds of the delivery's clock.
        """
        self._in_flight = max(0, self._in_flight - 1)
        limit = _whole_number(headers.get("x-ratelimit-limit"))
        remaining = _whole_number(headers.get("x-ratelimit-remaining"))
        reset = _whole_number(headers.get("x-ratelimit-reset"))
        if status:
            self._has_answer = True
            self._compare_clocks(headers.get("date"), now)
        if limit is not None and remaining is not None:
            self._observe(limit, remaining, reset=reset, now=now)
        else:
            self._lost += 1
        if status == 429:
            self._refused(self._local(reset, now), now)
        elif status:
            self._refusals = 0
        if not 200 <= status < 300:
            # Intercom sends no such header (recorded), but a proxy in between may ask for a pause (rule T6).
            sent_at = _seconds_of_date(headers.get("date"))
            asked = _asked_pause(
                headers.get("retry-after"), now - self._difference() if sent_at is None else sent_at
            )
            self._blocked_until = max(self._blocked_until, now + min(asked, _LONGEST_WAIT))

    def budget(self) -> tuple[int | None, int | None, float | None]:
        """Return limit, remaining and reset as the last answers said; None for what none said."""
        if self._limit is None:
            return None, None, None
        return self._limit, max(0, self._left - self._lost - self._in_flight), self._reset

    def _send(self, now: float) -> float:
        self._in_flight += 1
        self._sent_at = now
        return 0.0

    def _left_for_others(self) -> float:
        """Return what this client must leave: by its setting, and for requests of others that are on their way."""
        limit = self._limit or 0
        return limit * (1.0 - self._share) + _PER_CLIENT * self._others.to_leave(limit)

    def _begin_window(self) -> None:
        """Expect a whole budget: if others have used some of it, the first answer says so."""
        self._left = self._limit or 1
        self._reset = None
        self._late = self._in_flight
        self._end_window()

    def _end_window(self) -> None:
        self._lost = 0
        self._skew, self._skew_before = None, self._skew
        self._others.end_window()

    def _observe(self, limit: int, remaining: int, *, reset: int | None, now: float) -> None:
        if self.window is not None and reset is not None and reset <= self.window:
            if reset < self.window or (self._reset is None and self._late > 0):
                self._late -= 1
                return  # an answer of an older window, which a later answer or our clock has overtaken
            is_new = False
        else:
            is_new = True
        if is_new and self._reset is not None:
            self._end_window()
        left = max(0, remaining - 1)
        if is_new or left <= self._left:
            self._left = left
            self._lost = 0
        local = self._local(reset, now)
        if not is_new and local is not None and self._reset is None:
            # We began the next window, but Intercom has not.
            local = max(local, now + _NOT_YET)
        self._reset = local
        self._limit = limit
        self.window = reset
        if remaining:
            self._others.observe(
                remaining, in_flight=self._in_flight
            )  # a refusal is no request that was counted

    def _local(self, reset: int | None, now: float) -> float | None:
        """Return the server's instant in our clock's time, at most two minutes ahead."""
        return None if reset is None else min(reset + self._difference(), now + _LONGEST_WAIT)

    def _difference(self) -> float:
        """Return what to add to the server's time to get ours."""
        known = [skew for skew in (self._skew, self._skew_before) if skew is not None]
        skew = min(known, default=0.0)
        # One answer may show a second too much, and the time it took: only many show that our clock is a little ahead.
        return skew if skew < 0.0 or skew > _SAME_CLOCK or self._dates >= _ENOUGH_DATES else 0.0

    def _compare_clocks(self, date: str | None, now: float) -> None:
        sent_at = _seconds_of_date(date)
        if sent_at is not None:
            # The header is cut to whole seconds and the answer was on its way: each answer shows too much, and the least is the best.
            skew = now - sent_at
            self._skew = skew if self._skew is None else min(self._skew, skew)
            self._dates += 1

    def _refused(self, reset: float | None, now: float) -> None:
        if now >= self._blocked_until:
            # Requests that were on their way together are refused together; that counts as one refusal.
            self._refusals += 1
        self._left = 0
        seconds = min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** (self._refusals - 1))
        # If the reset has passed already, it cannot be the end of this refusal.
        until = reset if reset is not None and reset > now else now + seconds
        self._blocked_until = max(self._blocked_until, until)


def _asked_pause(text: str | None, now: float) -> float:
    """Return the seconds that a ``Retry-After`` header asks for, as a number or as an instant in the sender's time; 0 for anything else."""
    if text is None:
        return 0.0
    seconds = _whole_number(text)
    if seconds is not None:
        return float(seconds)
    until = _seconds_of_date(text)
    return 0.0 if until is None else max(0.0, until - now)


def _seconds_of_date(text: str | None) -> float | None:
    """Return the Unix seconds of a header's instant; None for anything else."""
    if text is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _whole_number(text: str | None) -> int | None:
    """Return a header's whole number; None for anything else, of whatever length and script."""
    if text is None or len(text) > 18:
        return None
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() else None
