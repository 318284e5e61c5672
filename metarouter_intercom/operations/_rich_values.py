"""Reads the values that Intercom shows as a link or as money (rule E5); knows no property."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import text_field
from ._attribute_names import LONGEST_TEXT
from ._flatten import is_long_link
from ._json_text import json_text
from ._money import minor_amount

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..messages._facts import Trait

_ADDRESS = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)


def read_rich(item: Trait, *, is_named: bool, notes: list[Note]) -> JsonObject | None:
    """
    Return the object of *item* as Intercom takes it; None when it is an ordinary nested value.

    Args:
        item: Key and value of a property.
        is_named: Setting ``rich_link_properties`` names the property, so that any object stays one.
        notes: Receives a note for each member that is changed or left out.
    """
    key, value = item
    if not isinstance(value, dict):
        return None
    path = f"properties.{key}"
    if value.keys() == {"url", "value"} and (link := _link(value, path, notes)) is not None:
        return link
    amount = minor_amount(value)
    if amount is not None:
        return {**value, "amount": amount}
    return _named(value, path, notes) if is_named else None


def _link(value: JsonObject, path: str, notes: list[Note]) -> JsonObject | None:
    """Return the rich link *value* with its value as text; None when it has no address or no text."""
    address, text = value["url"], value["value"]
    if (
        not isinstance(address, str)
        or not _ADDRESS.fullmatch(address.strip())
        or is_long_link(address.strip())
    ):
        return None
    if isinstance(text, bool):
        text = "true" if text else "false"
    elif isinstance(text, int | float):
        text = text_field(text)
    if not isinstance(text, str):
        return None
    if len(text) > LONGEST_TEXT:
        notes.append(Note("E7", f"{path}.value", "cut at 255 characters"))
    return {**value, "url": address.strip(), "value": text[:LONGEST_TEXT]}


def _named(value: JsonObject, path: str, notes: list[Note]) -> JsonObject | None:
    """Return *value* without proofs of identity; None when JSON cannot hold it."""
    left_out: list[Note] = []
    text = json_text(value, path, left_out)
    if text is None:
        # It is written as an ordinary nested value, which has notes of its own.
        return None
    notes += left_out
    named: JsonObject = json.loads(text)
    return named
