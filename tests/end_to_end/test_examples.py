"""The examples run as they say, against a local Intercom."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metarouter_intercom.sandbox import Sandbox

_EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def sandbox():
    """A local Intercom on a port of its own, whose searches see each write at once: the quickstart reads what it has just sent."""
    with Sandbox(search_lag=0.0) as server:
        yield server


@pytest.fixture
def run(sandbox, tmp_path):
    """Run Python with the sandbox's address in the environment."""

    def _run(*arguments, stdin=None, code=0):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "INTERCOM_API_KEY": sandbox.token, "INTERCOM_BASE_URL": sandbox.url},
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return _run


def test_every_example_is_run_by_a_test():
    """An example that nothing runs would rot."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [path.name for path in _EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


def test_quickstart(run, sandbox):
    """The quickstart sends the captured messages and shows what stands there then."""
    done = run(_EXAMPLES / "quickstart.py", "--yes")

    assert "People (6)" in done.stdout
    assert len(sandbox.workspace.events("u-ada")) == 2


def test_pipeline(run, sandbox):
    """The pipeline delivers what it is fed, and names the line that is broken."""
    rows = [
        json.dumps({"type": "identify", "userId": "u-1"}),
        "{",
        json.dumps({"type": "track", "userId": "u-1", "event": "Imported"}),
    ]

    done = run(_EXAMPLES / "pipeline.py", stdin="\n".join(rows), code=1)

    assert done.stdout == "2 delivered, 0 pending, 1 broken\n"
    assert done.stderr.startswith("line 2: ")
    assert [event.name for event in sandbox.workspace.events("u-1")] == ["Imported"]


def test_lambda_handler(run, sandbox):
    """The function has delivered when it answers."""
    done = run(_EXAMPLES / "lambda_handler.py")

    assert ast.literal_eval(done.stdout) == {"delivered": 2, "pending": 0}
    assert [event.name for event in sandbox.workspace.events("u-1")] == ["File Uploaded"]


def test_hooks(run, sandbox):
    """What the hooks keep back never reaches Intercom, and the ends of all messages are counted."""
    done = run(_EXAMPLES / "hooks.py")

    assert ast.literal_eval(done.stdout) == {"delivered": 2, "health_check": 1}
    assert sandbox.workspace.contacts()[0]["phone"] is None
    assert [event.name for event in sandbox.workspace.events("u-1")] == ["Signed Up"]


def test_web_app(run):
    """The web application's own tests pass: ``web_app.py`` with the fixtures of the package."""
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", _EXAMPLES / "test_web_app.py")

    assert (_EXAMPLES / "web_app.py").exists()


def test_gunicorn_settings_leave_time_for_the_last_flush():
    """gunicorn waits longer for a worker than the client's flush at exit may take."""
    from metarouter_intercom import Settings

    settings: dict[str, object] = {}
    exec((_EXAMPLES / "gunicorn_conf.py").read_text(encoding="utf-8"), settings)

    assert settings["graceful_timeout"] > Settings(api_key="key").exit_timeout
