"""
Writes that Intercom refuses because of one field: create the attribute, or leave the field out, and write the rest; pure.

Knows contacts and companies only as bodies with custom attributes (rules M3, A6).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..plugins import Request, Response
from .attribute_creation import AttributeCreation, look_up_attributes, refused_note
from .note_paths import attribute_path
from .response_parsing import errors_of
from .responses import FlowResult, dead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._types import JsonObject
    from .attribute_creation import Model
    from .context import Steps, World

REFUSED_VALUE = "Intercom refused this value"
"""The reason of a note for a field that was left out of a write."""
# Without these fields the write would be about another contact or company.
_IDENTIFYING = ("external_id", "role", "company_id", "custom_attributes")
# Intercom's error texts use these words for fields, instead of the fields' names.
_FIELD_WORDS = (("owner", "owner_id"), ("avatar", "avatar"), ("phone", "phone"))

_QUOTES = "'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb"
# A lookahead, so that matches overlap: an apostrophe in the text must not swallow the name's opening quote.
_QUOTED = re.compile(f"(?=[{_QUOTES}]([^{_QUOTES}]+)[{_QUOTES}])")
_AFTER_ATTRIBUTE = re.compile(r"attributes?:? +(.+?) +(?:does|do|is|was|must|has|can|could)\b")
_UNKNOWN = re.compile(r"exist|unknown|not found|no such|not defined|undefined|unrecogni[sz]ed")
_BAD_VALUE = re.compile(r"of type|must be|option|expected|too long|longer than")


class Written(NamedTuple):
    """
    A write with a response from Intercom.

    Attributes:
        request: The last one that was sent.
        response: The response to it.
        body: What was written, if the response is a success.
    """

    request: Request
    response: Response
    body: JsonObject


class _Refused(NamedTuple):
    """
    A field that Intercom refuses.

    Attributes:
        name: Of the field, or of the custom attribute.
        is_attribute: Whether it is a custom attribute.
        is_unknown: Whether the workspace lacks the attribute; None when the response does not say.
    """

    name: str
    is_attribute: bool
    is_unknown: bool | None


def write(
    send: Callable[[JsonObject], Request],
    body: JsonObject,
    *,
    model: Model,
    world: World,
    notes: list[Note],
) -> Steps[Written | FlowResult]:
    """
    Write *body*; when Intercom refuses a field, repair the body and write again.

    Args:
        send: Body -> request.
        body: Changed in place.
        model: Whose attributes the body has.
        world: Its cache learns which attributes the workspace has.
        notes: Receives a note for each field that was left out.

    Returns:
        A result when the write had to stop before Intercom took or refused it as a whole: an attribute could not be created for
        now, or is unknown while the setting ``unknown_attributes`` is ``"fail"``.
    """
    return (yield from _Repair(body, model, world, notes).write(send))


class _Repair:
    """One write, and the repairs that were made for it."""

    def __init__(self, body: JsonObject, model: Model, world: World, notes: list[Note]) -> None:
        self._body = body
        self._model = model
        self._world = world
        self._cache = world.cache
        self._policy = world.settings.unknown_attributes
        self._notes = notes
        # Without an external id the e-mail address says who the contact is.
        self._identifying = _IDENTIFYING if "external_id" in body else (*_IDENTIFYING, "email")
        self._creation = AttributeCreation(model, body, world)

    def write(self, send: Callable[[JsonObject], Request]) -> Steps[Written | FlowResult]:
        for name in list(self._attributes()):
            if self._cache.is_refused(self._model, name, self._world.now):
                self._leave_out_unknown(name)
        # The loop ends: each round leaves a field out or creates attributes, and a created one that is refused again is left out.
        while True:
            stopped = yield from self._create_missing()
            if stopped is not None:
                return stopped
            request = send(self._copy_of_body())
            response = yield request
            written = Written(request, response, self._body)
            if response.status not in (400, 422):
                return written
            refused: _Refused | FlowResult | None = self._named_in(response)
            if refused is None:
                refused = yield from self._first_unknown()
            if refused is None:
                return written
            if isinstance(refused, FlowResult):
                return refused
            stopped = yield from self._repair(refused, response)
            if stopped is not None:
                return stopped

    def _copy_of_body(self) -> JsonObject:
        """Return a copy for a request: whoever keeps the request must not see later repairs."""
        attributes = self._attributes()
        return {**self._body, "custom_attributes": dict(attributes)} if attributes else dict(self._body)

    def _attributes(self) -> JsonObject:
        value = self._body.get("custom_attributes")
        return value if isinstance(value, dict) else {}

    # --- which field Intercom refuses ---------------------------------------------------------------------

    def _named_in(self, response: Response) -> _Refused | None:
        """Return the field of the body that the response names; None when it names none."""
        for error in errors_of(response):
            text = (error["message"] or "").lower()
            names = list(_names_in(error["message"] or "", error["field"] or ""))
            for name in names:
                if name in self._attributes():
                    return _Refused(name, True, _says_unknown(error["code"], text))
            for name in names:
                if name in self._body and name not in self._identifying:
                    return _Refused(name, False, False)
            for word, field in _FIELD_WORDS:
                if word in text and field in self._body:
                    return _Refused(field, False, False)
        return None

    def _first_unknown(self) -> Steps[_Refused | FlowResult | None]:
        """Return the body's first attribute that the workspace does not have; None when it has all of them."""
        if not self._attributes():
            return None
        known = yield from look_up_attributes(self._model, self._world)
        if known is None or isinstance(known, FlowResult):
            return known
        return next((_Refused(name, True, True) for name in self._attributes() if name not in known), None)

    # --- what is done about it ----------------------------------------------------------------------------

    def _repair(self, refused: _Refused, response: Response) -> Steps[FlowResult | None]:
        """Create the refused attribute or leave the field out; a result ends the write."""
        is_unknown = refused.is_unknown
        if is_unknown is None:
            known: frozenset[str] | FlowResult | None = self._cache.attributes(self._model)
            if known is None:
                known = yield from look_up_attributes(self._model, self._world)
            if isinstance(known, FlowResult):
                return known
            is_unknown = known is not None and refused.name not in known
        if not is_unknown or refused.name in self._creation.confirmed:
            self._leave_out_refused(refused)
            return None
        if self._policy == "fail":
            return dead(response, "unknown_attribute")
        if self._policy == "create":
            return (yield from self._create_or_leave_out(refused.name))
        self._cache.refuse(self._model, refused.name, self._world.now)
        self._leave_out_unknown(refused.name)
        return None

    def _create_missing(self) -> Steps[FlowResult | None]:
        """Create the attributes that the workspace is known to lack, before Intercom refuses the write because of them."""
        known = self._cache.attributes(self._model)
        if known is None or self._policy != "create":
            return None
        if all(name in known for name in self._attributes()):
            return None
        return (yield from self._create_or_leave_out())

    def _create_or_leave_out(self, refused: str | None = None) -> Steps[FlowResult | None]:
        """Create what the body's attributes lack, or leave it out with a note (rules A6, A7); a result when that failed for now."""
        left_out = yield from self._creation.create(self._attributes(), refused=refused)
        if isinstance(left_out, FlowResult):
            return left_out
        for name, note in left_out.items():
            self._remove_attribute(name)
            self._notes.append(note)
        return None

    def _leave_out_unknown(self, name: str) -> None:
        self._remove_attribute(name)
        self._notes.append(refused_note(name))

    def _leave_out_refused(self, refused: _Refused) -> None:
        path = refused.name
        if refused.is_attribute:
            path = attribute_path(path)
            self._remove_attribute(refused.name)
        else:
            self._body.pop(refused.name)
        self._notes.append(Note("M3", path, REFUSED_VALUE))

    def _remove_attribute(self, name: str) -> None:
        attributes = self._attributes()
        attributes.pop(name)
        if not attributes:
            self._body.pop("custom_attributes")


def _names_in(text: str, field: str) -> Iterator[str]:
    """Yield what may be the field's name: quoted in the text, after the word "attribute", or the error's own field."""
    for name in (*_QUOTED.findall(text), *_AFTER_ATTRIBUTE.findall(text), field):
        yield name
        if name.startswith("custom_attributes."):
            yield name.removeprefix("custom_attributes.")


def _says_unknown(code: str | None, text: str) -> bool | None:
    """Tell whether an error says that there is no such attribute (True) or that its value is bad (False); None for neither."""
    if code == "field_not_found" or _UNKNOWN.search(text):
        return True
    return False if code == "type_mismatch" or _BAD_VALUE.search(text) else None
