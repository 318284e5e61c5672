"""Writes what is left of the traits of a person or company as custom attributes (rules I10, C3); knows no standard field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages._coercion import check_json
from ..messages._facts import is_proof

if TYPE_CHECKING:
    from .._types import JsonObject
    from ._draft import Draft
    from ._flatten import Flattener
    from ._values import Origin

_OWN_SPELLING = "customattributes"


def write_attributes(
    draft: Draft, attributes: JsonObject, origins: dict[str, Origin], flattener: Flattener
) -> None:
    """
    Write the rest of *draft* into *attributes*, then the members of a trait ``custom_attributes``, whose names must be free.

    Args:
        draft: What feeds no field is used up; a known trait that no field took gets a note.
        attributes: What is in it already keeps its names.
        origins: Receives where the attributes come from.
        flattener: Writes them.
    """
    own = draft.known.pop(_OWN_SPELLING, None)
    if draft.known:
        draft.note_unused()
    if draft.rest:
        flattener.write(draft.rest, attributes, notes=draft.notes, path=draft.path, origins=origins)
    if own is None:
        return
    key, members = own
    if members == {} or members == []:
        draft.note("A5", key, "empty object or list")
    elif isinstance(members, dict):
        proofs = [name for name in members if is_proof(name)]
        for name in proofs:
            draft.note("R7", f"{key}.{name}", "a proof of identity")
        items = [(name, value) for name, value in members.items() if name not in proofs]
        path = f"{draft.path}.{key}"
        flattener.write(items, attributes, notes=draft.notes, path=path, origins=origins, is_base=False)
    else:
        check_json(members)
        draft.note("I10", key, "not an object")
