"""
What was last written to one contact or company, as the text that the workspace cache keeps (rule O3); pure, knows no clock.

A record maps names to values: a field under its own name, a custom attribute under ``a:<name>``, a tag under ``t:<name>``, a
company that a contact belongs to under ``c:<Intercom's id>``, and a subscription type under ``s:<Intercom's id>``. It keeps fingerprints, not the values themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonObject, JsonValue

# A write that began so many seconds ago has ended somehow: its process died.
_ABANDONED_AFTER = 120.0
_ATTRIBUTE = "a:"


class _Record(TypedDict):
    """The parsed text. Spool files hold these names, so a new name would make every stored record useless."""

    facts: dict[str, tuple[str, float]]  # name -> fingerprint, and the Unix second of the write
    open: int  # writes under way
    opened_at: float
    mixed: bool  # writes overlapped: nobody knows which one Intercom applied last


# --- names ----------------------------------------------------------------------------------------------------


def values_of(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what the body of a request writes: name -> value."""
    values = {name: value for name, value in body.items() if name != "custom_attributes"}
    attributes = body.get("custom_attributes")
    if isinstance(attributes, dict):
        values.update({f"{_ATTRIBUTE}{name}": value for name, value in attributes.items()})
    return values


def remove_values(body: JsonObject, names: Iterable[str]) -> None:
    """Remove from *body* the fields and custom attributes that ``values_of`` gives these *names*."""
    removed = frozenset(names)
    for name in removed:
        body.pop(name, None)
    attributes = body.get("custom_attributes")
    if not isinstance(attributes, dict):
        return
    kept = {name: value for name, value in attributes.items() if f"{_ATTRIBUTE}{name}" not in removed}
    if kept:
        body["custom_attributes"] = kept
    else:
        del body["custom_attributes"]


def attribute_name(name: str) -> str | None:
    """Return the custom attribute that a record calls *name*; None when *name* is no attribute's."""
    return name[len(_ATTRIBUTE) :] if name.startswith(_ATTRIBUTE) else None


def tag_value(tag: str, is_tagged: bool = True) -> dict[str, JsonValue]:
    """Return what tagging a contact or company writes, or taking the tag off: Intercom compares tags without regard to case."""
    return {f"t:{tag.lower()}": is_tagged}


def subscription_value(type_id: str, is_wanted: bool) -> dict[str, JsonValue]:
    """Return what opting a contact in to a subscription type writes, or opting it out."""
    return {f"s:{type_id}": is_wanted}


def membership_value(company_id: str, is_member: bool) -> dict[str, JsonValue]:
    """Return what attaching a contact to a company writes, or detaching it."""
    return {f"c:{company_id}": is_member}


# --- records --------------------------------------------------------------------------------------------------


def begin(text: str | None, now: float) -> str:
    """Return the record while a write is under way; an overlapping or abandoned write makes all values unknown."""
    record = _parse(text)
    is_abandoned = record["open"] > 0 and now - record["opened_at"] > _ABANDONED_AFTER
    others = 0 if is_abandoned else record["open"]
    begun: _Record = {
        "facts": {} if others or is_abandoned else record["facts"],
        "open": others + 1,
        "opened_at": now,
        "mixed": others > 0,
    }
    return json.dumps(begun)


def finish(text: str | None, values: Mapping[str, JsonValue] | None, now: float) -> str | None:
    """
    Return the record after a write.

    Args:
        text: The record while the write was under way; None when it was forgotten meanwhile.
        values: What was written; None when the write had no clear response, so that nothing is known any more.
        now: Unix seconds.

    Returns:
        None when there is nothing to keep.
    """
    record = _parse(text)
    still_open = max(0, record["open"] - 1)
    is_mixed = record["mixed"] or values is None
    known: dict[str, tuple[str, float]] = {}
    if values is not None and not is_mixed:
        known = {**record["facts"], **{name: (_fingerprint(value), now) for name, value in values.items()}}
    if not still_open and not known:
        return None
    ended: _Record = {
        "facts": known,
        "open": still_open,
        "opened_at": record["opened_at"],
        "mixed": is_mixed and still_open > 0,
    }
    return json.dumps(ended)


def has_values(text: str, values: Mapping[str, JsonValue], *, now: float, within: float) -> bool:
    """Tell whether the record has every one of *values*, written at most *within* seconds ago, and no write is under way."""
    record = _parse(text)
    if record["open"]:
        return False
    known = record["facts"]
    for name, value in values.items():
        entry = known.get(name)
        if entry is None or entry[0] != _fingerprint(value) or not 0 <= now - entry[1] < within:
            return False
    return True


def number_in(text: str, name: str) -> int | None:
    """Return the whole number that was written under *name*, however long ago; None for anything else."""
    entry = _parse(text)["facts"].get(name)
    return int(entry[0]) if entry is not None and entry[0].lstrip("-").isdigit() else None


def _parse(text: str | None) -> _Record:
    if text is None:
        return {"facts": {}, "open": 0, "opened_at": 0.0, "mixed": False}
    record: _Record = json.loads(text)
    return record


def _fingerprint(value: JsonValue) -> str:
    """Return a short text that only the same value has: a whole number as it is, anything else as a digest."""
    if type(value) is int:
        return str(value)
    from hashlib import blake2b

    return "#" + blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=9).hexdigest()
