"""Faults on demand: what goes wrong with which request. Pure: the seed and the request's number decide."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple

import attrs

from metarouter_intercom._types import JsonObject, JsonValue
from metarouter_intercom.errors import ConfigurationError

FaultKind = Literal["status", "reset", "lost", "truncated", "malformed", "html", "stranger", "hang"]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

MALFORMED = '{"type": "contact", "id": '
"""The body of a malformed response."""
STRANGER: JsonObject = {"status": "ok"}
"""What another server than Intercom answers, for example the health check of a proxy."""


class Fault(NamedTuple):
    """
    One fault.

    Attributes:
        kind: ``status`` answers *status* and does not apply the request; ``reset`` resets the connection before the request
            is applied, ``lost`` after it; ``truncated`` applies the request and sends a part of the response;
            ``malformed`` applies the request and answers a body that is not JSON; ``html`` answers a proxy's page with
            *status* (502 unless you give another) and does not apply the request; ``stranger`` neither: another server
            answers 200 and ``{"status": "ok"}``; ``hang`` neither applies nor answers it.
        status: The status of ``status`` and ``html``.
    """

    kind: FaultKind
    status: int = 500

    @property
    def page_status(self) -> int:
        """The status of the page that ``html`` answers."""
        return 502 if self.status == 500 else self.status


def page_of(status: int) -> str:
    """Return a proxy's page about *status*."""
    name = _PHRASES.get(status, "Answer")
    return f"<html><head><title>{status} {name}</title></head><body><h1>{status} {name}</h1></body></html>"


def _rate() -> float:
    field: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    return field


@attrs.frozen(kw_only=True)
class Faults:
    """
    What goes wrong and how often. A rate is a share of the requests, from 0 to 1; all rates together are at most 1.

    Attributes:
        seed: Decides which requests get a fault: the same seed gives the same requests the same faults.
        server_error: The rate of requests answered 500 and not applied.
        rate_limited: The rate of requests answered 429 and not applied, even when the rate budget is not used up.
        unavailable: The rate of requests answered 503 and not applied.
        reset: The rate of requests whose connection is reset before they are applied.
        lost: The rate of requests that are applied and then get a reset connection instead of a response.
        truncated: The rate of requests that are applied and get a part of the response.
        malformed: The rate of requests that are applied and get a body that is not JSON.
        html: The rate of requests that are not applied and get a proxy's 502 page.
        stranger: The rate of requests that are not applied and that another server answers with 200.
        hang: The rate of requests that are not applied and get no response.
        hang_seconds: Seconds after which a hanging connection is closed.
        latency: Seconds that every response takes at least.
        latency_spread: A response takes up to this many seconds more; the seed decides.
        script: The faults of the first requests, in order; None is a request without a fault.
        outage: The fault of every request before ``outage_until``.
        outage_until: The end of the outage, in Unix seconds.
        only: Beginnings of ``"METHOD /path"``. Other requests get no fault and are not counted.
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
    stranger: float = _rate()
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
            (self.stranger, Fault("stranger")),
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
        """Return the fault of the request with that *number*, counted from 1, at *now* in Unix seconds; None without one."""
        if self.outage is not None and now < self.outage_until:
            return self.outage
        if number <= len(self.script):
            return self.script[number - 1]
        if not self._thresholds:
            return None
        share = self._random("fault", number)
        return next((fault for threshold, fault in self._thresholds if share < threshold), None)

    def delay(self, number: int) -> float:
        """Return the seconds that the response to the request with that *number* takes."""
        if self.latency_spread <= 0:
            return self.latency
        return self.latency + self.latency_spread * self._random("delay", number)

    def concern(self, method: str, path: str) -> bool:
        """Whether the request can get a fault."""
        return not self.only or f"{method} {path}".startswith(self.only)

    def _random(self, purpose: str, number: int) -> float:
        """Return a number from 0 to below 1 that depends only on the seed and the arguments."""
        digest = hashlib.blake2b(f"{self.seed} {purpose} {number}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


NO_FAULTS = Faults()


def read_faults(values: Mapping[str, JsonValue], *, now: float) -> Faults:
    """
    Read faults from JSON: the attributes of ``Faults`` by name, and ``outage_for``, the outage's seconds from *now*.

    Raises:
        ConfigurationError: A name is unknown or a value is not valid.
    """
    choices: dict[str, object] = dict(values)
    if "outage_for" in choices:
        seconds = choices.pop("outage_for")
        if not isinstance(seconds, int | float):
            raise ConfigurationError("outage_for: not a number; give seconds")
        choices["outage_until"] = now + seconds
    if choices.get("outage") is not None:
        choices["outage"] = _read_fault(choices["outage"])
    for name in ("script", "only"):
        entries = choices.get(name, [])
        if not isinstance(entries, list):
            raise ConfigurationError(f"{name}: not a list; give a list")
        choices[name] = tuple(entries)
    script = choices["script"]
    assert isinstance(script, tuple)
    choices["script"] = tuple(None if entry is None else _read_fault(entry) for entry in script)
    try:
        return Faults(**choices)  # type: ignore[arg-type]  # attrs raises for an unknown name, its validators for a wrong rate
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"faults: {error}; see metarouter_intercom.sandbox.Faults") from error


def _read_fault(value: object) -> Fault:
    if isinstance(value, int) and not isinstance(value, bool):
        return Fault("status", value)
    if isinstance(value, Mapping) and value.keys() == {"kind", "status"} and value["kind"] == "html":
        status = value["status"]
        if isinstance(status, int) and 100 <= status < 1000:
            return Fault("html", status)
    if value in ("reset", "lost", "truncated", "malformed", "html", "stranger", "hang"):
        return Fault(value)
    raise ConfigurationError(
        "script, outage: unknown fault; give a status, reset, lost, truncated, malformed, html, stranger, hang, "
        'or {"kind": "html", "status": 407}'
    )


class FaultCounter:
    """Counts the requests and returns the fault of each. Not thread-safe: hold a lock around it."""

    def __init__(self, faults: Faults = NO_FAULTS) -> None:
        self.faults = faults
        self._number = 0

    def next(self, method: str, path: str, now: float) -> tuple[Fault | None, float]:
        """Return the fault of the next request, and the seconds that its response takes."""
        if self.faults is NO_FAULTS or not self.faults.concern(method, path):
            return None, 0.0
        self._number += 1
        return self.faults.decide(self._number, now), self.faults.delay(self._number)
