"""A real process whose wall clock is set while it delivers (rule W7), by libfaketime, which leaves the monotonic clock alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import DEADLINE

_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)
# Starts with the right time; the clock is set during the flush, when the first request has been refused.
_PROGRAM = """
import os, sys, threading, time
from metarouter_intercom import Client
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

step, spool, status, asked = sys.argv[1], sys.argv[2] or None, int(sys.argv[3]), threading.Event()

def answer(request):
    asked.set()
    now = real()
    reset = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(now) + 600)}
    return Response(status, {"type": "error.list", "errors": [{"code": "x"}]}, reset if status == 429 else {})

real = time.time
dead = []
client = Client(api_key="k", spool=spool, transport=ScriptedTransport(answer), flush_interval=0.02,
                backoff_base=0.05, after=[lambda delivery: dead.append(delivery.outcome)])
client.track("u1", "Signed Up")
asked.wait(20)

def set_clock():
    with open(os.environ["FAKETIME_TIMESTAMP_FILE"], "w") as file:
        file.write(step)

before = time.time()
setting = threading.Timer(0.1, set_clock)
setting.start()
report = client.flush(0.5)
setting.join()
assert abs(time.time() - before) > 1000, "the clock was not set"
age = client.stats().oldest_age
client.close(0.2)
print(report.pending, len(dead) if spool else dead.count("dead"), age is not None and age < 60)
"""


@pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
@pytest.mark.parametrize("status", [401, 429, 503])
@pytest.mark.parametrize("kind", ["memory", "spool"])
@pytest.mark.parametrize("step", ["-1h", "+3h", "-400d"])
def test_setting_the_clock_holds_nobody_up_and_ends_no_message(step, kind, status, tmp_path):
    """``flush`` and ``close`` return in their time, the message stays, and its age stays right."""
    told = tmp_path / "time"
    told.write_text("+0")
    environment = {
        **os.environ,
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    spool = str(tmp_path / "spool") if kind == "spool" else ""

    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, step, spool, str(status)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert ended.stdout.split() == ["1", "0", "True"], ended.stderr
