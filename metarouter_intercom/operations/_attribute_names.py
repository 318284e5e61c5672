"""Cleans and compares the names of attributes and metadata keys (rules A2, R7); knows no value."""

from __future__ import annotations

import re
import unicodedata

from ..messages._edges import trimmed
from ..messages._facts import is_proof
from ..messages._memo import Memo

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\- ]+")

# Intercom cuts text attributes and metadata texts at 255 characters (contract, section 6).
LONGEST_TEXT = 255


def _cleaned(name: str) -> str:
    name = trimmed(name)
    return name if _PLAIN_NAME.fullmatch(name) else "".join(map(_clean_character, name))


def _clean_character(character: str) -> str:
    if character.isalnum() or character in "_- ":
        return character
    return character if character != "$" and unicodedata.category(character) == "Sc" else "_"


CLEAN = Memo(_cleaned)
"""Name -> name without invisible ends, with ``_`` for every character that Intercom refuses (A2, R10); empty when nothing is left."""


FOLDED = Memo(str.casefold)
"""Name -> name without case, as Intercom compares the keys of metadata."""


INNER: Memo[str, str] = Memo(lambda name: "" if is_proof(name) else CLEAN[name])
"""Flattened name -> clean name; empty too for a proof of identity, which is written nowhere (R7)."""
