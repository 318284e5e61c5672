"""How many requests at a time use the rate limit (rule W1)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.pace import Pace

_LIMIT = 1_666
_BUDGET = (_LIMIT, 1_000, 100.0)
_UNKNOWN = (None, None, None)


def _measured(duration, *, share=1.0, requests=8):
    """Return the pace after some requests of *duration* seconds."""
    pace = Pace(share=share)
    for number in range(requests):
        pace.sent(float(number))
        pace.ended(number + duration)
    return pace


def _threads(pace, budget=_BUDGET, most=64):
    """Return how many threads there are in the end, if each of them waits for an answer."""
    busy = 1
    while busy < most and pace.wants_more(busy, budget):
        pace.sent(0.0)
        busy += 1
    return busy


@pytest.mark.parametrize(
    ("duration", "share", "threads"),
    [
        (0.001, 1.0, 2),
        (0.01, 1.0, 3),
        (0.1, 1.0, 20),
        (0.25, 1.0, 47),
        (0.25, 0.5, 24),
        (1.0, 1.0, 64),
    ],
)
def test_there_are_as_many_threads_as_use_the_limit(duration, share, threads):
    """W1: the rate limit of a second times the duration of a request, and a few more."""
    assert _threads(_measured(duration, share=share)) == threads


def test_without_a_known_limit_there_are_as_many_as_may_be():
    """W1: a server that says nothing of a limit gets as many requests at a time as the settings allow."""
    assert _threads(_measured(0.25), _UNKNOWN) == 64
    assert not _measured(0.25).wants_fewer(64, _UNKNOWN)


def test_before_the_duration_is_known_a_few_threads_find_out():
    """W1: the first requests load packages and connect, so they say little, and no more than four threads wait for them."""
    assert _threads(Pace(share=1.0), _UNKNOWN) == 4
    assert _threads(_measured(0.5, requests=7)) == 4


def test_the_first_requests_do_not_count_as_slow():
    """W1: of the first requests the shortest counts, because the others also loaded packages and connected."""
    pace = Pace(share=1.0)
    for number, duration in enumerate([2.0, 2.0, 0.01, 2.0, 0.5, 0.01, 2.0, 2.0]):
        pace.sent(float(number * 10))
        pace.ended(number * 10 + duration)

    assert _threads(pace) == 3


def test_threads_that_wait_for_something_else_call_for_none():
    """W1: if most threads wait for the processor or the rate limit and few for an answer, one more would not help."""
    pace = _measured(0.25)
    for _ in range(4):
        pace.sent(0.0)

    assert pace.wants_more(7, _BUDGET)
    assert not pace.wants_more(8, _BUDGET)


@pytest.mark.parametrize(
    ("resets", "threads"),
    [([100.0], 47), ([100.0, 160.0], 9), ([100.0, 130.0, 140.0], 47), ([100.0, 100.3], 47)],
)
def test_the_window_is_learned_from_the_resets(resets, threads):
    """W1: the shortest time between two resets is the window; one reset seen twice is one reset."""
    pace = _measured(0.25)
    for reset in resets:
        pace.wants_more(1000, (_LIMIT, 0, reset))

    assert _threads(pace) == threads


def test_when_requests_get_slower_more_threads_are_wanted_and_fewer_when_they_get_faster():
    """W1: the duration follows what requests take now, quickly when they get faster."""
    pace = _measured(0.01)
    for number in range(200):
        pace.sent(100.0 + number)
        pace.ended(100.25 + number)
    assert pace.wants_fewer(64, _BUDGET) is False
    assert _threads(pace) > 40

    pace = _measured(0.25)
    for number in range(20):
        pace.sent(100.0 + number)
        pace.ended(100.01 + number)
    assert pace.wants_fewer(20, _BUDGET)
    assert not pace.wants_fewer(5, _BUDGET)


def test_a_busy_processor_calls_for_no_threads():
    """W1: if most requests take far longer than the shortest ones, the processor is busy, and threads would make that worse."""
    pace = _measured(0.01)
    for number in range(480):
        pace.sent(100.0 + number)
        pace.ended(100.0 + number + (0.01 if number % 24 == 0 else 0.2))

    assert _threads(pace) == 5


def test_an_answer_that_nobody_waits_for_changes_nothing():
    """A request that ended twice is no new duration."""
    pace = _measured(0.25)
    pace.ended(1_000.0)

    assert _threads(pace) == 47
