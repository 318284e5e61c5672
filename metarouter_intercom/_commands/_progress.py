"""How far a file was read, kept beside its spool, so that ``send`` goes on after Ctrl-C or a crash without doubling."""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import attrs

from ._errors import ExitCode, Failed

# So much of the file's beginning tells it from another one; a file that only grew is still the same.
_HEAD = 4096


@attrs.define(kw_only=True)
class Progress:
    """
    What of a file has been read into its spool.

    Attributes:
        path: Of the record; None keeps none (standard input).
        head: Digest of the file's first *head_bytes* bytes.
        head_bytes: How many bytes that was.
        index: Messages read, rejected ones included.
        rejected: Those among them that were rejected.
        is_done: The file was read to its end and everything delivered.
    """

    path: Path | None
    head: str
    head_bytes: int
    index: int = 0
    rejected: int = 0
    is_done: bool = False

    def save(self) -> None:
        """Write the record in one step: a crash leaves the old one or the new one."""
        if self.path is None:
            return
        facts = attrs.asdict(self, filter=lambda field, _: field.name != "path")
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(facts, file)
        fresh.replace(self.path)

    def message_id(self, index: int) -> str:
        """Return the id of a message that has none: the same each time the file is read, so that a repeat is recognised."""
        return f"file-{self.head}-{index}"


def start_progress(stream: BinaryIO, record: Path) -> Progress:
    """
    Return the progress of the file behind *stream*, which is left at its beginning.

    Raises:
        Failed: The record belongs to another file.
    """
    beginning = stream.read(_HEAD)
    stream.seek(0)
    fresh = Progress(path=record, head=_digest(beginning), head_bytes=len(beginning))
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        known = Progress(path=record, **facts)
    except FileNotFoundError:
        return fresh
    except (ValueError, TypeError):
        raise Failed(
            f"{record}: not readable; delete it to send the file from its beginning", ExitCode.FILE
        ) from None
    if _digest(beginning[: known.head_bytes]) != known.head or len(beginning) < known.head_bytes:
        raise Failed(f"{record}: belongs to another file; give another --spool", ExitCode.FILE)
    return known


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
