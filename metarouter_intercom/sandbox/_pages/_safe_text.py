"""Makes other people's words safe to look at: escaped, isolated, cut, with invisible characters made visible. Pure."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

# Controls, soft hyphen, marks that turn the direction of writing, widthless characters, lone surrogates, tags. The joiners
# U+200C and U+200D stay: scripts and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MOST_SHOWN = 20_000


def visible(text: str, limit: int = _MOST_SHOWN) -> Markup:
    """Return at most *limit* characters of *text* for the body of a page; what cannot be seen is named by its code point."""
    shown = Markup().join(_pieces(text[:limit]))
    return Markup("<bdi>{}{}</bdi>").format(shown, "…" if len(text) > limit else "")


def plain(text: str, limit: int = 120) -> str:
    """Return *text* for places that hold no elements: titles, labels, options. What cannot be seen is replaced."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text[:limit]) + ("…" if len(text) > limit else "")


def _pieces(text: str) -> list[Markup]:
    pieces: list[Markup] = []
    end = 0
    for found in _HIDDEN.finditer(text):
        pieces += (escape(text[end : found.start()]), _named(found.group()))
        end = found.end()
    return [*pieces, escape(text[end:])]


def _named(character: str) -> Markup:
    point = f"U+{ord(character):04X}"
    return Markup('<span class="unseen" title="{}">{}</span>').format(
        unicodedata.name(character, "not a visible character"), point
    )


def initials(name: str) -> str:
    """Return one or two letters that stand for *name* where a picture would be."""
    words = [word for word in re.split(r"[\s@._\-]+", name[:200]) if word and word[0].isalnum()]
    chosen = words[:1] if len(words) < 2 else [words[0], words[-1]]
    return "".join(word[0] for word in chosen).upper() or "?"


def shade(key: str) -> int:
    """Return the number, from 0 to 7, of the colour that stands for *key*; the same one each time."""
    return sum(key[:200].encode("utf-8", "replace")) % 8


def web_address(text: str) -> str | None:
    """Return *text* when it may become a link: http or https, a host, nothing that hides; else None."""
    address = text.strip()
    if len(address) > 2000 or _HIDDEN.search(address) or not re.match(r"https?://[^\s/?#\\]", address, re.I):
        return None
    return None if re.search(r"[\s\"<>\\^`{|}]", address) else address


def counted(number: int, one: str, many: str | None = None) -> str:
    """Say how many: ``counted(1, "event")`` is ``"1 event"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
