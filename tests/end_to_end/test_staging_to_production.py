"""A spool that is pointed from staging to production, and back (rule Q7): real servers, real processes, the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from metarouter_intercom import Client, ConfigurationError
from metarouter_intercom.sandbox import Sandbox

_ACCEPT = """
import os, sys
from metarouter_intercom import Client
client = Client(api_key=sys.argv[1], base_url=sys.argv[2], spool=sys.argv[3], delivery="manual")
client.identify("u-1", {"name": "Waiting"}, message_id="m-waiting")
os.kill(os.getpid(), 9)
"""
_LIMITS = {"app_limit": 10**6, "workspace_limit": 10**6}


@pytest.fixture
def staging():
    """A workspace for tests."""
    with Sandbox(app_id="staging-1", **_LIMITS) as server:
        yield server


@pytest.fixture
def production():
    """The workspace of the customers."""
    with Sandbox(app_id="production-1", **_LIMITS) as server:
        yield server


def _client(server, spool, key, **settings):
    return Client(
        api_key=server.token if key is None else key,
        base_url=server.url,
        spool=spool,
        delivery="manual",
        **settings,
    )


def _paths(server):
    return [f"{exchange.method} {exchange.path}" for exchange in server.workspace.requests]


def _name(server, user):
    contact = server.workspace.contact(user)
    return None if contact is None else contact.fields["name"]


def _kill_after_accepting(server, spool):
    done = subprocess.run(
        [sys.executable, "-c", _ACCEPT, server.token, server.url, str(spool)], check=False, timeout=60
    )
    assert done.returncode == -9


def _command(server, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "metarouter_intercom._cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env={
            "INTERCOM_API_KEY": server.token,
            "INTERCOM_BASE_URL": server.url,
            "PATH": "/usr/bin:/bin",
            "HOME": str(cwd),
        },
    )


def test_nothing_of_staging_counts_in_production(staging, production, tmp_path, caplog):
    """An identify that staging knows is written in production too, and one warning names both workspaces."""
    spool = tmp_path / "app.spool"
    with _client(staging, spool, None) as client:
        client.identify("u-1", {"name": "Ada Example"})
        client.track("u-1", "Signed Up", timestamp=1_700_000_000)
    caplog.clear()

    with _client(production, spool, None) as client:
        client.identify("u-1", {"name": "Ada Example"})
        client.track("u-1", "Signed Up", timestamp=1_700_000_000)
        report = client.flush()

    assert (report.delivered, report.unchanged) == (2, 0)
    assert _name(production, "u-1") == "Ada Example"
    assert [event.created_at for event in production.workspace.events("u-1")] == [1_700_000_000]
    (warning,) = [record.getMessage() for record in caplog.records if "spool" in record.getMessage()]
    assert "staging-1" in warning
    assert "production-1" in warning


def test_what_waits_for_staging_stays_there(staging, production, tmp_path):
    """After `kill -9`, a message of staging is held in production, told and counted, while new ones go out; back in staging it goes out."""
    spool, errors = tmp_path / "app.spool", []
    with _client(staging, spool, None) as client:
        client.identify("u-0")
    _kill_after_accepting(staging, spool)

    client = _client(production, spool, None, on_error=lambda error, messages: errors.append(error))
    client.identify("u-2", {"name": "New"})
    report = client.flush(30)

    assert (report.delivered, report.held, report.pending) == (1, 1, 1)
    assert (client.health().status, client.health().reason) == ("held", "other_workspace")
    with pytest.raises(ConfigurationError, match=r"staging-1.*production-1.*other_workspace"):
        client.check()
    client.close()
    assert [type(error) for error in errors] == [ConfigurationError]
    assert (_name(production, "u-1"), _name(production, "u-2")) == (None, "New")

    with _client(staging, spool, None) as client:
        report = client.flush(30)
        assert client.health().status == "ok"
    assert (report.delivered, report.pending) == (1, 0)
    assert _name(staging, "u-1") == "Waiting"


def test_adopt_spool_moves_what_waits(staging, production, tmp_path):
    """With `adopt_spool=True` the messages of the other workspace are sent to this one, once."""
    spool = tmp_path / "app.spool"
    with _client(staging, spool, None) as client:
        client.identify("u-0")
    _kill_after_accepting(staging, spool)

    with _client(production, spool, None, adopt_spool=True) as client:
        report = client.flush(30)
        assert client.check().app_id == "production-1"
    with _client(staging, spool, None) as client:
        later = client.flush(30)

    assert (report.delivered, report.pending, later.delivered) == (1, 0, 0)
    assert (_name(production, "u-1"), _name(staging, "u-1")) == ("Waiting", None)


def test_the_workspace_is_asked_for_once(staging, tmp_path):
    """A process asks before its first delivery and never again; a client in memory does not ask."""
    with _client(staging, tmp_path / "app.spool", None) as client:
        for number in range(3):
            client.identify(f"u-{number}")
            client.flush()
    with _client(staging, None, None) as client:
        client.identify("u-9")

    assert _paths(staging).count("GET /me") == 1
    assert _paths(staging)[0] == "GET /me"


def test_dead_letters_stay_with_their_workspace(staging, production, tmp_path):
    """A dead letter of staging is not retried in production, by the library or the command, unless `adopt_spool` says so."""
    spool = tmp_path / "app.spool"
    with _client(staging, spool, None, missing_contact_wait=0) as client:
        client.track("u-1", "Clicked", message_id="m-dead")
    with _client(production, spool, None, missing_contact_wait=0) as client:
        client.identify("u-1")
        client.flush()
        with pytest.raises(ConfigurationError, match="other_workspace"):
            client.dead_letters.retry()
        assert len(client.dead_letters) == 1

    retry = ("dead-letters", "retry", "--spool", spool, "--all")
    refused = _command(production, *retry, cwd=tmp_path)
    adopted = _command(production, *retry, "--setting", "adopt_spool=true", cwd=tmp_path)

    assert (refused.returncode, adopted.returncode) == (3, 0), (refused, adopted)
    assert "staging-1" in refused.stderr
    assert [event.name for event in production.workspace.events("u-1")] == ["Clicked"]


def test_a_file_is_sent_to_each_workspace(staging, production, tmp_path):
    """`send` of a file that staging has already got sends it to production, and says "already sent" only where that is so."""
    file = tmp_path / "messages.jsonl"
    messages = [
        {"type": "identify", "userId": f"u-{number}", "messageId": f"m-{number}", "traits": {"name": "A"}}
        for number in range(3)
    ]
    file.write_text("".join(json.dumps(message) + "\n" for message in messages))

    runs = [
        _command(server, "send", file, "--json", cwd=tmp_path)
        for server in (staging, production, staging, production)
    ]

    assert [run.returncode for run in runs] == [0, 0, 0, 0], runs
    assert [len(server.workspace.contacts()) for server in (staging, production)] == [3, 3]
    assert [json.loads(run.stdout)["delivered"] for run in runs[:2]] == [3, 3]
    assert ["already sent" in run.stderr for run in runs] == [False, False, True, True]


def test_commands_work_beside_what_waits_for_another_workspace(staging, production, tmp_path):
    """`send` delivers a file and says what it leaves; `retry` delivers this workspace's dead letters."""
    spool, file = tmp_path / "app.spool", tmp_path / "messages.jsonl"
    file.write_text(json.dumps({"type": "identify", "userId": "u-2", "traits": {"name": "New"}}) + "\n")
    with _client(staging, spool, None) as client:
        client.identify("u-0")
    _kill_after_accepting(staging, spool)

    sent = _command(production, "send", file, "--spool", spool, cwd=tmp_path)
    with _client(production, spool, None, missing_contact_wait=0) as client:
        client.track("u-3", "Clicked")
    with _client(production, None, None) as client:
        client.identify("u-3")
    retried = _command(production, "dead-letters", "retry", "--spool", spool, "--all", cwd=tmp_path)

    assert (sent.returncode, retried.returncode) == (1, 1), (sent, retried)
    assert "1 message waits in the spool for another workspace" in sent.stderr
    assert (_name(production, "u-1"), _name(production, "u-2")) == (None, "New")
    assert [event.name for event in production.workspace.events("u-3")] == ["Clicked"]
