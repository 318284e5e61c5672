"""How a client is made, what it asks Intercom, and what it reports about itself (rules D1, W5)."""

from __future__ import annotations

import inspect
import logging
import pickle

import pytest

from metarouter_intercom import (
    Client,
    ConfigurationError,
    ConnectFailed,
    DeliveryFailed,
    Settings,
)
from metarouter_intercom.plugins import Response
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.clients import (
    DEADLINE,
    BlockingTransport,
    answering,
    background_client,
    in_thread,
    manual_client,
    workspace_client,
)

# What an error of the user's code may quote. A traceback shows lines of code, so the text is only here.
_PRIVATE = "ada@example.com, very-private"


# --- making one ---------------------------------------------------------------------------------------------


def test_everything_except_ready_settings_is_passed_by_name():
    """The constructor takes settings and replaceable parts by name, so that adding one breaks no caller."""
    kinds = {name: one.kind for name, one in inspect.signature(Client).parameters.items()}

    assert kinds.pop("settings") is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds.pop("options") is inspect.Parameter.VAR_KEYWORD
    assert set(kinds.values()) == {inspect.Parameter.KEYWORD_ONLY}


def test_settings_are_passed_ready_or_one_by_one():
    """A caller passes a ready ``Settings`` or its fields; passing both is a TypeError."""
    assert Client(Settings(api_key="k", workers=2)).settings.workers == 2
    assert Client(api_key="k", workers=3).settings.workers == 3
    with pytest.raises(TypeError, match="workers"):
        Client(Settings(api_key="k"), workers=2)


def test_a_key_is_needed():
    """Without an API key the constructor raises an error that names the setting."""
    with pytest.raises(ConfigurationError, match="api_key"):
        Client()


def test_the_environment_is_read_by_from_env_alone(monkeypatch):
    """``Client(...)`` reads its arguments only; ``from_env`` reads the environment and also takes arguments."""
    monkeypatch.setenv("INTERCOM_API_KEY", "from-environment")
    transport = answering()

    client = Client.from_env(transport=transport, delivery="inline", workers=1)
    client.track("u-1", "Signed Up")

    assert client.settings.api_key.reveal() == "from-environment"
    assert len(transport.requests) == 1
    with pytest.raises(ConfigurationError):
        Client()


# --- Intercom's answers to the client itself (check, delete) ------------------------------------------------


def test_check_returns_the_workspace():
    """``check`` asks ``GET /me`` and returns the account of the token."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, app_id="abc123", name="Example", region="EU")
    client = manual_client(WorkspaceTransport(workspace), clock=clock, app_id="abc123", region="eu")

    account = client.check()

    assert (account.app_id, account.name, account.region) == ("abc123", "Example", "eu")


@pytest.mark.parametrize(
    ("choices", "token", "words"),
    [
        ({}, "wrong", "api_key: Intercom refused the token"),
        ({"region": "eu"}, None, "region: the workspace lives in 'us'"),
        ({"app_id": "zzz"}, None, "app_id: 'zzz' was given, but the token opens the workspace"),
    ],
)
def test_check_names_what_is_wrong_with_its_remedy(choices, token, words):
    """A wrong token, region or workspace is a ConfigurationError that says what to set."""
    clock = FakeClock()
    client = manual_client(WorkspaceTransport(Workspace(now=clock.now), token=token), clock=clock, **choices)

    with pytest.raises(ConfigurationError, match=words):
        client.check()


def test_check_releases_held_messages():
    """T1: once the credentials are good, held messages are sent at once."""
    answers = [Response(401), Response(200, {"app": {"id_code": "a"}}), Response(202)]
    client = manual_client(ScriptedTransport(answers))
    client.track("u-1", "A")
    client.flush(0)
    assert client.health().status == "held"
    assert client.report().held == 1

    client.check()

    assert client.health().status == "ok"
    assert client.flush(0).delivered == 1


def test_delete_drops_what_is_buffered_and_deletes():
    """D1: the contact is deleted, its buffered messages are dropped and reported, and messages of others are delivered."""
    dropped = []
    client, workspace = workspace_client(
        on_drop=lambda message, reason: dropped.append((message["userId"], reason))
    )
    for user in ("u-1", "u-2"):
        client.identify(user, {"email": f"{user}@example.com"})
    client.flush()
    for user in ("u-1", "u-2"):
        client.identify(user, {"name": "Ada"})

    client.delete("u-1")
    client.flush()

    assert dropped == [("u-1", "deleted")]
    assert list(workspace.snapshot()["contacts"]) == ["u-2"]


def test_delete_by_email_archive_and_of_somebody_unknown():
    """D1: an e-mail address names a contact too, ``archive`` only archives it, and a contact that does not exist counts as deleted."""
    client, workspace = workspace_client(search_lag=0.0)
    client.identify("u-1", {"email": "ada@example.com"})
    client.flush()

    client.delete("nobody")
    client.delete(email="ada@example.com", archive=True)

    assert workspace.snapshot()["contacts"]["u-1"]["archived"] is True


@pytest.mark.parametrize("choice", [{}, {"user_id": "u-1", "email": "ada@example.com"}])
def test_delete_needs_one_name(choice):
    """D1: passing neither or both of id and e-mail address is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="delete"):
        manual_client().delete(**choice)


def test_delete_raises_a_refusal():
    """D1: the call waits for Intercom's answer, so a refusal is raised with it."""
    client = manual_client(answering(403, {"errors": [{"code": "forbidden", "message": "no scope"}]}))

    with pytest.raises(DeliveryFailed, match="no scope") as caught:
        client.delete("u-1")

    assert caught.value.status == 403


def test_delete_waits_for_messages_that_are_being_sent():
    """D1: the deletion comes after a write that a worker is sending, because that write would bring the contact back."""
    circuit = BlockingTransport(lambda request: Response(200, {"id": "c-1", "data": [], "contacts": []}))
    client = background_client(circuit)
    client.identify("u-1", {"name": "Ada"})
    assert circuit.entered.wait(DEADLINE)

    deletion = in_thread(lambda: client.delete("u-1"))
    circuit.let_through()
    deletion.join(DEADLINE)
    client.close(DEADLINE)

    methods = [request.method for request in circuit.requests]
    assert "DELETE" in methods
    assert methods.index("DELETE") > [request.path for request in circuit.requests].index("/contacts")


# --- observing (W5) and secrets -----------------------------------------------------------------------------


def test_numbers_carry_the_names_of_the_design():
    """W5: report and stats share their names; stats adds the state at this moment."""
    client = manual_client(name="billing")
    client.track("u-1", "A")
    client._dependencies.clock.advance(5)
    stats, report = client.stats(), client.report()

    plain = ("accepted", "delivered", "merged", "unchanged", "retried", "held", "pending")
    reasoned = ("skipped", "dropped", "rejected", "dead")
    assert [getattr(stats, name) == getattr(report, name) for name in plain + reasoned] == [True] * 11
    assert (stats.name, stats.buffered, stats.oldest_age) == ("billing", 1, 5.0)
    assert tuple(stats.rate) == (None, None, None)


def test_stats_show_the_rate_limit():
    """W5, T4: ``stats().rate`` is the rate budget after the last answer, whose ``Remaining`` does not count its own request."""
    clock = FakeClock()
    headers = {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "90",
        "x-ratelimit-reset": str(int(clock.now()) + 9),
    }
    client = manual_client(ScriptedTransport([Response(202, None, headers)]), clock=clock)
    client.track("u-1", "A")
    client.flush()

    assert tuple(client.stats().rate) == (100, 89, int(clock.now()) + 9)


def test_health_shows_an_outage():
    """W5: after several failures in a row, health is ``failing``, with the reason and the time since when."""
    clock = FakeClock()
    client = manual_client(ScriptedTransport(lambda request: ConnectFailed("down")), clock=clock)
    for number in range(6):
        client.track(f"u-{number}", "A")
    client.flush(timeout=1.0)

    health = client.health()
    assert (health.status, health.reason, health.is_ok) == ("failing", "connect_failed", False)
    assert health.since >= 1_767_225_600.0


def test_no_secret_and_no_trait_is_shown(caplog):
    """W5: no key, e-mail address or trait appears in representations, errors or the log, whatever fails."""
    caplog.set_level(logging.DEBUG)

    def fail(*_):
        raise ValueError(_PRIVATE)

    answers = iter(
        [Response(401), Response(400, {"errors": [{"message": "bad"}]}), ConnectFailed("down"), Response(503)]
    )
    client = manual_client(
        ScriptedTransport(lambda request: next(answers, Response(202))), after=[fail], on_error=fail, on_drop=fail,
        max_buffered=6, on_invalid="log", identity_secret="very-secret",
    )  # fmt: skip
    for number in range(8):
        client.identify(f"u-{number}", {"email": "ada@example.com", "plan": "very-private"})
    client.track("u-1", None)
    client.flush(timeout=1.0)
    client.flush(timeout=10.0)
    client.close(0)

    shown = caplog.text + repr(client) + repr(client.settings) + str(client.settings)
    shown += "".join(str(vars(record)) for record in caplog.records if record.name.startswith("metarouter"))
    for secret in ("secret-key", "very-secret", "ada@example.com", "very-private"):
        assert secret not in shown


def test_a_client_cannot_be_pickled():
    """W3: a client belongs to one process; pickling it raises an error that names the remedy."""
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(manual_client())


def test_the_logger_is_left_to_the_host():
    """W5: the logger has no level and no handler, so that Python's last resort shows warnings where the host configures nothing."""
    logger = logging.getLogger("metarouter_intercom")
    manual_client()

    assert logger.level == logging.NOTSET
    assert logger.handlers == []
