"""Faults on demand: which request meets which trouble. Pure: the seed and the request's number decide."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import attrs

from metarouter_intercom._types import JsonValue
from metarouter_intercom.errors import ConfigurationError

FaultKind = Literal["status", "reset", "lost", "truncated", "malformed", "html", "hang"]

MALFORMED = '{"type": "contact", "id": '
"""The body of a malformed answer."""


class Fault(NamedTuple):
    """
    One trouble.

    Attributes:
        kind: ``status`` answers *status* and applies nothing; ``reset`` breaks the connection before the request is
            applied, ``lost`` after it; ``truncated`` applies it and sends half of the answer; ``malformed`` applies it
            and answers what is no JSON; ``html`` answers a proxy's 502 page; ``hang`` never answers.
        status: For ``status``.
    """

    kind: FaultKind
    status: int = 500


def _rate() -> float:
    made: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    return made


@attrs.frozen(kw_only=True)
class Faults:
    """
    What goes wrong, how often; rates are shares of the requests, from 0 to 1, and at most 1 together.

    Attributes:
        seed: The same seed gives the same requests the same faults.
        server_error: Answered 500, nothing applied.
        rate_limited: Answered 429, nothing applied, whatever is left of the budget.
        unavailable: Answered 503, nothing applied.
        reset: Connection reset before the request is applied.
        lost: Applied, but the connection is reset instead of an answer.
        truncated: Applied, but the answer breaks off in the middle.
        malformed: Applied, but the answer's body is no JSON.
        html: Answered 502 with a proxy's HTML page.
        hang: Never answered.
        hang_seconds: After this long a hanging connection is closed.
        latency: Seconds that every answer takes at least.
        latency_spread: Up to so many seconds more, drawn for each request.
        script: The first requests meet these, in order; None lets one pass.
        outage: Every request meets this one before ``outage_until``.
        outage_until: Unix time.
        only: Only requests whose ``"METHOD /path"`` begins with one of these are counted and can meet faults.
    """

    seed: int = 0
    server_error: float = _rate()
    rate_limited: float = _rate()
    unavailable: float = _rate()
    reset: float = _rate()
    lost: float = _rate()
    truncated: float = _rate()
    malformed: float = _rate()
    html: float = _rate()
    hang: float = _rate()
    hang_seconds: float = 30.0
    latency: float = 0.0
    latency_spread: float = 0.0
    script: tuple[Fault | None, ...] = ()
    outage: Fault | None = None
    outage_until: float = 0.0
    only: tuple[str, ...] = ()
    _thresholds: tuple[tuple[float, Fault], ...] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        shares = (
            (self.server_error, Fault("status", 500)),
            (self.rate_limited, Fault("status", 429)),
            (self.unavailable, Fault("status", 503)),
            (self.reset, Fault("reset")),
            (self.lost, Fault("lost")),
            (self.truncated, Fault("truncated")),
            (self.malformed, Fault("malformed")),
            (self.html, Fault("html")),
            (self.hang, Fault("hang")),
        )
        thresholds = []
        total = 0.0
        for share, fault in shares:
            total += share
            if share > 0:
                thresholds.append((total, fault))
        object.__setattr__(self, "_thresholds", tuple(thresholds))

    def decide(self, number: int, now: float) -> Fault | None:
        """Return what the request with that *number* (from 1) meets at the moment *now*."""
        if self.outage is not None and now < self.outage_until:
            return self.outage
        if number <= len(self.script):
            return self.script[number - 1]
        if not self._thresholds:
            return None
        drawn = self._draw("fault", number)
        return next((fault for threshold, fault in self._thresholds if drawn < threshold), None)

    def delay(self, number: int) -> float:
        """Return the seconds that the answer to the request with that *number* takes."""
        if self.latency_spread <= 0:
            return self.latency
        return self.latency + self.latency_spread * self._draw("delay", number)

    def concern(self, method: str, path: str) -> bool:
        """Tell whether a request can meet faults at all."""
        return not self.only or f"{method} {path}".startswith(self.only)

    def _draw(self, purpose: str, number: int) -> float:
        digest = hashlib.blake2b(f"{self.seed} {purpose} {number}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


NO_FAULTS = Faults()


def read_faults(given: Mapping[str, JsonValue], *, now: float) -> Faults:
    """
    Read faults from JSON: the attributes of ``Faults`` by name; ``outage_for`` counts seconds from *now*.

    Raises:
        ConfigurationError: A name or a value is unknown.
    """
    choices: dict[str, object] = dict(given)
    if "outage_for" in choices:
        seconds = choices.pop("outage_for")
        if not isinstance(seconds, int | float):
            raise ConfigurationError("outage_for: not a number; give seconds")
        choices["outage_until"] = now + seconds
    if choices.get("outage") is not None:
        choices["outage"] = _read_fault(choices["outage"])
    for name in ("script", "only"):
        listed = choices.get(name, [])
        if not isinstance(listed, list):
            raise ConfigurationError(f"{name}: not a list; give a list")
        choices[name] = tuple(listed)
    script = choices["script"]
    assert isinstance(script, tuple)
    choices["script"] = tuple(None if one is None else _read_fault(one) for one in script)
    try:
        return Faults(**choices)  # type: ignore[arg-type]  # attrs refuses unknown names, its validators wrong rates
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"faults: {error}; see metarouter_intercom.sandbox.Faults") from error


def _read_fault(given: object) -> Fault:
    if isinstance(given, int) and not isinstance(given, bool):
        return Fault("status", given)
    if given in ("reset", "lost", "truncated", "malformed", "html", "hang"):
        return Fault(given)
    raise ConfigurationError(
        "script, outage: unknown fault; give a status, reset, lost, truncated, malformed, html or hang"
    )


class FaultCounter:
    """Counts the requests that can meet faults; whoever calls from several threads holds a lock around it."""

    def __init__(self, faults: Faults = NO_FAULTS) -> None:
        self.faults = faults
        self._number = 0

    def next(self, method: str, path: str, now: float) -> tuple[Fault | None, float]:
        """Return what the next request meets, and the seconds its answer takes."""
        if self.faults is NO_FAULTS or not self.faults.concern(method, path):
            return None, 0.0
        self._number += 1
        return self.faults.decide(self._number, now), self.faults.delay(self._number)
