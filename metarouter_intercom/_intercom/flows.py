"""Which flow each operation has; a flow yields the requests that make the operation true and receives their responses; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..operations import (
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
)
from .companies import attach_company, detach_company, tag_company, upsert_company
from .contacts import upsert_contact
from .events import submit_event
from .merge_and_delete import delete_contact, merge_contact
from .subscriptions import set_subscription
from .tags import tag_contact

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..operations import Operation
    from .context import Flow, World

_FLOWS: dict[type[Operation], Callable[[Any, World], Flow]] = {
    UpsertContact: upsert_contact,
    MergeContact: merge_contact,
    DeleteContact: delete_contact,
    UpsertCompany: upsert_company,
    AttachCompany: attach_company,
    DetachCompany: detach_company,
    TagCompany: tag_company,
    TagContact: tag_contact,
    SetSubscription: set_subscription,
    SubmitEvent: submit_event,
}


def flow_of(operation: Operation, world: World) -> Flow:
    """Return the flow that makes *operation* true in *world*."""
    return _FLOWS[type(operation)](operation, world)
