"""When a request may go out: rate limit, circuit and held credentials (rules T1, T4, T5); pure but for its own state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .backoff import backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..plugins import Response
    from .rate_limit import RateLimit

# Failures in a row, of whatever contact, that say that Intercom is down and not one item bad. Four workers each meet one
# failure of an outage at once; the next one opens the circuit.
_RUN_OF_FAILURES = 5


class Paused(Exception):
    """Nothing may be sent now; what is in hand goes back to the buffer untouched."""


class Circuit:
    """
    Decides for all workers of a client whether a request may go out now.

    States: *open* (all may send), *broken* (a run of failures: one probe at a time, rule T5), *held* (credentials refused: one
    probe every ``auth_probe`` seconds, rule T1). Every method is safe to call from several threads.
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
    ) -> None:
        self._rate = rate
        self._lock = lock
        self._jitter = jitter
        self._probe_every = probe_every
        self._base = base
        self._longest = longest
        self._failures = 0
        self._openings = 0
        self._closed_until = 0.0
        self._probing = False
        self._probes_begun = 0
        self._probes_ended = 0
        self.state: Literal["passing", "tripped", "held"] = "passing"
        self.reason: str | None = None
        self.since: float | None = None
        self.successes = 0

    def wait_before_claim(self, now: float) -> tuple[float, bool]:
        """
        Return the seconds until a worker may claim (0: now), and whether it is the probe.

        While the gate is not open the 0 is given to one worker at a time: it is the probe, until it calls ``end_probe``.
        """
        with self._lock:
            if self.state == "passing":
                return 0.0, False
            if self._probing:
                return self._base or 0.05, False
            if now < self._closed_until:
                return self._closed_until - now, False
            self._probing = True
            self._probes_begun += 1
            return 0.0, True

    def end_probe(self) -> None:
        """Let another worker probe; called when a probe's claim is settled or there was nothing to claim."""
        with self._lock:
            self._probing = False
            self._probes_ended = self._probes_begun

    def wait_before_send(self, now: float, *, probe: bool) -> float:
        """
        Return the seconds to wait before asking again; 0 means send now.

        Raises:
            Paused: The gate is not open, and the caller is no probe.
        """
        with self._lock:
            if self.state != "passing" and not probe:
                raise Paused(self.state)
            return self._rate.before(now, self._jitter())

    def answered(self, response: Response, now: float) -> None:
        """Learn from an answer, whatever its status."""
        with self._lock:
            self._rate.after(response.headers, response.status, now)
            if response.status >= 500 or 300 <= response.status < 400:
                self._fail(f"http_{response.status}", now)
            elif response.status not in (408, 425, 429):
                self._succeed(response.status)

    def unanswered(self, reason: str, now: float) -> None:
        """Learn that a request has no answer."""
        with self._lock:
            self._rate.after({}, 0, now)
            self._fail(reason, now)

    def ended(self, now: float) -> None:
        """Learn that a request ended, and nothing else."""
        with self._lock:
            self._rate.after({}, 0, now)

    def hold(self, reason: str, now: float) -> bool:
        """Keep everything back until a probe passes; True when this is news."""
        with self._lock:
            is_news = self.state != "held"
            self._close("held", reason, now, self._probe_every)
            return is_news

    def release(self) -> None:
        """Open the gate: credentials were accepted, or replaced by hand."""
        with self._lock:
            self._open()

    def probe_now(self) -> int:
        """Let the next probe go at once (a person asked for a flush); return its number, for ``has_probed``."""
        with self._lock:
            self._closed_until = 0.0
            return self._probes_begun + 1 if self.state == "held" else 0

    def has_probed(self, number: int) -> bool:
        """Tell whether the probe with that number has ended, so that the gate's state is news."""
        return self._probes_ended >= number

    def _succeed(self, status: int) -> None:
        self._failures = 0
        if status < 300:
            self.successes += 1
        if self.state == "tripped":
            self._open()

    def _open(self) -> None:
        self.state = "passing"
        self.reason = None
        self.since = None
        self._failures = 0
        self._openings = 0
        self._probing = False

    def _fail(self, reason: str, now: float) -> None:
        self._failures += 1
        if self.state == "held" or (self.state == "tripped" and now < self._closed_until):
            # What was on its way when the gate shut says nothing new.
            return
        if self.state == "tripped" or self._failures >= _RUN_OF_FAILURES:
            self._openings += 1
            pause = backoff(self._openings, 0.5 + self._jitter() / 2, base=self._base, longest=self._longest)
            self._close("tripped", reason, now, pause)

    def _close(self, state: Literal["tripped", "held"], reason: str, now: float, pause: float) -> None:
        if self.state != state:
            self.since = now
        self.state = state
        self.reason = reason
        self._closed_until = now + pause
