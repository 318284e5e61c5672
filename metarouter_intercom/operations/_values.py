"""Defines operations, which say what must be true in Intercom, as frozen values; knows neither HTTP nor JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import attrs

from .._types import ContactId, ExternalId, JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import Note

    Json = Mapping[str, JsonValue]
    Origins = Mapping[str, "Origin"]

__all__ = [
    "AttachCompany",
    "DeleteContact",
    "DetachCompany",
    "MergeContact",
    "Operation",
    "Origin",
    "SetSubscription",
    "SubmitEvent",
    "TagCompany",
    "TagContact",
    "Translation",
    "UpsertCompany",
    "UpsertContact",
    "Who",
]


@attrs.frozen(kw_only=True, slots=False)
class Who:
    """
    Whom an operation is about, by every id in the message; at least one is not None.

    The first one that is not None, in this order, makes the contact's key (rule R8).

    Attributes:
        contact_id: The id that Intercom made, when the message names it.
        external_id: The caller's id (``userId``).
        email: As the caller sent it; compared in small letters.
        anonymous_id: The id of a lead. It is written as the attribute ``anonymous_id``, because a lead cannot have it as external id.
    """

    contact_id: ContactId | None = None
    external_id: ExternalId | None = None
    email: str | None = None
    anonymous_id: str | None = None

    @property
    def key(self) -> str:
        """The contact's key with its kind: ``contact:..``, ``user:..``, ``email:..`` (small letters) or ``anonymous:..``."""
        if self.contact_id is not None:
            return f"contact:{self.contact_id}"
        if self.external_id is not None:
            return f"user:{self.external_id}"
        if self.email is not None:
            return f"email:{self.email.lower()}"
        return f"anonymous:{self.anonymous_id}"


def who_of(contact_id: str | None, external_id: str | None, email: str | None = None) -> Who:
    """Return whom a message is about that has these ids; at least one is not None."""
    return Who(contact_id=contact_id, external_id=external_id, email=email)  # type: ignore[arg-type]  # a NewType is its base at run time


class Origin(NamedTuple):
    """
    Which trait a custom attribute comes from.

    Attributes:
        path: The trait's place in the message: ``traits.address.city``.
        rank: How important it is when not every attribute can be created (A7): 0 is a plain value, 1 a list or object that was written
            as one text, 2 a member of a flattened value.
    """

    path: str
    rank: int = 0


SCALAR, TEXT, FLATTENED = range(3)
"""The ranks of origins."""


_NO_ORIGINS: Origins = {}


@attrs.frozen(kw_only=True, slots=False)
class UpsertContact:
    """
    The contact must exist with these fields and attributes.

    Attributes:
        who: The contact; its ``external_id`` is written too, unless *role* is ``lead``.
        role: ``user`` or ``lead``; None leaves the role as it is, because the message names only the id that Intercom made.
        fields: Standard fields by Intercom's names (``email``, ``name``, ``signed_up_at``...), without external id and role. None
            clears a field. ``owner_id`` is an int here, whatever the API version expects.
        attributes: Custom attributes, plain values first; None clears one.
        traits_path: The place of the traits in the message.
        origins: Custom attribute -> its trait, for those that are not a plain trait of the same name.
        only_known: The contact is not created; the operation waits for it. Then the only field is ``last_seen_at``, which is refreshed
            and never set back (rule E11).
    """

    who: Who
    role: Literal["user", "lead"] | None
    fields: Json
    attributes: Json
    traits_path: str = attrs.field(default="traits", eq=False, repr=False)
    origins: Origins = attrs.field(default=_NO_ORIGINS, eq=False, repr=False)
    only_known: bool = False


@attrs.frozen(kw_only=True, slots=False)
class UpsertCompany:
    """
    The company must exist with these fields and attributes.

    Attributes:
        company_id: The caller's id of the company.
        fields: Standard fields by Intercom's names (``name``, ``plan``, ``size``...), without ``company_id``.
        attributes: Custom attributes, plain values first; None clears one.
        traits_path: The place of the traits in the message.
        origins: Custom attribute -> its trait, for those that are not a plain trait of the same name.
    """

    company_id: str
    fields: Json
    attributes: Json
    traits_path: str = attrs.field(default="traits", eq=False, repr=False)
    origins: Origins = attrs.field(default=_NO_ORIGINS, eq=False, repr=False)


def origin_of(upsert: UpsertContact | UpsertCompany, name: str) -> Origin:
    """Return where the custom attribute *name* comes from; without an entry in ``origins`` it is the trait of the same name."""
    return upsert.origins.get(name) or Origin(f"{upsert.traits_path}.{name}")


@attrs.frozen(kw_only=True, slots=False)
class AttachCompany:
    """
    The contact must belong to the company.

    Attributes:
        who: The contact.
        company_id: The caller's id of the company.
        only_known: An unknown company is not made, and a note says so.
        path: Of what names the company in the message, for that note.
    """

    who: Who
    company_id: str
    only_known: bool = False
    path: str = attrs.field(default="groupId", eq=False, repr=False)


@attrs.frozen(kw_only=True, slots=False)
class DetachCompany:
    """
    The contact must not belong to the company. If it does not, or one of the two is unknown, the operation succeeds with a note.

    Attributes:
        who: The contact.
        company_id: The caller's id of the company.
        path: Of what names the company in the message, for that note.
    """

    who: Who
    company_id: str
    path: str = attrs.field(default="groupId", eq=False, repr=False)


@attrs.frozen(kw_only=True, slots=False)
class SubmitEvent:
    """
    The event must be among those of the contact.

    Attributes:
        who: The contact. ``external_id`` is tried first, then ``email`` if no contact has that one.
        event_name: Not blank.
        created_at: Unix seconds. Intercom recognises a repeated event by contact, name and this time.
        metadata: At most ``metadata_limit`` keys. If there are more than Intercom keeps, it keeps the first ones.
    """

    who: Who
    event_name: str
    created_at: int
    metadata: Json


@attrs.frozen(kw_only=True, slots=False)
class MergeContact:
    """The lead must be merged into the user."""

    lead: Who
    user: Who


@attrs.frozen(kw_only=True, slots=False)
class TagCompany:
    """The company must have the tag *name*."""

    company_id: str
    name: str


@attrs.frozen(kw_only=True, slots=False)
class TagContact:
    """
    The contact must have the tag *name*, or must not have it if *remove*.

    Attributes:
        who: The contact.
        name: Of the tag; compared without regard to case.
        remove: Take the tag off. A contact without it, or an unknown tag, is a success.
    """

    who: Who
    name: str
    remove: bool = False


@attrs.frozen(kw_only=True, slots=False)
class SetSubscription:
    """
    The contact must get the messages of a subscription type, or must not get them.

    Attributes:
        who: The contact.
        subscription: The id of the type, or its name in any language; names are compared without regard to case.
        is_wanted: Whether the contact wants the messages. Which request that needs depends on the consent type of the subscription type.
        path: Of the choice in the message, for the note about an unknown type.
    """

    who: Who
    subscription: str
    is_wanted: bool
    path: str


@attrs.frozen(kw_only=True, slots=False)
class DeleteContact:
    """The contact must be deleted for good, or only archived if *archive*."""

    who: Who
    archive: bool = False


Operation: TypeAlias = (
    UpsertContact
    | UpsertCompany
    | AttachCompany
    | DetachCompany
    | SubmitEvent
    | MergeContact
    | TagCompany
    | TagContact
    | SetSubscription
    | DeleteContact
)


@attrs.frozen(slots=False)
class Translation:
    """
    What a message means for Intercom.

    Attributes:
        operations: In the order in which they make sense; empty if the message is skipped.
        notes: What was changed, shortened or left out, and why.
        skipped: The reason why the message has nothing to do in Intercom; None if it has something to do.
    """

    operations: tuple[Operation, ...] = ()
    notes: tuple[Note, ...] = ()
    skipped: str | None = None
