"""Which messages and values are behind a merged step (rules O2, M3); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._intercom.context import Part
from .._intercom.field_repair import REFUSED_VALUE
from ..operations import UpsertCompany, UpsertContact
from ..operations._coalesce import Step
from .attempts import is_part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._intercom.responses import FlowResult
    from .._types import JsonValue
    from .attempts import Attempt


def left_out_a_value(result: FlowResult, single_steps: Sequence[Step]) -> bool:
    """
    Return whether a merged write left out a field for which its messages have different values (rule M3).

    Written one by one, the earlier value stays when Intercom refuses the later one; in the merged write it would be lost.
    """
    refused = [note.path for note in result.notes if note.reason == REFUSED_VALUE]
    return any(_count_values(path, single_steps) > 1 for path in refused)


def _count_values(path: str, single_steps: Sequence[Step]) -> int:
    """Return how many different values the upserts of *single_steps* have for the field at *path*."""
    values: list[JsonValue] = []
    for operation, _ in single_steps:
        if isinstance(operation, UpsertContact | UpsertCompany):
            fields = _fields(operation)
            if path in fields and fields[path] not in values:
                values.append(fields[path])
    return len(values)


def _fields(operation: UpsertContact | UpsertCompany) -> dict[str, JsonValue]:
    attributes = {f"custom_attributes.{name}": value for name, value in operation.attributes.items()}
    return {**operation.fields, **attributes}


def one_by_one(step: Step, attempts: list[Attempt]) -> list[Step]:
    """Return the merged *step* as one step for each message, so that one bad value does not cost the other messages their delivery."""
    merged = step.operation
    return [
        Step(operation, (number,))
        for number in step.messages
        for operation in attempts[number].operations
        if is_part_of(operation, merged)
    ]


def operations_behind(step: Step, attempts: list[Attempt]) -> list[Part]:
    """Return the operations of the messages that *step* serves."""
    return [
        Part(attempts[number].entry.seq, operation, str(attempts[number].entry.message["messageId"]))
        for number in step.messages
        for operation in attempts[number].operations
    ]
