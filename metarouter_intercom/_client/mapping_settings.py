"""The settings that decide what a message becomes in Intercom, as text that a spool keeps (rule X1); no secret is among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError
from ..settings import Settings

# How a message is translated, and what is written with which consequences: in the order of ``Settings``.
NAMES = (
    "api_version",
    "integration_names",
    "ignore_emails",
    "ignore_user_ids",
    "anonymous",
    "update_last_seen",
    "collect_context",
    "company_id_from_name",
    "events_allow",
    "events_deny",
    "tags_trait",
    "default_currency",
    "rich_link_properties",
    "nested",
    "nested_overrides",
    "metadata_first",
    "metadata_limit",
    "page_events",
    "screen_events",
    "events_update_last_seen",
    "dates",
    "unknown_attributes",
    "max_created_attributes",
    "attribute_budget",
    "untrusted_companies",
    "merge_across_events",
    "spread_events",
    "unchanged_for",
    "last_seen_resolution",
    "revive_archived",
    "missing_contact_wait",
    "create_missing_contacts",
)
# What may be set besides for one run of a command; none of them is kept.
_OF_A_RUN = ("adopt_spool",)
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def mapping_of(settings: Settings) -> dict[str, str]:
    """Return name -> value, as JSON text, of the settings that travel with a spool."""
    return {name: json.dumps(_plain(getattr(settings, name))) for name in NAMES}


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def read_mapping(stored: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a spool keeps, without names that only another version knows."""
    return {name: json.loads(stored[name]) for name in NAMES if name in stored}


def parse_setting(text: str) -> tuple[str, Any]:
    """
    Read ``NAME=VALUE``, and check the value as ``Settings`` does.

    A list is JSON, or names with commas between them; a mapping is JSON.

    Raises:
        ConfigurationError: The name is unknown, there is no value, or it is wrong; the text lists the names.
    """
    name, equals, value = text.partition("=")
    name = name.strip().lower().replace("-", "_")
    known = (*NAMES, *_OF_A_RUN)
    if not equals or name not in known:
        fault = "unknown setting" if equals else "not of the form NAME=VALUE"
        raise ConfigurationError(f"--setting {text}: {fault}; the names are {', '.join(sorted(known))}")
    parsed = _value_of(value.strip(), getattr(Settings(api_key="x"), name))
    try:
        Settings(api_key="x", **{name: parsed})
    except ConfigurationError as error:
        raise ConfigurationError(f"--setting {text}: {error}") from error
    return name, parsed


def _value_of(text: str, default: object) -> Any:
    """Return *text* as a value of the kind that *default* is."""
    if isinstance(default, str) or default is None:
        return None if default is None and text.lower() in ("", "none", "null") else text
    if isinstance(default, bool):
        return _FLAGS.get(text.lower(), text)
    try:
        value = json.loads(text)
    except ValueError:
        if not isinstance(default, tuple):
            return text
        return tuple(part.strip() for part in text.split(",") if part.strip())
    # A name such as 2024 is a text, although JSON reads a number.
    return (text,) if isinstance(default, tuple) and not isinstance(value, list) else value
