"""Clients of many threads that share the budget of one workspace (rule T4), in a simulation whose time costs nothing."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from email.utils import formatdate
from itertools import count

import pytest

from metarouter_intercom._delivery.rate_limit import RateLimit

_WINDOW = 10.0


class _Server:
    """Windows as recorded (contract, section 2): ``Remaining`` before the call, ``Reset`` two seconds after the window's end."""

    def __init__(self, limit, slack):
        self.limit = limit
        self.slack = slack
        self.admitted = Counter()
        self.refused = Counter()

    def answer(self, now):
        window = int(now // _WINDOW)
        left = self.limit - self.admitted[window]
        status = 200 if left > 0 else 429
        (self.admitted if left > 0 else self.refused)[window] += 1
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, left)),
            "x-ratelimit-reset": str(int((window + 1) * _WINDOW) + self.slack),
            "date": formatdate(int(now), usegmt=True),
        }
        return status, headers


def _simulate(*, limit, clients, threads, latency, windows, slack=2, skew=0.0, seed=1, spread=0.3):
    """Let every thread send one request after another; return the server, and its last whole window."""
    lots = random.Random(seed)
    server, order, events = _Server(limit, slack), count(), []
    begin = 1_000_003.0
    end = (begin // _WINDOW + windows + 1) * _WINDOW
    for _ in range(clients):
        rate, started = RateLimit(share=1.0), begin + lots.random() / 5
        for _ in range(threads):
            heapq.heappush(events, (started, next(order), "ask", rate, None))

    while events and events[0][0] < end:
        now, _, kind, rate, answer = heapq.heappop(events)
        half = latency / 2 * (1 + spread * (2 * lots.random() - 1))
        if kind == "ask":
            seconds = rate.before(now + skew, lots.random())
            following = (now + seconds, "ask") if seconds else (now + half, "arrive")
        elif kind == "arrive":
            answer, following = server.answer(now), (now + half, "answered")
        else:
            rate.after(answer[1], answer[0], now + skew)
            following = (now + 0.0005, "ask")
        heapq.heappush(events, (following[0], next(order), following[1], rate, answer))
    return server, [server.admitted[int(begin // _WINDOW) + number] for number in range(1, windows + 1)]


@pytest.mark.parametrize("skew", [0.0, 3600.0, -86_400.3])
@pytest.mark.parametrize("latency", [0.01, 0.25])
@pytest.mark.parametrize(("limit", "threads"), [(1, 4), (2, 64), (5, 64), (10, 8), (83, 64), (1666, 64)])
def test_one_client_uses_all_of_its_budget_and_meets_no_429(limit, threads, latency, skew):
    """T4: of a window of whatever size nothing is wasted, nothing refused, and a wrong clock changes nothing."""
    server, used = _simulate(limit=limit, clients=1, threads=threads, latency=latency, windows=4, skew=skew)

    assert sum(server.refused.values()) == 0
    assert min(used) >= 0.99 * limit


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("limit", "clients", "threads", "latency"),
    [
        (1666, 2, 64, 0.25),
        (1666, 4, 8, 0.01),
        (1666, 4, 64, 0.05),
        (1666, 4, 64, 0.25),
        (1666, 4, 64, 0.5),
        (1666, 8, 64, 0.25),
        (500, 3, 16, 0.1),
        (200, 4, 4, 0.01),
    ],
)
def test_clients_share_a_window_with_hardly_a_429(limit, clients, threads, latency, seed):
    """T4: clients that know nothing of each other use 95 % of each window, and meet at most one 429 in all of them."""
    server, used = _simulate(
        limit=limit, clients=clients, threads=threads, latency=latency, windows=4, seed=seed
    )

    assert sum(server.refused.values()) <= 1
    assert min(used) >= 0.95 * limit


@pytest.mark.parametrize("latency", [0.1, 0.25])
def test_a_window_begins_at_full_speed(latency):
    """T4, W1: at the start of a window nobody waits for an answer that says what is known: the limit."""
    rate = RateLimit(share=1.0)
    rate.before(1000.0, 0.0)
    rate.after(_headers_of(1666, 1666, 1012), 200, 1000.0 + latency)
    for _ in range(10):
        rate.before(1001.0, 0.0)
        rate.after(_headers_of(1666, 1600, 1012), 200, 1001.0)

    assert [rate.before(1012.5, 0.5) for _ in range(64)] == [0.0] * 64


def test_a_clock_that_is_a_little_ahead_costs_429s_in_the_first_window_only():
    """T4, W7: where the reset is the very end of the window, a client learns from a window's answers how far its clock is ahead."""
    server, used = _simulate(limit=50, clients=1, threads=8, latency=0.1, windows=4, slack=0, skew=1.5)

    assert set(server.refused) <= {100_000}
    assert used == [50] * 4


def _headers_of(limit, remaining, reset):
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }
