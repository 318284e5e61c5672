"""
Notes of what a process delivered and could not settle because the file was locked at its end: the next process settles it (rule Q8).

A note is a file beside the journals, with the ids as a JSON list. Without it those messages would be delivered once more.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from .journal_owners import owner_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_NOTE = ".delivered"


def write_note(folder: str, owner: str, credentials: str, message_ids: Sequence[str]) -> bool:
    """Write a note; False when that is not possible."""
    if not message_ids:
        return True
    path = os.path.join(folder, f"{owner}.{credentials}{_NOTE}")
    try:
        with open(f"{path}.part", "w", encoding="utf-8") as file:
            json.dump(message_ids, file)
        os.replace(f"{path}.part", path)
    except OSError:
        return False
    return True


def notes(folder: str, dead: Collection[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, credentials and message ids of each note whose process ended; *dead* are those that ended without saying so."""
    names = [name for name in os.listdir(folder) if name.endswith(_NOTE)]
    for name in names:
        owner = owner_of(name)
        if owner not in dead and os.path.exists(os.path.join(folder, f"{owner}.lock")):
            continue
        with (
            contextlib.suppress(OSError, ValueError),
            open(os.path.join(folder, name), encoding="utf-8") as file,
        ):
            yield name, name.removesuffix(_NOTE).partition(".")[2], [str(one) for one in json.load(file)]
