"""Which requests a message would cause: runs its flows against the responses of an invented, empty workspace; pure, sends nothing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ..operations import SetSubscription, TagContact, translate
from ..plugins import Response
from .context import World
from .flows import flow_of
from .note_paths import own_notes
from .responses import FlowResult
from .workspace_cache import WorkspaceCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import JsonObject, JsonValue, Note
    from ..messages import Message
    from ..operations import Operation
    from ..plugins import Request
    from ..settings import Settings

CONTACT = "<contact id>"
"""Stands for the id that Intercom would give a contact."""


class Preview(NamedTuple):
    """
    What one message would do.

    Attributes:
        operations: What the message is translated to.
        notes: What would be changed or left out.
        skipped: Why there is nothing to do in Intercom; None when there is.
        requests: What would be sent to a workspace that does not know the person yet.
    """

    operations: Sequence[Operation]
    notes: Sequence[Note]
    skipped: str | None
    requests: Sequence[Request]


def preview(message: Message, settings: Settings) -> Preview:
    """Translate *message* and list its requests."""
    translation = translate(message, settings)
    world = World(WorkspaceCache(None, lock=nullcontext()), settings, 0.0)
    requests: list[Request] = []
    notes = list(translation.notes)
    for operation in translation.operations:
        flow = flow_of(operation, world)
        try:
            request = next(flow)
            while True:
                requests.append(request)
                request = flow.send(_respond(request, operation, translation.operations))
        except StopIteration as end:
            result: FlowResult = end.value
            notes += own_notes(result.notes, [operation])
    return Preview(translation.operations, tuple(notes), translation.skipped, tuple(requests))


def _respond(request: Request, operation: Operation, operations: Sequence[Operation]) -> Response:
    """
    Return the response of a workspace where searches find nobody, and everything else that a request names exists.

    Args:
        request: The request.
        operation: The one that needs it.
        operations: All of the message.
    """
    body: JsonValue = {}
    if request.path.startswith("/contacts/search"):
        body = {"type": "list", "data": [], "total_count": 0, "pages": {}}
    elif request.path.startswith("/companies"):
        sent = request.body if isinstance(request.body, dict) else {}
        callers_id = sent.get("company_id") or unquote(request.path.partition("company_id=")[2])
        body = {"type": "company", "id": f"<id of {callers_id}>", "company_id": callers_id}
    elif isinstance(operation, TagContact):
        tag: JsonObject = {"type": "tag", "id": f"<id of {operation.name}>", "name": operation.name}
        body = {"type": "list", "data": [tag]} if request.method == "GET" else tag
    elif request.path == "/subscription_types":
        body = {"type": "list", "data": _subscription_types(operations)}
    elif request.path.startswith("/contacts"):
        body = {"type": "contact", "id": CONTACT}
    return Response(200, body)


def _subscription_types(operations: Sequence[Operation]) -> list[JsonValue]:
    """Return the types that *operations* name. Nobody knows their consent types without asking Intercom; an opt-out type is the usual kind."""
    names = [operation.subscription for operation in operations if isinstance(operation, SetSubscription)]
    return [
        {"id": f"<id of {name}>", "consent_type": "opt_out", "default_translation": {"name": name}}
        for name in names
    ]
