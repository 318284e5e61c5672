"""Turns the tags of a person into operations (rule I13); knows neither the tags of companies nor what Intercom has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import check_json, text_field
from ..messages._facts import PLAIN
from ._values import TagContact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._types import JsonValue
    from ..messages._integrations import Options
    from ..settings import Settings
    from ._draft import Draft
    from ._values import Who

_MEMBERS = ("add", "remove")


class ContactTags:
    """Turns the option ``tags``, and the trait that the settings name, into operations; always with the same settings."""

    def __init__(self, settings: Settings) -> None:
        self._trait = None if settings.tags_trait is None else PLAIN[settings.tags_trait]
        self._is_trusted = not settings.require_identity

    def translate_tags(self, draft: Draft, options: Options, who: Who) -> list[TagContact]:
        """
        Return one operation for each tag, the option's first.

        Args:
            draft: Its rest loses the traits that hold tags; its notes receive one for each value that is none.
            options: Of the message.
            who: The contact.
        """
        tags: dict[str, TagContact] = {}
        option = None if options.is_empty else options.find("tags")
        if option is not None:
            path, value = option
            if not _is_tags(value):
                draft.notes.append(Note("I13", path, "neither a list nor an object with add and remove"))
            else:
                tags = _read(path, value, who, draft.notes)
        for path, value in self._take_traits(draft):
            for name, tag in _read(path, value, who, draft.notes).items():
                if tags.setdefault(name, tag).remove != tag.remove:
                    draft.notes.append(Note("I13", path, "the option came first"))
        return list(tags.values())

    def _take_traits(self, draft: Draft) -> Iterator[tuple[str, JsonValue]]:
        """Take the traits that hold tags out of *draft*, and yield each with its path; a trait of another type stays an attribute."""
        if self._trait is None:
            return
        own = [trait for trait in draft.rest if PLAIN[trait[0]] == self._trait and _is_tags(trait[1])]
        for trait in own:
            draft.rest.remove(trait)
            key, value = trait
            if self._is_trusted:
                yield f"{draft.path}.{key}", value
            else:
                draft.note("V3", key, "tags from an untrusted sender")


def _is_tags(value: JsonValue) -> bool:
    """Tell whether *value* is a list, or an object with nothing but ``add`` and ``remove``."""
    if isinstance(value, dict):
        return bool(value) and all(PLAIN[name] in _MEMBERS for name in value)
    if not isinstance(value, list):
        check_json(value)
    return isinstance(value, list)


def _read(path: str, value: JsonValue, who: Who, notes: list[Note]) -> dict[str, TagContact]:
    """Return the tags in *value* by their names in small letters; of a tag that is added and removed, the removal counts."""
    lists: list[tuple[str, JsonValue, bool]] = [(path, value, False)]
    if isinstance(value, dict):
        members = [(f"{path}.{name}", names, PLAIN[name] == "remove") for name, names in value.items()]
        lists = sorted(members, key=lambda member: member[2])
    tags: dict[str, TagContact] = {}
    for own_path, names, remove in lists:
        if not isinstance(names, list):
            check_json(names)
            if names is not None:
                notes.append(Note("I13", own_path, "not a list of texts"))
            continue
        for at, item in enumerate(names):
            name = text_field(item) if isinstance(item, str) else None
            if name is None:
                check_json(item)
                notes.append(Note("I13", f"{own_path}.{at}", "not a text"))
                continue
            # Intercom compares tags without regard to case (contract, section 5).
            earlier = tags.get(name.casefold())
            if earlier is not None and earlier.remove != remove:
                notes.append(Note("I13", f"{own_path}.{at}", "added and removed: removed"))
            if earlier is None or earlier.remove != remove:
                tags[name.casefold()] = TagContact(who=who, name=name, remove=remove)
    return tags
