"""Every setting with its default and the reason for it; reads the environment only when asked to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar

import attrs

from ._types import Secret
from .errors import ConfigurationError

__all__ = ["Region", "Settings"]

_T = TypeVar("_T")
Nesting = Literal["flatten", "stringify", "drop"]


class Region(str, Enum):
    """Where Intercom keeps the workspace; each region has a host of its own."""

    US = "us"
    EU = "eu"
    AU = "au"

    @property
    def base_url(self) -> str:
        """The address of the region's REST API."""
        return _HOSTS[self]


# Intercom's OpenAPI description 2.16, `servers`.
_HOSTS = {
    Region.US: "https://api.intercom.io",
    Region.EU: "https://api.eu.intercom.io",
    Region.AU: "https://api.au.intercom.io",
}


def _secret(value: object) -> Secret:
    if isinstance(value, str) and value.strip():
        value = Secret(value.strip())
    if not isinstance(value, Secret):
        raise ConfigurationError(
            "api_key: missing or blank; pass the workspace's access token, or set INTERCOM_API_KEY and use from_env()"
        )
    if not _fits_header(value.reveal_bytes()):
        raise ConfigurationError(
            "api_key: holds blanks, line breaks or other characters that no token has; copy it once more, alone"
        )
    return value


def _fits_header(value: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in value)


def _version(_settings: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or not value or not _fits_header(value.encode("utf-8", "replace")):
        raise ConfigurationError(f"{attribute.name}: {value!r} is no version; use one like 2.16")


def _base_url(_settings: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    """Refuse what would be shown in logs or cannot be a base; the transport looks at the rest."""
    if value is None:
        return
    host = value.partition("://")[2].partition("/")[0] if isinstance(value, str) else "@"
    if "@" in host or set("?# ") & set(value) or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{attribute.name}: holds a login, a query or characters that no address has; give scheme, host, port and path alone"
        )


def _secrets(value: object) -> tuple[Secret, ...]:
    if value is None:
        return ()
    if isinstance(value, str | bytes | Secret):
        value = (value,)
    if not isinstance(value, Sequence):
        raise ConfigurationError(
            "identity_secret: not a text or a list of texts; pass the secret, newest first"
        )
    return tuple(item if isinstance(item, Secret) else Secret(item) for item in value)


def _region(value: object) -> Region:
    try:
        return Region(str(getattr(value, "value", value)).lower())
    except ValueError:
        raise ConfigurationError(f"region: {value!r} is unknown; use one of us, eu, au") from None


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence | set | frozenset) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ConfigurationError("a list of names is needed; got something else")


def _one_of(*choices: str) -> Any:
    def check(_settings: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in choices:
            raise ConfigurationError(
                f"{attribute.name}: {value!r} is unknown; use one of {', '.join(choices)}"
            )

    return check


def _between(low: float, high: float = float("inf")) -> Any:
    def check(_settings: object, attribute: attrs.Attribute[float | None], value: float | None) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
            raise ConfigurationError(f"{attribute.name}: {value!r} is out of bounds; use a number, {bounds}")

    return check


def _flag(_settings: object, attribute: attrs.Attribute[bool], value: bool) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name}: {value!r} is no boolean; use True or False")


def _overrides(
    _settings: object, attribute: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]
) -> None:
    known = ("flatten", "stringify", "drop")
    if not isinstance(value, Mapping) or any(choice not in known for choice in value.values()):
        raise ConfigurationError(f"{attribute.name}: map a trait's name to one of {', '.join(known)}")


def _switch(default: bool) -> bool:
    return attrs.field(default=default, validator=_flag)


def _number(default: _T, low: float, high: float = float("inf")) -> _T:
    return attrs.field(default=default, validator=_between(low, high))


def _name_list(*default: str) -> tuple[str, ...]:
    return attrs.field(default=default, converter=_names)


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """
    All that can be set, checked when it is built; durations in seconds, sizes in bytes.

    Raises:
        ConfigurationError: A value is missing or out of bounds; names the setting and the remedy.
    """

    # The connection
    api_key: Secret = attrs.field(converter=_secret)
    """Intercom's access token; never shown, logged or put into an error."""
    app_id: str | None = None
    """App or Source ID (workspace id); when given, ``check()`` compares it with the token's workspace."""
    name: str = "default"
    """Names the connection in thread names, logs and stats."""
    region: Region = attrs.field(default=Region.US, converter=_region)
    """``us``, ``eu`` or ``au``: Intercom's own default is the US host."""
    base_url: str | None = attrs.field(default=None, validator=_base_url)
    """Overrides the region's host: the sandbox, a test server, a proxy."""
    api_version: str = attrs.field(default="2.16", validator=_version)
    """``Intercom-Version``, always sent: without it a setting in Intercom's Developer Hub would change our answers."""

    # From a message to operations (mapping rules)
    integration_names: tuple[str, ...] = _name_list("Intercom")
    """Names under which ``integrations`` may mean this destination, any letter case (R6)."""
    anonymous: str = attrs.field(default="skip", validator=_one_of("skip", "lead"))
    """What a message with an anonymous id alone becomes (R8): leads fill a workspace quickly, so they are asked for."""
    update_last_seen: bool = _switch(True)
    """Write ``last_seen_at`` (I6)."""
    collect_context: bool = _switch(False)
    """Write device, system and app facts of the context as attributes (I11): each costs one of 250 attributes."""
    company_id_from_name: str = attrs.field(default="hash", validator=_one_of("hash", "name", "reject"))
    """How a company without an id is known (C1): ``hash`` finds those again that Segment and MetaRouter made."""
    events_allow: tuple[str, ...] = _name_list()
    """Names or globs; when there are any, other events are skipped (E1)."""
    events_deny: tuple[str, ...] = _name_list()
    """Names or globs of events that are skipped (E1)."""
    default_currency: str = "USD"
    """Of a revenue without a currency (E4); Segment's specification names the same default."""
    rich_link_properties: tuple[str, ...] = _name_list()
    """Properties whose objects stay objects (E5)."""
    nested: Nesting = attrs.field(default="flatten", validator=_one_of("flatten", "stringify", "drop"))
    """What nested values become (A5): flat attributes can be filtered by in Intercom."""
    nested_overrides: Mapping[str, Nesting] = attrs.field(factory=dict, validator=_overrides)
    """The same for single traits or properties, by name (A5)."""
    metadata_first: tuple[str, ...] = _name_list()
    """Properties that go before the others, so that Intercom keeps them (E8)."""
    metadata_limit: int = _number(10, 1, 20)
    """Keys of an event's metadata; Intercom keeps 10 and leaves out the rest in silence (OpenAPI 2.16)."""
    page_events: str = "off"
    """``off`` or a template such as ``Viewed {name} Page`` (E9): page views alone would use up 120 event names."""
    screen_events: str = "off"
    """The same for screens."""
    dates: str = attrs.field(default="seconds", validator=_one_of("seconds", "keep"))
    """What dates become (A4): Unix seconds under a name in ``_at``, or ISO text."""
    unknown_attributes: str = attrs.field(default="create", validator=_one_of("create", "drop", "fail"))
    """What happens to a custom attribute that the workspace does not know (A6)."""
    identity_secret: tuple[Secret, ...] = attrs.field(default=(), converter=_secrets)
    """One or several keys that prove identities (V1), newest first."""
    require_identity: bool = _switch(False)
    """Reject messages with a user id and no valid proof (V2, V3)."""

    # Accepting
    on_invalid: str = attrs.field(default="raise", validator=_one_of("raise", "log"))
    """``log`` counts and logs what ``raise`` raises (Q2): for hosts that must never see an error from analytics."""
    max_message_bytes: int = _number(32 * 1024, 256)
    """A message's bound as JSON (Q2): Segment's own."""
    spool: str | os.PathLike[str] | None = None
    """A SQLite file that keeps accepted messages (Q3); None keeps them in memory."""
    spool_sync: str = attrs.field(default="normal", validator=_one_of("normal", "full"))
    """``normal`` survives the death of the process, ``full`` also that of the machine, at the price of a disk flush a call."""
    max_buffered: int | None = _number(None, 1)
    """Messages; None means 10,000 in memory (some 10 MB) and 1,000,000 in the spool."""
    when_full: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_one_of("raise", "block", "drop_new"))
    )
    """None means ``drop_new`` in memory, and ``raise`` in the spool: who asks for durability wants to know (Q4)."""
    block_timeout: float = _number(5.0, 0)
    """How long ``when_full="block"`` waits for room."""
    max_dead_letters: int | None = _number(None, 1)
    """None means 1,000 in memory and 100,000 in the spool (X1)."""

    # Order, merging, requests
    merge_across_events: bool = _switch(True)
    """Write a contact once for all that is due together (O2); False keeps the accepted order to the letter."""
    unchanged_for: float = _number(3600.0, 0)
    """How long what was last written is taken to be still there (O3); 0 always writes."""
    last_seen_resolution: float = _number(300.0, 0)
    """``last_seen_at`` alone is written at most this often (O3)."""
    revive_archived: bool = _switch(True)
    """Bring an archived contact back when a message names it (M1)."""
    missing_contact_wait: float = _number(900.0, 0)
    """How long an event or attach waits for its contact (M2)."""
    create_missing_contacts: bool = _switch(False)
    """Make a bare contact instead of waiting (M2): it could bring a deleted person back."""

    # Answers
    connect_timeout: float = _number(5.0, 0.001)
    """For TCP and TLS."""
    read_timeout: float = _number(30.0, 0.001)
    """Between two reads of an answer."""
    auth_probe: float = _number(60.0, 0.001)
    """Between two probes while credentials are refused (T1)."""
    retry_for: float | None = _number(None, 0)
    """How long a message is retried (T2); None means 24 h with the spool, 15 min in memory."""
    backoff_base: float = _number(0.5, 0)
    """Bound of the first wait, before jitter (T2)."""
    backoff_max: float = _number(60.0, 0)
    """Bound of every wait (T2)."""
    rate_limit_share: float = _number(1.0, 0.01, 1.0)
    """The part of Intercom's rate limit that this client may use (T4)."""

    # Working
    delivery: str = attrs.field(default="background", validator=_one_of("background", "inline", "manual"))
    """Who delivers (W1): worker threads, the call itself, or only ``flush()``."""
    workers: int = _number(4, 1, 64)
    """Threads (W1): Intercom answers in some 0.1 to 0.3 s, and one contact is written by one thread at a time."""
    flush_interval: float = _number(1.0, 0.001)
    """The longest time an accepted message waits for company before it is due (W1)."""
    enabled: bool = _switch(True)
    """False accepts and counts everything and sends nothing (W1)."""
    exit_timeout: float = _number(5.0, 0)
    """For the one flush at interpreter exit (W2)."""

    @property
    def address(self) -> str:
        """The base address of requests, without a slash at the end."""
        return (self.base_url or self.region.base_url).rstrip("/")

    @property
    def messages_kept(self) -> int:
        """``max_buffered`` with its default worked out."""
        if self.max_buffered is not None:
            return self.max_buffered
        return 10_000 if self.spool is None else 1_000_000

    @property
    def dead_letters_kept(self) -> int:
        """``max_dead_letters`` with its default worked out."""
        if self.max_dead_letters is not None:
            return self.max_dead_letters
        return 1_000 if self.spool is None else 100_000

    @property
    def retried_for(self) -> float:
        """``retry_for`` with its default worked out."""
        if self.retry_for is not None:
            return self.retry_for
        return 15 * 60.0 if self.spool is None else 24 * 3600.0

    @property
    def full_answer(self) -> str:
        """``when_full`` with its default worked out."""
        return self.when_full or ("drop_new" if self.spool is None else "raise")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Settings:
        """
        Build settings from the environment; *settings* given here win.

        Args:
            environ: Where to look; None means the process's environment.
            settings: Any other setting by name.

        Raises:
            ConfigurationError: No API key, or a value that is out of bounds.
        """
        environ = os.environ if environ is None else environ
        found = {
            "api_key": environ.get("INTERCOM_API_KEY") or environ.get("INTERCOM_ACCESS_TOKEN"),
            "app_id": environ.get("INTERCOM_APP_ID"),
            "region": environ.get("INTERCOM_REGION"),
            "base_url": environ.get("INTERCOM_BASE_URL"),
        }
        if "api_key" not in settings and not found["api_key"]:
            raise ConfigurationError("INTERCOM_API_KEY: not set; put the workspace's access token there")
        return cls(**{name: value for name, value in found.items() if value} | settings)
