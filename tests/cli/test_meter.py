"""What a run shows: rate, time left, and what it waits for."""

from __future__ import annotations

import io

import pytest

from metarouter_intercom import RateBudget
from metarouter_intercom._cli.meter import Budget, Lines, make_bar, reason_to_wait, time_left
from metarouter_intercom._delivery.report import Health

_NOW = 1_000.0


@pytest.mark.parametrize(
    ("requests", "share", "rate", "expected"),
    [
        (50, 1.0, RateBudget(100, 60, _NOW + 5), 0.0),
        (100, 1.0, RateBudget(100, 60, _NOW + 5), 5.4),
        (260, 1.0, RateBudget(100, 60, _NOW + 5), 25.0),
        (100, 0.5, RateBudget(100, 60, _NOW + 5), 15.8),
        (100, 1.0, RateBudget(100, 0, _NOW - 5), 10.0),
        (100, 1.0, RateBudget(), 0.0),
    ],
)
def test_the_rate_limit_bounds_the_time_left(requests, share, rate, expected):
    """What does not fit into this window waits for the next ones, which have the share of the limit that may be used."""
    assert Budget(share).seconds(requests, rate, _NOW) == pytest.approx(expected)


def test_windows_are_as_long_as_they_were():
    """The length of a window is the time between two resets."""
    budget = Budget(1.0)
    budget.seconds(0, RateBudget(100, 100, _NOW), _NOW)

    assert budget.seconds(300, RateBudget(100, 100, _NOW + 60), _NOW) == pytest.approx(180.0)


def test_the_time_left_is_the_longer_one():
    """Either the rate so far or the rate limit says how long the rest takes; without a rate nobody knows."""
    known = RateBudget(100, 100, _NOW + 10)
    budget = Budget(1.0)

    assert time_left(50, per_second=1.0, requests_each=1.0, budget=budget, rate=known, now=_NOW) == 50.0
    assert time_left(200, per_second=100.0, requests_each=2.0, budget=budget, rate=known, now=_NOW) == 40.0
    assert time_left(50, per_second=0.0, requests_each=1.0, budget=budget, rate=known, now=_NOW) is None


@pytest.mark.parametrize(
    ("health", "is_idle", "left", "refusal", "expected"),
    [
        (Health("ok"), False, 0, 429, ""),
        (Health("ok"), True, 500, 0, ""),
        (Health("ok"), True, 0, 0, "waits 7 s for the rate limit"),
        (Health("ok"), True, 500, 429, "waits for the rate limit"),
        (Health("ok"), True, 500, 404, "waits for contacts that do not exist yet"),
        (Health("ok"), True, 500, 503, "waits before it tries again"),
        (Health("failing", "http_503"), False, 500, 0, "Intercom does not answer (http_503)"),
        (Health("held", "http_401"), True, 500, 0, "held: Intercom refuses the key (http_401)"),
    ],
)
def test_a_run_says_what_it_waits_for(health, is_idle, left, refusal, expected):
    """A run that sends nothing says why: the rate limit, the key, Intercom, or contacts that are missing."""
    rate = RateBudget(1_000, left, _NOW + 6.5)
    waits = reason_to_wait(health, rate, left=left, is_idle=is_idle, last_refusal=refusal, now=_NOW)

    assert waits == expected


class _Screen(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_the_rate_of_the_whole_run():
    """The rate is what was done since the start, over the time since then; the time left is the one that was set."""
    screen = _Screen()
    with make_bar(100, hide=False, file=screen) as bar:
        bar.initial = bar.n = 40
        bar.start_t -= 20.0
        bar.left = "01:23"
        bar.update(10)
        text = str(bar)

    assert "50/100" in text
    assert "<01:23" in text
    assert " 0.50msg/s" in text


def test_a_log_gets_a_line_every_so_often():
    """Without a terminal a line comes at most every so many seconds, and says how far the run is."""
    lines = []
    shown = Lines(lines.append, every=0.0)
    never = Lines(lines.append, every=3600.0)
    shown.show(1_000, 2_000, per_second=12.34, left="01:00", postfix="0 errors")
    shown.show(1, None, per_second=0.0, left="?", postfix="1 error; waits 3 s for the rate limit")

    assert shown.is_due
    assert not never.is_due
    assert not Lines(None, every=0.0).is_due
    assert lines == [
        "1,000 of 2,000 messages, 12.3 a second, 01:00 left; 0 errors",
        "1 message, 0.0 a second, ? left; 1 error; waits 3 s for the rate limit",
    ]
