"""Segment's six calls as frozen values; knows neither the wire form nor Intercom."""

from __future__ import annotations

from ._values import Alias, Group, Identify, Message, Page, Screen, Track

__all__ = ["Alias", "Group", "Identify", "Message", "Page", "Screen", "Track"]
