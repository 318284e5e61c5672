"""Every setting with its default and the reason for it, and the regions of Intercom's workspaces."""

from __future__ import annotations

from ._region import Region
from ._settings import Nesting, Settings

__all__ = ["Nesting", "Region", "Settings"]
