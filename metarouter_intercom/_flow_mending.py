"""Writes that Intercom refuses for one field: make the attribute, or leave the field out, and write the rest (rules M3, A6); pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from ._answers import Outcome, classify, dead, error_of
from ._flow import is_success, object_of, objects_in, text_of
from .plugins import Note, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._flow import Steps, World
    from ._types import JsonObject, JsonValue

Model = Literal["contact", "company"]
_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"")
# Each round makes an attribute or leaves a field out; a workspace has 250 attributes at most (contract, section 6).
_ROUNDS = 300
# Fields without which the write would be about somebody else.
_NEEDED = ("external_id", "role", "company_id", "custom_attributes")
_OWN_WORDS = (("owner", "owner_id"), ("avatar", "avatar"), ("phone", "phone"), ("email", "email"))


class Written(NamedTuple):
    """
    The end of a write.

    Attributes:
        request: As it was sent last.
        response: Its answer.
        body: What was written, if it was.
        outcome: Set when the settings want a refused attribute to be the end (``unknown_attributes="fail"``).
    """

    request: Request
    response: Response
    body: JsonObject
    outcome: Outcome | None = None


def write(
    send: Callable[[JsonObject], Request], body: JsonObject, model: Model, world: World, notes: list[Note]
) -> Steps[Written]:
    """
    Write *body*, and what is left of it when Intercom refuses a field.

    Args:
        send: Body -> request.
        body: Changed in place.
        model: Whose attributes.
        world: The directory learns which attributes there are.
        notes: Told what was left out.
    """
    _leave_out_refused(body, model, world, notes)
    yield from _make_missing(body, model, world, notes)
    request = send(body)
    response = yield request
    for _ in range(_ROUNDS):
        if response.status not in (400, 422):
            break
        refused = _refused_field(response, body)
        if refused is None and _speaks_of_attributes(response):
            refused = yield from _compared(body, model, world)
        if refused is None:
            break
        if _is_unknown_attribute(response, refused):
            if world.settings.unknown_attributes == "fail":
                return Written(request, response, body, dead(response, "unknown_attribute"))
            yield from _make_or_drop(refused[1], body, model, world, notes)
        else:
            _leave_out(refused, body, notes)
        request = send(body)
        response = yield request
    return Written(request, response, body)


def _attributes(body: JsonObject) -> JsonObject:
    value = body.get("custom_attributes")
    return value if isinstance(value, dict) else {}


def _leave_out_refused(body: JsonObject, model: Model, world: World, notes: list[Note]) -> None:
    for name in list(_attributes(body)):
        if world.directory.is_refused(model, name, world.now):
            _drop(name, body, notes)


def _make_missing(body: JsonObject, model: Model, world: World, notes: list[Note]) -> Steps[None]:
    """Make the attributes that the workspace is known to lack, before the write is refused for them."""
    known = world.directory.attributes(model)
    if known is None or world.settings.unknown_attributes != "create":
        return
    for name in [name for name in _attributes(body) if name not in known]:
        yield from _make_or_drop(name, body, model, world, notes)


def _refused_field(response: Response, body: JsonObject) -> tuple[str, str] | None:
    """Return where the refused field stands: ``("custom_attributes", name)`` or ``("", field)``; None when it is not named."""
    text = text_of(response)
    attributes = _attributes(body)
    field = error_of(response)["field"] or ""
    names = [one or other for one, other in _QUOTED.findall(text)]
    names += [field, field.removeprefix("custom_attributes.")]
    for name in names:
        if name in attributes:
            return "custom_attributes", name
    for name in names:
        if name in body and name not in _NEEDED:
            return "", name
    small = text.lower()
    for word, own in _OWN_WORDS:
        if word in small and own in body and own != "email":
            return "", own
    return None


def _speaks_of_attributes(response: Response) -> bool:
    return "attribute" in text_of(response).lower()


def _is_unknown_attribute(response: Response, refused: tuple[str, str]) -> bool:
    text = text_of(response).lower()
    return refused[0] == "custom_attributes" and (
        "does not exist" in text or "unknown" in text or "not found" in text
    )


def _compared(body: JsonObject, model: Model, world: World) -> Steps[tuple[str, str] | None]:
    """Find the refused attribute as the first one that the workspace does not know."""
    known = yield from _look_up_attributes(model, world)
    if known is None:
        return None
    for name in _attributes(body):
        if name not in known:
            return "custom_attributes", name
    return None


def _look_up_attributes(model: Model, world: World) -> Steps[frozenset[str] | None]:
    response = yield Request("GET", f"/data_attributes?model={model}")
    if not is_success(response):
        return None
    names = [
        attribute.get("name")
        for attribute in objects_in(object_of(response).get("data"))
        if attribute.get("custom") is not False and not attribute.get("archived")
    ]
    found = frozenset(name for name in names if isinstance(name, str))
    world.directory.learn_attributes(model, found)
    return found


def _make_or_drop(name: str, body: JsonObject, model: Model, world: World, notes: list[Note]) -> Steps[None]:
    """Make the attribute *name*, or leave it out of *body* with a note (A6)."""
    value = _attributes(body).get(name)
    if world.settings.unknown_attributes == "create" and value is not None:
        if world.directory.attributes(model) is None:
            known = yield from _look_up_attributes(model, world)
            if known is not None and name in known:
                return
        request = Request(
            "POST", "/data_attributes", {"name": name, "model": model, "data_type": _type_of(name, value)}
        )
        response = yield request
        if is_success(response):
            world.directory.learn_attributes(model, [name])
            return
        if classify(request, response).kind == "dead":
            # Somebody else may have made it in the same moment.
            known = yield from _look_up_attributes(model, world)
            if known is not None and name in known:
                return
    if value is not None:
        world.directory.refuse(model, name, world.now)
    _drop(name, body, notes)


def _type_of(name: str, value: JsonValue) -> str:
    """Return the type of a new attribute (A6): numbers are floats, so that 12 today does not refuse 12.5 tomorrow."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and name.endswith(("_at", "At")):
        return "date"
    return "float" if isinstance(value, int | float) else "string"


def _drop(name: str, body: JsonObject, notes: list[Note]) -> None:
    attributes = _attributes(body)
    attributes.pop(name, None)
    if not attributes:
        body.pop("custom_attributes", None)
    notes.append(Note("A6", f"custom_attributes.{name}", "the workspace does not take this attribute"))


def _leave_out(refused: tuple[str, str], body: JsonObject, notes: list[Note]) -> None:
    place, name = refused
    if place:
        attributes = _attributes(body)
        attributes.pop(name)
        if not attributes:
            body.pop("custom_attributes", None)
    else:
        body.pop(name)
    path = f"{place}.{name}" if place else name
    notes.append(Note("M3", path, "Intercom refused this value"))
