"""Which files a command reads: names and patterns become files, each of them once; reads none of them."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, NamedTuple

import attrs

from .csv_files import CsvOptions
from .exit_codes import ExitCode, Failed
from .message_files import FileForm

_PATTERN = frozenset("*?[")
_CSV_ENDINGS = {".csv": None, ".tsv": "\t", ".tab": "\t"}


class Source(NamedTuple):
    """
    One file, or a stream.

    Attributes:
        file: As it is opened; ``-`` for standard input.
        name: As it is printed.
        is_stream: It can be read only once: standard input or a named pipe.
        identity: The same for every name of the same file.
        form: How it is read.
    """

    file: str
    name: str
    is_stream: bool
    identity: str
    form: FileForm

    @property
    def old_name(self) -> str:
        """What the names of its spool and its rejects file begin with."""
        return "stdin" if self.is_stream else self.file

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """Open the file to read it."""
        return nullcontext(sys.stdin.buffer) if self.file == "-" else open(self.file, "rb")

    def size(self) -> int | None:
        """Return its length in bytes; None for a stream."""
        return None if self.is_stream else os.path.getsize(self.file)


def find_sources(
    names: Sequence[str], form_of: Callable[[str], FileForm], tell: Callable[[str], None]
) -> list[Source]:
    """
    Return the files that *names* mean, in their order.

    Args:
        names: Paths, patterns such as ``events-*.jsonl``, and ``-``.
        form_of: How a file of a name is read.
        tell: Told which files are left out, and why.

    Raises:
        Failed: A pattern means no file.
        OSError: A file cannot be read.
    """
    found: dict[str, Source] = {}
    files = [file for name in names for file in _matches(name)]
    for file in files:
        source = _source(file, form_of)
        if source.identity in found:
            tell(f"{source.name}: the same file as {found[source.identity].name}; it is read once")
        elif is_rejects_of_another(file, files):
            tell(
                f"{source.name}: left out, because it has what was rejected of another file; name it alone to send it"
            )
        else:
            found[source.identity] = source
    return list(found.values())


def is_rejects_of_another(file: str, files: Iterable[str]) -> bool:
    """Tell whether *file* is the rejects file of one of *files*."""
    return any(file in (f"{one}.rejects.jsonl", f"{one}.rejects.csv") for one in files)


def _matches(name: str) -> list[str]:
    """Return the files that *name* means. Not every shell expands patterns, and in quotes none does."""
    if name == "-" or os.path.lexists(name) or not _PATTERN & set(name):
        return [name]
    files = sorted(file for file in glob.glob(name, recursive=True) if not os.path.isdir(file))
    if not files:
        raise Failed(f"{name}: no file has such a name; check the pattern and the folder", ExitCode.FILE)
    return files


def _source(file: str, form_of: Callable[[str], FileForm]) -> Source:
    if file == "-":
        return Source(
            file, "<stdin>", True, f"<stdin>\n{os.getcwd()}", form_of(file)._replace(name="<stdin>")
        )
    status = os.stat(file)
    is_stream = not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))
    if not is_stream:
        # Every file must be readable before anything of the first one is sent.
        with open(file, "rb"):
            pass
    name = "<stdin>" if is_stream else file
    return Source(file, name, is_stream, os.path.realpath(file), form_of(file)._replace(name=name))


def form_for(file: str, *, kind: str | None, encoding: str | None, options: CsvOptions) -> FileForm:
    """
    Return how *file* is read.

    Args:
        file: Its name.
        kind: ``json``, ``csv`` or ``tsv``; None to go by the end of the name.
        encoding: Name of the encoding; None to recognise it.
        options: How CSV is read.
    """
    ending = os.path.splitext(file.lower().removesuffix(".gz"))[1]
    is_csv = ending in _CSV_ENDINGS if kind is None else kind != "json"
    usual = "\t" if kind == "tsv" else _CSV_ENDINGS.get(ending)
    if is_csv and options.delimiter is None and usual is not None:
        options = attrs.evolve(options, delimiter=usual)
    return FileForm(is_csv=is_csv, encoding=encoding, options=options, name=file)
