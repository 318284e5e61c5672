"""One operation -> the requests it needs, as a generator that yields requests and receives responses (rules M); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _flow_contacts, _flow_events, _flow_links
from .operations import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SubmitEvent,
    TagCompany,
    UpsertCompany,
    UpsertContact,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._directory import Directory
    from ._flow import Flow, World
    from .operations import Operation
    from .settings import Settings

_FLOWS: dict[type[Operation], Callable[[Any, World], Flow]] = {
    UpsertContact: _flow_contacts.upsert_contact,
    MergeContact: _flow_contacts.merge_contact,
    DeleteContact: _flow_contacts.delete_contact,
    UpsertCompany: _flow_links.upsert_company,
    AttachCompany: _flow_links.attach_company,
    DetachCompany: _flow_links.detach_company,
    TagCompany: _flow_links.tag_company,
    SubmitEvent: _flow_events.submit_event,
}


def flow_of(operation: Operation, directory: Directory, settings: Settings, *, now: float) -> Flow:
    """
    Return the flow of *operation*.

    Args:
        operation: What shall be true in Intercom.
        directory: What is known of the workspace; the flow adds what it learns.
        settings: Of the client.
        now: Unix seconds.
    """
    from ._flow import World

    return _FLOWS[type(operation)](operation, World(directory, settings, now))
