"""Defines Segment's six calls as frozen values; knows neither the wire form nor Intercom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import attrs

from .._types import Note
from ._edges import is_blank

if TYPE_CHECKING:
    from .._types import JsonValue

    Json = Mapping[str, JsonValue]
else:
    # Readers of the wire form resolve these annotations at run time, where a recursive alias has no end.
    Json = Mapping[str, Any]

__all__ = ["Alias", "Group", "Identify", "Message", "Page", "Screen", "Track"]

_EMPTY: Json = {}


def _text_or_none(_instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is None or (isinstance(value, str) and not is_blank(value)):
        return
    raise ValueError(f"{attribute.name}: blank, or not a text; leave it out or send the id as text")


def _text(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or is_blank(value):
        raise ValueError(f"{attribute.name}: missing or blank; send a text that is not blank")


@attrs.frozen(kw_only=True, slots=False)
class _Common:
    """
    The fields of every message.

    Attributes:
        user_id: The caller's id of the person; None when it is not known.
        anonymous_id: The id of a visitor who has not signed in.
        message_id: The id of this message, the same however often it is sent; None until it is accepted.
        timestamp: When it happened, in Unix seconds; None until it is accepted.
        context: What surrounds the call: ``traits``, ``page``, ``device``, ``groupId`` and others.
        integrations: Which destinations the message is for, and options for them.
        notes: What was changed when the message was accepted, and why.
        is_untrusted: The message was accepted from a sender whom the settings did not trust, so that it stays untrusted wherever it is
            delivered, also by a client with other settings (V4).
        proven_email: An e-mail address that the sender proved to be the person's own (V4); None as long as no check has found one.
    """

    type: ClassVar[str]

    user_id: str | None = attrs.field(default=None, validator=_text_or_none)
    anonymous_id: str | None = attrs.field(default=None, validator=_text_or_none)
    message_id: str | None = None
    timestamp: float | None = None
    context: Json = _EMPTY
    integrations: Json = _EMPTY
    notes: tuple[Note, ...] = ()
    is_untrusted: bool = False
    proven_email: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Identify(_Common):
    """Says who somebody is: *traits* describe the person, and *group_id* names a company without changing it."""

    type: ClassVar[str] = "identify"

    traits: Json = _EMPTY
    group_id: str | None = attrs.field(default=None, validator=_text_or_none)


@attrs.frozen(kw_only=True, slots=False)
class Track(_Common):
    """Says what somebody did: the name of an *event*, with its *properties*. Some producers add *traits* of the person."""

    type: ClassVar[str] = "track"

    event: str = attrs.field(validator=_text)
    properties: Json = _EMPTY
    traits: Json = _EMPTY


@attrs.frozen(kw_only=True, slots=False)
class Group(_Common):
    """Says which company somebody belongs to: *traits* describe the company, which needs a name among them if *group_id* is None."""

    type: ClassVar[str] = "group"

    group_id: str | None = attrs.field(default=None, validator=_text_or_none)
    traits: Json = _EMPTY


@attrs.frozen(kw_only=True, slots=False)
class Page(_Common):
    """Says which web page somebody looked at."""

    type: ClassVar[str] = "page"

    name: str | None = None
    category: str | None = None
    properties: Json = _EMPTY
    traits: Json = _EMPTY


@attrs.frozen(kw_only=True, slots=False)
class Screen(Page):
    """Says which screen of an app somebody looked at."""

    type: ClassVar[str] = "screen"


@attrs.frozen(kw_only=True, slots=False)
class Alias(_Common):
    """Says that *previous_id* and *user_id* are the same person."""

    type: ClassVar[str] = "alias"

    previous_id: str | None = attrs.field(default=None, validator=_text_or_none)


Message: TypeAlias = Identify | Track | Group | Page | Screen | Alias
