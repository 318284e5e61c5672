"""Writes nested values as JSON text without proofs of identity (rules A5, R7); knows no attribute."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ..messages._facts import is_proof

if TYPE_CHECKING:
    from .._types import JsonValue

# json.dumps recurses in C; this many levels are far below its limit on every supported Python.
_DEEPEST = 100
# JSON text without a match holds no proof. If there is a match, the keys of the value decide.
_PROOF = re.compile(r"user[\s_\-.]*(hash|jwt)", re.IGNORECASE)


def json_text(value: JsonValue) -> tuple[str | None, bool]:
    """
    Return *value* as compact JSON, and whether a proof of identity was left out of it.

    The text is None when *value* is nested deeper than 100 levels, or holds a number that JSON has not.
    """
    text = _dumped(value)
    if text is None or _PROOF.search(text) is None:
        return text, False
    proofless = _without_proofs(value)
    return (text, False) if proofless == value else (_dumped(proofless), True)


def _dumped(value: JsonValue) -> str | None:
    if _is_deep(value):
        return None
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return None


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
