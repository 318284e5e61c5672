"""Assertions over recorded messages and the texts of their failures; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..messages._json_copy import Copier

if TYPE_CHECKING:
    from .._types import JsonObject, JsonValue

# Type of a message -> the field that holds its traits or properties.
_FACTS_FIELDS = {"identify": "traits", "group": "traits", "track": "properties", "page": "properties"}
_TITLE_FIELDS = ("userId", "anonymousId", "groupId", "previousId", "event", "name")
# How many messages a failure lists at most.
_MAX_LISTED = 20


class Assertions:
    """
    Adds assertions to a class that has ``sent``.

    Each assertion looks for messages that match all its arguments. An argument that is missing or None matches anything. Of the traits
    and properties only those that you name are compared; name them in a mapping or as keyword arguments. *times* is the exact number
    of matching messages; without it one is enough.

    An assertion returns the last message that matches (an empty object for ``times=0``), and fails with a list of what was sent.
    """

    @property
    def sent(self) -> list[JsonObject]:
        """The recorded messages."""
        raise NotImplementedError

    def assert_identified(
        self,
        user_id: str | int | None = None,
        traits: Mapping[str, Any] | None = None,
        *,
        anonymous_id: str | int | None = None,
        times: int | None = None,
        **more: Any,
    ) -> JsonObject:
        """Check that a person was identified with these traits."""
        __tracebackhide__ = True
        return self._assert(
            "identify", {**(traits or {}), **more}, times, userId=user_id, anonymousId=anonymous_id
        )

    def assert_tracked(
        self,
        user_id: str | int | None = None,
        event: str | None = None,
        properties: Mapping[str, Any] | None = None,
        *,
        anonymous_id: str | int | None = None,
        times: int | None = None,
        **more: Any,
    ) -> JsonObject:
        """Check that an event was tracked with these properties."""
        __tracebackhide__ = True
        return self._assert(
            "track",
            {**(properties or {}), **more},
            times,
            userId=user_id,
            anonymousId=anonymous_id,
            event=event,
        )

    def assert_grouped(
        self,
        user_id: str | int | None = None,
        group_id: str | int | None = None,
        traits: Mapping[str, Any] | None = None,
        *,
        anonymous_id: str | int | None = None,
        times: int | None = None,
        **more: Any,
    ) -> JsonObject:
        """Check that a person was added to a company with these traits."""
        __tracebackhide__ = True
        return self._assert(
            "group",
            {**(traits or {}), **more},
            times,
            userId=user_id,
            anonymousId=anonymous_id,
            groupId=group_id,
        )

    def assert_paged(
        self,
        user_id: str | int | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        *,
        anonymous_id: str | int | None = None,
        times: int | None = None,
        **more: Any,
    ) -> JsonObject:
        """Check that a page was viewed."""
        __tracebackhide__ = True
        return self._assert(
            "page",
            {**(properties or {}), **more},
            times,
            userId=user_id,
            anonymousId=anonymous_id,
            category=category,
            name=name,
        )

    def assert_aliased(
        self,
        previous_id: str | int | None = None,
        user_id: str | int | None = None,
        *,
        times: int | None = None,
    ) -> JsonObject:
        """Check that a visitor became a user."""
        __tracebackhide__ = True
        return self._assert("alias", {}, times, previousId=previous_id, userId=user_id)

    def assert_nothing_sent(self, user_id: str | int | None = None) -> None:
        """Check that no message was sent, or none of *user_id*."""
        __tracebackhide__ = True
        sent = [one for one in self.sent if user_id is None or one.get("userId") == str(user_id)]
        if sent:
            owner = "" if user_id is None else f" of userId={str(user_id)!r}"
            raise AssertionError(f"{_number(sent)}{owner} sent, none was expected:\n{_listing(sent)}")

    def _assert(self, kind: str, facts: Mapping[str, Any], times: int | None, **ids: object) -> JsonObject:
        __tracebackhide__ = True
        # A message contains ids as text, whatever type they had in the call (rule R2).
        expected = _Expected(
            kind, {name: str(value) for name, value in ids.items() if value is not None}, facts
        )
        compared = [(message, _differences(message, expected)) for message in self.sent]
        matching = [message for message, differences in compared if not differences]
        if (times is None and matching) or (times is not None and len(matching) == times):
            return matching[-1] if matching else {}
        heading = (
            f"no {expected} was sent"
            if times is None
            else f"{len(matching)} instead of {times} times: {expected}"
        )
        raise AssertionError(_failure(heading, kind, compared))


class _Expected(NamedTuple):
    """
    What an assertion looks for.

    Attributes:
        kind: Type of the message.
        ids: Field of the wire form -> its text; ids and names.
        facts: Traits or properties, as the test wrote them.
    """

    kind: str
    ids: Mapping[str, str]
    facts: Mapping[str, Any]

    @property
    def facts_field(self) -> str:
        return _FACTS_FIELDS.get(self.kind, "properties")

    def __str__(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self.ids.items()]
        parts += [f"{self.facts_field}.{name}={value!r}" for name, value in self.facts.items()]
        return f"{self.kind} with {', '.join(parts)}" if parts else self.kind


def _differences(message: JsonObject, expected: _Expected) -> list[str]:
    """Return how *message* differs from *expected*, with the field names of the wire form; empty if it matches."""
    if message["type"] != expected.kind:
        return ["another type"]
    differences = [
        f"{name}: {_value(message, name)} instead of {value!r}"
        for name, value in expected.ids.items()
        if message.get(name) != value
    ]
    facts = message.get(expected.facts_field)
    actual = facts if isinstance(facts, dict) else {}
    return differences + [
        f"{expected.facts_field}.{name}: {_value(actual, name)} instead of {value!r}"
        for name, value in expected.facts.items()
        if name not in actual or not _is_same(actual[name], value)
    ]


def _is_same(actual: JsonValue, expected: object) -> bool:
    """Compare a JSON value with what the test wrote: a datetime, a ``Decimal`` or a tuple equals its JSON form."""
    if isinstance(expected, int | float) and isinstance(actual, bool) is not isinstance(expected, bool):
        return False
    if bool(actual == expected):
        return True
    return Copier().copy_object({"value": expected}, "") == {"value": actual}


def _failure(heading: str, kind: str, compared: list[tuple[JsonObject, list[str]]]) -> str:
    if not compared:
        return f"{heading}; nothing was sent at all"
    # Only messages of the expected type are listed one by one, those with the fewest differences first.
    similar = sorted((one for one in compared if one[0]["type"] == kind), key=lambda one: len(one[1]))
    lines = [
        f"  {_title(message)}: {'; '.join(differences) or 'agrees'}"
        for message, differences in similar[:_MAX_LISTED]
    ]
    others = [message for message, _ in compared if message["type"] != kind]
    if others:
        types = ", ".join(sorted({str(message["type"]) for message in others}))
        lines.append(f"  and {_number(others)} of other types: {types}")
    return "\n".join([f"{heading}; of {_number([message for message, _ in compared])} sent:", *lines])


def _listing(messages: list[JsonObject]) -> str:
    lines = [f"  {_title(message)}" for message in messages[:_MAX_LISTED]]
    if len(messages) > _MAX_LISTED:
        lines.append(f"  and {len(messages) - _MAX_LISTED} more")
    return "\n".join(lines)


def _title(message: JsonObject) -> str:
    """Return type and ids of *message*, the ids as a test would write them."""
    return " ".join(
        [
            str(message["type"]),
            *(repr(message[name]) for name in _TITLE_FIELDS if message.get(name) is not None),
        ]
    )


def _value(values: Mapping[str, JsonValue], name: str) -> str:
    return repr(values[name]) if name in values else "absent"


def _number(messages: list[JsonObject]) -> str:
    return "1 message" if len(messages) == 1 else f"{len(messages)} messages"
