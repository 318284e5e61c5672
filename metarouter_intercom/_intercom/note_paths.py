"""Gives the notes of a write the paths of the traits in each of its messages; pure, knows no request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..operations import UpsertCompany, UpsertContact
from ..operations._values import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .._types import Note
    from ..operations import Operation

_ATTRIBUTES = "custom_attributes."


def attribute_path(name: str) -> str:
    """Return the path of a custom attribute in the body of a request."""
    return f"{_ATTRIBUTES}{name}"


def own_notes(notes: Iterable[Note], operations: Sequence[Operation]) -> Iterator[Note]:
    """
    Yield those of *notes* that concern a message, with the path of its trait for each custom attribute.

    Args:
        notes: Of a write. They name a custom attribute by its place in the body.
        operations: Those of the message that are part of the write.
    """
    upserts = [one for one in operations if isinstance(one, UpsertContact | UpsertCompany)]
    for note in notes:
        name = note.path.removeprefix(_ATTRIBUTES)
        if name == note.path or not upserts:
            yield note
            continue
        for upsert in upserts:
            if name in upsert.attributes:
                yield note._replace(path=origin_of(upsert, name).path)
