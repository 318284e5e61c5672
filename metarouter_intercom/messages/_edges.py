"""Takes off what nobody sees at the ends of a text, and recognises ids that are an accident (rules R2, R10); knows no message."""

from __future__ import annotations

import unicodedata

from .._types import Note

# White space, control and format characters: zero-width ones, direction marks, byte order marks, soft hyphens.
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_NUL = "\x00"

# What programs write where an id is missing: JavaScript, Java, SQL, Python, Ruby, Lua, C, Objective-C, Go, and spreadsheets' NaN.
_ACCIDENTS = frozenset(
    [
        "undefined",
        "null",
        "none",
        "nil",
        "nan",
        "[object object]",
        "[object null]",
        "[object undefined]",
        "(null)",
        "<null>",
        "<nil>",
    ]
)
_LONGEST_ACCIDENT = max(map(len, _ACCIDENTS))
# The first two letters of an accident, in any case: most ids are known to be none by a single look.
_ACCIDENT_STARTS = frozenset(
    first + second
    for text in _ACCIDENTS
    for first in (text[0], text[0].upper())
    for second in (text[1], text[1].upper())
)


def trimmed(text: str) -> str:
    """Return *text* without NUL, and without white space, control and format characters at its ends (R10)."""
    if text.isprintable():
        # Of the characters that are taken off, only the plain blank is printable.
        return text.strip(" ")
    start, end = _visible_part(text)
    return text[start:end].replace(_NUL, "")


def trimmed_id(text: str) -> str:
    """Return *text* as ``trimmed`` does, but keep the plain blanks at its ends: another system may have made the id so (R10)."""
    if text.isprintable():
        return text if not text.isspace() else ""
    start, end = _visible_part(text)
    if start >= end:
        return ""
    before, after = text[:start].count(" "), text[end:].count(" ")
    return f"{' ' * before}{text[start:end]}{' ' * after}".replace(_NUL, "")


def is_blank(text: str) -> bool:
    """Tell whether nothing is left of *text* once invisible characters are taken off its ends (R10)."""
    return not text or (not text[0].isalnum() and not trimmed(text))


def is_accident(value: object) -> bool:
    """Tell whether *value* is a text that a program writes where an id is missing, such as ``undefined`` (R2)."""
    if not isinstance(value, str) or len(value) < 3:
        return False
    text = trimmed(value)
    return len(text) <= _LONGEST_ACCIDENT and text.lower() in _ACCIDENTS


def accident_note(path: str) -> Note:
    """Return the note on an accident at *path* in the message."""
    return Note("R2", path, "placeholder such as null or undefined: counts as no id")


def trimmed_note(path: str) -> Note:
    """Return the note on an id at *path* in the message that lost invisible characters."""
    return Note("R10", path, "invisible characters were taken out")


def is_plain_id(text: str) -> bool:
    """Tell whether the id *text* stays as it is: there are no blanks at its ends, nothing invisible, and it is no accident."""
    if not text or not text.isprintable() or text.strip() != text:
        return False
    return text[:2] not in _ACCIDENT_STARTS or len(text) > _LONGEST_ACCIDENT or text.lower() not in _ACCIDENTS


def _visible_part(text: str) -> tuple[int, int]:
    """Return where the visible part of *text* starts and ends."""
    start, end = 0, len(text)
    category = unicodedata.category
    while start < end and category(text[start]) in _INVISIBLE:
        start += 1
    while end > start and category(text[end - 1]) in _INVISIBLE:
        end -= 1
    return start, end
