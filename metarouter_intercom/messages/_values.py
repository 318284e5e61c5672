"""Segment's six calls as frozen values; knows neither the wire form nor Intercom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import attrs

from .._types import Note

if TYPE_CHECKING:
    from .._types import JsonValue

    Json = Mapping[str, JsonValue]
else:
    # Readers of the wire form resolve these annotations at run time, where a recursive alias has no end.
    Json = Mapping[str, Any]

__all__ = ["Alias", "Group", "Identify", "Message", "Page", "Screen", "Track"]

_NOTHING: Json = {}


def _text_or_none(_instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is None or (isinstance(value, str) and value.strip()):
        return
    raise ValueError(
        f"{attribute.name}: not a text with something in it; leave it out or send the id as text"
    )


def _text(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{attribute.name}: missing or blank; send a text with something in it")


@attrs.frozen(kw_only=True, slots=False)
class _Common:
    """
    What every message has.

    Attributes:
        user_id: The caller's id of the person; None when it is not known.
        anonymous_id: The id of a visitor who has not signed in.
        message_id: One message, however often it is sent; None until it is accepted.
        timestamp: When it happened, Unix seconds; None until it is accepted.
        context: Facts around the message: ``traits``, ``page``, ``device``, ``groupId``...
        integrations: Which destinations it is for, and options for them.
        notes: What was changed at acceptance, and why.
    """

    type: ClassVar[str]

    user_id: str | None = attrs.field(default=None, validator=_text_or_none)
    anonymous_id: str | None = attrs.field(default=None, validator=_text_or_none)
    message_id: str | None = None
    timestamp: float | None = None
    context: Json = _NOTHING
    integrations: Json = _NOTHING
    notes: tuple[Note, ...] = ()


@attrs.frozen(kw_only=True, slots=False)
class Identify(_Common):
    """Who somebody is: *traits* of the person; *group_id* names a company without changing it."""

    type: ClassVar[str] = "identify"

    traits: Json = _NOTHING
    group_id: str | None = attrs.field(default=None, validator=_text_or_none)


@attrs.frozen(kw_only=True, slots=False)
class Track(_Common):
    """What somebody did: an *event* by name, with *properties*; *traits* as some producers add them."""

    type: ClassVar[str] = "track"

    event: str = attrs.field(validator=_text)
    properties: Json = _NOTHING
    traits: Json = _NOTHING


@attrs.frozen(kw_only=True, slots=False)
class Group(_Common):
    """The company somebody belongs to: *traits* are the company's; without *group_id* it needs a name."""

    type: ClassVar[str] = "group"

    group_id: str | None = attrs.field(default=None, validator=_text_or_none)
    traits: Json = _NOTHING


@attrs.frozen(kw_only=True, slots=False)
class Page(_Common):
    """A web page somebody looked at."""

    type: ClassVar[str] = "page"

    name: str | None = None
    category: str | None = None
    properties: Json = _NOTHING
    traits: Json = _NOTHING


@attrs.frozen(kw_only=True, slots=False)
class Screen(Page):
    """A screen of an app somebody looked at."""

    type: ClassVar[str] = "screen"


@attrs.frozen(kw_only=True, slots=False)
class Alias(_Common):
    """*previous_id* and *user_id* are the same person."""

    type: ClassVar[str] = "alias"

    previous_id: str | None = attrs.field(default=None, validator=_text_or_none)


Message: TypeAlias = Identify | Track | Group | Page | Screen | Alias
