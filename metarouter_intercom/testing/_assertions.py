"""Assertions over recorded messages, and the words of their failures; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..messages._json_copy import Copier

if TYPE_CHECKING:
    from .._types import JsonObject, JsonValue

_BODIES = {"identify": "traits", "group": "traits", "track": "properties", "page": "properties"}
_SHOWN = ("userId", "anonymousId", "groupId", "previousId", "event", "name")
# Messages that a failure lists; more help nobody.
_MOST_SHOWN = 20


class Assertions:
    """
    Adds assertions to something that has ``sent``.

    Each looks for messages that agree with everything that is given; what is not given (or None) may be anything, and of traits and
    properties only the named ones are compared, whether they come as a mapping or by name. *times* asks for exactly so many, else one
    is enough. Each returns the last message that agrees (an empty object for none), for further questions, and fails with what was
    sent instead.
    """

    @property
    def sent(self) -> list[JsonObject]:
        """The messages."""
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
        """Make sure that somebody was identified with these traits."""
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
        """Make sure that an event was tracked with these properties."""
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
        """Make sure that somebody was put into a company with these traits."""
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
        """Make sure that somebody looked at a page."""
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
        """Make sure that a visitor became a user."""
        __tracebackhide__ = True
        return self._assert("alias", {}, times, previousId=previous_id, userId=user_id)

    def assert_nothing_sent(self, user_id: str | int | None = None) -> None:
        """Make sure that no message was sent, or none of *user_id*."""
        __tracebackhide__ = True
        found = [one for one in self.sent if user_id is None or one.get("userId") == str(user_id)]
        if found:
            about = "" if user_id is None else f" of userId={str(user_id)!r}"
            raise AssertionError(f"{_number(found)}{about} sent, none was expected:\n{_listing(found)}")

    def _assert(self, kind: str, body: Mapping[str, Any], times: int | None, **fields: object) -> JsonObject:
        __tracebackhide__ = True
        # Ids are texts in a message, whatever they were in the call (rule R2).
        wanted = {name: str(value) for name, value in fields.items() if value is not None}
        compared = [(message, _differences(message, kind, wanted, body)) for message in self.sent]
        found = [message for message, differences in compared if not differences]
        if (times is None and found) or (times is not None and len(found) == times):
            return found[-1] if found else {}
        raise AssertionError(_failure(kind, wanted, body, times, len(found), compared))


def _differences(
    message: JsonObject, kind: str, wanted: Mapping[str, str], body: Mapping[str, Any]
) -> list[str]:
    """Return what keeps *message* from being the one that is looked for, in the wire's words; nothing when it is the one."""
    if message["type"] != kind:
        return ["another type"]
    told = [
        f"{name}: {_value(message, name)} instead of {value!r}"
        for name, value in wanted.items()
        if message.get(name) != value
    ]
    part = _BODIES.get(kind, "properties")
    facts = message.get(part)
    known = facts if isinstance(facts, dict) else {}
    return told + [
        f"{part}.{name}: {_value(known, name)} instead of {value!r}"
        for name, value in body.items()
        if name not in known or not _is_same(known[name], value)
    ]


def _is_same(actual: JsonValue, wanted: object) -> bool:
    """Compare as the caller means it: also with an instant, a ``Decimal`` or a tuple, which messages hold in JSON's forms."""
    if isinstance(wanted, int | float) and isinstance(actual, bool) is not isinstance(wanted, bool):
        return False
    if bool(actual == wanted):
        return True
    copier = Copier()
    copied = copier.copy_object({"value": wanted}, "")["value"]
    return not copier.problems and actual == copied


def _failure(
    kind: str,
    wanted: Mapping[str, str],
    body: Mapping[str, Any],
    times: int | None,
    number: int,
    compared: list[tuple[JsonObject, list[str]]],
) -> str:
    part = _BODIES.get(kind, "properties")
    facts = [f"{name}={value!r}" for name, value in wanted.items()]
    facts += [f"{part}.{name}={value!r}" for name, value in body.items()]
    what = f"{kind} with {', '.join(facts)}" if facts else kind
    head = f"no {what} was sent" if times is None else f"{number} instead of {times} times: {what}"
    if not compared:
        return f"{head}; nothing was sent at all"
    # Those of the wanted type are what one looks for, the nearest first.
    near = sorted((one for one in compared if one[0]["type"] == kind), key=lambda one: len(one[1]))
    lines = [f"  {_title(message)}: {'; '.join(told) or 'agrees'}" for message, told in near[:_MOST_SHOWN]]
    others = [message for message, _ in compared if message["type"] != kind]
    if others:
        lines.append(
            f"  and {_number(others)} of other types: {', '.join(sorted({str(one['type']) for one in others}))}"
        )
    return "\n".join([f"{head}; of {_number([one for one, _ in compared])} sent:", *lines])


def _listing(messages: list[JsonObject]) -> str:
    lines = [f"  {_title(message)}" for message in messages[:_MOST_SHOWN]]
    if len(messages) > _MOST_SHOWN:
        lines.append(f"  and {len(messages) - _MOST_SHOWN} more")
    return "\n".join(lines)


def _title(message: JsonObject) -> str:
    return " ".join(
        [str(message["type"]), *(repr(message[name]) for name in _SHOWN if message.get(name) is not None)]
    )


def _value(facts: Mapping[str, JsonValue], name: str) -> str:
    return repr(facts[name]) if name in facts else "absent"


def _number(messages: list[JsonObject]) -> str:
    return "1 message" if len(messages) == 1 else f"{len(messages)} messages"
