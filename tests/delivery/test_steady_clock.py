"""Steps of the wall clock, and a clock that stands still, change nothing about what waits, is due or has an age (rule W7)."""

from __future__ import annotations

import subprocess
import sys
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import Client
from metarouter_intercom._delivery.steady_clock import steady_clock
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

from .._support.clients import DEADLINE, account

_START = 1_767_225_600.0
_HOUR = 3600.0
# What the wall clock does: seconds since the start -> by how much it is off.
_WALLS = {
    "goes back one hour": lambda passed: -_HOUR if passed > 0.2 else 0.0,
    "goes forward three hours": lambda passed: 3 * _HOUR if passed > 0.2 else 0.0,
    "stands still": lambda passed: -passed,
    "jumps to and fro": lambda passed: _HOUR * (int(passed * 7) % 5 - 2),
    "goes back a year at once": lambda passed: -365 * 24 * _HOUR,
}


class StepClock:
    """A clock whose monotonic time passes only while somebody sleeps, and whose wall clock is off by what *step* says."""

    def __init__(self, step):
        self._step = step
        self._passed = 0.0

    def now(self):
        return _START + self._passed + self._step(self._passed)

    def monotonic(self):
        return self._passed

    def sleep(self, seconds):
        self._passed += seconds


def _far_reset(passed):
    at = _START + passed
    headers = {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(at) + 8),
        "date": formatdate(at, usegmt=True),
    }
    return Response(429, None, headers)


def _used_up(passed):
    answer = _far_reset(passed)
    return Response(202, None, answer.headers)


# What Intercom answers, by the time that has passed for its own clock.
_ANSWERS = {
    "503": lambda passed: Response(503),
    "401": lambda passed: Response(401, {"type": "error.list", "errors": [{"code": "unauthorized"}]}),
    "429 with a reset": _far_reset,
    "a window that is used up": _used_up,
    "a contact that is missing": lambda passed: Response(
        404, {"type": "error.list", "errors": [{"code": "not_found", "message": "User Not Found"}]}
    ),
    "503 for 20 s, then fine": lambda passed: Response(503 if passed < 20 else 202),
    "Retry-After as a date": lambda passed: Response(
        503,
        "<html>",
        {
            "retry-after": formatdate(_START + passed + 5, usegmt=True),
            "date": formatdate(_START + passed, usegmt=True),
        },
    ),
}


def _trace(step, answer, **settings):
    """Return when each request was sent, what the flush and the close reported, and when they came back."""
    clock = StepClock(step)
    sent = []

    def respond(request):
        sent.append((request.method, request.path, round(clock.monotonic(), 6)))
        return account() if request.path == "/me" else answer(clock.monotonic())

    client = Client(
        api_key="key",
        transport=ScriptedTransport(respond),
        clock=clock,
        delivery="manual",
        **settings,
    )
    for number in range(3):
        client.track(f"u{number}", "Signed Up")
    reports = []
    for end in (lambda: client.flush(3), lambda: client.flush(40), lambda: client.close(3)):
        report = end()
        reports.append((report.delivered, report.pending, report.dead, round(clock.monotonic(), 3)))
    return sent, reports


@pytest.mark.parametrize("answer", _ANSWERS.values(), ids=_ANSWERS)
@pytest.mark.parametrize("wall", _WALLS.values(), ids=_WALLS)
@pytest.mark.parametrize("kind", ["memory", "spool"])
def test_steps_change_nothing(kind, wall, answer, tmp_path, monkeypatch):
    """Each request goes out at the same moment, and each call returns at the same moment, whatever the wall clock does."""
    monkeypatch.setattr("random.Random.random", lambda self: 0.5)
    even, stepped = ({"spool": tmp_path / name} if kind == "spool" else {} for name in ("a", "b"))

    sent, reports = _trace(wall, answer, **stepped)
    expected, expected_reports = _trace(lambda passed: 0.0, answer, **even)

    assert [one[:2] for one in sent] == [one[:2] for one in expected]
    # A wrong clock is corrected by a header that has whole seconds.
    assert [one[2] for one in sent] == pytest.approx([one[2] for one in expected], abs=1.0)
    assert [one[:3] for one in reports] == [one[:3] for one in expected_reports]
    assert [one[3] for one in reports] == pytest.approx([one[3] for one in expected_reports], abs=1.0)


@given(st.lists(st.floats(-1e8, 1e8), min_size=1, max_size=20))
def test_steady_time_never_jumps(steps):
    """Between two looks, steady time grows by as much as the monotonic clock, whatever steps the wall clock makes in between."""
    remaining = list(steps)
    clock = StepClock(lambda passed: remaining[0] if remaining else 0.0)
    steady = steady_clock(clock, object())
    last = steady.now()

    for _ in steps:
        remaining.pop(0)
        clock.sleep(0.25)
        assert steady.now() - last == pytest.approx(0.25, abs=1e-6)
        last = steady.now()


def test_a_clock_of_one_kind_is_taken_as_it_is():
    """A replaced clock without ``monotonic`` is used for both, as before."""

    class Plain:
        def now(self):
            return 5.0

        def sleep(self, seconds):
            return None

    plain = Plain()

    assert steady_clock(plain, object()) is plain


# In an interpreter of its own: these tools replace names in every module that happens to be loaded.
_FROZEN = """
import sys
import {tool}
from metarouter_intercom import Client
from metarouter_intercom._client.clock import SystemClock
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

with {tool}.{freeze}:
    client = Client(
        api_key="key",
        transport=ScriptedTransport(lambda request: Response({status})),
        delivery="{delivery}",
        flush_interval=0.01,
        backoff_base=0.01,
        backoff_max=0.02,
    )
    client.track("u1", "Signed Up")
    begun = SystemClock().monotonic()
    report = client.flush({timeout})
    client.close({timeout})
    print(report.delivered, report.pending, SystemClock().monotonic() - begun < {deadline})
"""
_FREEZES = {
    "freezegun": 'freeze_time("2026-01-01")',
    "time_machine": 'travel("2026-01-01", tick=False)',
}


def _while_time_stands_still(tool, delivery, **more):
    """Return how many messages were delivered, how many are pending, and whether the calls came back."""
    script = _FROZEN.format(tool=tool, freeze=_FREEZES[tool], delivery=delivery, deadline=DEADLINE, **more)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("tool", _FREEZES)
@pytest.mark.parametrize("delivery", ["background", "manual"])
def test_test_tools_that_freeze_time_hold_nobody_up(tool, delivery):
    """While a test tool makes time stand still, ``flush`` and ``close`` come back although the server answers 503 for ever."""
    assert _while_time_stands_still(tool, delivery, status=503, timeout=0.3) == ["0", "1", "True"]


@pytest.mark.parametrize("tool", _FREEZES)
@pytest.mark.parametrize("delivery", ["background", "manual"])
def test_messages_are_delivered_while_time_stands_still(tool, delivery):
    """What can be delivered is delivered also while a test tool makes time stand still."""
    assert _while_time_stands_still(tool, delivery, status=202, timeout=DEADLINE) == ["1", "0", "True"]
