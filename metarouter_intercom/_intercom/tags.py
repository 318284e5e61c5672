"""How a contact gets a tag, and how it loses one (rule I13); pure. Companies are tagged in ``companies``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plugins import Request
from .context import MAX_HOPS, path_segment
from .known_contact import is_about_contact, send_choice, who_after_missing
from .lookup import find_contact
from .response_parsing import id_of, is_success, object_of, objects_in
from .responses import CONTACT_MISSING, DELIVERED, UNCHANGED, FlowResult, classify
from .write_records import tag_value

if TYPE_CHECKING:
    from .._types import ContactId
    from ..operations import TagContact, Who
    from .context import Flow, Steps, World

# A success without an id does not say which tag it is, so the message is sent again later.
_UNREADABLE = FlowResult("retry", "unreadable_answer", 200)
_TAG_VANISHED = FlowResult("retry", "tag_vanished", 404)


def tag_contact(operation: TagContact, world: World) -> Flow:
    """Make sure that the contact has the tag, or does not have it; nothing is sent when the last request left it so (rule O3)."""
    who: Who | None = operation.who
    value = tag_value(operation.name, not operation.remove)
    within = world.settings.unchanged_for
    for _ in range(MAX_HOPS + 1):
        contact_id = None if who is None else (yield from find_contact(who, world))
        if isinstance(contact_id, FlowResult):
            return contact_id
        if who is None or contact_id is None:
            return UNCHANGED if operation.remove else CONTACT_MISSING
        if world.cache.was_written("contact", contact_id, value, now=world.now, within=within):
            return UNCHANGED
        known_id = world.cache.tag_id(operation.name, world.now)
        tag_id = known_id or (yield from _find_tag(operation, world))
        if isinstance(tag_id, FlowResult):
            return tag_id
        if tag_id is None:
            world.cache.remember_written("contact", contact_id, value, now=world.now)
            return UNCHANGED
        request = _request(operation, contact_id, tag_id)
        response = yield from send_choice(request, contact_id, value, world)
        if is_success(response):
            return DELIVERED
        if response.status not in (404, 410):
            return classify(request, response)
        if is_about_contact(response):
            who = who_after_missing(response, who, contact_id, world)
            continue
        world.cache.forget_tag(operation.name)
        if operation.remove and known_id is None:
            # Intercom listed the tag a moment ago, so what is missing is the tag on this contact.
            world.cache.remember_written("contact", contact_id, value, now=world.now)
            return UNCHANGED
    return _TAG_VANISHED


def _request(operation: TagContact, contact_id: ContactId, tag_id: str) -> Request:
    path = f"/contacts/{path_segment(contact_id)}/tags"
    if operation.remove:
        return Request("DELETE", f"{path}/{path_segment(tag_id)}")
    return Request("POST", path, {"id": tag_id})


def _find_tag(operation: TagContact, world: World) -> Steps[str | FlowResult | None]:
    """Return Intercom's id of the tag, which is made if the contact shall have it; None when there is none to take off."""
    name = operation.name
    if operation.remove:
        request = Request("GET", "/tags")
        response = yield request
        if not is_success(response):
            return classify(request, response)
        tags = objects_in(object_of(response).get("data"))
        tag = next((tag for tag in tags if str(tag.get("name")).casefold() == name.casefold()), None)
        if tag is None:
            return None
    else:
        # Intercom compares the name without regard to case, and returns the tag that it has.
        request = Request("POST", "/tags", {"name": name})
        response = yield request
        if not is_success(response):
            return classify(request, response)
        tag = object_of(response)
    tag_id = id_of(tag)
    if tag_id is None:
        return _UNREADABLE
    world.cache.remember_tag(name, tag_id, world.now)
    return tag_id
