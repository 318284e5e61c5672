"""How an event is submitted, and what follows when its contact is missing, merged or ambiguous (rules E2, M2, M4); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..operations import Who
from ..plugins import Request
from .contacts import create_bare_contact
from .context import MAX_HOPS
from .lookup import find_contact
from .payloads import event_body
from .response_parsing import canonical_id, error_text, is_success
from .responses import CONTACT_MISSING, DELIVERED, FlowResult, classify, dead

if TYPE_CHECKING:
    from .._types import ContactId
    from ..operations import SubmitEvent
    from ..plugins import Response
    from .context import Flow, Steps, World

_NAME_LIMIT = "active event names"


def submit_event(operation: SubmitEvent, world: World) -> Flow:
    """Submit the event under the best id of its contact; the message waits while there is no such contact (rule M2)."""
    name = operation.event_name.casefold()
    if world.cache.is_refused("event", name, world.now):
        return FlowResult("dead", "event_name_limit")
    result = yield from _by_contact_id(operation, world)
    if result is None:
        result = yield from _by_callers_ids(operation, world)
    if result is None and world.settings.create_missing_contacts:
        created = yield from create_bare_contact(operation.who, world)
        if created.kind != "delivered":
            return created
        result = yield from _by_contact_id(operation, world)
    return result or CONTACT_MISSING


def _by_contact_id(operation: SubmitEvent, world: World) -> Steps[FlowResult | None]:
    """Submit under Intercom's id when it is known; None when it is not, or when that contact is gone."""
    who = operation.who
    contact_id = who.contact_id or world.cache.contact_id(who.key)
    if contact_id is None and who.external_id is None and who.email is None:
        # For a lead Intercom accepts only the id that it made itself (OpenAPI 2.16, POST /events).
        lead = yield from find_contact(who, world)
        if isinstance(lead, FlowResult):
            return lead
        contact_id = lead
    if contact_id is None:
        return None
    return (yield from _follow_merges(operation, contact_id, MAX_HOPS, world=world))


def _follow_merges(
    operation: SubmitEvent, contact_id: ContactId, hops: int, *, world: World
) -> Steps[FlowResult | None]:
    """Submit under Intercom's id, or under that of the contact that it was merged into; None when all of them are gone."""
    cache, who = world.cache, operation.who
    current: ContactId | None = contact_id
    tried: set[ContactId] = set()
    while current is not None and current not in tried and len(tried) <= hops:
        tried.add(current)
        request = Request("POST", "/events", event_body(operation, contact_id=current))
        response = yield request
        if response.status not in (404, 410):
            return _result_of(operation, request, response, world=world)
        cache.forget_contact(who.key, current)
        current = canonical_id(response)
        if current is not None and who.contact_id is None:
            cache.follow_merge(who.key, current)
    return None


def _by_callers_ids(operation: SubmitEvent, world: World) -> Steps[FlowResult | None]:
    """Submit under the external id, then under the e-mail address (rule E2); None when Intercom knows neither."""
    who = operation.who
    candidates = []
    if who.external_id is not None:
        candidates.append(Who(external_id=who.external_id))
    if who.email is not None:
        candidates.append(Who(email=who.email.lower()))
    for candidate in candidates:
        request = Request("POST", "/events", event_body(attrs.evolve(operation, who=candidate)))
        response = yield request
        if response.status not in (404, 410):
            return _result_of(operation, request, response, world=world)
        merged_into = canonical_id(response)
        if merged_into is not None:
            world.cache.follow_merge(who.key, merged_into)
            return (yield from _follow_merges(operation, merged_into, MAX_HOPS - 1, world=world))
    return None


def _result_of(operation: SubmitEvent, request: Request, response: Response, *, world: World) -> FlowResult:
    if is_success(response):
        return DELIVERED
    if response.status == 409:
        # Several users have the e-mail address of the event.
        return dead(response, "ambiguous_email")
    if _NAME_LIMIT in error_text(response).lower() and 400 <= response.status < 500:
        world.cache.refuse("event", operation.event_name.casefold(), world.now)
        return dead(response, "event_name_limit")
    return classify(request, response)
