"""Custom attributes (rules A1 to A5) and the values of event metadata (E6, E7): flat, clean, bounded; pure."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import NotJson, check_json
from ..messages._facts import is_proof
from ..messages._timestamps import LAST_INSTANT, seconds_of_date_text
from ._attribute_names import CLEAN, FOLDED, INNER, LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..settings import Nesting, Settings

# Rule A5: what lies deeper is kept as JSON text.
_DEEPEST = 5
# json.dumps recurses in C; far below its limit on every supported Python.
_DEEPEST_TEXT = 100
# Where JSON text may hold a proof of identity (rule R7); whether it does is asked of its keys.
_PROOF = re.compile(r"user[\s_\-.]*(hash|jwt)", re.IGNORECASE)


class Flattener:
    """
    Writes traits or properties as flat, named values.

    Args:
        settings: ``nested``, ``nested_overrides`` and ``dates``.
        of_events: Event metadata (E7): booleans as text, null left out, dates under ``_date``, names alike in any letter case.
            Else custom attributes (A): booleans and null stay, dates go under ``_at``.
    """

    __slots__ = ("_date_rule", "_keeps_dates", "_nested", "_of_events", "_overrides", "_text_rule")

    def __init__(self, settings: Settings, *, of_events: bool) -> None:
        self._nested: Nesting = settings.nested
        self._overrides: Mapping[str, Nesting] = settings.nested_overrides
        self._keeps_dates = settings.dates == "keep"
        self._of_events = of_events
        self._text_rule = "E7" if of_events else "A3"
        self._date_rule = "E7" if of_events else "A4"

    def write(
        self, items: Iterable[tuple[str, JsonValue]], out: JsonObject, notes: list[Note], path: str
    ) -> None:
        """
        Write *items* into *out*, in order; the first one that claims a name keeps it.

        Args:
            items: ``(key, value)`` as the caller sent them.
            out: Filled; what is in it already keeps its names.
            notes: Told what is changed or left out.
            path: Of the items in the message: ``traits``.
        """
        of_events = self._of_events
        taken = {FOLDED[name] for name in out} if of_events else out
        for key, value in items:
            kind = type(value)
            name = CLEAN[key]
            if kind is str:
                if len(value) > LONGEST_TEXT:  # type: ignore[arg-type]  # kind says that it is a text
                    value = value[:LONGEST_TEXT]  # type: ignore[index]  # as above
                    notes.append(Note(self._text_rule, f"{path}.{key}", "cut at 255 characters"))
                elif value[4:5] == "-" and not self._keeps_dates:  # type: ignore[index]  # as above
                    seconds = seconds_of_date_text(value)  # type: ignore[arg-type]  # as above
                    if seconds is not None and seconds > LAST_INSTANT:
                        notes.append(Note(self._date_rule, f"{path}.{key}", "after 2286: kept as text"))
                    elif seconds is not None:
                        name, value = self._date_name(name), seconds
            elif kind is bool:
                if of_events:
                    value = "true" if value else "false"
            elif kind is float:
                if not math.isfinite(value):  # type: ignore[arg-type]  # kind says that it is a number
                    notes.append(Note("A1", f"{path}.{key}", "not a finite number"))
                    continue
            elif value is None:
                if of_events:
                    notes.append(Note("E7", f"{path}.{key}", "null"))
                    continue
            elif kind is not int:
                self._write_nested(key, value, out, taken, notes, path)
                continue
            wanted = FOLDED[name] if of_events else name
            if wanted in taken or not name:
                self._put(name, value, out, taken, notes, f"{path}.{key}")
                continue
            out[name] = value
            if of_events:
                taken.add(wanted)  # type: ignore[union-attr]  # a set for events

    def _put(
        self,
        name: str,
        value: JsonValue,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        wanted = FOLDED[name] if self._of_events else name
        if not name:
            notes.append(Note("A2", path, "nothing usable is left of the name"))
        elif wanted in taken:
            notes.append(Note("A2", path, "another value has this name"))
        else:
            out[name] = value
            if isinstance(taken, set):
                taken.add(wanted)

    def _date_name(self, name: str) -> str:
        if self._of_events:
            return name if name.endswith(("_date", "_at")) else f"{name}_date"
        if name.endswith(("_at", "At")):
            return name
        return f"{name[:-3]}_at" if name.endswith(" at") else f"{name}_at"

    def _write_nested(
        self,
        key: str,
        value: JsonValue,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        choice = self._overrides.get(key, self._nested)
        where = f"{path}.{key}"
        if not isinstance(value, dict | list):
            raise NotJson
        if not value:
            notes.append(Note("A5", where, "empty object or list"))
        elif isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
            self._put_list(key, value, out, taken, notes, where)
        elif choice == "drop":
            notes.append(Note("A5", where, "nested value"))
        elif choice == "stringify":
            self._put_json(key, value, out, taken, notes, where)
        else:
            self._flatten(key, value, 1, out, taken, notes, where)

    def _flatten(
        self,
        name: str,
        value: dict[str, JsonValue] | list[JsonValue],
        level: int,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        """Write the members of *value* under names that begin with *name*; *level* counts from 1."""
        members: Iterable[tuple[object, JsonValue]] = (
            value.items() if isinstance(value, dict) else enumerate(value)
        )
        for key, member in members:
            inner_name = f"{name}_{key}"
            kind = type(member)
            if kind is int or (kind is str and len(member) <= LONGEST_TEXT and member[4:5] != "-"):  # type: ignore[arg-type, index]  # kind says that it is a text
                clean = INNER[inner_name]
                wanted = FOLDED[clean] if self._of_events else clean
                if clean and wanted not in taken:
                    out[clean] = member
                    if taken is not out:
                        taken.add(wanted)  # type: ignore[union-attr]  # a set for events
                    continue
            inner_path = f"{path}.{key}"
            if is_proof(inner_name):
                notes.append(Note("R7", inner_path, "a proof of identity"))
            elif not isinstance(member, dict | list):
                self._put_scalar(inner_name, member, out, taken, notes, inner_path)
            elif not member:
                notes.append(Note("A5", inner_path, "empty object or list"))
            elif isinstance(member, list) and not any(isinstance(item, dict | list) for item in member):
                self._put_list(inner_name, member, out, taken, notes, inner_path)
            elif level >= _DEEPEST:
                self._put_json(inner_name, member, out, taken, notes, inner_path)
            else:
                self._flatten(inner_name, member, level + 1, out, taken, notes, inner_path)

    def _put_scalar(
        self,
        name: str,
        value: JsonValue,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        name = CLEAN[name]
        if isinstance(value, str):
            seconds = None if self._keeps_dates else seconds_of_date_text(value)
            if seconds is None or seconds > LAST_INSTANT:
                if seconds is not None:
                    notes.append(Note(self._date_rule, path, "after 2286: kept as text"))
                self._put_text(name, value, out, taken, notes, path)
            else:
                self._put(self._date_name(name), seconds, out, taken, notes, path)
        elif isinstance(value, float) and not math.isfinite(value):
            notes.append(Note("A1", path, "not a finite number"))
        elif value is None and self._of_events:
            notes.append(Note("E7", path, "null"))
        elif isinstance(value, bool) and self._of_events:
            self._put(name, "true" if value else "false", out, taken, notes, path)
        else:
            check_json(value)
            self._put(name, value, out, taken, notes, path)

    def _put_text(
        self,
        name: str,
        text: str,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        if len(text) > LONGEST_TEXT:
            notes.append(Note(self._text_rule, path, "cut at 255 characters"))
        self._put(CLEAN[name], text[:LONGEST_TEXT], out, taken, notes, path)

    def _put_list(
        self,
        name: str,
        items: list[JsonValue],
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        """Write a list of scalars as one text; null stands for nothing in it."""
        words: list[str] = []
        for at, item in enumerate(items):
            if isinstance(item, float) and not math.isfinite(item):
                notes.append(Note("A1", f"{path}.{at}", "not a finite number"))
            elif item is not None:
                words.append(_word(item))
        if words:
            self._put_text(name, ", ".join(words), out, taken, notes, path)
        else:
            notes.append(Note("A5", path, "empty object or list"))

    def _put_json(
        self,
        name: str,
        value: JsonValue,
        out: JsonObject,
        taken: set[str] | JsonObject,
        notes: list[Note],
        path: str,
    ) -> None:
        text = _json_text(value)
        if text is not None and _PROOF.search(text) is not None:
            pruned = _without_proofs(value)
            if pruned != value:
                notes.append(Note("R7", path, "a proof of identity"))
                text = _json_text(pruned)
        if text is None:
            notes.append(Note("A5", path, "no JSON can hold it"))
        elif len(text) > LONGEST_TEXT:
            notes.append(Note("A5", path, "as JSON longer than 255 characters"))
        else:
            self._put(CLEAN[name], text, out, taken, notes, path)


def _word(item: JsonValue) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    check_json(item)
    return str(item)


def _without_proofs(value: JsonValue) -> JsonValue:
    """Return *value*, which is not deep, without proofs of identity at any level (R7)."""
    if isinstance(value, list):
        return [_without_proofs(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_proofs(member) for key, member in value.items() if not is_proof(key)}
    return value


def _json_text(value: JsonValue) -> str | None:
    """Return compact JSON; None when it is nested too deep or no JSON at all."""
    if _is_deep(value):
        return None
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        return None


def _is_deep(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(_DEEPEST_TEXT):
        level = [
            member
            for item in level
            if isinstance(item, dict | list)
            for member in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
