"""How an event refreshes when its contact was last seen, without ever setting that back (rule E11); pure, creates no contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plugins import Request
from .context import path_segment
from .lookup import find_contact
from .response_parsing import canonical_id, is_success, object_of
from .responses import CONTACT_MISSING, DELIVERED, UNCHANGED, FlowResult, classify

if TYPE_CHECKING:
    from .._types import ContactId, JsonObject
    from ..operations import UpsertContact, Who
    from ..plugins import Response
    from .context import Flow, Steps, World

LAST_SEEN = "last_seen_at"


def refresh_last_seen(operation: UpsertContact, world: World) -> Flow:
    """Write when the contact was last seen, if that is news; the message waits while there is no such contact (rule M2)."""
    contact_id = yield from find_contact(operation.who, world)
    if isinstance(contact_id, FlowResult):
        return contact_id
    if contact_id is None:
        return CONTACT_MISSING
    stored = world.cache.written_number("contact", contact_id, LAST_SEEN)
    if stored is None:
        answer = yield from _read(operation.who, contact_id, world)
        if isinstance(answer, FlowResult):
            return answer
        stored = answer
    seen_at = operation.fields[LAST_SEEN]
    if isinstance(seen_at, int) and is_news(seen_at, stored, world.settings.last_seen_resolution):
        return (yield from _write(operation.who, contact_id, {LAST_SEEN: seen_at}, world=world))
    return UNCHANGED


def is_news(seen_at: int, stored: int | None, resolution: float) -> bool:
    """Return whether *seen_at* is later than what is *stored* by at least *resolution* seconds; None means that nothing is stored."""
    return stored is None or (seen_at > stored and seen_at - stored >= resolution)


def _read(who: Who, contact_id: ContactId, world: World) -> Steps[int | FlowResult | None]:
    """Ask Intercom once when the contact was last seen, because events of the past are sent too, and remember it."""
    request = Request("GET", f"/contacts/{path_segment(contact_id)}")
    response = yield request
    if not is_success(response):
        return _after_failure(who, contact_id, request, response, world=world)
    stored = object_of(response).get(LAST_SEEN)
    if not isinstance(stored, int):
        return None
    world.cache.remember_written("contact", contact_id, {LAST_SEEN: stored}, now=world.now)
    return stored


def _write(who: Who, contact_id: ContactId, body: JsonObject, *, world: World) -> Flow:
    request = Request("PUT", f"/contacts/{path_segment(contact_id)}", body)
    with world.cache.recorded_write("contact", contact_id, world.now) as record:
        response = yield request
        if is_success(response):
            record.values = body
            return DELIVERED
    return _after_failure(who, contact_id, request, response, world=world)


def _after_failure(
    who: Who, contact_id: ContactId, request: Request, response: Response, *, world: World
) -> FlowResult:
    """Return the result of a request that failed; a contact that is gone or merged by now is looked up by the next attempt."""
    if response.status not in (404, 410):
        return classify(request, response)
    world.cache.forget_contact(who.key, contact_id)
    if who.contact_id is not None:
        return CONTACT_MISSING
    merged_into = canonical_id(response)
    if merged_into is not None:
        world.cache.follow_merge(who.key, merged_into)
    return FlowResult("retry", "contact_vanished", response.status)
