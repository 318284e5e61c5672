"""``GET /me``: a wrong token, region or workspace raises an error with a remedy."""

from __future__ import annotations

import pytest

from metarouter_intercom import Account, ConfigurationError, DeliveryFailed, Settings
from metarouter_intercom._intercom.account import read_account, workspace_id
from metarouter_intercom.plugins import Response

_ME = {
    "type": "admin",
    "id": "1",
    "email": "ada@example.com",
    "app": {"id_code": "abc123", "name": "Example", "region": "EU"},
}


def _settings(**options):
    return Settings(**{"api_key": "key", "region": "eu"} | options)


def test_a_good_token_gives_the_workspace():
    """The account has the name, id, region and admin of the response."""
    account = read_account(Response(200, _ME), _settings(app_id="abc123"))

    assert account == Account("abc123", "Example", "eu", "ada@example.com")


@pytest.mark.parametrize(
    ("response", "options", "words"),
    [
        (
            Response(
                401,
                {
                    "type": "error.list",
                    "errors": [{"code": "unauthorized", "message": "Access Token Invalid"}],
                },
            ),
            {},
            "Access Token Invalid",
        ),
        (
            Response(
                403, {"errors": [{"code": "api_plan_restricted", "message": "Active subscription needed."}]}
            ),
            {},
            "plan",
        ),
        (Response(401), {}, "region"),
        (Response(200, _ME), {"app_id": "zzz"}, "app_id"),
        (Response(200, _ME), {"region": "us"}, "region='eu'"),
    ],
)
def test_wrong_credentials_raise_an_error_with_a_remedy(response, options, words):
    """Each fault of the credentials raises a ConfigurationError that names the setting."""
    with pytest.raises(ConfigurationError, match=words):
        read_account(response, _settings(**options))


def test_a_refusal_at_a_base_url_does_not_name_the_region():
    """With a ``base_url`` the region is not used, so the remedy of a refused token leaves it out."""
    with pytest.raises(ConfigurationError, match=r"Developer Hub$"):
        read_account(Response(401), _settings(base_url="http://127.0.0.1:1"))


def test_a_base_url_is_not_checked_against_the_region():
    """With a ``base_url`` any region is right, because a sandbox or proxy may stand for it."""
    account = read_account(Response(200, _ME), _settings(region="us", base_url="http://127.0.0.1:1"))

    assert account.region == "eu"


@pytest.mark.parametrize(
    "response",
    [
        Response(200, "<html>"),
        Response(200, {"app": 5}),
        Response(200, {"app": {"name": "Example"}}),
        Response(200, {"app": {"id_code": 7}}),
        Response(301, None, {"location": "https://example.com"}),
        Response(404),
    ],
)
def test_a_response_without_an_account_raises_an_error(response):
    """A response that is not Intercom's raises an error with the address to check."""
    with pytest.raises(DeliveryFailed, match=r"GET /me.*api\.eu\.intercom\.io"):
        read_account(response, _settings())


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_intercom_raises_an_error_that_says_so(status):
    """When Intercom is busy or down, the error says to ask again later and does not doubt the address."""
    with pytest.raises(DeliveryFailed, match="ask again later") as caught:
        read_account(Response(status, {"request_id": "r1", "errors": []}), _settings())

    assert (caught.value.status, caught.value.request_id) == (status, "r1")


def test_an_unknown_region_is_accepted():
    """A region that this version does not know is reported as it is, and raises no error."""
    me = _ME | {"app": {"id_code": "abc123", "name": "", "region": "MOON"}}

    assert read_account(Response(200, me), _settings()) == Account("abc123", None, "moon", "ada@example.com")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, _ME), "abc123"),
        (Response(403, _ME), None),
        (Response(200, {"app": {}}), None),
        (Response(200, {"app": "abc123"}), None),
        (Response(200, []), None),
        (Response(200), None),
    ],
)
def test_the_workspace_of_an_answer(response, expected):
    """Q7: only a success that names an app names a workspace."""
    assert workspace_id(response) == expected
