"""``send`` in separate processes, ended by Ctrl-C and by ``kill -9``; ``tests/measure/large_send.py`` does the same at full size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from metarouter_intercom.sandbox import Sandbox

from ..measure.large_send import ObservedWorkspace, run, send_interrupted


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from Linux's /proc")
def test_interrupted_and_killed_runs_lose_and_double_nothing(tmp_path):
    """After Ctrl-C and kill -9 the workspace is complete, nothing is doubled, the bar was right and memory did not grow."""
    _, wrong = send_interrupted(tmp_path, 2_000)

    assert wrong == []


def test_a_run_that_waits_for_standard_input_is_interrupted_at_once(tmp_path):
    """Ctrl-C while standard input sends nothing ends the run, and a line says that it cannot be read again."""
    workspace = ObservedWorkspace()
    with Sandbox(workspace=workspace) as sandbox:
        process = subprocess.Popen(
            [sys.executable, "-m", "metarouter_intercom._cli", "send", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={
                **os.environ,
                "INTERCOM_API_KEY": sandbox.token,
                "INTERCOM_BASE_URL": sandbox.url,
                "XDG_STATE_HOME": str(tmp_path / "state"),
            },
        )
        # The first request checks the key, the second one sends the message.
        workspace.on_request = lambda handled: process.send_signal(signal.SIGINT) if handled == 2 else None
        process.stdin.write(json.dumps({"type": "identify", "userId": "u-1"}).encode() + b"\n")
        process.stdin.flush()
        code = process.wait(timeout=60)
        out, err = process.stdout.read(), process.stderr.read().decode()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    assert code == 130
    assert out.startswith(b"<stdin>: 1 message read, 0 rejected\n")
    assert err.startswith("<stdin>: 1 message read, of which ")
    assert "standard input cannot be read again: send only what comes after" in err


def test_a_terminal_shows_what_a_run_waits_for(tmp_path):
    """In a real terminal, a run with nothing to send says that it waits for contacts."""
    file = tmp_path / "events.jsonl"
    file.write_text(
        json.dumps({"type": "identify", "userId": "u-1"})
        + "\n"
        + json.dumps({"type": "track", "userId": "nobody", "event": "Seen"})
        + "\n"
    )
    with Sandbox(workspace=ObservedWorkspace()) as sandbox:
        done = run(file, sandbox, measure_every=10**6, options=("--wait", "2"))

    assert done.code == 1
    assert "waits for contacts that do not exist yet" in done.screen
    assert done.bar[-1] == (2, 2)
