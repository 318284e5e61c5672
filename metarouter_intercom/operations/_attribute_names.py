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
    if _PLAIN_NAME.fullmatch(name) and name == name.strip():
        return name
    return _cleaned_fully(name)


def _cleaned_fully(name: str) -> str:
    """Return what ``_cleaned`` does, for any name."""
    return _clean_characters(trimmed(unicodedata.normalize("NFC", name)))


def _clean_characters(name: str) -> str:
    cleaned: list[str] = []
    follows_letter = False
    for character in name:
        category = unicodedata.category(character)
        is_letter = category[0] == "L"
        # A mark belongs to the letter before it. Without one, as after an emoji, it shows nothing and only makes a second name.
        is_mark = follows_letter and category in ("Mn", "Mc")
        is_allowed = is_letter or is_mark or category == "Nd" or character in "_- "
        is_currency = category == "Sc" and character != "$"
        cleaned.append(character if is_allowed or is_currency else "_")
        follows_letter = is_letter or is_mark
    return "".join(cleaned)


CLEAN = Memo(_cleaned)
"""Name -> name in NFC without invisible ends, with ``_`` for every character that Intercom refuses (A2, R10); may become empty."""


FOLDED = Memo(str.casefold)
"""Name -> name without case, as Intercom compares the keys of metadata."""


INNER: Memo[str, str] = Memo(lambda name: "" if is_proof(name) else CLEAN[name])
"""Flattened name -> clean name; empty too for a proof of identity, which is written nowhere (R7)."""
