"""The settings of a workspace: who works in it, its limits, and what it tolerates. It knows no request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import attrs

Model = Literal["contact", "company"]
DataType = Literal["string", "integer", "float", "boolean", "date"]


@attrs.frozen(kw_only=True)
class Admin:
    """A teammate of the workspace, who can own contacts."""

    id: str
    name: str
    email: str


@attrs.frozen(kw_only=True)
class SubscriptionType:
    """
    A subscription type: a kind of messages that a contact can opt in to or out of.

    Attributes:
        name: In English, the default language.
        translations: The name in other languages, by locale.
    """

    id: str
    name: str
    consent_type: Literal["opt_in", "opt_out"]
    state: Literal["live", "draft", "archived"] = "live"
    translations: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Segment:
    """A segment of people. In the sandbox it has no rule and no members."""

    id: str
    name: str
    person_type: Literal["contact", "user"] = "user"


DEFAULT_ADMINS = (
    Admin(id="991267459", name="Ada Example", email="ada@example.com"),
    Admin(id="991267460", name="Ben Example", email="ben@example.com"),
)
DEFAULT_SUBSCRIPTIONS = (
    SubscriptionType(id="91", name="Newsletters", consent_type="opt_out"),
    SubscriptionType(id="93", name="Text messages", consent_type="opt_in"),
)
DEFAULT_SEGMENTS = (
    Segment(id="656a0b7c5d1f4e0d8c000001", name="New"),
    Segment(id="656a0b7c5d1f4e0d8c000002", name="Active"),
)


@attrs.frozen(kw_only=True)
class WorkspaceSettings:
    """
    The settings of a sandbox workspace. By default it behaves as Intercom's documents and recordings of the real API show.

    Attributes:
        token: The access token that clients must send.
        other_tokens: Access tokens of other apps of the workspace. Each app has a rate budget of its own.
        require_auth: Whether ``Workspace.handle`` refuses a request without an ``Authorization`` header. The HTTP server
            always refuses it. A wrong token is always refused.
        app_id: ``app.id_code`` in ``GET /me``.
        name: The workspace's name.
        region: ``US``, ``EU`` or ``AU``.
        timezone: The IANA name of the time zone in which searches compare days.
        seed: Decides the generated ids: the same seed and the same requests give the same ids.
        default_version: The API version of a request that names none.
        admins: Who can own contacts. The token belongs to the first one.
        subscription_types: What contacts can opt in to or out of.
        segments: The segments of people.
        attributes: Custom attributes that exist from the start: model -> name -> data type.
        auto_attributes: Whether a write creates an unknown custom attribute instead of being refused.
        in_use: Names of attributes that cannot be archived and of tags that cannot be deleted, because something uses them.
        forbidden: Routes that the token has no scope for, such as ``"POST /data_attributes"``; they answer 403.
        unknown_fields: Whether an unknown top-level field of a contact is ignored and recorded as a violation, as by Intercom,
            or the write refused.
        unique_emails: Whether creating a user with another user's e-mail is refused even when their external ids differ.
        search_lag: Seconds until ``POST /contacts/search`` and ``GET /contacts`` see a write; until then they show the contact as
            it was. 0 shows it at once. In recordings of the real API a list was still 17 seconds behind, and nothing 120 seconds;
            the documents speak of minutes.
        deletion_grace: Seconds for which the external id and the e-mail of a permanently deleted user stay taken.
        restore_deleted_status: The status when a permanently deleted contact is unarchived: 400, or 500 as in 2021.
        company_lookup: Whether ``GET /companies?company_id=`` answers the company itself, or a list with it.
        app_limit: The most requests of one app in one window.
        workspace_limit: The most requests of all apps in one window.
        window: The length of a rate window in seconds; windows begin at multiples of it.
        reset_slack: Seconds that ``X-RateLimit-Reset`` lies after the end of the window.
        event_name_limit: The most active event names.
        attribute_limit: The most active custom attributes.
        company_limit: The most companies of one contact.
        metadata_limit: The most metadata keys of an event; further keys are cut without an error.
        text_limit: The most characters of a text in a custom attribute or in metadata.
        log_limit: The most exchanges in ``Workspace.requests``; the oldest are removed.
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
    segments: tuple[Segment, ...] = DEFAULT_SEGMENTS
    attributes: Mapping[Model, Mapping[str, DataType]] = attrs.field(factory=dict)
    auto_attributes: bool = False
    in_use: Collection[str] = ()
    forbidden: Collection[str] = ()
    unknown_fields: Literal["refuse", "ignore"] = "ignore"
    unique_emails: bool = False
    search_lag: float = 20.0
    deletion_grace: float = 7 * 24 * 3600.0
    restore_deleted_status: Literal[400, 500] = 400
    company_lookup: Literal["object", "list"] = "object"
    # Intercom allows 10,000 requests a minute for an app and 25,000 for a workspace, spread over windows of ten seconds.
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
