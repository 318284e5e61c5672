"""Every setting with its default and the reason for it; reads the environment only in ``Settings.from_env``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar

import attrs

from ._spool_path import spool_path_fault
from ._types import Secret
from .errors import ConfigurationError

__all__ = ["Region", "Settings"]

_T = TypeVar("_T")
Nesting = Literal["flatten", "stringify", "drop"]


class Region(str, Enum):
    """Where Intercom keeps the workspace. Each region has a host of its own."""

    US = "us"
    EU = "eu"
    AU = "au"

    @property
    def base_url(self) -> str:
        """The address of the region's REST API."""
        return _HOSTS[self]


# Source: Intercom's OpenAPI description 2.16, `servers`.
_HOSTS = {
    Region.US: "https://api.intercom.io",
    Region.EU: "https://api.eu.intercom.io",
    Region.AU: "https://api.au.intercom.io",
}


_NO_KEY = Secret("not-needed")


def _to_secret(value: object) -> Secret:
    if value is None or (isinstance(value, str) and not value.strip()):
        return _NO_KEY  # ``Settings`` refuses it, unless the client sends nothing
    if isinstance(value, str):
        value = Secret(value.strip())
    if not isinstance(value, Secret):
        raise ConfigurationError("api_key: not a text; pass the workspace's access token")
    if not _fits_header(value.reveal_bytes()):
        raise ConfigurationError(
            "api_key: has blanks, line breaks or other characters that no token has; copy the token again, and nothing else"
        )
    return value


def _fits_header(value: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in value)


# A version that is newer than this library is accepted: if Intercom does not know it, messages are held and nothing is lost.
_VERSION = re.compile(r"([1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
_NAMED_VERSIONS = {"preview": "Preview", "unstable": "Unstable"}
# The first version with contacts (Intercom's changelog of 2.0); before it there were only users and leads.
_FIRST_MAJOR_VERSION = 2


def _to_version(value: object) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f'api_version: {value!r} is not a text; use a text such as "2.16"')
    text = value.strip()
    version = _NAMED_VERSIONS.get(text.lower(), text)
    number = _VERSION.fullmatch(version)
    if number is None and version not in _NAMED_VERSIONS.values():
        raise ConfigurationError(
            f"api_version: {value!r} is not a version of Intercom's API; use a number such as 2.16, or Preview"
        )
    if number is not None and int(number[1]) < _FIRST_MAJOR_VERSION:
        raise ConfigurationError(f"api_version: {value!r} has no contacts; use 2.0 or later, such as 2.16")
    return version


def _check_base_url(_settings: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    """Refuse an address that would put a login into logs, or that cannot be a base; the transport checks the rest."""
    if value is None:
        return
    host = value.partition("://")[2].partition("/")[0] if isinstance(value, str) else "@"
    if "@" in host or set("?# ") & set(value) or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{attribute.name}: has a login, a query or characters that no address has; use scheme, host, port and path only"
        )


def _to_secrets(value: object) -> tuple[Secret, ...]:
    if value is None:
        return ()
    if isinstance(value, str | bytes | Secret):
        value = (value,)
    if not isinstance(value, Sequence):
        raise ConfigurationError(
            "identity_secret: not a text or a list of texts; pass one secret, or several with the newest first"
        )
    return tuple(item if isinstance(item, Secret) else Secret(item) for item in value)


def to_region(value: object) -> Region:
    """
    Return the region that a text such as ``eu`` names, in any letter case.

    Raises:
        ConfigurationError: There is no such region.
    """
    try:
        return Region(str(getattr(value, "value", value)).lower())
    except ValueError:
        raise ConfigurationError(f"region: {value!r} is unknown; use one of us, eu, au") from None


def _to_names(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Sequence | set | frozenset) else value


def _check_names(_settings: object, attribute: attrs.Attribute[tuple[str, ...]], value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{attribute.name}: not a name or a list of names; pass texts")


def _check_optional_name(_settings: object, attribute: attrs.Attribute[str | None], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ConfigurationError(f"{attribute.name}: {value!r} is not a name; pass a text, or None")


def _one_of(*choices: str) -> Any:
    def check(_settings: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in choices:
            raise ConfigurationError(
                f"{attribute.name}: {value!r} is unknown; use one of {', '.join(choices)}"
            )

    return check


def _between(low: float, high: float = float("inf")) -> Any:
    def check(_settings: object, attribute: attrs.Attribute[float | None], value: float | None) -> None:
        if value is None and attribute.default is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
            raise ConfigurationError(f"{attribute.name}: {value!r} is out of bounds; use a number, {bounds}")

    return check


def _number_or_auto(low: int, high: int) -> Any:
    """Return a check for a number of these bounds, or ``auto``; the names ``low`` and ``high`` are read by the documentation."""

    def check(
        _settings: object, attribute: attrs.Attribute[int | Literal["auto"]], value: int | Literal["auto"]
    ) -> None:
        if value == "auto":
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigurationError(
                f'{attribute.name}: {value!r} is out of bounds; use "auto" or a whole number, {low} to {high}'
            )

    return check


def _check_flag(_settings: object, attribute: attrs.Attribute[bool], value: bool) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name}: {value!r} is not a boolean; use True or False")


def _check_overrides(
    _settings: object, attribute: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]
) -> None:
    known = ("flatten", "stringify", "drop")
    if not isinstance(value, Mapping) or any(choice not in known for choice in value.values()):
        raise ConfigurationError(f"{attribute.name}: map a trait's name to one of {', '.join(known)}")


def _check_spool(_settings: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (fault := spool_path_fault(value)):
        raise ConfigurationError(fault)


_SWITCHES = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


def _to_switch(text: str) -> bool:
    if (switch := _SWITCHES.get(text.strip().lower())) is None:
        raise ConfigurationError(f"INTERCOM_ENABLED: {text!r} is unknown; use one of {', '.join(_SWITCHES)}")
    return switch


def _switch(default: bool) -> bool:
    return attrs.field(default=default, validator=_check_flag)


def _number(default: _T, low: float, high: float = float("inf")) -> _T:
    return attrs.field(default=default, validator=_between(low, high))


def _name_list(*default: str) -> tuple[str, ...]:
    return attrs.field(default=default, converter=_to_names, validator=_check_names)


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """
    All settings of a client, checked when they are built. Durations are in seconds, sizes in bytes.

    Raises:
        ConfigurationError: A value is missing or out of bounds. The text names the setting and the remedy.
    """

    # The connection
    api_key: Secret = attrs.field(default=None, converter=_to_secret)
    """Intercom's access token. It is never shown, logged or put into an error. Only ``enabled=False`` needs none."""
    app_id: str | None = None
    """The workspace's App ID or Source ID. When it is set, ``check()`` compares it with the token's workspace."""
    name: str = "default"
    """The name of the connection in thread names, logs and stats."""
    region: Region = attrs.field(default=Region.US, converter=to_region)
    """Where the workspace is: ``us``, ``eu`` or ``au``. Intercom's own default is the US host."""
    base_url: str | None = attrs.field(default=None, validator=_check_base_url)
    """An address to use instead of the region's host: the sandbox, a test server or a proxy."""
    api_version: str = attrs.field(default="2.16", converter=_to_version)
    """Sent with each request as ``Intercom-Version``: ``2.0`` to ``2.17``, a later number, or ``Preview``. Without it, a setting in
    Intercom's Developer Hub would change the responses."""

    # From a message to operations
    integration_names: tuple[str, ...] = _name_list("Intercom")
    """The names that mean this destination in a message's ``integrations``, in any letter case (R6)."""
    ignore_emails: tuple[str, ...] = _name_list()
    """E-mail addresses, or globs such as ``*@acme.example``, of people to leave out, in any letter case (R11): staff, test accounts."""
    ignore_user_ids: tuple[str, ...] = _name_list()
    """User ids, or globs, of people to leave out, in any letter case (R11)."""
    anonymous: str = attrs.field(default="skip", validator=_one_of("skip", "lead"))
    """What becomes of a message with nothing but an anonymous id (R8). The default skips it, because leads fill a workspace quickly."""
    update_last_seen: bool = _switch(True)
    """Write ``last_seen_at`` (I6)."""
    collect_context: bool = _switch(False)
    """Write the device, system and app of the context as attributes (I11). Each one uses up one of the workspace's 250 attributes."""
    company_id_from_name: str = attrs.field(default="hash", validator=_one_of("hash", "name", "reject"))
    """How a company with a name alone gets its id (C1). ``hash`` finds the companies that Segment and MetaRouter created."""
    events_allow: tuple[str, ...] = _name_list()
    """Names or globs of the events to send; all other events are skipped. Empty sends every event (E1)."""
    events_deny: tuple[str, ...] = _name_list()
    """Names or globs of the events to skip (E1)."""
    tags_trait: str | None = attrs.field(default=None, validator=_check_optional_name)
    """A trait whose list tags the person (I13). Without it, a list of texts is a custom attribute as any other."""
    default_currency: str = "USD"
    """The currency of a revenue that names none (E4). Segment's specification has the same default."""
    rich_link_properties: tuple[str, ...] = _name_list()
    """Properties whose objects stay objects, as Intercom's rich links need them (E5)."""
    nested: Nesting = attrs.field(default="flatten", validator=_one_of("flatten", "stringify", "drop"))
    """What becomes of nested values (A5). Flat attributes can be used in Intercom's filters."""
    nested_overrides: Mapping[str, Nesting] = attrs.field(factory=dict, validator=_check_overrides)
    """The same for single traits or properties, by name (A5)."""
    metadata_first: tuple[str, ...] = _name_list()
    """Properties to put before the others in an event's metadata, so that Intercom keeps them (E8)."""
    metadata_limit: int = _number(10, 1, 20)
    """How many keys an event's metadata may have (E8). Intercom keeps 10 and leaves out the rest without an error (OpenAPI 2.16)."""
    page_events: str = "off"
    """``off``, or a template for the event's name such as ``Viewed {name} Page`` (E9). Page views alone would use up 120 event names."""
    screen_events: str = "off"
    """The same for screens (E9)."""
    events_update_last_seen: bool = _switch(False)
    """Refresh ``last_seen_at`` of an event's contact with the event's time (E11). False, because it can cost a second request."""
    dates: str = attrs.field(default="seconds", validator=_one_of("seconds", "keep"))
    """What becomes of dates (A4): Unix seconds under a name that ends in ``_at``, or ISO text."""
    unknown_attributes: str = attrs.field(default="create", validator=_one_of("create", "drop", "fail"))
    """What to do about a custom attribute that the workspace does not have (A6): create it, leave it out, or give up the message."""
    max_created_attributes: int = _number(20, 0, 250)
    """How many attributes one message may create (A7). A person has a few dozen traits; more are nested data that nobody filters by."""
    attribute_budget: int = _number(200, 0, 250)
    """None is created once the workspace has so many (A7): Intercom allows 250 for ever. Nested values may use up half of this."""
    identity_secret: tuple[Secret, ...] = attrs.field(default=(), converter=_to_secrets)
    """One or more keys that prove identities, newest first (V1)."""
    require_identity: bool = _switch(False)
    """Trust no sender: a message without a valid proof of its person writes nothing (V2 to V4)."""
    untrusted_companies: str = attrs.field(default="attach", validator=_one_of("off", "attach", "write"))
    """What a proven person may do to companies while ``require_identity`` is on (V4): nothing, be attached to an existing one, or write it. The default lets nobody rewrite a company."""

    # Accepting
    on_invalid: str = attrs.field(default="raise", validator=_one_of("raise", "log"))
    """``log`` counts and logs an error that ``raise`` raises (Q2). It is for hosts that must never see an error from analytics."""
    max_message_bytes: int = _number(32 * 1024, 256)
    """The longest message, as JSON (Q2). Segment has the same limit."""
    spool: str | os.PathLike[str] | None = attrs.field(default=None, validator=_check_spool)
    """A SQLite file that keeps accepted messages (Q3). None keeps them in memory. ``~`` is the home folder (Q8)."""
    adopt_spool: bool = _switch(False)
    """Send what waits in the spool for another workspace to this one (Q7). False holds it, so that nothing meant for a test reaches customers."""
    spool_sync: str = attrs.field(default="normal", validator=_one_of("normal", "full"))
    """``normal`` survives a crash of the process. ``full`` also survives a crash of the machine, and costs one disk flush for each call."""
    max_buffered: int | None = _number(None, 1)
    """How many messages the buffer holds. None means 10,000 in memory (about 10 MB) and 1,000,000 in the spool."""
    when_full: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_one_of("raise", "block", "drop_new"))
    )
    """What a full buffer does to a call (Q4). None means ``drop_new`` in memory, and ``raise`` in the spool, whose users want no silent loss."""
    block_timeout: float = _number(5.0, 0)
    """How long a call waits for room with ``when_full="block"``."""
    max_dead_letters: int | None = _number(None, 1)
    """How many dead letters are kept (X1). None means 1,000 in memory and 100,000 in the spool."""

    history: int | None = attrs.field(default=None, validator=_between(0, 100_000))
    """How many ended messages ``client.history`` keeps (X2). None means 100 in memory and 1,000 in the spool; 0 keeps none."""

    # What is written, and in which order
    merge_across_events: bool = _switch(True)
    """Write a contact once for everything that is due at the same time (O2). False keeps the accepted order exactly."""
    spread_events: bool = _switch(True)
    """Move an event to a free second if another event of its contact and name has its second (E10). Intercom would keep only one."""
    unchanged_for: float = _number(3600.0, 0)
    """How long a value that was written is expected to be there, so that it is not written again (O3). 0 always writes."""
    last_seen_resolution: float = _number(300.0, 0)
    """Write ``last_seen_at`` at most this often when nothing else changes (O3)."""
    revive_archived: bool = _switch(True)
    """Unarchive an archived contact when a message names it (M1)."""
    missing_contact_wait: float = _number(900.0, 0)
    """How long an event or an attach waits for a contact that does not exist (M2)."""
    create_missing_contacts: bool = _switch(False)
    """Create a contact with nothing but its id instead of waiting (M2). This can bring back a person who was deleted."""

    # Requests and responses
    connect_timeout: float = _number(5.0, 0.001)
    """How long a connection may take, TCP and TLS."""
    read_timeout: float = _number(30.0, 0.001)
    """How long the next bytes of a response may take."""
    auth_probe: float = _number(60.0, 0.001)
    """How often to try again while Intercom refuses the credentials (T1)."""
    retry_for: float | None = _number(None, 0)
    """How long a message is retried (T2). None means 24 h with the spool and 15 min in memory."""
    backoff_base: float = _number(0.5, 0)
    """The longest wait before the first retry (T2). The wait itself is random."""
    backoff_max: float = _number(60.0, 0)
    """The longest wait before any retry (T2)."""
    rate_limit_share: float = _number(1.0, 0.01, 1.0)
    """The part of Intercom's rate limit that this client may use (T4)."""

    # Delivering
    delivery: str = attrs.field(default="background", validator=_one_of("background", "inline", "manual"))
    """Who delivers (W1): worker threads, the call itself, or only ``flush()``."""
    workers: int | Literal["auto"] = attrs.field(default="auto", validator=_number_or_auto(1, 64))
    """How many threads deliver (W1). ``auto`` starts one, and more while messages wait and Intercom's rate limit has room. A number
    is a fixed number of threads."""
    max_workers: int = _number(64, 1, 64)
    """The most threads that ``workers="auto"`` starts (W1). Intercom responds in about 0.1 to 0.3 s, so it takes about 45 threads to
    use its usual rate limit. Threads that have nothing to do end after 10 seconds."""
    flush_interval: float = _number(1.0, 0.001)
    """How long to collect messages before sending (W1)."""
    enabled: bool = _switch(True)
    """False accepts and counts every message and sends none (W1). It needs no ``api_key``, and opens no spool."""
    exit_timeout: float = _number(5.0, 0)
    """How long ``close()`` without a timeout, ``with Client()`` and the interpreter's exit may flush (W2). ``math.inf``: no limit."""

    def __attrs_post_init__(self) -> None:
        if self.enabled and self.api_key is _NO_KEY:
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
            chosen["enabled"] = _to_switch(enabled)
        chosen |= settings
        if "api_key" not in chosen and chosen.get("enabled", True) is not False:
            raise ConfigurationError("INTERCOM_API_KEY: not set; put the workspace's access token there")
        return cls(**chosen)
