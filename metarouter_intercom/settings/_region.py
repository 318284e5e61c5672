"""The regions of Intercom's workspaces, and their addresses."""

from __future__ import annotations

from enum import Enum

from ..errors import ConfigurationError


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
