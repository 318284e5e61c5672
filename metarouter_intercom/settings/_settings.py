"""Every setting with its default and the reason for it; reads the environment only in ``Settings.from_env``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from .._types import Secret
from ..errors import ConfigurationError
from ._region import Region, to_region
from ._values import (
    NO_KEY,
    between,
    check_base_url,
    check_optional_name,
    check_overrides,
    check_spool,
    name_list,
    number,
    number_or_auto,
    one_of,
    switch,
    to_secret,
    to_secrets,
    to_switch,
    to_version,
)

Nesting = Literal["flatten", "stringify", "drop"]


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """
    All settings of a client, checked when they are built. Durations are in seconds, sizes in bytes.

    Raises:
        ConfigurationError: A value is missing or out of bounds. The text names the setting and the remedy.
    """

    # The connection
    api_key: Secret = attrs.field(default=None, converter=to_secret)
    """Intercom's access token. It is never shown, logged or put into an error. Only ``enabled=False`` needs none."""
    app_id: str | None = None
    """The workspace's App ID or Source ID. When it is set, ``check()`` compares it with the token's workspace."""
    name: str = "default"
    """The name of the connection in thread names, logs and stats."""
    region: Region = attrs.field(default=Region.US, converter=to_region)
    """Where the workspace is: ``us``, ``eu`` or ``au``. Intercom's own default is the US host."""
    base_url: str | None = attrs.field(default=None, validator=check_base_url)
    """An address to use instead of the region's host: the sandbox, a test server or a proxy."""
    api_version: str = attrs.field(default="2.16", converter=to_version)
    """Sent with each request as ``Intercom-Version``: ``2.0`` to ``2.17``, a later number, or ``Preview``. Without it, a setting in
    Intercom's Developer Hub would change the responses."""

    # From a message to operations
    integration_names: tuple[str, ...] = name_list("Intercom")
    """The names that mean this destination in a message's ``integrations``, in any letter case (R6)."""
    ignore_emails: tuple[str, ...] = name_list()
    """E-mail addresses, or globs such as ``*@acme.example``, of people to leave out, in any letter case (R11): staff, test accounts."""
    ignore_user_ids: tuple[str, ...] = name_list()
    """User ids, or globs, of people to leave out, in any letter case (R11)."""
    anonymous: str = attrs.field(default="skip", validator=one_of("skip", "lead"))
    """What becomes of a message with nothing but an anonymous id (R8). The default skips it, because leads fill a workspace quickly."""
    update_last_seen: bool = switch(True)
    """Write ``last_seen_at`` (I6)."""
    collect_context: bool = switch(False)
    """Write the device, system and app of the context as attributes (I11). Each one uses up one of the workspace's 250 attributes."""
    company_id_from_name: str = attrs.field(default="hash", validator=one_of("hash", "name", "reject"))
    """How a company with a name alone gets its id (C1). ``hash`` finds the companies that Segment and MetaRouter created."""
    events_allow: tuple[str, ...] = name_list()
    """Names or globs of the events to send; all other events are skipped. Empty sends every event (E1)."""
    events_deny: tuple[str, ...] = name_list()
    """Names or globs of the events to skip (E1)."""
    tags_trait: str | None = attrs.field(default=None, validator=check_optional_name)
    """A trait whose list tags the person (I13). Without it, a list of texts is a custom attribute as any other."""
    default_currency: str = "USD"
    """The currency of a revenue that names none (E4). Segment's specification has the same default."""
    rich_link_properties: tuple[str, ...] = name_list()
    """Properties whose objects stay objects, as Intercom's rich links need them (E5)."""
    nested: Nesting = attrs.field(default="flatten", validator=one_of("flatten", "stringify", "drop"))
    """What becomes of nested values (A5). Flat attributes can be used in Intercom's filters."""
    nested_overrides: Mapping[str, Nesting] = attrs.field(factory=dict, validator=check_overrides)
    """The same for single traits or properties, by name (A5)."""
    metadata_first: tuple[str, ...] = name_list()
    """Properties to put before the others in an event's metadata, so that Intercom keeps them (E8)."""
    metadata_limit: int = number(10, 1, 20)
    """How many keys an event's metadata may have (E8). Intercom keeps 10 and leaves out the rest without an error (OpenAPI 2.16)."""
    page_events: str = "off"
    """``off``, or a template for the event's name such as ``Viewed {name} Page`` (E9). Page views alone would use up 120 event names."""
    screen_events: str = "off"
    """The same for screens (E9)."""
    events_update_last_seen: bool = switch(False)
    """Refresh ``last_seen_at`` of an event's contact with the event's time (E11). False, because it can cost a second request."""
    dates: str = attrs.field(default="seconds", validator=one_of("seconds", "keep"))
    """What becomes of dates (A4): Unix seconds under a name that ends in ``_at``, or ISO text."""
    unknown_attributes: str = attrs.field(default="create", validator=one_of("create", "drop", "fail"))
    """What to do about a custom attribute that the workspace does not have (A6): create it, leave it out, or give up the message."""
    max_created_attributes: int = number(20, 0, 250)
    """How many attributes one message may create (A7). A person has a few dozen traits; more are nested data that nobody filters by."""
    attribute_budget: int = number(200, 0, 250)
    """None is created once the workspace has so many (A7): Intercom allows 250 for ever. Nested values may use up half of this."""
    identity_secret: tuple[Secret, ...] = attrs.field(default=(), converter=to_secrets)
    """One or more keys that prove identities, newest first (V1)."""
    require_identity: bool = switch(False)
    """Trust no sender: a message without a valid proof of its person writes nothing (V2 to V4)."""
    untrusted_companies: str = attrs.field(default="attach", validator=one_of("off", "attach", "write"))
    """What a proven person may do to companies while ``require_identity`` is on (V4): nothing, be attached to an existing one, or write it. The default lets nobody rewrite a company."""

    # Accepting
    on_invalid: str = attrs.field(default="raise", validator=one_of("raise", "log"))
    """``log`` counts and logs an error that ``raise`` raises (Q2). It is for hosts that must never see an error from analytics."""
    max_message_bytes: int = number(32 * 1024, 256)
    """The longest message, as JSON (Q2). Segment has the same limit."""
    spool: str | os.PathLike[str] | None = attrs.field(default=None, validator=check_spool)
    """A SQLite file that keeps accepted messages (Q3). None keeps them in memory. ``~`` is the home folder (Q8)."""
    adopt_spool: bool = switch(False)
    """Send what waits in the spool for another workspace to this one (Q7). False holds it, so that nothing meant for a test reaches customers."""
    spool_sync: str = attrs.field(default="normal", validator=one_of("normal", "full"))
    """``normal`` survives a crash of the process. ``full`` also survives a crash of the machine, and costs one disk flush for each call."""
    max_buffered: int | None = number(None, 1)
    """How many messages the buffer holds. None means 10,000 in memory (about 10 MB) and 1,000,000 in the spool."""
    when_full: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of("raise", "block", "drop_new"))
    )
    """What a full buffer does to a call (Q4). None means ``drop_new`` in memory, and ``raise`` in the spool, whose users want no silent loss."""
    block_timeout: float = number(5.0, 0)
    """How long a call waits for room with ``when_full="block"``."""
    max_dead_letters: int | None = number(None, 1)
    """How many dead letters are kept (X1). None means 1,000 in memory and 100,000 in the spool."""

    history: int | None = attrs.field(default=None, validator=between(0, 100_000))
    """How many ended messages ``client.history`` keeps (X2). None means 100 in memory and 1,000 in the spool; 0 keeps none. A spool
    keeps none while its volume has less than 64 MiB free."""

    # What is written, and in which order
    merge_across_events: bool = switch(True)
    """Write a contact once for everything that is due at the same time (O2). False keeps the accepted order exactly."""
    spread_events: bool = switch(True)
    """Move an event to a free second if another event of its contact and name has its second (E10). Intercom would keep only one."""
    unchanged_for: float = number(3600.0, 0)
    """How long a value that was written is expected to be there, so that it is not written again (O3). 0 always writes."""
    last_seen_resolution: float = number(300.0, 0)
    """Write ``last_seen_at`` at most this often when nothing else changes (O3)."""
    revive_archived: bool = switch(True)
    """Unarchive an archived contact when a message names it (M1)."""
    missing_contact_wait: float = number(900.0, 0)
    """How long an event or an attach waits for a contact that does not exist (M2)."""
    create_missing_contacts: bool = switch(False)
    """Create a contact with nothing but its id instead of waiting (M2). This can bring back a person who was deleted."""

    # Requests and responses
    connect_timeout: float = number(5.0, 0.001)
    """How long a connection may take, TCP and TLS."""
    read_timeout: float = number(30.0, 0.001)
    """How long the next bytes of a response may take."""
    auth_probe: float = number(60.0, 0.001)
    """How often to try again while Intercom refuses the credentials (T1)."""
    retry_for: float | None = number(None, 0)
    """How long a message is retried (T2). None means 24 h with the spool and 15 min in memory."""
    backoff_base: float = number(0.5, 0)
    """The longest wait before the first retry (T2). The wait itself is random."""
    backoff_max: float = number(60.0, 0)
    """The longest wait before any retry (T2)."""
    rate_limit_share: float = number(1.0, 0.01, 1.0)
    """The part of Intercom's rate limit that this client may use (T4)."""

    # Delivering
    delivery: str = attrs.field(default="background", validator=one_of("background", "inline", "manual"))
    """Who delivers (W1): worker threads, the call itself, or only ``flush()``."""
    workers: int | Literal["auto"] = attrs.field(default="auto", validator=number_or_auto(1, 64))
    """How many threads deliver (W1). ``auto`` starts one, and more while messages wait and Intercom's rate limit has room. A number
    is a fixed number of threads."""
    max_workers: int = number(64, 1, 64)
    """The most threads that ``workers="auto"`` starts (W1). Intercom responds in about 0.1 to 0.3 s, so it takes about 45 threads to
    use its usual rate limit. Threads that have nothing to do end after 10 seconds."""
    flush_interval: float = number(1.0, 0.001)
    """How long to collect messages before sending (W1)."""
    enabled: bool = switch(True)
    """False accepts and counts every message and sends none (W1). It needs no ``api_key``, and opens no spool."""
    exit_timeout: float = number(5.0, 0)
    """How long ``close()`` without a timeout, ``with Client()`` and the interpreter's exit may flush (W2). ``math.inf``: no limit."""

    def __attrs_post_init__(self) -> None:
        if self.enabled and self.api_key is NO_KEY:
            raise ConfigurationError(
                "api_key: missing or blank; pass the access token, or set INTERCOM_API_KEY and use from_env()"
            )

    @property
    def threads(self) -> tuple[int, int]:
        """How many threads deliver at first, and at most: the same for a fixed number of ``workers``."""
        return (1, self.max_workers) if self.workers == "auto" else (self.workers, self.workers)

    @property
    def address(self) -> str:
        """The address that every request begins with, without a slash at the end."""
        return (self.base_url or self.region.base_url).rstrip("/")

    @property
    def messages_kept(self) -> int:
        """How many messages the buffer holds: ``max_buffered``, or its default for memory or the spool."""
        if self.max_buffered is not None:
            return self.max_buffered
        return 10_000 if self.spool is None else 1_000_000

    @property
    def dead_letters_kept(self) -> int:
        """How many dead letters are kept: ``max_dead_letters``, or its default for memory or the spool."""
        if self.max_dead_letters is not None:
            return self.max_dead_letters
        return 1_000 if self.spool is None else 100_000

    @property
    def history_kept(self) -> int:
        """How many ended messages are kept: ``history``, or its default for memory or the spool."""
        if self.history is not None:
            return self.history
        return 100 if self.spool is None else 1_000

    @property
    def retried_for(self) -> float:
        """How many seconds a message is retried: ``retry_for``, or its default for memory or the spool."""
        if self.retry_for is not None:
            return self.retry_for
        return 15 * 60.0 if self.spool is None else 24 * 3600.0

    @property
    def full_answer(self) -> str:
        """What a full buffer does: ``when_full``, or its default for memory or the spool."""
        return self.when_full or ("drop_new" if self.spool is None else "raise")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Settings:
        """
        Build settings from environment variables. A setting that you pass wins over its variable.

        Args:
            environ: The variables; None means those of the process.
            settings: Any setting by name.

        Raises:
            ConfigurationError: There is no API key, or a value is out of bounds.
        """
        environ = os.environ if environ is None else environ
        variables = {
            "api_key": environ.get("INTERCOM_API_KEY") or environ.get("INTERCOM_ACCESS_TOKEN"),
            "app_id": environ.get("INTERCOM_APP_ID"),
            "region": environ.get("INTERCOM_REGION"),
            "base_url": environ.get("INTERCOM_BASE_URL"),
        }
        chosen: dict[str, Any] = {name: value for name, value in variables.items() if value}
        if enabled := environ.get("INTERCOM_ENABLED"):
            chosen["enabled"] = to_switch(enabled)
        chosen |= settings
        if "api_key" not in chosen and chosen.get("enabled", True) is not False:
            raise ConfigurationError("INTERCOM_API_KEY: not set; put the workspace's access token there")
        return cls(**chosen)
