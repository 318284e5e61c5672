"""
What names an event and its contact when seconds are shared out (rule E10); pure, knows no second that is taken.

A message id of the caller names its event. An id that this library made names nothing, because the same file read twice gets other ids:
then the event is named by its second and its properties.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from ..messages._memo import Memo
from ..messages._message_ids import is_own_message_id
from ..operations import MergeContact, SubmitEvent, UpsertContact
from .event_seconds import Slot, digest, folded_name, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._types import JsonObject, JsonValue
    from ..operations import Operation, Who
    from .workspace_cache import WorkspaceCache

# Equal contents give equal texts, whatever the order of their keys.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_names: Memo[str, int] = Memo(lambda name: digest(folded_name(name)), 5_000)
# SQLite holds no larger number. No event happens then, so such an event is sent as it is.
_LAST_SECOND = 2**62


class Asking(NamedTuple):
    """
    An event that asks for a second.

    Attributes:
        message: The number of its message in the claim.
        position: Its position among the operations of the message.
        wish: What it asks for.
    """

    message: int
    position: int
    wish: Slot


class Wishes:
    """
    The events of one claim, and what its operations say about which keys lead to one contact.

    Args:
        cache: Intercom's ids of contacts.

    Attributes:
        asking: The events, in their order.
        links: Place of a key -> place of the same contact under which its events are compared.
    """

    def __init__(self, cache: WorkspaceCache) -> None:
        self._cache = cache
        self.asking: list[Asking] = []
        self.links: dict[int, int] = {}
        # Key of a contact -> its place, as far as this claim has looked it up.
        self._places: dict[str, int] = {}

    def add(self, number: int, message: JsonObject, operations: tuple[Operation, ...]) -> None:
        """Add the events and contacts of a message, which is in Segment's wire form."""
        events = 0
        for position, operation in enumerate(operations):
            kind = type(operation)
            if kind is SubmitEvent:
                event: SubmitEvent = operation  # type: ignore[assignment]  # as its type says
                if abs(event.created_at) < _LAST_SECOND:
                    self.asking.append(Asking(number, position, self._wish(message, event, events)))
                events += 1
            elif kind is UpsertContact:
                self._link_upsert(operation)  # type: ignore[arg-type]  # as its type says
            elif kind is MergeContact:
                merge: MergeContact = operation  # type: ignore[assignment]  # as its type says
                self._link(self._place(merge.lead), self._place(merge.user))

    def _wish(self, message: JsonObject, event: SubmitEvent, number: int) -> Slot:
        """Return what *event* asks for, the event *number* of its message: only a translator of the caller's makes several."""
        message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
        if is_own_message_id(message_id):
            content = f"{event.created_at}\n{_encode(_content_of(message))}"
        else:
            content = f"#{message_id}"
        name = _names[event.event_name]
        owner = digest(f"{event.who.key}\n{name}\n{number}\n{content}")
        return Slot(owner, self._place(event.who), name, event.created_at)

    def _link_upsert(self, upsert: UpsertContact) -> None:
        place = self._place(upsert.who)
        email = upsert.fields.get("email")
        if isinstance(email, str):
            self._link(place_of(f"email:{email.lower()}"), place)

    def _place(self, who: Who) -> int:
        """Return the place of a contact, after linking all its keys to it."""
        place = self._places.get(who.key)
        if place is None:
            place, *others = [place_of(key) for key in self._keys_of(who)]
            self._places[who.key] = place
            for other in others:
                self._link(other, place)
        return place

    def _keys_of(self, who: Who) -> Iterator[str]:
        """
        Yield the keys of a contact, the most lasting one first.

        Intercom itself compares events by the caller's id of the contact, and that id is known from the first message on. Intercom's id
        may become known between two attempts, and it changes when contacts are merged or made again.
        """
        if who.external_id is not None:
            yield f"user:{who.external_id}"
        contact_id = who.contact_id or self._cache.contact_id(who.key)
        if contact_id is not None:
            yield f"contact:{contact_id}"
        if who.email is not None:
            yield f"email:{who.email.lower()}"
        if who.anonymous_id is not None:
            yield f"anonymous:{who.anonymous_id}"

    def _link(self, key: int, place: int) -> None:
        if key != place:
            self.links[key] = place


def _content_of(message: JsonObject) -> list[JsonValue]:
    """
    Return what tells a message from others of its contact, name and second.

    These are the properties as the caller sent them: Intercom's metadata has only ten of them, and depends on the settings.
    """
    context = message.get("context")
    page = context.get("page") if message["type"] != "track" and isinstance(context, dict) else None
    return [message.get("properties"), page]
