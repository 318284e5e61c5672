"""Decides when a request may go out: rate limit, circuit and held credentials (rules T1, T4, T5); pure except for its own state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._intercom.responses import RETRYABLE
from .backoff import backoff
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from ..plugins import Response
    from .pace import Budget
    from .rate_limit import RateLimit

# This many failures in a row, of whatever contacts, mean that Intercom is down and not that one message is bad. In an outage four
# workers each meet one failure at the same time; the next failure trips the circuit.
_FAILURES_TO_TRIP = 5
# How soon a worker asks again while another one probes, if no back-off is set; in seconds.
_ASK_AGAIN = 0.05


class Paused(Exception):
    """Nothing may be sent now; the messages in hand go back to the buffer untouched."""


class Circuit:
    """
    Decides for all workers of a client whether a request may go out now; safe to use from several threads.

    Args:
        rate: The rate limit; used only while *lock* is held.
        lock: Guards all state.
        jitter: Returns a random number in [0, 1).
        probe_every: Seconds between two probes while the credentials are held.
        base: Seconds of the first pause after the circuit trips, before jitter.
        longest: The longest such pause, in seconds.
        share: The part of the rate limit that this client may use.

    Attributes:
        state: ``passing`` (every request may go out); ``tripped`` (several failures in a row: one probe at a time, rule T5);
            ``held`` (the credentials are refused: one probe every *probe_every* seconds, rule T1).
        reason: Why it is not passing; None while it passes.
        since: Since when it has not been passing, in Unix seconds; None while it passes.
        successes: How many requests Intercom answered with a status below 300.
    """

    def __init__(
        self,
        rate: RateLimit,
        *,
        lock: AbstractContextManager[object],
        jitter: Callable[[], float],
        probe_every: float,
        base: float,
        longest: float,
        share: float = 1.0,
    ) -> None:
        self._rate = rate
        self._pace = Pace(share=share)
        self._lock = lock
        self._jitter = jitter
        self._probe_every = probe_every
        self._base = base
        self._longest = longest
        self._failures = 0
        self._trips = 0
        self._blocked_until = 0.0
        self._is_probing = False
        self._probes_begun = 0
        self._probes_ended = 0
        self.state: Literal["passing", "tripped", "held"] = "passing"
        self.reason: str | None = None
        self.since: float | None = None
        self.successes = 0

    def wait_before_claim(self, now: float) -> tuple[float, bool]:
        """
        Return the seconds until a worker may claim (0: now), and whether that worker is the probe.

        While the circuit is tripped or held, only one worker at a time gets the 0. That worker is the probe until ``end_probe``.
        """
        with self._lock:
            if self.state == "passing":
                return 0.0, False
            if self._is_probing:
                return self._base or _ASK_AGAIN, False
            if now < self._blocked_until:
                return self._blocked_until - now, False
            self._is_probing = True
            self._probes_begun += 1
            return 0.0, True

    def end_probe(self) -> None:
        """Let another worker probe; called when the probe's claim is settled, or when there was nothing to claim."""
        with self._lock:
            self._is_probing = False
            self._probes_ended = self._probes_begun

    def wait_before_send(self, now: float, *, probe: bool) -> float:
        """
        Return the seconds to wait before asking again; 0 means send now.

        Raises:
            Paused: The circuit is tripped or held, and the caller is not the probe.
        """
        with self._lock:
            if self.state != "passing" and not probe:
                raise Paused(self.state)
            seconds = self._rate.before(now, self._jitter())
            if seconds <= 0:
                self._pace.sent(now)
            return seconds

    def wants_more(self, busy: int) -> bool:
        """Return whether one more thread beside *busy* ones would send more: neither the rate limit nor the circuit holds them back (W1)."""
        with self._lock:
            return self.state == "passing" and self._pace.wants_more(busy, self._budget())

    def wants_fewer(self, busy: int) -> bool:
        """Return whether far fewer threads than *busy* ones use the whole rate limit."""
        with self._lock:
            return self._pace.wants_fewer(busy, self._budget())

    def _budget(self) -> Budget:
        # With the server's reset: ours moves as more answers show how far the clocks differ.
        limit, remaining, _ = self._rate.budget()
        return limit, remaining, self._rate.window

    def answered(self, response: Response, now: float) -> None:
        """Record an answer of whatever status."""
        with self._lock:
            self._pace.ended(now)
            self._rate.after(response.headers, response.status, now)
            if response.status >= 500 or 300 <= response.status < 400:
                self._fail(f"http_{response.status}", now)
            elif response.status not in RETRYABLE:
                self._succeed(response.status)

    def unanswered(self, reason: str, now: float, headers: Mapping[str, str] | None = None) -> None:
        """Record that a request got no answer of Intercom's; *headers* are those of whoever answered instead."""
        said = {name: text for name, text in (headers or {}).items() if name in ("retry-after", "date")}
        with self._lock:
            self._pace.ended(now)
            self._rate.after(said, 0, now)
            self._fail(reason, now)

    def ended(self, now: float) -> None:
        """Record that a request ended, which says nothing about Intercom."""
        with self._lock:
            self._pace.ended(now)
            self._rate.after({}, 0, now)

    def hold(self, reason: str, now: float) -> bool:
        """Stop all requests except probes until a probe shows that they work again; return whether that, or the reason, is new."""
        with self._lock:
            is_news = self.state != "held" or self.reason != reason
            self._block("held", reason, now=now, seconds=self._probe_every)
            return is_news

    def release(self) -> None:
        """Let every request pass: Intercom accepted the credentials, or a person replaced them."""
        with self._lock:
            self._pass()

    def probe_now(self) -> int:
        """Let the next probe go at once, because a caller flushes; return its number for ``has_probed``, 0 if nothing is held."""
        with self._lock:
            self._blocked_until = 0.0
            return self._probes_begun + 1 if self.state == "held" else 0

    def has_probed(self, number: int) -> bool:
        """Return whether the probe with that number has ended, so that the state is newer than the flush."""
        return self._probes_ended >= number

    def blocked_until(self) -> float:
        """Return until when nothing is sent, in Unix seconds; 0.0 if requests may go, or if a probe is on its way."""
        with self._lock:
            return 0.0 if self.state == "passing" or self._is_probing else self._blocked_until

    def _succeed(self, status: int) -> None:
        self._failures = 0
        if status < 300:
            self.successes += 1
        if self.state == "tripped":
            self._pass()

    def _pass(self) -> None:
        self.state = "passing"
        self.reason = None
        self.since = None
        self._failures = 0
        self._trips = 0
        self._is_probing = False

    def _fail(self, reason: str, now: float) -> None:
        self._failures += 1
        if self.state == "held" or (self.state == "tripped" and now < self._blocked_until):
            # These requests were on their way when the circuit tripped, so their failure is no news.
            return
        if self.state == "tripped" or self._failures >= _FAILURES_TO_TRIP:
            self._trips += 1
            seconds = backoff(self._trips, 0.5 + self._jitter() / 2, base=self._base, longest=self._longest)
            self._block("tripped", reason, now=now, seconds=seconds)

    def _block(self, state: Literal["tripped", "held"], reason: str, *, now: float, seconds: float) -> None:
        if self.state != state:
            self.since = now
        self.state = state
        self.reason = reason
        self._blocked_until = now + seconds
