"""Settings are checked when they are built, and each error names the setting and a remedy."""

from __future__ import annotations

import pytest

from metarouter_intercom import ConfigurationError, Region, Settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("api_key", ""),
        ("api_key", None),
        ("region", "mars"),
        ("anonymous", "ghost"),
        ("workers", 0),
        ("workers", True),
        ("workers", 65),
        ("workers", 2.5),
        ("workers", "many"),
        ("workers", None),
        ("max_workers", 0),
        ("max_workers", "auto"),
        ("max_buffered", 0),
        ("rate_limit_share", 1.5),
        ("nested", "explode"),
        ("nested_overrides", {"a": "explode"}),
        ("integration_names", 5),
        ("integration_names", ["Intercom", 5]),
        ("tags_trait", 5),
        ("tags_trait", " "),
        ("ignore_emails", 5),
        ("untrusted_companies", "some"),
        ("max_created_attributes", -1),
        ("spread_events", "yes"),
        ("enabled", "yes"),
        ("identity_secret", 5),
        ("when_full", "panic"),
        ("api_key", "two words"),
        ("api_key", "line\nbreak"),
        ("api_key", "ключ"),
        ("api_version", "2.16\r\nX: y"),
        ("api_version", ""),
        ("base_url", "https://user:word@example.com"),
        ("base_url", "https://example.com/?x=1"),
        ("base_url", "https://exämple.com"),
        ("base_url", 5),
    ],
)
def test_a_wrong_value_is_refused_by_name(setting, value):
    """A wrong value raises a ConfigurationError that names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{"api_key": "key"} | {setting: value})

    assert setting in str(caught.value)


def test_an_unknown_setting_is_a_type_error():
    """A misspelled setting raises a TypeError at once."""
    with pytest.raises(TypeError, match="workerz"):
        Settings(api_key="key", workerz=3)


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("us", "https://api.intercom.io"),
        ("EU", "https://api.eu.intercom.io"),
        (Region.AU, "https://api.au.intercom.io"),
    ],
)
def test_a_region_has_its_host(region, address):
    """The region decides the host."""
    assert Settings(api_key="key", region=region).address == address


def test_base_url_overrides_the_region():
    """``base_url`` is used instead of the region's host, without its last slash."""
    assert Settings(api_key="key", base_url="http://127.0.0.1:9/").address == "http://127.0.0.1:9"


def test_defaults_depend_on_the_buffer():
    """The defaults of limits and of ``when_full`` differ between memory and spool."""
    memory = Settings(api_key="key")
    spool = Settings(api_key="key", spool="x.spool")

    assert (memory.messages_kept, spool.messages_kept) == (10_000, 1_000_000)
    assert (memory.full_answer, spool.full_answer) == ("drop_new", "raise")
    assert (memory.retried_for, spool.retried_for) == (900.0, 86_400.0)
    assert (memory.dead_letters_kept, spool.dead_letters_kept) == (1_000, 100_000)


def test_explicit_limits_win():
    """A limit that is set is used in memory and in the spool."""
    settings = Settings(
        api_key="key", max_buffered=5, retry_for=7, when_full="block", max_dead_letters=3, spool="x.spool"
    )

    assert settings.messages_kept == 5
    assert settings.retried_for == 7
    assert settings.full_answer == "block"
    assert settings.dead_letters_kept == 3


def test_the_environment_is_read_only_when_asked():
    """``from_env`` reads the documented variables, and a setting that is passed wins."""
    environ = {
        "INTERCOM_API_KEY": "secret-key",
        "INTERCOM_APP_ID": "abc123",
        "INTERCOM_REGION": "eu",
        "INTERCOM_BASE_URL": "http://127.0.0.1:1",
    }

    settings = Settings.from_env(environ, app_id="other", workers=2)

    assert settings.api_key.reveal() == "secret-key"
    assert (settings.app_id, settings.region, settings.workers) == ("other", Region.EU, 2)
    assert settings.address == "http://127.0.0.1:1"


def test_the_access_token_variable_is_read_too():
    """``INTERCOM_ACCESS_TOKEN`` is the second name of the key's variable."""
    assert Settings.from_env({"INTERCOM_ACCESS_TOKEN": "t"}).api_key.reveal() == "t"


def test_a_missing_key_in_the_environment_names_the_variable():
    """Without a key the error says which variable to set."""
    with pytest.raises(ConfigurationError, match="INTERCOM_API_KEY"):
        Settings.from_env({})


@pytest.mark.parametrize(
    "wrong",
    [{"api_key": "very-secret key"}, {"api_key": "k", "base_url": "https://user:very-secret@example.com"}],
)
def test_no_secret_is_shown_when_it_is_refused(wrong):
    """The error for a wrong secret names the setting and never shows the secret."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**wrong)

    assert "very-secret" not in str(caught.value)


def test_no_secret_is_shown():
    """The representation of settings shows no key."""
    settings = Settings(api_key="very-secret-key", identity_secret=["very-secret-other"])

    assert "very-secret" not in repr(settings)


def test_one_name_or_several_are_accepted():
    """A setting that is a list accepts a single name too."""
    settings = Settings(api_key="key", events_allow="Signed Up", events_deny=["a", "b"])

    assert settings.events_allow == ("Signed Up",)
    assert settings.events_deny == ("a", "b")


def test_none_means_no_identity_secret():
    """None, such as from a missing variable, means that there is no secret."""
    assert Settings(api_key="key", identity_secret=None).identity_secret == ()


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ({}, (1, 64)),
        ({"max_workers": 8}, (1, 8)),
        ({"workers": 4}, (4, 4)),
        ({"workers": 4, "max_workers": 2}, (4, 4)),
    ],
)
def test_workers_are_a_fixed_number_or_as_many_as_it_takes(settings, threads):
    """W1: without a number there is one thread at first and ``max_workers`` at most; a number is fixed."""
    assert Settings(api_key="key", **settings).threads == threads
