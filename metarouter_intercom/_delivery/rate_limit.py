"""Decides when the next request may go, from the headers of the answers (rule T4); pure except for its own state, and no limit is built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Before the first answer the budget is unknown. So many requests at a time may go out to find it.
_FIRST_REQUESTS = 4
# The longest wait that a header can ask for, in seconds: windows are short, and a wrong header must not stop a client for a day.
_LONGEST_WAIT = 120.0
# After a reset the clients of a workspace start spread over so many seconds.
_SPREAD = 0.05
# Without news, what other clients take is estimated for so many seconds; then a request finds out.
_ESTIMATED_FOR = 0.25
# What is left for each other client at the end of a budget, and for each request of ours that is on its way: an answer shows only the
# requests that Intercom had counted then. Measured: four processes with four threads each use 97 to 98 % of a budget of 200 and get
# no 429.
_PER_CLIENT, _PER_REQUEST = 1.0, 2.0
# After so many answers in a window, the speed at which the budget falls shows how many other clients there are.
_ENOUGH_ANSWERS = 12
# Close to the end of a budget that other clients use too, so many seconds lie between an answer and the next request, so that every
# client sees the end.
_GAP_AT_THE_END = 0.025
# Seconds after which to ask again, if the last requests of a window are still on their way.
_ASK_AGAIN = 0.02
# Back-off for a 429 without headers, in seconds: doubled from the first to the last.
_FIRST_WAIT, _LAST_WAIT = 1.0, 60.0
# A difference between two clocks, or two resets, below these seconds is no difference: headers have whole seconds.
_SAME_CLOCK, _SAME_RESET = 2.0, 0.5
_MOST_OTHERS = 64.0


class RateLimit:
    """
    The request budget of one workspace as one client sees it; not thread-safe, the owner holds a lock.

    Other clients use the same budget, and this client does not see their requests. It sees the headers: ``remaining`` falls by more
    than this client's own answers. So the closer the budget comes to its end, the fewer requests this client has on their way at once,
    and it stops before the last requests of the other clients can meet an empty budget.

    Args:
        share: The part of the limit that this client may use, above 0 and at most 1.
    """

    def __init__(self, *, share: float) -> None:
        self._share = share
        # As the last answers said: requests a window, requests left less those on their way, and the reset in our clock's time.
        self._limit: int | None = None
        self._remaining = 0
        self._reset: float | None = None
        # What to add to Intercom's time to get ours.
        self._skew = 0.0
        self._in_flight = 0
        self._has_answer = False
        self._last_answer_at = 0.0
        # After a 429.
        self._blocked_until = 0.0
        self._refusals = 0
        # How many other clients like this one there are: in all windows so far, and in this window once that is known.
        self._others = 0.0
        self._others_now: float | None = None
        self._others_per_second = 0.0
        # Of this window: answers so far, and what the first one said, and when.
        self._answers = 0
        self._used_at_first: int | None = None
        self._first_answer_at = 0.0

    def before(self, now: float, jitter: float) -> float:
        """
        Return how long to wait before a request; 0 reserves the request.

        Args:
            now: Unix seconds of this machine.
            jitter: A random number in [0, 1).

        Returns:
            Seconds after which to ask again; 0.0 when the request may go.
        """
        if now < self._blocked_until:
            return self._blocked_until - now + jitter * _SPREAD
        if self._limit is None:
            return self._send() if self._has_answer or self._in_flight < _FIRST_REQUESTS else _ASK_AGAIN
        if self._reset is not None and now >= self._reset:
            self._begin_window()
        room = self._remaining - self._left_for_others() - self._used_by_others_since(now)
        if room <= 0:
            if self._reset is None:
                # No answer said when there is budget again, so one request at a time finds out.
                return _ASK_AGAIN if self._in_flight else self._send()
            return max(_ASK_AGAIN, self._reset - now) + jitter * _SPREAD
        # For each request of ours on its way, the others have theirs, which no answer has shown yet.
        ours = room / (1.0 + _PER_REQUEST * self._others)
        gap_ends_at = self._last_answer_at + _GAP_AT_THE_END * (0.5 + jitter)
        if ours < 1.0 and self._others >= 0.5 and now < gap_ends_at:
            return gap_ends_at - now
        return self._send() if self._in_flight < max(1.0, ours) else _ASK_AGAIN * (0.5 + jitter)

    def after(self, headers: Mapping[str, str], status: int, now: float) -> None:
        """
        Learn from the end of a request.

        Args:
            headers: The answer's, names in lower case.
            status: The answer's; 0 when there was none.
            now: Unix seconds of this machine.
        """
        self._in_flight = max(0, self._in_flight - 1)
        limit = _whole_number(headers.get("x-ratelimit-limit"))
        remaining = _whole_number(headers.get("x-ratelimit-remaining"))
        reset = _whole_number(headers.get("x-ratelimit-reset"))
        if status:
            self._has_answer = True
            self._compare_clocks(headers.get("date"), now)
        local_reset = None if reset is None else min(reset + self._skew, now + _LONGEST_WAIT)
        if limit is not None and remaining is not None:
            self._observe(limit, remaining, reset=local_reset, now=now)
        if status == 429:
            self._refused(local_reset, now)
        elif status:
            self._refusals = 0
        if not 200 <= status < 300:
            # Intercom sends no such header (recorded), but a proxy in between may ask for a pause (rule T6).
            sent_at = _seconds_of_date(headers.get("date"))
            asked = _asked_pause(headers.get("retry-after"), now - self._skew if sent_at is None else sent_at)
            self._blocked_until = max(self._blocked_until, now + min(asked, _LONGEST_WAIT))

    def budget(self) -> tuple[int | None, int | None, float | None]:
        """Return limit, remaining and reset (Unix seconds) as the last answers said; None for what none said."""
        if self._limit is None:
            return None, None, None
        return self._limit, max(0, self._remaining), self._reset

    def _send(self) -> float:
        self._in_flight += 1
        self._remaining -= 1
        return 0.0

    def _left_for_others(self) -> float:
        """Return what this client must leave: by its setting, and for requests of others that are on their way."""
        limit = self._limit or 0
        return limit * (1.0 - self._share) + _PER_CLIENT * self._others

    def _used_by_others_since(self, now: float) -> float:
        """Return what the others have probably used since the last answer, at their speed in this window."""
        per_second = self._others_per_second
        if self._remaining - self._left_for_others() < 1.0 + _PER_REQUEST * self._others:
            per_second = min(per_second, self._others / _GAP_AT_THE_END)  # they see the end as well
        return per_second * min(_ESTIMATED_FOR, max(0.0, now - self._last_answer_at))

    def _begin_window(self) -> None:
        """Expect a fresh window; until an answer says its numbers, a few requests find out."""
        # The 0.999 rounds up without an import.
        self._remaining = min(self._limit or 1, _FIRST_REQUESTS) + int(self._left_for_others() + 0.999)
        self._reset = None
        self._end_window()

    def _observe(self, limit: int, remaining: int, *, reset: float | None, now: float) -> None:
        # The header says what was left before the request that it answers (recorded: the first one of a window says the whole limit).
        left = max(0, remaining - 1) - self._in_flight
        if self._limit is None or self._reset is None or reset is None or reset > self._reset + _SAME_RESET:
            self._end_window()
            self._first_answer_at = now
            self._remaining = left
        elif reset < self._reset - _SAME_RESET:
            return  # an answer of an older window, which a later answer has overtaken
        self._limit = limit
        self._reset = reset
        self._remaining = min(self._remaining, left)
        self._last_answer_at = now
        self._estimate_others(limit - remaining, now)

    def _estimate_others(self, used: int, now: float) -> None:
        """Estimate how many other clients there are, from how much faster the budget falls than this client's answers arrive."""
        self._answers += 1
        if self._used_at_first is None:
            self._used_at_first = used
            return
        ours = self._answers - 1
        theirs = max(0, used - self._used_at_first - ours)
        if ours >= _ENOUGH_ANSWERS:
            self._others_now = min(_MOST_OTHERS, theirs / ours)
            self._others_per_second = theirs / max(_ASK_AGAIN, now - self._first_answer_at)
            self._others = max(self._others, self._others_now)

    def _end_window(self) -> None:
        """Keep half of what earlier windows showed of the others: in a single window they may have been idle for a while."""
        if self._others_now is not None:
            self._others = 0.5 * self._others + 0.5 * self._others_now
        self._others_now = None
        self._answers = 0
        self._used_at_first = None
        self._others_per_second = 0.0

    def _compare_clocks(self, date: str | None, now: float) -> None:
        """Learn what to add to the server's time to get ours."""
        sent_at = _seconds_of_date(date)
        if sent_at is None:
            return
        skew = now - sent_at
        # The header has whole seconds and the answer took its time, so a small difference is no wrong clock.
        self._skew = skew if abs(skew) > _SAME_CLOCK else 0.0

    def _refused(self, reset: float | None, now: float) -> None:
        if now >= self._blocked_until:
            # Requests that were on their way together are refused together; that counts as one refusal.
            self._refusals += 1
        self._remaining = 0
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
