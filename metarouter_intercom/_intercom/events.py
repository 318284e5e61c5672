"""Events: one request where all is well, and what to do where it is not (rules E2, M2, M4); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..operations import Who
from ..plugins import Request
from .contacts import make_bare_contact
from .context import HOPS, waits
from .lookup import find_contact
from .payloads import event_body
from .responses import DELIVERED, FlowResult, canonical_id, classify, dead, is_success, text_of

if TYPE_CHECKING:
    from .._types import ContactId
    from ..operations import SubmitEvent
    from ..plugins import Response
    from .context import Flow, Steps, World

_NAME_LIMIT = "active event names"


def submit_event(operation: SubmitEvent, world: World) -> Flow:
    """Submit the event to the contact by the best identifier there is; waits for a contact that is not there (M2)."""
    cache = world.cache
    name = operation.event_name.casefold()
    if cache.is_refused("event", name, world.now):
        return FlowResult("dead", "event_name_limit")
    outcome = yield from _to_known_contact(operation, world)
    if outcome is None:
        outcome = yield from _by_identifiers(operation, world)
    if outcome is None and world.settings.create_missing_contacts:
        made = yield from make_bare_contact(operation.who, world)
        if made.kind != "delivered":
            return made
        outcome = yield from _to_known_contact(operation, world)
    return outcome or waits()


def _to_known_contact(operation: SubmitEvent, world: World) -> Steps[FlowResult | None]:
    """Submit by Intercom's id where it is known; None when that contact is not there."""
    who = operation.who
    current = who.contact_id or world.cache.contact_id(who.key)
    if current is None and who.external_id is None and who.email is None:
        # Leads are known to events by Intercom's id only (contract, section 5).
        found = yield from find_contact(who, world)
        if isinstance(found, FlowResult):
            return found
        current = found
    return None if current is None else (yield from _along_links(operation, current, HOPS, world))


def _along_links(
    operation: SubmitEvent, contact_id: ContactId, hops: int, world: World
) -> Steps[FlowResult | None]:
    """Submit by Intercom's id, to the contact it became where it was merged; None when there is none."""
    cache, who = world.cache, operation.who
    current: ContactId | None = contact_id
    seen: set[ContactId] = set()
    while current is not None and current not in seen and len(seen) <= hops:
        seen.add(current)
        request = Request("POST", "/events", event_body(operation, contact_id=current))
        response = yield request
        if response.status not in (404, 410):
            return _end(operation, request, response, world)
        cache.forget_contact(who.key, current)
        current = canonical_id(response)
        if current is not None and who.contact_id is None:
            cache.remember_contact(who.key, current)
    return None


def _by_identifiers(operation: SubmitEvent, world: World) -> Steps[FlowResult | None]:
    """Submit by the caller's id, then by e-mail address (E2); None when neither is found."""
    who = operation.who
    tries = []
    if who.external_id is not None:
        tries.append(attrs.evolve(operation, who=Who(external_id=who.external_id)))
    if who.email is not None:
        tries.append(attrs.evolve(operation, who=Who(email=who.email.lower())))
    for one in tries:
        request = Request("POST", "/events", event_body(one))
        response = yield request
        if response.status not in (404, 410):
            return _end(operation, request, response, world)
        following = canonical_id(response)
        if following is not None:
            world.cache.remember_contact(who.key, following)
            return (yield from _along_links(operation, following, HOPS - 1, world))
    return None


def _end(operation: SubmitEvent, request: Request, response: Response, world: World) -> FlowResult:
    if is_success(response):
        return DELIVERED
    if response.status == 409:
        return dead(response, "ambiguous_email")
    if _NAME_LIMIT in text_of(response).lower() and 400 <= response.status < 500:
        world.cache.refuse("event", operation.event_name.casefold(), world.now)
        return dead(response, "event_name_limit")
    return classify(request, response)
