"""Turns track, page and screen messages into one event each (rules E1, E9); knows no single property."""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..messages import Page, Track
from ..messages._edges import trimmed
from ..messages._facts import object_at
from ..messages._memo import Memo
from ._fast_values import submit_event
from ._metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._types import JsonValue, Note
    from ..settings import Settings
    from ._flatten import Flattener
    from ._values import SubmitEvent, Who

    Json = Mapping[str, JsonValue]
    EventMessage = Track | Page

_PAGE_FACTS = ("url", "path", "title", "referrer")
_GAPS = re.compile(r"\s+")
_SLOTS = re.compile(r"\{(name|category)\}")

# Name of an event -> the same without what nobody sees at its ends (R10); applications send the same few again and again.
_NAMES: Memo[str, str] = Memo(trimmed, 5_000)


class Events:
    """
    Turns messages about what somebody did into events, always with the same settings.

    Attributes:
        metadata: Reads the properties.
    """

    def __init__(self, settings: Settings, flattener: Flattener) -> None:
        self._allow = settings.events_allow
        self._deny = settings.events_deny
        self._filters = bool(self._allow or self._deny)
        self._templates = {"page": settings.page_events, "screen": settings.screen_events}
        self.metadata = Metadata(settings, flattener)

    def name_of(self, message: EventMessage) -> tuple[str | None, str | None]:
        """Return the event's name, or None and the reason why the message is skipped (E1, E9)."""
        if isinstance(message, Track):
            name = _NAMES[message.event]
        else:
            template = self._templates[message.type]
            if template == "off":
                return None, f"{message.type}_off"
            name = _filled(template, message)
            if not name:
                return None, f"{message.type}_unnamed"
        if self._filters and self._is_filtered(name):
            return None, "event_filtered"
        return name, None

    def translate_event(
        self, message: EventMessage, name: str, *, who: Who, notes: list[Note]
    ) -> SubmitEvent:
        """Return the event of *message* under *name*; *notes* receives a note for each property that is changed or left out."""
        properties = message.properties
        of_page: Json = {} if isinstance(message, Track) else _page_facts(message)
        if of_page:
            properties = {**properties, **of_page}
        metadata = self.metadata.read_fast(properties) if properties else {}
        if metadata is None:
            own_notes: list[Note] = []
            metadata = self.metadata.read_full(properties, name, email=who.email, notes=own_notes)
            notes += [_in_context(note, of_page) for note in own_notes] if of_page else own_notes
        return submit_event(who, name, math.floor(message.timestamp or 0.0), metadata)

    def _is_filtered(self, name: str) -> bool:
        if self._allow and not _is_named(name, self._allow):
            return True
        return bool(self._deny) and _is_named(name, self._deny)


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether *name* equals one of *patterns*, or matches one as a glob (E1)."""
    return name in patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _filled(template: str, message: Page) -> str:
    """Return *template* with the message's name and category in its slots."""

    def value_of(slot: re.Match[str]) -> str:
        value = getattr(message, slot[1]) or message.properties.get(slot[1])
        return trimmed(value) if isinstance(value, str) else ""

    return _GAPS.sub(" ", _SLOTS.sub(value_of, template)).strip()


def _page_facts(message: Page) -> Json:
    """Return the values of ``context.page`` that the properties of *message* do not have (E9)."""
    page = object_at(message.context, "page")
    return {key: page[key] for key in _PAGE_FACTS if key in page and key not in message.properties}


def _in_context(note: Note, of_page: Json) -> Note:
    """Return *note* with the path in the message, if its value came from ``context.page``."""
    for key, value in of_page.items():
        place = f"properties.{key}"
        if note.path == place or (isinstance(value, dict | list) and note.path.startswith(f"{place}.")):
            return note._replace(path=f"context.page{note.path.removeprefix('properties')}")
    return note
