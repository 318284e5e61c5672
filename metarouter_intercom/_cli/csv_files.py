"""Reads messages from CSV: one message a row, with the columns that the first row names. Does not know what a valid message is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import TextIO

import attrs

from .csv_columns import Mapping, map_columns, message_of
from .exit_codes import ExitCode, Failed
from .file_entries import FileEntry

# A cell is at most so long: a message is far shorter, and a quote that is never closed must not swallow the whole file.
_MAX_CELL = 1 << 20
# In characters; a longer line is read in pieces.
_MAX_LINE = 1 << 26
_DELIMITERS = (",", ";", "\t", "|")
_BYTE_ORDER_MARK = "\ufeff"
_REMEDY = "correct the row"


@attrs.frozen(kw_only=True)
class CsvOptions:
    """
    How a CSV file is read.

    Attributes:
        columns: Column name -> path in the message, of the columns that have another name than their path.
        fixed_type: Type of the rows that name none.
        delimiter: What separates cells; None to find it in the first row.
    """

    columns: dict[str, str] = attrs.field(factory=dict)
    fixed_type: str | None = None
    delimiter: str | None = None


class CsvTable:
    """
    The first row of a CSV file, and its other rows as entries.

    Args:
        source: The file in UTF-8.
        options: How to read it.
        name: The file's name in errors.

    Attributes:
        header: The cells of the first row; empty for an empty file.
        delimiter: What separates the cells.
        mapping: Where the columns go.

    Raises:
        Failed: The columns cannot be mapped.
    """

    def __init__(self, source: io.BufferedReader, options: CsvOptions, name: str) -> None:
        csv.field_size_limit(_MAX_CELL)
        # "\n" keeps the line ends within quotes as they are.
        self._text = io.TextIOWrapper(source, encoding="utf-8", errors="surrogateescape", newline="")
        self._lines = _Lines(self._text)
        self._options = options
        self.delimiter = options.delimiter or ","
        try:
            self.header = self._read_header()
            empty = Mapping((), ())
            self.mapping = (
                map_columns(self.header, options.columns, options.fixed_type) if self.header else empty
            )
        except Failed as error:
            raise Failed(f"{name}: {error}", error.code) from None

    def close(self) -> None:
        """Leave the caller's stream open."""
        self._text.detach()

    def entries(self) -> Iterator[FileEntry]:
        """Yield one entry for each row that is not blank."""
        while (row := self._next_row()) is not None:
            line, cells, fault = row
            if fault is not None:
                yield FileEntry(line, "", None, fault, json.dumps(cells), _REMEDY, row=tuple(cells))
            elif any(cells):
                yield self._entry(line, cells)

    def _entry(self, line: int, cells: list[str]) -> FileEntry:
        row = tuple(cells)
        text = json.dumps(cells)
        number, expected = len(cells), len(self.header)
        if number != expected:
            fault = f"{number} cells, where the first row has {expected}"
            remedy = "put cells that contain the delimiter into quotes, and keep empty cells"
            return FileEntry(line, "", None, fault, text, remedy, row=row)
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            fault = "not UTF-8"
            return FileEntry(
                line, "", None, fault, text, "name the file's encoding: --encoding cp1252", row=row
            )
        message, cell_fault = message_of(cells, self.mapping.columns, self._options.fixed_type)
        if cell_fault is None:
            return FileEntry(line, "", message, row=row)
        path, fault = cell_fault
        fault, _, remedy = fault.partition("; ")
        return FileEntry(line, "", None, fault, text, remedy, row=row, path=path)

    def _read_header(self) -> list[str]:
        first = self._lines.peek()
        while first is not None and not first.strip():
            self._lines.take()
            first = self._lines.peek()
        if first is None:
            return []
        declared = first.strip()
        if declared.lower().startswith("sep=") and len(declared) == 5:
            # Excel writes such a line, and does not show it.
            self._lines.take()
            self.delimiter = self._options.delimiter or declared[4]
        elif self._options.delimiter is None:
            self.delimiter = _delimiter_of(first)
        row = self._next_row()
        if row is None:
            return []
        line, cells, fault = row
        if fault is not None:
            raise Failed(f"the row of column names cannot be read: line {line}: {fault}", ExitCode.USAGE)
        return cells

    def _next_row(self) -> tuple[int, list[str], str | None] | None:
        """Return line, cells and fault of the next row; None at the end."""
        if self._lines.peek() is None:
            return None
        line = self._lines.number + 1
        self._lines.begin()
        try:
            cells = next(csv.reader(self._lines, delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            # Only the first line is lost: the others may be rows of their own, if a quote was not closed.
            first = self._lines.put_back_all_but_one()
            return line, [first.rstrip("\r\n")[:_MAX_CELL]], _fault_of(str(error))
        return line, cells, None


def _fault_of(error: str) -> str:
    if "unexpected end" in error or "field larger" in error:
        return "a quote is opened and never closed"
    if "NUL" in error:
        return "a NUL character"
    return "a quote within a cell is not doubled" if "expected after" in error else f"not CSV: {error}"


def _delimiter_of(line: str) -> str:
    """Return the delimiter that splits *line*, the row of column names, into the most cells."""

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([line], delimiter=delimiter), []))

    return max(_DELIMITERS, key=cells)


class _Lines(Iterable[str]):
    """The lines of a text; those of the row that is being read can be put back."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._waiting: list[str] = []
        self._row: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.take()
        if line is None:
            raise StopIteration
        self._row.append(line)
        return line

    def begin(self) -> None:
        """Forget the lines of the last row."""
        self._row.clear()

    def peek(self) -> str | None:
        """Return the next line and leave it; None at the end."""
        if not self._waiting:
            line = self._text.readline(_MAX_LINE)
            if not self.number:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line:
                return None
            self._waiting.append(line)
        return self._waiting[-1]

    def take(self) -> str | None:
        """Return the next line; None at the end."""
        line = self.peek()
        if line is not None:
            self._waiting.pop()
            self.number += 1
        return line

    def put_back_all_but_one(self) -> str:
        """Put back the lines of the row that is being read, except the first one; return that one."""
        first, *rest = self._row
        self._waiting += reversed(rest)
        self.number -= len(rest)
        return first
