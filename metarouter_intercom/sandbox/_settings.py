"""What a sandbox workspace is like: its people, limits and leniencies. Knows nothing of requests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import attrs

Model = Literal["contact", "company"]
DataType = Literal["string", "integer", "float", "boolean", "date"]


@attrs.frozen(kw_only=True)
class Admin:
    """A teammate of the workspace; contacts may be owned by one."""

    id: str
    name: str
    email: str


@attrs.frozen(kw_only=True)
class SubscriptionType:
    """A kind of messages a contact can agree to or refuse."""

    id: str
    name: str
    consent_type: Literal["opt_in", "opt_out"]


DEFAULT_ADMINS = (
    Admin(id="991267459", name="Ada Example", email="ada@example.com"),
    Admin(id="991267460", name="Ben Example", email="ben@example.com"),
)
DEFAULT_SUBSCRIPTIONS = (
    SubscriptionType(id="91", name="Newsletters", consent_type="opt_out"),
    SubscriptionType(id="93", name="Text messages", consent_type="opt_in"),
)


@attrs.frozen(kw_only=True)
class WorkspaceSettings:
    """
    Every choice of a sandbox workspace; the defaults are as strict as Intercom is documented to be.

    Attributes:
        token: The access token that is accepted.
        other_tokens: Tokens of further apps of the same workspace; each app has its own rate budget.
        require_auth: Refuse a request without an ``Authorization`` header. Over HTTP that is always so; in process a
            request without the header passes by default, while a wrong token never does.
        app_id: ``app.id_code`` in ``GET /me``.
        name: The workspace's name.
        region: ``US``, ``EU`` or ``AU``.
        timezone: For searches by day; an IANA name.
        seed: Where the generated ids begin: the same seed and the same requests give the same ids.
        default_version: The API version of a request that names none.
        admins: Who may own contacts; the first one is who the token belongs to.
        subscription_types: What contacts can opt in to or out of.
        attributes: Custom attributes that exist from the start: model -> name -> data type.
        auto_attributes: Make an unknown custom attribute instead of refusing the write.
        in_use: Names of attributes and tags that something depends on: archiving or deleting these is refused.
        forbidden: Routes the token has no scope for, as ``"POST /data_attributes"``: answered 403.
        unknown_fields: What a contact write with an unknown top-level field meets; no public material says what
            Intercom does, so the strict answer is the default.
        unique_emails: Refuse to create a user whose e-mail another user with another external id has.
        search_lag: Seconds until a contact's write is visible to searches.
        restore_deleted_status: The answer to unarchiving a permanently deleted contact: 400, or 500 as in 2021.
        company_lookup: ``GET /companies?company_id=`` answers the company itself, or a list of one.
        app_limit: Requests of one app in one window.
        workspace_limit: Requests of all apps in one window.
        window: Seconds of a rate window; windows begin at multiples of it.
        reset_slack: Seconds after the end of the window that ``X-RateLimit-Reset`` names.
        event_name_limit: Active event names.
        attribute_limit: Active custom attributes.
        company_limit: Companies of one contact.
        metadata_limit: Metadata keys of an event that are kept; the rest is cut silently.
        text_limit: Characters of a custom attribute's or a metadata value.
        log_limit: How many of the latest exchanges are remembered.
    """

    token: str = "sandbox-token"
    other_tokens: Collection[str] = ()
    require_auth: bool = False
    app_id: str = "sandbox1"
    name: str = "Sandbox"
    region: Literal["US", "EU", "AU"] = "US"
    timezone: str = "UTC"
    seed: int = 0
    default_version: str = "2.16"
    admins: tuple[Admin, ...] = DEFAULT_ADMINS
    subscription_types: tuple[SubscriptionType, ...] = DEFAULT_SUBSCRIPTIONS
    attributes: Mapping[Model, Mapping[str, DataType]] = attrs.field(factory=dict)
    auto_attributes: bool = False
    in_use: Collection[str] = ()
    forbidden: Collection[str] = ()
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    unique_emails: bool = False
    search_lag: float = 0.0
    restore_deleted_status: Literal[400, 500] = 400
    company_lookup: Literal["object", "list"] = "object"
    # 10,000 calls a minute for an app and 25,000 for a workspace, spread over windows of ten seconds.
    app_limit: int = 1666
    workspace_limit: int = 4166
    window: float = 10.0
    reset_slack: float = 2.0
    event_name_limit: int = 120
    attribute_limit: int = 250
    company_limit: int = 1000
    metadata_limit: int = 10
    text_limit: int = 255
    log_limit: int = 1000
