"""What the setting ``api_version`` accepts, and what happens when Intercom refuses it (rule T1)."""

from __future__ import annotations

import attrs
import pytest

from metarouter_intercom import ConfigurationError, DeliveryFailed, Settings
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

from .._support.clients import accept, manual_client
from .._support.flow_driving import refusal

_TEXT = "Requested resource is not available in current API version."
_REFUSED = refusal(400, _TEXT, code="intercom_version_invalid")


def _refusing(times):
    """Return a transport that refuses the version so often, and then takes everything."""
    answers = [_REFUSED] * times
    return ScriptedTransport(lambda request: answers.pop() if answers else accept(request))


# --- the setting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        ("2.0", "2.0"),
        ("2.7", "2.7"),
        ("2.16", "2.16"),
        ("2.17", "2.17"),
        ("2.18", "2.18"),
        ("2.100", "2.100"),
        ("3.0", "3.0"),
        (" 2.17\n", "2.17"),
        ("Preview", "Preview"),
        ("preview", "Preview"),
        ("UNSTABLE", "Unstable"),
    ],
)
def test_known_and_later_versions_are_accepted(version, sent):
    """A version that is newer than the library is accepted: if Intercom refuses it, no message is lost."""
    assert Settings(api_key="key", api_version=version).api_version == sent


@pytest.mark.parametrize(
    "version",
    ["", " ", "latest", "v2.16", "2", "2,16", "2.16.1", "2.", ".16", "-2.1", "2.16\r\nX: y", "2.٣", "02.1"],
)
def test_what_is_no_version_is_refused(version):
    """A text that cannot be a version raises a ConfigurationError when the client is made, not when it sends."""
    with pytest.raises(ConfigurationError, match=r"api_version: .* is not a version"):
        Settings(api_key="key", api_version=version)


@pytest.mark.parametrize("version", [2.16, 2, None, b"2.16", ("2", "16")])
def test_a_version_is_a_text(version):
    """As a number 2.1 and 2.10 would be the same, so only a text is a version."""
    with pytest.raises(ConfigurationError, match=r'api_version: .* is not a text; use a text such as "2.16"'):
        Settings(api_key="key", api_version=version)


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.99"])
def test_versions_without_contacts_are_refused(version):
    """Contract, section 4: versions 1.x have users and leads, which the library does not write."""
    with pytest.raises(ConfigurationError, match=r"api_version: .* has no contacts; use 2.0 or later"):
        Settings(api_key="key", api_version=version)


def test_a_version_can_be_replaced():
    """An accepted version is accepted again, for example by ``attrs.evolve``."""
    settings = Settings(api_key="key", api_version="preview")

    assert attrs.evolve(settings, name="other").api_version == "Preview"


# --- a version that Intercom refuses --------------------------------------------------------------------------


def test_a_refused_version_holds_every_message(caplog):
    """T1: nothing is lost, ``on_error`` and ``health`` name the fault, and the remedy is named once."""
    errors = []
    client = manual_client(
        _refusing(3),
        api_version="2.99",
        on_error=lambda error, messages: errors.append((error, len(messages))),
    )
    client.identify("u-1", {"name": "Ada"})
    client.track("u-1", "A")
    client.group("u-2", "g-1", {"name": "Acme"})

    for _ in range(3):
        report = client.flush(0)

    health = client.health()
    assert (report.dead, report.held, report.delivered) == ({}, 3, 0)
    assert (health.status, health.reason) == ("held", "intercom_version_invalid")
    [(error, count)] = errors
    assert isinstance(error, ConfigurationError)
    assert str(error) == (
        f"api_version: Intercom refused the version '2.99' ({_TEXT}); "
        "set api_version to a version that Intercom lists in its Developer Hub, 2.0 or later"
    )
    assert count == 2
    assert (
        caplog.text.count("connection testing: Intercom refuses the API version 2.99 (status 400, code ") == 1
    )


def test_a_version_that_intercom_learns_releases_the_messages():
    """T1: a probe that passes shows that the version works, and everything is sent."""
    client = manual_client(_refusing(1), api_version="2.99")
    client.identify("u-1", {"name": "Ada"})
    client.track("u-2", "A")
    client.flush(0)

    report = client.flush()

    assert (report.delivered, report.dead, client.health().status) == (2, {}, "ok")


def test_another_reason_to_hold_is_reported():
    """T1: after the token was corrected, the refused version is news."""
    answers = iter([Response(401), _REFUSED])
    errors = []
    client = manual_client(
        ScriptedTransport(lambda request: next(answers)),
        on_error=lambda error, messages: errors.append(type(error)),
    )
    client.track("u-1", "A")

    client.flush(0)
    client.flush(0)

    assert errors == [DeliveryFailed, ConfigurationError]


def test_check_names_the_refused_version():
    """``check`` raises an error that names the setting and the remedy."""
    client = manual_client(_refusing(1), api_version="2.99")

    with pytest.raises(
        ConfigurationError, match=r"api_version: Intercom refused the version '2\.99' \(Requested"
    ):
        client.check()


def test_a_refusal_without_a_text_is_named_too():
    """Intercom's error texts may be null."""
    client = manual_client(
        ScriptedTransport([refusal(400, code="intercom_version_invalid")]), api_version="2.99"
    )

    with pytest.raises(ConfigurationError, match=r"refused the version '2.99'; set api_version"):
        client.check()


def test_a_deletion_names_the_refused_version():
    """D1: the synchronous call raises the same error, and nothing about the message."""
    client = manual_client(_refusing(1), api_version="2.99")

    with pytest.raises(ConfigurationError, match=r"api_version: Intercom refused the version"):
        client.delete("u-1")


def test_calls_that_wait_name_the_refused_version():
    """W1: with ``inline`` the call says that its message is held, and why; so does a deletion while nothing is sent."""
    client = manual_client(_refusing(9), api_version="2.99", delivery="inline")

    with pytest.raises(
        DeliveryFailed, match=r"refuses the setting api_version='2.99'.*the message is held"
    ) as held:
        client.track("u-1", "A")
    with pytest.raises(DeliveryFailed, match=r"nothing is sent while Intercom refuses the setting") as paused:
        client.delete("u-2")

    assert (held.value.reason, paused.value.reason) == ("held", "held")
    assert client.report().held == 1
