"""Real processes end within ``exit_timeout`` whatever Intercom does (rule W2)."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from metarouter_intercom.sandbox import Faults

from .conftest import DEADLINE

# More than exit_timeout and the one second for a request in hand, much less than the read timeout of 30 s.
_SOON = 15.0
_SLOW = 0.5
_FAULTS = {
    "hangs": (Faults(hang=1.0, hang_seconds=DEADLINE), {}),
    "refused": (Faults(), {"api_key": "wrong"}),
    "missing": (Faults(), {}),
    "limited": (Faults(rate_limited=1.0), {}),
    "unavailable": (Faults(unavailable=1.0), {}),
}


@pytest.mark.parametrize(
    ("fault", "delivery"), [*((fault, "background") for fault in _FAULTS), ("hangs", "manual")]
)
@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
def test_a_script_ends_in_time(stage, sandbox, tmp_path, fault, delivery, spool):
    """W2: ``with Client()`` ends within its limit; the spool keeps the messages, memory logs how many are lost."""
    sandbox.faults, choices = _FAULTS[fault]
    choices = {**choices, "delivery": delivery, "exit_timeout": _SLOW, "backoff_base": 0.1}
    if spool:
        choices["spool"] = str(tmp_path / "a.spool")
    began_at = time.monotonic()

    done = stage.run(
        f"""
        import logging

        logging.basicConfig(format="%(message)s")
        PERSON = "nobody" if {fault!r} == "missing" else PERSON
        with make(**{choices!r}) as client:
            track(client, *range(3))
        print(client.report().pending, sum(client.report().dropped.values()))
        """
    )

    assert time.monotonic() - began_at < _SOON
    pending, dropped = map(int, done.stdout.split())
    assert pending + dropped == 3
    if spool:
        assert dropped == 0
    else:
        assert "closed with undelivered messages in memory: 3 lost" in done.stderr


_APP = """
import asyncio, os
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from metarouter_intercom import Client

client = Client.from_env(exit_timeout=0.5, spool="a.spool")

@asynccontextmanager
async def lifespan(app):
    yield
    await asyncio.to_thread(client.close)

async def index(request):
    client.track("u-1", "Seen")
    return PlainTextResponse("seen")

app = Starlette(routes=[Route("/", index)], lifespan=lifespan)
"""


def test_uvicorn_ends_in_time_while_intercom_hangs(sandbox, tmp_path):
    """W2, W8: the documented lifespan closes within its limit after SIGTERM, and the spool keeps the message."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    (tmp_path / "app.py").write_text(_APP)
    sandbox.faults = Faults(hang=1.0, hang_seconds=DEADLINE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        command = [sys.executable, "-m", "uvicorn", "app:app", "--fd", str(listener.fileno())]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            pass_fds=[listener.fileno()],
            env={"INTERCOM_API_KEY": "sandbox-token", "INTERCOM_BASE_URL": sandbox.url},
            stderr=subprocess.PIPE,
            text=True,
        )
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            assert answer.read() == b"seen"
        began_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE)

    assert time.monotonic() - began_at < _SOON
    assert "Application shutdown complete" in errors
    assert process.returncode in (0, -signal.SIGTERM)
