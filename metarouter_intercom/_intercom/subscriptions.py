"""How a contact is opted in to a subscription type, or out of it (rule I14); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..plugins import Request
from .context import MAX_HOPS, path_segment
from .known_contact import is_about_contact, send_choice, who_after_missing
from .lookup import find_contact
from .response_parsing import id_of, is_success, object_of, objects_in
from .responses import CONTACT_MISSING, DELIVERED, UNCHANGED, FlowResult, classify
from .write_records import subscription_value

if TYPE_CHECKING:
    from .._types import ContactId, JsonValue
    from ..operations import SetSubscription, Who
    from .context import Flow, Steps, World

_CONSENTS = ("opt_in", "opt_out")
# A name that is not among the remembered types may be that of a new one, so the list is read again if it is older than so many seconds.
_LOOK_AGAIN_AFTER = 60.0


class _Type(NamedTuple):
    """A subscription type: its id, and what adding a contact to it means."""

    id: str
    consent: str


def set_subscription(operation: SetSubscription, world: World) -> Flow:
    """Opt the contact in or out; nothing is sent when the last request left it so (rule O3). An unknown type is a success with a note."""
    who: Who | None = operation.who
    is_again = False
    for _ in range(MAX_HOPS + 1):
        contact_id = None if who is None else (yield from find_contact(who, world))
        if isinstance(contact_id, FlowResult):
            return contact_id
        if who is None or contact_id is None:
            return CONTACT_MISSING
        kind = yield from _find_type(operation, world, is_again=is_again)
        if isinstance(kind, FlowResult):
            return kind
        value = subscription_value(kind.id, operation.is_wanted)
        within = world.settings.unchanged_for
        if world.cache.was_written("contact", contact_id, value, now=world.now, within=within):
            return UNCHANGED
        request = _request(operation, contact_id, kind)
        response = yield from send_choice(request, contact_id, value, world)
        is_gone = response.status in (404, 410)
        if is_gone and is_about_contact(response):
            who = who_after_missing(response, who, contact_id, world)
        elif is_gone and request.method == "POST" and not is_again:
            is_again = True
        elif is_gone and request.method == "DELETE":
            # A contact that made no choice is where a removed choice would leave it.
            world.cache.remember_written("contact", contact_id, value, now=world.now)
            return UNCHANGED
        elif is_success(response):
            return DELIVERED
        else:
            return _unknown(operation) if is_gone else classify(request, response)
    return CONTACT_MISSING


def _request(operation: SetSubscription, contact_id: ContactId, kind: _Type) -> Request:
    """Return the request for the choice: adding a contact to an opt-in type opts it in, adding it to an opt-out type opts it out."""
    path = f"/contacts/{path_segment(contact_id)}/subscriptions"
    if operation.is_wanted == (kind.consent == "opt_in"):
        return Request("POST", path, {"id": kind.id, "consent_type": kind.consent})
    return Request("DELETE", f"{path}/{path_segment(kind.id)}")


# --- which type a name means ----------------------------------------------------------------------------------


def _find_type(operation: SetSubscription, world: World, *, is_again: bool) -> Steps[_Type | FlowResult]:
    """
    Return the type that the operation names; the end of the operation when there is not exactly one, or when Intercom does not say.

    Args:
        operation: Names the type.
        world: Its cache remembers the list of types.
        is_again: The remembered list proved wrong.
    """
    cache, subscription = world.cache, operation.subscription
    matches = [] if is_again else _matches(cache.subscription_types(world.now), subscription)
    was_just_read = cache.subscription_types(world.now, within=_LOOK_AGAIN_AFTER) is not None
    if not matches and (is_again or not was_just_read):
        request = Request("GET", "/subscription_types")
        response = yield request
        if not is_success(response):
            return classify(request, response)
        types = object_of(response).get("data")
        cache.remember_subscription_types(types, world.now)
        matches = _matches(types, subscription)
    if len(matches) == 1:
        return matches[0]
    return _several(operation) if matches else _unknown(operation)


def _matches(types: JsonValue, subscription: str) -> list[_Type]:
    """Return the types with this id; else those with this name; else those with this name in a translation. Live ones come first."""
    known = [kind for kind in objects_in(types) if id_of(kind) and kind.get("consent_type") in _CONSENTS]
    name = subscription.strip().casefold()
    for found in (
        [kind for kind in known if id_of(kind) == subscription.strip()],
        [kind for kind in known if _name(kind.get("default_translation")) == name],
        [kind for kind in known if name in map(_name, objects_in(kind.get("translations")))],
    ):
        live = [kind for kind in found if kind.get("state") == "live"]
        if found:
            return [_Type(str(id_of(kind)), str(kind["consent_type"])) for kind in live or found]
    return []


def _name(translation: JsonValue) -> str | None:
    name = translation.get("name") if isinstance(translation, dict) else None
    return name.strip().casefold() if isinstance(name, str) else None


def _unknown(operation: SetSubscription) -> FlowResult:
    return UNCHANGED._replace(notes=(Note("I14", operation.path, "unknown subscription type"),))


def _several(operation: SetSubscription) -> FlowResult:
    note = Note("I14", operation.path, "several subscription types have this name")
    return UNCHANGED._replace(notes=(note,))
