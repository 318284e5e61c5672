"""Whether the credentials open the workspace that the settings mean: reads the response of ``GET /me``; pure, sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigurationError, DeliveryFailed
from ..plugins import Request, Response
from ..settings import Region
from .foreign_answers import is_foreign
from .response_parsing import error_of
from .responses import RETRYABLE, version_refusal

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..settings import Settings

ME = Request("GET", "/me")


class Account(NamedTuple):
    """
    The workspace that a token opens, read from ``GET /me``.

    Attributes:
        app_id: App or Source ID (workspace id).
        name: The workspace's name; None when Intercom does not say.
        region: ``us``, ``eu`` or ``au``; None when Intercom does not say.
        admin: The name or e-mail address of the token's admin; None when Intercom does not say.
    """

    app_id: str
    name: str | None = None
    region: str | None = None
    admin: str | None = None


def read_account(response: Response, settings: Settings) -> Account:
    """
    Read the response of ``GET /me`` and compare it with *settings*.

    Raises:
        ConfigurationError: The API version or the token is refused, or the token opens a workspace other than ``app_id`` or in another region.
        DeliveryFailed: The response is not an account, or not Intercom's (rule T6).
    """
    if is_foreign(ME, response):
        raise _foreign(response, settings)
    refusal = version_refusal(response)
    if refusal is not None:
        raise refused_version(settings.api_version, refusal.message)
    if response.status in (401, 403):
        raise ConfigurationError(_refusal_text(response, settings))
    body = response.body
    app = body.get("app") if isinstance(body, dict) else None
    app_id = workspace_id(response)
    if app_id is None or not isinstance(body, dict) or not isinstance(app, dict):
        raise _unreadable(response, settings)
    account = Account(
        app_id=app_id,
        name=_text(app, "name"),
        region=(_text(app, "region") or "").lower() or None,
        admin=_text(body, "name") or _text(body, "email"),
    )
    _compare(account, settings)
    return account


def workspace_id(response: Response) -> str | None:
    """Return the id of the workspace that the response of ``GET /me`` names; None when it names none."""
    body = response.body
    app = body.get("app") if isinstance(body, dict) and response.status == 200 else None
    return _text(app, "id_code") if isinstance(app, dict) else None


def refused_version(api_version: str, text: str | None) -> ConfigurationError:
    """Return the error for an *api_version* that Intercom refuses; *text* is Intercom's, if it gave one."""
    words = f" ({text})" if text else ""
    return ConfigurationError(
        f"api_version: Intercom refused the version {api_version!r}{words}; "
        "set api_version to a version that Intercom lists in its Developer Hub, 2.0 or later"
    )


def _compare(account: Account, settings: Settings) -> None:
    if settings.app_id is not None and settings.app_id != account.app_id:
        raise ConfigurationError(
            f"app_id: {settings.app_id!r} was given, but the token opens the workspace {account.app_id!r} "
            f"({account.name}); use that workspace's own token, or correct app_id"
        )
    regions = {region.value for region in Region}
    if settings.base_url is None and account.region in regions and account.region != settings.region.value:
        raise ConfigurationError(
            f"region: the workspace lives in {account.region!r}, not in {settings.region.value!r}; "
            f"set region={account.region!r} (INTERCOM_REGION)"
        )


def _refusal_text(response: Response, settings: Settings) -> str:
    error = error_of(response)["message"] or f"HTTP {response.status}"
    if response.status == 403:
        return f"api_key: Intercom knows the token but gives it no access ({error}); check its scopes and your plan"
    refusal = f"api_key: Intercom refused the token ({error}); copy the access token of your app from Intercom's Developer Hub"
    # An explicit address makes the region irrelevant.
    if settings.base_url is not None:
        return refusal
    return f"{refusal}, and check that the workspace is in region={settings.region.value!r}"


def _foreign(response: Response, settings: Settings) -> DeliveryFailed:
    """Return the error for an answer that says nothing about the token."""
    return DeliveryFailed(
        f"GET /me returned HTTP {response.status} and an answer that is not Intercom's; a proxy or another server is in between: "
        f"check that {settings.address} is Intercom's API, and the proxy",
        reason="foreign_answer",
        status=response.status,
    )


def _unreadable(response: Response, settings: Settings) -> DeliveryFailed:
    error = error_of(response)
    if response.status in RETRYABLE or response.status >= 500:
        remedy = "Intercom is busy or down; ask again later"
    else:
        remedy = f"check that {settings.address} is Intercom's API"
    return DeliveryFailed(
        f"GET /me returned HTTP {response.status} and no account; {remedy}",
        reason=f"http_{response.status}",
        status=response.status,
        code=error["code"],
        request_id=error["request_id"],
    )


def _text(item: JsonObject, name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
