"""Tells spools from other files, before a command opens one: opening another file would change it."""

from __future__ import annotations

import os

from .._delivery.buffers.recognition import is_spool_file
from .exit_codes import ExitCode, Failed

_WHERE = "use the path in the client's `spool` setting"
# How files of messages usually end.
_MESSAGES = (".jsonl", ".json", ".ndjson", ".gz", ".csv", ".tsv", ".log", ".txt")


def require_spool(path: str) -> None:
    """
    Check that there is a spool at *path*.

    Raises:
        Failed: There is no such file, or it is another kind of file.
        OSError: It cannot be read.
    """
    if not os.path.exists(path):
        raise Failed(f"{path}: no such file; {_WHERE}", ExitCode.FILE)
    if is_spool_file(path):
        return
    if os.path.exists(f"{path}.spool"):
        hint = f"did you mean {path}.spool?"
    elif path.lower().endswith(_MESSAGES):
        hint = f"to count the messages in it, run `metarouter-intercom translate {path} --summary`; for the numbers of a spool, {_WHERE}"
    else:
        hint = _WHERE
    raise Failed(f"{path} is not a spool; {hint}", ExitCode.FILE)
