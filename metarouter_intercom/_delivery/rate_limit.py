"""Rule T4: when the next request may go, from the headers of the answers; pure but for its own state, no number built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Before the first answer nothing is known, so a few requests at a time feel the way.
_FIRST_STEPS = 4
# The longest wait that a header can ask for.
_LONGEST = 120.0
# After a reset the clients of a workspace spread over this part of a second.
_SPREAD = 0.05
# What others take while nothing is heard is reckoned with for so long; then a request finds out.
_UNHEARD = 0.25
# What is left to each other client at the end of a budget, and for each of our requests that are on their way: an answer is told to
# have counted before the others' last requests. Measured: four processes with four threads each use 97 to 98 % of a budget of 200,
# and meet no 429.
_PER_CLIENT, _PER_REQUEST = 1.0, 2.0
# Answers in a window after which their number tells how many others there are.
_TELLING = 12
# Near the end of a budget that others draw on too, this many seconds lie between an answer and the next request, so that all see it end.
_APART = 0.025
# A look again, when the last requests of a window are still on their way.
_SOON = 0.02
# Back-off for a 429 without headers, in seconds: doubled from the first to the last.
_FIRST_WAIT, _LAST_WAIT = 1.0, 60.0


class RateLimit:
    """
    The budget of one workspace as one client sees it; not thread-safe, its owner locks.

    Other clients draw on the same budget unseen. What they take shows in the headers: ``remaining`` falls by more than our own
    answers. So the nearer its end, the fewer requests this client has on their way at once, and it stops before the others' last
    ones can meet an empty budget.

    Args:
        share: The part of the limit that this client may use, above 0, at most 1.
    """

    def __init__(self, *, share: float) -> None:
        self._share = share
        self._limit: int | None = None
        self._remaining = 0
        self._reset: float | None = None
        self._skew = 0.0
        self._in_flight = 0
        self._blocked_until = 0.0
        self._refusals = 0
        self._others = 0.0
        self._answers = 0
        self._taken_at_first: int | None = None
        self._first_at = 0.0
        self._told_at = 0.0
        self._others_pace = 0.0
        self._others_now: float | None = None
        self._is_answered = False

    def before(self, now: float, jitter: float) -> float:
        """
        Say how long to wait before a request; 0 reserves it.

        Args:
            now: Unix seconds of this machine.
            draw: A random number in [0, 1).

        Returns:
            Seconds after which to ask again; 0.0 when the request may go.
        """
        if now < self._blocked_until:
            return self._blocked_until - now + jitter * _SPREAD
        if self._limit is None:
            return self._take() if self._is_answered or self._in_flight < _FIRST_STEPS else _SOON
        if self._reset is not None and now >= self._reset:
            self._begin_window()
        room = self._remaining - self._reserve() - self._unheard(now)
        if room <= 0:
            if self._reset is None:
                # Nobody tells when there is budget again: one request at a time finds out.
                return _SOON if self._in_flight else self._take()
            return max(_SOON, self._reset - now) + jitter * _SPREAD
        # For each request of ours on its way the others have theirs, which no answer has told yet.
        part = room / (1.0 + _PER_REQUEST * self._others)
        if part < 1.0 and self._others >= 0.5 and now < self._told_at + _APART * (0.5 + jitter):
            return self._told_at + _APART * (0.5 + jitter) - now
        return self._take() if self._in_flight < max(1.0, part) else _SOON * (0.5 + jitter)

    def after(self, headers: Mapping[str, str], status: int, now: float) -> None:
        """
        Learn from an answer.

        Args:
            headers: Names in small letters.
            status: The answer's; 0 when there was none.
            now: Unix seconds of this machine.
        """
        self._in_flight = max(0, self._in_flight - 1)
        limit = _whole(headers.get("x-ratelimit-limit"))
        remaining = _whole(headers.get("x-ratelimit-remaining"))
        reset = _whole(headers.get("x-ratelimit-reset"))
        if status:
            self._is_answered = True
            self._compare_clocks(headers.get("date"), now)
        # Windows are short; a wrong reset must not stop a client for a day.
        local = None if reset is None else min(reset + self._skew, now + _LONGEST)
        if limit is not None and remaining is not None:
            self._observe(limit, remaining, local, now)
        if status == 429:
            self._refused(local, now)
        elif status:
            self._refusals = 0

    def budget(self) -> tuple[int | None, int | None, float | None]:
        """Return limit, remaining and reset (Unix seconds) as last told; None where nothing was told."""
        if self._limit is None:
            return None, None, None
        return self._limit, max(0, self._remaining), self._reset

    def _take(self) -> float:
        self._in_flight += 1
        self._remaining -= 1
        return 0.0

    def _reserve(self) -> float:
        """Return what is left to others: by setting, and for what they may have on their way."""
        limit = self._limit or 0
        return limit * (1.0 - self._share) + _PER_CLIENT * self._others

    def _unheard(self, now: float) -> float:
        """Return what others have taken, at their pace in this window, since the last answer told."""
        pace = self._others_pace
        if self._remaining - self._reserve() < 1.0 + _PER_REQUEST * self._others:
            pace = min(pace, self._others / _APART)  # they see the end as well
        return pace * min(_UNHEARD, max(0.0, now - self._told_at))

    def _begin_window(self) -> None:
        """Expect a fresh window until an answer tells its numbers: a few requests find out."""
        self._remaining = min(self._limit or 1, max(1, _FIRST_STEPS)) + int(self._reserve() + 0.999)
        self._reset = None
        self._end_window()

    def _observe(self, limit: int, remaining: int, reset: float | None, now: float) -> None:
        if self._limit is None or self._reset is None or reset is None or reset > self._reset + 0.5:
            self._end_window()
            self._first_at = now
            self._remaining = remaining - self._in_flight
        elif reset < self._reset - 0.5:
            return  # an answer of an older window, overtaken on its way
        self._limit = limit
        self._reset = reset
        self._remaining = min(self._remaining, remaining - self._in_flight)
        self._told_at = now
        self._estimate_others(limit - remaining, now)

    def _estimate_others(self, taken: int, now: float) -> None:
        """Guess how many others draw on the budget: how much faster it falls than our own answers come."""
        self._answers += 1
        if self._taken_at_first is None:
            self._taken_at_first = taken
            return
        ours = self._answers - 1
        theirs = max(0, taken - self._taken_at_first - ours)
        if ours >= _TELLING:
            self._others_now = min(64.0, theirs / ours)
            self._others_pace = theirs / max(_SOON, now - self._first_at)
            self._others = max(self._others, self._others_now)

    def _end_window(self) -> None:
        """Keep what the window told of others; one in which we were alone for a while tells too few."""
        if self._others_now is not None:
            self._others = 0.5 * self._others + 0.5 * self._others_now
        self._others_now = None
        self._answers = 0
        self._taken_at_first = None
        self._others_pace = 0.0

    def _compare_clocks(self, date: str | None, now: float) -> None:
        """Learn what to add to the server's time to get ours; small differences are the way of the answer."""
        if date is None:
            return
        from email.utils import parsedate_to_datetime

        try:
            skew = now - parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            return
        # The header has whole seconds, so only more than that is a clock that is off.
        self._skew = skew if abs(skew) > 2.0 else 0.0

    def _refused(self, reset: float | None, now: float) -> None:
        if now >= self._blocked_until:
            # Requests that were on their way together are refused together.
            self._refusals += 1
        self._remaining = 0
        step = min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** (self._refusals - 1))
        # A reset that has passed already cannot be what the refusal means.
        until = reset if reset is not None and reset > now else now + step
        self._blocked_until = max(self._blocked_until, until)


def _whole(text: str | None) -> int | None:
    """Return a header's whole number; None for anything else, of whatever length and script."""
    if text is None or len(text) > 18:
        return None
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdigit() else None
