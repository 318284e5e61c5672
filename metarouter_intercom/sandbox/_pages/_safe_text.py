"""Makes text from requests safe to show: escaped, isolated, cut, with invisible characters made visible. Pure."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

# Control characters, the soft hyphen, marks that change the writing direction, zero-width characters, lone surrogates and tags.
# The joiners U+200C and U+200D are not here, because some scripts and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MOST_SHOWN = 20_000


def visible(text: str, limit: int = _MOST_SHOWN) -> Markup:
    """Return at most *limit* characters of *text* as HTML; an invisible character is shown as its code point."""
    content = Markup().join(_pieces(text[:limit]))
    return Markup("<bdi>{}{}</bdi>").format(content, "…" if len(text) > limit else "")


def plain(text: str, limit: int = 120) -> str:
    """Return at most *limit* characters of *text* for titles, labels and options; invisible characters are replaced."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text[:limit]) + ("…" if len(text) > limit else "")


def _pieces(text: str) -> list[Markup]:
    pieces: list[Markup] = []
    end = 0
    for match in _HIDDEN.finditer(text):
        pieces += (escape(text[end : match.start()]), _code_point(match.group()))
        end = match.end()
    return [*pieces, escape(text[end:])]


def _code_point(character: str) -> Markup:
    point = f"U+{ord(character):04X}"
    return Markup('<span class="unseen" title="{}">{}</span>').format(
        unicodedata.name(character, "not a visible character"), point
    )


def initials(name: str) -> str:
    """Return one or two letters of *name* for the place of a picture; a question mark when it has none."""
    words = [word for word in re.split(r"[\s@._\-]+", name[:200]) if word and word[0].isalnum()]
    first_and_last = words[:1] if len(words) < 2 else [words[0], words[-1]]
    return "".join(word[0] for word in first_and_last).upper() or "?"


def shade(key: str) -> int:
    """Return the number of a colour for *key*, from 0 to 7; the same key has the same colour."""
    return sum(key[:200].encode("utf-8", "replace")) % 8


def web_address(text: str) -> str | None:
    """Return *text* when it can be a link: http or https, a host, no invisible character; else None."""
    address = text.strip()
    if len(address) > 2000 or _HIDDEN.search(address) or not re.match(r"https?://[^\s/?#\\]", address, re.I):
        return None
    return None if re.search(r"[\s\"<>\\^`{|}]", address) else address


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return the number with its noun: ``counted(1, "event")`` is ``"1 event"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
