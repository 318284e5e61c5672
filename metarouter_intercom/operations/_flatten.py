"""Flattens traits and properties into custom attributes (rules A1 to A5, A8) and event metadata (E6, E7); knows no standard field."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import NotJson, check_json
from ..messages._facts import is_proof
from ..messages._time_texts import ZERO_UNTIL
from ..messages._timestamps import LAST_INSTANT, is_zero_time, seconds_of_date_text
from ._attribute_names import CLEAN, FOLDED, INNER, LONGEST_TEXT
from ._dates import DATE_ENDINGS, FINE_FROM, OLDEST, seconds_of_number
from ._json_text import json_text
from ._values import FLATTENED, SCALAR, TEXT, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..settings import Nesting, Settings

    Items = Iterable[tuple[str, JsonValue]]

_SCALARS = frozenset({str, int, float, bool, type(None)})
# Rule A5: a value nested deeper is written as JSON text.
_DEEPEST = 5
# The address with which a text starts.
_LINK = re.compile(r"\s*https?://\S*", re.IGNORECASE)
LARGEST_NUMBER = 2**53
"""Up to here a float has every whole number, and Intercom's numbers are floats (A8)."""
# A number of more digits than Python writes as text in decimals.
_MOST_BITS = 10_000


class Flattener:
    """
    Writes traits or properties as flat, named values, always with the same settings.

    Args:
        settings: ``nested``, ``nested_overrides`` and ``dates``.
        of_events: True for event metadata (E7): booleans become text, null is left out, the names of dates end with ``_date``, and names
            are compared without case, links are not cut, and there are at most ``metadata_limit`` of them (E8). False for custom
            attributes (A): booleans and null stay, the names of dates end with ``_at``.
    """

    __slots__ = ("date_rule", "keeps_dates", "limit", "nested", "of_events", "overrides", "text_rule")

    def __init__(self, settings: Settings, *, of_events: bool) -> None:
        self.nested: Nesting = settings.nested
        self.overrides: Mapping[str, Nesting] = settings.nested_overrides
        self.keeps_dates = settings.dates == "keep"
        self.of_events = of_events
        self.limit = settings.metadata_limit if of_events else math.inf
        self.text_rule = "E7" if of_events else "A3"
        self.date_rule = "E7" if of_events else "A4"

    def write(
        self,
        items: Items,
        out: JsonObject,
        *,
        notes: list[Note],
        path: str,
        origins: dict[str, Origin] | None = None,
        is_base: bool = True,
    ) -> None:
        """
        Write *items* into *out*, in order; the first one that has a name keeps it.

        Args:
            items: ``(key, value)`` as the caller sent them.
            out: Receives the values; what is in it already keeps its names.
            notes: Receives a note for each value that is changed or left out.
            path: Of the items in the message, such as ``traits``.
            origins: Receives the origin of each custom attribute, except of a plain trait under its own name in the base.
            is_base: *path* is that of the traits of the person or company.

        Raises:
            NotJson: A value is none that JSON knows.
        """
        of_events = self.of_events
        limit = self.limit
        names = {FOLDED[name] for name in out} if of_events else out
        nested: _Nested | None = None
        for key, value in items:
            kind = type(value)
            name = CLEAN[key]
            if kind is str:
                is_plain = len(value) <= LONGEST_TEXT and (value[4:5] != "-" or self.keeps_dates)  # type: ignore[arg-type, index]  # kind proves that it is a text
            elif kind is int:
                is_plain = OLDEST < value < FINE_FROM  # type: ignore[operator]  # as above
            elif kind is float:
                # NaN is not in between either.
                is_plain = OLDEST < value < FINE_FROM and not name.endswith(DATE_ENDINGS)  # type: ignore[operator]  # as above
            elif kind is bool and of_events:
                is_plain, value = True, "true" if value else "false"
            else:
                is_plain = kind is bool or (value is None and not of_events)
            wanted = FOLDED[name] if of_events else name
            if not is_plain or wanted in names or not name or len(out) >= limit:
                nested = nested or _Nested(self, out, names, notes=notes, origins=origins)
                nested.put_item(key, value, f"{path}.{key}")
                continue
            out[name] = value
            if of_events:
                names.add(wanted)  # type: ignore[union-attr]  # a set for events
            elif origins is not None and (name != key or not is_base):
                origins[name] = Origin(f"{path}.{key}", SCALAR)

    def dated(self, name: str, text: str, *, notes: list[Note], path: str) -> tuple[str, str | int | None]:
        """Return name and value under which *text* is written if it is a date (A4); the value is None for a zero time (R4)."""
        seconds = seconds_of_date_text(text)
        if seconds is None:
            return name, text
        if seconds < ZERO_UNTIL:
            notes.append(Note(self.date_rule, path, "zero time of Go or .NET: counts as no time"))
            return name, None
        if seconds > LAST_INSTANT:
            notes.append(Note(self.date_rule, path, "after 2286: kept as text"))
            return name, text
        return self.date_name(name), seconds

    def write_as(
        self,
        name: str,
        item: tuple[str, JsonValue],
        out: JsonObject,
        *,
        notes: list[Note],
        path: str,
        origins: dict[str, Origin] | None = None,
    ) -> None:
        """Write *item* as ``write`` does, under *name* instead of its key."""
        key, value = item
        names = {FOLDED[other] for other in out} if self.of_events else out
        _Nested(self, out, names, notes=notes, origins=origins).put_item(
            key, value, f"{path}.{key}", name=name
        )

    def is_date(self, name: str) -> bool:
        """Tell whether a number under the clean *name* is an instant (A4)."""
        return not self.keeps_dates and name.endswith(DATE_ENDINGS)

    def date_name(self, name: str) -> str:
        """Return *name* with the ending that marks a date."""
        if self.of_events:
            return name if name.endswith(("_date", "_at")) else f"{name}_date"
        if name.endswith(("_at", "At")):
            return name
        return f"{name[:-3]}_at" if name.endswith(" at") else f"{name}_at"


class _Nested:
    """
    Writes what ``Flattener.write`` does not write itself: nested values, and those that need a note because of their names.

    Args:
        flattener: With the choices.
        out: Receives the values.
        names: The names in use: *out* itself, or, for events, those names without case.
        notes: Receives a note for each value that is changed or left out.
        origins: Receives the origin of each custom attribute; None for metadata.
    """

    __slots__ = (
        "_flattener",
        "_flattens_lists",
        "_names",
        "_notes",
        "_of_events",
        "_origins",
        "_out",
        "_rank",
    )

    def __init__(
        self,
        flattener: Flattener,
        out: JsonObject,
        names: set[str] | JsonObject,
        *,
        notes: list[Note],
        origins: dict[str, Origin] | None = None,
    ) -> None:
        self._flattener = flattener
        self._flattens_lists = flattener.of_events
        self._origins: dict[str, Origin] = {} if origins is None else origins
        self._rank = TEXT
        self._of_events = flattener.of_events
        self._out = out
        self._names = names
        self._notes = notes

    def put_item(self, key: str, value: JsonValue, path: str, *, name: str | None = None) -> None:
        """Write a trait or property of any type under *name*, or else under its *key*; *path* is its own."""
        if type(value) in _SCALARS:
            self._rank = SCALAR
            self.put_scalar(key if name is None else name, value, path)
        else:
            self.write(key, value, path, name=name)

    def write(self, key: str, value: JsonValue, path: str, *, name: str | None = None) -> None:
        """Write an object or a list as the settings say of *key* (A5), under *name* or else *key*; *path* is its own."""
        override = self._flattener.overrides.get(key)
        choice = override or self._flattener.nested
        key = key if name is None else name
        # On contacts and companies each position would use up an attribute for ever, so lists of objects become text.
        self._flattens_lists = self._of_events or override == "flatten"
        self._rank = TEXT
        if not isinstance(value, dict | list):
            raise NotJson
        if not value:
            self.note("A5", path, "empty object or list")
        elif isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
            self._put_list(key, value, path)
        elif choice == "drop":
            self.note("A5", path, "nested value")
        elif choice == "stringify" or (isinstance(value, list) and not self._flattens_lists):
            self._put_json(key, value, path)
        else:
            self._rank = FLATTENED
            self._flatten(key, value, path, level=1)

    def put(self, name: str, value: JsonValue, path: str) -> None:
        """Write *value* under the clean *name*, if that is free."""
        wanted = FOLDED[name] if self._of_events else name
        if not name:
            self.note("A2", path, "nothing usable is left of the name")
        elif wanted in self._names:
            self.note("A2", path, "another value has this name")
        elif len(self._out) >= self._flattener.limit:
            self.note("E8", path, "beyond the limit of metadata keys")
        else:
            self._out[name] = value
            self._origins[name] = Origin(path, self._rank)
            if self._of_events:
                self._names.add(wanted)  # type: ignore[union-attr]  # a set for events

    def put_scalar(self, name: str, value: JsonValue, path: str) -> None:
        """Write *value*, which is no object and no list, under *name*, which need not be clean."""
        flattener = self._flattener
        name = CLEAN[name]
        if type(value) in (int, float) and flattener.is_date(name):
            if value < 0 and is_zero_time(value):  # type: ignore[operator]  # its type is compared
                self.note(flattener.date_rule, path, "zero time of Go or .NET: counts as no time")
                return
            value = seconds_of_number(value)  # type: ignore[arg-type]  # as above
        if isinstance(value, str):
            dated: str | int | None = value
            if not flattener.keeps_dates:
                name, dated = flattener.dated(name, value, notes=self._notes, path=path)
            if isinstance(dated, str):
                self._put_text(name, dated, path)
            elif dated is not None:
                self.put(name, dated, path)
        elif isinstance(value, float) and not math.isfinite(value):
            self.note("A1", path, "not a finite number")
        elif value is None and self._of_events:
            self.note("E7", path, "null")
        elif isinstance(value, bool) and self._of_events:
            self.put(name, "true" if value else "false", path)
        elif type(value) is int and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            self.put(name, text_of_large(value, path, self._notes), path)
        else:
            check_json(value)
            self.put(name, value, path)

    def note(self, rule: str, path: str, reason: str) -> None:
        self._notes.append(Note(rule, path, reason))

    def _flatten(
        self, name: str, value: dict[str, JsonValue] | list[JsonValue], path: str, *, level: int
    ) -> None:
        """Write the members of *value* under names that begin with *name*; *level* counts from 1."""
        out, names, of_events, limit = self._out, self._names, self._of_events, self._flattener.limit
        members: Iterable[tuple[object, JsonValue]] = (
            value.items() if isinstance(value, dict) else enumerate(value)
        )
        for key, member in members:
            inner_name = f"{name}_{key}"
            kind = type(member)
            if kind is int:
                is_plain = OLDEST < member < FINE_FROM  # type: ignore[operator]  # kind proves that it is a number
            else:
                is_plain = kind is str and len(member) <= LONGEST_TEXT and member[4:5] != "-"  # type: ignore[arg-type, index]  # or a text
            if is_plain:
                clean = INNER[inner_name]
                wanted = FOLDED[clean] if of_events else clean
                if clean and wanted not in names and len(out) < limit:
                    out[clean] = member
                    self._origins[clean] = Origin(f"{path}.{key}", FLATTENED)
                    if of_events:
                        names.add(wanted)  # type: ignore[union-attr]  # a set for events
                    continue
            inner_path = f"{path}.{key}"
            if is_proof(inner_name):
                self.note("R7", inner_path, "a proof of identity")
            elif not isinstance(member, dict | list):
                self.put_scalar(inner_name, member, inner_path)
            elif not member:
                self.note("A5", inner_path, "empty object or list")
            elif isinstance(member, list) and not any(isinstance(item, dict | list) for item in member):
                self._put_list(inner_name, member, inner_path)
            elif level >= _DEEPEST or (isinstance(member, list) and not self._flattens_lists):
                self._put_json(inner_name, member, inner_path)
            else:
                self._flatten(inner_name, member, inner_path, level=level + 1)

    def _put_text(self, name: str, text: str, path: str) -> None:
        if len(text) > LONGEST_TEXT:
            if self._of_events and is_long_link(text):
                self.note("E7", path, "a link longer than 255 characters")
                return
            self.note(self._flattener.text_rule, path, "cut at 255 characters")
        self.put(CLEAN[name], text[:LONGEST_TEXT], path)

    def _put_list(self, name: str, items: list[JsonValue], path: str) -> None:
        """Write a list of scalars as one text; nulls are left out."""
        words: list[str] = []
        for at, item in enumerate(items):
            if isinstance(item, float) and not math.isfinite(item):
                self.note("A1", f"{path}.{at}", "not a finite number")
            elif item is not None:
                word = _word(item)
                if self._of_events and is_long_link(word):
                    self.note("E7", f"{path}.{at}", "a link longer than 255 characters")
                else:
                    words.append(word)
        if words:
            text = ", ".join(words)
            if self._of_events and (whole := _without_cut_link(words)) is not None:
                self.note("E7", path, "cut at 255 characters")
                text = whole
            self._put_text(name, text, path)
        else:
            self.note("A5", path, "empty object or list")

    def _put_json(self, name: str, value: JsonValue, path: str) -> None:
        text = json_text(value, path, self._notes)
        if text is None:
            return
        if len(text) > LONGEST_TEXT:
            self.note("A5", path, "as JSON longer than 255 characters")
        else:
            self.put(CLEAN[name], text, path)


def text_of_large(number: int, path: str, notes: list[Note]) -> str:
    """
    Return a whole number beyond 2^53 as text, with a note (A8).

    Raises:
        NotJson: It is longer than any number of a message; acceptance decides what becomes of it.
    """
    if number.bit_length() > _MOST_BITS:
        raise NotJson
    notes.append(Note("A8", path, "a whole number beyond 2^53: sent as text"))
    return str(number)


def top_level_first(attributes: JsonObject, origins: Mapping[str, Origin]) -> JsonObject:
    """Return *attributes* by the ranks of their origins, plain values first (A7), else in their order."""
    if not origins:
        return attributes
    plain: JsonObject = {}
    later: tuple[JsonObject, JsonObject] = ({}, {})
    for name, value in attributes.items():
        origin = origins.get(name)
        ranked = plain if origin is None or origin.rank == SCALAR else later[origin.rank - TEXT]
        ranked[name] = value
    return {**plain, **later[0], **later[1]}


def _word(item: JsonValue) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    check_json(item)
    return str(item)


def is_long_link(text: str) -> bool:
    """Tell whether *text* starts with a link that a cut at 255 characters would go through (E7)."""
    if len(text) <= LONGEST_TEXT:
        return False
    link = _LINK.match(text)
    return link is not None and link.end() > LONGEST_TEXT


def _without_cut_link(words: list[str]) -> str | None:
    """Return *words* up to the link that a cut at 255 characters would go through, joined; None when there is no such link."""
    start = 0
    for at, word in enumerate(words):
        link = _LINK.match(word)
        if start < LONGEST_TEXT < start + (0 if link is None else link.end()):
            return ", ".join(words[:at])
        start += len(word) + len(", ")
    return None
