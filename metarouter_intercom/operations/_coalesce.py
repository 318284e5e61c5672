"""Merges the operations that are due together into the fewest with the same effect (rule O2); knows no request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import attrs

from ._flatten import top_level_first
from ._values import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
    UpsertCompany,
    UpsertContact,
    Who,
    origin_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._types import JsonValue
    from ._values import Operation, Origin


_Choice = TypeVar("_Choice", TagContact, SetSubscription)


_LAST_SEEN = "last_seen_at"


class Step(NamedTuple):
    """
    One operation to run, and the messages it serves.

    Attributes:
        operation: One operation, or several merged into one.
        messages: The numbers of its messages, as ``coalesce`` received them, rising; the last one carries the write.
    """

    operation: Operation
    messages: tuple[int, ...]


def coalesce(operations: Sequence[tuple[int, Operation]], *, merge_across_events: bool) -> list[Step]:
    """
    Put the operations of one lane into the order of rule O2, and merge those that can be merged.

    The steps leave the workspace as the operations would, run one by one.

    Args:
        operations: ``(number of its message, operation)``, in the order in which the messages were accepted.
        merge_across_events: False keeps exactly that order and merges only neighbours.
    """
    steps: list[Step] = []
    if not merge_across_events:
        for number, operation in operations:
            _add(operation, number, steps, candidates=steps[-1:])
        return steps
    stretch = _Stretch()
    for number, operation in operations:
        if isinstance(operation, DeleteContact):
            steps += [*stretch.steps(), Step(operation, (number,))]
            stretch = _Stretch()
            continue
        if isinstance(operation, MergeContact) and stretch.must_end_before(operation):
            steps += stretch.steps()
            stretch = _Stretch()
        stretch.add(operation, number)
    return steps + stretch.steps()


class _Stretch:
    """Operations that may change places, each in the section that rule O2 gives it."""

    def __init__(self) -> None:
        self._contacts: list[Step] = []
        self._choices: list[Step] = []
        self._companies: list[Step] = []
        self._tags: list[Step] = []
        self._links: list[Step] = []
        self._events: list[Step] = []
        # What only refreshes when a contact was last seen: it becomes part of a write of the contact if there is one.
        self._seen: list[Step] = []
        self._merged_users: set[str] = set()
        self._has_late_upserts = False

    def steps(self) -> list[Step]:
        contacts = [*self._contacts]
        seen = [step for step in self._seen if not _join(step, contacts)]
        return [
            *contacts,
            *self._choices,
            *self._companies,
            *self._tags,
            *self._links,
            *self._events,
            *seen,
        ]

    def must_end_before(self, merge: MergeContact) -> bool:
        """
        Tell whether the events must be sent before *merge*, because they, or what comes again with them, must not be repeated after it.

        Events that arrived at the lead would not be recognised as repeats at the user. An event that fails brings back the messages
        behind it, and an upsert that clears a field would clear what the merge has filled since.
        """
        is_clearing = any(
            step.operation.who.key == merge.user.key and _clears_a_value(step.operation)
            for step in (*self._contacts, *self._links)
            if isinstance(step.operation, UpsertContact)
        )
        return any(
            is_clearing or step.operation.who.key == merge.lead.key
            for step in self._events
            if isinstance(step.operation, SubmitEvent)
        )

    def add(self, operation: Operation, number: int) -> None:
        if isinstance(operation, SubmitEvent):
            self._events.append(Step(operation, (number,)))
            return
        if isinstance(operation, UpsertContact) and operation.only_known:
            _add(operation, number, self._seen, candidates=self._seen)
            return
        section = self._section(operation)
        _add(operation, number, section, candidates=section)

    def _section(self, operation: Operation) -> list[Step]:
        if isinstance(operation, UpsertCompany):
            return self._companies
        if isinstance(operation, TagCompany):
            return self._tags
        if isinstance(operation, TagContact | SetSubscription) and not self._merged_users:
            # Before the companies, so that a company which Intercom refuses does not block what the contact itself gets.
            return self._choices
        if isinstance(operation, UpsertContact):
            if not self._is_late(operation):
                return self._contacts
            self._has_late_upserts = True
        elif isinstance(operation, MergeContact):
            self._merged_users.add(operation.user.key)
        return self._links

    def _is_late(self, upsert: UpsertContact) -> bool:
        """
        Tell whether *upsert* must stay after the lead's merge that was accepted before it.

        A merge fills the user's empty fields from the lead. A value may be written before it, because the user's own value wins, but a
        field must not be cleared before it. The lead itself is another contact after the merge.
        """
        if not self._merged_users:
            return False
        if self._has_late_upserts or upsert.who.key not in self._merged_users:
            return True
        return _clears_a_value(upsert)


def _clears_a_value(upsert: UpsertContact) -> bool:
    return None in upsert.fields.values() or None in upsert.attributes.values()


def _add(operation: Operation, number: int, steps: list[Step], *, candidates: Sequence[Step]) -> None:
    """Merge *operation* into the last of *candidates* that allows it, or append it to *steps*; *candidates* are the last of *steps*."""
    for position in range(len(candidates) - 1, -1, -1):
        earlier, numbers = candidates[position]
        merged = _merged(earlier, operation)
        if merged is not None:
            messages = numbers if number in numbers else (*numbers, number)
            steps[position - len(candidates)] = Step(merged, messages)
            return
        if not _may_change_places(earlier, operation):
            break
    steps.append(Step(operation, (number,)))


def _join(step: Step, contacts: list[Step]) -> bool:
    """Merge *step*, which only refreshes a contact, into the last of *contacts* that writes the same one; False if none does."""
    for position in range(len(contacts) - 1, -1, -1):
        earlier, numbers = contacts[position]
        merged = _merged(earlier, step.operation)
        if merged is not None:
            contacts[position] = Step(merged, tuple(sorted({*numbers, *step.messages})))
            return True
    return False


# --- which operations may change places ---------------------------------------------------------------------


def _may_change_places(earlier: Operation, later: Operation) -> bool:
    """Tell whether *later* has the same effect before *earlier* as after it."""
    if isinstance(later, MergeContact) or isinstance(earlier, MergeContact):
        return False
    if isinstance(later, UpsertContact) and isinstance(earlier, UpsertContact):
        return _are_strangers(earlier.who, later.who) and _emails(earlier).isdisjoint(_emails(later))
    if isinstance(later, UpsertCompany) and isinstance(earlier, UpsertCompany):
        return earlier.company_id != later.company_id
    if isinstance(later, TagContact) and isinstance(earlier, TagContact):
        is_other_tag = earlier.name.casefold() != later.name.casefold()
        return is_other_tag or _are_strangers(earlier.who, later.who)
    if isinstance(later, SetSubscription) and isinstance(earlier, SetSubscription):
        # An id and a name may mean the same type.
        return _are_strangers(earlier.who, later.who)
    if isinstance(later, AttachCompany | DetachCompany) and isinstance(
        earlier, AttachCompany | DetachCompany
    ):
        return earlier.company_id != later.company_id or _are_strangers(earlier.who, later.who)
    return True


def _are_strangers(one: Who, other: Who) -> bool:
    """Tell whether the two are certainly different contacts: their ids are of one kind and differ."""
    kind, _, name = one.key.partition(":")
    other_kind, _, other_name = other.key.partition(":")
    return kind == other_kind and name != other_name


def _emails(upsert: UpsertContact) -> set[str]:
    emails = (upsert.who.email, upsert.fields.get("email"))
    return {email.lower() for email in emails if isinstance(email, str)}


# --- merging two ------------------------------------------------------------------------------------------


def _merged(earlier: Operation, later: Operation) -> Operation | None:
    """Return one operation with the effect of both, one after the other; None when there is none."""
    if isinstance(earlier, UpsertContact) and isinstance(later, UpsertContact):
        return _merged_contact(earlier, later)
    if isinstance(earlier, UpsertCompany) and isinstance(later, UpsertCompany):
        if earlier.company_id != later.company_id or not _have_same_types(earlier, later):
            return None
        attributes, origins = _merged_attributes(earlier, later)
        return UpsertCompany(
            company_id=later.company_id,
            fields={**earlier.fields, **later.fields},
            attributes=attributes,
            traits_path=later.traits_path,
            origins=origins,
        )
    if isinstance(earlier, AttachCompany) and isinstance(later, AttachCompany):
        if not _is_same_link(earlier, later):
            return None
        only_known = earlier.only_known and later.only_known
        who = _joined(earlier.who, later.who)
        return AttachCompany(who=who, company_id=later.company_id, only_known=only_known, path=later.path)
    if isinstance(earlier, DetachCompany) and isinstance(later, DetachCompany):
        if not _is_same_link(earlier, later):
            return None
        who = _joined(earlier.who, later.who)
        return DetachCompany(who=who, company_id=later.company_id, path=later.path)
    if isinstance(earlier, TagCompany | MergeContact) and earlier == later:
        return later
    if isinstance(earlier, TagContact) and isinstance(later, TagContact):
        return _later_choice(earlier, later, earlier.name.casefold() == later.name.casefold())
    if isinstance(earlier, SetSubscription) and isinstance(later, SetSubscription):
        return _later_choice(earlier, later, earlier.subscription == later.subscription)
    return None


def _merged_contact(earlier: UpsertContact, later: UpsertContact) -> UpsertContact | None:
    if not _is_same_person(earlier.who, later.who) or not _have_same_types(earlier, later):
        return None
    if earlier.role != later.role and None not in (earlier.role, later.role):
        return None
    attributes, origins = _merged_attributes(earlier, later)
    return UpsertContact(
        who=_joined(earlier.who, later.who),
        role=later.role or earlier.role,
        fields=_merged_fields(earlier, later),
        attributes=attributes,
        traits_path=later.traits_path,
        origins=origins,
        only_known=earlier.only_known and later.only_known,
    )


def _merged_fields(earlier: UpsertContact, later: UpsertContact) -> dict[str, JsonValue]:
    fields = {**earlier.fields, **later.fields}
    if earlier.only_known or later.only_known:
        seen = [one.fields.get(_LAST_SEEN) for one in (earlier, later)]
        # An event's time refreshes the field and never sets it back (rule E11).
        fields[_LAST_SEEN] = max(at for at in seen if isinstance(at, int))
    return fields


def _later_choice(earlier: _Choice, later: _Choice, is_same_subject: bool) -> _Choice | None:
    """Return *later*, which undoes or repeats *earlier*; None when the two are about different people or subjects."""
    if not is_same_subject or not _is_same_person(earlier.who, later.who):
        return None
    return attrs.evolve(later, who=_joined(earlier.who, later.who))


def _merged_attributes(
    earlier: UpsertContact | UpsertCompany, later: UpsertContact | UpsertCompany
) -> tuple[Mapping[str, JsonValue], Mapping[str, Origin]]:
    """Return the attributes of both, plain values first, and where they come from; the later one's trait wins, as its value does."""
    attributes = {**earlier.attributes, **later.attributes}
    if not earlier.origins and earlier.traits_path == later.traits_path:
        origins = later.origins
    else:
        of_earlier = {
            name: origin_of(earlier, name) for name in earlier.attributes if name not in later.attributes
        }
        origins = {**of_earlier, **later.origins}
    return top_level_first(attributes, origins), origins


def _is_same_link(one: AttachCompany | DetachCompany, other: AttachCompany | DetachCompany) -> bool:
    return one.company_id == other.company_id and _is_same_person(one.who, other.who)


def _is_same_person(one: Who, other: Who) -> bool:
    if one.key != other.key:
        return False
    # Two messages with one contact id may have different external ids. Intercom must see both to refuse one.
    return None in (one.external_id, other.external_id) or one.external_id == other.external_id


def _joined(earlier: Who, later: Who) -> Who:
    if earlier == later:
        return later
    return Who(
        contact_id=later.contact_id or earlier.contact_id,
        external_id=later.external_id or earlier.external_id,
        email=later.email or earlier.email,
        anonymous_id=later.anonymous_id or earlier.anonymous_id,
    )


def _have_same_types(earlier: UpsertContact | UpsertCompany, later: UpsertContact | UpsertCompany) -> bool:
    """
    Tell whether both have values of one type for each attribute.

    Intercom gives a new attribute the type of the value that is written first, so the earlier value must be written if its type differs.
    """
    return all(
        _type_of(earlier.attributes[name]) in (None, _type_of(value)) or value is None
        for name, value in later.attributes.items()
        if name in earlier.attributes
    )


def _type_of(value: JsonValue) -> str | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
