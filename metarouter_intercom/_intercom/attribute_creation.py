"""
Lists the workspace's custom attributes, and creates those that a write needs, as far as the budget allows; pure.

Knows contacts and companies only as bodies with custom attributes (rules M3, A6, A7).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from .._types import Note
from ..operations import UpsertContact
from ..operations._values import FLATTENED, origin_of
from ..plugins import Request
from .attribute_budget import ATTRIBUTES, carriers_of, has_room, in_order
from .note_paths import attribute_path
from .response_parsing import error_text, is_success, object_of, objects_in
from .responses import FlowResult, classify
from .write_records import attribute_name

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from .._types import JsonObject, JsonValue
    from ..operations import UpsertCompany
    from ..plugins import Response
    from .attribute_budget import Carrier
    from .context import Steps, World

Model = Literal["contact", "company"]
# The name under which the workspace cache remembers that Intercom lists no attributes for now: it is not asked again for each new one.
_LIST = "list"
_LIMIT = re.compile(r"\b(limit|maximum|too many)\b", re.IGNORECASE)


def refused_note(name: str) -> Note:
    """Return the note for an attribute that does not exist and is not created."""
    return Note("A6", attribute_path(name), "the workspace does not take this attribute")


def _note_of_message(name: str) -> Note:
    return Note("A7", attribute_path(name), "one message creates no more attributes")


def _note_of_budget(name: str, rank: int) -> Note:
    if rank == FLATTENED:
        return Note("A7", attribute_path(name), "the budget for attributes of nested values is used up")
    return Note("A7", attribute_path(name), "the budget for attributes is used up")


def notes_of_unwritten(
    upsert: UpsertContact | UpsertCompany, values: Mapping[str, JsonValue], kept: Container[str], world: World
) -> tuple[Note, ...]:
    """
    Return the notes for the attributes that a write which is not sent would have left out.

    Args:
        upsert: What is not written.
        values: Name -> value, as ``write_records`` names them.
        kept: The names of those that could make a difference.
        world: Knows what Intercom refuses.
    """
    model: Model = "contact" if isinstance(upsert, UpsertContact) else "company"
    notes: list[Note] = []
    for recorded, value in values.items():
        name = attribute_name(recorded)
        if name is None or value is None or recorded in kept:
            continue
        is_refused = world.cache.is_refused(model, name, world.now) or world.cache.is_refused(
            ATTRIBUTES, "", world.now
        )
        notes.append(
            refused_note(name) if is_refused else _note_of_budget(name, origin_of(upsert, name).rank)
        )
    return tuple(notes)


def look_up_attributes(model: Model, world: World) -> Steps[frozenset[str] | FlowResult | None]:
    """
    Return the custom attributes of *model*; None when Intercom refuses to list them; a result when that failed for now.

    One request lists those of contacts and companies, because they share one limit.
    """
    request = Request("GET", "/data_attributes")
    # Attributes that another thread creates meanwhile would be missing from an older list that is stored after them.
    with world.lock_of(ATTRIBUTES):
        if world.cache.is_refused(ATTRIBUTES, _LIST, world.now):
            return None
        response = yield request
        if not is_success(response):
            result = classify(request, response)
            if result.kind == "dead":
                world.cache.refuse(ATTRIBUTES, _LIST, world.now)
            return None if result.kind == "dead" else result
        listed: dict[str, list[str]] = {"contact": [], "company": []}
        for attribute in objects_in(object_of(response).get("data")):
            name, names = attribute.get("name"), listed.get(str(attribute.get("model", model)))
            is_own = attribute.get("custom") is not False and not attribute.get("archived")
            if isinstance(name, str) and names is not None and is_own:
                names.append(name)
        world.cache.list_attributes(listed, world.now)
        return frozenset(listed[model])


class AttributeCreation:
    """
    Creates what one write lacks.

    Args:
        model: Whose attributes the body has.
        body: Of the write.
        world: Its cache learns which attributes the workspace has.

    Attributes:
        confirmed: The attributes that this write created or found; Intercom must not call them unknown again.
    """

    def __init__(self, model: Model, body: JsonObject, world: World) -> None:
        self.confirmed: set[str] = set()
        self._model: Model = model
        self._world = world
        self._cache = world.cache
        self._carriers = carriers_of(model, body, world)
        # Message id -> attributes created for it by this write, where there is no message to remember them for.
        self._created_for_nobody = 0

    def create(
        self, values: JsonObject, *, refused: str | None = None
    ) -> Steps[dict[str, Note] | FlowResult]:
        """
        Create the attributes of *values* that the workspace does not have.

        Args:
            values: Name -> value.
            refused: The one that Intercom called unknown; None before the write.

        Returns:
            The attributes that were not created, each with its note; a result when that failed for now.
        """
        with self._world.lock_of(ATTRIBUTES):
            known = self._cache.attributes(self._model)
            if known is None or refused in known or not self._cache.is_list_fresh(self._world.now):
                listed = yield from look_up_attributes(self._model, self._world)
                if isinstance(listed, FlowResult):
                    return listed
                known = listed
            if refused is not None and known is not None and refused in known:
                self.confirmed.add(refused)
            if known is None:
                missing = [refused] if refused is not None else []
            else:
                missing = [name for name in values if name not in known]
            return (yield from self._create_all(missing, values))

    def _create_all(
        self, missing: list[str], values: Mapping[str, JsonValue]
    ) -> Steps[dict[str, Note] | FlowResult]:
        # Null would clear an attribute that does not exist, so nothing is to be created for it.
        left_out = {name: refused_note(name) for name in missing if values[name] is None}
        wanted = [name for name in missing if values[name] is not None]
        chosen = in_order(wanted, self._carriers, self._allowance_of, is_known=self._is_known)
        left_out.update((name, _note_of_message(name)) for name in wanted if name not in chosen)
        for name, carrier in chosen.items():
            if self._cache.is_refused(ATTRIBUTES, "", self._world.now):
                left_out[name] = refused_note(name)
            elif not has_room(carrier.rank_of(name), self._world):
                left_out[name] = _note_of_budget(name, carrier.rank_of(name))
            else:
                is_created = yield from self._create(name, values[name], carrier)
                if isinstance(is_created, FlowResult):
                    return is_created
                if not is_created:
                    self._cache.refuse(self._model, name, self._world.now)
                    left_out[name] = refused_note(name)
        return left_out

    def _create(self, name: str, value: JsonValue, carrier: Carrier) -> Steps[bool | FlowResult]:
        """Return True when the attribute exists now, False when Intercom refuses to create it."""
        body: JsonObject = {"name": name, "model": self._model, "data_type": _type_of(name, value)}
        request = Request("POST", "/data_attributes", body)
        response = yield request
        if is_success(response):
            self._count(carrier)
            self._cache.learn_attribute(self._model, name)
            self.confirmed.add(name)
            return True
        result = classify(request, response)
        if result.kind != "dead":
            return result
        # Another process may have created it at the same moment, and a limit says that the count was too low.
        known = yield from look_up_attributes(self._model, self._world)
        if isinstance(known, FlowResult):
            return known
        if known is not None and name in known:
            self.confirmed.add(name)
            return True
        if _is_about_all(response):
            self._cache.refuse(ATTRIBUTES, "", self._world.now)
        return False

    def _allowance_of(self, message_id: str | None) -> int:
        created = self._created_for_nobody if message_id is None else self._cache.created_by(message_id)
        return self._world.settings.max_created_attributes - created

    def _is_known(self, model: str, name: str) -> bool:
        known = self._cache.attributes(model)
        return known is None or name in known

    def _count(self, carrier: Carrier) -> None:
        if carrier.message_id is None:
            self._created_for_nobody += 1
        else:
            self._cache.count_created(carrier.message_id)


def _is_about_all(response: Response) -> bool:
    """Tell whether Intercom would refuse every other attribute too: the token has no scope for it, or the workspace is full."""
    return response.status == HTTPStatus.FORBIDDEN or _LIMIT.search(error_text(response)) is not None


def _type_of(name: str, value: JsonValue) -> str:
    """Return the type of a new attribute (rule A6): float for numbers, because an integer attribute would refuse 12.5 later."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and name.endswith(("_at", "At")):
        return "date"
    return "float" if isinstance(value, int | float) else "string"
