"""Which column of a CSV file goes where in a message, and as what kind of value; reads no file."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .._types import JsonObject, JsonValue
from .exit_codes import ExitCode, Failed

TYPES = ("identify", "track", "group", "page", "screen", "alias")
# The first column of a rejects file. It is never sent, so a corrected rejects file can be sent as it is.
REJECTED_BECAUSE = "rejected_because"

# Fields of a message, and the objects in it that have fields of their own.
_FIELDS = (
    "type",
    "userId",
    "anonymousId",
    "messageId",
    "groupId",
    "previousId",
    "event",
    "name",
    "category",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
    "version",
)
_OBJECTS = ("traits", "properties", "context", "integrations")
_BY_FOLDED_NAME = {name.lower(): name for name in (*_FIELDS, *_OBJECTS)}
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
# Longer numbers lose digits in most programs that read JSON.
_MOST_DIGITS = 30
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


class Column(NamedTuple):
    """
    Where the cells of one column go.

    Attributes:
        position: Position in the row, from 0.
        path: Path in the message.
        kind: ``text``, ``number``, ``boolean`` or ``json``.
    """

    position: int
    path: tuple[str, ...]
    kind: str


class CellFault(ValueError):
    """A cell is not of the kind that its column has."""


def parse_columns(texts: Iterable[str]) -> dict[str, str]:
    """
    Return column name -> target from the values of ``--columns``.

    Args:
        texts: ``name=path,name=path:kind``. A name that contains a comma is written in quotes: ``"a,b=traits.x"``.

    Raises:
        Failed: A part is no ``name=path``, or names a column twice.
    """
    columns: dict[str, str] = {}
    for part in csv.reader(texts, skipinitialspace=True):
        for one in filter(None, part):
            name, equals, target = (word.strip() for word in one.rpartition("="))
            if not equals or not name:
                raise Failed(
                    f"--columns {one}: write COLUMN=PATH, for example plan=traits.plan", ExitCode.USAGE
                )
            if name in columns:
                raise Failed(f"--columns {name}: named twice; give each column one path", ExitCode.USAGE)
            columns[name] = target
    return columns


class Mapping(NamedTuple):
    """
    How the rows of one file become messages.

    Attributes:
        columns: The columns that are sent.
        unsent: Names of the columns that are not.
    """

    columns: tuple[Column, ...]
    unsent: tuple[str, ...]


def map_columns(header: Sequence[str], chosen: dict[str, str], fixed_type: str | None) -> Mapping:
    """
    Decide where each column of *header* goes.

    Args:
        header: The names in the first row.
        chosen: Column name -> target, from ``--columns``; an empty target leaves the column out.
        fixed_type: The type of rows whose ``type`` is empty or that have no such column.

    Raises:
        Failed: A name is missing, doubled or unknown, two columns have one path, or nothing says of which type the rows are.
    """
    names = [name.strip() for name in header]
    _check_chosen(names, chosen)
    columns: list[Column] = []
    unsent: list[str] = []
    for index, name in enumerate(names):
        if name == REJECTED_BECAUSE and name not in chosen:
            continue
        target = chosen.get(name)
        place = _place(name) if target is None else _place(target) if target else None
        if target and (place is None or ":" in "".join(place[0])):
            raise Failed(_no_path(name, target), ExitCode.USAGE)
        if place is not None:
            columns.append(Column(index, *place))
        elif target is None:
            unsent.append(name or f"number {index + 1} (without a name)")
    if unsent and not chosen:
        raise Failed(_unknown(unsent, nothing_known=not columns), ExitCode.USAGE)
    _check_paths(names, columns)
    if fixed_type is None and not any(column.path == ("type",) for column in columns):
        raise Failed(
            "no column says of which type the rows are; add --type identify (or track, group, page, screen, alias), "
            "or map a column to type",
            ExitCode.USAGE,
        )
    return Mapping(tuple(columns), tuple(unsent))


def _check_chosen(names: Sequence[str], chosen: dict[str, str]) -> None:
    missing = [name for name in chosen if name not in names]
    if missing:
        raise Failed(
            f"--columns {', '.join(missing)}: no such column; the file has {', '.join(filter(None, names)) or 'none'}",
            ExitCode.USAGE,
        )
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    wanted = [name for name in doubled if chosen.get(name) or (name not in chosen and _place(name))]
    if wanted:
        raise Failed(
            f"column {', '.join(wanted)}: there are two of this name; rename one of them", ExitCode.USAGE
        )


def _check_paths(names: Sequence[str], columns: Sequence[Column]) -> None:
    by_path: dict[tuple[str, ...], str] = {}
    for column in columns:
        name = names[column.position]
        if column.path in by_path:
            raise Failed(
                f"columns {by_path[column.path]} and {name}: both go to {'.'.join(column.path)}; leave one out with "
                f"--columns {name}=",
                ExitCode.USAGE,
            )
        by_path[column.path] = name
    for path, name in by_path.items():
        for length in range(1, len(path)):
            if path[:length] in by_path:
                raise Failed(
                    f"columns {by_path[path[:length]]} and {name}: {'.'.join(path)} lies in {'.'.join(path[:length])}; "
                    "leave one of them out",
                    ExitCode.USAGE,
                )


def _place(target: str) -> tuple[tuple[str, ...], str] | None:
    """Return path and kind of *target*, such as ``traits.age:number``; None if it is no path of a message."""
    text, _, kind = target.rpartition(":") if target.rpartition(":")[2] in _KINDS else (target, "", "")
    parts = text.split(".")
    first = _BY_FOLDED_NAME.get(parts[0].replace("_", "").lower())
    if first is None or not all(parts):
        return None
    if len(parts) == 1:
        # A whole object in one cell can only be JSON.
        return ((first,), "json" if first in _OBJECTS else kind or "text")
    return ((first, *parts[1:]), kind or "text") if first in _OBJECTS else None


def _no_path(name: str, target: str) -> str:
    text, colon, kind = target.rpartition(":")
    if colon and _place(text) is not None:
        return f"--columns {name}={target}: {kind} is no kind of value; use one of {', '.join(_KINDS)}"
    return (
        f"--columns {name}={target}: no path of a message; use a field such as userId, event or timestamp, or a path such as "
        f"traits.{target.rpartition('.')[2] or 'plan'}"
    )


def _unknown(names: Sequence[str], *, nothing_known: bool) -> str:
    example = ",".join(f"{name}=traits.{re.sub('[^A-Za-z0-9_]+', '_', name)}" for name in names[:2])
    start = "is the row of column names missing? " if nothing_known else ""
    return (
        f"{start}column {', '.join(names)}: no path of a message; say where each goes, for example --columns {example}, "
        "or leave it out with COLUMN="
    )


# --- one row ------------------------------------------------------------------------------------------------------


def message_of(
    cells: Sequence[str], columns: Iterable[Column], fixed_type: str | None
) -> tuple[JsonObject, tuple[str, str] | None]:
    """Return the message of one row, and path and fault of the first cell that is not of its kind; an empty cell is left out."""
    message: JsonObject = {} if fixed_type is None else {"type": fixed_type}
    fault = None
    for column in columns:
        cell = cells[column.position]
        if not cell:
            continue
        try:
            value = _KINDS[column.kind](cell)
        except CellFault as error:
            fault = fault or (".".join(column.path), str(error))
            continue
        place = message
        for name in column.path[:-1]:
            inner = place.setdefault(name, {})
            # `map_columns` lets no path lie inside the value of another one.
            place = inner if isinstance(inner, dict) else {}
        place[column.path[-1]] = value
    return message, fault


def _text(cell: str) -> JsonValue:
    return cell


def _number(cell: str) -> JsonValue:
    text = cell.strip()
    if len(text) <= _MOST_DIGITS:
        if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        try:
            number = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise CellFault("not a number; write it as 1234.5")


def _boolean(cell: str) -> JsonValue:
    word = cell.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise CellFault("not a boolean; write true or false")


def _json(cell: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(cell)
    except (ValueError, RecursionError):
        raise CellFault("not JSON; a text is written in quotes") from None
    return value


_KINDS = {"text": _text, "number": _number, "boolean": _boolean, "json": _json}
