"""Writes nested values as JSON text, without what no JSON or nobody may hold (rules A1, A5, R7); knows no attribute."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from .._types import Note
from ..messages._facts import is_proof

if TYPE_CHECKING:
    from .._types import JsonValue

# json.dumps recurses in C; this many levels are far below its limit on every supported Python.
_DEEPEST = 100
# JSON text without a match holds no proof. If there is a match, the keys of the value decide.
_PROOF = re.compile(r"user[\s_\-.]*(hash|jwt)", re.IGNORECASE)


def json_text(value: JsonValue, path: str, notes: list[Note]) -> str | None:
    """
    Return *value* as compact JSON; None when nothing of it is left, or it is nested deeper than 100 levels.

    Args:
        value: An object or a list.
        path: Its place in the message.
        notes: Receives a note for each value that is left out of the text, and for a text that is None.
    """
    if _is_deep(value):
        notes.append(Note("A5", path, "no JSON can hold it"))
        return None
    if is_hollow(value):
        notes.append(Note("A5", path, "empty object or list"))
        return None
    try:
        text = _dumped(value)
    except ValueError:
        value = _without_infinities(value, path, notes)
        if is_hollow(value):
            return None
        text = _dumped(value)
    if _PROOF.search(text) is None:
        return text
    proofless = _without_proofs(value)
    if proofless == value:
        return text
    notes.append(Note("R7", path, "a proof of identity"))
    return None if is_hollow(proofless) else _dumped(proofless)


def is_hollow(value: JsonValue) -> bool:
    """Tell whether *value*, which is not deep, is an empty object or list, or a list of nothing else."""
    if isinstance(value, list):
        return all(item is None or is_hollow(item) for item in value)
    return isinstance(value, dict) and not value


def _dumped(value: JsonValue) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _without_infinities(value: JsonValue, path: str, notes: list[Note]) -> JsonValue:
    """Return *value*, which is not deep, without NaN and infinities at all its levels, with a note for each."""
    if not isinstance(value, dict | list):
        return value
    kept: list[tuple[str, JsonValue]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        inner_path = f"{path}.{key}"
        if isinstance(member, float) and not math.isfinite(member):
            notes.append(Note("A1", inner_path, "not a finite number"))
        else:
            kept.append((str(key), _without_infinities(member, inner_path, notes)))
    return dict(kept) if isinstance(value, dict) else [member for _, member in kept]


def _without_proofs(value: JsonValue) -> JsonValue:
    """Return *value*, which is not deep, without the proofs of identity at all its levels."""
    if isinstance(value, list):
        return [_without_proofs(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_proofs(member) for key, member in value.items() if not is_proof(key)}
    return value


def _is_deep(value: JsonValue) -> bool:
    """Tell whether *value* is nested deeper than 100 levels, without recursion."""
    level: list[JsonValue] = [value]
    for _ in range(_DEEPEST):
        level = [
            member
            for item in level
            if isinstance(item, dict | list)
            for member in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
