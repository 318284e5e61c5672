"""Whether the credentials open the workspace that is meant: ``GET /me``, read with remedies; no I/O of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigurationError, DeliveryFailed
from ..plugins import Request, Response
from ..settings import Region
from .responses import error_of

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..settings import Settings

ME = Request("GET", "/me")


class Account(NamedTuple):
    """
    The workspace that a token opens, as ``GET /me`` tells it.

    Attributes:
        app_id: App or Source ID.
        name: The workspace's.
        region: ``us``, ``eu`` or ``au``; None when Intercom does not tell.
        admin: The name or e-mail address of the token's admin; None when Intercom does not tell.
    """

    app_id: str
    name: str | None = None
    region: str | None = None
    admin: str | None = None


def read_account(response: Response, settings: Settings) -> Account:
    """
    Read the answer of ``GET /me`` and compare it with *settings*.

    Raises:
        ConfigurationError: The token is refused, or opens a workspace other than ``app_id`` or in another region.
        DeliveryFailed: Intercom answered something else than an account.
    """
    if response.status in (401, 403):
        raise ConfigurationError(_refused(response, settings))
    body = response.body
    app = body.get("app") if isinstance(body, dict) else None
    app_id = _text(app, "id_code") if isinstance(app, dict) else None
    if response.status != 200 or not isinstance(body, dict) or not isinstance(app, dict) or app_id is None:
        raise _unreadable(response, settings)
    account = Account(
        app_id=app_id,
        name=_text(app, "name"),
        region=(_text(app, "region") or "").lower() or None,
        admin=_text(body, "name") or _text(body, "email"),
    )
    _compare(account, settings)
    return account


def _compare(account: Account, settings: Settings) -> None:
    if settings.app_id is not None and settings.app_id != account.app_id:
        raise ConfigurationError(
            f"app_id: {settings.app_id!r} was given, but the token opens the workspace {account.app_id!r} "
            f"({account.name}); use that workspace's own token, or correct app_id"
        )
    known = {region.value for region in Region}
    if settings.base_url is None and account.region in known and account.region != settings.region.value:
        raise ConfigurationError(
            f"region: the workspace lives in {account.region!r}, not in {settings.region.value!r}; "
            f"set region={account.region!r} (INTERCOM_REGION)"
        )


def _refused(response: Response, settings: Settings) -> str:
    facts = error_of(response)
    told = facts["message"] or f"HTTP {response.status}"
    if response.status == 403:
        return f"api_key: Intercom knows the token but does not let it in ({told}); check its scopes and the plan"
    return (
        f"api_key: Intercom refused the token ({told}); copy the access token of your app from Intercom's Developer Hub, and "
        f"check that region={settings.region.value!r} is the workspace's"
    )


def _unreadable(response: Response, settings: Settings) -> DeliveryFailed:
    facts = error_of(response)
    if response.status in (408, 425, 429) or response.status >= 500:
        remedy = "Intercom has no time now; ask again later"
    else:
        remedy = f"check that {settings.address} is Intercom's API"
    return DeliveryFailed(
        f"GET /me answered HTTP {response.status} and no account; {remedy}",
        reason=f"http_{response.status}",
        status=response.status,
        code=facts["code"],
        request_id=facts["request_id"],
    )


def _text(facts: JsonObject, name: str) -> str | None:
    value = facts.get(name)
    return value if isinstance(value, str) and value else None
