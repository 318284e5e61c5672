"""Leases are renewed while a request lasts long, and a lost one stops its delivery (rules O1, Q3)."""

from __future__ import annotations

import math
import threading

import pytest

from metarouter_intercom._delivery.leases import LeaseKeeper
from metarouter_intercom._delivery.safely import Faults
from metarouter_intercom._delivery.waiting import StopLatch
from metarouter_intercom.plugins import Claim
from metarouter_intercom.testing import FakeClock

# Only a failing test waits so long.
_DEADLINE = 20.0


class Leased:
    """A buffer that notes who renews what, and answers or raises as the test says."""

    def __init__(self, lease=0.02, answers=()):
        self.lease = lease
        self.renewed = []
        self.count = threading.Semaphore(0)
        self._answers = iter(answers)

    def renew(self, claim, *, now):
        self.renewed.append((claim.lane, threading.current_thread().name))
        answer = next(self._answers, True)
        self.count.release()
        if isinstance(answer, BaseException):
            raise answer
        return answer


class _Running:
    """A clock that runs by a minute with every look."""

    def __init__(self):
        self._now = 0.0

    def now(self):
        self._now += 60.0
        return self._now


@pytest.fixture
def keep():
    """Return a function that makes a keeper of leases; their threads end with the test."""
    stop = StopLatch()
    faults = Faults(lambda: 0.0)

    def make(buffer, clock=None):
        keeper = LeaseKeeper(buffer, clock=clock or _Running(), stop=stop, connection="test", faults=faults)
        keeper.faults = faults
        return keeper

    yield make
    stop.set()
    for thread in _threads():
        thread.join(_DEADLINE)


def _threads():
    return [thread for thread in threading.enumerate() if thread.name == "metarouter-intercom-test-leases"]


def test_a_claim_is_renewed_while_its_request_lasts(keep):
    """O1: while the delivering thread waits for an answer, another thread renews the lease again and again."""
    buffer = Leased()
    keeper = keep(buffer)
    lease = keeper.begin(Claim(7, ()))

    for _ in range(3):
        assert buffer.count.acquire(timeout=_DEADLINE)
    keeper.end(lease)

    assert set(buffer.renewed) == {(7, "metarouter-intercom-test-leases")}


def test_one_thread_renews_all_claims_and_ends_without_any(keep):
    """O1: there is one such thread for a client, and none when nothing is delivered."""
    buffer = Leased()
    keeper = keep(buffer)
    leases = [keeper.begin(Claim(lane, ())) for lane in (1, 2, 3)]
    (thread,) = _threads()
    while len({lane for lane, _ in buffer.renewed}) < 3:
        assert buffer.count.acquire(timeout=_DEADLINE)
    for lease in leases:
        keeper.end(lease)

    thread.join(_DEADLINE)
    assert _threads() == []
    keeper.end(keeper.begin(Claim(4, ())))
    assert len(_threads()) == 1


def test_a_buffer_in_memory_gets_no_thread(keep):
    """O1: a lease that lasts for ever needs no renewing."""
    buffer = Leased(lease=math.inf)
    lease = keep(buffer).begin(Claim(1, ()))

    assert (lease.is_ours(), _threads(), buffer.renewed) == (True, [], [])


def test_a_lost_lease_is_not_ours_any_more(keep, caplog):
    """O1: once another process has the messages, nothing more is sent for them, and the lease is not renewed again."""
    buffer = Leased(answers=[False])
    keeper = keep(buffer)
    lost = keeper.begin(Claim(1, ()))
    assert buffer.count.acquire(timeout=_DEADLINE)
    kept = keeper.begin(Claim(2, ()))
    for _ in range(2):
        assert buffer.count.acquire(timeout=_DEADLINE)

    assert (lost.is_ours(), kept.is_ours()) == (False, True)
    assert [lane for lane, _ in buffer.renewed].count(1) == 1
    assert "connection test: another process took over a claim of 0 messages" in caplog.text


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_process_that_was_stopped_asks_before_it_sends(keep, is_ours):
    """O1: a process that wakes up after its lease ended renews it before the next request, and learns that it is lost."""
    clock = FakeClock()
    buffer = Leased(lease=_LONG_LEASE, answers=[is_ours])
    lease = keep(buffer, clock).begin(Claim(1, ()))
    assert (lease.is_ours(), buffer.renewed) == (True, [])
    clock.advance(_LONG_LEASE)

    assert lease.is_ours() is is_ours
    assert buffer.renewed == [(1, threading.current_thread().name)]


_LONG_LEASE = 60.0


@pytest.mark.parametrize("error", [OSError(), SystemExit(), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_renewing_raises_the_thread_goes_on(keep, error):
    """W9: an error of the buffer costs one renewal; the next one comes, and health tells of it."""
    buffer = Leased(answers=[error])
    keeper = keep(buffer)
    lease = keeper.begin(Claim(1, ()))
    for _ in range(2):
        assert buffer.count.acquire(timeout=_DEADLINE)
    keeper.end(lease)

    assert lease.is_ours()
    assert keeper.faults.last[:2] == (1, f"{type(error).__name__} in the renewal of leases")


def test_a_thread_that_hangs_loses_its_lease(keep):
    """O1: a claim is renewed for ten minutes without a request; then its thread hangs, and others may have the messages."""
    clock = FakeClock()
    buffer = Leased(lease=0.02)
    keeper = keep(buffer, clock)
    hanging = keeper.begin(Claim(1, ()))
    clock.advance(599.0)
    assert buffer.count.acquire(timeout=_DEADLINE)
    clock.advance(2.0)
    active = keeper.begin(Claim(2, ()))
    for _ in range(3):
        clock.advance(1.0)
        assert buffer.count.acquire(timeout=_DEADLINE)

    assert [lane for lane, _ in buffer.renewed] == [1, 2, 2, 2]
    keeper.end(hanging)
    keeper.end(active)
