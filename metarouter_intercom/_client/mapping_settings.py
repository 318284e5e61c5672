"""The settings that decide what a message becomes in Intercom, as text that a spool keeps (rule X1); no secret is among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError

if TYPE_CHECKING:
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
    Read ``NAME=VALUE``; the value is JSON, or a text as it is.

    Raises:
        ConfigurationError: The name is unknown, or there is no value; the text lists the names.
    """
    name, equals, value = text.partition("=")
    name = name.strip().lower()
    known = (*NAMES, *_OF_A_RUN)
    if not equals or name not in known:
        fault = "unknown" if equals else "not of the form NAME=VALUE"
        raise ConfigurationError(f"--setting {text}: {fault}; the names are {', '.join(sorted(known))}")
    return name, _value_of(value)


def _value_of(text: str) -> Any:
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    try:
        return json.loads(text)
    except ValueError:
        return text
