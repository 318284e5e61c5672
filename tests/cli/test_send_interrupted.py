"""``send`` in processes of its own, ended by Ctrl-C and by ``kill -9``; see ``run_large_send.py`` for the same at full size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from metarouter_intercom.sandbox import Sandbox

from ..measure.large_send import Watched, send_interrupted


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the process's memory as Linux shows it")
def test_interrupted_and_killed_runs_leave_nothing_out_and_nothing_twice(tmp_path):
    """After Ctrl-C and kill -9 the workspace is complete, nothing is doubled, the bar was right and the memory flat."""
    _, wrong = send_interrupted(tmp_path, 2_000)

    assert wrong == []


def test_a_run_that_waits_for_its_stream_is_interrupted_at_once(tmp_path):
    """Ctrl-C while nothing comes from standard input ends the run, and says that a stream cannot be read again."""
    workspace = Watched()
    with Sandbox(workspace=workspace) as sandbox:
        process = subprocess.Popen(
            [sys.executable, "-m", "metarouter_intercom._cli", "send", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "INTERCOM_API_KEY": sandbox.token, "INTERCOM_BASE_URL": sandbox.url},
        )
        # The first request is the check of the key, the second one the message.
        workspace.at_request = lambda handled: process.send_signal(signal.SIGINT) if handled == 2 else None
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
