"""
Makes the operations of the usual messages at half the cost of calling their classes; each function returns what its class would.

The parameters are positional, because names make each call slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._values import AttachCompany, SubmitEvent, UpsertCompany, UpsertContact, Who

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonValue
    from ._values import Origin

    Json = Mapping[str, JsonValue]
    Origins = Mapping[str, Origin]

_new = object.__new__


def user(external_id: str) -> Who:
    """Return ``Who(external_id=...)``."""
    who = _new(Who)
    fields = who.__dict__
    fields["contact_id"] = fields["email"] = fields["anonymous_id"] = None
    fields["external_id"] = external_id
    return who


def upsert_user(who: Who, written: Json, attributes: Json, origins: Origins) -> UpsertContact:
    """Return ``UpsertContact(role="user", ...)`` for traits under ``traits``; *written* are the standard fields."""
    operation = _new(UpsertContact)
    fields = operation.__dict__
    fields["who"] = who
    fields["role"] = "user"
    fields["fields"] = written
    fields["attributes"] = attributes
    fields["traits_path"] = "traits"
    fields["origins"] = origins
    fields["only_known"] = False
    return operation


def upsert_company(
    company_id: str, written: Json, attributes: Json, traits_path: str, origins: Origins
) -> UpsertCompany:
    """Return ``UpsertCompany(...)``; *written* are the standard fields."""
    operation = _new(UpsertCompany)
    fields = operation.__dict__
    fields["company_id"] = company_id
    fields["fields"] = written
    fields["attributes"] = attributes
    fields["traits_path"] = traits_path
    fields["origins"] = origins
    return operation


def attach_company(who: Who, company_id: str) -> AttachCompany:
    """Return ``AttachCompany(...)``."""
    operation = _new(AttachCompany)
    fields = operation.__dict__
    fields["who"] = who
    fields["company_id"] = company_id
    fields["only_known"] = False
    fields["path"] = "groupId"
    return operation


def submit_event(who: Who, event_name: str, created_at: int, metadata: Json) -> SubmitEvent:
    """Return ``SubmitEvent(...)``."""
    operation = _new(SubmitEvent)
    fields = operation.__dict__
    fields["who"] = who
    fields["event_name"] = event_name
    fields["created_at"] = created_at
    fields["metadata"] = metadata
    return operation
