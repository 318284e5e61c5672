"""One operation -> the requests it needs, as a generator that yields requests and receives responses (rules M); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..operations import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SubmitEvent,
    TagCompany,
    UpsertCompany,
    UpsertContact,
)
from . import companies as _flow_links
from . import contacts as _flow_contacts
from . import events as _flow_events
from . import merge_and_delete as _flow_removing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..operations import Operation
    from .context import Flow, World

_FLOWS: dict[type[Operation], Callable[[Any, World], Flow]] = {
    UpsertContact: _flow_contacts.upsert_contact,
    MergeContact: _flow_removing.merge_contact,
    DeleteContact: _flow_removing.delete_contact,
    UpsertCompany: _flow_links.upsert_company,
    AttachCompany: _flow_links.attach_company,
    DetachCompany: _flow_links.detach_company,
    TagCompany: _flow_links.tag_company,
    SubmitEvent: _flow_events.submit_event,
}


def flow_of(operation: Operation, world: World) -> Flow:
    """Return the flow that makes *operation* true in *world*."""
    return _FLOWS[type(operation)](operation, world)
