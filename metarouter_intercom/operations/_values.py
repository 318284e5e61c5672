"""What we want to be true in Intercom, as frozen values; knows neither HTTP nor JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from .._types import ContactId, ExternalId, JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import Note

    Json = Mapping[str, JsonValue]

__all__ = [
    "AttachCompany",
    "DeleteContact",
    "DetachCompany",
    "MergeContact",
    "Operation",
    "SubmitEvent",
    "TagCompany",
    "Translation",
    "UpsertCompany",
    "UpsertContact",
    "Who",
]


@attrs.frozen(kw_only=True, slots=False)
class Who:
    """
    Whom an operation is about, by all that the message tells; at least one is not None.

    The first one that is not None, in this order, is the contact's key (rule R8).

    Attributes:
        contact_id: Intercom's own id, when the message names it.
        external_id: The caller's id (``userId``).
        email: As it was sent; compared in small letters.
        anonymous_id: Of a lead; written as its attribute ``anonymous_id``, for a lead cannot carry it as external id.
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


@attrs.frozen(kw_only=True, slots=False)
class UpsertContact:
    """
    The contact is there with these facts.

    Attributes:
        who: The contact; its ``external_id`` is written too, unless *role* is ``lead``.
        role: ``user`` or ``lead``; None leaves it as it is (only Intercom's own id is known).
        fields: Standard fields by Intercom's names (``email``, ``name``, ``signed_up_at``...), without external id and role. None
            clears a field. ``owner_id`` is an int here, whatever the API version wants.
        attributes: Custom attributes; None clears one.
    """

    who: Who
    role: Literal["user", "lead"] | None
    fields: Json
    attributes: Json


@attrs.frozen(kw_only=True, slots=False)
class UpsertCompany:
    """
    The company is there with these facts.

    Attributes:
        company_id: The caller's id of it.
        fields: Standard fields by Intercom's names (``name``, ``plan``, ``size``...), without ``company_id``.
        attributes: Custom attributes; None clears one.
    """

    company_id: str
    fields: Json
    attributes: Json


@attrs.frozen(kw_only=True, slots=False)
class AttachCompany:
    """The contact belongs to the company; an unknown company is left alone, with a note, when *only_known*."""

    who: Who
    company_id: str
    only_known: bool = False


@attrs.frozen(kw_only=True, slots=False)
class DetachCompany:
    """The contact does not belong to the company; an unknown or already detached one is a success with a note."""

    who: Who
    company_id: str


@attrs.frozen(kw_only=True, slots=False)
class SubmitEvent:
    """
    Something happened to the contact.

    Attributes:
        who: ``external_id`` is tried first, ``email`` when that one is not found.
        event_name: Not blank.
        created_at: Unix seconds; with contact and name Intercom's key for recognising a repeated event.
        metadata: At most ``metadata_limit`` keys, in the order in which Intercom shall keep them.
    """

    who: Who
    event_name: str
    created_at: int
    metadata: Json


@attrs.frozen(kw_only=True, slots=False)
class MergeContact:
    """The lead is folded into the user."""

    lead: Who
    user: Who


@attrs.frozen(kw_only=True, slots=False)
class TagCompany:
    """The company carries the tag *name*."""

    company_id: str
    name: str


@attrs.frozen(kw_only=True, slots=False)
class DeleteContact:
    """The contact is gone for good; only put away when *archive*."""

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
    | DeleteContact
)


@attrs.frozen(slots=False)
class Translation:
    """
    What a message means for Intercom.

    Attributes:
        operations: In the order in which they make sense; empty when skipped.
        notes: What was changed, shortened or left out, and why.
        skipped: Why the message has nothing to do in Intercom; None when it has.
    """

    operations: tuple[Operation, ...] = ()
    notes: tuple[Note, ...] = ()
    skipped: str | None = None
