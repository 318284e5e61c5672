"""From the operations that are due together to the fewest that leave the same workspace (rule O2); pure, knows no requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._values import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SubmitEvent,
    TagCompany,
    UpsertCompany,
    UpsertContact,
    Who,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonValue
    from ._values import Operation


class Step(NamedTuple):
    """
    One operation to run, and the messages it serves.

    Attributes:
        operation: As merged.
        messages: The caller's numbers of the messages behind it, rising; the last one carries the write.
    """

    operation: Operation
    messages: tuple[int, ...]


def plan(operations: Sequence[tuple[int, Operation]], *, merge_across_events: bool) -> list[Step]:
    """
    Put the operations of one lane into the order of rule O2 and merge what can be merged.

    Running the steps leaves the workspace as running the operations one by one does.

    Args:
        operations: With the number of the message each one comes from, in the accepted order.
        merge_across_events: False keeps the accepted order to the letter and merges only neighbours.
    """
    steps: list[Step] = []
    if not merge_across_events:
        for number, operation in operations:
            _add(steps[-1:], steps, operation, number)
        return steps
    stretch = _Stretch()
    for number, operation in operations:
        if isinstance(operation, DeleteContact):
            steps += [*stretch.steps(), Step(operation, (number,))]
            stretch = _Stretch()
            continue
        if isinstance(operation, MergeContact) and stretch.has_events_of(operation.lead):
            # Sent to the lead and perhaps arrived, they are no repeats for the user whom it becomes.
            steps += stretch.steps()
            stretch = _Stretch()
        stretch.add(operation, number)
    return steps + stretch.steps()


class _Stretch:
    """Operations with nothing between them that parts them, by the place that rule O2 gives them."""

    def __init__(self) -> None:
        self._contacts: list[Step] = []
        self._companies: list[Step] = []
        self._tags: list[Step] = []
        self._links: list[Step] = []
        self._events: list[Step] = []
        self._merged_users: set[str] = set()
        self._has_late_upserts = False

    def steps(self) -> list[Step]:
        return [*self._contacts, *self._companies, *self._tags, *self._links, *self._events]

    def has_events_of(self, who: Who) -> bool:
        return any(
            step.operation.who.key == who.key
            for step in self._events
            if isinstance(step.operation, SubmitEvent)
        )

    def add(self, operation: Operation, number: int) -> None:
        if isinstance(operation, SubmitEvent):
            self._events.append(Step(operation, (number,)))
            return
        section = self._section(operation)
        _add(section, section, operation, number)

    def _section(self, operation: Operation) -> list[Step]:
        if isinstance(operation, UpsertCompany):
            return self._companies
        if isinstance(operation, TagCompany):
            return self._tags
        if isinstance(operation, UpsertContact):
            if not self._is_late(operation):
                return self._contacts
            self._has_late_upserts = True
        elif isinstance(operation, MergeContact):
            self._merged_users.add(operation.user.key)
        return self._links

    def _is_late(self, upsert: UpsertContact) -> bool:
        """
        Tell whether *upsert* must stay behind the lead's merge that was accepted before it.

        A merge fills the user's empty fields from the lead, so a value may be written before it (the user's own wins) but a clearing
        may not. The lead itself is another contact after the merge.
        """
        if not self._merged_users:
            return False
        if self._has_late_upserts or upsert.who.key not in self._merged_users:
            return True
        return None in upsert.fields.values() or None in upsert.attributes.values()


def _add(candidates: Sequence[Step], steps: list[Step], operation: Operation, number: int) -> None:
    """Fold *operation* into the last of *candidates* that takes it, else append it to *steps*."""
    for position in range(len(candidates) - 1, -1, -1):
        earlier, numbers = candidates[position]
        merged = _merged(earlier, operation)
        if merged is not None:
            messages = numbers if number in numbers else (*numbers, number)
            steps[position - len(candidates)] = Step(merged, messages)
            return
        if not _may_pass(earlier, operation):
            break
    steps.append(Step(operation, (number,)))


# --- what may pass what -----------------------------------------------------------------------------------


def _may_pass(earlier: Operation, later: Operation) -> bool:
    """Tell whether *later* has the same effect before *earlier* as after it."""
    if isinstance(later, MergeContact) or isinstance(earlier, MergeContact):
        return False
    if isinstance(later, UpsertContact) and isinstance(earlier, UpsertContact):
        return _are_strangers(earlier.who, later.who) and _emails(earlier).isdisjoint(_emails(later))
    if isinstance(later, UpsertCompany) and isinstance(earlier, UpsertCompany):
        return earlier.company_id != later.company_id
    if isinstance(later, AttachCompany | DetachCompany) and isinstance(
        earlier, AttachCompany | DetachCompany
    ):
        return earlier.company_id != later.company_id or _are_strangers(earlier.who, later.who)
    return True


def _are_strangers(one: Who, other: Who) -> bool:
    """Tell whether the two are surely not one contact: ids of one kind that differ."""
    kind, _, name = one.key.partition(":")
    other_kind, _, other_name = other.key.partition(":")
    return kind == other_kind and name != other_name


def _emails(upsert: UpsertContact) -> set[str]:
    given = (upsert.who.email, upsert.fields.get("email"))
    return {email.lower() for email in given if isinstance(email, str)}


# --- merging two ------------------------------------------------------------------------------------------


def _merged(earlier: Operation, later: Operation) -> Operation | None:
    """Return one operation with the effect of both in turn, or None."""
    if isinstance(earlier, UpsertContact) and isinstance(later, UpsertContact):
        return _merged_contact(earlier, later)
    if isinstance(earlier, UpsertCompany) and isinstance(later, UpsertCompany):
        if earlier.company_id != later.company_id or not _agree(earlier, later):
            return None
        return UpsertCompany(
            company_id=later.company_id,
            fields={**earlier.fields, **later.fields},
            attributes={**earlier.attributes, **later.attributes},
        )
    if isinstance(earlier, AttachCompany) and isinstance(later, AttachCompany):
        if not _is_same_link(earlier, later):
            return None
        only_known = earlier.only_known and later.only_known
        who = _united(earlier.who, later.who)
        return AttachCompany(who=who, company_id=later.company_id, only_known=only_known)
    if isinstance(earlier, DetachCompany) and isinstance(later, DetachCompany):
        if not _is_same_link(earlier, later):
            return None
        return DetachCompany(who=_united(earlier.who, later.who), company_id=later.company_id)
    if isinstance(earlier, TagCompany | MergeContact) and earlier == later:
        return later
    return None


def _merged_contact(earlier: UpsertContact, later: UpsertContact) -> UpsertContact | None:
    if not _is_same_person(earlier.who, later.who) or not _agree(earlier, later):
        return None
    if earlier.role != later.role and None not in (earlier.role, later.role):
        return None
    return UpsertContact(
        who=_united(earlier.who, later.who),
        role=later.role or earlier.role,
        fields={**earlier.fields, **later.fields},
        attributes={**earlier.attributes, **later.attributes},
    )


def _is_same_link(one: AttachCompany | DetachCompany, other: AttachCompany | DetachCompany) -> bool:
    return one.company_id == other.company_id and _is_same_person(one.who, other.who)


def _is_same_person(one: Who, other: Who) -> bool:
    if one.key != other.key:
        return False
    # Under one contact id two messages may still claim different external ids: each is for Intercom to judge.
    return None in (one.external_id, other.external_id) or one.external_id == other.external_id


def _united(earlier: Who, later: Who) -> Who:
    if earlier == later:
        return later
    return Who(
        contact_id=later.contact_id or earlier.contact_id,
        external_id=later.external_id or earlier.external_id,
        email=later.email or earlier.email,
        anonymous_id=later.anonymous_id or earlier.anonymous_id,
    )


def _agree(earlier: UpsertContact | UpsertCompany, later: UpsertContact | UpsertCompany) -> bool:
    """
    Tell whether both have values of one kind for each attribute.

    An unknown attribute is made with the kind of the value that is written first, so the earlier one must not be passed over.
    """
    return all(
        _kind(earlier.attributes[name]) in (None, _kind(value)) or value is None
        for name, value in later.attributes.items()
        if name in earlier.attributes
    )


def _kind(value: JsonValue) -> str | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
