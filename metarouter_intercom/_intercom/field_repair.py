"""Writes that Intercom refuses for one field: make the attribute, or leave the field out, and write the rest (rules M3, A6); pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._types import Note
from ..plugins import Request, Response
from .responses import FlowResult, classify, dead, errors_of, is_success, object_of, objects_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._types import JsonObject, JsonValue
    from .context import Steps, World

Model = Literal["contact", "company"]
REFUSED_VALUE = "Intercom refused this value"
"""The reason of a note for a field that was left out of a write."""
# Fields without which the write would be about somebody else.
_NEEDED = ("external_id", "role", "company_id", "custom_attributes")
_OWN_WORDS = (("owner", "owner_id"), ("avatar", "avatar"), ("phone", "phone"))

_MARKS = "'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb"
# Overlapping, for an apostrophe before the name looks like the begin of a quotation.
_QUOTED = re.compile(f"(?=[{_MARKS}]([^{_MARKS}]+)[{_MARKS}])")
_AFTER_ATTRIBUTE = re.compile(r"attributes?:? +(.+?) +(?:does|do|is|was|must|has|can|could)\b")
_UNKNOWN = re.compile(r"exist|unknown|not found|no such|not defined|undefined|unrecogni[sz]ed")
_BAD_VALUE = re.compile(r"of type|must be|option|expected|too long|longer than")


class Written(NamedTuple):
    """
    The end of a write that Intercom answered.

    Attributes:
        request: As it was sent last.
        response: Its answer.
        body: What was written, if it was.
    """

    request: Request
    response: Response
    body: JsonObject


class _Refused(NamedTuple):
    """A field that Intercom refuses: *is_unknown* is None where its answer does not say whether there is such an attribute."""

    name: str
    is_attribute: bool
    is_unknown: bool | None


def write(
    send: Callable[[JsonObject], Request], body: JsonObject, model: Model, world: World, notes: list[Note]
) -> Steps[Written | FlowResult]:
    """
    Write *body*, and what is left of it when Intercom refuses a field.

    Args:
        send: Body -> request.
        body: Changed in place.
        model: Whose attributes.
        world: The directory learns which attributes there are.
        notes: Told what was left out.

    Returns:
        An outcome where the write ended before its own answer: an attribute could not be made for now, or
        ``unknown_attributes="fail"`` met one.
    """
    return (yield from _Mending(body, model, world, notes).write(send))


class _Mending:
    """One write, and what was done for it."""

    def __init__(self, body: JsonObject, model: Model, world: World, notes: list[Note]) -> None:
        self._body = body
        self._model = model
        self._world = world
        self._cache = world.cache
        self._policy = world.settings.unknown_attributes
        self._notes = notes
        # An e-mail address says who it is where no other id does.
        self._needed = _NEEDED if "external_id" in body else (*_NEEDED, "email")
        self._made: set[str] = set()

    def write(self, send: Callable[[JsonObject], Request]) -> Steps[Written | FlowResult]:
        for name in list(self._attributes()):
            if self._cache.is_refused(self._model, name, self._world.now):
                self._drop(name)
        # Each round leaves a field out or makes attributes, and what was made and is refused again is left out: so it ends.
        while True:
            trouble = yield from self._make_missing()
            if trouble is not None:
                return trouble
            request = send(self._copy())
            response = yield request
            end = Written(request, response, self._body)
            if response.status not in (400, 422):
                return end
            refused: _Refused | FlowResult | None = self._find(response)
            if refused is None:
                refused = yield from self._compare()
            if refused is None:
                return end
            if isinstance(refused, FlowResult):
                return refused
            trouble = yield from self._mend(refused, response)
            if trouble is not None:
                return trouble

    def _copy(self) -> JsonObject:
        """Return the body as it is now: whoever keeps a request must not see it change."""
        attributes = self._attributes()
        return {**self._body, "custom_attributes": dict(attributes)} if attributes else dict(self._body)

    def _attributes(self) -> JsonObject:
        value = self._body.get("custom_attributes")
        return value if isinstance(value, dict) else {}

    # --- which field it is --------------------------------------------------------------------------------

    def _find(self, response: Response) -> _Refused | None:
        """Return the field that the answer names; None when it names none of the body's."""
        for error in errors_of(response):
            text = (error["message"] or "").lower()
            names = list(_names_in(error["message"] or "", error["field"] or ""))
            for name in names:
                if name in self._attributes():
                    return _Refused(name, True, _is_unknown(error["code"], text))
            for name in names:
                if name in self._body and name not in self._needed:
                    return _Refused(name, False, False)
            for word, own in _OWN_WORDS:
                if word in text and own in self._body:
                    return _Refused(own, False, False)
        return None

    def _compare(self) -> Steps[_Refused | FlowResult | None]:
        """Find the refused attribute as the first one that the workspace does not have."""
        if not self._attributes():
            return None
        known = yield from self._look_up()
        if known is None or isinstance(known, FlowResult):
            return known
        return next((_Refused(name, True, True) for name in self._attributes() if name not in known), None)

    def _look_up(self) -> Steps[frozenset[str] | FlowResult | None]:
        """Return the workspace's attributes, None when it does not tell them, or an outcome when that failed for now."""
        request = Request("GET", f"/data_attributes?model={self._model}")
        response = yield request
        if not is_success(response):
            outcome = classify(request, response)
            return None if outcome.kind == "dead" else outcome
        names = [
            attribute.get("name")
            for attribute in objects_in(object_of(response).get("data"))
            if attribute.get("custom") is not False and not attribute.get("archived")
        ]
        found = frozenset(name for name in names if isinstance(name, str))
        self._cache.learn_attributes(self._model, found)
        return found

    # --- what is done about it ----------------------------------------------------------------------------

    def _mend(self, refused: _Refused, response: Response) -> Steps[FlowResult | None]:
        """Make the refused attribute or leave the field out; an outcome ends the write."""
        is_unknown = refused.is_unknown
        if is_unknown is None:
            known: frozenset[str] | FlowResult | None = self._cache.attributes(self._model)
            if known is None:
                known = yield from self._look_up()
            if isinstance(known, FlowResult):
                return known
            is_unknown = known is not None and refused.name not in known
        if not is_unknown or refused.name in self._made:
            self._leave_out(refused)
            return None
        if self._policy == "fail":
            return dead(response, "unknown_attribute")
        return (yield from self._make_or_drop(refused.name))

    def _make_missing(self) -> Steps[FlowResult | None]:
        """Make the attributes that the workspace is known to lack, before the write is refused for them."""
        known = self._cache.attributes(self._model)
        if known is None or self._policy != "create":
            return None
        for name in [name for name in self._attributes() if name not in known]:
            trouble = yield from self._make_or_drop(name)
            if trouble is not None:
                return trouble
        return None

    def _make_or_drop(self, name: str) -> Steps[FlowResult | None]:
        """Make the attribute *name*, or leave it out with a note (A6); an outcome when that failed for now."""
        value = self._attributes()[name]
        if self._policy == "create" and value is None:
            # What is to be cleared is clear; the next write shall know that beforehand.
            known = None if self._cache.attributes(self._model) is not None else (yield from self._look_up())
            if isinstance(known, FlowResult):
                return known
        elif self._policy == "create":
            made = yield from self._make(name, value)
            if isinstance(made, FlowResult):
                return made
            if made:
                self._made.add(name)
                return None
        if value is not None or self._policy != "create":
            self._cache.refuse(self._model, name, self._world.now)
        self._drop(name)
        return None

    def _make(self, name: str, value: JsonValue) -> Steps[bool | FlowResult]:
        """Return True when the attribute is there now, False when Intercom refuses to make it."""
        if self._cache.attributes(self._model) is None:
            known = yield from self._look_up()
            if isinstance(known, FlowResult):
                return known
            if known is not None and name in known:
                return True
        body: JsonObject = {"name": name, "model": self._model, "data_type": _type_of(name, value)}
        request = Request("POST", "/data_attributes", body)
        response = yield request
        if is_success(response):
            self._cache.learn_attributes(self._model, [name])
            return True
        outcome = classify(request, response)
        if outcome.kind != "dead":
            return outcome
        # Somebody else may have made it in the same moment.
        known = yield from self._look_up()
        return known if isinstance(known, FlowResult) else known is not None and name in known

    def _drop(self, name: str) -> None:
        self._remove(name)
        reason = "the workspace does not take this attribute"
        self._notes.append(Note("A6", f"custom_attributes.{name}", reason))

    def _leave_out(self, refused: _Refused) -> None:
        path = refused.name
        if refused.is_attribute:
            path = f"custom_attributes.{path}"
            self._remove(refused.name)
        else:
            self._body.pop(refused.name)
        self._notes.append(Note("M3", path, REFUSED_VALUE))

    def _remove(self, name: str) -> None:
        attributes = self._attributes()
        attributes.pop(name)
        if not attributes:
            self._body.pop("custom_attributes")


def _names_in(text: str, field: str) -> Iterator[str]:
    """Yield what may be the field's name: quoted, after the word attribute, or told apart."""
    for name in (*_QUOTED.findall(text), *_AFTER_ATTRIBUTE.findall(text), field):
        yield name
        if name.startswith("custom_attributes."):
            yield name.removeprefix("custom_attributes.")


def _is_unknown(code: str | None, text: str) -> bool | None:
    if code == "field_not_found" or _UNKNOWN.search(text):
        return True
    return False if code == "type_mismatch" or _BAD_VALUE.search(text) else None


def _type_of(name: str, value: JsonValue) -> str:
    """Return the type of a new attribute (A6): numbers are floats, so that 12 today does not refuse 12.5 tomorrow."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and name.endswith(("_at", "At")):
        return "date"
    return "float" if isinstance(value, int | float) else "string"
