"""The options that say how files of messages are read; shared by the commands that read them."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, TypeVar

import attrs
import click

from .csv_columns import TYPES, parse_columns
from .csv_files import CsvOptions
from .exit_codes import ExitCode, Failed
from .formatting import echo
from .message_files import table_of
from .sources import Source, find_sources, form_for

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}

files_argument = click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))


# What ``file_options`` adds to a command, as ``sources_of`` takes it.
FILE_OPTIONS = ("kind", "columns", "fixed_type", "delimiter", "encoding")


def file_options(command: _Command) -> _Command:
    """Add ``--format``, ``--columns``, ``--type``, ``--delimiter`` and ``--encoding``; the command passes them to ``sources_of``."""
    for option in (
        click.option(
            "--encoding",
            metavar="NAME",
            help="Encoding of the files, for example cp1252; by default UTF-8, UTF-16 or UTF-32, as each file begins.",
        ),
        click.option(
            "--delimiter",
            metavar="CHARACTER",
            help="What separates cells in CSV, or the word tab; found in the first row by default.",
        ),
        click.option(
            "--type", "fixed_type", type=click.Choice(TYPES), help="Type of the rows of CSV that name none."
        ),
        click.option(
            "--columns",
            multiple=True,
            metavar="COLUMN=PATH,...",
            help="Where the columns of CSV go, for example user_id=userId,age=traits.age:number. After a colon: number, boolean, json. "
            "COLUMN= leaves a column out.",
        ),
        click.option(
            "--format",
            "kind",
            type=click.Choice(["json", "csv", "tsv"]),
            help="Format of the files; by default CSV for .csv, TSV for .tsv, and JSON for all others.",
        ),
    ):
        command = option(command)
    return command


def sources_of(
    files: Sequence[str],
    *,
    kind: str | None,
    columns: Sequence[str],
    fixed_type: str | None,
    delimiter: str | None,
    encoding: str | None,
) -> list[Source]:
    """
    Return what *files* mean, after looking at the first rows of all CSV files, so that nothing is sent if one of them cannot be read.

    Raises:
        Failed: An option is wrong, a pattern means no file, or columns cannot be mapped.
        OSError: A file cannot be read.
    """
    options = CsvOptions(
        columns=parse_columns(columns), fixed_type=fixed_type, delimiter=_delimiter(delimiter)
    )
    codec = _codec(encoding)

    def tell(line: str) -> None:
        echo(line, err=True)

    sources = find_sources(
        files, lambda file: form_for(file, kind=kind, encoding=codec, options=options), tell
    )
    if (columns or fixed_type or delimiter) and not any(source.form.is_csv for source in sources):
        raise Failed(
            "--columns, --type and --delimiter are for CSV, and no file is; add --format csv", ExitCode.USAGE
        )
    return [_looked_at(source) for source in sources]


def _looked_at(source: Source) -> Source:
    if not source.form.is_csv or source.is_stream:
        return source
    with source.open() as stream, closing(table_of(stream, source.form)) as table:
        if table.mapping.unsent:
            echo(
                f"{source.name}: not sent, no path given: column {', '.join(table.mapping.unsent)}", err=True
            )
        options = attrs.evolve(source.form.options, delimiter=table.delimiter)
        return source._replace(form=source.form._replace(options=options, header=tuple(table.header)))


def _delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    delimiter = _NAMED_DELIMITERS.get(text.lower(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise Failed(f"--delimiter {text}: give one character, or the word tab", ExitCode.USAGE)
    return delimiter


def _codec(name: str | None) -> str | None:
    """Return the codec's own name; None for UTF-8, which is recognised anyway, with or without a byte order mark."""
    if name is None:
        return None
    try:
        codec = codecs.lookup(name)
        codecs.getincrementaldecoder(codec.name)
        # Some codecs turn bytes into bytes; those are refused here.
        with suppress(UnicodeDecodeError):
            b"a".decode(codec.name)
    except LookupError:
        raise Failed(f"--encoding {name}: no such encoding; try cp1252 or utf-8", ExitCode.USAGE) from None
    return None if codec.name in ("utf-8", "utf-8-sig") else codec.name
