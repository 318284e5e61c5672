"""``enabled=False`` and INTERCOM_ENABLED: nothing is sent, and nothing is needed (W1)."""

from __future__ import annotations

import threading

import pytest

from metarouter_intercom import Client
from metarouter_intercom.errors import ConfigurationError

_KEY = {"INTERCOM_API_KEY": "k"}


@pytest.mark.parametrize("text", ["0", "false", "no", "off", "FALSE", " Off "])
@pytest.mark.parametrize("key", [{}, _KEY])
def test_the_variable_switches_the_client_off(text, key):
    """W1: each usual word for no switches the client off, with and without a key."""
    assert Client.from_env(key | {"INTERCOM_ENABLED": text}).settings.enabled is False


@pytest.mark.parametrize("text", ["1", "true", "yes", "on", "True", ""])
def test_the_variable_leaves_the_client_on(text):
    """W1: each usual word for yes, and an empty variable, leave the client on."""
    assert Client.from_env(_KEY | {"INTERCOM_ENABLED": text}).settings.enabled is True


@pytest.mark.parametrize("text", ["2", "ja", "disabled", "None", "0.0", " ", "-1", "f"])
def test_any_other_text_is_refused(text):
    """W1: a misspelt switch must not decide by itself whether data goes out."""
    with pytest.raises(ConfigurationError, match="INTERCOM_ENABLED"):
        Client.from_env(_KEY | {"INTERCOM_ENABLED": text})


@pytest.mark.parametrize(
    "make", [lambda: Client(), lambda: Client.from_env({}), lambda: Client(enabled=True)]
)
def test_a_client_that_sends_needs_a_key(make):
    """W1: only a client that sends nothing needs no key."""
    with pytest.raises(ConfigurationError, match=r"api_key|INTERCOM_API_KEY"):
        make()


def test_a_passed_setting_wins_over_the_variable():
    """W1: ``enabled`` that the caller passes decides."""
    assert Client.from_env({"INTERCOM_ENABLED": "1"}, enabled=False).settings.enabled is False


@pytest.mark.parametrize("delivery", ["background", "inline", "manual"])
def test_a_client_that_is_off_touches_nothing(tmp_path, delivery):
    """W1: no thread, no file and no connection; every method answers."""
    before = threading.active_count()
    client = Client(
        enabled=False,
        app_id="abc",
        spool=tmp_path / "a.spool",
        base_url="http://127.0.0.1:9",
        delivery=delivery,
    )

    client.track("u-1", "A")
    account = client.check()
    client.delete("u-1")
    letters = list(client.dead_letters)
    client.flush(1)
    report = client.close(1)

    assert (account.app_id, account.region, letters) == ("abc", "us", [])
    assert (report.accepted, report.skipped, report.pending) == (1, {"disabled": 1}, 0)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before
